package exchange

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"starling/p2p/directory"
	"starling/p2p/directory/directorytest"
	"starling/p2p/wire"
)

// A reader asks neighbours that are directories, and counts what comes.
type reader struct {
	x       *Exchange
	dir     *directory.Directory
	answers map[wire.NodeID]*directory.Directory
	edit    func(*directory.Request)
	lie     func(*directory.Page) // changes a page on its way

	requests, frames, names, renewals, wholes, taken int
}

func newReader(answers map[wire.NodeID]*directory.Directory) *reader {
	r := &reader{dir: directory.New(directory.Config{}), answers: answers}
	r.x = New(Config{Directory: r.dir, Send: func(to wire.NodeID, f *wire.Frame) error {
		q, err := directory.ParseRequest(f.Body())
		if err != nil {
			return err
		}
		if r.requests++; r.edit != nil {
			r.edit(&q)
		}
		r.answers[to].Answer(q, func(p *directory.Page) bool {
			if r.lie != nil {
				r.lie(p)
			}
			for _, e := range p.Entries {
				switch {
				case e.Names():
					r.names++
				case e.Renews():
					r.renewals++
				default:
					r.wholes++
				}
			}
			r.frames++
			f, err := wire.NewFrame(wire.TypeListPage, p.Append(nil))
			if err == nil {
				r.x.Handle(to, f)
			}
			return err == nil
		})
		return nil
	}, Take: func(_ wire.NodeID, e directory.Entry) error {
		r.taken++
		return r.dir.Take(e)
	}})
	return r
}

func (r *reader) pull(t *testing.T, from wire.NodeID) error {
	t.Helper()
	r.requests, r.frames, r.names, r.renewals, r.wholes, r.taken = 0, 0, 0, 0, 0, 0
	_, err := r.x.Pull(t.Context(), from)
	return err
}

func (r *reader) raws() [][]byte {
	all := r.dir.Raw(directory.MaxRelays)
	slices.SortFunc(all, bytes.Compare)
	return all
}

// inFull has a reader ask for whole descriptors only.
func inFull(q *directory.Request) { q.Whole = 0 }

// TestRenewalsAreAsGoodAsWholes plays random histories of relays, which renew, restart,
// move, leave and vanish, at neighbours that miss some of it and begin anew now and then.
// Who reads by renewals has the very descriptors of one who reads whole ones, always,
// from one neighbour or several, and though both refuse some.
func TestRenewalsAreAsGoodAsWholes(t *testing.T) {
	histories, steps := 6, 40
	if testing.Short() {
		histories, steps = 2, 20
	}
	for seed := range histories {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(uint64(seed), 1))
			ids := []wire.NodeID{{1}, {2}, {3}}[:1+seed%3]
			answers := map[wire.NodeID]*directory.Directory{}
			for _, id := range ids {
				answers[id] = directory.New(directory.Config{})
			}
			const most = 90 // more than narrowFrom
			relays := map[int]*directorytest.Relay{}
			refused := map[wire.NodeID]bool{}
			a, b := newReader(answers), newReader(answers)
			b.edit = inFull
			for _, r := range []*reader{a, b} {
				r.x.cfg.Take = func(_ wire.NodeID, e directory.Entry) error {
					if refused[e.ID()] {
						return directory.ErrCrowded
					}
					return r.dir.Take(e)
				}
			}

			spread := func(raw []byte, lost int) {
				for _, id := range ids {
					if rnd.IntN(100) >= lost {
						answers[id].Add(raw)
					}
				}
			}
			renewals, again := 0, 0
			for step := range steps {
				time.Sleep(time.Duration(rnd.IntN(8)) * time.Hour)
				for n := range most {
					r := relays[n]
					switch x := rnd.IntN(200); {
					case r == nil && x < 100:
						relays[n] = directorytest.NewRelay(t, n)
						spread(relays[n].Say(t, time.Now()), 2)
					case r == nil:
					case x < 50:
						spread(r.Say(t, time.Now()), 2)
					case x < 52:
						r.Restart(t)
						spread(r.Say(t, time.Now()), 2)
					case x < 54:
						r.Move(n, step)
						spread(r.Say(t, time.Now()), 2)
					case x < 55:
						r.D.Capacity = 0
						spread(r.Say(t, time.Now()), 2)
						r.D.Capacity = 1
					case x < 56:
						delete(relays, n)
					case x < 57 && seed%2 == 1:
						refused[r.D.ID] = !refused[r.D.ID]
					case x < 58: // found to be reachable later than listed
						answers[ids[0]].Reached(r.D.ID, time.Now())
					}
				}
				if id := ids[rnd.IntN(len(ids))]; rnd.IntN(10) == 0 {
					fresh := directory.New(directory.Config{})
					for _, raw := range answers[id].Raw(directory.MaxRelays) {
						fresh.Add(raw)
					}
					answers[id] = fresh
				}

				from := ids[rnd.IntN(len(ids))]
				for _, r := range []*reader{a, b} {
					if err := r.pull(t, from); err != nil {
						t.Fatalf("history %d, step %d: %v", seed, step, err)
					}
				}
				renewals += a.renewals
				again += max(0, a.requests-b.requests)
				if b.renewals > 0 {
					t.Fatal("renewals that nobody asked for")
				}
				if !slices.EqualFunc(a.raws(), b.raws(), bytes.Equal) {
					t.Fatalf("history %d, step %d: %d relays by renewals, %d by wholes", seed, step, len(a.raws()), len(b.raws()))
				}
			}
			if renewals < steps {
				t.Errorf("history %d: %d renewals only", seed, renewals)
			}
			if again > 0 && seed == 0 {
				t.Errorf("asked again %d times, though nothing was refused or came from elsewhere", again)
			}
			t.Logf("history %d: %d renewals, asked again %d times", seed, renewals, again)
		})
	}
}

