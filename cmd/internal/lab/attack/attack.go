// Package attack holds the attacks of hostile machines in the scenarios of the lab, by
// name. A stranger can do each of them with a program of their own and no money. They
// break every rule that nobody enforces: identities are new at any time, timers are
// ignored, frames hold any bytes.
//
//	idle         connections that do nothing, each of a new identity
//	halfopen     TCP connections without a handshake
//	streams      one connection, streams of one byte each
//	slow         frames at a byte a second
//	lists        requests for the whole list of relays
//	descriptors  relays that do not exist, told by gossip
//	dht          questions to the DHT, and records in it
//	pointer      addresses of third parties, in all that a relay might dial by
//	delays       packets that wait as long as they may at every hop
//	fresh        the same as fast as links take them: each is to be remembered
//	nowhere      packets for nodes that do not exist
//	boxes        boxes in mailboxes, that nobody asks for
//	leases       subscriptions at mailboxes, that nothing comes to
//
// An attack ends with its context. It counts its packets and its connections, because
// an attack that does nothing shows nothing; its effect shows in the fate of honest
// messages. Its draws follow from the scenario's seed.
package attack

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"starling/p2p/book"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/muxer/yamux"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/multiformats/go-multiaddr"
	"golang.org/x/time/rate"

	"starling/node/testnet/engine"
)

// An attack counts its deeds.
type attack struct {
	counts string
	run    func(ctx context.Context, m *machine) error // until ctx ends
}

// attacks are all there are, by name.
var attacks = map[string]attack{
	"idle":        {"connections held at a time", idle},
	"halfopen":    {"connections opened", halfOpen},
	"streams":     {"streams opened", streams},
	"slow":        {"bytes written", slow},
	"lists":       {"requests sent", lists},
	"descriptors": {"descriptors told", descriptors},
	"dht":         {"requests sent", askDHT},
	"pointer":     {"lies told", pointer},
	"delays":      {"packets sent", packets(27, held)},
	"fresh":       {"packets sent", packets(1000, held)},
	"nowhere":     {"packets sent", packets(27, nowhere)},
	"boxes":       {"packets sent", packets(27, stored)},
	"leases":      {"packets sent", packets(27, leased)},
}

// Names returns the names of all attacks.
func Names() []string { return slices.Sorted(maps.Keys(attacks)) }

// Check returns why there is no attack of a name.
func Check(name string) error {
	if attacks[name].run == nil {
		return fmt.Errorf("there is no attack %q; there are %s", name, strings.Join(Names(), ", "))
	}
	return nil
}

// Run attacks until ctx ends, and returns the deed.
func Run(ctx context.Context, s engine.Stranger) (engine.Deed, error) {
	if err := Check(s.Do); err != nil {
		return engine.Deed{}, err
	}
	m := &machine{Stranger: s}
	for _, a := range s.Relays {
		info, err := peer.AddrInfoFromString(a)
		if err != nil {
			return engine.Deed{}, fmt.Errorf("relay %q: %w", a, err)
		}
		for i, at := range info.Addrs { // libp2p as it comes speaks plain TCP
			info.Addrs[i] = at.Decapsulate(multiaddr.StringCast("/" + book.PlainName))
		}
		m.relays = append(m.relays, *info)
	}
	if len(m.relays) == 0 {
		return engine.Deed{}, errors.New("there is no relay to attack")
	}
	defer m.close()
	a := attacks[s.Do]
	err := a.run(ctx, m)
	return engine.Deed{Count: m.done.most(), What: a.counts}, err
}

// A machine is where an attack comes from.
type machine struct {
	engine.Stranger
	relays []peer.AddrInfo
	done   tally

	mu    sync.Mutex
	hosts []host.Host
}

// A tally counts the deeds of an attack, and those undone since.
type tally struct{ now, peak atomic.Int64 }

// add counts one more.
func (t *tally) add() {
	n := t.now.Add(1)
	for {
		peak := t.peak.Load()
		if n <= peak || t.peak.CompareAndSwap(peak, n) {
			return
		}
	}
}

// lost counts one that is no longer held.
func (t *tally) lost() { t.now.Add(-1) }

// most returns how many there were at a time.
func (t *tally) most() int64 { return t.peak.Load() }

// host makes a libp2p host with a new identity, which has no limits. Options
// are the last word.
func (m *machine) host(options ...libp2p.Option) (host.Host, error) {
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		return nil, err
	}
	all := []libp2p.Option{
		libp2p.Identity(key),
		libp2p.NoListenAddrs,
		libp2p.Transport(tcp.NewTCPTransport),
		libp2p.Security(noise.ID, noise.New),
		libp2p.Muxer(yamux.ID, yamux.DefaultTransport),
		libp2p.ResourceManager(&network.NullResourceManager{}),
		libp2p.DisableRelay(),
		libp2p.DisableMetrics(),
	}
	h, err := libp2p.New(append(append(all, m.Options...), options...)...)
	if err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hosts = append(m.hosts, h)
	return h, nil
}

// hostAt makes a host that tells everybody that it listens at some addresses.
func (m *machine) hostAt(at []multiaddr.Multiaddr) (host.Host, error) {
	return m.host(libp2p.AddrsFactory(func([]multiaddr.Multiaddr) []multiaddr.Multiaddr { return at }))
}

// leave closes a host that is done.
func (m *machine) leave(h host.Host) {
	m.mu.Lock()
	m.hosts = slices.DeleteFunc(m.hosts, func(other host.Host) bool { return other == h })
	m.mu.Unlock()
	h.Close()
}

func (m *machine) close() {
	m.mu.Lock()
	defer m.mu.Unlock()
	var closing sync.WaitGroup
	for _, h := range m.hosts {
		closing.Go(func() { h.Close() })
	}
	closing.Wait()
}

// paced calls do as often as the scenario says, at most as often as is said here,
// until ctx ends. Errors of do count for nothing: an attacker tries again.
func (m *machine) paced(ctx context.Context, most float64, do func(i int)) error {
	every := most
	if m.Rate > 0 {
		every = m.Rate
	}
	limit := rate.NewLimiter(rate.Limit(every), 1)
	for i := 0; limit.Wait(ctx) == nil; i++ {
		do(i)
	}
	return nil
}

// crowd is paced without waiting for one to be done before the next: dials one after
// the other are as slow as the way to the relay is long, and no flood.
func (m *machine) crowd(ctx context.Context, most float64, do func(i int)) error {
	var all sync.WaitGroup
	defer all.Wait()
	return m.paced(ctx, most, func(i int) { all.Go(func() { do(i) }) })
}

// each runs an attack on every relay side by side.
func (m *machine) each(ctx context.Context, do func(ctx context.Context, relay peer.AddrInfo) error) error {
	var all sync.WaitGroup
	errs := make([]error, len(m.relays))
	for i, r := range m.relays {
		all.Go(func() { errs[i] = do(ctx, r) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// dial opens a TCP connection without libp2p.
func (m *machine) dial(ctx context.Context, a multiaddr.Multiaddr) (net.Conn, error) {
	ip, err := a.ValueForProtocol(multiaddr.P_IP4)
	if err != nil {
		return nil, err
	}
	port, err := a.ValueForProtocol(multiaddr.P_TCP)
	if err != nil {
		return nil, err
	}
	dial := m.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	return dial(ctx, "tcp4", net.JoinHostPort(ip, port))
}

// patience bounds one step of an attack.
const patience = 10 * time.Second

// within calls do with a context that ends in time.
func within(ctx context.Context, do func(context.Context)) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	do(ctx)
}
