package p2p_test

import (
	"crypto/rand"
	"fmt"
	mrand "math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"

	"starling/p2p"
	"starling/p2p/directory"
	"starling/p2p/guard"
	"starling/p2p/host"
	"starling/p2p/link"
	"starling/p2p/outfox"
	"starling/p2p/p2ptest"
	"starling/p2p/recall"
	"starling/p2p/virtualtime"
	"starling/p2p/wire"
)

// A liar is a relay that lies to askers in any way.
type liar struct {
	host  host.Host
	links *link.Links
	key   crypto.PrivKey
	id    wire.NodeID
	node  int
	dir   *directory.Directory // what it lists
	busy  sync.WaitGroup
	heard atomic.Int64 // frames: who hears nothing cannot lie
}

// sign makes a descriptor that is in order, of a relay that need not be.
func sign(t *testing.T, key crypto.PrivKey, node int) []byte {
	t.Helper()
	id, err := wire.NodeIDFromKey(key.GetPublic())
	if err != nil {
		t.Fatal(err)
	}
	ip, _ := netip.AddrFromSlice(virtualtime.Address(node))
	now := time.Now().Truncate(time.Second)
	d := directory.Descriptor{
		ID: id, Sequence: uint64(now.UnixMilli()), Issued: now, Expires: now.Add(24 * time.Hour), Capacity: 1000,
		Epoch: directory.FirstEpoch(now), Features: directory.FeatureMailbox,
		Addresses: []directory.Address{{AddrPort: netip.AddrPortFrom(ip, virtualtime.Port)}},
	}
	for i := range d.Keys {
		k, err := outfox.NewPrivateKey()
		if err != nil {
			t.Fatal(err)
		}
		d.Keys[i] = k.Public()
	}
	if err := d.Promise(key); err != nil {
		t.Fatal(err)
	}
	raw, err := d.Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func newKey(t *testing.T) crypto.PrivKey {
	t.Helper()
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// fakes fills a directory with relays that are not there, each of a node from the
// given one on.
func fakes(t *testing.T, n, node int) *directory.Directory {
	t.Helper()
	dir := directory.New(directory.Config{})
	for i := range n {
		if err := dir.Add(sign(t, newKey(t), node+i)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// newLiar starts a liar on a node of the mesh. handle gets its frames; nil is
// silence. A liar without links refuses the stream.
func newLiar(t *testing.T, m *p2ptest.Net, node int, refuse bool, handle func(*liar, wire.NodeID, *wire.Frame)) *liar {
	t.Helper()
	l := &liar{key: newKey(t), node: node}
	l.id, _ = wire.NodeIDFromKey(l.key.GetPublic())
	var err error
	l.host, err = host.NewRelay(host.Config{
		Key: l.key, Listen: []string{fmt.Sprintf("/ip4/%s/tcp/%d", virtualtime.Address(node), virtualtime.Port)}, Options: m.Options(node),
	})
	if err != nil {
		t.Fatal(err)
	}
	if refuse {
		return l
	}
	l.links = link.New(link.Config{Host: l.host, Role: wire.RoleRelay, Handle: func(from wire.NodeID, f *wire.Frame) {
		l.heard.Add(1)
		if handle != nil {
			handle(l, from, f)
		}
	}})
	l.links.Accept()
	return l
}

func (l *liar) close() {
	if l.links != nil {
		l.links.Close()
	}
	l.host.Close()
	l.busy.Wait()
}

func (l *liar) address() string {
	return fmt.Sprintf("/ip4/%s/tcp/%d/p2p/%s", virtualtime.Address(l.node), virtualtime.Port, l.id)
}

func (l *liar) send(to wire.NodeID, p *directory.Page) bool {
	f, err := wire.NewFrame(wire.TypeListPage, p.Append(nil))
	return err == nil && l.links.Send(to, f) == nil
}

// answers hands out a directory.
func answers(l *liar, from wire.NodeID, f *wire.Frame) {
	if f.Type() != wire.TypeListRequest {
		return
	}
	if r, err := directory.ParseRequest(f.Body()); err == nil {
		l.dir.Answer(r, func(p *directory.Page) bool { return l.send(from, p) })
	}
}

// drips sends an empty page each second, for ever.
func drips(l *liar, from wire.NodeID, f *wire.Frame) {
	r, err := directory.ParseRequest(f.Body())
	if f.Type() != wire.TypeListRequest || err != nil {
		return
	}
	l.busy.Go(func() {
		for l.send(from, &directory.Page{Nonce: r.Nonce, Time: time.Now(), State: directory.PageFollows}) {
			time.Sleep(time.Second)
		}
	})
}

// liars are the ways to lie to a newcomer.
var liars = map[string]func(t *testing.T, m *p2ptest.Net, node int) *liar{
	"is silent": func(t *testing.T, m *p2ptest.Net, node int) *liar { return newLiar(t, m, node, false, nil) },
	"refuses the stream": func(t *testing.T, m *p2ptest.Net, node int) *liar {
		return newLiar(t, m, node, true, nil)
	},
	"takes the stream and is silent": func(t *testing.T, m *p2ptest.Net, node int) *liar {
		l := newLiar(t, m, node, true, nil)
		l.host.SetStreamHandler(wire.FrameProtocol, func(network.Stream) {})
		return l
	},
	"drips": func(t *testing.T, m *p2ptest.Net, node int) *liar { return newLiar(t, m, node, false, drips) },
	"lists accomplices": func(t *testing.T, m *p2ptest.Net, node int) *liar {
		l := newLiar(t, m, node, false, answers)
		l.dir = fakes(t, 20, 1000)
		l.dir.Add(sign(t, l.key, node))
		return l
	},
	"lists itself among the honest, and many more": func(t *testing.T, m *p2ptest.Net, node int) *liar {
		l := newLiar(t, m, node, false, answers)
		l.dir = fakes(t, 100, 1000)
		l.dir.Add(sign(t, l.key, node))
		for _, raw := range honestList(t, m) {
			l.dir.Add(raw)
		}
		return l
	},
	"lists three honest relays": func(t *testing.T, m *p2ptest.Net, node int) *liar {
		l := newLiar(t, m, node, false, answers)
		l.dir = directory.New(directory.Config{})
		for _, raw := range honestList(t, m)[:3] {
			l.dir.Add(raw)
		}
		return l
	},
	"lists nobody": func(t *testing.T, m *p2ptest.Net, node int) *liar {
		l := newLiar(t, m, node, false, answers)
		l.dir = directory.New(directory.Config{})
		return l
	},
}

// honestList asks the first relay of a mesh for its list, as anybody may.
func honestList(t *testing.T, m *p2ptest.Net) (raws [][]byte) {
	t.Helper()
	var state []byte
	var mu sync.Mutex
	c := m.Client(func(cfg *p2p.ClientConfig) {
		cfg.SaveState = func(b []byte) error { mu.Lock(); defer mu.Unlock(); state = b; return nil }
	})
	p2ptest.Eventually(t, "all relays", func() bool { return c.Status().Relays == len(m.Relays) })
	c.Stop()
	mu.Lock()
	defer mu.Unlock()
	saved, err := recall.Parse(state, guard.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return saved.Descriptors
}

func bootstrap(r *p2ptest.Relay) string {
	return fmt.Sprintf("/ip4/%s/tcp/%d/p2p/%s", virtualtime.Address(r.Node), virtualtime.Port, r.PeerID())
}

// TestOneHostileSource: against any deed of one of the three relays that a newcomer
// asks first, it is ready within 10 s with the list of the other two, and with guards
// of them.
func TestOneHostileSource(t *testing.T) {
	newcomers := 50 / len(liars)
	if testing.Short() {
		newcomers = 1
	}
	for name, start := range liars {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := p2ptest.Virtual(t, 10, wan, nil)
				defer m.Stop()
				m.Settle(10)
				l := start(t, m, 900)
				defer l.close()
				var longest time.Duration
				for range newcomers + 1 {
					way := []string{l.address()}
					for _, i := range mrand.Perm(len(m.Relays))[:2] {
						way = append(way, bootstrap(m.Relays[i]))
					}
					mrand.Shuffle(len(way), func(i, j int) { way[i], way[j] = way[j], way[i] })
					c := m.Client(func(cfg *p2p.ClientConfig) { cfg.Bootstrap = way })
					took := p2ptest.Eventually(t, "ready", func() bool { return c.Status().Ready })
					longest = max(longest, took)
					p2ptest.Eventually(t, "two guards", func() bool { return guardsUp(c.Status()) == 2 })
					time.Sleep(time.Minute)
					s := c.Status()
					if s.Relays != len(m.Relays) || s.OneSource {
						t.Errorf("lists %d relays, by one source alone: %v", s.Relays, s.OneSource)
					}
					if slices.ContainsFunc(s.Guards, func(g p2p.GuardStatus) bool { return m.Find(g.ID) == nil }) {
						t.Errorf("guards %v", s.Guards)
					}
					if n := c.Connections(); n != 2 {
						t.Errorf("%d connections", n)
					}
					c.Stop()
				}
				if l.links != nil && l.heard.Load() == 0 {
					t.Error("nobody has asked the liar")
				}
				t.Logf("ready after %v at most", longest)
				if longest > 10*time.Second {
					t.Errorf("ready after %v", longest)
				}
			})
		})
	}
}

func guardsUp(s p2p.Status) (n int) {
	for _, g := range s.Guards {
		if g.Connected {
			n++
		}
	}
	return n
}

// TestOthersAnswerLater: a newcomer is told of three relays, of which the hostile one
// alone answers, with a list of its own making. It stays connected, and it may be that it
// becomes a guard; the others are asked again all the same, and once they are there the
// newcomer has their list, and is ready by it.
func TestOthersAnswerLater(t *testing.T) {
	for _, listed := range []int{3, 20} {
		t.Run(fmt.Sprintf("a list of %d", listed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := p2ptest.Virtual(t, 10, wan, nil)
				defer m.Stop()
				m.Settle(10)
				l := newLiar(t, m, 900, false, answers)
				defer l.close()
				l.dir = fakes(t, listed-1, 1000)
				l.dir.Add(sign(t, l.key, 900))
				m.Relays[1].Stop()
				m.Relays[2].Stop()
				c := m.Client(func(cfg *p2p.ClientConfig) {
					cfg.Bootstrap = []string{l.address(), bootstrap(m.Relays[1]), bootstrap(m.Relays[2])}
				})
				defer c.Stop()
				time.Sleep(2 * time.Minute)
				if n := c.Status().Relays; n != listed {
					t.Fatalf("lists %d relays", n)
				}
				m.Relays[1].Start()
				m.Relays[2].Start()
				took := p2ptest.Eventually(t, "the list of the others", func() bool { s := c.Status(); return s.Ready && s.Relays == len(m.Relays) && !s.OneSource })
				t.Logf("ready %v after they are there", took)
				p2ptest.Eventually(t, "guards of theirs", func() bool {
					s := c.Status()
					return guardsUp(s) == 2 && !slices.ContainsFunc(s.Guards, func(g p2p.GuardStatus) bool { return m.Find(g.ID) == nil })
				})
			})
		})
	}
}

