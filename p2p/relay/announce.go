package relay

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"starling/p2p/book"
	"starling/p2p/directory"
	"starling/p2p/host"
	"starling/p2p/wire"
)

// announced are the addresses at which others reach this relay by the owner's word, and
// by that of a router that forwards a port because the owner said so.
type announced struct {
	mu     sync.Mutex
	said   []directory.Address
	mapped []directory.Address
}

// say sets the owner's, and mapping the router's.
func (a *announced) say(addrs []directory.Address) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.said = addrs
}

func (a *announced) mapping(addrs []directory.Address) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.mapped = addrs
}

// all returns each once.
func (a *announced) all() (all []directory.Address) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, at := range append(slices.Clone(a.said), a.mapped...) {
		if !slices.Contains(all, at) {
			all = append(all, at)
		}
	}
	return all
}

// addresses puts addresses in the order of their use to others: announced, public, of the
// local network, of this machine. Where private ones are not admitted they are left out,
// unless there is nothing else.
func addresses(announced []directory.Address, listening []multiaddr.Multiaddr, private bool) (all []multiaddr.Multiaddr) {
	const kinds = 3
	var by [kinds][]multiaddr.Multiaddr

	for _, a := range announced {
		by[0] = append(by[0], a.Multiaddr())
	}
	for _, m := range listening {
		kind := 1
		switch {
		case manet.IsPublicAddr(m):
			kind = 0
		case manet.IsIPLoopback(m):
			kind = 2
		}
		by[kind] = append(by[kind], m)
	}

	for kind, addrs := range by {
		// Private ones are told only to an owner with nothing else to give away.
		if kind > 0 && !private && len(all) > 0 {
			break
		}
		for _, m := range addrs {
			if !slices.ContainsFunc(all, m.Equal) {
				all = append(all, m)
			}
		}
	}
	return all
}

// Addrs returns the addresses that others may be given, each once and ending in /p2p/ and
// the peer id, the useful ones first: those announced, then those listened on. It is
// empty before Ready.
func (r *Relay) Addrs() []string {
	select {
	case <-r.ready:
	default:
		return nil
	}
	return r.named(addresses(r.announced.all(), host.Listening(r.host), r.cfg.AllowPrivate))
}

// named adds the host name, where the owner has said one, and our peer id.
func (r *Relay) named(addrs []multiaddr.Multiaddr) (all []string) {
	said := r.announced.all()
	for _, m := range addrs {
		text := m.String()
		if at, ok := book.AddrPort(m); ok {
			if name := directory.HostAt(said, at); name != "" {
				text += "/sni/" + name
			}
		}
		all = append(all, text+"/p2p/"+r.id.String())
	}
	return all
}

// A MistakeError is a mistake in what the owner asks for.
type MistakeError struct {
	Mistake string
	Remedy  string
}

// Error implements error.
func (e *MistakeError) Error() string { return e.Mistake }

const (
	formRemedy    = "it looks like /ip4/192.0.2.1/tcp/4001, or with the host name of a web server there like /ip4/192.0.2.1/tcp/443/sni/example.org"
	privateRemedy = "give the address that your router has outside; for a mesh of your own add --allow-private"
)

// NoAddress is the mistake of an announced address that is none of a relay.
func NoAddress(s string) error {
	return &MistakeError{fmt.Sprintf("the announced address %q is none of a relay", s), formRemedy}
}

// PrivateAddress is the mistake of an announced address that nobody outside reaches.
func PrivateAddress(s string) error {
	return &MistakeError{fmt.Sprintf("the announced address %q is a private address, or of another kind that nobody reaches from outside", s), privateRemedy}
}

// CheckAnnounced returns why others would not reach a relay at an address.
func CheckAnnounced(s string, private bool) error {
	said, err := parseAnnounce([]string{s}, private)
	if err != nil {
		return err
	}
	return checkPorts(said, nil)
}

// CheckBootstrap returns why nobody can start from an address.
func CheckBootstrap(s string) error {
	_, err := directory.ParseBootstrap(s)
	return err
}

