package server

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
	"golang.org/x/sync/errgroup"
	"golang.org/x/time/rate"

	"starling/p2p/book"
	"starling/p2p/bridge"
	"starling/p2p/directory"
	"starling/p2p/host"
	"starling/p2p/limits"
	"starling/p2p/relay"
	"starling/p2p/wire"
)

// way is where clients reach the bridge: an address, with a host name or without, or an onion
// service.
type way struct {
	address book.Address
	host    string
	onion   bridge.Onion
}

// parseAnnounce reads the owner's words about that.
func parseAnnounce(all []string, private bool) (ways []way, err error) {
	for _, s := range all {
		m, err := multiaddr.NewMultiaddr(s)
		if err != nil {
			return nil, relay.NoAddress(s)
		}
		if text, err := m.ValueForProtocol(multiaddr.P_ONION3); err == nil {
			o, err := bridge.ParseOnion(onionName(text))
			if err != nil {
				return nil, &relay.MistakeError{Mistake: fmt.Sprintf("the announced address %q is not that of an onion service", s), Remedy: "it looks like /onion3/NAME:443, with the 56 letters of the name before .onion"}
			}
			ways = append(ways, way{onion: o})
			continue
		}
		all, err := directory.AddressesOf(m)
		switch {
		case err != nil || all[0].Transport != directory.Web:
			return nil, relay.NoAddress(s)
		case !private && !all[0].Public():
			return nil, relay.PrivateAddress(s)
		}
		ways = append(ways, way{address: all[0].Book(), host: directory.HostAt(all, all[0].AddrPort)})
	}
	return ways, nil
}

// CheckAnnounced returns why others would not reach a bridge at an address.
func CheckAnnounced(s string, private bool) error {
	_, err := parseAnnounce([]string{s}, private)
	return err
}

// onionName turns NAME:PORT into NAME.onion:PORT.
func onionName(text string) string {
	const letters = 56
	if len(text) < letters {
		return text
	}
	return text[:letters] + ".onion" + text[letters:]
}

// outside returns the ways that its owner and the router say.
func (b *Bridge) outside() []way {
	b.pipes.mu.Lock()
	defer b.pipes.mu.Unlock()
	return slices.Concat(b.announced, b.mapped)
}

// routerTime is how long a router may take to open a port before the link is told without it.
const routerTime = 20 * time.Second

// mapPorts asks the router for ports as long as the bridge runs, and waits for its first
// answer.
func (b *Bridge) mapPorts(ctx context.Context, g *errgroup.Group) {
	answered := make(chan struct{})
	once := sync.OnceFunc(func() { close(answered) })

	mapping := relay.Mapping{
		Find: b.cfg.FindRouter, Listening: host.Listening(b.host), AllowPrivate: b.cfg.AllowPrivate, Logger: b.log, None: once,
		Tell: func(all []directory.Address) {
			var ways []way
			for _, a := range directory.ForBook(all) {
				if !a.Plain {
					ways = append(ways, way{address: a})
				}
			}
			b.pipes.mu.Lock()
			b.mapped = ways
			b.pipes.mu.Unlock()
			if len(ways) > 0 {
				once()
			}
		},
	}

	g.Go(func() error { return mapping.Run(ctx) })
	select {
	case <-answered:
	case <-time.After(routerTime):
	case <-ctx.Done():
	}
}

// Link returns the link of the bridge, or an error if it has no address that others could
// reach. Of several addresses the first are in it.
func (b *Bridge) Link() (string, error) {
	l := bridge.Link{ID: b.id}
	if b.cfg.Named != nil {
		l.Host = hostName(b.cfg.Named.Site())
	}
	announced := b.outside()
	for _, w := range announced {
		l.Host = cmp.Or(l.Host, hostName(w.host))
		switch {
		case w.onion.Port != 0:
			l.Onions = append(l.Onions, w.onion)
		case !slices.Contains(l.Addresses, w.address) && len(l.Addresses) < book.MaxAddresses:
			l.Addresses = append(l.Addresses, w.address)
		}
	}
	if len(announced) == 0 {
		l.Addresses = b.listening()
	}
	return l.Encode()
}

// hostName returns a name, and nothing for one that nobody would say to a web server.
func hostName(name string) string {
	if !book.HostName(name) {
		return ""
	}
	return name
}

// listening returns the addresses listened on, those first that others can use, and
// always in one order.
func (b *Bridge) listening() []book.Address {
	var all []book.Address
	if b.host == nil {
		return nil
	}
	for _, m := range host.Listening(b.host) {
		a, ok := book.AddressOf(m)
		if ok && !a.Plain && (b.cfg.AllowPrivate || book.Public(a.AddrPort)) {
			all = append(all, a)
		}
	}
	kind := func(a book.Address) int {
		switch {
		case book.Public(a.AddrPort):
			return 0
		case !a.Addr().IsLoopback():
			return 1
		}
		return 2
	}
	// The order of listeners changes by chance, and the link is not to.
	slices.SortFunc(all, func(a, b book.Address) int { return cmp.Or(kind(a)-kind(b), a.Compare(b.AddrPort)) })
	return all[:min(len(all), book.MaxAddresses)]
}

// Addrs returns where it listens, or is announced, ending in /p2p/ and the peer id.
func (b *Bridge) Addrs() (all []string) {
	select {
	case <-b.ready:
	default:
		return nil
	}
	announced := b.outside()
	for _, w := range announced {
		if w.address.IsValid() {
			all = append(all, book.Multiaddr(w.address).String()+"/p2p/"+b.id.String())
		}
	}
	for _, m := range host.Listening(b.host) {
		if s := m.String() + "/p2p/" + b.id.String(); !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
}

// own returns the addresses that lead to this bridge: no pipe leads there.
func (b *Bridge) own() (all []book.Address) {
	if b.host == nil {
		return nil
	}
	for _, m := range host.Listening(b.host) {
		if a, ok := book.AddressOf(m); ok {
			all = append(all, a)
		}
	}
	for _, w := range b.outside() {
		if w.address.IsValid() {
			all = append(all, w.address)
		}
	}
	return all
}

// network returns the network that a client comes from; none where networks do not count.
func (b *Bridge) network(id wire.NodeID) netip.Prefix {
	if b.cfg.AllowPrivate {
		return netip.Prefix{}
	}
	for _, c := range b.host.Network().ConnsToPeer(id.Peer()) {
		if p := networkOf(c); p.IsValid() {
			return p
		}
	}
	return netip.Prefix{}
}

// origin returns the network of a connection, zero where networks have no share.
func (b *Bridge) origin(c network.Conn) netip.Prefix {
	if b.cfg.AllowPrivate {
		return netip.Prefix{}
	}
	return networkOf(c)
}

func networkOf(c network.Conn) netip.Prefix {
	ip, err := manet.ToIP(c.RemoteMultiaddr())
	if err != nil {
		return netip.Prefix{}
	}
	a, _ := netip.AddrFromSlice(ip)
	return limits.Network(a.Unmap())
}

// rate is how many frames a second of a client are read: it asks for lists.
func (*Bridge) rate(wire.NodeID) (rate.Limit, int) { return limits.ClientRate, limits.ClientBurst }
