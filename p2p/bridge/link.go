// Package bridge is the way to the network over a bridge: a door that is in no list.
//
// A bridge is a pipe in front of guards. Its operator hands out a [Link]; a client
// connects to the bridge as to any relay, names a guard, and speaks with that guard
// through the bridge:
//
//	client ══ web transport, Noise with the bridge ══ bridge ══ web transport ══ guard
//	client ─────────────────── Noise with the guard, end to end ─────────────── guard
//
// The bridge knows the client's address and which guards it has; it sees ciphertext. The
// guard sees the bridge's address. Package server runs one, this package is the rest:
//
//	link.go   the link: a text that people hand each other
//	find.go   links in texts of people
//	pipe.go   the words at the beginning of a pipe
//	ways.go   the bridges of one client, and the pipes over them
//
// # Link
//
// "starling-bridge:" followed by base32 (RFC 4648, lower case, no padding) of
//
//	version    1  1
//	network    1  2: that of /st/2
//	node id   32  of the bridge
//	ways       1  how many, 1..8, then each: kind 1 ‖ length 1 ‖ value
//	checksum   4  first bytes of SHA-256("starling/bridge/1" ‖ 0 ‖ all before)
//
//	kind  value
//	1     IPv4 address 4 ‖ port 2     of the web transport
//	2     IPv6 address 16 ‖ port 2    the same
//	3     key of an onion service (v3) 32 ‖ port 2
//	4     host name of the web server at the addresses, 3 to 63 bytes
//
// Other kinds are room for the transports of others: they are read, kept and not used.
// The path of the web transport follows from the node id and the day, as a relay's.
// Case does not matter and white space is skipped.
package bridge

import (
	"crypto/sha256"
	"crypto/sha3"
	"crypto/subtle"
	"encoding/base32"
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"starling/p2p/book"
	"starling/p2p/wire"
)

// Limits of a link.
const (
	Prefix = "starling-bridge:"
	// MaxText is longer than any link we make, in characters.
	MaxText  = 1024
	maxWays  = 8
	maxValue = 64
)

const (
	version      = 1
	suite        = 2
	checksumSize = 4
	fixedSize    = 1 + 1 + wire.NodeIDSize + 1
	label        = "starling/bridge/1\x00"
)

// Kinds of ways.
const (
	kind4     = 1
	kind6     = 2
	kindOnion = 3
	kindHost  = 4
)

// Why a link is refused.
var (
	ErrForeign   = errors.New("this is not the link of a bridge")
	ErrVersion   = errors.New("the link was made by another version of starling")
	ErrNetwork   = errors.New("the bridge is one of another network")
	ErrTruncated = errors.New("the link is cut off")
	ErrChecksum  = errors.New("the link has a typing error")
	ErrNoWay     = errors.New("the bridge is reached in a way that this version does not know")
	ErrPrivate   = errors.New("the bridge has a private address")
	ErrWays      = errors.New("a bridge needs an address of 1 to 8")
)

// A Link is what there is to know of a bridge.
type Link struct {
	ID        wire.NodeID
	Addresses []book.Address // of the web transport
	Onions    []Onion
	Host      string // of the web server at the addresses, or empty
	others    []way  // of kinds that are not known here
}

// An Onion is an address in Tor, dialled through a proxy alone.
type Onion struct {
	Key  [32]byte
	Port uint16
}

// way is one entry of a link.
type way struct {
	kind  byte
	value []byte
}

// String returns the name that a proxy takes: key ‖ checksum ‖ version in base32.
func (o Onion) String() string {
	sum := sha3.Sum256(slices.Concat([]byte(".onion checksum"), o.Key[:], []byte{3}))
	name := encoding.EncodeToString(slices.Concat(o.Key[:], sum[:2], []byte{3}))
	return name + ".onion:" + strconv.Itoa(int(o.Port))
}

// standIn is the address that stands for an onion service in this process.
func (o Onion) standIn() book.Address {
	b := book.StandIns.Addr().As16()
	copy(b[book.StandIns.Bits()/8:], o.Key[:])
	return book.Web(netip.AddrPortFrom(netip.AddrFrom16(b), o.Port))
}

// Dialled returns where a bridge is dialled: at its onion services first, by the addresses
// that stand for them.
func (l *Link) Dialled() (all []book.Address) {
	for _, o := range l.Onions {
		all = append(all, o.standIn())
	}
	all = append(all, l.Addresses...)
	return all[:min(len(all), book.MaxAddresses)]
}

// ParseOnion reads NAME.onion:PORT, of version 3.
func ParseOnion(s string) (o Onion, err error) {
	name, port, ok := strings.Cut(strings.ToLower(s), ".onion:")
	if !ok || len(name) != 56 {
		return o, ErrNoWay
	}
	b, err := encoding.DecodeString(name)
	n, portErr := strconv.ParseUint(port, 10, 16)
	if err != nil || portErr != nil || len(b) != 35 {
		return o, ErrNoWay
	}
	o = Onion{[32]byte(b), uint16(n)}
	if o.Port == 0 || o.String() != name+".onion:"+port {
		return Onion{}, ErrNoWay
	}
	return o, nil
}

var encoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// ways returns the entries of a link.
func (l *Link) ways() (all []way) {
	for _, a := range l.Addresses {
		kind := byte(kind6)
		if a.Addr().Is4() {
			kind = kind4
		}
		all = append(all, way{kind, binary.BigEndian.AppendUint16(a.Addr().AsSlice(), a.Port())})
	}
	for _, o := range l.Onions {
		all = append(all, way{kindOnion, binary.BigEndian.AppendUint16(slices.Clone(o.Key[:]), o.Port)})
	}
	if l.Host != "" {
		all = append(all, way{kindHost, []byte(l.Host)})
	}
	return append(all, l.others...)
}

