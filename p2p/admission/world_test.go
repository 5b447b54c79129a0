package admission

import (
	"bytes"
	"crypto/ed25519"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"

	"starling/p2p/directory"
	"starling/p2p/outfox"
	"starling/p2p/wire"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// A relay signs descriptors and vouchers. Relay n always has the same identity, and
// an address in a /16 of its own.
type relay struct {
	key crypto.PrivKey
	d   directory.Descriptor
}

var mixKey = func() outfox.PublicKey {
	k, err := outfox.NewPrivateKey()
	if err != nil {
		panic(err)
	}
	return k.Public()
}()

func newRelay(tb testing.TB, n int) *relay {
	tb.Helper()
	var seed [ed25519.SeedSize]byte
	binary.BigEndian.PutUint64(seed[:], uint64(n)+1)
	key, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(seed[:]))
	if err != nil {
		tb.Fatal(err)
	}
	id, err := wire.NodeIDFromKey(key.GetPublic())
	if err != nil {
		tb.Fatal(err)
	}
	r := &relay{key, directory.Descriptor{ID: id, Sequence: 1, Issued: start, Expires: start.Add(directory.MaxLifetime), Capacity: 1,
		Epoch: directory.FirstEpoch(start), Keys: [3]outfox.PublicKey{mixKey, mixKey, mixKey}}}
	r.at(fmt.Sprintf("%d.%d.0.1:4001", 11+n/250, n%250))
	if err := r.d.Promise(key); err != nil {
		tb.Fatal(err)
	}
	return r
}

func (r *relay) at(addrs ...string) *relay {
	r.d.Addresses = nil
	for _, s := range addrs {
		r.d.Addresses = append(r.d.Addresses, directory.Address{AddrPort: netip.MustParseAddrPort(s)})
	}
	return r
}

func (r *relay) sign(tb testing.TB) []byte {
	tb.Helper()
	raw, err := r.d.Sign(r.key)
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

// vouch returns news of r with vouchers of others for its first address.
func (r *relay) vouch(tb testing.TB, day uint32, others ...*relay) News {
	tb.Helper()
	n := News{Raw: r.sign(tb)}
	for _, o := range others {
		v, err := Vouch(o.key, o.d.ID, n.Raw, 1, day)
		if err != nil {
			tb.Fatal(err)
		}
		n.Vouchers = append(n.Vouchers, v)
	}
	return n
}

// world is a register and the relays that it has reached, the first n.
type world struct {
	*Registrar
	dir    *directory.Directory
	now    time.Time
	relays []*relay
	seen   map[wire.NodeID]bool // dialled
}

func newWorld(tb testing.TB, n int) *world {
	tb.Helper()
	w := &world{now: start, seen: map[wire.NodeID]bool{}}
	clock := func() time.Time { return w.now }
	self := newRelay(tb, 9999)
	w.dir = directory.New(directory.Config{Now: clock})
	w.Registrar = New(Config{Directory: w.dir, Self: self.d.ID, Now: clock, Steady: clock,
		Reached: func(id wire.NodeID, at []directory.Address) byte {
			if w.seen[id] {
				return Dialable(at)
			}
			return 0
		}})
	for i := range n {
		r := newRelay(tb, i)
		w.relays = append(w.relays, r)
		if err := w.Reached(r.sign(tb)); err != nil {
			tb.Fatal(err)
		}
	}
	return w
}

// listed reports whether a relay stands in the list, and as reached.
func (w *world) listed(r *relay) (listed, reached bool) {
	_, listed = w.dir.Find(r.d.ID)
	return listed, !w.dir.Since(r.d.ID).IsZero()
}

// examiners returns the relays of the world by rank for one of them.
func (w *world) examiners(r *relay) []*relay {
	all := slices.Clone(w.relays)
	day := Day(w.now)
	slices.SortFunc(all, func(a, b *relay) int {
		x, y := rank(day, r.d.ID, a.d.ID), rank(day, r.d.ID, b.d.ID)
		return bytes.Compare(x[:], y[:])
	})
	return all
}