// TestLacking: renewals of relays that an asker lacks, or has another descriptor of, are
// asked for as a whole, once and in the same look.
func TestLacking(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		id := wire.NodeID{1}
		answers := map[wire.NodeID]*directory.Directory{id: directory.New(directory.Config{})}
		relays := make([]*directorytest.Relay, 300)
		say := func() {
			for _, r := range relays {
				if err := answers[id].Add(r.Say(t, time.Now())); err != nil {
					t.Fatal(err)
				}
			}
		}
		for n := range relays {
			relays[n] = directorytest.NewRelay(t, n)
		}
		say()
		r := newReader(answers)
		if err := r.pull(t, id); err != nil || r.wholes != len(relays) {
			t.Fatalf("%d descriptors: %v", r.wholes, err)
		}
		time.Sleep(24 * time.Hour)
		say()
		if err := r.pull(t, id); err != nil || r.renewals != len(relays) || r.wholes != 0 || r.requests != 1 || r.frames != 14 {
			t.Fatalf("%d renewals, %d wholes in %d frames: %v", r.renewals, r.wholes, r.frames, err)
		}

		// It forgets one, another moved unheard, and one is known by a newer word.
		time.Sleep(24 * time.Hour)
		r.dir.Remove(relays[7].D.ID)
		relays[8].Move(8, 1)
		answers[id].Add(relays[8].Say(t, time.Now()))
		if err := r.pull(t, id); err != nil {
			t.Fatal(err)
		}
		r.dir.Remove(relays[8].D.ID)
		relays[8].Move(8, 0)
		r.dir.Add(relays[8].Say(t, time.Now()))
		relays[8].Move(8, 1)
		time.Sleep(time.Second)
		say()
		relays[9].D.Sequence++
		r.dir.Add(relays[9].Say(t, time.Now()))
		if err := r.pull(t, id); err != nil || r.requests != 2 || r.renewals != len(relays) || r.wholes < 2 || r.wholes > 12 {
			t.Errorf("%d renewals, then %d wholes with %d requests: %v", r.renewals, r.wholes, r.requests, err)
		}
		for _, s := range relays[:9] {
			if !bytes.Equal(r.dir.Signed(s.D.ID), answers[id].Signed(s.D.ID)) {
				t.Error("a relay is still lacking")
			}
		}

		// What is lacking when an answer breaks off is asked for at the next look.
		time.Sleep(time.Hour)
		r.dir.Remove(relays[7].D.ID)
		say()
		r.lie = func(p *directory.Page) {
			if r.frames == 8 {
				p.State, p.Entries = directory.PageLater, nil
			}
		}
		if err := r.pull(t, id); !errors.Is(err, ErrLater) {
			t.Errorf("asked too much: %v", err)
		}
		r.lie = nil
		if err := r.pull(t, id); err != nil || !bytes.Equal(r.dir.Signed(relays[7].D.ID), answers[id].Signed(relays[7].D.ID)) {
			t.Errorf("not asked for at the next look: %v", err)
		}
		if d, ok := r.dir.Find(relays[9].D.ID); !ok || d.Sequence != relays[9].D.Sequence {
			t.Error("a newer descriptor was lost")
		}
	})
}

