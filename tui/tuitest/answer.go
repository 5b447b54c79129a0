package tuitest

import (
	"context"
	"time"

	"starling/node/api"
)

// Answer delivers the sent messages, state by state in real time, and echoes them,
// until ctx ends. It is for looking at the app, not for tests.
func (n *Node) Answer(ctx context.Context) {
	_ = n.Events(ctx, -1, func(ev api.Event) error {
		if ev.Kind != api.EventMessage || !ev.Outgoing {
			return nil
		}
		go func() {
			for _, s := range []api.State{api.StateSealed, api.StateSent, api.StateDelivered} {
				wait(ctx, 600*time.Millisecond)
				n.State(ev.ID, s, "")
			}
			wait(ctx, 500*time.Millisecond)
			if ev.Text != nil {
				n.Receive(ev.Conversation, "You said: "+ev.Text.String())
			}
		}()
		return nil
	})
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
