package relay

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/multiformats/go-multiaddr"

	"starling/p2p/book"
	"starling/p2p/directory"
	"starling/p2p/host"
	"starling/p2p/wire"
)

// parseAnnounce reads the addresses at which the owner says the relay is reached.
func parseAnnounce(all []string, private bool) (addrs []directory.Address, err error) {
	for _, s := range all {
		m, err := multiaddr.NewMultiaddr(s)
		if err != nil {
			return nil, fmt.Errorf("announced address %q: %w", s, err)
		}
		a, err := directory.AddressOf(m)
		if err != nil {
			return nil, fmt.Errorf("announced address %q: it must look like /ip4/192.0.2.1/tcp/4001", s)
		}
		if !private && !a.Public() {
			return nil, fmt.Errorf("announced address %q is private; allow private addresses to use it", s)
		}
		addrs = append(addrs, a)
	}
	return addrs, nil
}

// checkPorts refuses addresses that others will not dial because of their port: those
// announced, or those listened on if none is.
func checkPorts(announced []directory.Address, listen []string) error {
	bad := func(a string) error {
		return fmt.Errorf("address %s: relays are dialled at ports 80, 443 and from 1024 on; choose another port", a)
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
			return nil, fmt.Errorf("relay of the family %q: %w", s, err)
		}
		family = append(family, directory.PrefixOf(id))
	}
	if len(family) > directory.MaxFamily {
		return nil, fmt.Errorf("a family has at most %d other relays", directory.MaxFamily)
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
	return claimed(r.announced, host.Listening(r.host), r.cfg.AllowPrivate, r.cfg.LAN)
}

func claimed(announced []directory.Address, listening []multiaddr.Multiaddr, private, lan bool) []directory.Address {
	addrs := slices.Clone(announced)
	for _, m := range listening {
		a, err := directory.AddressOf(m)
		if err != nil || !private && !a.Public() || lan && a.Addr().IsLoopback() || slices.Contains(addrs, a) {
			continue // loopback leads nowhere from another machine
		}
		addrs = append(addrs, a)
	}
	return addrs[:min(len(addrs), directory.MaxAddresses)]
}
