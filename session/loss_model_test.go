package session

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"starling/session/envelope"
)

var histories = flag.Int("histories", 40, "how many histories TestLoss draws")

// lossModel is two people, the state of each on disk, and mailboxes that lose cells
// at random, for a random time. Each side does its duty to the package and no more:
// signals are repeated, contents only for as long as their writer cares.
type lossModel struct {
	t      *testing.T
	random *rand.Rand
	who    [2]speaker
	box    [2]map[Tag]Cell // by receiver; what lies in mailboxes
	used   [2]map[Tag]Cell // what was put under a tag first
	loss   float64         // of puts
	dark   bool            // nothing arrives until it is calm

	dropping bool // mailboxes drop some contents whatever is put again
	clock    int  // steps so far
	renewed  int  // contents that were sealed anew
}

// tellPause is for how many steps losses are kept to be told together. Told at once, one
// that makes the other side give something up would be answered without an end.
const tellPause = 8

// speaker is one side.
type speaker struct {
	*Session
	disk    []byte           // as it was when the process last wrote
	all     []*said          // in order
	waiting []*said          // not sealed yet: ErrWaiting
	said    map[uint64]*said // by the number of its first cell
	lost    map[uint64]bool  // numbers of the peer's that were given up here
	told    map[ID][]Span    // what this side has said that it gave up
	toldAt  int              // when last
	heard   map[uint64]Part  // what came, by number
	tried   int              // refused for want of room
	dirty   bool             // disk is behind
}

// said is a content and its fate as its sender knows it.
type said struct {
	id      ID
	data    []byte
	repeats bool // until it has come or is given up; otherwise it is put once
	cells   []Cell
	first   uint64
	former  []uint64 // where it was sealed before
	over    bool     // given up
	dropped bool     // mailboxes say that they keep it as it is sealed, and do not
}

func newLossModel(t *testing.T, random *rand.Rand) *lossModel {
	m := &lossModel{t: t, random: random, dropping: true}
	a, b := pair(t)
	for i, s := range []*Session{a, b} {
		m.who[i] = speaker{Session: s, disk: state(t, s), said: map[uint64]*said{}, lost: map[uint64]bool{}, told: map[ID][]Span{}, heard: map[uint64]Part{}}
		m.box[i], m.used[i] = map[Tag]Cell{}, map[Tag]Cell{}
	}
	m.who[1].heard[0] = Part{Seq: 0, Count: 1} // the hello
	return m
}

// write stores the session of a side, which now and then starts anew from there.
func (m *lossModel) write(i int) {
	p := &m.who[i]
	p.disk, p.dirty = state(m.t, p.Session), false
	if m.random.IntN(8) == 0 {
		p.Session = restore(m.t, p.disk)
	}
}

// put stores a cell for a receiver, or loses it.
func (m *lossModel) put(to int, c Cell) {
	if old, known := m.used[to][c.Tag]; known && old != c {
		m.t.Fatal("two cells under one tag")
	}
	m.used[to][c.Tag] = c
	if m.random.Float64() >= m.loss {
		m.box[to][c.Tag] = c
	}
}

// say writes a content; it is sealed when there is room.
func (m *lossModel) say(i int, repeats bool, size int) *said {
	x := &said{id: newID(), data: bytes.Repeat([]byte{byte(i + 1)}, size), repeats: repeats, dropped: repeats && m.dropping && m.random.IntN(8) == 0}
	p := &m.who[i]
	p.waiting, p.all = append(p.waiting, x), append(p.all, x)
	m.sealWaiting(i)
	return x
}

func (m *lossModel) sealWaiting(i int) {
	p := &m.who[i]
	for len(p.waiting) > 0 {
		x := p.waiting[0]
		first, room := p.Sealed(), p.Room()
		cells, err := p.Seal(x.id, x.data, byte(first))
		if (err == ErrWaiting) != (envelope.Count(len(x.data)) > room) {
			m.t.Fatalf("room for %d, %d cells: %v", room, envelope.Count(len(x.data)), err)
		}
		if err == ErrWaiting {
			p.tried++
			break
		}
		if err != nil {
			m.t.Fatal(err)
		}
		p.waiting = p.waiting[1:]
		if x.cells != nil {
			x.former = append(x.former, x.first)
		}
		x.cells, x.first, p.said[first] = cells, first, x
		for _, c := range cells {
			if !x.dropped {
				m.put(1-i, c)
			}
		}
	}
	p.dirty = true
}

