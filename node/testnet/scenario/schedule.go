package scenario

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"starling/node/testnet/world"
)

// A Plan is the work of an engine: the pairs of contacts, and every step with its time,
// in order. It follows from the scenario and its seed alone.
type Plan struct {
	Pairs [][2]int // the first of two invites the second
	Halls []Hall   // the rooms
	Steps []Step
	Bad   map[int]Bad              // by relay
	Skew  [2]map[int]time.Duration // by relay, and by user
	// Programs are those in place of starling, by relay and by user.
	Programs [2]map[int]Program
	// Machines are where everybody is in a world: relays, and then users.
	Machines []world.Machine
}

// A Step happens At a time after the traffic has begun.
type Step struct {
	At      time.Duration
	Do      Action
	Relays  []int   // Stop, Kill, Restart, Fill, Block; the one side of Partition
	Users   []int   // Offline, Online, Reopen, Crash, Fill; the one side of Partition
	Drain   bool    // Offline, Reopen
	Message Message // Send, Say
	Room    int     // Say, Join, Remove, Leave, Promote, Demote: of one of the Users,
	By      int     // by another one
	Reply   bool    // Say: an answer to what was said last

	Bytes     int     // Curtain
	Reset     bool    // Curtain
	First     bool    // Harvest
	Fraction  float64 // Harvest
	PerMinute int     // Police
	Ban       time.Duration
}

// A Message is one text. Index counts those of one user to another from 0.
type Message struct {
	From, To, Index int
	Size            int
}

// Messages returns how many messages the plan sends.
func (p Plan) Messages() (n int) {
	for _, s := range p.Steps {
		if s.Do == Send {
			n++
		}
	}
	return n
}

// Streams of randomness, so that more messages do not change the churn.
const (
	streamMessages = iota + 1
	streamRelays
	streamChurn
	streamFaults
	streamPlaces
	streamRooms
)

// Plan makes the schedule. It refuses a script that contradicts itself, or that no
// messenger could pass: a relay stopped twice, a reader that never comes back.
func (s *Scenario) Plan() (Plan, error) {
	b := s.planner()

	p := Plan{Pairs: s.pairs()}
	var err error
	if p.Machines, err = b.machines(); err != nil {
		return Plan{}, err
	}
	b.faults(&p)
	p.Halls = b.openHalls()
	for _, pair := range p.Pairs {
		b.ways = append(b.ways, pair, [2]int{pair[1], pair[0]})
	}

	// Steps of the same moment stay in the order of their sources.
	todo := slices.Concat(b.script(), b.shifts(), b.churn(), b.traffic(), b.talk())
	slices.SortStableFunc(todo, func(x, y entry) int { return cmp.Compare(x.at, y.at) })
	for _, e := range todo {
		if err := e.do(e.at); err != nil {
			return Plan{}, err
		}
	}

	if b.waiting > 0 {
		return Plan{}, s.errorf("messages", "nobody is online to send the last %d messages", b.waiting)
	}

	// A script that cannot end well is refused before hours of running.
	if err := b.placeless(); err != nil {
		return Plan{}, err
	}
	if err := b.stands(); err != nil {
		return Plan{}, err
	}
	for i, offline := range b.offline {
		if offline && b.unread[i] {
			return Plan{}, s.errorf(b.left[i], "user %d stays offline and can never be shown its messages", i)
		}
	}

	p.Steps = b.steps
	return p, nil
}

// planner begins with all relays up and all users online.
func (s *Scenario) planner() *planner {
	return &planner{
		s:        s,
		down:     make([]bool, s.Relays),
		apart:    make([]bool, s.Relays),
		blocked:  make([]bool, s.Relays),
		crammed:  make([]bool, s.Relays),
		offline:  make([]bool, s.Users),
		full:     make([]bool, s.Users),
		left:     make([]string, s.Users),
		unread:   make([]bool, s.Users),
		next:     map[[2]int]int{},
		messages: rand.New(rand.NewPCG(s.Seed, streamMessages)),
		draws:    rand.New(rand.NewPCG(s.Seed, streamRelays)),
	}
}

// stands refuses a script that leaves no mesh for good. The line is that of the last
// event of the kind that took it away.
func (b *planner) stands() error {
	there, open, roomy := 0, 0, 0
	for i := range b.down {
		if b.down[i] || b.apart[i] {
			continue
		}
		there++
		if !b.blocked[i] {
			open++
		}
		if !b.crammed[i] {
			roomy++
		}
	}

	switch {
	case there < minRelays:
		return b.s.errorf(b.took, "this leaves %d relays for good, and no mesh has fewer than %d; restart or heal brings them back", there, minRelays)
	case open == 0:
		return b.s.errorf(b.shut, "this leaves no relay that users can reach, for good; unblock ends it")
	case roomy == 0:
		return b.s.errorf(b.filled, "this leaves no mailbox with room, for good; free ends it")
	}
	return nil
}

