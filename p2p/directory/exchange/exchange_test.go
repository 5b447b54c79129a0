package exchange

import (
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"

	"starling/p2p/directory"
	"starling/p2p/outfox"
	"starling/p2p/wire"
)

// pair is two exchanges whose frames reach each other at once, in order.
type pair struct {
	a, b       *Exchange
	dirA, dirB *directory.Directory
	idA, idB   wire.NodeID
	mu         sync.Mutex
	toA, toB   int // frames
	edit       func(*wire.Frame) *wire.Frame
	counts     map[string]int
}

func newPair(serveA bool) *pair {
	p := &pair{idA: wire.NodeID{1}, idB: wire.NodeID{2}, counts: map[string]int{}}
	p.dirA = directory.New(directory.Config{})
	p.dirB = directory.New(directory.Config{})
	count := func(reason string) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.counts[reason]++
	}
	p.a = New(Config{Directory: p.dirA, Serve: serveA, Count: count, Send: func(_ wire.NodeID, f *wire.Frame) error {
		p.mu.Lock()
		p.toB++
		p.mu.Unlock()
		p.b.Handle(p.idA, f)
		return nil
	}})
	p.b = New(Config{Directory: p.dirB, Serve: true, Count: count, Send: func(_ wire.NodeID, f *wire.Frame) error {
		p.mu.Lock()
		p.toA++
		edit := p.edit
		p.mu.Unlock()
		if edit != nil {
			f = edit(f)
		}
		if f != nil {
			p.a.Handle(p.idB, f)
		}
		return nil
	}})
	return p
}

func descriptor(tb testing.TB, n int, seq uint64) []byte {
	tb.Helper()
	var seed [ed25519.SeedSize]byte
	binary.BigEndian.PutUint64(seed[:], uint64(n)+1)
	key, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(seed[:]))
	if err != nil {
		tb.Fatal(err)
	}
	id, _ := wire.NodeIDFromKey(key.GetPublic())
	d := directory.Descriptor{
		ID: id, Sequence: seq, Issued: time.Now(), Expires: time.Now().Add(time.Hour), Capacity: 1,
		Epoch:     uint32(outfox.EpochAt(time.Now())),
		Addresses: []directory.Address{{AddrPort: netip.AddrPortFrom(netip.AddrFrom4([4]byte{11, byte(n >> 8), byte(n), 1}), 1)}},
	}
	for i := range d.Keys {
		k, err := outfox.NewPrivateKey()
		if err != nil {
			tb.Fatal(err)
		}
		d.Keys[i] = k.Public()
	}
	raw, err := d.Sign(key)
	if err != nil {
		tb.Fatal(err)
	}
	return raw
}

func TestPull(t *testing.T) {
	p := newPair(false)
	const n = 400 // more than one answer holds
	for i := range n {
		if err := p.dirB.Add(descriptor(t, i, 1)); err != nil {
			t.Fatal(err)
		}
	}
	if added, err := p.a.Pull(t.Context(), p.idB); err != nil || added != n {
		t.Fatalf("%d added: %v", added, err)
	}
	if p.dirA.Snapshot().Digest != p.dirB.Snapshot().Digest {
		t.Error("digests differ")
	}
	// When nothing is new, one frame each way.
	p.toA, p.toB = 0, 0
	if added, err := p.a.Pull(t.Context(), p.idB); err != nil || added != 0 || p.toA != 1 || p.toB != 1 {
		t.Errorf("nothing new: %d added, %d frames, %v", added, p.toA, err)
	}
	if err := p.dirB.Add(descriptor(t, 7, 2)); err != nil {
		t.Fatal(err)
	}
	p.toA = 0
	if added, err := p.a.Pull(t.Context(), p.idB); err != nil || added != 1 || p.toA != 1 {
		t.Errorf("one new: %d added, %d frames, %v", added, p.toA, err)
	}
	// A neighbour that asks back gets nothing from who does not serve.
	if _, err := p.b.Pull(timeout(t, 50*time.Millisecond), p.idA); err == nil {
		t.Error("a client answered")
	}
	if p.counts["list: refused request"] != 1 {
		t.Errorf("counts: %v", p.counts)
	}
}

func timeout(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// TestPush: who has asked is told what is new, and nobody else.
func TestPush(t *testing.T) {
	p := newPair(false)
	p.dirB.Add(descriptor(t, 1, 1))
	p.b.Push(p.idA)
	if p.toA != 0 {
		t.Error("told without having asked")
	}
	p.a.Pull(t.Context(), p.idB)
	p.dirB.Add(descriptor(t, 1, 2))
	p.dirB.Add(descriptor(t, 2, 1))
	p.b.Push(p.idA)
	if p.dirA.Snapshot().Digest != p.dirB.Snapshot().Digest {
		t.Error("not told all")
	}
	p.toA = 0
	if added, err := p.a.Pull(t.Context(), p.idB); added != 0 || err != nil || p.toA != 1 {
		t.Errorf("pull after: %d, %v", added, err)
	}
	p.b.Forget(p.idA)
	p.dirB.Add(descriptor(t, 3, 1))
	if p.b.Push(p.idA); len(p.dirA.Snapshot().Relays) != 2 {
		t.Error("told after it had gone")
	}
}

// TestHostileNeighbour: pages that are forged, damaged, unasked or missing
// cost a count and end the pull.
func TestHostileNeighbour(t *testing.T) {
	forged := func(p *directory.Page) {
		raw := descriptor(t, 1, 1)
		raw[len(raw)-1] ^= 1
		p.Descriptors = [][]byte{raw}
	}
	junk, _ := wire.NewFrame(wire.TypeListPage, []byte("x"))
	page := func(edit func(*directory.Page)) func(*wire.Frame) *wire.Frame {
		return func(f *wire.Frame) *wire.Frame {
			p, err := directory.ParsePage(f.Body())
			if err != nil {
				t.Fatal(err)
			}
			edit(p)
			f, _ = wire.NewFrame(wire.TypeListPage, p.Append(nil))
			return f
		}
	}
	for name, c := range map[string]struct {
		edit   func(*wire.Frame) *wire.Frame
		want   error
		reason string
	}{
		"forged":       {page(forged), ErrRefused, "list: forged descriptor"},
		"other nonce":  {page(func(p *directory.Page) { p.Nonce++ }), ErrTimeout, "list: unasked page"},
		"nonce 0":      {page(func(p *directory.Page) { p.Nonce = 0 }), ErrTimeout, "list: unasked page"},
		"no page":      {func(*wire.Frame) *wire.Frame { return junk }, ErrTimeout, "list: malformed page"},
		"silence":      {func(*wire.Frame) *wire.Frame { return nil }, ErrTimeout, ""},
		"without end":  {page(func(p *directory.Page) { p.State = directory.PagePause }), ErrRefused, ""},
		"more to come": {page(func(p *directory.Page) { p.State = directory.PageFollows }), ErrTimeout, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPair(false)
				p.dirB.Add(descriptor(t, 2, 1))
				p.edit = c.edit
				if _, err := p.a.Pull(t.Context(), p.idB); !errors.Is(err, c.want) {
					t.Errorf("pull: %v", err)
				}
				if c.reason != "" && p.counts[c.reason] == 0 {
					t.Errorf("counts: %v", p.counts)
				}
			})
		})
	}
}
