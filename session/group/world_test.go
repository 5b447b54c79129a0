package group

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"time"
)

// A world is two mailboxes and the people that use them. A log keeps all entries, as mailboxes
// do; each person reads what is new to them.
type world struct {
	t       fatal
	now     time.Time
	boxes   [2]mailboxes
	people  []*person
	hide    func(mailbox int, e Entry) bool // a lying mailbox
	loses   func() int                      // the mailbox that an append does not reach
	holds   func(a Append) bool             // appends that are held back
	light   bool                            // states are not stored: most of the time of a flood
	appends int
	bytes   int
	meets   map[[16]byte][32]byte // where the readers of a log are to meet, by those that write in it
}

type mailboxes struct {
	at   Mailbox
	logs map[[16]byte][]Entry
}

// A person is somebody in one room, or on the way into it.
type person struct {
	w       *world
	name    string
	room    *Room
	joining *Joining
	rows    [][]byte
	state   map[string][]byte
	read    [2]map[[16]byte]int
	heard   []Said
	events  []Event
	history [][]byte
	seen    []Ref // said before they came
	refused string
	fails   []error
	offline bool
	next    time.Time
	shuffle func(n int, swap func(i, j int))
	auto    bool // answer those who ask
	held    []Append
	apart   int      // 1 or 2: the one mailbox that they reach, in a partition
	later   []Append // for the other one
}

// fatal is a test, of testing or of rapid.
type fatal interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
	Error(args ...any)
	Log(args ...any)
}

func newWorld(t fatal) *world {
	w := &world{t: t, now: time.Unix(1_800_000_000, 0), meets: map[[16]byte][32]byte{}}
	for i := range w.boxes {
		w.boxes[i] = mailboxes{Mailbox{[32]byte{byte(i + 1)}, []byte(fmt.Sprintf("hint %d", i))}, map[[16]byte][]Entry{}}
	}
	return w
}

func (w *world) mailboxes() []Mailbox { return []Mailbox{w.boxes[0].at, w.boxes[1].at} }

func (w *world) person(name string) *person {
	p := &person{w: w, name: name, auto: true}
	p.read = [2]map[[16]byte]int{{}, {}}
	w.people = append(w.people, p)
	return p
}

func (w *world) found() *person {
	p := w.person("owner")
	room, err := Found(Founding{Title: "a room", Name: "owner", Mailboxes: w.mailboxes(), Now: w.now})
	if err != nil {
		w.t.Fatal(err)
	}
	p.room = room
	p.commit()
	return p
}

// commit stores and sends the changes.
func (p *person) commit() {
	p.next = time.Time{}
	var c Changes
	if p.room != nil {
		c = p.room.Changes()
		p.rows = append(p.rows, c.NewEntries...)
		p.stores()
	} else {
		c = p.joining.Changes()
		p.state = p.joining.State()
	}
	for _, a := range c.Appends {
		p.puts(a)
	}
}

// stores keeps the state, as the disk does.
func (p *person) stores() {
	if p.w.light {
		return
	}
	if p.state == nil {
		p.state = map[string][]byte{}
	}
	for name, b := range p.room.State() {
		if p.state[name] = b; b == nil {
			delete(p.state, name)
		}
	}
}

// whole is all of the state, whatever was stored of it.
func (r *Room) whole() map[string][]byte {
	all := map[string][]byte{}
	parts(&r.core, func(name string, _ uint64, add func([]byte) []byte) { all[name] = add(nil) })
	return all
}

func sameState(a, b map[string][]byte) bool { return maps.EqualFunc(a, b, bytes.Equal) }

// sizeOf is the bytes of a state.
func sizeOf(state map[string][]byte) (n int) {
	for name, b := range state {
		n += len(name) + len(b)
	}
	return n
}

// puts appends where somebody gets to, and later at the other mailbox.
func (p *person) puts(a Append) {
	if p.apart == 0 {
		p.w.put(a)
		return
	}
	p.w.boxes[p.apart-1].put(a)
	p.later = append(p.later, a)
}

// together ends a partition.
func (w *world) together() {
	for _, p := range w.people {
		p.apart = 0
		for _, a := range p.later {
			w.put(a)
		}
		p.later = nil
	}
}