func (s *Scenario) pairs() (pairs [][2]int) {
	switch s.Messages.Pairs {
	case "": // there are only rooms
	case Couples:
		for i := 0; i < s.Users; i += 2 {
			pairs = append(pairs, [2]int{i, i + 1})
		}
	case All:
		for i := range s.Users {
			for j := i + 1; j < s.Users; j++ {
				pairs = append(pairs, [2]int{i, j})
			}
		}
	default:
		for i := range s.Users {
			if j := (i + 1) % s.Users; i < j || s.Users > 2 {
				pairs = append(pairs, [2]int{i, j})
			}
		}
	}
	return pairs
}

// planner walks through the script in order of time and keeps the set of online users
// and relays.
type planner struct {
	s        *Scenario
	ways     [][2]int // from, to
	down     []bool   // relays
	apart    []bool   // relays on the other side of a partition
	blocked  []bool   // relays that users cannot reach
	crammed  []bool   // relays with a full disk
	took     string   // the event that last took relays away,
	shut     string   // or blocked some,
	filled   string   // or filled their disks
	offline  []bool   // users
	full     []bool   // users with a full disk
	left     []string // where the script sent a user offline
	unread   []bool   // users with messages since they last drained
	next     map[[2]int]int
	waiting  int // messages for which nobody was online
	halls    []*hall
	steps    []Step
	messages *rand.Rand
	draws    *rand.Rand
}

type entry struct {
	at time.Duration
	do func(at time.Duration) error
}

func (b *planner) add(s Step) { b.steps = append(b.steps, s) }

func (b *planner) script() (todo []entry) {
	for _, e := range b.s.Events {
		todo = append(todo, entry{e.At, func(time.Duration) error { return b.event(e) }})
	}
	return todo
}

func (b *planner) event(e Event) error {
	step := Step{At: e.At, Do: e.Do, Drain: e.Drain, Bytes: e.Bytes, Reset: e.Reset, PerMinute: e.PerMinute, Ban: e.Ban, First: e.First}

	switch e.Do {
	case Join, Remove, Leave, Promote, Demote:
		return b.roomEvent(e)
	case Stop, Kill, Restart:
		wantDown := e.Do == Restart
		step.Relays = e.Relays
		if step.Relays == nil {
			step.Relays = b.where(wantDown)
			if e.Fraction > 0 {
				step.Relays = b.draw(b.draws, step.Relays, e.Fraction)
			}
		}
		for _, i := range step.Relays {
			if b.down[i] != wantDown {
				return b.s.errorf(e.path, "relay %d %s", i, either(wantDown, "runs already", "is stopped already"))
			}
			b.down[i] = !wantDown
		}

		// Relays learn of each other from relays that run.
		if len(b.where(false)) == 0 {
			return b.s.errorf(e.path, "no relay is left, and nobody could bring the mesh back")
		}
		if e.Do != Restart {
			b.took = e.path
		}
	case Partition, Block, Fill:
		step.Relays, step.Users = e.Relays, e.Users
		if e.Fraction > 0 {
			step.Relays = b.draw(b.draws, b.where(false), e.Fraction)
		}
		for _, i := range e.Users {
			b.full[i] = b.full[i] || e.Do == Fill
		}
		b.breaks(e, step.Relays)
	case Harvest:
		step.Fraction = e.Fraction // of the list of a user, who knows no numbers
	case Heal:
		clear(b.apart)
	case Unblock:
		clear(b.blocked)
	case Free:
		clear(b.full)
		clear(b.crammed)
	case Offline, Online, Reopen, Crash:
		wantOffline := e.Do == Online
		step.Users = e.Users
		for i := range b.offline {
			if e.Users == nil && b.offline[i] == wantOffline {
				step.Users = append(step.Users, i)
			}
		}
		for _, i := range step.Users {
			if b.offline[i] != wantOffline {
				return b.s.errorf(e.path, "user %d is %s already", i, either(wantOffline, "online", "offline"))
			}
			b.offline[i] = e.Do == Offline
			b.left[i] = e.path
			b.unread[i] = b.unread[i] && !e.Drain
		}
	}

	b.add(step)
	// Messages that nobody was there to send are sent now, in their order.
	if e.Do == Online {
		for n := b.waiting; n > 0; n-- {
			b.waiting--
			b.send(e.At)
		}
	}

	return nil
}

// breaks notes the relays that a fault of the network or of a disk takes away.
func (b *planner) breaks(e Event, relays []int) {
	of, last := b.crammed, &b.filled
	switch e.Do {
	case Partition:
		of, last = b.apart, &b.took
	case Block:
		of, last = b.blocked, &b.shut
	}
	for _, i := range relays {
		of[i] = true
		*last = e.path
	}
}

func either(yes bool, a, b string) string {
	if yes {
		return a
	}
	return b
}

// where returns the relays that are down, or those that are not.
func (b *planner) where(down bool) (out []int) {
	for i, d := range b.down {
		if d == down {
			out = append(out, i)
		}
	}
	return out
}

