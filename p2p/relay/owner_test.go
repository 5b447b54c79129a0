package relay_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/network"

	"starling/p2p"
	"starling/p2p/book"
	"starling/p2p/mailbox"
	"starling/p2p/p2ptest"
	"starling/p2p/relay"
	"starling/p2p/virtualtime"
	"starling/p2p/wire"
)

// A journal is the log of a relay.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(b)
}

func (j *journal) has(what ...string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, w := range what {
		if !strings.Contains(j.b.String(), w) {
			return false
		}
	}
	return true
}

func (j *journal) count(what string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Count(j.b.String(), what)
}

func (j *journal) logger() *slog.Logger { return slog.New(slog.NewTextHandler(j, nil)) }

var wan = virtualtime.Links{LatencyMin: 20 * time.Millisecond, LatencyMax: 60 * time.Millisecond, BitsPerSecond: 2e7}

// TestAnnouncedWrongly: a relay that announces an address at which nobody is, or another
// node, stays listed where it is, and its owner is told once what others saw.
func TestAnnouncedWrongly(t *testing.T) {
	for name, tt := range map[string]struct {
		announce func(m *p2ptest.Net) string
		says     []string
	}{
		"nobody":  {func(*p2ptest.Net) string { return "/ip4/20.9.9.9/tcp/4001" }, []string{"no other relay reaches some addresses", "/ip4/20.9.9.9/tcp/4001", "others see this relay come from"}},
		"foreign": {func(m *p2ptest.Net) string { at, _, _ := strings.Cut(m.Relays[1].Addrs()[0], "/p2p/"); return at }, []string{"another node answers at"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log journal
				const relays = 5
				m := p2ptest.Virtual(t, relays, wan, func(i int, cfg *p2p.RelayConfig) {
					if i == 0 {
						cfg.Logger = log.logger()
					}
				})
				defer m.Stop()
				m.Settle(relays)
				wrong := tt.announce(m)
				if err := m.Relays[0].Tune(t.Context(), relay.Tuning{Announce: []string{wrong}}); err != nil {
					t.Fatal(err)
				}
				if at := m.Relays[0].Addrs()[0]; at != wrong+"/p2p/"+m.Relays[0].PeerID() {
					t.Errorf("%s comes first, not the address announced", at)
				}

				p2ptest.Eventually(t, "the owner is told", func() bool { return log.has(tt.says...) })
				p2ptest.Eventually(t, "it is listed and reached", func() bool {
					s := m.Relays[0].Status()
					return s.Listed && s.Reachable && len(s.Unreached) == 1 && s.Unreached[0] == wrong && len(s.Announced) == 1 && s.Announced[0] != wrong
				})
				s := m.Relays[0].Status()
				if (len(s.Foreign) == 1) != (name == "foreign") || len(s.SeenFrom) != 1 {
					t.Errorf("foreign %v, seen from %v", s.Foreign, s.SeenFrom)
				}

				// The address is tried again each hour, and nobody is told again.
				time.Sleep(3*time.Hour + 10*time.Minute)
				if n := log.count("no other relay reaches") + log.count("another node answers at an address"); name == "nobody" && n != 1 || n > 2 {
					t.Errorf("told %d times", n)
				}
				if log.has("at all of its addresses again") {
					t.Error("told that an address is reached which nobody reached")
				}
			})
		})
	}
}

// aRouter forwards ports to an address of its own.
type aRouter struct {
	mu      sync.Mutex
	outside netip.Addr
	ports   map[int]bool
	closed  bool
}

func (r *aRouter) AddMapping(_ context.Context, protocol string, port int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ports[port] = true
	return nil
}

func (r *aRouter) GetMapping(protocol string, port int) (netip.AddrPort, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return netip.AddrPortFrom(r.outside, uint16(port)), r.ports[port] && r.outside.IsValid()
}

func (r *aRouter) RemoveMapping(_ context.Context, _ string, port int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.ports, port)
	return nil
}

func (r *aRouter) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	return nil
}

func (r *aRouter) set(outside string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.outside, _ = netip.ParseAddr(outside)
}

