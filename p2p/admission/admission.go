// Package admission decides which relays stand in a relay's directory: those reached at
// the address and with the key of their own signature. A relay's own word is nothing.
//
//	           4 vouchers           own check
//	unlisted ─────────────> vouched ─────────> reached
//	    ^                     │  ^                │
//	    └── checks fail, and ─┘  └── checks fail ─┘
//	        no fresh voucher
//
// # Examiners
//
// The examiners of a relay are, by the day, the 8 relays with the lowest SHA-256 of
// "starling/examiner/2" ‖ 0 ‖ day (4) ‖ relay ‖ examiner. It knocks at them with its
// descriptor; they dial it afresh at its addresses and, if it answers with its key,
// sign a [Voucher]. Where less than 16 relays are known all are examiners.
//
// A knock that comes from an address of the descriptor (IPv6: from its /64) makes
// its examiner dial that address and nobody else. Each other address costs the
// knocker Price frames first: nobody is made to dial a third party for less than it
// costs to send it as much.
//
// # Lists
//
// A relay is taken as vouched with vouchers of Needed examiners: among the 16 lowest
// of the day as we see it, reached by us, of different networks, and not found to be
// wrong three times in a week and more often than right. The word of a relay that we
// have reached about relays that it has reached, in a page of its list, counts as a
// voucher, so that a newcomer need not wait a week. Each address that can
// be dialled is in two vouchers, if so many are needed, or answered ourselves: where only
// some of them have a way to IPv6, nobody lists an address on the word of its relay alone.
//
// A voice carries 3 relays at a time that we have not reached ourselves. Further relays
// of that voice are looked at first, and those that wait have their turns by voices.
// When a voice is void, the relays carried by it alone are unlisted. So a few
// accomplices list no more than 3 relays that are not there.
//
// Vouched relays are checked by ourselves, at a random moment within max(1 min,
// N/50 s), and after that every max(1 day, N/2,880 days): only then they are reached.
// While N is at most 50 that is done at once. Two failures an hour apart are charged to
// the relays that vouched since we reached the relay last; three within a day unlist a
// relay without a voucher of the last week. A relay reached in another way, dialled for
// a neighbour or as an examiner, is reached too.
//
// A relay that is taken is passed on, with all vouchers that came with it. All are
// verified, also those of relays that are strangers here: others may know them, and
// would hold a forged one against us.
//
// The package is pure: it keeps the evidence and decides the next step. Its owner
// dials, sends and keeps time.
package admission

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"starling/p2p/directory"
	"starling/p2p/wire"
)

// Numbers of the policy; the package comment gives their reasons.
const (
	Examiners = 8
	Slack     = 16 // as many lowest count as examiners; fewer relays are all examiners
	Required  = 4
	AllAtOnce = 50

	Fresh     = 7 * 24 * time.Hour // a voucher's life
	chargesIn = 7 * 24 * time.Hour
	charges   = 3
	unlistIn  = 24 * time.Hour
	failures  = 3
	// unproven is how many relays stand in the list by one voice, not yet reached by us.
	unproven = 3
	again    = time.Hour // between checks that fail
	// lookAgain is until a candidate that did not answer is looked at again, twice as long
	// each time: packets may have been lost, and nobody may have more to say of it.
	lookAgain = 10 * time.Minute

	maxCandidates = 2 * directory.MaxRelays
	forgetAmong   = 16 // candidates are looked at before one is forgotten
)

// Errors that say why news is not taken. ErrUnvouched is nobody's fault.
var (
	ErrUnvouched = errors.New("admission: not vouched for")
	ErrForged    = errors.New("admission: forged voucher")
)

// Config is how a Registrar is made. Directory and Self are required.
type Config struct {
	Directory *directory.Directory
	Self      wire.NodeID
	// AllowPrivate drops the rules that count by network.
	AllowPrivate bool
	// Reached returns at which of some addresses we have lately dialled a relay, and it
	// answered with its key: bit i for the i-th. Nil is at none.
	Reached func(id wire.NodeID, at []directory.Address) (mask byte)
	// Named reports whether the owner named a relay, which counts as reached once
	// it is heard from. Nil is none.
	Named func(wire.NodeID) bool
	// Candidates bounds the relays that wait to be admitted; 0 is maxCandidates.
	Candidates int
	// Now is the time of day, for vouchers and ages; nil is time.Now.
	Now func() time.Time
	// Steady never jumps, even when the time of day is corrected, and measures how long
	// to wait; nil is time.Now.
	Steady func() time.Time
}