// draw returns a fraction of all listed relays out of some, at least one, in order.
func (b *planner) draw(random *rand.Rand, from []int, fraction float64) []int {
	n := max(1, int(math.Round(fraction*float64(b.s.Listed()))))
	from = slices.DeleteFunc(slices.Clone(from), func(i int) bool { return i >= b.s.Listed() })
	random.Shuffle(len(from), func(i, j int) { from[i], from[j] = from[j], from[i] })
	from = from[:min(n, len(from))]
	slices.Sort(from)
	return from
}

// faults draws the machines that are wrong from the beginning.
func (b *planner) faults(p *Plan) {
	random := rand.New(rand.NewPCG(b.s.Seed, streamFaults))
	drawn := func(relays []int, fraction float64) []int {
		if fraction > 0 {
			return b.draw(random, b.where(false), fraction)
		}
		return relays
	}
	p.Bad = map[int]Bad{}
	for _, bad := range b.s.Bad {
		for _, i := range drawn(bad.Relays, bad.Fraction) {
			p.Bad[i] = bad
		}
	}

	p.Programs = [2]map[int]Program{{}, {}}
	for _, own := range b.s.Programs {
		for _, i := range drawn(own.Relays, own.Fraction) {
			p.Programs[0][i] = own
		}
		for _, i := range own.Users {
			p.Programs[1][i] = own
		}
	}

	p.Skew = [2]map[int]time.Duration{{}, {}}
	for _, k := range b.s.Skew {
		for _, i := range drawn(k.Relays, k.Fraction) {
			p.Skew[0][i] = k.By
		}
		for _, i := range k.Users {
			p.Skew[1][i] = k.By
		}
	}
}

// shifts lets the two of each couple take turns. A user that is there last has read
// everything: the last turns come after the messages.
func (b *planner) shifts() (todo []entry) {
	every := b.s.Shifts
	if every == 0 {
		return nil
	}

	turn := func(at time.Duration, leave, come int) {
		do := func(action Action, which int) entry {
			e := Event{At: at, Do: action, Drain: at > 0 && action == Offline, path: "shifts"}
			for u := which; u < b.s.Users; u += 2 {
				e.Users = append(e.Users, u)
			}
			return entry{at, func(time.Duration) error { return b.event(e) }}
		}
		if todo = append(todo, do(Offline, leave)); at > 0 {
			todo = append(todo, do(Online, come))
		}
	}

	// The odd ones leave first; at the end everybody comes.
	turn(0, 1, 0)
	here := 0
	for at := every; at < b.s.Duration; at += every {
		turn(at, here, 1-here)
		here = 1 - here
	}
	turn(b.s.Duration, here, 1-here)
	turn(b.s.Duration, 1-here, here)

	return todo
}

// churn spreads the stops evenly with some chance, each with its return.
func (b *planner) churn() (todo []entry) {
	c := b.s.Churn
	random := rand.New(rand.NewPCG(b.s.Seed, streamChurn))

	span := c.Until - c.From
	end := Stop
	if c.Kill {
		end = Kill
	}

	stops := int(math.Round(c.PerMinute * float64(b.s.Relays) * span.Minutes()))
	for i := range stops {
		at := c.From + time.Duration((float64(i)+random.Float64())/float64(stops)*float64(span))
		victim := -1

		todo = append(todo, entry{at, func(at time.Duration) error {
			up := b.where(false)
			if len(up) <= minRelays {
				return b.s.errorf("churn.per_minute", "at %v fewer than %d relays would be left; more relays, or a shorter away, leave more", at.Round(time.Millisecond), minRelays)
			}
			victim = up[random.IntN(len(up))]
			b.down[victim], b.took = true, "churn"
			b.add(Step{At: at, Do: end, Relays: []int{victim}})
			return nil
		}}, entry{at + c.Away, func(at time.Duration) error {
			if b.down[victim] { // the script may have been faster
				b.down[victim] = false
				b.add(Step{At: at, Do: Restart, Relays: []int{victim}})
			}
			return nil
		}})
	}

	return todo
}

// traffic spreads the messages evenly with some chance.
func (b *planner) traffic() (todo []entry) {
	m := b.s.Messages
	for i := range m.Count {
		at := time.Duration((float64(i) + b.messages.Float64()) / m.Rate * float64(time.Second))
		todo = append(todo, entry{min(at, b.s.Duration), func(at time.Duration) error { b.send(at); return nil }})
	}
	return todo
}

// send lets a user that is online write a message; if nobody is, it waits for the next
// one.
func (b *planner) send(at time.Duration) {
	var ways [][2]int
	for _, w := range b.ways {
		if !b.offline[w[0]] && !b.full[w[0]] {
			ways = append(ways, w)
		}
	}
	if len(ways) == 0 {
		b.waiting++
		return
	}
	w := ways[b.messages.IntN(len(ways))]
	m := b.s.Messages
	size := m.MinSize + b.messages.IntN(m.MaxSize-m.MinSize+1)
	b.add(Step{At: at, Do: Send, Message: Message{From: w[0], To: w[1], Index: b.next[w], Size: size}})
	b.next[w]++
	b.unread[w[1]] = true
}
