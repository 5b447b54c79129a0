package client

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"starling/p2p/clock"
	"starling/p2p/directory"
	"starling/p2p/directory/exchange"
	"starling/p2p/guard"
	"starling/p2p/sources"
	"starling/p2p/wire"
)

const (
	// ageStep is a difference in age that nobody cares about.
	ageStep = 10 * time.Minute

	// maxOpinions bounds the opinions that are kept: three first sources and two guards,
	// and one that is away.
	maxOpinions = 6

	// leftFor is for how long a relay that sources agreed on and that has left is taken back by the word of one.
	leftFor = 24 * time.Hour
)

// errBusy means that a relay's list is asked for already.
var errBusy = errors.New("its list is on its way already")

// An opinion is the list of one relay, judged by the relay itself alone.
type opinion struct {
	id   NodeID
	dir  *directory.Directory
	list *exchange.Exchange
	said atomic.Pointer[time.Time] // its time of day

	// Guarded by lists.mu.
	made    time.Time
	whole   time.Time // when it had told us all
	used    time.Time
	pulling bool
}

// lists are the lists of sources and guards, each apart, and the belief drawn from
// them.
type lists struct {
	self    NodeID
	pay     func() bool          // whether to work for a list
	dir     *directory.Directory // of the relays that are believed in
	clock   *clock.Clock
	private bool
	life    time.Duration // of what was told
	send    func(NodeID, *wire.Frame) error
	count   func(reason string)
	log     *slog.Logger
	isGuard func(NodeID) bool
	isUp    func(NodeID) bool         // there is a link to it
	isSure  func(NodeID) bool         // a guard that sources agreed on
	letGo   func([]NodeID)            // sources whose lists are not believed
	listed  atomic.Pointer[time.Time] // when somebody last gave us a list

	mu      sync.Mutex
	m       map[NodeID]*opinion
	kept    []NodeID             // believed in when sources agreed last
	left    map[NodeID]time.Time // believed in before, and until when; MaxRelays at most
	belief  sources.Belief
	waiting bool // for lists of first sources
	// remembered are descriptors of the last start. They may have expired only by
	// a clock that is wrong.
	remembered [][]byte
}

// opinion returns the opinion of a relay, and makes it if need be.
func (ls *lists) opinion(id NodeID) *opinion {
	now := time.Now()
	ls.mu.Lock()
	defer ls.mu.Unlock()
	v := ls.m[id]
	if v == nil {
		v = &opinion{id: id, made: now}
		v.dir = directory.New(directory.Config{AllowPrivate: ls.private, Now: v.now(ls.clock.Now)})
		v.list = exchange.New(exchange.Config{
			Directory: v.dir, Send: ls.send, Count: ls.count, Self: ls.self, Pay: ls.pay, Names: func() bool { return ls.brought(v) },
			Heard: func(from wire.NodeID, at time.Time, asked time.Duration) {
				v.said.Store(&at)
				ls.clock.Hear(from, at, asked)
			},
		})
		ls.m[id] = v
	}
	v.used = now
	for len(ls.m) > maxOpinions {
		oldest := slices.MinFunc(slices.Collect(maps.Values(ls.m)), func(a, b *opinion) int { return a.used.Compare(b.used) })
		delete(ls.m, oldest.id)
	}
	return v
}

// brought reports whether a guard that we have known for longer brings descriptors, so
// that another one need only name those that it has as well. Which guard that is, and
// what it brings, shows in no question to the other (package directory, Names).
func (ls *lists) brought(v *opinion) bool {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	for _, o := range ls.m {
		first := cmp.Or(o.made.Compare(v.made), bytes.Compare(o.id[:], v.id[:])) < 0
		if first && !o.whole.IsZero() && time.Since(o.whole) <= ls.life && ls.isGuard(o.id) {
			return true
		}
	}
	return false
}

// resolve has each list take the descriptors that its relay has named from the others.
func (ls *lists) resolve() {
	for _, v := range ls.m {
		v.dir.Resolve(ls.dir)
		for _, o := range ls.m {
			if o != v {
				v.dir.Resolve(o.dir)
			}
		}
	}
}

// handle takes a page of a relay's list.
func (ls *lists) handle(from NodeID, f *wire.Frame) {
	ls.mu.Lock()
	v := ls.m[from]
	ls.mu.Unlock()
	if v == nil {
		ls.count("list: unasked page")
		return
	}
	v.list.Handle(from, f)
}

// pull reads a relay's list into its opinion, and judges anew which relays to believe
// in. The exchange sees to it that it comes in time.
func (ls *lists) pull(ctx context.Context, id NodeID) error {
	v := ls.opinion(id)
	if !ls.begin(v) {
		return errBusy
	}
	defer ls.end(v)
	if _, err := v.list.Pull(ctx, id); err != nil {
		return err
	}
	now := time.Now()
	ls.mu.Lock()
	v.whole = now
	ls.mu.Unlock()
	ls.believe()
	return nil
}

// begin reports whether nobody else asks for the same list now.
func (ls *lists) begin(v *opinion) bool {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if v.pulling {
		return false
	}
	v.pulling = true
	return true
}