// A Registrar decides about one directory. Its methods may be called from any
// goroutine.
type Registrar struct {
	cfg Config

	mu         sync.Mutex
	candidates map[wire.NodeID]*candidate
	files      map[wire.NodeID]*file       // of relays in the directory
	blame      map[wire.NodeID][]time.Time // charges to examiners
	earlier    map[wire.NodeID]earlier     // ages from before this start
	proven     map[wire.NodeID][]time.Time // relays that were there, as they said
	again      bool                        // a relay was reached that may have vouched
	undecided  int                         // times that there were too few vouchers
	wake       chan struct{}
}

// A candidate is a relay with too few vouchers.
type candidate struct {
	raw     []byte
	desc    *directory.Descriptor
	voices  map[wire.NodeID]byte // which addresses each has reached
	waiting bool                 // for a check, after which it is taken
	after   time.Time            // not to be checked before
	missed  time.Time            // when it did not answer and was not listed, first
	looks   int                  // since then
}

// A file is the state of a listed relay.
type file struct {
	check   time.Time // when the next is due
	failed  []time.Time
	voices  []wire.NodeID // of the examiners since we reached it
	reached uint32        // the day when we did last
	vouched time.Time     // when enough others spoke for it
	charged bool          // for these failures
}

// New makes a Registrar.
func New(cfg Config) *Registrar {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Candidates == 0 {
		cfg.Candidates = maxCandidates
	}
	if cfg.Steady == nil {
		cfg.Steady = time.Now
	}
	if cfg.Reached == nil {
		cfg.Reached = func(wire.NodeID, []directory.Address) byte { return 0 }
	}
	if cfg.Named == nil {
		cfg.Named = func(wire.NodeID) bool { return false }
	}
	return &Registrar{cfg: cfg, candidates: map[wire.NodeID]*candidate{}, files: map[wire.NodeID]*file{},
		blame: map[wire.NodeID][]time.Time{}, proven: map[wire.NodeID][]time.Time{}, earlier: map[wire.NodeID]earlier{},
		wake: make(chan struct{}, 1)}
}

// Wake says that Due may have more.
func (r *Registrar) Wake() <-chan struct{} { return r.wake }

func (r *Registrar) kick() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Others returns the relays of the directory but ourselves.
func (r *Registrar) Others() []*directory.Descriptor {
	return slices.DeleteFunc(slices.Clone(r.cfg.Directory.Snapshot().Relays), func(d *directory.Descriptor) bool { return d.ID == r.cfg.Self })
}

// Needed is how many vouchers a relay needs where so many others are known.
func Needed(others int) int { return max(1, min(Required, (others+1)/2)) }

// Doors returns the examiners that we knock at on a day.
func (r *Registrar) Doors(day uint32) []wire.NodeID {
	others := r.Others()
	lowest := barOf(Examiners, day, r.cfg.Self, others)
	var ids []wire.NodeID
	for _, d := range others {
		if len(others) < Slack || lowest.holds(d.ID) {
			ids = append(ids, d.ID)
		}
	}
	return ids
}

// Examines reports whether we are an examiner of a relay on a day, as we see it.
func (r *Registrar) Examines(relay wire.NodeID, day uint32) bool {
	others := r.Others()
	return len(others) < Slack || barOf(Slack, day, relay, others).holds(r.cfg.Self)
}

// Hear takes news that came by gossip. Without an error it is in the directory now,
// and worth to be passed on.
func (r *Registrar) Hear(n News) error {
	// Vouchers are verified for news alone: each costs a signature.
	desc, known, err := r.look(n.Raw)
	switch {
	case err != nil:
		return err
	case known && !r.newer(desc):
		return r.cfg.Directory.AddParsed(desc, n.Raw) // stale, or proof of two faces
	case known:
		if !n.genuine() {
			return ErrForged
		}
		if err := r.cfg.Directory.AddParsed(desc, n.Raw); err != nil {
			return err
		}
		r.renewed(desc, n)
		return nil
	}

	// A relay that is new to us waits for voices: nobody is listed for saying so.
	c, err := r.collect(desc, n)
	if err != nil {
		return err
	}
	return r.weigh(c)
}

// Read takes an entry of the list of a relay.
func (r *Registrar) Read(from wire.NodeID, e directory.Entry) error {
	desc, known, err := r.look(e.Raw)
	if err != nil {
		return err
	}
	if known {
		return r.cfg.Directory.AddParsed(desc, e.Raw)
	}
	if mask := r.cfg.Reached(from, desc.Addresses); desc.ID == from && (mask != 0 || r.cfg.Named(from)) {
		return r.answered(desc, e.Raw, mask)
	}
	if e.Known == directory.VouchedOnly {
		return ErrUnvouched
	}
	r.mu.Lock()
	c := r.candidate(desc, e.Raw)
	c.voices[from] = 1<<len(desc.Addresses) - 1
	r.mu.Unlock()
	return r.weigh(c)
}

