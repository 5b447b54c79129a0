package group

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"starling/session/group/keys"
	"starling/session/group/members"
)

func (w *world) link(by *person, uses int, approve bool) Link {
	w.t.Helper()
	l, err := by.room.MakeLink(uses, approve, w.now.Add(time.Hour), w.now)
	if err != nil {
		w.t.Fatal(err)
	}
	by.commit()
	return l
}

// TestLinkUsedAHundredTimes: n uses are n, however many ask at once, by two admins and after a restart.
func TestLinkUsedAHundredTimes(t *testing.T) {
	w := newWorld(t)
	all := w.room(2)
	owner, admin := all[0], all[1]
	owner.must(owner.room.SetRole(admin.room.self, Admin, w.now))
	w.settle()
	l := w.link(owner, 3, false)
	other := w.link(admin, 1, false)
	for i := range 100 {
		w.asks(l.Text, fmt.Sprint("guest ", i))
	}
	for range 3 {
		w.asks(other.Text, "guest of the admin")
	}
	owner.restarts()
	w.settle()
	in, told := 0, 0
	for _, p := range w.people[2:] {
		switch {
		case p.room != nil:
			in++
		case p.refused == "used up":
			told++
		}
	}
	if in != 4 || told != 99+0 {
		t.Errorf("%d are in, %d were told", in, told)
	}
	if used := owner.room.Links()[0].Used; used != 3 {
		t.Errorf("%d uses", used)
	}
	if len(owner.room.Members()) != 6 {
		t.Error(len(owner.room.Members()))
	}
}

// TestApproval: somebody waits until they are let in, or not, over restarts; and nobody is asked twice.
func TestApproval(t *testing.T) {
	w := newWorld(t)
	owner := w.found()
	owner.auto = false
	l := w.link(owner, 2, true)
	one, two := w.asks(l.Text, "one"), w.asks(l.Text, "two")
	w.settle()
	w.restart()
	all := owner.room.Requests()
	if len(all) != 2 || !all[0].Approve || all[0].Link != l.ID || one.room != nil {
		t.Fatalf("%+v", all)
	}
	for i, q := range all {
		history := [][]byte{[]byte("said before"), bytes.Repeat([]byte("long "), 4000)}
		owner.must(owner.room.Approve(q.ID, i == 0, history, w.now))
		if err := owner.room.Approve(q.ID, true, nil, w.now); err == nil {
			t.Error("answered twice")
		}
	}
	w.settle()
	yes, no := one, two
	if all[0].Name == "two" {
		yes, no = two, one
	}
	if yes.room == nil || len(yes.history) != 2 || string(yes.history[0]) != "said before" || no.refused != "declined" {
		t.Errorf("in %v, history %d, refused %q", yes.room != nil, len(yes.history), no.refused)
	}
	if len(owner.room.Requests()) != 0 {
		t.Error("somebody still waits")
	}
}

// TestLinkOver: links that are over, closed, or whose author was removed let nobody in.
func TestLinkOver(t *testing.T) {
	w := newWorld(t)
	all := w.room(2)
	owner, admin := all[0], all[1]
	owner.must(owner.room.SetRole(admin.room.self, Admin, w.now))
	w.settle()
	first, second, third := w.link(owner, 5, false), w.link(owner, 5, false), w.link(admin, 5, false)
	late := w.asks(first.Text, "late")
	closed := w.asks(second.Text, "closed")
	owner.must(owner.room.CloseLink(second.ID))
	gone := w.asks(third.Text, "gone")
	owner.must(owner.room.SetRole(admin.room.self, Writer, w.now))
	w.now = w.now.Add(2 * time.Hour)
	w.settle()
	if late.room != nil || closed.room != nil || gone.room != nil || late.refused != "over" {
		t.Errorf("%v %v %v, %q", late.room != nil, closed.room != nil, gone.room != nil, late.refused)
	}
	if _, err := Ask(first.Text, "too late", w.now); err == nil {
		t.Error("a link that is over is asked")
	}
	if _, err := admin.room.MakeLink(1, false, w.now.Add(time.Hour), w.now); err != ErrRank {
		t.Error(err)
	}
	w.pass(time.Minute)
	if n := len(owner.room.Links()); n != 0 {
		t.Errorf("%d links are open", n)
	}
}

