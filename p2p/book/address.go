package book

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// elsewhere are prefixes of addresses that lead somewhere else than they say, or to no
// machine of anybody's, beside those that manet knows.
var elsewhere = []netip.Prefix{
	// These hold an IPv4 address of the speaker's choice, which may be private.
	netip.MustParsePrefix("2002::/16"),      // 6to4
	netip.MustParsePrefix("64:ff9b::/96"),   // NAT64 (RFC 6052)
	netip.MustParsePrefix("64:ff9b:1::/48"), // NAT64 of one network (RFC 8215)

	netip.MustParsePrefix("2001::/23"),    // protocols of the IETF: Teredo, anycast, ORCHID
	netip.MustParsePrefix("3fff::/20"),    // documentation (RFC 9637)
	netip.MustParsePrefix("192.0.0.0/24"), // protocols of the IETF
}

// StandIns are addresses that stand for names of onion services, in this process alone:
// the dialler turns one into the name that it stands for. Only the owner names them.
var StandIns = netip.MustParsePrefix("fd87:d87e:eb43::/48")

// An Address says where a node is dialled, and how: by the web transport, or by plain TCP
// if the address says so. No address turns into one of the other kind: who has a web
// address of a node does not speak to it without the disguise.
type Address struct {
	netip.AddrPort
	Plain bool
}

// Web returns the address of the web transport at a port.
func Web(a netip.AddrPort) Address { return Address{AddrPort: a} }

// PlainName names plain TCP in a multiaddr: /ip4/192.0.2.1/tcp/4001/plain.
const PlainName = "plain"

// PlainCode is its number, of those that multicodec leaves to everybody.
const PlainCode = 0x3000a7

var (
	_     = multiaddr.AddProtocol(multiaddr.Protocol{Name: PlainName, Code: PlainCode, VCode: multiaddr.CodeToVarint(PlainCode)})
	plain = multiaddr.StringCast("/" + PlainName)
)

// Network returns the block of addresses that one hand is taken to hold: a /24
// of IPv4, a /48 of IPv6.
func Network(a netip.Addr) netip.Prefix {
	bits := 24
	if a.Is6() {
		bits = 48
	}
	p, _ := a.Prefix(bits)
	return p
}

// Public reports whether an address can be reached from anywhere, and leads
// nowhere else than it says.
func Public(a netip.AddrPort) bool {
	if !valid(a) || slices.ContainsFunc(elsewhere, func(p netip.Prefix) bool { return p.Contains(a.Addr()) }) {
		return false
	}
	return manet.IsPublicAddr(Multiaddr(Web(a)))
}

// RelayPort reports whether a relay is dialled at a port from hearsay: a port of the
// web, or one that no old service has. So nobody makes relays knock at the mail or the
// shell of third parties.
func RelayPort(port uint16) bool { return port >= 1024 || port == 80 || port == 443 }

func relayPort(a Address) bool { return RelayPort(a.Port()) }

// Valid reports whether an address could be that of a machine, somewhere.
func Valid(a netip.AddrPort) bool { return valid(a) }

func valid(a netip.AddrPort) bool {
	ip := a.Addr()
	return a.IsValid() && ip.Zone() == "" && !ip.Is4In6() && !ip.IsUnspecified() && !ip.IsMulticast() && a.Port() != 0
}

// Multiaddr returns libp2p's form of an address.
func Multiaddr(a Address) multiaddr.Multiaddr {
	m, err := manet.FromNetAddr(tcpAddr(a.AddrPort))
	if err != nil { // no such address passes valid
		return nil
	}
	if a.Plain {
		m = m.Encapsulate(plain)
	}
	return m
}

// AddressOf reads /ip4/…/tcp/… or /ip6/…/tcp/… with nothing behind it, or /plain.
func AddressOf(m multiaddr.Multiaddr) (Address, bool) {
	isPlain := len(m) == 3 && m[2].Protocol().Code == PlainCode
	if isPlain {
		m = m[:2]
	}
	a, ok := addrPort(m)
	return Address{a, isPlain}, ok
}

// AddrPort reads the IP address and port of what AddressOf reads. It asks nobody the
// meaning of a name, as libp2p's own conversion does.
func AddrPort(m multiaddr.Multiaddr) (netip.AddrPort, bool) {
	a, ok := AddressOf(m)
	return a.AddrPort, ok
}

func addrPort(m multiaddr.Multiaddr) (netip.AddrPort, bool) {
	if len(m) != 2 || m[1].Protocol().Code != multiaddr.P_TCP {
		return netip.AddrPort{}, false
	}
	if code := m[0].Protocol().Code; code != multiaddr.P_IP4 && code != multiaddr.P_IP6 {
		return netip.AddrPort{}, false
	}
	ip, ok := netip.AddrFromSlice(m[0].RawValue())
	port := m[1].RawValue()
	if !ok || len(port) != 2 {
		return netip.AddrPort{}, false
	}
	a := netip.AddrPortFrom(ip, binary.BigEndian.Uint16(port))
	return a, valid(a)
}