// repeat puts again the cells and signals that are to be repeated.
func (m *lossModel) repeat(i int) {
	for _, c := range m.who[i].Signals() {
		m.put(1-i, c)
	}
	for _, x := range m.who[i].all {
		for k, c := range x.cells {
			if _, came := m.who[1-i].heard[x.first+uint64(k)]; x.repeats && !x.over && !x.dropped && !came {
				m.put(1-i, c)
			}
		}
	}
}

// fetch takes the boxes under the tags that are asked for, at most n and in any order,
// some at a time, which are stored together or, if the process dies in between, not at
// all.
func (m *lossModel) fetch(i, n int) {
	p := &m.who[i]
	if p.dirty {
		m.write(i)
	}
	for n > 0 {
		var there []Cell
		for _, tag := range p.Window() {
			if c, ok := m.box[i][tag]; ok {
				there = append(there, c)
			}
		}
		if len(there) == 0 {
			break
		}
		m.random.Shuffle(len(there), func(a, b int) { there[a], there[b] = there[b], there[a] })
		there = there[:min(len(there), n, 1+m.random.IntN(64))]
		n -= len(there)

		dies := m.random.IntN(16) == 0
		for _, c := range there {
			part, err := p.Open(c)
			if err != nil && containsTag(p.Window(), c.Tag) { // unless what came meanwhile has made it needless
				m.t.Fatalf("a genuine cell that is asked for: %v", err)
			}
			if err == nil && !dies {
				m.came(i, part)
				delete(m.box[i], c.Tag)
			}
		}
		if dies {
			p.Session = restore(m.t, p.disk)
		} else {
			m.write(i)
		}
	}
	m.sealWaiting(i)
}

// came checks an arrival against the words of its writer.
func (m *lossModel) came(i int, part Part) {
	p := &m.who[i]
	if m.clock >= p.toldAt+tellPause {
		m.tell(i)
	}
	if part.Count == 0 {
		return
	}
	if _, twice := p.heard[part.Seq]; twice || p.lost[part.Seq] {
		m.t.Fatal("a cell twice, or after it was given up")
	}
	p.heard[part.Seq] = part
	x := m.who[1-i].said[part.Seq-uint64(part.Index)]
	if x == nil || x.id != part.ID || part.Word != byte(x.first) || !bytes.Equal(part.Data, envelope.Fragment(x.data, int(part.Index))) {
		m.t.Fatalf("cell %d is not what was said", part.Seq)
	}
	if spans := m.who[1-i].told[x.id]; spans != nil && m.arrived(1-i, x) {
		m.renew(i, spans)
	}
}

// tell tells the peer of a side which cells were given up there.
func (m *lossModel) tell(i int) {
	p := &m.who[i]
	spans := p.TakeLost()
	if len(spans) == 0 {
		return
	}
	p.toldAt = m.clock
	for _, span := range spans {
		if !m.who[1-i].Sent(span) {
			m.t.Fatal("given up what was never sealed")
		}
		for n := span.First; n < span.First+span.Count; n++ {
			if _, came := p.heard[n]; (came || p.lost[n]) && len(spans) < MaxLost {
				m.t.Fatal("given up what has come, or twice")
			} else if !came {
				p.lost[n] = true
			}
		}
	}
	x := m.say(i, true, 8*len(spans))
	p.told[x.id] = spans
}

// renew has what a side said, and the other has given up, sealed anew.
func (m *lossModel) renew(i int, spans []Span) {
	for _, x := range m.who[i].all {
		lost := slices.ContainsFunc(spans, func(s Span) bool { return s.First < x.first+uint64(len(x.cells)) && x.first < s.end() })
		if lost && x.repeats && !x.over && !m.arrived(i, x) && !slices.Contains(m.who[i].waiting, x) {
			m.who[i].waiting = append(m.who[i].waiting, x)
			x.dropped = false
			m.renewed++
		}
	}
	m.sealWaiting(i)
}

// step is one event of a history.
func (m *lossModel) step() {
	m.clock++
	i := m.random.IntN(2)
	switch m.random.IntN(12) {
	case 0, 1, 2:
		m.say(i, true, m.random.IntN(200))
	case 3: // a picture
		m.say(i, true, m.random.IntN(MaxContent))
	case 4: // typing
		for range m.random.IntN(60) << (m.random.IntN(5)) {
			m.say(i, false, 9)
		}
	case 5, 6:
		m.repeat(i)
	case 7, 8, 9:
		m.fetch(i, m.random.IntN(60))
	case 10: // a mailbox loses its disk, or 14 days are over
		clear(m.box[i])
		if m.random.IntN(2) == 0 {
			for _, x := range m.who[1-i].all {
				x.over = x.over || m.random.IntN(2) == 0 && m.who[1-i].told[x.id] == nil
			}
		}
	case 11: // the network is well for a while, or not at all
		if !m.dark {
			m.loss = []float64{0, 0.2, 0.7, 1}[m.random.IntN(4)]
		}
	}
}

