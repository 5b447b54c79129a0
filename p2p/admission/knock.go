package admission

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"sync"
	"time"

	"starling/p2p/directory"
	"starling/p2p/limits"
	"starling/p2p/wire"
)

const (
	// Price is the cost, in frames, of an address other than the knocker's own: 31 kB,
	// and a dial takes 6.
	Price = 13

	maxKnocks    = 1024 // that wait for their frames
	maxPerSource = 16   // of them from one /24 or /48
)

// ErrKnock means that bytes are no frame of this package.
var ErrKnock = errors.New("admission: malformed frame")

// A Knock asks its receiver to try the sender. In a TypeKnock frame it is nonce (8) ‖
// part (1) ‖ rest: in part 0 the sender's descriptor, in the others, which pay for
// addresses, any bytes.
type Knock struct {
	Nonce uint64
	Part  byte
	Raw   []byte
}

// Append appends the encoding.
func (k Knock) Append(b []byte) []byte {
	b = append(binary.BigEndian.AppendUint64(b, k.Nonce), k.Part)
	return append(b, k.Raw...)
}

// ParseKnock reads exactly one part of a knock.
func ParseKnock(b []byte) (Knock, error) {
	if len(b) < 9 || b[8] == 0 && len(b) > 9+directory.MaxDescriptor || int(b[8]) > directory.MaxAddresses*Price {
		return Knock{}, ErrKnock
	}
	k := Knock{Nonce: binary.BigEndian.Uint64(b), Part: b[8]}
	if k.Part == 0 {
		k.Raw = b[9:]
	}
	return k, nil
}

// A Verdict is the answer of an examiner.
type Verdict byte

// Verdicts.
const (
	Vouched   Verdict = 0 // a voucher follows
	Unreached Verdict = 1 // an address does not answer with your key
	Busy      Verdict = 2 // later, or tomorrow
	Stranger  Verdict = 3 // not your examiner
	NoWay     Verdict = 4 // no address of a kind that the examiner can dial
	verdicts  Verdict = 5
)

// A Reply answers a knock. In a TypeVoucher frame it is nonce (8) ‖ verdict (1) ‖
// mask (1), the addresses that did not answer ‖ foreign (1), those of them at which
// another node did ‖ source (16), the address that the knock came from, IPv4 as
// ::ffff:0:0/96, zeros for none ‖ after Vouched the voucher (101).
//
// What was seen is for the owner's eyes: nothing is announced, dialled or believed by it.
type Reply struct {
	Nonce   uint64
	Verdict Verdict
	Mask    byte
	Foreign byte
	Source  netip.Addr
	Voucher Voucher // if Verdict is Vouched
}

// replySize is the length of a reply without a voucher.
const replySize = 27

// Append appends the encoding.
func (p Reply) Append(b []byte) []byte {
	b = append(binary.BigEndian.AppendUint64(b, p.Nonce), byte(p.Verdict), p.Mask, p.Foreign)
	var source [16]byte
	if p.Source.IsValid() {
		source = p.Source.As16()
	}
	b = append(b, source[:]...)
	if p.Verdict == Vouched {
		b = p.Voucher.Append(b)
	}
	return b
}

// ParseReply reads exactly one reply.
func ParseReply(b []byte) (p Reply, err error) {
	if len(b) < replySize || b[8] >= byte(verdicts) || b[9] >= 1<<directory.MaxAddresses || b[10]&^b[9] != 0 {
		return p, ErrKnock
	}
	p = Reply{Nonce: binary.BigEndian.Uint64(b), Verdict: Verdict(b[8]), Mask: b[9], Foreign: b[10]}
	if source := [16]byte(b[11:replySize]); source != [16]byte{} {
		p.Source = netip.AddrFrom16(source).Unmap()
	}
	if p.Verdict == Vouched {
		p.Voucher, err = ParseVoucher(b[replySize:])
	} else if len(b) != replySize {
		err = ErrKnock
	}
	return p, err
}

// Knocks are those that wait until they are paid for. The zero value has none.
type Knocks struct {
	// ByNetwork bounds how many come from one network.
	ByNetwork bool

	mu sync.Mutex
	m  map[wire.NodeID]*waiting
}

type waiting struct {
	nonce  uint64
	check  Check
	source netip.Prefix
	owed   int
}

// Take takes a part of a knock from an address and returns the check that it has
// now paid for, or nil. An error is the sender's fault.
func (ks *Knocks) Take(from wire.NodeID, source netip.Addr, k Knock, now time.Time) (*Check, error) {
	if k.Part > 0 {
		return ks.pay(from, k.Nonce), nil
	}

	desc, err := directory.Parse(k.Raw)
	if err != nil {
		return nil, err
	}
	if desc.ID != from || !desc.Expires.After(now) || desc.Issued.After(now.Add(directory.MaxSkew)) {
		return nil, ErrKnock
	}

	w := &waiting{nonce: k.Nonce, check: Check{desc.ID, append([]byte(nil), k.Raw...), desc.Addresses}, source: block(source)}
	for _, a := range desc.Addresses {
		if !Home(a, source) {
			w.owed += Price
		}
	}
	if w.owed == 0 {
		return &w.check, nil
	}

	ks.mu.Lock()
	defer ks.mu.Unlock()
	if ks.m == nil {
		ks.m = map[wire.NodeID]*waiting{}
	}
	delete(ks.m, from)
	ks.makeRoom(w.source)
	ks.m[from] = w
	return nil, nil
}

func (ks *Knocks) pay(from wire.NodeID, nonce uint64) *Check {
	ks.mu.Lock()
	defer ks.mu.Unlock()
	w := ks.m[from]
	if w == nil || w.nonce != nonce {
		return nil
	}
	if w.owed--; w.owed > 0 {
		return nil
	}
	delete(ks.m, from)
	return &w.check
}

// makeRoom forgets a random one of a full network, or of all. The caller holds the
// lock.
func (ks *Knocks) makeRoom(source netip.Prefix) {
	var here func(*waiting) bool
	if ks.ByNetwork {
		here = func(w *waiting) bool { return w.source == source }
	}
	limits.MakeRoom(ks.m, maxKnocks, here, maxPerSource)
}

// Home reports whether a node that comes from one address may be dialled at another
// without a price: it is the same, or of the same /64 of IPv6.
func Home(a directory.Address, source netip.Addr) bool {
	if !a.Addr().IsValid() {
		return true // nobody dials it
	}
	if a.Addr().Is6() && source.Is6() {
		p, _ := a.Addr().Prefix(64)
		return p.Contains(source)
	}
	return a.Addr() == source
}

func block(a netip.Addr) netip.Prefix {
	return directory.Address{AddrPort: netip.AddrPortFrom(a, 1)}.Network()
}