// TestFalseRenewals: pages of renewals that are of nobody, or that nobody signed, cost an
// asker a few signatures and one request more for a look, however many come; renewals
// that were not asked for end it. Nothing false is taken, nothing is lost.
func TestFalseRenewals(t *testing.T) {
	id := wire.NodeID{1}
	rnd := rand.NewChaCha8([32]byte{9})
	random := func(n int) []byte {
		b := make([]byte, n)
		rnd.Read(b)
		return b
	}
	for name, c := range map[string]struct {
		lie   func(r *reader, p *directory.Page)
		err   error
		taken int
	}{
		"of nobody": {func(r *reader, p *directory.Page) {
			for range 22 {
				p.Entries = append(p.Entries, directory.Entry{Raw: random(104)})
			}
		}, nil, 0},
		"unsigned": {func(r *reader, p *directory.Page) {
			for i, e := range p.Entries {
				if e.Renews() {
					p.Entries[i].Raw = slices.Concat(e.Raw[:40], random(64))
				}
			}
		}, nil, maxUnfit},
		"at any time": {func(r *reader, p *directory.Page) {
			for i, e := range p.Entries {
				if e.Renews() {
					p.Entries[i].Raw = slices.Concat(e.Raw[:4], random(4), e.Raw[8:])
				}
			}
		}, nil, maxUnfit},
		"that nobody asked for": {func(r *reader, p *directory.Page) {
			if r.requests > 1 {
				p.Entries = []directory.Entry{{Raw: random(104)}}
				p.State = directory.PageLast
			} else {
				p.Entries = []directory.Entry{{Raw: random(104)}}
			}
		}, ErrRefused, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				answers := map[wire.NodeID]*directory.Directory{id: directory.New(directory.Config{})}
				relays := make([]*directorytest.Relay, 100)
				for n := range relays {
					relays[n] = directorytest.NewRelay(t, n)
					answers[id].Add(relays[n].Say(t, time.Now()))
				}
				r := newReader(answers)
				if err := r.pull(t, id); err != nil {
					t.Fatal(err)
				}
				before := r.raws()
				time.Sleep(24 * time.Hour)
				signed := map[string]bool{}
				for _, raw := range before {
					signed[string(raw)] = true
				}
				for _, s := range relays {
					raw := s.Say(t, time.Now())
					signed[string(raw)] = true
					answers[id].Add(raw)
				}
				pages := 0
				r.lie = func(p *directory.Page) {
					if pages++; pages <= 16 && len(p.Entries) > 0 || c.err != nil {
						c.lie(r, p)
						// A page holds no more than fits.
						for len(p.Append(nil)) > wire.MaxBody {
							p.Entries = p.Entries[:len(p.Entries)-1]
						}
					}
				}
				err := r.pull(t, id)
				if !errors.Is(err, c.err) {
					t.Fatalf("%v after %d requests", err, r.requests)
				}
				for _, raw := range r.raws() {
					if !signed[string(raw)] {
						t.Fatal("a descriptor that its relay did not sign")
					}
				}
				if err != nil {
					if !slices.EqualFunc(r.raws(), before, bytes.Equal) {
						t.Error("something was lost")
					}
					return
				}
				if r.requests != 2 || r.taken > len(relays)+c.taken {
					t.Errorf("%d requests, %d signatures", r.requests, r.taken)
				}
				if n := len(r.raws()); n != len(relays) {
					t.Errorf("%d relays", n)
				}
				if name != "of nobody" && r.dir.Snapshot().Digest != answers[id].Snapshot().Digest {
					t.Error("something is lacking")
				}
			})
		})
	}
}