func (ls *lists) end(v *opinion) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	v.pulling = false
}

// believe decides which relays there are, by all opinions, and hands them to the
// directory. Sources that cannot be meant well are let go.
func (ls *lists) believe() {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	if !ls.belief.Agreed {
		for _, raw := range ls.remembered { // our clock may have been put right
			ls.dir.Add(raw)
		}
	}

	ls.resolve()

	// The lists that are whole and young enough speak for their relays.
	now := time.Now()
	q := sources.Question{Few: MinRelays, Waited: !ls.waiting}
	for _, id := range ls.kept {
		if ls.valid(id) {
			q.Kept = append(q.Kept, id)
		}
	}
	for _, v := range ls.voices(now, len(q.Kept) >= q.Few) {
		l := sources.List{Source: v.id}
		for _, d := range v.dir.Snapshot().Relays {
			l.Relays = append(l.Relays, d.ID)
		}
		q.Lists = append(q.Lists, l)
	}
	q.Back = ls.back(q.Lists)
	b := sources.Believe(q)
	if !b.Decided {
		return
	}

	// The directory holds the relays that are believed in, each where most sources say that it is.
	ls.belief = b
	if ls.clock.Judge(ls.bound(b.Relays)) {
		ahead, _ := ls.clock.Off()
		ls.log.Debug("the clock of this computer is wrong", "ahead", ahead)
	}
	where := ls.whereabouts(b.Relays)
	for _, v := range ls.m {
		ls.dir.Merge(v.dir, func(d *directory.Descriptor) bool {
			return b.Relays[d.ID] && slices.Equal(d.Addresses, where[d.ID])
		})
	}
	ls.dir.Retain(func(id wire.NodeID) bool { return b.Relays[id] })
	ls.age(b.Relays)

	if b.Agreed {
		ls.keep(b.Relays)
	}

	// Sources that hand out another list than the rest are forgotten, and let go.
	for _, id := range b.Dropped {
		ls.clock.Forget(id)
		ls.count("list: another one than others hand out")
		delete(ls.m, id)
	}
	if len(q.Lists) > 0 {
		ls.listed.Store(&now)
	}
	ls.retire()
	if len(b.Dropped) > 0 {
		go ls.letGo(b.Dropped)
	}
}

// voices returns the opinions that count. The list of a guard that is away is of before, and says nothing beside that of one that
// is up, while enough relays stand by the last belief: without it the one that is up would choose them alone.
func (ls *lists) voices(now time.Time, enough bool) (all []*opinion) {
	up := false
	for _, v := range ls.m {
		if !v.whole.IsZero() && now.Sub(v.whole) <= ls.life {
			all = append(all, v)
			up = up || enough && ls.isGuard(v.id) && ls.isUp(v.id)
		}
	}
	return slices.DeleteFunc(all, func(v *opinion) bool { return up && ls.isGuard(v.id) && !ls.isUp(v.id) })
}

// keep notes the relays that sources agree on, and those that have left.
func (ls *lists) keep(relays map[NodeID]bool) {
	now := time.Now()
	maps.DeleteFunc(ls.left, func(id NodeID, _ time.Time) bool { return relays[id] })
	for _, id := range ls.kept {
		if !relays[id] && len(ls.left) < directory.MaxRelays {
			ls.left[id] = now
		}
	}
	ls.kept = slices.Collect(maps.Keys(relays))
}

// back returns the relays that sources agreed on before and that had left. A guard that they agreed
// on once is among them for good: what it says of itself is signed, and without it there is no way to anybody.
func (ls *lists) back(told []sources.List) []NodeID {
	now := time.Now()
	maps.DeleteFunc(ls.left, func(_ NodeID, at time.Time) bool { return now.Sub(at) > leftFor })
	all := slices.Collect(maps.Keys(ls.left))
	for _, l := range told {
		if ls.isSure(l.Source) {
			all = append(all, l.Source)
		}
	}
	return all
}

// A claim is where some sources say that a relay is.
type claim struct {
	addresses []directory.Address
	voices    int
	sequence  uint64 // the lowest; 0 of the former belief
}

// whereabouts returns the addresses at which relays are believed to be. A relay can
// sign any address, and an address shown by its accomplices alone was examined by
// nobody. So the addresses count at which most sources list it, beside itself. At a tie
// the addresses believed before stand, or else those signed first.
func (ls *lists) whereabouts(relays map[NodeID]bool) map[NodeID][]directory.Address {
	where := make(map[NodeID][]directory.Address, len(relays))
	for id := range relays {
		var claims []claim
		note := func(d *directory.Descriptor, voices int) *claim {
			i := slices.IndexFunc(claims, func(o claim) bool { return slices.Equal(o.addresses, d.Addresses) })
			if i < 0 {
				i = len(claims)
				claims = append(claims, claim{d.Addresses, 0, d.Sequence})
			}
			claims[i].voices += voices
			claims[i].sequence = min(claims[i].sequence, d.Sequence)
			return &claims[i]
		}

		// Neither the former belief nor the relay itself has a voice.
		if d, ok := ls.dir.Find(id); ok {
			note(d, 0).sequence = 0
		}
		var own *directory.Descriptor
		for _, v := range ls.m {
			d, ok := v.dir.Find(id)
			if ok && v.id != id {
				note(d, 1)
			} else if ok {
				own = d
			}
		}
		if len(claims) == 0 && own != nil {
			note(own, 0) // nobody else has told anything
		}

		if len(claims) > 0 {
			where[id] = slices.MinFunc(claims, func(a, b claim) int {
				return cmp.Or(cmp.Compare(b.voices, a.voices), cmp.Compare(a.sequence, b.sequence))
			}).addresses
		}
	}
	return where
}

