package directory

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/multiformats/go-multiaddr"

	"starling/p2p/book"
	"starling/p2p/wire"
)

// A Transport is how a relay is spoken to at an address.
type Transport byte

// Transports. Onions are read, kept and passed on, and not dialled yet. A web address with a
// host name is none to dial: it says the name of the web server at an address beside it.
const (
	Web Transport = iota
	TCP           // plain
	Onion
)

// Kinds of addresses on the wire.
const (
	kindTCP4  = 1
	kindTCP6  = 2
	kindWeb4  = 3
	kindWeb6  = 4
	kindOnion = 5
)

const (
	// maxHost is the longest host name of a web address in bytes.
	maxHost   = 63
	onionSize = 32

	// HintMax is the largest encoding of a Hint in bytes.
	HintMax = 128
)

// ErrAddress means that bytes or text are not an address a relay can have.
var ErrAddress = errors.New("directory: not a relay address")

// An Address is where a relay listens. On the wire it is length (1) ‖ kind (1) ‖ fields
// of the kind, see package directory.
type Address struct {
	netip.AddrPort // of an onion the port only
	Transport      Transport
	Host           string          // of a web address, or empty
	Onion          [onionSize]byte // the key of an onion
}

// AddressOf reads /ip4/…/tcp/… or /ip6/…/tcp/…: an address of the web transport, or of
// plain TCP with /plain behind it.
func AddressOf(m multiaddr.Multiaddr) (Address, error) {
	b, ok := book.AddressOf(m)
	if !ok {
		return Address{}, ErrAddress
	}
	a := FromBook(b)
	return a, a.check()
}

// FromBook returns an address as descriptors have it.
func FromBook(b book.Address) Address {
	a := Address{AddrPort: b.AddrPort}
	if b.Plain {
		a.Transport = TCP
	}
	return a
}

// Book returns an address that can be dialled as the address book has it.
func (a Address) Book() book.Address {
	return book.Address{AddrPort: a.AddrPort, Plain: a.Transport == TCP}
}

// check refuses an address at which nobody can listen, and one with another
// encoding of the same meaning.
func (a Address) check() error {
	ip := a.Addr()
	switch {
	case a.Port() == 0, a.Transport > Onion:
		return ErrAddress
	case a.Transport == Onion:
		if ip.IsValid() || a.Onion == [onionSize]byte{} || a.Host != "" {
			return ErrAddress
		}
		return nil
	case !ip.IsValid() || ip.Zone() != "" || ip.Is4In6() || ip.IsUnspecified() || ip.IsMulticast() || a.Onion != [onionSize]byte{}:
		return ErrAddress
	case a.Host != "" && (a.Transport != Web || !hostName(a.Host)):
		return ErrAddress
	}
	return nil
}

// hostName reports whether s is a name of a host in the one form that names have
// here: labels of small letters, digits and inner hyphens.
func hostName(s string) bool {
	if len(s) > maxHost {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for i := range len(label) {
			if c := label[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
				return false
			}
		}
	}
	return true
}

// Dialable reports whether this program can dial the address.
func (a Address) Dialable() bool { return a.Transport == TCP || a.Transport == Web && a.Host == "" }

// HostAt returns the host name of the web server at one of some addresses of a relay, empty if
// it has none. It is the relay's word.
func HostAt(all []Address, at netip.AddrPort) string {
	for _, a := range all {
		if a.Transport == Web && a.Host != "" && a.AddrPort == at {
			return a.Host
		}
	}
	return ""
}

// HostOf returns the host name that a listed relay says its web server has at an address.
func (d *Directory) HostOf(relay wire.NodeID, at netip.AddrPort) string {
	desc, ok := d.Find(relay)
	if !ok {
		return ""
	}
	return HostAt(desc.Addresses, at)
}

// WithHost returns addresses, and behind those of the web transport that have no name the same
// with one.
func WithHost(all []Address, host string) []Address {
	named := slices.Clone(all)
	for _, a := range all {
		if a.Host = host; a.Transport == Web && HostAt(all, a.AddrPort) == "" && a.check() == nil {
			named = append(named, a)
		}
	}
	return named
}