// parseAnnounce reads the addresses at which the owner says the relay is reached.
func parseAnnounce(all []string, private bool) (addrs []directory.Address, err error) {
	var names []directory.Address // behind those that are dialled
	for _, s := range all {
		m, err := multiaddr.NewMultiaddr(s)
		if err != nil {
			return nil, NoAddress(s)
		}
		some, err := directory.AddressesOf(m)
		if err != nil {
			return nil, NoAddress(s)
		}
		if !private && !some[0].Public() {
			return nil, PrivateAddress(s)
		}
		addrs, names = append(addrs, some[0]), append(names, some[1:]...)
	}
	return append(addrs, names...), nil
}

// checkPorts refuses addresses that others will not dial because of their port: those
// announced, or those listened on if none is.
func checkPorts(announced []directory.Address, listen []string) error {
	bad := func(a string) error {
		return &MistakeError{fmt.Sprintf("nobody dials the address %s: relays have ports 80, 443 and from 1024 on", a), "choose another port"}
	}
	for _, a := range announced {
		if !book.RelayPort(a.Port()) {
			return bad(a.String())
		}
	}
	for _, s := range listen {
		m, err := multiaddr.NewMultiaddr(s)
		if err != nil || len(announced) > 0 {
			continue // host names the fault, or nobody needs to know
		}
		if port, err := m.ValueForProtocol(multiaddr.P_TCP); err == nil {
			if n, err := strconv.ParseUint(port, 10, 16); err == nil && n != 0 && !book.RelayPort(uint16(n)) {
				return bad(s)
			}
		}
	}
	return nil
}

// parseFamily reads the other relays of the same owner.
func parseFamily(all []string) (family []directory.Prefix, err error) {
	for _, s := range all {
		id, err := wire.ParseNodeID(s)
		if err != nil {
			return nil, &MistakeError{fmt.Sprintf("the relay %q of the family is no peer id", s), "starling relay status shows the peer id of each of your other relays"}
		}
		family = append(family, directory.PrefixOf(id))
	}
	if len(family) > directory.MaxFamily {
		return nil, &MistakeError{fmt.Sprintf("a family of %d other relays is too large", len(family)), fmt.Sprintf("name %d of them at most", directory.MaxFamily)}
	}
	return family, nil
}

// claims returns the addresses of the relay by its owner's word: those announced,
// then those listened on. Addresses that others report are not among them: a
// stranger could make this relay sign an address.
//
// An address at which examiners have looked and found nobody is left out for a while.
func (r *Relay) claims() []directory.Address {
	now := time.Now()
	return slices.DeleteFunc(r.allClaims(), func(a directory.Address) bool { return r.lobby.applicant.Unreached(a, now) })
}

func (r *Relay) allClaims() []directory.Address {
	all := claimed(r.announced.all(), host.Listening(r.host), r.cfg.AllowPrivate, r.cfg.LAN)
	if r.cfg.Named != nil && r.cfg.Named.Site() != "" {
		all = directory.WithHost(all, r.cfg.Named.Site())
	}
	return all[:min(len(all), directory.MaxAddresses)]
}

func claimed(announced []directory.Address, listening []multiaddr.Multiaddr, private, lan bool) []directory.Address {
	addrs := slices.Clone(announced)
	for _, m := range listening {
		a, err := directory.AddressOf(m)
		// Loopback leads nowhere from another machine, and an owner who announces
		// something says where this one is reached.
		pointless := a.Addr().IsLoopback() && (lan || len(announced) > 0)
		if err != nil || !private && !a.Public() || pointless || slices.Contains(addrs, a) {
			continue
		}
		addrs = append(addrs, a)
	}
	slices.SortStableFunc(addrs, func(a, b directory.Address) int { return cmp.Compare(min(len(a.Host), 1), min(len(b.Host), 1)) })
	return addrs[:min(len(addrs), directory.MaxAddresses)]
}
