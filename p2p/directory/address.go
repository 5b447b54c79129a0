package directory

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"starling/p2p/wire"
)

// Kinds of addresses on the wire. 3 and 4 are kept for QUIC.
const (
	kindTCP4 = 1
	kindTCP6 = 2
)

const (
	addressMax = 1 + 16 + 2
	// HintMax is the largest encoding of a Hint in bytes.
	HintMax = wire.NodeIDSize + addressMax
)

// ErrAddress means that bytes or text are not an address a relay can have.
var ErrAddress = errors.New("directory: not a relay address")

// An Address is where a relay listens: an IP address and a TCP port. On the
// wire it is kind (1) ‖ IP (4 or 16) ‖ port (2, big endian).
type Address struct{ netip.AddrPort }

// AddressOf reads /ip4/…/tcp/… or /ip6/…/tcp/…, with nothing behind it.
func AddressOf(m multiaddr.Multiaddr) (Address, error) {
	if len(m) != 2 || m[1].Protocol().Code != multiaddr.P_TCP {
		return Address{}, ErrAddress
	}
	na, err := manet.ToNetAddr(m)
	if err != nil {
		return Address{}, ErrAddress
	}
	ap, err := netip.ParseAddrPort(na.String())
	if err != nil {
		return Address{}, ErrAddress
	}
	return checkAddress(ap)
}

func checkAddress(ap netip.AddrPort) (Address, error) {
	ip := ap.Addr()
	if !ip.IsValid() || ip.Zone() != "" || ip.Is4In6() || ip.IsUnspecified() || ip.IsMulticast() || ap.Port() == 0 {
		return Address{}, ErrAddress
	}
	return Address{ap}, nil
}

// Multiaddr returns the libp2p form.
func (a Address) Multiaddr() multiaddr.Multiaddr {
	family := "ip4"
	if a.Addr().Is6() {
		family = "ip6"
	}
	return multiaddr.StringCast(fmt.Sprintf("/%s/%s/tcp/%d", family, a.Addr(), a.Port()))
}

// Public reports whether the address can be reached from anywhere.
func (a Address) Public() bool { return manet.IsPublicAddr(a.Multiaddr()) }

// Network returns the block of addresses that one operator is taken to hold
// when relays are counted: a /24 of IPv4, a /48 of IPv6.
func (a Address) Network() netip.Prefix {
	bits := 24
	if a.Addr().Is6() {
		bits = 48
	}
	p, _ := a.Addr().Prefix(bits)
	return p
}

// Wide returns the block within which no two relays share a route: a /16 of
// IPv4, a /32 of IPv6.
func (a Address) Wide() netip.Prefix {
	bits := 16
	if a.Addr().Is6() {
		bits = 32
	}
	p, _ := a.Addr().Prefix(bits)
	return p
}

func (a Address) append(b []byte) []byte {
	kind := byte(kindTCP4)
	if a.Addr().Is6() {
		kind = kindTCP6
	}
	b = append(b, kind)
	b = append(b, a.Addr().AsSlice()...)
	return binary.BigEndian.AppendUint16(b, a.Port())
}

func cutAddress(b []byte) (Address, []byte, error) {
	if len(b) == 0 {
		return Address{}, nil, ErrAddress
	}
	n := 0
	switch b[0] {
	case kindTCP4:
		n = 4
	case kindTCP6:
		n = 16
	default:
		return Address{}, nil, ErrAddress
	}
	if len(b) < 1+n+2 {
		return Address{}, nil, ErrAddress
	}
	ip, _ := netip.AddrFromSlice(b[1 : 1+n])
	a, err := checkAddress(netip.AddrPortFrom(ip, binary.BigEndian.Uint16(b[1+n:])))
	return a, b[1+n+2:], err
}

// A Hint is one relay and one of its addresses: all that a stranger needs to
// reach the mesh. On the wire it is node id (32) ‖ address, 39 or 51 bytes.
type Hint struct {
	ID      wire.NodeID
	Address Address
}

// Append appends the encoding.
func (h Hint) Append(b []byte) []byte { return h.Address.append(append(b, h.ID[:]...)) }

// ParseHint reads exactly one hint.
func ParseHint(b []byte) (Hint, error) {
	if len(b) < wire.NodeIDSize || len(b) > HintMax {
		return Hint{}, ErrAddress
	}
	a, rest, err := cutAddress(b[wire.NodeIDSize:])
	if err != nil || len(rest) != 0 {
		return Hint{}, ErrAddress
	}
	return Hint{ID: wire.NodeID(b), Address: a}, nil
}

// ParseBootstrap reads a multiaddr that ends in /p2p/… and names a relay.
func ParseBootstrap(s string) (Hint, error) {
	m, err := multiaddr.NewMultiaddr(s)
	if err != nil {
		return Hint{}, fmt.Errorf("bootstrap address %q: %w", s, err)
	}
	head, last := multiaddr.SplitLast(m)
	if last == nil || last.Protocol().Code != multiaddr.P_P2P {
		return Hint{}, fmt.Errorf("bootstrap address %q: it must end in /p2p/ and the relay's peer id", s)
	}
	id, err := wire.ParseNodeID(last.Value())
	if err != nil {
		return Hint{}, fmt.Errorf("bootstrap address %q: %w", s, err)
	}
	a, err := AddressOf(head)
	if err != nil {
		return Hint{}, fmt.Errorf("bootstrap address %q: it must look like /ip4/192.0.2.1/tcp/4001/p2p/…", s)
	}
	return Hint{ID: id, Address: a}, nil
}

// Multiaddr returns the address with the node's /p2p/ part.
func (h Hint) Multiaddr() multiaddr.Multiaddr {
	return h.Address.Multiaddr().Encapsulate(multiaddr.StringCast("/p2p/" + h.ID.String()))
}
