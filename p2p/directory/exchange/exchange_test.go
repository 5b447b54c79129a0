package exchange

import (
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
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

// pair is two exchanges with frames that reach each other at once, in order.
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
		Epoch:     directory.FirstEpoch(issued),
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
	// A neighbour that asks back gets nothing from an exchange that does not serve.
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

// restart gives a neighbour a new directory with its former entries.
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

// TestPullFromOthers: the owner of a list from one neighbour gets only the
// difference from another, and from one that restarted; but all of it, also old
// descriptors.
func TestPullFromOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := wire.NodeID{1}, wire.NodeID{2}
		s := newStar(a, b)
		const relays = 500 // about 63 pages
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
		if added, frames := s.pull(t, b); added != 100 || frames > 15 {
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

// answering is an exchange with a neighbour that handles requests by answer.
func answering(answer func(x *Exchange, from wire.NodeID, r directory.Request)) (*Exchange, wire.NodeID) {
	peer := wire.NodeID{7}
	var x *Exchange
	x = New(Config{Directory: directory.New(directory.Config{}), Send: func(_ wire.NodeID, f *wire.Frame) error {
		r, err := directory.ParseRequest(f.Body())
		if err == nil {
			go answer(x, peer, r)
		}
		return err
	}})
	return x, peer
}

// TestDragged: a neighbour that hands out its list as slowly as it may, in pages
// with nothing or little, holds us for ListTimeout. Entries that came count.
func TestDragged(t *testing.T) {
	for name, every := range map[string]time.Duration{"one in 4.9 s": 4900 * time.Millisecond, "one a second": time.Second} {
		for _, state := range []directory.PageState{directory.PageFollows, directory.PagePause} {
			t.Run(fmt.Sprint(name, state), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					ctx, stop := context.WithCancel(t.Context())
					defer stop()
					n := 0
					x, peer := answering(func(x *Exchange, from wire.NodeID, r directory.Request) {
						for ctx.Err() == nil {
							time.Sleep(every)
							n++
							p := directory.Page{Nonce: r.Nonce, Instance: [8]byte{1}, Stamp: uint64(n), Time: time.Now(), State: state,
								Entries: []directory.Entry{{Raw: descriptor(t, n, 1)}}}
							f, _ := wire.NewFrame(wire.TypeListPage, p.Append(nil))
							x.Handle(from, f)
							if state == directory.PagePause {
								return
							}
						}
					})
					began := time.Now()
					added, err := x.Pull(ctx, peer)
					if took := time.Since(began); !errors.Is(err, ErrTimeout) || took > ListTimeout || added < 3 {
						t.Errorf("%d added in %v: %v", added, took, err)
					}
					if x.marks[peer].stamp != uint64(added) {
						t.Errorf("goes on at %d after %d", x.marks[peer].stamp, added)
					}
					stop()
					time.Sleep(every)
				})
			})
		}
	}
}

// TestFastEnough: a neighbour that sends all the time has twice as long, and no longer.
func TestFastEnough(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		raw := descriptor(t, 1, 1)
		x, peer := answering(func(x *Exchange, from wire.NodeID, r directory.Request) {
			for i := uint64(1); ctx.Err() == nil; i++ {
				time.Sleep(100 * time.Millisecond)
				p := directory.Page{Nonce: r.Nonce, Stamp: i, Time: time.Now(), Entries: []directory.Entry{{Raw: raw}}}
				f, _ := wire.NewFrame(wire.TypeListPage, p.Append(nil))
				x.Handle(from, f)
			}
		})
		began := time.Now()
		if _, err := x.Pull(ctx, peer); !errors.Is(err, ErrTimeout) || time.Since(began) != SlowTimeout {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
		stop()
		time.Sleep(time.Second)
	})
}

// asked asks n times for a whole list and returns how many pages came, and how
// many times to ask another.
func asked(x *Exchange, frames *[]*wire.Frame, from wire.NodeID, n int) (pages, later int) {
	for range n {
		*frames = nil
		f, _ := wire.NewFrame(wire.TypeListRequest, directory.Request{Nonce: 1, Pages: directory.MaxPages}.Append(nil))
		x.Handle(from, f)
		for _, f := range *frames {
			if p, err := directory.ParsePage(f.Body()); err == nil && p.State == directory.PageLater {
				later++
			} else if err == nil {
				pages++
			}
		}
	}
	return pages, later
}