// look verifies a descriptor. Of a relay that is known at the same addresses it is to
// be taken at once, and so is our own: we said it, when our clock was ahead.
func (r *Registrar) look(raw []byte) (desc *directory.Descriptor, known bool, err error) {
	if desc, err = r.parse(raw); err != nil {
		return nil, false, err
	}
	held, ok := r.cfg.Directory.Find(desc.ID)
	known = desc.ID == r.cfg.Self || ok && (desc.Sequence <= held.Sequence || slices.Equal(held.Addresses, desc.Addresses))
	return desc, known, nil
}

// parse verifies a descriptor, unless it is the very one of the list or of a candidate:
// neighbours send the same ones again and again, and each costs a signature.
func (r *Registrar) parse(raw []byte) (*directory.Descriptor, error) {
	if len(raw) > 1+wire.NodeIDSize {
		r.mu.Lock()
		var desc *directory.Descriptor
		if c := r.candidates[wire.NodeID(raw[1:1+wire.NodeIDSize])]; c != nil && bytes.Equal(c.raw, raw) {
			desc = c.desc
		}
		r.mu.Unlock()
		if desc != nil {
			return desc, nil
		}
	}
	return r.cfg.Directory.Parse(raw)
}

// newer reports whether a descriptor may take the place of the one that is held.
func (r *Registrar) newer(desc *directory.Descriptor) bool {
	held, ok := r.cfg.Directory.Find(desc.ID)
	return !ok || desc.Sequence > held.Sequence
}

// candidate returns the one of a descriptor, which is the newest of its relay. The
// caller holds the lock.
func (r *Registrar) candidate(desc *directory.Descriptor, raw []byte) *candidate {
	c := r.candidates[desc.ID]
	switch {
	case c == nil:
		if len(r.candidates) >= r.cfg.Candidates {
			r.forget()
		}
		c = &candidate{voices: map[wire.NodeID]byte{}}
		r.candidates[desc.ID] = c
	case desc.Sequence <= c.desc.Sequence:
		return c
	case !slices.Equal(c.desc.Addresses, desc.Addresses):
		clear(c.voices)
		c.after, c.looks = time.Time{}, 0
	}
	c.raw, c.desc = slices.Clone(raw), desc
	return c
}

// forget makes room for a candidate. Of some random ones it forgets the one with the
// fewest voices of relays that we have reached: strangers with any number of names push
// out each other's candidates.
func (r *Registrar) forget() {
	var out wire.NodeID
	looked, least := 0, 0
	for id, c := range r.candidates { // maps are walked in a random order
		n := r.speakFor(c)
		if looked == 0 || n < least {
			out, least = id, n
		}
		if looked++; looked == forgetAmong {
			break
		}
	}
	delete(r.candidates, out)
}

// speakFor returns the number of a candidate's voices that we have reached.
func (r *Registrar) speakFor(c *candidate) (n int) {
	for id := range c.voices {
		if !r.cfg.Directory.Since(id).IsZero() {
			n++
		}
	}
	return n
}

// counting returns the fresh vouchers of examiners that we know.
func (r *Registrar) counting(desc *directory.Descriptor, n News) (all []*Voucher) {
	today := Day(r.cfg.Now())
	others := slices.DeleteFunc(r.Others(), func(d *directory.Descriptor) bool { return d.ID == desc.ID })
	bars := map[uint32]bar{}
	for i := range n.Vouchers {
		v := &n.Vouchers[i]
		if _, ok := r.cfg.Directory.Find(v.Examiner); !ok || !fresh(v.Day, today) {
			continue
		}
		if _, ok := bars[v.Day]; !ok {
			bars[v.Day] = barOf(Slack, v.Day, desc.ID, others)
		}
		if bars[v.Day].holds(v.Examiner) {
			all = append(all, v)
		}
	}
	return all
}

// collect adds the vouchers that count to a candidate, if none of the news is forged.
func (r *Registrar) collect(desc *directory.Descriptor, n News) (*candidate, error) {
	vouchers := r.counting(desc, n)
	if len(vouchers) == 0 {
		return nil, ErrUnvouched
	}
	if !n.genuine() {
		return nil, ErrForged
	}

	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.candidate(desc, n.Raw)
	for _, v := range vouchers {
		c.voices[v.Examiner] = v.Mask
	}
	return c, nil
}

