package tuitest

import (
	"context"

	"starling/node/api"
)

var unfinished = &api.Error{Code: api.CodeUsage, Message: "this node cannot do that yet"}

func (n *Node) Edit(ctx context.Context, req api.EditRequest) (api.Message, error) {
	return api.Message{}, unfinished
}

func (n *Node) Delete(ctx context.Context, req api.DeleteRequest) error { return unfinished }

func (n *Node) React(ctx context.Context, req api.ReactRequest) (api.Message, error) {
	return api.Message{}, unfinished
}

func (n *Node) Typing(ctx context.Context, contact string) error { return unfinished }

func (n *Node) Search(ctx context.Context, req api.SearchRequest) ([]api.Message, error) {
	return nil, unfinished
}

func (n *Node) ChangeConversation(ctx context.Context, req api.ConversationRequest) (api.Contact, error) {
	return api.Contact{}, unfinished
}

func (n *Node) Drafts(ctx context.Context) ([]api.Draft, error) { return nil, unfinished }

func (n *Node) SaveDraft(ctx context.Context, draft api.Draft) error { return unfinished }

func (n *Node) Settings(ctx context.Context) (api.Settings, error) {
	return api.Settings{}, unfinished
}

func (n *Node) ChangeSettings(ctx context.Context, change api.SettingsChange) (api.Settings, error) {
	return api.Settings{}, unfinished
}

func (n *Node) Unlock(ctx context.Context, passphrase string) error { return unfinished }

func (n *Node) Backup(ctx context.Context, req api.BackupRequest) error { return unfinished }

func (n *Node) Wipe(ctx context.Context) error { return unfinished }
