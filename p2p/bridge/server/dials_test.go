package server

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"starling/p2p/wire"
)

// number is the name of somebody.
func number(i int) (id wire.NodeID) {
	binary.BigEndian.PutUint32(id[:], uint32(i+1))
	return id
}

// dialsOf is how many dials are under way.
func dialsOf(p *pipes) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.dialing)
}

// TestDialsAreShared: clients of one network hold all dials, to relays that never answer,
// under ever new names or under few. Others are served beside them.
func TestDialsAreShared(t *testing.T) {
	crowd, honest := netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("198.51.100.0/24")
	for name, tt := range map[string]struct {
		names   int          // of the crowd; 0 is a new one for each dial
		network netip.Prefix // of the honest one
		least   int          // times of 20 that they are served
	}{
		"ever new names":            {0, honest, 20},
		"few names":                 {16, honest, 20},
		"few names, of our network": {16, crowd, 20},
		"new names, of our network": {0, crowd, 1}, // nothing tells them apart; they come again
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPipes(1000, 0)
				flood := func(i int) {
					client := number(i)
					if tt.names > 0 {
						client = number(i % tt.names)
					}
					ctx, d, ok := p.ask(t.Context(), client, crowd, number(1000+i%100))
					if !ok {
						return
					}
					go func() { // the relay does not answer
						select {
						case <-ctx.Done():
						case <-time.After(dialTime):
						}
						p.asked(d)
					}()
				}
				crowding, stop := context.WithCancel(t.Context())
				go func() {
					for i := 0; crowding.Err() == nil; i++ {
						flood(i)
						time.Sleep(time.Duration(5+rand.IntN(10)) * time.Millisecond)
					}
				}()
				time.Sleep(5 * time.Second)
				if n := dialsOf(p); n < DialsAtOnce*3/4 || n > DialsAtOnce {
					t.Errorf("%d dials: this test shows nothing", n)
				}

				served := 0
				for i := range 20 {
					ctx, d, ok := p.ask(t.Context(), number(1<<20), tt.network, number(5000+i))
					if ok {
						time.Sleep(300 * time.Millisecond)
						if ctx.Err() == nil {
							served++
						}
						p.asked(d)
					}
					time.Sleep(AskEvery + time.Duration(rand.IntN(2000))*time.Millisecond)
				}
				if served < tt.least {
					t.Errorf("%d of 20 were served", served)
				}
				stop()
				time.Sleep(time.Minute)
				if n := dialsOf(p); n != 0 {
					t.Errorf("%d dials are left", n)
				}
			})
		})
	}
}

// TestDialsToOneRelay: clients that ask for one relay make it no flood of connections from
// the bridge, and hold up nobody who asks for another.
func TestDialsToOneRelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPipes(1000, 0)
		for i := range 100 {
			p.ask(t.Context(), number(i), netip.Prefix{}, number(7))
		}
		if n := dialsOf(p); n != DialsPerRelay {
			t.Errorf("%d dials to one relay", n)
		}
		if _, _, ok := p.ask(t.Context(), number(200), netip.Prefix{}, number(8)); !ok {
			t.Error("another relay is refused")
		}
		time.Sleep(longDial)
		if _, _, ok := p.ask(t.Context(), number(201), netip.Prefix{}, number(7)); !ok {
			t.Error("nobody makes room, though nothing came for seconds")
		}
		for _, d := range p.dialing {
			d.end()
		}
	})
}
