package relay

import (
	"slices"
	"testing"
	"time"

	"starling/p2p/admission"
	"starling/p2p/wire"
)

// TestTestimony: others say whether we are listed; the word of a node that was not
// asked is nothing, and the majority counts.
func TestTestimony(t *testing.T) {
	r, err := New(Config{StateDir: t.TempDir(), Listen: []string{"/ip4/127.0.0.1/tcp/0"}, AllowPrivate: true})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	ids := []wire.NodeID{{1}, {2}, {3}}
	ask := func(from wire.NodeID, nonce uint64) {
		r.stands.answers[nonce] = question{from, time.Now()}
	}
	ask(ids[0], 7)
	r.testified(ids[1], admission.Testimony{Nonce: 7, Standing: admission.ReachedItself})
	r.testified(ids[0], admission.Testimony{Nonce: 8, Standing: admission.ReachedItself})
	if s := r.standing(); s.Listed || s.Reachable || s.Asked > 0 {
		t.Error("the word of one who was not asked")
	}

	r.testified(ids[0], admission.Testimony{Nonce: 7, Standing: admission.VouchedFor})
	r.testified(ids[0], admission.Testimony{Nonce: 7, Standing: admission.Unlisted}) // the same answer twice
	if s := r.standing(); !s.Listed || s.Reachable || !slices.Equal(s.ListedBy, []string{ids[0].String()}) {
		t.Errorf("vouched for: %+v", s)
	}

	say := func(nonce uint64, all ...admission.Standing) {
		for i, standing := range all {
			ask(ids[i], nonce+uint64(i))
			r.testified(ids[i], admission.Testimony{Nonce: nonce + uint64(i), Standing: standing})
		}
	}
	say(20, admission.VouchedFor, admission.Unlisted, admission.Unlisted)
	if r.standing().Listed {
		t.Error("listed, as one of three says")
	}
	say(30, admission.ReachedItself, admission.Unlisted, admission.Unlisted)
	if s := r.standing(); s.Reachable || len(s.ReachedBy) != 1 {
		t.Errorf("reached, as one of three says: %+v", s)
	}
	say(40, admission.ReachedItself, admission.ReachedItself, admission.Unlisted)
	if s := r.standing(); !s.Reachable || !s.Listed || s.Asked != 3 || len(s.ReachedBy) != 2 {
		t.Errorf("reached, as two of three say: %+v", s)
	}
}
