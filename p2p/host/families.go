package host

import (
	"net"
	"net/netip"

	"starling/p2p/book"
)

// Families are the kinds of addresses that a machine has a way to.
type Families struct{ Four, Six bool }

// OwnFamilies returns those of this machine: of the address that it dials from, if
// one is given, else of the addresses that it has. A machine without any is between
// two networks: nothing is known of the next one, and nothing ruled out.
func OwnFamilies(source netip.Addr, private bool) Families {
	if source.IsValid() {
		return Families{Four: source.Unmap().Is4(), Six: !source.Unmap().Is4()}
	}
	all, err := net.InterfaceAddrs()
	if err != nil {
		return Families{true, true}
	}
	var own []netip.Addr
	for _, a := range all {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			own = append(own, p.Addr())
		}
	}
	return familiesOf(own, private)
}

// familiesOf returns the families of some addresses. A private IPv4 address leads out
// by its router's; an IPv6 address that is not public leads to no public one.
func familiesOf(own []netip.Addr, private bool) (f Families) {
	for _, a := range own {
		switch a = a.Unmap(); {
		case a.IsLinkLocalUnicast(), a.IsLoopback() && !private:
		case a.Is4():
			f.Four = true
		default:
			f.Six = f.Six || private || book.Public(netip.AddrPortFrom(a, 1))
		}
	}
	if !f.Four && !f.Six {
		return Families{true, true}
	}
	return f
}

// Reach reports whether there is a way to an address.
func (f Families) Reach(a netip.Addr) bool {
	if !a.IsValid() {
		return false
	}
	if a.Unmap().Is4() {
		return f.Four
	}
	return f.Six
}
