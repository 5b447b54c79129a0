package admission

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"

	"starling/p2p/directory"
	"starling/p2p/wire"
)

const (
	voucherLabel  = "starling/voucher/2\x00"
	examinerLabel = "starling/examiner/2\x00"

	// VoucherSize is the size of a voucher in bytes.
	VoucherSize = wire.NodeIDSize + 4 + 1 + 64
	// MaxVouchers is how many vouchers go with a descriptor.
	MaxVouchers = 8
	// MaxNews is the size of the largest news: a descriptor and its vouchers.
	MaxNews = 2 + directory.MaxDescriptor + 1 + MaxVouchers*VoucherSize
)

// ErrNews means that bytes are no descriptor with vouchers.
var ErrNews = errors.New("admission: malformed news")

// Day numbers the days since 1970.
func Day(t time.Time) uint32 { return uint32(t.Unix() / (24 * 60 * 60)) }

// A Voucher is an examiner's word that it has reached a relay with its key at
// addresses of its descriptor.
type Voucher struct {
	Examiner wire.NodeID
	Day      uint32
	Mask     byte // bit i: the i-th address was reached
	sig      [64]byte
}

// signed returns the bytes that a voucher for a descriptor signs.
func (v *Voucher) signed(raw []byte) []byte {
	b := append([]byte(voucherLabel), v.Examiner[:]...)
	b = append(b, raw[1:1+wire.NodeIDSize]...)
	sum := sha256.Sum256(directory.AddressBytes(raw))
	b = append(b, sum[:]...)
	b = binary.BigEndian.AppendUint32(b, v.Day)
	return append(b, v.Mask)
}

// Vouch signs a voucher for a descriptor that was parsed.
func Vouch(key crypto.PrivKey, examiner wire.NodeID, raw []byte, mask byte, day uint32) (Voucher, error) {
	v := Voucher{Examiner: examiner, Day: day, Mask: mask}
	sig, err := key.Sign(v.signed(raw))
	copy(v.sig[:], sig)
	return v, err
}

// verify reports whether the examiner has signed the voucher for a descriptor.
func (v *Voucher) verify(raw []byte) bool {
	pub, err := crypto.UnmarshalEd25519PublicKey(v.Examiner[:])
	if err != nil {
		return false
	}
	ok, err := pub.Verify(v.signed(raw), v.sig[:])
	return err == nil && ok
}

// Append appends the encoding: examiner (32) ‖ day (4) ‖ mask (1) ‖ signature (64).
func (v *Voucher) Append(b []byte) []byte {
	b = append(b, v.Examiner[:]...)
	b = binary.BigEndian.AppendUint32(b, v.Day)
	b = append(b, v.Mask)
	return append(b, v.sig[:]...)
}

// ParseVoucher reads exactly one voucher, and does not verify it.
func ParseVoucher(b []byte) (v Voucher, err error) {
	if len(b) != VoucherSize {
		return v, ErrNews
	}
	b = b[copy(v.Examiner[:], b):]
	v.Day, v.Mask = binary.BigEndian.Uint32(b), b[4]
	copy(v.sig[:], b[5:])
	if v.Mask == 0 || v.Mask >= 1<<directory.MaxAddresses {
		return v, ErrNews
	}
	return v, nil
}

// News is a descriptor and the vouchers for it, as it travels between relays:
// length (2) ‖ descriptor ‖ number (1) ‖ vouchers.
type News struct {
	Raw      []byte
	Vouchers []Voucher
}

// Append appends the encoding.
func (n News) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, uint16(len(n.Raw)))
	b = append(b, n.Raw...)
	b = append(b, byte(len(n.Vouchers)))
	for i := range n.Vouchers {
		b = n.Vouchers[i].Append(b)
	}
	return b
}

// genuine reports whether every voucher is signed by its examiner.
func (n News) genuine() bool {
	for i := range n.Vouchers {
		if !n.Vouchers[i].verify(n.Raw) {
			return false
		}
	}
	return true
}

// ParseNews reads exactly one piece of news, and verifies nothing in it.
func ParseNews(b []byte) (n News, err error) {
	if len(b) < 3 || len(b) > MaxNews {
		return n, ErrNews
	}
	size := int(binary.BigEndian.Uint16(b))
	if b = b[2:]; size > directory.MaxDescriptor || len(b) < size+1 {
		return n, ErrNews
	}
	n.Raw, b = b[:size:size], b[size:]
	count := int(b[0])
	if b = b[1:]; count > MaxVouchers || len(b) != count*VoucherSize {
		return n, ErrNews
	}
	for range count {
		v, err := ParseVoucher(b[:VoucherSize])
		if err != nil {
			return n, err
		}
		n.Vouchers, b = append(n.Vouchers, v), b[VoucherSize:]
	}
	return n, nil
}

// rank is the order of examiners: the lowest for a relay and a day are its own.
func rank(day uint32, relay, examiner wire.NodeID) [sha256.Size]byte {
	b := binary.BigEndian.AppendUint32([]byte(examinerLabel), day)
	b = append(b, relay[:]...)
	return sha256.Sum256(append(b, examiner[:]...))
}

// A bar is the highest rank that an examiner of a relay may have on a day.
type bar struct {
	day   uint32
	relay wire.NodeID
	high  [sha256.Size]byte
	open  bool // there are too few relays for one
}

// barOf returns the bar that the lowest n of some relays are below. It ranks each relay
// once, however many examiners are held against it.
func barOf(n int, day uint32, relay wire.NodeID, all []*directory.Descriptor) bar {
	b := bar{day: day, relay: relay}
	var lowest [][sha256.Size]byte // in order
	for _, d := range all {
		if d.ID == relay {
			continue
		}
		own := rank(day, relay, d.ID)
		if len(lowest) == n && bytes.Compare(own[:], lowest[n-1][:]) > 0 {
			continue
		}
		i, _ := slices.BinarySearchFunc(lowest, own, func(a, b [sha256.Size]byte) int { return bytes.Compare(a[:], b[:]) })
		lowest = slices.Insert(lowest, i, own)
		lowest = lowest[:min(n, len(lowest))]
	}

	if b.open = len(all) <= n; !b.open {
		b.high = lowest[n-1]
	}
	return b
}

// holds reports whether an examiner is among the lowest.
func (b bar) holds(examiner wire.NodeID) bool {
	own := rank(b.day, b.relay, examiner)
	return b.open || bytes.Compare(own[:], b.high[:]) <= 0
}