// now returns the clock by which a relay's list is judged: that of its own last
// word. A change of our clock takes nothing from its list.
func (v *opinion) now(other func() time.Time) func() time.Time {
	return func() time.Time {
		if t := v.said.Load(); t != nil {
			return *t
		}
		return other()
	}
}

// bound returns the earliest and the latest time possible, by the signatures of relays
// that are believed in.
func (ls *lists) bound(relays map[NodeID]bool) clock.Bound {
	newest := map[NodeID]*directory.Descriptor{}
	for _, v := range ls.m {
		for _, d := range v.dir.Snapshot().Relays {
			if old := newest[d.ID]; relays[d.ID] && (old == nil || d.Sequence > old.Sequence) {
				newest[d.ID] = d
			}
		}
	}
	return clock.BoundOf(directory.Signed(slices.Collect(maps.Values(newest)), ls.private))
}

// age notes how long relays have been reached, as their sources say in the middle: one
// that calls its accomplices old is outvoted.
func (ls *lists) age(relays map[NodeID]bool) {
	now := ls.clock.Now()
	for id := range relays {
		var ages []time.Duration // below 0: only vouched for
		for _, v := range ls.m {
			if _, listed := v.dir.Find(id); !listed {
				continue
			}
			age := -time.Second
			if since := v.dir.Since(id); !since.IsZero() {
				age = max(0, v.now(ls.clock.Now)().Sub(since))
			}
			ages = append(ages, age)
		}

		if len(ages) == 0 {
			continue
		}
		slices.Sort(ages)

		since := now.Add(-ages[(len(ages)-1)/2])
		if since.After(now) || since.Sub(ls.dir.Since(id)).Abs() < ageStep {
			continue
		}
		ls.dir.Reached(id, since)
	}
}

// retire ends the voices of first sources once both guards have told theirs. They
// are asked no more, so that they would be against every relay that is new.
func (ls *lists) retire() {
	guards := map[NodeID]bool{}
	for id, v := range ls.m {
		if !v.whole.IsZero() && ls.isGuard(id) {
			guards[id] = true
		}
	}
	if len(guards) >= guard.Use {
		maps.DeleteFunc(ls.m, func(id NodeID, v *opinion) bool { return !v.whole.IsZero() && !guards[id] })
	}
}

// valid reports whether somebody has a descriptor of a relay that is not over.
func (ls *lists) valid(id NodeID) bool {
	if _, ok := ls.dir.Find(id); ok {
		return true
	}
	for _, v := range ls.m {
		if _, ok := v.dir.Find(id); ok {
			return true
		}
	}
	return false
}

// oneSource reports whether only one relay has told which relays there are.
func (ls *lists) oneSource() bool {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return !ls.belief.Agreed && ls.belief.Sources == 1
}

// agreed reports whether more than one source says which relays there are.
func (ls *lists) agreed() bool {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return ls.belief.Agreed
}

// disagree reports whether sources told lists of which nothing is believed.
func (ls *lists) disagree() bool {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	b := ls.belief
	return b.Decided && b.Sources > 1 && len(b.Relays) == 0
}

// remember takes over the relays of the last start.
func (ls *lists) remember(raws [][]byte) {
	ls.remembered = raws
	for _, raw := range raws {
		if d, err := directory.Parse(raw); err == nil {
			ls.kept = append(ls.kept, d.ID)
			ls.dir.Add(raw)
		}
	}
}

// told reports whether a relay has told its list.
func (ls *lists) told(id NodeID) bool {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	v := ls.m[id]
	return v != nil && !v.whole.IsZero()
}

// oldestFirst sorts relays by when they have told their list, those first that have
// not.
func (ls *lists) oldestFirst(ids []NodeID) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	last := func(id NodeID) (at time.Time) {
		if v := ls.m[id]; v != nil {
			at = v.whole
		}
		return at
	}
	slices.SortStableFunc(ids, func(a, b NodeID) int { return last(a).Compare(last(b)) })
}

// wait says whether lists of first sources may still come, and judges anew.
func (ls *lists) wait(more bool) {
	ls.mu.Lock()
	ls.waiting = more
	ls.mu.Unlock()
	ls.believe()
}

// convinced reports whether sources agree on relays enough.
func (ls *lists) convinced() bool {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	b := ls.belief
	return b.Decided && b.Agreed && len(b.Relays) >= MinRelays
}

// none reports whether no relay was believed in when sources agreed last.
func (ls *lists) none() bool {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return len(ls.kept) == 0
}