// TestNamesTellNothing: an asker for names sends the same questions whether others bring
// it the descriptors or not, until twelve hours are over. Then it reads what is lacking.
// Names that were not asked for end the exchange.
func TestNamesTellNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		id := wire.NodeID{1}
		answers := map[wire.NodeID]*directory.Directory{id: directory.New(directory.Config{})}
		brings := directory.New(directory.Config{})
		relays := make([]*directorytest.Relay, 80)
		for n := range relays {
			relays[n] = directorytest.NewRelay(t, n)
		}
		say := func(some ...*directorytest.Relay) {
			for _, s := range some {
				raw := s.Say(t, time.Now())
				brings.Add(raw)
				if err := answers[id].Add(raw); err != nil {
					t.Fatal(err)
				}
			}
		}
		say(relays...)

		served, starved := newReader(answers), newReader(answers)
		asked := map[*reader][]directory.Request{}
		for _, r := range []*reader{served, starved} {
			r.x.cfg.Names = func() bool { return true }
			r.edit = func(q *directory.Request) {
				seen := *q
				seen.Nonce = 0
				asked[r] = append(asked[r], seen)
			}
			if err := r.pull(t, id); err != nil || r.wholes != len(relays) {
				t.Fatalf("%d descriptors: %v", r.wholes, err)
			}
		}
		look := func() {
			t.Helper()
			clear(asked)
			for _, r := range []*reader{served, starved} {
				if err := r.pull(t, id); err != nil {
					t.Fatal(err)
				}
			}
			served.dir.Resolve(brings)
		}
		same := func() bool {
			return slices.EqualFunc(asked[served], asked[starved], func(a, b directory.Request) bool { return bytes.Equal(a.Append(nil), b.Append(nil)) })
		}

		time.Sleep(24 * time.Hour)
		for hour := range 12 {
			say(relays[6*hour : 6*hour+6]...)
			if look(); !same() || served.names != 6 || served.renewals+served.wholes > 0 || served.frames != 1 {
				t.Fatalf("after %d hours: %d renewals, %d wholes, other questions: %v", hour, served.renewals, served.wholes, !same())
			}
			time.Sleep(time.Hour)
		}
		if d := answers[id].Snapshot().Digest; served.dir.Snapshot().Digest != d || starved.dir.Snapshot().Digest != d {
			t.Error("the digest tells")
		}
		if !bytes.Equal(served.dir.Signed(relays[0].D.ID), answers[id].Signed(relays[0].D.ID)) {
			t.Error("what was brought is not there")
		}

		time.Sleep(2 * time.Minute)
		if look(); starved.wholes == 0 || served.wholes > 0 {
			t.Errorf("after twelve hours: %d whole descriptors, %d for who lacks nothing", starved.wholes, served.wholes)
		}
		for _, s := range relays[:6] {
			if !bytes.Equal(starved.dir.Signed(s.D.ID), answers[id].Signed(s.D.ID)) {
				t.Error("something is still lacking")
			}
		}

		// A renewal of what was named ends the exchange for both, and while descriptors may be
		// borrowed both ask for whole ones.
		time.Sleep(24 * time.Hour)
		look()
		before := answers[id].Signed(relays[0].D.ID)
		say(relays[0])
		for _, r := range []*reader{served, starved} {
			if err := r.pull(t, id); err != nil || r.names != 1 {
				t.Fatalf("%d names: %v", r.names, err)
			}
		}
		served.dir.Resolve(brings)
		time.Sleep(time.Minute)
		next := relays[0].Say(t, time.Now())
		renewal := directory.Entry{Raw: slices.Concat(next[1:5], next[37:41], next[len(next)-64:])}
		clear(asked)
		for _, r := range []*reader{served, starved} {
			r.lie = func(p *directory.Page) { p.State, p.Entries = directory.PageLast, []directory.Entry{renewal} }
			if err := r.pull(t, id); !errors.Is(err, ErrRefused) {
				t.Errorf("a renewal of what was named: %v", err)
			}
			r.lie, r.x.cfg.Names = nil, func() bool { return false }
		}
		if bytes.Equal(before, served.dir.Signed(relays[0].D.ID)) {
			t.Error("it was not brought")
		}
		for range 2 {
			if look(); !same() || asked[served][0].Whole != 0 {
				t.Errorf("after a silence: %+v", asked[served])
			}
		}
		time.Sleep(directory.MaxLifetime)
		say(relays...)
		look()
		look()
		if asked[served][0].Whole == 0 {
			t.Error("no renewals ever after")
		}

		served.lie = func(p *directory.Page) {
			p.State, p.Entries = directory.PageLast, []directory.Entry{{Raw: make([]byte, 8)}}
		}
		served.x.cfg.Names = nil
		if err := served.pull(t, id); !errors.Is(err, ErrRefused) {
			t.Errorf("names that nobody asked for: %v", err)
		}
	})
}