// cutHost takes /sni/NAME off the end of an address, and returns the name.
func cutHost(m multiaddr.Multiaddr) (multiaddr.Multiaddr, string) {
	head, last := multiaddr.SplitLast(m)
	if last == nil || last.Protocol().Code != multiaddr.P_SNI {
		return m, ""
	}
	return head, last.Value()
}

// AddressesOf reads an address as AddressOf does, or with /sni/NAME behind it: that of a web
// server with a host name makes two.
func AddressesOf(m multiaddr.Multiaddr) ([]Address, error) {
	m, host := cutHost(m)
	a, err := AddressOf(m)
	if err != nil || host == "" {
		return []Address{a}, err
	}
	named := WithHost([]Address{a}, host)
	if len(named) != 2 || !book.HostName(host) {
		return nil, ErrAddress
	}
	return named, nil
}

// Dialable returns those addresses that can be dialled. Nobody has examined others, so
// they are read and passed on, and no rule goes by them: a relay could say that it is
// in the network of another.
func Dialable(all []Address) []Address {
	return slices.DeleteFunc(slices.Clone(all), func(a Address) bool { return !a.Dialable() })
}

// Multiaddr returns the libp2p form of an address that can be dialled; of others
// that of the IP address and port, if they have one.
func (a Address) Multiaddr() multiaddr.Multiaddr {
	if !a.Addr().IsValid() {
		return nil
	}
	return book.Multiaddr(a.Book())
}

// Multiaddrs returns the libp2p form of the addresses that can be dialled.
func Multiaddrs(addrs []Address) []multiaddr.Multiaddr {
	var all []multiaddr.Multiaddr
	for _, a := range addrs {
		if a.Dialable() {
			all = append(all, a.Multiaddr())
		}
	}
	return all
}

// ForBook returns the addresses that can be dialled as the address book has them.
func ForBook(addrs []Address) []book.Address {
	var all []book.Address
	for _, a := range addrs {
		if a.Dialable() {
			all = append(all, a.Book())
		}
	}
	return all
}

// Public reports whether the address can be reached from anywhere, and leads nowhere
// else than it says.
func (a Address) Public() bool { return a.Transport == Onion || book.Public(a.AddrPort) }

// Network returns the block of addresses that one operator is taken to hold
// when relays are counted: a /24 of IPv4, a /48 of IPv6. An onion has none.
func (a Address) Network() netip.Prefix { return a.block(24, 48) }

// Wide returns the block within which no two relays share a route: a /16 of
// IPv4, a /32 of IPv6. An onion has none.
func (a Address) Wide() netip.Prefix { return a.block(16, 32) }

func (a Address) block(bits4, bits6 int) netip.Prefix {
	bits := bits4
	if a.Addr().Is6() {
		bits = bits6
	}
	p, _ := a.Addr().Prefix(bits)
	return p
}

func (a Address) append(b []byte) []byte {
	at := len(b)
	b = append(b, 0, 0)
	switch {
	case a.Transport == Onion:
		b[at+1] = kindOnion
		b = append(b, a.Onion[:]...)
	case a.Transport == Web && a.Addr().Is4():
		b[at+1] = kindWeb4
	case a.Transport == Web:
		b[at+1] = kindWeb6
	case a.Addr().Is4():
		b[at+1] = kindTCP4
	default:
		b[at+1] = kindTCP6
	}
	b = append(b, a.Addr().AsSlice()...)
	b = binary.BigEndian.AppendUint16(b, a.Port())
	b = append(b, a.Host...)
	b[at] = byte(len(b) - at - 1)
	return b
}

