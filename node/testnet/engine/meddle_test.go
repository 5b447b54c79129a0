package engine

import (
	"bytes"
	"testing"
	"testing/synctest"
	"time"

	"starling/node/testnet/scenario"
	"starling/p2p"
	"starling/p2p/outfox"
)

func packet(t *testing.T) *outfox.Packet {
	t.Helper()
	key, err := outfox.NewPrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	var way [outfox.Layers]outfox.Hop
	for i := range way {
		way[i] = outfox.Hop{ID: p2p.NodeID{byte(i + 1)}, Key: key.Public()}
	}
	p, err := outfox.Wrap(1, way, &outfox.Message{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestMeddle(t *testing.T) {
	p := packet(t)
	raw := p.Append(nil)
	for _, tt := range []struct {
		name    string
		bad     scenario.Bad
		sent    int
		changed bool
		after   time.Duration
	}{
		{"drops", scenario.Bad{Drop: 1}, 0, false, 0},
		{"replays", scenario.Bad{Replay: 1}, 2, false, 0},
		{"is slow", scenario.Bad{Delay: time.Second}, 1, false, time.Second},
		{"tampers", scenario.Bad{Tamper: 1}, 1, true, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				meddle := Meddle(scenario.Plan{Bad: map[int]scenario.Bad{3: tt.bad}}, 1, 3)
				began, sent := time.Now(), 0
				for range 20 { // a change may make it no packet at all
					before := sent
					meddle(p2p.NodeID{}, p, func(got *outfox.Packet) {
						sent++
						if bytes.Equal(got.Append(nil), raw) == tt.changed {
							t.Error("changed, or not")
						}
						if d := time.Since(began); d != tt.after {
							t.Errorf("after %v", d)
						}
					})
					time.Sleep(tt.after)
					synctest.Wait()
					if n := sent - before; n != tt.sent && !tt.changed {
						t.Fatalf("sent %d times, want %d", n, tt.sent)
					}
					began = time.Now()
				}
				if tt.changed && sent == 0 {
					t.Error("nothing was sent")
				}
				if !bytes.Equal(p.Append(nil), raw) {
					t.Error("the packet that came was changed")
				}
			})
		})
	}
	if Meddle(scenario.Plan{}, 1, 3) != nil {
		t.Error("a good relay meddles")
	}
	if Clock(0) != nil || Clock(time.Hour)().Before(time.Now().Add(59*time.Minute)) {
		t.Error("clocks")
	}
}
