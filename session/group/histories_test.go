package group

import (
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var histories = flag.Int("histories", 25, "how many histories TestHistories plays")

// A history is a room over a bad network: entries are lost at one mailbox, come in any order, people
// are away, stop and start, are put back, let in and thrown out.
type history struct {
	*rapid.T
	w    *world
	said []uttered
	out  map[ID]bool      // thrown out or gone, or to be
	low  map[*person]bool // were not to speak at some time
}

// uttered is a content with all that is to hold for it.
type uttered struct {
	by      *person
	text    string
	ref     Ref
	for_    []*person // that have the keys, by what the author knows
	against []*person // that the author knows to be out
	heard   []Ref     // before it
	after   []Ref     // the causes that it names
}

// TestHistories: everybody in the room hears each word said after they were in, once, and can tell its causes;
// nobody removed opens a later one; a room opened from disk is the same.
func TestHistories(t *testing.T) {
	flag.Set("rapid.nofailfile", "true")
	flag.Set("rapid.checks", fmt.Sprint(*histories))
	rapid.Check(t, func(t *rapid.T) {
		h := &history{T: t, w: newWorld(t), out: map[ID]bool{}, low: map[*person]bool{}}
		h.play()
	})
}

func (h *history) n(n int, what string) int { return rapid.IntRange(0, n-1).Draw(h.T, what) }
func (h *history) one(of []*person) *person { return of[h.n(len(of), "who")] }

func (h *history) inside() (all []*person) {
	for _, p := range h.w.people {
		if p.room != nil && p.room.Role(p.room.Self()) > Nobody && !h.out[p.room.Self()] {
			all = append(all, p)
		}
	}
	return all
}

func (h *history) play() {
	w := h.w
	first := w.room(2 + h.n(3, "people"))
	w.loses = func() int { return h.n(3, "lost at") - 1 }
	for range 12 + h.n(12, "acts") {
		h.act(first)
	}

	// The end: everybody is there, and nothing is lost any more.
	w.loses = nil
	for _, p := range w.people {
		p.offline, p.shuffle = false, nil
	}
	for _, p := range h.inside() {
		if p.room.Returning() {
			p.readsToTheEnd()
		}
	}
	w.pass(40 * time.Minute)
	for _, p := range h.inside() {
		if p.room.Role(p.room.Self()) >= Writer {
			h.say(p, true)
		}
	}
	w.settle()
	h.check()
}

func (h *history) act(first []*person) {
	w, p := h.w, h.one(h.inside())
	r := p.room
	k := h.n(100, "act")
	h.Log("act", k, "by", p.name)
	switch {
	case k < 40:
		h.say(p, false)
	case k < 62:
		p.shuffle = func(n int, swap func(i, j int)) {
			for i := n - 1; i > 0; i-- {
				swap(i, h.n(i+1, "swap"))
			}
		}
		p.offline = false
		p.reads()
		p.shuffle = nil
	case k < 70:
		w.now = w.now.Add(time.Duration(h.n(120, "seconds")) * time.Second)
		events, _ := r.Due(w.now)
		over, _ := r.Expire(w.now)
		p.tell(append(events, over...))
		p.commit()
	case k < 78:
		if len(w.people) < 8 && r.Role(r.Self()) >= Admin {
			l, err := r.MakeLink(1, false, w.now.Add(time.Hour), w.now)
			if err != nil {
				return
			}
			p.commit()
			w.asks(l.Text, fmt.Sprint("late ", len(w.people)))
		}
		for _, q := range w.people {
			if q.room == nil {
				q.reads()
				p.reads()
				q.reads()
			}
		}
	case k < 84:
		h.change(p)
	case k < 90:
		p.restarts()
	case k < 93:
		if q := h.one(h.inside()); q != first[0] && len(h.inside()) > 2 && q.room.Role(q.room.Self()) < Owner {
			if q.room.Leave(w.now) == nil {
				h.out[q.room.Self()] = true
				q.commit()
			}
		}
	case k < 96:
		p.restored(p.backup())
		p.readsToTheEnd()
	default:
		w.pass(time.Minute)
	}
}

// change has somebody with the right change a role.
func (h *history) change(p *person) {
	q := h.one(h.w.people)
	if q.room == nil || q == p {
		return
	}
	role := Role(h.n(int(Owner), "role"))
	h.Log(p.name, "makes", q.name, role)
	if p.room.SetRole(q.room.Self(), role, h.w.now) == nil {
		p.commit()
		if h.low[q] = h.low[q] || role < Writer; role == Nobody {
			h.out[q.room.Self()] = true
		}
	}
}

func (h *history) say(p *person, last bool) {
	r := p.room
	u := uttered{by: p, text: fmt.Sprintf("word %d of %s", len(h.said), p.name)}
	for _, s := range p.heard {
		u.heard = append(u.heard, s.Ref)
	}
	for _, o := range h.said {
		if o.by == p {
			u.heard = append(u.heard, o.ref)
		}
	}
	list := r.keys.List()
	for _, q := range h.w.people {
		switch {
		case q.room == nil || q == p:
		case r.Role(q.room.Self()) > Nobody && r.words.mayUse(list, q.room.Self()):
			u.for_ = append(u.for_, q)
		case r.roles[q.room.Self()] == Nobody && r.joined[q.room.Self()] != 0 && h.byRemoval(r, q):
			u.against = append(u.against, q)
		}
	}
	u.after = append(slices.Clone(r.ear.frontier), r.ear.mine)
	contents++
	id := [16]byte{byte(contents >> 16), byte(contents >> 8), byte(contents), 1}
	if err := p.saysAs(id, u.text); err != nil {
		if last {
			h.Fatalf("%s cannot speak at the end: %v; heads %d, lacking %d, away %v %v, remaining %d", p.name, err,
				len(r.keys.Heads()), len(r.keys.Lacking()), r.Away(), r.Returning(), len(r.remaining()))
		}
		return
	}
	u.ref = refOf(r.group, r.self, id, []byte(u.text))
	h.said = append(h.said, u)
	if last {
		for _, q := range h.inside() {
			if q != p && !slices.Contains(u.for_, q) {
				h.Errorf("at the end %s does not speak to %s", p.name, q.name)
			}
		}
	}
}

func (h *history) byRemoval(r *Room, q *person) bool {
	return !slices.Contains(r.remaining(), q.room.Self())
}

func (h *history) check() {
	causes := map[Ref][]Ref{}
	for _, p := range h.w.people {
		for _, s := range p.heard {
			causes[s.Ref] = s.After
		}
	}
	for _, u := range h.said {
		if causes[u.ref] == nil { // nobody has heard it
			causes[u.ref] = u.after
		}
	}
	var before func(r Ref, all map[Ref]bool)
	before = func(r Ref, all map[Ref]bool) {
		for _, c := range causes[r] {
			if !all[c] {
				all[c] = true
				before(c, all)
			}
		}
	}

	inside := h.inside()
	for _, u := range h.said {
		for _, p := range h.w.people {
			n := 0
			for _, s := range p.heard {
				if s.Ref == u.ref {
					n++
				}
			}
			wanted := slices.Contains(u.for_, p) && slices.Contains(inside, p) && slices.Contains(inside, u.by) && !h.low[u.by]
			if wanted && n == 0 || n > 1 {
				h.Errorf("%s heard %q %d times", p.name, u.text, n)
			}
		}
		for _, q := range u.against {
			if h.opens(q, u) {
				h.Errorf("%s is out, and opens %q", q.name, u.text)
			}
		}
		all := map[Ref]bool{}
		before(u.ref, all)
		for _, ref := range u.heard {
			if !all[ref] && slices.Contains(inside, u.by) && !h.low[u.by] && h.known(causes, ref) {
				h.Errorf("%q does not name a cause", u.text)
			}
		}
	}
	for _, p := range inside {
		p.commit()
		p.restarts()
		if slices.ContainsFunc(p.events, func(e Event) bool { _, is := e.(Forked); return is }) {
			h.Errorf("%s accuses somebody", p.name)
		}
	}
	for _, p := range inside[1:] {
		if fmt.Sprint(ids(p)) != fmt.Sprint(ids(inside[0])) {
			h.Errorf("%s sees %v, %s %v", p.name, ids(p), inside[0].name, ids(inside[0]))
		}
	}
}

func (h *history) known(causes map[Ref][]Ref, r Ref) bool { _, known := causes[r]; return known }

func ids(p *person) (all []string) {
	for _, m := range p.room.Members() {
		all = append(all, m.ID.String()[:6]+" "+m.Role.String())
	}
	return all
}

// opens gives somebody everything that ever lay in a mailbox.
func (h *history) opens(q *person, u uttered) bool {
	for range 2 {
		for i := range h.w.boxes {
			for _, log := range h.w.boxes[i].logs {
				for _, e := range log {
					if q.room != nil {
						q.take(e)
					}
				}
			}
		}
	}
	return slices.ContainsFunc(q.heard, func(s Said) bool { return s.Ref == u.ref })
}