// TestLinkLies: every field of a link.
func TestLinkLies(t *testing.T) {
	w := newWorld(t)
	owner := w.found()
	l := w.link(owner, 3, true)
	if c, err := ParseLink("  " + strings.ToUpper(l.Text[:20]) + "\n" + l.Text[20:]); err != nil || c.Uses != 3 || !c.Approve || c.Title != "a room" || c.Group != owner.room.group {
		t.Errorf("%+v %v", c, err)
	}
	i, _ := parseInvite(l.Text)
	refuse := func(what string, f func(i *invite)) {
		t.Helper()
		c := *i
		c.mailboxes = cloneMailboxes(i.mailboxes)
		f(&c)
		if _, err := parseInvite(c.text()); err == nil {
			t.Errorf("%s: taken", what)
		}
	}
	refuse("no uses", func(i *invite) { i.uses = 0 })
	refuse("too many", func(i *invite) { i.uses = MaxUses + 1 })
	refuse("title", func(i *invite) { i.title = strings.Repeat("t", 65) })
	refuse("no text", func(i *invite) { i.title = "\xff" })
	refuse("no mailbox", func(i *invite) { i.mailboxes = nil })
	refuse("one twice", func(i *invite) { i.mailboxes[1] = i.mailboxes[0] })
	refuse("three", func(i *invite) { i.mailboxes = append(i.mailboxes, Mailbox{Node: [32]byte{9}}) })
	refuse("a long hint", func(i *invite) { i.mailboxes[0].Hint = make([]byte, 129) })
	raw := i.encode()
	for n := range raw {
		if _, err := parseInviteBytes(raw[:n]); err == nil {
			t.Errorf("cut at %d: taken", n)
		}
		bad := slices.Clone(raw)
		bad[n] ^= 0x40
		if _, err := parseInviteBytes(bad); err == nil {
			t.Errorf("changed at %d: taken", n)
		}
	}
	if _, err := parseInvite(l.Text + "aaaa"); err == nil {
		t.Error("with more behind")
	}
	if _, err := parseInvite(strings.Replace(l.Text, "starling-room:", "starling:", 1)); err == nil {
		t.Error("an invite of a person")
	}
}

// TestLinkCardLies: whoever else has the link puts another card into its log.
func TestLinkCardLies(t *testing.T) {
	w := newWorld(t)
	owner := w.found()
	l := w.link(owner, 1, false)
	i, _ := parseInvite(l.Text)
	evil := keys.NewLeafKey()
	p := w.asks(l.Text, "victim")
	v := newVault(i.secret)
	put := func(data []byte) error {
		a := putInto(&v, i.secret, i.group, laneLink, 0, i.mailboxes, control(data))
		_, err := p.joining.Take(Entry{nameOf(a.Log), 1, a.Tag, a.Signature, a.Box}, w.now)
		return err
	}
	if put(linkCard(evil.Public(), owner.room.self)) == nil || len(p.joining.out) > 0 {
		t.Error("the card of another is asked")
	}
	if put(linkCard(owner.room.door.links[0].leaf.Public(), ID{1})) == nil {
		t.Error("a card of another author")
	}
	w.settle()
	if p.room == nil {
		t.Error("the right card does not help any more")
	}
}

// request is a request by a link as somebody makes it.
func (w *world) request(l Link, change func(person **members.Person, record, answer *[]byte)) [][]byte {
	i, _ := parseInvite(l.Text)
	owner := w.people[0]
	leaf := owner.room.door.link(l.ID).leaf.Public()
	k, own := members.NewKey(), keys.NewLeafKey()
	person, err := members.Introduce(k, i.group, i.id(), own.Public().Hash(), "guest")
	if err != nil {
		w.t.Fatal(err)
	}
	record, answer := leafData(k, i.group, 0, own.Public()), bytes.Repeat([]byte{7}, 32)
	change(&person, &record, &answer)
	var p pen
	encoded := person.Append(nil)
	p.u16(len(encoded))
	p.raw(encoded)
	p.raw(record)
	p.raw(answer)
	sealed, err := keys.SealTo(leaf, requestInfo(i.group, i.id(), leaf), p.b)
	if err != nil {
		w.t.Fatal(err)
	}
	id := person.Key[:16]
	first := slices.Concat([]byte{typeRequest}, id, []byte{0}, sealed[:requestData])
	return [][]byte{first, slices.Concat([]byte{typeRequest}, id, []byte{1}, sealed[requestData:])}
}

