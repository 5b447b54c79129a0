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
	return descriptorOf(tb, n, seq, time.Now())
}

func descriptorOf(tb testing.TB, n int, seq uint64, issued time.Time) []byte {
	tb.Helper()
	var seed [ed25519.SeedSize]byte
	binary.BigEndian.PutUint64(seed[:], uint64(n)+1)
	key, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(seed[:]))
	if err != nil {
		tb.Fatal(err)
	}
	id, _ := wire.NodeIDFromKey(key.GetPublic())
	d := directory.Descriptor{
		ID: id, Sequence: seq, Issued: issued, Expires: issued.Add(2 * time.Hour), Capacity: 1,
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

// star is one exchange that asks several neighbours, and counts frames.
type star struct {
	x      *Exchange
	dir    *directory.Directory
	others map[wire.NodeID]*Exchange
	dirs   map[wire.NodeID]*directory.Directory
	frames int // to the one in the middle
}

func newStar(neighbours ...wire.NodeID) *star {
	s := &star{dir: directory.New(directory.Config{}), others: map[wire.NodeID]*Exchange{}, dirs: map[wire.NodeID]*directory.Directory{}}
	me := wire.NodeID{99}
	s.x = New(Config{Directory: s.dir, Send: func(to wire.NodeID, f *wire.Frame) error {
		s.others[to].Handle(me, f)
		return nil
	}})
	for _, id := range neighbours {
		s.restart(id)
	}
	return s
}

// restart gives a neighbour a new directory with what it had.
func (s *star) restart(id wire.NodeID) {
	d := directory.New(directory.Config{})
	if old := s.dirs[id]; old != nil {
		for _, raw := range old.Raw(directory.MaxRelays) {
			d.Add(raw)
		}
	}
	s.dirs[id] = d
	s.others[id] = New(Config{Directory: d, Serve: true, Send: func(_ wire.NodeID, f *wire.Frame) error {
		s.frames++
		s.x.Handle(id, f)
		return nil
	}})
}

func (s *star) pull(t *testing.T, from wire.NodeID) (added, frames int) {
	t.Helper()
	s.frames = 0
	added, err := s.x.Pull(t.Context(), from)
	if err != nil {
		t.Fatal(err)
	}
	if s.dir.Snapshot().Digest != s.dirs[from].Snapshot().Digest {
		t.Error("not all was read")
	}
	return added, s.frames
}

// Who has a list from one neighbour gets only the difference from another, and
// from one that restarted; but all of it, also what is old.
func TestPullFromOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := wire.NodeID{1}, wire.NodeID{2}
		s := newStar(a, b)
		const relays = 500 // about 45 pages
		add := func(raw []byte, to ...wire.NodeID) {
			for _, id := range to {
				if err := s.dirs[id].Add(raw); err != nil {
					t.Fatal(err)
				}
			}
		}
		for n := range relays {
			add(descriptor(t, n, 1), a, b)
		}
		time.Sleep(time.Hour)
		if added, frames := s.pull(t, a); added != relays || frames < 40 {
			t.Fatalf("newcomer: %d added, %d frames", added, frames)
		}
		if added, frames := s.pull(t, b); added != 0 || frames != 1 {
			t.Errorf("same list elsewhere: %d added, %d frames", added, frames)
		}
		s.x.marks = map[wire.NodeID]mark{} // as if it had asked neither

		time.Sleep(30 * time.Minute)
		for n := range 100 { // in so many buckets that a sketch alone would not do
			add(descriptor(t, n, 2), a, b)
		}
		if added, frames := s.pull(t, b); added != 100 || frames > 11 {
			t.Errorf("a hundred new ones elsewhere: %d added, %d frames", added, frames)
		}
		s.restart(b)
		add(descriptor(t, 106, 2), a, b)
		if added, frames := s.pull(t, b); added != 1 || frames > 16+3 {
			t.Errorf("one new one after a restart: %d added, %d frames", added, frames)
		}
		// The other half of a mesh that was cut knows relays of long ago.
		c := wire.NodeID{3}
		s.restart(c)
		for _, raw := range s.dirs[b].Raw(relays) {
			add(raw, c)
		}
		for n := range 20 {
			add(descriptor(t, relays+n, 1), c)
		}
		time.Sleep(20 * time.Minute)
		s.pull(t, b) // so that what c alone has is too old to be asked for first
		if added, frames := s.pull(t, c); added != 20 || frames > 16 {
			t.Errorf("old ones of another half: %d added, %d frames", added, frames)
		}
	})
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
