package node

import (
	"context"

	"starling/node/api"
)

var unfinished = &api.Error{Code: api.CodeUsage, Message: "this node cannot do that yet"}

func (n *Node) Unlock(ctx context.Context, passphrase string) error { return unfinished }

func (n *Node) Backup(ctx context.Context, req api.BackupRequest) error { return unfinished }

func (n *Node) Wipe(ctx context.Context) error { return unfinished }