// TestAskedTooMuch: an asker without end is told to ask another, under one name or a
// thousand of one network, and others are not held up.
func TestAskedTooMuch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := directory.New(directory.Config{})
		for n := range 300 {
			if err := d.Add(descriptor(t, n, 1)); err != nil {
				t.Fatal(err)
			}
		}
		var frames []*wire.Frame
		x := New(Config{Directory: d, Serve: true,
			Network: func(id wire.NodeID) netip.Prefix { return netip.PrefixFrom(netip.AddrFrom4([4]byte{id[0]}), 24) },
			Send:    func(_ wire.NodeID, f *wire.Frame) error { frames = append(frames, f); return nil }})
		whole, _ := asked(x, &frames, wire.NodeID{1, 1}, 2) // in two answers at least
		if whole < 300/8 {
			t.Fatalf("%d pages", whole)
		}
		pages, later := asked(x, &frames, wire.NodeID{1, 1}, 1000)
		if pages > 4*directory.MaxPages || later < 900 {
			t.Errorf("one asker: %d pages, %d times later", pages, later)
		}
		time.Sleep(AnswerEvery)
		if pages, _ := asked(x, &frames, wire.NodeID{1, 1}, 10); pages < directory.MaxPages/2 || pages > directory.MaxPages+1 {
			t.Errorf("a while after: %d pages", pages)
		}
		// New names cost nothing; the network's share is 1 MB a minute.
		pages = 0
		for n := range 2000 {
			p, _ := asked(x, &frames, wire.NodeID{1, 2, byte(n), byte(n >> 8)}, 1)
			pages += p
		}
		if most := 2*(300/perPage+2) + groupOver; pages > most {
			t.Errorf("two thousand names: %d pages, more than %d", pages, most)
		}
		if pages, later := asked(x, &frames, wire.NodeID{2}, 2); pages < whole || later > 0 {
			t.Errorf("another network: %d pages, %d times later", pages, later)
		}
		if len(x.rates.peers) > maxRates {
			t.Errorf("%d askers are remembered", len(x.rates.peers))
		}
	})
}