// renewed notes the relays that have vouched again for a listed relay, after we reached
// it last.
func (r *Registrar) renewed(desc *directory.Descriptor, n News) {
	vouchers := r.counting(desc, n)
	need := Needed(len(r.Others()) - 1)
	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.files[desc.ID]
	if f == nil {
		return
	}
	c := &candidate{desc: desc, voices: map[wire.NodeID]byte{}}
	for _, v := range vouchers {
		c.voices[v.Examiner] = v.Mask
		if v.Day > f.reached && !slices.Contains(f.voices, v.Examiner) {
			f.voices = append(f.voices, v.Examiner)
		}
	}
	if r.enough(c, need) {
		f.vouched = r.cfg.Steady()
	}
}

// fresh reports whether a voucher of a day counts today.
func fresh(day, today uint32) bool {
	return day <= today+1 && day+uint32(Fresh/(24*time.Hour)) >= today
}

// answered takes the descriptor of a relay that has answered us, at some of its
// addresses. Where nobody has reached the others, it is looked at there.
func (r *Registrar) answered(desc *directory.Descriptor, raw []byte, mask byte) error {
	err := r.Seen(raw, mask)
	if err != ErrUnvouched {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.candidates[desc.ID]; c != nil && !c.waiting {
		c.waiting = true
		r.kick()
	}
	return err
}

// Seen takes the descriptor of a relay that has answered us at some of its addresses.
// It is reached if it stands in the list with these addresses, or if relays with a
// voice have reached it at the rest.
func (r *Registrar) Seen(raw []byte, mask byte) error {
	desc, err := r.parse(raw)
	if err != nil {
		return err
	}

	// All of its addresses: nobody else need vouch.
	if all := Dialable(desc.Addresses); mask&all == all {
		return r.Reached(raw)
	}
	if held, ok := r.cfg.Directory.Find(desc.ID); ok && slices.Equal(held.Addresses, desc.Addresses) {
		return r.Reached(raw)
	}

	need := r.need(desc.ID)
	r.mu.Lock()
	c := r.candidate(desc, raw)
	// The mask is by place in the list of addresses.
	if slices.Equal(c.desc.Addresses, desc.Addresses) {
		c.voices[r.cfg.Self] |= mask
	}
	enough := r.enough(c, need)
	r.mu.Unlock()
	if !enough {
		return ErrUnvouched
	}
	return r.Reached(raw)
}

// Dialable returns which of some addresses anybody can dial: bit i for the i-th. A
// relay's word about others cannot be examined, and counts for nothing.
func Dialable(all []directory.Address) (mask byte) {
	for i, a := range all {
		if a.Dialable() {
			mask |= 1 << i
		}
	}
	return mask
}

// weigh takes a candidate that enough have vouched for.
func (r *Registrar) weigh(c *candidate) error {
	others := r.Others()
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.weighed(c, others)
}

// weighed is weigh for a caller that holds the lock.
func (r *Registrar) weighed(c *candidate, others []*directory.Descriptor) error {
	n := len(others)
	if slices.ContainsFunc(others, func(d *directory.Descriptor) bool { return d.ID == c.desc.ID }) {
		n--
	}
	if !r.enough(c, Needed(n)) {
		if r.speakFor(c) > 0 {
			r.undecided++
		}
		return ErrUnvouched
	}
	if n < AllAtOnce || !r.credible(c, Needed(n)) {
		// The relay is looked at before it is listed, so that it is never listed as
		// less than it is.
		if !c.waiting {
			c.waiting = true
			r.kick()
		}
		return ErrUnvouched
	}
	return r.list(c, r.cfg.Steady().Add(rand.N(max(time.Minute, time.Duration(n)*time.Second/50))))
}

// enough reports whether so many of different networks have vouched for a candidate,
// and two of them, or all, for each address.
func (r *Registrar) enough(c *candidate, need int) bool {
	return r.heeded(c, need, func(wire.NodeID) bool { return true })
}

// credible reports whether enough of them carry few other relays that we have not
// reached: a few accomplices do not list any number of invented relays.
func (r *Registrar) credible(c *candidate, need int) bool {
	pending := map[wire.NodeID]int{}
	for _, f := range r.files {
		if f.reached == 0 {
			for _, voice := range f.voices {
				pending[voice]++
			}
		}
	}
	return r.heeded(c, need, func(id wire.NodeID) bool { return pending[id] < unproven })
}

// heeded is enough by the voices that count.
func (r *Registrar) heeded(c *candidate, need int, heed func(wire.NodeID) bool) bool {
	networks := map[netip.Prefix]bool{}
	voices := 0
	var counts [directory.MaxAddresses]int

	for id, mask := range c.voices {
		// A voice counts if its relay is listed, and if its former words were true.
		if mask == 0 || id != r.cfg.Self && (r.cfg.Directory.Since(id).IsZero() || r.void(id) || !heed(id)) {
			continue
		}
		for i := range counts {
			counts[i] += int(mask >> i & 1)
		}
		if !r.cfg.AllowPrivate {
			n := r.network(id)
			// One voice a network: addresses in one are cheap.
			if networks[n] {
				continue
			}
			networks[n] = true
		}
		voices++
	}

	// Each address needs voices of its own, or one that is true would carry a victim's in.
	for i, a := range c.desc.Addresses {
		if a.Dialable() && counts[i] < min(2, need) {
			return false
		}
	}
	return voices >= need
}

// Undecided counts how often somebody was vouched for by too few. While it grows,
// lists of others may decide.
func (r *Registrar) Undecided() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.undecided
}