// cutAddress reads an address from the front of b and returns the rest. known is
// false for a kind that is not known here, which is no error.
func cutAddress(b []byte) (a Address, known bool, rest []byte, err error) {
	if len(b) < 2 || b[0] == 0 || len(b) < 1+int(b[0]) {
		return a, false, nil, ErrAddress
	}
	kind, body, rest := b[1], b[2:1+int(b[0])], b[1+int(b[0]):]

	size := 0 // of the IP address
	switch kind {
	case kindTCP4:
		size, a.Transport = 4, TCP
	case kindTCP6:
		size, a.Transport = 16, TCP
	case kindWeb4:
		size = 4
	case kindWeb6:
		size = 16
	case kindOnion:
		a.Transport = Onion
		body = body[copy(a.Onion[:], body):]
	// The length comes first, so that a kind of a later version is skipped.
	default:
		return a, false, rest, nil
	}

	if len(body) < size+2 {
		return a, false, nil, ErrAddress
	}
	ip, _ := netip.AddrFromSlice(body[:size])
	a.AddrPort = netip.AddrPortFrom(ip, binary.BigEndian.Uint16(body[size:]))
	// A name has no length of its own: it is the rest.
	if kind == kindWeb4 || kind == kindWeb6 {
		a.Host = string(body[size+2:])
	} else if len(body) != size+2 {
		return a, false, nil, ErrAddress
	}

	return a, true, rest, a.check()
}

// cutAddresses reads so many addresses and leaves out those of unknown kinds.
func cutAddresses(b []byte, n int) (all []Address, rest []byte, err error) {
	for range n {
		var a Address
		var known bool
		if a, known, b, err = cutAddress(b); err != nil {
			return nil, nil, err
		}
		if known {
			all = append(all, a)
		}
	}
	return all, b, nil
}

// A Hint is one relay and some of its addresses: all that a stranger needs to
// reach the mesh. On the wire it is node id (32) ‖ 1 to 4 addresses, to the end.
type Hint struct {
	ID        wire.NodeID
	Addresses []Address
}

// Append appends the encoding, of at most HintMax bytes: addresses for which
// there is no room are left out, first those that nobody dials yet.
func (h Hint) Append(b []byte) []byte {
	most := len(b) + HintMax
	b = append(b, h.ID[:]...)
	n := 0
	for _, dialable := range []bool{true, false} {
		for _, a := range h.Addresses {
			if longer := a.append(b); a.Dialable() == dialable && len(longer) <= most && n < MaxAddresses {
				b = longer
				n++
			}
		}
	}
	return b
}

// ParseHint reads exactly one hint.
func ParseHint(b []byte) (Hint, error) {
	if len(b) < wire.NodeIDSize || len(b) > HintMax {
		return Hint{}, ErrAddress
	}
	h := Hint{ID: wire.NodeID(b)}
	b = b[wire.NodeIDSize:]
	for n := 0; len(b) > 0; n++ {
		a, known, rest, err := cutAddress(b)
		if err != nil || n == MaxAddresses {
			return Hint{}, ErrAddress
		}
		if b = rest; known {
			h.Addresses = append(h.Addresses, a)
		}
	}
	if len(h.Addresses) == 0 {
		return Hint{}, ErrAddress
	}
	return h, nil
}

// Public reports whether there is an address to dial, and all are public.
func (h Hint) Public() bool { return public(h.Addresses) }

func public(addrs []Address) bool {
	dialable := false
	for _, a := range addrs {
		if !a.Public() {
			return false
		}
		dialable = dialable || a.Dialable()
	}
	return dialable
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
	all, err := AddressesOf(head)
	if err != nil {
		return Hint{}, fmt.Errorf("bootstrap address %q: it must look like /ip4/192.0.2.1/tcp/4001/p2p/…", s)
	}
	return Hint{ID: id, Addresses: all}, nil
}

// Multiaddrs returns the addresses that can be dialled, with the node's /p2p/ part.
func (h Hint) Multiaddrs() []multiaddr.Multiaddr {
	all := Multiaddrs(h.Addresses)
	for i := range all {
		all[i] = all[i].Encapsulate(multiaddr.StringCast("/p2p/" + h.ID.String()))
	}
	return all
}