// TestPaidLists: an asker uses up what its network has. A newcomer of that network works
// for the whole list and gets it, once in a while; who lies about a stamp gets nothing, and
// the price grows with what the network buys.
func TestPaidLists(t *testing.T) {
	const bits = 6
	synctest.Test(t, func(t *testing.T) {
		d := directory.New(directory.Config{})
		for n := range 300 {
			if err := d.Add(descriptor(t, n, 1)); err != nil {
				t.Fatal(err)
			}
		}
		relay := wire.NodeID{9}
		var hear func(from wire.NodeID, f *wire.Frame)
		server := New(Config{Directory: d, Serve: true, Self: relay, Bits: bits,
			Network: func(id wire.NodeID) netip.Prefix { return netip.PrefixFrom(netip.AddrFrom4([4]byte{id[0]}), 24) },
			Send:    func(to wire.NodeID, f *wire.Frame) error { hear(to, f); return nil }})
		ask := func(id wire.NodeID, stamp uint64) (pages int, price byte) {
			hear = func(_ wire.NodeID, f *wire.Frame) {
				if p, err := directory.ParsePage(f.Body()); err != nil {
					t.Error(err)
				} else if p.State != directory.PageLater {
					pages++
				} else {
					price = p.Price
				}
			}
			f, _ := wire.NewFrame(wire.TypeListRequest, directory.Request{Nonce: 1, Pages: directory.MaxPages, Stamp: stamp}.Append(nil))
			server.Handle(id, f)
			return pages, price
		}
		buy := func(id wire.NodeID, bits int) uint64 {
			offer := listOffer(relay, id, periodOf(time.Now()))
			n, err := offer.Find(t.Context(), bits)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		name := 0
		fresh := func() wire.NodeID { name++; return wire.NodeID{1, 2, byte(name), byte(name >> 8)} }
		useUp := func() { // the attacker
			for price := byte(0); price == 0; {
				_, price = ask(fresh(), 0)
			}
		}
		useUp()

		// Lies.
		id := fresh()
		offer := listOffer(relay, id, periodOf(time.Now()))
		lie := uint64(1)
		for offer.Bits(lie) >= bits-1 {
			lie++
		}
		if pages, price := ask(id, lie); pages > 0 || price != bits {
			t.Errorf("a number that is no stamp: %d pages for %d bits", pages, price)
		}
		if pages, _ := ask(fresh(), buy(id, bits)); pages > 0 {
			t.Errorf("the stamp of another: %d pages", pages)
		}

		// A newcomer, twice.
		client := func(id wire.NodeID, needed bool) (int, error) {
			mine := directory.New(directory.Config{})
			x := New(Config{Directory: mine, Self: id, Pay: Sparingly(func() bool { return needed }),
				Send: func(to wire.NodeID, f *wire.Frame) error { server.Handle(id, f); return nil }})
			hear = func(_ wire.NodeID, f *wire.Frame) { x.Handle(relay, f) }
			return x.Pull(t.Context(), relay)
		}
		id = fresh()
		if _, err := client(id, false); !errors.Is(err, ErrLater) {
			t.Errorf("without need: %v", err)
		}
		if n, err := client(id, true); n != 300 || err != nil {
			t.Errorf("%d relays for a stamp: %v", n, err)
		}
		left := 0
		for range 6 {
			time.Sleep(AnswerEvery)
			useUp()
			pages, _ := ask(id, buy(id, bits+4))
			left += pages
		}
		if left > 3*directory.MaxPages {
			t.Errorf("%d pages more for other stamps of the period", left)
		}

		// A network that buys much pays more, until it has not for a while.
		first := 0
		for range 64 {
			id := fresh()
			_, price := ask(id, 0)
			if first == 0 {
				first = int(price)
			}
			ask(id, buy(id, int(price)))
		}
		_, price := ask(fresh(), 0)
		if int(price) < first+3 {
			t.Errorf("%d bits before 64 more lists, %d after", first, price)
		}
		server.rates.groups[netip.PrefixFrom(netip.AddrFrom4([4]byte{1}), 24)].SetBurst(0) // the attacker goes on
		time.Sleep(time.Hour)
		if _, price := ask(fresh(), 0); price != bits {
			t.Errorf("%d bits an hour after", price)
		}
	})
}

// TestPriceOfALie: an asker pays no price beyond its bound, once for a list, and once a
// minute whatever neighbours say.
func TestPriceOfALie(t *testing.T) {
	for name, c := range map[string]struct {
		price    byte
		requests int
	}{"none": {0, 1}, "small": {4, 2}, "too high": {maxBits + 1, 1}, "highest": {255, 1}} {
		synctest.Test(t, func(t *testing.T) {
			requests := 0
			x, peer := answering(func(x *Exchange, from wire.NodeID, r directory.Request) {
				requests++
				f, _ := wire.NewFrame(wire.TypeListPage, directory.New(directory.Config{}).Later(r, c.price).Append(nil))
				x.Handle(from, f)
			})
			x.cfg.Pay = Sparingly(func() bool { return true })
			for range 3 {
				if _, err := x.Pull(t.Context(), peer); !errors.Is(err, ErrLater) {
					t.Errorf("%s: %v", name, err)
				}
			}
			if requests != c.requests+2 {
				t.Errorf("%s: %d requests of three looks", name, requests)
			}
			time.Sleep(payEvery)
			if x.Pull(t.Context(), peer); requests != 2*c.requests+2 {
				t.Errorf("%s: %d requests a minute later", name, requests)
			}
		})
	}
}

// TestLater: an asker that is told to ask another does not wait.
func TestLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x, peer := answering(func(x *Exchange, from wire.NodeID, r directory.Request) {
			f, _ := wire.NewFrame(wire.TypeListPage, directory.New(directory.Config{}).Later(r, 0).Append(nil))
			x.Handle(from, f)
		})
		began := time.Now()
		if _, err := x.Pull(t.Context(), peer); !errors.Is(err, ErrLater) || time.Since(began) > 0 {
			t.Errorf("after %v: %v", time.Since(began), err)
		}
	})
}