// TestMapPort: the router's word is announced and tried by others like the owner's; a
// router behind another, one that is gone, and none, are told once.
func TestMapPort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log, other journal
		router := &aRouter{ports: map[int]bool{}}
		m := p2ptest.Virtual(t, 4, wan, func(i int, cfg *p2p.RelayConfig) {
			switch i {
			case 0:
				cfg.MapPort, cfg.Logger = true, log.logger()
				cfg.FindRouter = func(context.Context) (relay.Router, error) { return router, nil }
			case 1:
				cfg.MapPort, cfg.Logger = true, other.logger()
				cfg.FindRouter = func(context.Context) (relay.Router, error) { return nil, errors.New("none") }
			}
		})
		defer m.Stop()
		m.Settle(4)
		r := m.Relays[0]
		time.Sleep(time.Minute)
		if log.count("forwards no port") != 1 || other.count("no router here") != 1 {
			t.Errorf("without a port: %s%s", &log.b, &other.b)
		}

		router.set("192.168.7.7")
		time.Sleep(time.Minute)
		if log.count("its own address is private") != 1 {
			t.Errorf("behind another router: %s", &log.b)
		}
		router.set("20.7.7.7")
		p2ptest.Eventually(t, "it is announced", func() bool { return strings.HasPrefix(r.Addrs()[0], "/ip4/20.7.7.7/tcp/") })
		plain := strings.Contains(r.Status().Addrs[0], book.PlainName)
		if strings.Contains(r.Addrs()[0], book.PlainName) != plain {
			t.Errorf("it listens at %s and announces %s", r.Status().Addrs[0], r.Addrs()[0])
		}
		p2ptest.Eventually(t, "and tried", func() bool { s := r.Status(); return len(s.Unreached) == 1 && s.Listed })
		router.set("")
		p2ptest.Eventually(t, "it is announced no more", func() bool { return !strings.HasPrefix(r.Addrs()[0], "/ip4/20.7.7.7/") })
		m.Relays[0].Stop()
		router.mu.Lock()
		defer router.mu.Unlock()
		if len(router.ports) > 0 || !router.closed {
			t.Errorf("the router still forwards %v", router.ports)
		}
	})
}

// TestTune: limits hold at once and are shown; those that cannot be are refused whole.
func TestTune(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log journal
		m := p2ptest.Virtual(t, 4, wan, func(i int, cfg *p2p.RelayConfig) {
			cfg.Logger, cfg.MaxClients, cfg.Bandwidth = log.logger(), 3, 1<<20
		})
		defer m.Stop()
		m.Settle(4)
		r := m.Relays[0]
		s := r.Status()
		if s.ClientPlaces != 3 || s.Bandwidth != 1<<20 || s.Capacity >= 1000 || s.Capacity < 300 || s.BoxPlaces != mailbox.DefaultMaxBoxes {
			t.Errorf("%+v", s)
		}
		before := r.Tune(t.Context(), relay.Tuning{Announce: []string{"nonsense"}, MaxClients: 9})
		if before == nil || r.Status().ClientPlaces != 3 {
			t.Errorf("%v, and %d places", before, r.Status().ClientPlaces)
		}
		if err := r.Tune(t.Context(), relay.Tuning{MaxClients: 1 << 20, MaxBoxes: 7}); err != nil {
			t.Fatal(err)
		}
		if s := r.Status(); s.ClientPlaces <= 3 || s.ClientPlaces >= 1<<20 || s.BoxPlaces != 7 || s.Bandwidth != 0 || !log.has("fewer clients than asked for") {
			t.Errorf("%+v", s)
		}
		p2ptest.Eventually(t, "others are told", func() bool { return r.Status().Capacity == 2000 })
	})
}