func (w *world) atLink(l Link, data []byte) Entry {
	i, _ := parseInvite(l.Text)
	v := newVault(i.secret)
	a := putInto(&v, i.secret, i.group, laneLink, 0, i.mailboxes, control(data))
	return Entry{nameOf(a.Log), 1, a.Tag, a.Signature, a.Box}
}

// TestRequestLies: every field of a request.
func TestRequestLies(t *testing.T) {
	w := newWorld(t)
	owner := w.found()
	owner.auto = false
	l, other := w.link(owner, 9, true), w.link(owner, 9, true)
	stranger := keys.NewLeafKey()
	elsewhere := newWorld(t).found()
	for what, change := range map[string]func(person **members.Person, record, answer *[]byte){
		"of another invite": func(person **members.Person, record, answer *[]byte) { (*person).Invite = other.ID },
		"another name":      func(person **members.Person, record, answer *[]byte) { (*person).Name = "the owner" },
		"of another room": func(person **members.Person, record, answer *[]byte) {
			k := members.NewKey()
			*person, _ = members.Introduce(k, elsewhere.room.group, l.ID, stranger.Public().Hash(), "x")
			*record = leafData(k, owner.room.group, 0, stranger.Public())
		},
		"another leaf": func(person **members.Person, record, answer *[]byte) {
			k := members.NewKey()
			*person, _ = members.Introduce(k, owner.room.group, l.ID, stranger.Public().Hash(), "x")
			*record = leafData(k, owner.room.group, 0, keys.NewLeafKey().Public())
		},
		"a leaf of somebody else": func(person **members.Person, record, answer *[]byte) {
			*record = leafData(members.NewKey(), owner.room.group, 0, stranger.Public())
		},
		"a leaf that is not the first": func(person **members.Person, record, answer *[]byte) {
			k, own := members.NewKey(), keys.NewLeafKey()
			*person, _ = members.Introduce(k, owner.room.group, l.ID, own.Public().Hash(), "x")
			*record = leafData(k, owner.room.group, 1<<32-1, own.Public())
		},
		"a long record": func(person **members.Person, record, answer *[]byte) { *record = append(*record, 1) },
		"no answer":     func(person **members.Person, record, answer *[]byte) { *answer = make([]byte, 32) },
	} {
		pieces := w.request(l, change)
		owner.take(w.atLink(l, pieces[0]))
		if _, err := owner.room.Take(w.atLink(l, pieces[1]), w.now); err == nil {
			t.Errorf("%s: taken", what)
		}
	}
	pieces := w.request(l, func(**members.Person, *[]byte, *[]byte) {})
	owner.take(w.atLink(l, pieces[0]))
	owner.take(w.atLink(other, pieces[1]))
	if len(owner.room.Requests()) != 0 {
		t.Error("pieces of two links make a request")
	}
	bad := slices.Clone(pieces[0])
	bad[17] = 2
	owner.refuses("a third piece", w.atLink(l, bad))
	owner.refuses("too short", w.atLink(l, bad[:18]))
	owner.take(w.atLink(l, pieces[1]))
	if len(owner.room.Requests()) != 1 {
		t.Fatal("the right one is not there")
	}

	// A thousand halves push nobody out, and take no more room than 256.
	for i := range 1000 {
		half := slices.Clone(pieces[0])
		half[1], half[2], half[3] = byte(i), byte(i>>8), 0xaa
		owner.room.Take(w.atLink(l, half), w.now)
	}
	if n := len(owner.room.door.requests); n > MaxWaiting || len(owner.room.Requests()) != 1 {
		t.Errorf("%d are kept, %d wait", n, len(owner.room.Requests()))
	}
	guest := w.asks(l.Text, "guest")
	w.settle()
	if len(owner.room.Requests()) != 2 || guest.refused != "" {
		t.Error("halves keep somebody out")
	}
}

// TestManyWaiting: 256 wait, and the next one is not taken.
func TestManyWaiting(t *testing.T) {
	w := newWorld(t)
	owner := w.found()
	owner.auto = false
	l := w.link(owner, MaxUses, true)
	for range MaxWaiting + 3 {
		pieces := w.request(l, func(**members.Person, *[]byte, *[]byte) {})
		owner.room.Take(w.atLink(l, pieces[0]), w.now)
		owner.room.Take(w.atLink(l, pieces[1]), w.now)
	}
	if n := len(owner.room.Requests()); n != MaxWaiting {
		t.Errorf("%d wait", n)
	}
	owner.commit()
	owner.restarts()
	if n := len(owner.room.Requests()); n != MaxWaiting {
		t.Errorf("%d wait after a restart", n)
	}
}

