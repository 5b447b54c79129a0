package mix

import (
	"errors"
	"slices"
	"testing"

	"starling/p2p/outfox"
	"starling/p2p/wire"
)

// TestRound: a test and its answer pass a guard and one other relay, of whatever network, and nobody else.
func TestRound(t *testing.T) {
	list := append(mesh(3), relayAt(3, "20.0.7.7"))
	list[2].Keys = nil
	r := newRoutes(RoutesConfig{}, list)
	a, b := nodeID(0), nodeID(3)
	slot, there, back, err := r.Round(a, b)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(ids(there[:]), []wire.NodeID{a, b, a, b}) || !slices.Equal(ids(back[:]), []wire.NodeID{a, b, a}) {
		t.Errorf("there %v, back %v", ids(there[:]), ids(back[:]))
	}
	if there[3].Delay != 0 || slot < outfox.SlotAt(r.cfg.Now()) {
		t.Error("the end waits, or the slot is over")
	}
	if _, err := outfox.NewHeader(slot, there); err != nil {
		t.Error(err)
	}
	for _, tt := range []struct {
		a, b wire.NodeID
		want error
	}{{a, a, ErrFewRelays}, {a, nodeID(2), ErrUnknownRelay}, {nodeID(9), b, ErrUnknownRelay}} {
		if _, _, _, err := r.Round(tt.a, tt.b); !errors.Is(err, tt.want) {
			t.Errorf("from %v to %v: %v", tt.a, tt.b, err)
		}
	}
}
