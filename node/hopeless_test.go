package node

import (
	"testing"
	"time"

	"starling/node/api"
	"starling/node/store"
	"starling/session"
)

// TestHopeless: a pending contact says so once no invite can be open any more, and not
// before; one that answered never does.
func TestHopeless(t *testing.T) {
	made := time.Now()
	for _, c := range []struct {
		state api.ContactState
		after time.Duration
		want  bool
	}{
		{api.ContactPending, time.Minute, false},
		{api.ContactPending, maxExpiry + session.Grace, false},
		{api.ContactPending, maxExpiry + session.Grace + time.Second, true},
		{api.ContactReady, 365 * 24 * time.Hour, false},
	} {
		if got := hopeless(store.Contact{State: c.state, Created: made}, made.Add(c.after)); got != c.want {
			t.Errorf("%s after %v: %v", c.state, c.after, got)
		}
	}
}