func (w *world) put(a Append) {
	if w.holds != nil && w.holds(a) {
		return
	}
	if a.Meet != ([32]byte{}) {
		w.meets[nameOf(a.Log)] = a.Meet
	}
	lost := -1
	if w.loses != nil {
		lost = w.loses()
	}
	for _, m := range a.Mailboxes {
		for i := range w.boxes {
			if w.boxes[i].at.Node != m.Node || i == lost {
				continue
			}
			w.appends++
			w.bytes += 2400
			w.boxes[i].put(a)
		}
	}
}

func (m *mailboxes) put(a Append) bool {
	name := nameOf(a.Log)
	for _, e := range m.logs[name] {
		if e.Tag == a.Tag {
			return bytes.Equal(e.Box, a.Box)
		}
	}
	m.logs[name] = append(m.logs[name], Entry{name, uint32(len(m.logs[name]) + 1), a.Tag, a.Signature, a.Box})
	return true
}

// reads takes everything new from the mailboxes. It reports whether there was anything.
func (p *person) reads() (any bool) {
	if p.offline || p.room == nil && p.joining == nil {
		return false
	}
	places := p.places()
	for _, place := range places {
		if len(place.Names) > 8 || len(place.Names) == 0 || len(place.Meet) != len(place.Names) {
			p.w.t.Fatalf("%d logs in one place, %d secrets", len(place.Names), len(place.Meet))
		}
		for i, name := range place.Names {
			if meet, any := p.w.meets[name]; any && place.Meet[i] != meet {
				p.w.t.Fatalf("%s does not find those that write in %s", p.name, place.Key)
			}
		}
		for i := range p.w.boxes {
			if p.apart == 2-i || !slices.ContainsFunc(place.Mailboxes, func(m Mailbox) bool { return m.Node == p.w.boxes[i].at.Node }) {
				continue
			}
			for _, name := range place.Names {
				all := p.w.boxes[i].logs[name]
				fresh := slices.Clone(all[min(len(all), p.read[i][name]):])
				p.read[i][name] = len(all)
				if p.shuffle != nil {
					p.shuffle(len(fresh), func(a, b int) { fresh[a], fresh[b] = fresh[b], fresh[a] })
				}
				for _, e := range fresh {
					if p.w.hide != nil && p.w.hide(i, e) {
						continue
					}
					any = true
					joining := p.room == nil
					if p.take(e); joining && p.room != nil {
						return true // from now on other logs
					}
				}
			}
		}
	}
	return any
}

func (p *person) places() []Place {
	if p.room != nil {
		return p.room.Logs()
	}
	return p.joining.Logs()
}

func (p *person) take(e Entry) {
	if p.room == nil {
		answer, err := p.joining.Take(e, p.w.now)
		if err != nil {
			p.fails = append(p.fails, err)
		}
		if answer != nil && answer.Refused {
			p.refused = answer.Reason
		} else if answer != nil {
			p.room, p.history, p.seen = answer.Room, answer.History, answer.Seen
		}
		p.commit()
		return
	}
	events, err := p.room.Take(e, p.w.now)
	if err != nil {
		p.fails = append(p.fails, err)
	}
	p.tell(events)
	p.commit()
}

func (p *person) tell(events []Event) {
	p.events = append(p.events, events...)
	for _, e := range events {
		switch e := e.(type) {
		case Said:
			p.heard = append(p.heard, e)
		case Reread:
			for _, name := range e.Logs {
				for i := range p.read {
					p.read[i][name] = 0
				}
			}
		case Asked:
			if p.auto {
				if err := p.room.Approve(e.Request.ID, true, nil, p.w.now); err != nil {
					p.fails = append(p.fails, err)
				}
			}
		}
	}
}

// settle lets all read until nothing is new.
func (w *world) settle() {
	w.t.Helper()
	for range 200 {
		any := false
		for _, p := range w.people {
			any = p.reads() || any
		}
		if !any {
			return
		}
	}
	w.t.Fatal("it does not settle")
}

