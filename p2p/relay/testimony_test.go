package relay

import (
	"testing"
	"time"

	"starling/p2p/admission"
	"starling/p2p/wire"
)

// TestTestimony: others say whether we are listed; who was not asked says nothing, and
// most count.
func TestTestimony(t *testing.T) {
	r, err := New(Config{StateDir: t.TempDir(), Listen: []string{"/ip4/127.0.0.1/tcp/0"}, AllowPrivate: true})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	ids := []wire.NodeID{{1}, {2}, {3}}
	ask := func(from wire.NodeID, nonce uint64) {
		r.lobby.answers[nonce] = question{from, time.Now()}
	}
	ask(ids[0], 7)
	r.testified(ids[1], admission.Testimony{Nonce: 7, Standing: admission.ReachedItself})
	r.testified(ids[0], admission.Testimony{Nonce: 8, Standing: admission.ReachedItself})
	if listed, reachable := r.standing(); listed || reachable {
		t.Error("the word of one who was not asked")
	}
	r.testified(ids[0], admission.Testimony{Nonce: 7, Standing: admission.VouchedFor})
	r.testified(ids[0], admission.Testimony{Nonce: 7, Standing: admission.Unlisted}) // the same answer twice
	if listed, reachable := r.standing(); !listed || reachable {
		t.Errorf("vouched for: listed %v, reachable %v", listed, reachable)
	}
	for i, id := range ids[1:] {
		ask(id, uint64(20+i))
		r.testified(id, admission.Testimony{Nonce: uint64(20 + i)})
	}
	if listed, _ := r.standing(); listed {
		t.Error("listed, as one of three says")
	}
}