// calm lets the network work from now on, and says something on each side: that and
// whatever else is not given up by its writer arrives.
func (m *lossModel) calm() {
	m.loss, m.dark, m.dropping = 0, false, false
	for i := range m.who {
		for _, x := range m.who[i].all {
			x.over = x.over || m.random.IntN(2) == 0 && m.who[i].told[x.id] == nil
		}
	}
	m.say(0, true, 3000)
	m.say(1, true, 5)
	m.arrive()
}

// arrive waits until all has arrived that is neither given up nor dropped.
func (m *lossModel) arrive() {
	for round := 0; !m.said(0) || !m.said(1); round++ {
		m.clock++
		for i := range m.who {
			if p := &m.who[i]; round == 60 {
				m.t.Errorf("what %d said in the end: %d contents wait, sealed %d, heard %d, come to %d of the other's; flare %v, answer %v",
					i, len(p.waiting), p.Sealed(), p.send.heard, p.Passed(), p.send.flare != nil, p.send.answer != nil)
			}
			if m.clock >= m.who[i].toldAt+tellPause { // by its time, though nothing comes
				m.tell(i)
			}
			m.repeat(i)
			m.fetch(i, 2*MaxUnheard)
		}
		if m.t.Failed() {
			m.t.FailNow()
		}
	}
}

// arrived reports whether a content has come whole, as it was sealed at one time.
func (m *lossModel) arrived(from int, x *said) bool {
	whole := func(first uint64) bool {
		for k := range envelope.Count(len(x.data)) {
			if _, ok := m.who[1-from].heard[first+uint64(k)]; !ok {
				return false
			}
		}
		return true
	}
	return len(x.cells) > 0 && (whole(x.first) || slices.ContainsFunc(x.former, whole))
}

// said reports whether all has arrived that a side has said and not given up, and that
// is not dropped.
func (m *lossModel) said(i int) bool {
	return !slices.ContainsFunc(m.who[i].all, func(x *said) bool { return x.repeats && !x.over && !x.dropped && !m.arrived(i, x) })
}

// settled checks that each cell has come or is known to be lost, once the peers have
// waited for as long as mailboxes keep anything.
func (m *lossModel) settled() {
	for i := range m.who {
		s := &m.who[i]
		s.GiveUp(s.Passed())
		m.tell(i)
		if len(s.Window()) > flaresAhead+1+Ahead {
			m.t.Fatal("given up, and still asked for")
		}
		m.write(i)
		for n := range s.Passed() {
			if _, came := m.who[i].heard[n]; !came && !m.who[i].lost[n] {
				m.t.Fatalf("cell %d has neither come nor is known to be lost", n)
			}
		}
	}
}

// kept checks that all has arrived that was not given up, also what was dropped.
func (m *lossModel) kept() {
	for i := range m.who {
		for _, x := range m.who[i].all {
			if x.dropped && !x.over {
				m.t.Fatal("mailboxes have dropped what its writer still cares for, and they are not told")
			}
		}
	}
}

// TestLoss: after any loss later messages arrive, in both directions; each cell arrives
// or is reported lost, and each content that was lost and that its writer still cares
// for arrives. The histories are drawn at random; each is followed
// by two more losses and recoveries of the same sessions.
func TestLoss(t *testing.T) {
	n, waited, renewed := *histories, 0, 0
	if testing.Short() {
		n = min(n, 12)
	}
	for seed := range n {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			m := newLossModel(t, rand.New(rand.NewPCG(uint64(seed), 4)))
			for range 3 {
				if m.random.IntN(4) == 0 {
					m.loss, m.dark = 1, true
				}
				for range 30 + m.random.IntN(90) {
					m.step()
				}
				m.calm()
				m.settled()
				m.arrive()
				m.kept()
				m.dropping = true
			}
			waited += m.who[0].tried + m.who[1].tried
			renewed += m.renewed
		})
	}
	if waited == 0 {
		t.Error("no history came to the limit of what may be on its way")
	}
	if renewed == 0 {
		t.Error("nothing that was lost was sealed anew")
	}
	t.Logf("%d waited, %d were sealed anew", waited, renewed)
}