// Encode returns the link as text.
func (l *Link) Encode() (string, error) {
	ways := l.ways()
	if len(ways) == 0 || len(ways) > maxWays || slices.ContainsFunc(l.Addresses, func(a book.Address) bool { return a.Plain }) {
		return "", ErrWays
	}
	b := append([]byte{version, suite}, l.ID[:]...)
	b = append(b, byte(len(ways)))
	for _, w := range ways {
		b = append(b, w.kind, byte(len(w.value)))
		b = append(b, w.value...)
	}
	return Prefix + encoding.EncodeToString(append(b, checksum(b)...)), nil
}

// String returns the link as text, or nothing if it has no way.
func (l *Link) String() string {
	text, err := l.Encode()
	if err != nil {
		return ""
	}
	return text
}

func checksum(b []byte) []byte {
	sum := sha256.Sum256(append([]byte(label), b...))
	return sum[:checksumSize]
}

// Parse reads a link that stands alone; see Find for others.
func Parse(text string) (*Link, error) {
	if len(text) > MaxText {
		return nil, ErrForeign
	}
	text, ok := strings.CutPrefix(strings.ToLower(strings.Join(strings.Fields(text), "")), Prefix)
	if !ok {
		return nil, ErrForeign
	}

	// A cut may leave a group that base32 never has: drop its tail.
	whole := text
	switch len(text) % 8 {
	case 1, 3, 6:
		whole = text[:len(text)-1]
	}
	b, err := encoding.DecodeString(whole)
	if err != nil {
		return nil, ErrChecksum
	}
	l, err := parseBytes(b)
	if err == nil && encoding.EncodeToString(b) != text {
		return nil, ErrChecksum // bits set after the end
	}
	return l, err
}

// parseBytes reads the bytes inside the text.
func parseBytes(b []byte) (*Link, error) {
	switch {
	case len(b) < 2:
		return nil, ErrTruncated
	case b[0] != version && sealed(b):
		return nil, ErrVersion
	case b[0] != version:
		return nil, ErrChecksum
	case b[1] != suite && sealed(b):
		return nil, ErrNetwork
	case b[1] != suite:
		return nil, ErrChecksum
	case len(b) < fixedSize+checksumSize:
		return nil, ErrTruncated
	}

	l := &Link{ID: wire.NodeID(b[2:])}
	n := int(b[fixedSize-1])
	if n == 0 || n > maxWays {
		return nil, ErrChecksum
	}
	at := fixedSize
	var err error
	for range n {
		if len(b) < at+2+checksumSize {
			return nil, ErrTruncated
		}
		size := int(b[at+1])
		if size > maxValue {
			return nil, ErrChecksum
		}
		if len(b) < at+2+size+checksumSize {
			return nil, ErrTruncated
		}
		if e := l.take(b[at], b[at+2:at+2+size]); e != nil {
			err = e
		}
		at += 2 + size
	}

	if subtle.ConstantTimeCompare(checksum(b[:at]), b[at:]) != 1 {
		return nil, ErrChecksum // or there is more behind it
	}
	if err == nil && len(l.Addresses) == 0 && len(l.Onions) == 0 {
		err = ErrNoWay
	}
	if err != nil {
		return nil, err
	}
	return l, nil
}

// sealed reports whether bytes end in their checksum, as those of other versions do, too.
func sealed(b []byte) bool {
	at := len(b) - checksumSize
	return at > 0 && subtle.ConstantTimeCompare(checksum(b[:at]), b[at:]) == 1
}

// take reads one way.
func (l *Link) take(kind byte, value []byte) error {
	switch kind {
	case kind4, kind6:
		size := 4
		if kind == kind6 {
			size = 16
		}
		if len(value) != size+2 {
			return ErrChecksum
		}
		ip, _ := netip.AddrFromSlice(value[:size])
		a := book.Web(netip.AddrPortFrom(ip, binary.BigEndian.Uint16(value[size:])))
		if !book.Valid(a.AddrPort) || slices.Contains(l.Addresses, a) {
			return ErrChecksum
		}
		l.Addresses = append(l.Addresses, a)

	case kindOnion:
		if len(value) != 34 {
			return ErrChecksum
		}
		o := Onion{[32]byte(value), binary.BigEndian.Uint16(value[32:])}
		if o.Port == 0 || slices.Contains(l.Onions, o) {
			return ErrChecksum
		}
		l.Onions = append(l.Onions, o)

	case kindHost:
		if l.Host != "" || !book.HostName(string(value)) {
			return ErrChecksum
		}
		l.Host = string(value)

	default: // of a later version
		l.others = append(l.others, way{kind, slices.Clone(value)})
	}
	return nil
}

// Usable returns the link with those addresses alone that a client may dial: none of
// this machine or of a local network unless private ones are allowed.
func (l *Link) Usable(private bool) (*Link, error) {
	u := *l
	u.Addresses = slices.DeleteFunc(slices.Clone(l.Addresses), func(a book.Address) bool {
		return !private && !book.Public(a.AddrPort)
	})
	if len(u.Addresses) == 0 && len(u.Onions) == 0 {
		return nil, ErrPrivate
	}
	return &u, nil
}