// TestBandwidth: a relay with a limit carries so much and no more, and what waits is not
// lost.
func TestBandwidth(t *testing.T) {
	if _, err := p2p.NewRelay(p2p.RelayConfig{StateDir: t.TempDir(), Listen: []string{"/ip4/127.0.0.1/tcp/0"}, AllowPrivate: true, Files: 100}); err == nil || !strings.Contains(err.Error(), "100 files") {
		t.Errorf("with 100 files: %v", err)
	}
	synctest.Test(t, func(t *testing.T) {
		const limit = relay.FewestBandwidth
		m := p2ptest.Virtual(t, 8, wan, func(i int, cfg *p2p.RelayConfig) { cfg.Bandwidth = limit })
		defer m.Stop()
		m.Settle(8)
		c := m.Client(nil)
		defer c.Stop()
		p2ptest.Eventually(t, "a client is ready", func() bool { return c.Status().Ready })

		in, out := m.Relays[0].Status().BytesIn, m.Relays[0].Status().BytesOut
		const minutes = 10
		time.Sleep(minutes * time.Minute)
		s := m.Relays[0].Status()
		for _, n := range []int64{s.BytesIn - in, s.BytesOut - out} {
			if n > minutes*60*limit+2*limit {
				t.Errorf("%d bytes in %d minutes", n, minutes)
			}
		}
		if s.CarriedIn < s.BytesIn || s.CarriedOut < s.BytesOut {
			t.Errorf("carried %d and %d, frames %d and %d", s.CarriedIn, s.CarriedOut, s.BytesIn, s.BytesOut)
		}
	})
}

// TestBootstrapIsTold: relays to start from that are not there, or are others, are told
// once each, and those that are there are not.
func TestBootstrapIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log journal
		const wrong = "12D3KooWQjTEuAxgEwsPgmqDnTBfKyHpPWLbhsQ3g4i7SwaseQgD"
		const gone = "12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA"
		m := p2ptest.Virtual(t, 4, wan, func(i int, cfg *p2p.RelayConfig) {
			if i == 3 {
				cfg.Logger = log.logger()
				first := fmt.Sprintf("/ip4/%s/tcp/%d/p2p/", virtualtime.Address(0), virtualtime.Port)
				cfg.Bootstrap = append(slices.Clone(cfg.Bootstrap), first+wrong, "/ip4/20.9.9.9/tcp/4001/p2p/"+gone)
			}
		})
		defer m.Stop()
		m.Settle(4)
		time.Sleep(5 * time.Hour)
		if log.count("of no use: another node answers") != 1 || log.count("of no use: nobody answers") != 1 || log.count("of no use") != 2 {
			t.Errorf("told: %s", &log.b)
		}
	})
}

// TestLogsNameNobody: with clients that come, send, flood and leave, no line of any relay
// has the id or the address of one, at the level that owners see.
func TestLogsNameNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log journal
		const relays, clients = 12, 5
		m := p2ptest.Virtual(t, relays, wan, func(i int, cfg *p2p.RelayConfig) {
			if cfg.Logger = log.logger(); i > 0 { // the first is all that a newcomer knows
				cfg.MaxClients = 3
			}
		})
		defer m.Stop()
		m.Settle(relays)
		var names []string
		for range clients {
			c := m.Client(nil)
			defer c.Stop()
			names = append(names, c.Status().PeerID, virtualtime.Address(c.Node).String())
			p2ptest.Eventually(t, "a client is ready", func() bool { return c.Status().Ready })
			var tag p2p.Tag
			rand.Read(tag[:])
			p2ptest.Eventually(t, "a box is put where its guards are not", func() bool {
				return slices.ContainsFunc(m.Relays, func(r *p2ptest.Relay) bool {
					return c.Put(t.Context(), r.ID(), tag, make([]byte, p2p.BoxSize)) == nil
				})
			})
		}
		// One of them floods with what is no frame.
		h, _ := stranger(t, m, 950)
		defer h.Close()
		names = append(names, h.ID().String(), virtualtime.Address(950).String())
		for range 30 {
			if s, err := h.NewStream(network.WithNoDial(t.Context(), "test"), m.Relays[0].ID().Peer(), wire.FrameProtocol); err == nil {
				s.Write(make([]byte, 5000))
				s.Close()
			}
		}
		time.Sleep(10 * time.Minute)
		for _, name := range names {
			if len(name) < 7 || log.has(name) {
				t.Errorf("a log has %s: %s", name, &log.b)
			}
		}
	})
}