// pass lets time go by, with everything that is due.
func (w *world) pass(d time.Duration) {
	w.t.Helper()
	end := w.now.Add(d)
	for step := 0; ; step++ {
		w.settle()
		next := end
		for _, p := range w.people {
			if p.room == nil || p.offline {
				continue
			}
			if p.next.IsZero() || !w.now.Before(p.next) {
				events, due := p.room.Due(w.now)
				over, end := p.room.Expire(w.now)
				events, due = append(events, over...), earliest(due, end)
				p.tell(events)
				if events != nil || len(p.room.rows)+len(p.room.out) > 0 {
					p.commit()
				}
				p.stores()
				if due.Before(w.now.Add(time.Second)) {
					due = w.now.Add(time.Second)
				}
				p.next = due
			}
			if p.next.Before(next) {
				next = p.next
			}
		}
		w.settle()
		if !w.now.Before(end) {
			return
		}
		if step > 5000 {
			for _, p := range w.people {
				w.t.Log(p.name, p.next.Sub(w.now))
			}
			w.t.Fatal("something is due for ever")
		}
		if next.Before(w.now) {
			next = w.now
		}
		if soon := w.now.Add(5 * time.Second); next.After(soon) && step < 40 {
			next = soon
		}
		if next.After(end) {
			next = end
		}
		w.now = next
	}
}

// joins lets somebody in by a link of another.
func (w *world) joins(by *person, name string) *person {
	w.t.Helper()
	l, err := by.room.MakeLink(1, false, w.now.Add(time.Hour), w.now)
	if err != nil {
		w.t.Fatal(err)
	}
	by.commit()
	p := w.asks(l.Text, name)
	w.settle()
	if p.room == nil {
		w.t.Fatalf("%s is not in: %q %v %v", name, p.refused, p.fails, by.fails)
	}
	if err := by.room.CloseLink(l.ID); err != nil {
		w.t.Fatal(err)
	}
	by.commit()
	return p
}

func (w *world) asks(link, name string) *person {
	w.t.Helper()
	p := w.person(name)
	j, err := Ask(link, name, w.now)
	if err != nil {
		w.t.Fatal(err)
	}
	p.joining = j
	p.commit()
	return p
}

// room makes a room of n: the owner, and others whom the owner let in.
func (w *world) room(n int) []*person {
	w.t.Helper()
	all := []*person{w.found()}
	for i := 1; i < n; i++ {
		all = append(all, w.joins(all[0], fmt.Sprint("member ", i)))
	}
	return all
}

var contents int

func (p *person) says(text string) error {
	contents++
	return p.saysAs([16]byte{byte(contents >> 16), byte(contents >> 8), byte(contents)}, text)
}

func (p *person) saysAs(id [16]byte, text string) error {
	err := p.room.Say(id, []byte(text), p.w.now)
	if err == nil {
		p.commit()
	}
	return err
}

func (p *person) must(err error) {
	p.w.t.Helper()
	if err != nil {
		p.w.t.Fatalf("%s: %v", p.name, err)
	}
	p.commit()
}

// hears checks that all of these have heard a text, once, and nobody else.
func (w *world) hears(text string, by ...*person) {
	w.t.Helper()
	for _, p := range w.people {
		n := 0
		for _, s := range p.heard {
			if string(s.Content) == text {
				n++
			}
		}
		if want := slices.Contains(by, p); want && n != 1 || !want && n != 0 {
			w.t.Errorf("%s heard %q %d times", p.name, text[:min(len(text), 40)], n)
		}
	}
}

// restarts opens somebody's room from what they stored.
func (p *person) restarts() {
	p.w.t.Helper()
	if p.room == nil {
		j, err := OpenJoining(p.state)
		if err != nil {
			p.w.t.Fatal(p.name, err)
		}
		p.joining = j
		return
	}
	r, err := Open(p.state, p.rows)
	if err != nil {
		p.w.t.Fatal(p.name, err)
	}
	if again := r.whole(); !sameState(again, p.state) {
		p.w.t.Fatalf("%s: the state of an opened room is another one: %d and %d bytes", p.name, sizeOf(again), sizeOf(p.state))
	}
	if again := r.State(); len(again) > 0 {
		p.w.t.Fatalf("%s: %d parts of an opened room are stored again", p.name, len(again))
	}
	p.room = r
}

func (w *world) restart() {
	for _, p := range w.people {
		if p.room != nil || p.joining != nil {
			p.restarts()
		}
	}
}
