package adversary

import (
	"crypto/rand"
	"math"
	mrand "math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"starling/p2p/mix"
	"starling/p2p/outfox"
	"starling/p2p/wire"
)

// TestCapture: relays that work together, a fraction f of all, hold the guard and
// the mailbox of f² of the messages, and all three mixes of f³ of the routes. The
// routes are those that clients draw, each with guards and pins of its own.
func TestCapture(t *testing.T) {
	const relays, users, each = 200, 1500, 4
	key, err := outfox.NewPrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	epoch := outfox.EpochAt(time.Now())
	list := make([]mix.Relay, relays)
	for i := range list {
		rand.Read(list[i].ID[:])
		list[i].Addrs = []netip.Addr{netip.AddrFrom4([4]byte{byte(20 + i), 1, 0, 1})}
		for d := range outfox.Epoch(4) {
			list[i].Keys = append(list[i].Keys, mix.Key{Epoch: epoch - 1 + d, Public: key.Public()})
		}
	}
	draw := mrand.New(mrand.NewPCG(5, 6))

	for _, f := range []float64{0.1, 0.2, 0.3} {
		bad := map[wire.NodeID]bool{}
		for _, i := range draw.Perm(relays)[:int(f*relays)] {
			bad[list[i].ID] = true
		}
		ends, whole := 0, 0
		for range users {
			routes := mix.NewRoutes(mix.RoutesConfig{})
			routes.Update(list)
			guard := list[draw.IntN(relays)].ID
			for range each {
				mailbox := list[draw.IntN(relays)].ID
				_, route, err := routes.Forward(guard, mailbox)
				if err != nil {
					continue // guard and mailbox are one
				}
				if bad[guard] && bad[mailbox] {
					ends++
				}
				if bad[route[0].ID] && bad[route[1].ID] && bad[route[2].ID] {
					whole++
				}
			}
		}
		const n = users * each
		near := func(what string, got int, p float64) {
			// Users have one guard and few pins for all their messages, so the spread is
			// that of users rather than of messages.
			sigma := math.Sqrt(p*(1-p)/users) * n
			t.Logf("f = %.1f: %s %.4f, expected %.4f", f, what, float64(got)/n, p)
			if math.Abs(float64(got)-p*n) > 4*sigma {
				t.Errorf("f = %.1f: %s in %d of %d, expected %.0f ± %.0f", f, what, got, n, p*n, 4*sigma)
			}
		}
		near("guard and mailbox", ends, f*f)
		near("all three mixes", whole, f*f*f)
	}
}