func (r *Registrar) network(id wire.NodeID) netip.Prefix {
	if d, ok := r.cfg.Directory.Find(id); ok {
		for _, a := range directory.Dialable(d.Addresses) {
			return a.Network()
		}
	}
	return netip.Prefix{}
}

// others returns the relays that have vouched for a candidate beside ourselves.
func (r *Registrar) others(c *candidate) (ids []wire.NodeID) {
	for id := range c.voices {
		if id != r.cfg.Self {
			ids = append(ids, id)
		}
	}
	return ids
}

// list puts a candidate into the directory, to be checked at a time. The caller
// holds the lock.
func (r *Registrar) list(c *candidate, check time.Time) error {
	if err := r.cfg.Directory.AddParsed(c.desc, c.raw); err != nil {
		delete(r.candidates, c.desc.ID)
		return err
	}
	r.files[c.desc.ID] = &file{check: check, vouched: r.cfg.Steady(), voices: r.others(c)}
	delete(r.candidates, c.desc.ID)
	return nil
}

// void reports whether a relay has vouched wrongly too often, and more often than not.
// An examined relay may be there and then hide, to have its examiners blamed. The
// caller holds the lock.
func (r *Registrar) void(id wire.NodeID) bool {
	wrong := r.recent(r.blame, id)
	return wrong >= charges && wrong > r.recent(r.proven, id)
}

// recent counts the notes about a relay, and forgets old ones. The caller holds the
// lock.
func (r *Registrar) recent(of map[wire.NodeID][]time.Time, id wire.NodeID) int {
	now := r.cfg.Steady()
	of[id] = slices.DeleteFunc(of[id], func(t time.Time) bool { return now.Sub(t) > chargesIn })
	if len(of[id]) == 0 {
		delete(of, id)
	}
	return len(of[id])
}

// Reached takes the descriptor of a relay that we have reached at its addresses.
func (r *Registrar) Reached(raw []byte) error {
	desc, err := r.parse(raw)
	if err != nil {
		return err
	}
	err = r.cfg.Directory.AddParsed(desc, raw)
	if err != nil && !(errors.Is(err, directory.ErrStale) || errors.Is(err, directory.ErrOften)) {
		return err
	}

	// The directory may hold a newer one with other addresses, which we have not reached.
	held, ok := r.cfg.Directory.Find(desc.ID)
	if !ok || !slices.Equal(held.Addresses, desc.Addresses) {
		return err
	}

	first := r.cfg.Directory.Since(desc.ID).IsZero()
	if first {
		r.cfg.Directory.Reached(desc.ID, r.Since(raw))
	}

	now := r.cfg.Steady()
	r.mu.Lock()
	defer r.mu.Unlock()
	f := r.files[desc.ID]
	if f == nil {
		f = &file{vouched: now}
		r.files[desc.ID] = f
	}

	if c := r.candidates[desc.ID]; c != nil {
		f.voices = append(f.voices, r.others(c)...)
		delete(r.candidates, desc.ID)
	}

	// They were right, even if the relay goes later.
	for _, id := range f.voices {
		r.recent(r.proven, id)
		r.proven[id] = append(r.proven[id], now)
	}

	// It may be the voice that other candidates wait for.
	r.again = len(r.candidates) > 0
	if r.again && first {
		r.kick() // its word counts from now on
	}
	f.voices, f.reached = nil, Day(r.cfg.Now())
	f.failed, f.charged = nil, false
	f.check = now.Add(r.cycle())
	return nil
}

// cycle is how long until a relay that was reached is looked at again.
func (r *Registrar) cycle() time.Duration {
	n := len(r.cfg.Directory.Snapshot().Relays)
	d := max(24*time.Hour, time.Duration(n)*24*time.Hour/2880)
	return d - d/8 + rand.N(d/4)
}
