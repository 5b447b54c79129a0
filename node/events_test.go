package node

import (
	"context"
	"slices"
	"sync"
	"testing"

	"starling/node/api"
)

// An eventLog is all that a node told since it was started.
type eventLog struct {
	mu     sync.Mutex
	events []api.Event
}

func watchEvents(t testing.TB, n api.Node) *eventLog {
	l := new(eventLog)
	go n.Events(context.Background(), 0, func(e api.Event) error { // ends with the node
		l.mu.Lock()
		defer l.mu.Unlock()
		l.events = append(l.events, e)
		return nil
	})
	return l
}

func (l *eventLog) all() []api.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.events)
}

// wantStates waits until a message has gone through exactly these states.
func (l *eventLog) wantStates(t testing.TB, id string, want ...api.State) {
	t.Helper()
	var got []api.State
	eventually(t, "last state of the message", func() bool {
		got = nil
		for _, e := range l.all() {
			if e.Kind == api.EventState && e.ID == id {
				got = append(got, e.State)
			}
		}
		return slices.Contains(got, want[len(want)-1])
	})
	if !slices.Equal(got, want) {
		t.Errorf("states %v, want %v", got, want)
	}
}

// invites returns the fates of invites.
func (l *eventLog) invites() (what []string) {
	for _, e := range l.all() {
		if e.Kind == api.EventInvite {
			what = append(what, e.Invite.What)
		}
	}
	return what
}
