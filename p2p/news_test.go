package p2p_test

import (
	"context"
	"crypto/ed25519"
	"net/netip"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"

	"starling/p2p"
	"starling/p2p/admission"
	"starling/p2p/book"
	"starling/p2p/directory"
	"starling/p2p/directory/gossip"
	"starling/p2p/host"
	"starling/p2p/link"
	"starling/p2p/p2ptest"
	"starling/p2p/virtualtime"
	"starling/p2p/wire"
)

// newsBar is how many bytes a day the news of one relay may cost an idle client.
const newsBar = 100_000

// TestNewsOfOneRelay: a relay that says every few seconds that it leaves, and that it is
// back, costs an idle client no more than a tenth of a megabyte a day. Counted are the
// frames in which lists are asked for and handed out, per look, and the looks of a day.
func TestNewsOfOneRelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		states := map[int]string{}
		m := p2ptest.Virtual(t, 6, wan, func(node int, cfg *p2p.RelayConfig) { states[node] = cfg.StateDir })
		defer m.Stop()
		m.Settle(6)
		var looks, frames, entries atomic.Int64
		c := m.Client(func(cfg *p2p.ClientConfig) {
			cfg.Tap = func(s link.Seen) {
				switch {
				case s.What == "out" && isRequest(s.Data):
					looks.Add(1)
					frames.Add(1)
				case s.What == "in":
					if p, err := directory.ParsePage(s.Data); err == nil {
						frames.Add(1)
						for _, e := range p.Entries {
							if e.ID() == m.Relays[3].ID() {
								entries.Add(1)
							}
						}
					}
				}
			}
		})
		defer c.Stop()
		p2ptest.Eventually(t, "client ready", func() bool { return c.Status().Ready && c.Status().Relays == 6 })
		measure := func() (bytes float64) {
			looks.Store(0)
			frames.Store(0)
			time.Sleep(2 * time.Hour)
			if looks.Load() < 2 {
				t.Fatalf("%d looks in two hours", looks.Load())
			}
			return float64(frames.Load()*wire.FrameSize) / float64(looks.Load())
		}

		quiet := measure()
		before := entries.Load()
		ctx, stop := context.WithCancel(t.Context())
		said := toggle(ctx, t, m, states[3], m.Relays[3])
		loud := measure()
		stop()
		looksADay := float64(24*time.Hour) / float64(30*time.Minute)
		day := (loud - quiet) * looksADay
		t.Logf("%d times it said that it leaves or is back; a look costs %.0f bytes, and %.0f without: %.0f a day", said(), loud, quiet, day)
		if n := entries.Load() - before; said() < 1000 || n == 0 {
			t.Errorf("it said so %d times, and the client heard of it %d times", said(), n)
		}
		if day > newsBar {
			t.Errorf("%.0f bytes a day", day)
		}
	})
}

// isRequest tells a question for a list by its body, which is all that a tap sees.
func isRequest(b []byte) bool { _, err := directory.ParseRequest(b); return err == nil }

// toggle has a thief of a relay's key sign that it leaves, and that it is back, every
// five seconds until ctx ends. It returns how often that was said.
func toggle(ctx context.Context, t *testing.T, m *p2ptest.Net, state string, of *p2ptest.Relay) func() int64 {
	t.Helper()
	seed, err := os.ReadFile(filepath.Join(state, "relay.key"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(seed))
	if err != nil {
		t.Fatal(err)
	}
	b := book.New(book.Config{Role: book.Relay})
	h, err := host.NewRelay(host.Config{Key: newKey(t), Book: b, Listen: []string{"/ip4/" + virtualtime.Address(900).String() + "/tcp/4001"}, Options: m.Options(900)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	g, err := gossip.New(ctx, gossip.Config{Host: h, Hear: func(admission.News) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range m.Relays {
		at, _ := netip.AddrFromSlice(virtualtime.Address(r.Node))
		b.Name(r.ID(), book.Owner, book.Web(netip.AddrPortFrom(at, virtualtime.Port)))
		if err := host.Reach(ctx, h, b, r.ID()); err != nil {
			t.Fatal(err)
		}
	}

	var said atomic.Int64
	var last *directory.Descriptor // its own, with the salt that it has promised
	for _, raw := range honestList(t, m) {
		if d, err := directory.Parse(raw); err == nil && d.ID == of.ID() {
			last = d
		}
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer h.Close()
		for i := 0; ctx.Err() == nil; i++ {
			d := *last
			d.Issued = time.Now().Truncate(time.Second)
			d.Expires = d.Issued.Add(3 * time.Hour)
			d.Sequence = uint64(time.Now().UnixMilli()) + 1000
			if i%2 == 0 {
				d.Capacity = 0
			}
			if signed, err := d.Sign(key); err == nil {
				n := admission.News{Raw: signed}
				if g.Publish(ctx, n.Append(nil)) == nil {
					said.Add(1)
				}
			}
			select {
			case <-time.After(5 * time.Second):
			case <-ctx.Done():
			}
		}
	}()
	t.Cleanup(func() { <-done })
	return said.Load
}
