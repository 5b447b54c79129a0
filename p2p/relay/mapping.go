package relay

import (
	"context"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"starling/p2p/book"
	"starling/p2p/directory"
	"starling/p2p/pace"
)

// A Router forwards ports, and is asked anew for them until it is closed. libp2p has one
// for UPnP.
type Router interface {
	AddMapping(ctx context.Context, protocol string, port int) error
	GetMapping(protocol string, port int) (outside netip.AddrPort, ok bool)
	RemoveMapping(ctx context.Context, protocol string, port int) error
	Close() error
}

const (
	mapFind = 15 * time.Second
	// After no router was found it is looked for again, at first soon: it may be starting.
	mapSoon, mapAgain = 30 * time.Second, 10 * time.Minute
	mapLook           = 15 * time.Second
	mapLeave          = 2 * time.Second
)

// A Mapping has a router forward the ports of a relay or bridge, and tells where they are
// outside by the router's word.
type Mapping struct {
	// Find finds the router; nil is by UPnP and NAT-PMP on the local network.
	Find         func(context.Context) (Router, error)
	Listening    []multiaddr.Multiaddr
	AllowPrivate bool // addresses outside may be private
	Logger       *slog.Logger
	// Tell is told the addresses outside, of each time that they are others.
	Tell func([]directory.Address)
	// None, if set, is called when no router was found.
	None func()
}

// Run does so until ctx ends.
func (r Mapping) Run(ctx context.Context) error {
	find := r.Find
	if find == nil {
		find = findRouter
	}

	// Once: a relay listens on the same ports for as long as it runs.
	ports := mappable(r.Listening)

	told := false
	for wait := mapSoon; ; wait = min(2*wait, mapAgain) {
		finding, cancel := context.WithTimeout(ctx, mapFind)
		router, err := find(finding)
		cancel()
		switch {
		case ctx.Err() != nil:
		// The owner is told once, and not every few minutes.
		case err != nil && told:
		case err != nil:
			told = true
			if r.None != nil {
				r.None()
			}
			r.Logger.Warn("no router here opens a port by UPnP or NAT-PMP; forward the port on it by hand, and give its address with --announce", "err", err)
		default:
			r.useRouter(ctx, router, ports)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pace.Jitter(wait)):
		}
	}
}

// useRouter asks one router, and follows its word until ctx ends.
func (r Mapping) useRouter(ctx context.Context, router Router, ports map[int]directory.Transport) {
	for port := range ports {
		if err := router.AddMapping(ctx, "tcp", port); err != nil {
			r.Logger.Warn("the router does not forward a port", "port", port, "err", err)
		}
	}

	// The port is given back, or the router would lead strangers to the next program on it.
	defer func() {
		leaving, cancel := context.WithTimeout(context.Background(), mapLeave)
		defer cancel()
		for port := range ports {
			router.RemoveMapping(leaving, "tcp", port)
		}
		router.Close()
	}()

	first, before := true, []directory.Address(nil)
	for {
		var outside []directory.Address
		for _, port := range slices.Sorted(maps.Keys(ports)) {
			if at, ok := router.GetMapping("tcp", port); ok {
				outside = append(outside, directory.Address{AddrPort: netip.AddrPortFrom(at.Addr().Unmap(), at.Port()), Transport: ports[port]})
			}
		}

		// Told in any case at first: without an address the relay goes on without the router.
		if !slices.Equal(outside, before) || first {
			r.Tell(r.mapped(outside))
		}
		first, before = false, outside
		select {
		case <-ctx.Done():
			return
		case <-time.After(mapLook):
		}
	}
}

// mapped returns the addresses outside that others can dial, and tells the owner.
func (r Mapping) mapped(outside []directory.Address) (all []directory.Address) {
	if len(outside) == 0 {
		r.Logger.Warn("the router forwards no port; forward it by hand, and give the router's address with --announce")
	}
	for _, a := range outside {
		switch {
		case !book.RelayPort(a.Port()):
			r.Logger.Warn("the router forwards a port at which nobody dials relays", "port", a.Port())
		case !r.AllowPrivate && !a.Public():
			r.Logger.Warn("the router forwards a port, and its own address is private: another router stands before it, and that one has to forward the port, too", "address", a.Multiaddr().String())
		default:
			r.Logger.Info("the router forwards the port", "address", a.Multiaddr().String())
			all = append(all, a)
		}
	}
	return all
}

// mappable returns the ports that a router could forward to, and what is spoken there.
func mappable(listening []multiaddr.Multiaddr) map[int]directory.Transport {
	ports := map[int]directory.Transport{}
	for _, m := range listening {
		a, ok := book.AddressOf(m)
		if !ok || a.Port() == 0 || manet.IsIPLoopback(m) {
			continue
		}
		ports[int(a.Port())] = directory.FromBook(a).Transport
	}
	return ports
}
