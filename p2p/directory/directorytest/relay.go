// Package directorytest has relays that sign their descriptors, for tests of those who read
// lists of them.
package directorytest

import (
	"crypto/ed25519"
	"encoding/binary"
	"net/netip"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"

	"starling/p2p/directory"
	"starling/p2p/outfox"
	"starling/p2p/wire"
)

// A Relay says the same again, as relays do: with new times, and a key for each new day.
type Relay struct {
	D   directory.Descriptor
	key crypto.PrivKey
}

// NewRelay returns the relay of a number: always of the same id, and in a /24 of its own.
func NewRelay(tb testing.TB, n int) *Relay {
	tb.Helper()
	var seed [ed25519.SeedSize]byte
	binary.BigEndian.PutUint64(seed[:], uint64(n)+1)
	key, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(seed[:]))
	if err != nil {
		tb.Fatal(err)
	}
	r := &Relay{key: key}
	if r.D.ID, err = wire.NodeIDFromKey(key.GetPublic()); err != nil {
		tb.Fatal(err)
	}
	r.D.Capacity = 1
	r.Move(n, 0)
	r.Restart(tb)
	return r
}

// Move gives the relay of a number another address, in the same /24.
func (r *Relay) Move(n, times int) {
	ip := netip.AddrFrom4([4]byte{11, byte(n >> 8), byte(n), byte(1 + times)})
	r.D.Addresses = []directory.Address{{AddrPort: netip.AddrPortFrom(ip, 1)}}
}

// Restart draws other keys.
func (r *Relay) Restart(tb testing.TB) {
	tb.Helper()
	for i := range r.D.Keys {
		r.D.Keys[i] = newKey(tb)
	}
}

func newKey(tb testing.TB) outfox.PublicKey {
	tb.Helper()
	k, err := outfox.NewPrivateKey()
	if err != nil {
		tb.Fatal(err)
	}
	return k.Public()
}

// Say signs a descriptor of a time.
func (r *Relay) Say(tb testing.TB, now time.Time) []byte {
	tb.Helper()
	r.D.Sequence = max(r.D.Sequence+1, uint64(now.UnixMilli()))
	r.D.Issued, r.D.Expires = now, now.Add(directory.MaxLifetime)

	for epoch := directory.FirstEpoch(now); r.D.Epoch < epoch; r.D.Epoch++ {
		if r.D.Epoch+3 <= epoch {
			r.D.Epoch = epoch - 1
		}
		copy(r.D.Keys[:], r.D.Keys[1:])
		r.D.Keys[2] = newKey(tb)
	}

	if err := r.D.Promise(r.key); err != nil {
		tb.Fatal(err)
	}
	raw, err := r.D.Sign(r.key)
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}