// TestHeard: a page tells the time of its sender, and since when it knows a relay.
func TestHeard(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(false)
		var at time.Time
		p.a.cfg.Heard = func(from wire.NodeID, now time.Time, _ time.Duration) {
			if from == p.idB {
				at = now
			}
		}
		raw, other := descriptor(t, 1, 1), descriptor(t, 2, 1)
		p.dirB.Add(raw)
		p.dirB.Add(other)
		id := directory.Entry{Raw: raw}.ID()
		p.dirB.Reached(id, time.Now().Add(-90*time.Minute))
		time.Sleep(time.Hour)
		if _, err := p.a.Pull(t.Context(), p.idB); err != nil || at.IsZero() || time.Since(at) >= time.Second {
			t.Errorf("it is %v: %v", at, err)
		}
		if age := time.Since(p.dirA.Since(id)); age != 150*time.Minute {
			t.Errorf("known for %v", age)
		}
		// A relay that was vouched for is reached later: followers are told.
		id = directory.Entry{Raw: other}.ID()
		if !p.dirA.Since(id).IsZero() {
			t.Error("reached by nobody, and known to be")
		}
		p.dirB.Reached(id, time.Now())
		if _, err := p.a.Pull(t.Context(), p.idB); err != nil || p.dirA.Since(id).IsZero() {
			t.Errorf("not told that it was reached: %v", err)
		}
	})
}

// TestHostileNeighbour: pages that are forged, damaged, unasked or missing
// cost a count and end the pull.
func TestHostileNeighbour(t *testing.T) {
	forged := func(p *directory.Page) {
		raw := descriptor(t, 1, 1)
		raw[len(raw)-1] ^= 1
		p.Entries = []directory.Entry{{Raw: raw}}
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
		"forged":      {page(forged), ErrRefused, "list: forged descriptor"},
		"other nonce": {page(func(p *directory.Page) { p.Nonce++ }), ErrTimeout, "list: unasked page"},
		"nonce 0":     {page(func(p *directory.Page) { p.Nonce = 0 }), ErrTimeout, "list: unasked page"},
		"no page":     {func(*wire.Frame) *wire.Frame { return junk }, ErrTimeout, "list: malformed page"},
		"silence":     {func(*wire.Frame) *wire.Frame { return nil }, ErrTimeout, ""},
		"without end": {page(func(p *directory.Page) { p.State = directory.PagePause }), ErrTimeout, "list: malformed page"},
		"empty": {func(f *wire.Frame) *wire.Frame {
			p, _ := directory.ParsePage(f.Body())
			p.State, p.Entries = directory.PageFollows, nil
			f, _ = wire.NewFrame(wire.TypeListPage, p.Append(nil))
			return f
		}, ErrTimeout, "list: malformed page"},
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

// TestRestart: entries refused by a wrong clock come once more.
func TestRestart(t *testing.T) {
	x := New(Config{})
	x.remember(wire.NodeID{1}, mark{stamp: 7}, time.Now())
	x.Restart()
	if len(x.marks) != 0 || !x.whole.IsZero() {
		t.Error("a neighbour is read on where it was left")
	}
}

// TestPageOfAnother: a neighbour that was not asked cannot answer for another, though it
// knows the number of the question.
func TestPageOfAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPair(false)
		p.dirB.Add(descriptor(t, 2, 1))
		p.edit = func(f *wire.Frame) *wire.Frame {
			p.a.Handle(wire.NodeID{3}, f)
			return nil
		}
		if n, err := p.a.Pull(t.Context(), p.idB); n != 0 || !errors.Is(err, ErrTimeout) {
			t.Errorf("%d entries, %v", n, err)
		}
		if p.counts["list: unasked page"] == 0 || len(p.dirA.Snapshot().Relays) != 0 {
			t.Errorf("counted %v, listed %d", p.counts, len(p.dirA.Snapshot().Relays))
		}
	})
}