// TestAnswerLies: the author of a link answers with something else than a room with us in it.
func TestAnswerLies(t *testing.T) {
	w := newWorld(t)
	owner := w.found()
	them := newWorld(t).found()
	l := w.link(owner, 9, false)
	owner.auto = false
	whole := func(all [][]byte) (b []byte) {
		for _, item := range all {
			b = appendItem(b, item)
		}
		return b
	}
	yes := []byte{typeVerdict, admitted}
	for what, b := range map[string][]byte{
		"nothing":            {},
		"no verdict":         whole(owner.room.welcome(nil, nil, nil)[1:]),
		"an unknown verdict": whole([][]byte{{typeVerdict, 9}}),
		"a long verdict":     whole([][]byte{{typeVerdict, 0, 0}}),
		"yes and no more":    whole([][]byte{yes}),
		"not us in it":       whole(owner.room.welcome(nil, nil, nil)),
		"another room":       whole(them.room.welcome(nil, nil, nil)),
		"garbage for a room": whole([][]byte{yes, {typeEntry, 1, 2, 3}}),
		"a cut item":         append(whole([][]byte{yes}), 0, 1, 0),
		"an empty item":      append(whole([][]byte{yes}), 0, 0, 0),
		"not the first":      whole([][]byte{yes, {typeSeen, 1}}),
	} {
		j, _ := Ask(l.Text, "guest", w.now)
		if a := j.finish(b, w.now); !a.Refused || a.Room != nil {
			t.Errorf("%s: we are in", what)
		}
	}
	var s stream
	piece := func(index, count, n int) []byte {
		var p pen
		p.u8(typeAnswer)
		p.u16(index)
		p.u16(count)
		p.raw(make([]byte, n))
		return p.b
	}
	for what, b := range map[string][]byte{
		"no piece": {typeAnswer}, "count 0": piece(0, 0, 5), "index": piece(2, 2, 5), "short": piece(0, 2, 5), "empty": piece(0, 1, 0),
		"too many": piece(0, maxPieces+1, answerData), "another type": append([]byte{typeSeen}, piece(0, 1, 5)[1:]...),
	} {
		if _, err := s.take(b); err == nil {
			t.Errorf("%s: taken", what)
		}
	}
	if _, err := s.take(piece(0, 3, answerData)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.take(piece(1, 2, 5)); err == nil {
		t.Error("two counts")
	}
}

// TestCardLies: an admin tells two cards for one rekey, or one that is none; another admin tells one.
func TestCardLies(t *testing.T) {
	w := newWorld(t)
	all := w.room(4)
	owner, admin, carol := all[0], all[1], all[2]
	owner.must(owner.room.SetRole(admin.room.self, Admin, w.now))
	w.settle()
	p := owner.room.writing()
	tell := func(by *person, c *card) Entry {
		st := by.room.set.State(by.room.key, members.Card, random())
		st.Body = sealCard(by.room.group, p.rekey, p.vault.secret, st.Context(), c)
		st.Sign(by.room.key)
		return by.forge(laneControl, control(append([]byte{typeStatement}, st.Append(nil)...)))
	}
	another := newCard([32]byte{1}, [32]byte{2}, w.mailboxes())
	before := carol.room.writing().cardID
	carol.take(tell(admin, another))
	if carol.room.writing().cardID != before {
		t.Error("the card of another admin counts")
	}
	for what, c := range map[string]*card{
		"no mailbox":  newCard(p.given, [32]byte{2}, nil),
		"one twice":   newCard(p.given, [32]byte{2}, []Mailbox{w.boxes[0].at, w.boxes[0].at}),
		"a long hint": newCard(p.given, [32]byte{2}, []Mailbox{{Hint: make([]byte, 200)}}),
	} {
		// Whichever id is lower, a card that is none changes nothing.
		for range 4 {
			carol.take(tell(owner, c))
		}
		if carol.room.writing().cardID != before {
			t.Errorf("%s: counts", what)
		}
	}

	// Two cards: everybody takes the same, and the next rekey ends it.
	for range 3 {
		e := tell(owner, another)
		for _, q := range all {
			q.take(e)
		}
	}
	for _, q := range all[1:] {
		if q.room.writing().cardID != owner.room.writing().cardID {
			t.Error("people go to different places")
		}
	}
	admin.must(admin.room.rekey(w.now))
	for _, p := range all {
		p.read = [2]map[[16]byte]int{{}, {}}
	}
	w.pass(2 * time.Minute)
	w.allSpeak("behind the next card", []*person{admin, carol, all[3]}, owner)
}

// TestSettingsLies: every field of settings.
func TestSettingsLies(t *testing.T) {
	good := Settings{Title: "title", History: true, AdminsOnly: true, Timer: 7}
	if s, ok := parseSettings(good.encode()); !ok || s != good {
		t.Error(s, ok)
	}
	for what, f := range map[string]func(b []byte) []byte{
		"flags":    func(b []byte) []byte { b[0] = 4; return b },
		"length":   func(b []byte) []byte { b[5] = 65; return b },
		"cut":      func(b []byte) []byte { return b[:5] },
		"behind":   func(b []byte) []byte { return append(b, 1) },
		"no text":  func(b []byte) []byte { b[6] = 0xff; return b },
		"too long": func(b []byte) []byte { return (&Settings{Title: strings.Repeat("t", 65)}).encode() },
	} {
		if _, ok := parseSettings(f(good.encode())); ok {
			t.Errorf("%s: taken", what)
		}
	}

	// A counter at the end of its range is over with its author.
	w := newWorld(t)
	all := w.room(3)
	owner, admin := all[0], all[1]
	owner.must(owner.room.SetRole(admin.room.self, Admin, w.now))
	w.settle()
	st := admin.room.set.State(admin.room.key, members.Settings, 1<<32-1)
	st.Body = (&Settings{Title: "for ever"}).encode()
	st.Sign(admin.room.key)
	e := admin.forge(laneControl, control(append([]byte{typeStatement}, st.Append(nil)...)))
	for _, p := range all {
		p.take(e)
	}
	if all[2].room.Title() != "for ever" {
		t.Fatal(all[2].room.Title())
	}
	owner.must(owner.room.SetRole(admin.room.self, Writer, w.now))
	w.settle()
	owner.must(owner.room.SetSettings(Settings{Title: "not any more"}, w.now))
	w.settle()
	if all[2].room.Title() != "not any more" {
		t.Error(all[2].room.Title())
	}
}

// TestFalseSeeds: somebody in the room puts false pieces beside the seeds of a rekey, before them and behind.
func TestFalseSeeds(t *testing.T) {
	w := newWorld(t)
	all := w.room(4)
	owner, bob, carol := all[0], all[1], all[2]
	evil := bob.room
	if err := owner.room.rekey(w.now); err != nil {
		t.Fatal(err)
	}
	c := owner.room.Changes()
	id := owner.room.keys.Heads()[0]
	p := evil.writing()
	for i := range 12 {
		data := slices.Concat([]byte{typeSeeds}, id[:], []byte{byte(i % 3)}, bytes.Repeat([]byte{byte(i)}, chunkSize))
		a, _ := p.put(evil.group, laneOpen, control(data))
		w.put(a)
	}
	owner.rows = append(owner.rows, c.NewEntries...)
	owner.commit()
	for _, a := range c.Appends {
		w.put(a)
	}
	w.settle()
	w.allSpeak("beside false seeds", all)
	for what, data := range map[string][]byte{
		"short": append([]byte{typeSeeds}, id[:]...), "handed short": append([]byte{typeHanded}, id[:]...), "no type": {99}, "a leaf cut": {typeLeaf, 1},
		"an offer that is none": {typeOffer, 1, 2}, "half a statement": {typeStatement, 1}, "half an entry": {typeEntry, 1},
	} {
		carol.refuses(what, carol.forge(laneOpen, control(data)))
	}
}

// TestNeedsAndTroublesOfLiars: a member asks all the time, and accuses lanes. It costs a step a minute and a rekey an hour.
func TestNeedsAndTroublesOfLiars(t *testing.T) {
	w := newWorld(t)
	all := w.room(3)
	owner, bob := all[0], all[1]
	state := func(topic members.Topic, body []byte) Entry {
		st := bob.room.set.State(bob.room.key, topic, random())
		st.Body = body
		st.Sign(bob.room.key)
		return bob.forge(laneOpen, control(append([]byte{typeStatement}, st.Append(nil)...)))
	}
	head := bob.room.keys.Heads()[0]
	for what, body := range map[string][]byte{"nothing": {}, "half": head[:31], "too much": make([]byte, 32*18)} {
		owner.refuses("a need of "+what, state(members.Need, body))
	}
	owner.refuses("trouble in no lane", state(members.Trouble, append(head[:], 8)))
	owner.refuses("trouble cut", state(members.Trouble, head[:]))
	owner.refuses("a return without a nonce", state(members.Return, nil))
	owner.refuses("a return with zeros", state(members.Return, make([]byte, 16)))
	for i := range 200 {
		owner.take(state(members.Need, head[:]))
		owner.take(state(members.Trouble, append(head[:], byte(i%8))))
		owner.take(state(members.Return, bytes.Repeat([]byte{byte(i), 1}, 8)))
	}
	if len(owner.room.duty.needs) > 1 || len(owner.room.duty.troubles) > lanes {
		t.Errorf("%d needs, %d troubles", len(owner.room.duty.needs), len(owner.room.duty.troubles))
	}
	if n := owner.room.words.number[authored{bob.room.self, members.Return}]; n > maxReturns {
		t.Errorf("%d returns are kept", n)
	}
	before := len(owner.room.words.rekeys)
	w.pass(30 * time.Minute)
	if n := len(owner.room.words.rekeys) - before; n > 1 {
		t.Errorf("%d rekeys in half an hour", n)
	}
}

// TestNewcomerKnowsTheContentBefore: whatever the next content of anybody names as the one before it was
// said before a newcomer came, whether somebody has named it since or not; and so for those that a newcomer lets in.
func TestNewcomerKnowsTheContentBefore(t *testing.T) {
	w := newWorld(t)
	all := w.room(3)
	for i, p := range all {
		for range 2 {
			p.must(p.says(fmt.Sprint("before ", i)))
			w.settle()
		}
	}
	first := w.joins(all[0], "newcomer")
	all[0].must(all[0].room.SetRole(first.room.Self(), Admin, w.now))
	w.settle()
	first.restarts()
	second := w.joins(first, "their guest")
	for _, p := range all {
		p.must(p.says("after"))
		w.settle()
	}

	for _, p := range []*person{first, second} {
		known := slices.Clone(p.seen)
		for _, s := range p.heard {
			for _, r := range s.After {
				if !slices.Contains(known, r) {
					t.Errorf("%s waits for what was said before they came", p.name)
				}
			}
			known = append(known, s.Ref)
		}
		if len(p.heard) != 3 {
			t.Errorf("%s heard %d", p.name, len(p.heard))
		}
	}
}

// TestApprovedTooMany: more people wait than a link has uses, or the room has places. Whoever is approved beyond these is refused, and
// told why.
func TestApprovedTooMany(t *testing.T) {
	w := newWorld(t)
	w.light = true
	owner := w.found()
	owner.auto = false
	approves := func(l Link, names ...string) (last error) {
		for _, name := range names {
			w.asks(l.Text, name)
		}
		w.settle()
		waiting := owner.room.Requests()
		if len(waiting) != len(names) {
			t.Fatalf("%d wait", len(waiting))
		}
		for _, q := range waiting {
			last = owner.room.Approve(q.ID, true, nil, w.now)
			owner.commit()
		}
		w.settle()
		return last
	}
	ends := func(reason string, members int) {
		t.Helper()
		if last := w.people[len(w.people)-1]; last.room != nil || last.refused != reason || len(owner.room.Members()) != members {
			t.Errorf("%d members, the last one in %t: %q", len(owner.room.Members()), last.room != nil, last.refused)
		}
	}
	if err := approves(w.link(owner, 2, true), "one", "two", "three"); err != ErrFull {
		t.Error(err)
	}
	ends("used up", 3)

	l := w.link(owner, MaxUses, true)
	for i := len(owner.room.Members()); i < Limit-1; i++ {
		if err := approves(l, fmt.Sprint("member ", i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := approves(l, "the thirty-second", "the thirty-third"); err != ErrFull {
		t.Error(err)
	}
	ends("full", Limit)
}
