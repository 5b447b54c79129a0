package engine

import (
	"context"
	"errors"
	"testing"

	"starling/node"
	"starling/p2p"
)

// mute is a network whose puts fail.
type mute struct{ node.Network }

func (mute) Put(ctx context.Context, _ p2p.NodeID, _ p2p.Tag, _ []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return errors.New("no answer")
}

// TestLoad: a put that nobody called off and that fails is counted as failed, and one to the
// same mailbox and tag as another as a second one.
func TestLoad(t *testing.T) {
	var l Load
	n := l.Count(mute{})
	off, cancel := context.WithCancel(t.Context())
	cancel()
	n.Put(t.Context(), p2p.NodeID{1}, p2p.Tag{1}, nil)
	n.Put(t.Context(), p2p.NodeID{1}, p2p.Tag{1}, nil)
	n.Put(off, p2p.NodeID{2}, p2p.Tag{1}, nil)
	if puts, again, failed := l.Numbers(); puts != 3 || again != 1 || failed != 2 {
		t.Errorf("%d puts, %d again, %d failed", puts, again, failed)
	}
}