// TestManySilentSources: sixteen relays that take the connection and no more do
// not keep a client from one that is named later.
func TestManySilentSources(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := p2ptest.Virtual(t, 8, wan, nil)
		defer time.Sleep(2 * time.Second) // who drips finds out that nobody is there
		defer m.Stop()
		m.Settle(8)
		var way []string
		kinds := []string{"is silent", "refuses the stream", "takes the stream and is silent", "drips"}
		for i := range 16 {
			l := liars[kinds[i%4]](t, m, 900+i)
			defer l.close()
			way = append(way, l.address())
		}
		c := m.Client(func(cfg *p2p.ClientConfig) { cfg.Bootstrap = way })
		defer c.Stop()
		time.Sleep(5 * time.Minute)
		if c.Status().Ready {
			t.Error("ready, without one honest relay")
		}
		// Some may be asked just now; none stays connected.
		p2ptest.Eventually(t, "all let go", func() bool { return c.Connections() <= 3 })

		h, err := directory.ParseBootstrap(bootstrap(m.Relays[3]))
		if err != nil {
			t.Fatal(err)
		}
		c.AddBootstrap(h.Append(nil))
		took := p2ptest.Eventually(t, "ready", func() bool { return c.Status().Ready })
		t.Logf("ready %v after an honest relay was named", took)
		if took > 15*time.Second {
			t.Errorf("ready %v after an honest relay was named", took)
		}
	})
}

// TestOneSource: the word of one relay will do, and status says so until another
// has said the same.
func TestOneSource(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := p2ptest.Virtual(t, 8, wan, nil)
		defer m.Stop()
		m.Settle(8)
		c := m.Client(nil)
		defer c.Stop()
		p2ptest.Eventually(t, "the list", func() bool { return c.Status().Relays > 0 })
		if !c.Status().OneSource {
			t.Error("nobody says that it is the word of one")
		}
		p2ptest.Eventually(t, "ready by the word of others", func() bool { s := c.Status(); return s.Ready && !s.OneSource })
	})
}
