package engine

import (
	"math/rand/v2"
	"sync"
	"time"

	"starling/node/testnet/scenario"
	"starling/p2p"
	"starling/p2p/outfox"
)

// Meddle returns how a relay treats the packets it passes on: nil for as it
// should. The seed and the relay's index make its draws.
func Meddle(plan scenario.Plan, seed uint64, relay int) func(p2p.NodeID, *outfox.Packet, func(*outfox.Packet)) {
	bad, ok := plan.Bad[relay]
	if !ok {
		return nil
	}

	var mu sync.Mutex
	draws := rand.New(rand.NewPCG(seed, uint64(relay)))
	chance := func(p float64) bool {
		mu.Lock()
		defer mu.Unlock()
		return draws.Float64() < p
	}

	return func(_ p2p.NodeID, p *outfox.Packet, send func(*outfox.Packet)) {
		if chance(bad.Drop) {
			return
		}
		if chance(bad.Tamper) {
			raw := p.Append(nil)
			mu.Lock()
			raw[draws.IntN(len(raw))] ^= 1 << draws.IntN(8)
			mu.Unlock()
			var err error
			if p, err = outfox.ParsePacket(raw); err != nil {
				return // not even a packet any more
			}
		}

		packets := []*outfox.Packet{p}
		if chance(bad.Replay) {
			if again, err := outfox.ParsePacket(p.Append(nil)); err == nil {
				packets = append(packets, again)
			}
		}

		for _, p := range packets {
			if bad.Delay > 0 {
				time.AfterFunc(bad.Delay, func() { send(p) })
			} else {
				send(p)
			}
		}
	}
}

// Clock returns the clock of a machine that is wrong by some time, nil for one
// that is right.
func Clock(skew time.Duration) func() time.Time {
	if skew == 0 {
		return nil
	}
	return func() time.Time { return time.Now().Add(skew) }
}
