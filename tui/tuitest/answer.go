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
			states := []api.State{api.StateSealed, api.StateSent, api.StateDelivered}
			if ev.Room != "" {
				states = states[:2]
			}
			for _, s := range states {
				wait(ctx, 600*time.Millisecond)
				n.State(ev.ID, s, "")
			}

			wait(ctx, 500*time.Millisecond)
			if ev.Room != "" {
				n.answerIn(ev.Room)
				return
			}
			if ev.Text != nil {
				n.Receive(ev.Conversation, "You said: "+ev.Text.String())
			}
		}()
		return nil
	})
}

// answerIn has some other member of a room say something.
func (r *rooms) answerIn(room string) {
	r.node.mu.Lock()
	who := ""
	for _, o := range r.hall.place(room).inside() {
		if o.node == nil {
			who = o.id
		}
	}
	as := r.in[room].as.String()
	r.node.mu.Unlock()
	if who != "" {
		r.Says(room, who, "I have read that, @"+as+".")
	}
}

func wait(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
