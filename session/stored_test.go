package session

import (
	"bytes"
	"math"
	"testing"

	"golang.org/x/crypto/cryptobyte"

	"starling/session/envelope"
	"starling/session/invite"
)

// reading reports whether a session that was changed is stored as one that can be.
func reading(t *testing.T, s *Session, change func(s *Session)) bool {
	t.Helper()
	c := restore(t, state(t, s))
	change(c)
	_, err := UnmarshalSession(state(t, c))
	if err != nil && err != ErrState {
		t.Fatal(err)
	}
	return err == nil
}

// gapped returns a session that misses 3, 1 and flareAt cells, the last run up to the
// end, at different DH steps.
func gapped(t *testing.T) *Session {
	t.Helper()
	alice, bob := talking(t)
	for _, n := range []int{3, 1} {
		for range n {
			seal(t, alice, "lost")
		}
		open(t, bob, seal(t, alice, "x"), "x")
		open(t, alice, seal(t, bob, "y"), "y")
	}
	for len(alice.Signals()) == 0 {
		seal(t, alice, "lost")
	}
	if _, err := bob.Open(alice.Signals()[0]); err != nil {
		t.Fatal(err)
	}
	if g := bob.receive.gaps; len(g) != 3 || g[2].end() != bob.receive.number || g[0].steps == g[2].steps {
		t.Fatalf("%d gaps", len(g))
	}
	return bob
}

// TestImpossibleGaps: gaps lie in order between cells that have come or were named,
// within the limits, and agree where they meet.
func TestImpossibleGaps(t *testing.T) {
	s := gapped(t)
	number := s.receive.number
	tags := func(n int) []Tag { return make([]Tag, n) }
	for name, c := range map[string]struct {
		change func(r *receiver)
		good   bool
	}{
		"as it is":               {func(r *receiver) {}, true},
		"no gaps":                {func(r *receiver) { r.gaps = nil }, true},
		"an empty gap":           {func(r *receiver) { r.gaps[1].tags = nil }, false},
		"swapped":                {func(r *receiver) { r.gaps[0], r.gaps[1] = r.gaps[1], r.gaps[0] }, false},
		"twice":                  {func(r *receiver) { r.gaps[1] = r.gaps[0] }, false},
		"one over the other":     {func(r *receiver) { r.gaps[0].tags = tags(int(r.gaps[1].first-r.gaps[0].first) + 1) }, false},
		"beyond the end":         {func(r *receiver) { r.gaps[2].tags = append(r.gaps[2].tags, Tag{}) }, false},
		"behind the end":         {func(r *receiver) { r.gaps[2].first = number }, false},
		"far behind the end":     {func(r *receiver) { r.gaps[2].first = 1<<32 - 1 }, false},
		"up to the end, another": {func(r *receiver) { r.gaps[2].after[0] ^= 1 }, false},
		"not up to the end":      {func(r *receiver) { r.gaps[2].tags = r.gaps[2].tags[1:]; r.gaps[2].after[0] ^= 1 }, true},
		"meeting": {func(r *receiver) {
			r.gaps[0].tags = tags(int(r.gaps[1].first - r.gaps[0].first))
			r.gaps[1].before = r.gaps[0].after
		}, true},
		"meeting and disagreeing": {func(r *receiver) {
			r.gaps[0].tags = tags(int(r.gaps[1].first - r.gaps[0].first))
			r.gaps[1].before = mac{1}
		}, false},
		"meeting, the second cut short": {func(r *receiver) {
			r.gaps[0].tags = tags(int(r.gaps[1].first - r.gaps[0].first))
			r.gaps[1].before, r.gaps[1].known = r.gaps[0].after, false
		}, false},
		"of a DH step to come":    {func(r *receiver) { r.gaps[2].steps = 1 << 20 }, false},
		"steps out of order":      {func(r *receiver) { r.gaps[0].steps = r.gaps[2].steps; r.gaps[1].steps = r.gaps[0].steps - 1 }, false},
		"the number one less":     {func(r *receiver) { r.number-- }, false},
		"the chain elsewhere":     {func(r *receiver) { r.cells.n++ }, false},
		"flares before the first": {func(r *receiver) { r.flares.n = 1 }, false},
		"answers elsewhere":       {func(r *receiver) { r.answers.n++ }, false},
		"many in one":             {func(r *receiver) { far(r, 900); r.gaps[0].tags = tags(MaxGaps) }, true},
		"too many in one":         {func(r *receiver) { far(r, 900); r.gaps[0].tags = tags(MaxGaps + 1) }, false},
		"too many in two": {func(r *receiver) {
			far(r, 900)
			r.gaps = append(r.gaps, gap{first: r.gaps[0].first + MaxGaps, tags: tags(2), steps: r.gaps[0].steps})
			r.gaps[0].tags = tags(MaxGaps - 1)
		}, false},
		"as many as can be in two": {func(r *receiver) {
			far(r, 900)
			r.gaps = append(r.gaps, gap{first: r.gaps[0].first + MaxGaps, tags: tags(1), steps: r.gaps[0].steps})
			r.gaps[0].tags = tags(MaxGaps - 1)
		}, true},
		"more than there were": {func(r *receiver) {
			far(r, 900)
			r.number, r.cells.n = 2, 2+Ahead
			r.gaps[0].first, r.gaps[0].tags = 0, tags(3)
		}, false},
		"of a DH step that wraps": {func(r *receiver) { r.gaps[2].steps = math.MaxUint32 }, false},
		"the last number":         {func(r *receiver) { r.gaps = nil; r.number = envelope.MaxNumber + 1; r.cells.n = r.number + Ahead }, true},
		"a number after the last": {func(r *receiver) { r.gaps = nil; r.number = envelope.MaxNumber + 2; r.cells.n = r.number + Ahead }, false},
		"as old as can be":        {func(r *receiver) { far(r, MaxGapAge) }, true},
		"too old":                 {func(r *receiver) { far(r, MaxGapAge+1) }, false},
	} {
		if reading(t, s, func(s *Session) { c.change(&s.receive) }) != c.good {
			t.Errorf("%s: read %v", name, !c.good)
		}
	}
}

// far moves a receiver on, so that its first and only gap lies an age behind.
func far(r *receiver, age uint32) {
	r.gaps = r.gaps[:1]
	r.number = r.gaps[0].first + age
	r.cells.n = r.number + Ahead
}

// TestImpossibleSender: a sender's counts and signals fit each other.
func TestImpossibleSender(t *testing.T) {
	s := gapped(t) // with an answer up
	for range flareAt {
		seal(t, s, "x")
	}
	if s.send.flare == nil || s.send.answer == nil {
		t.Fatal("no signals")
	}
	for name, c := range map[string]struct {
		change func(s *sender)
		good   bool
	}{
		"as it is":              {func(s *sender) {}, true},
		"no signals":            {func(s *sender) { s.flare, s.answer = nil, nil }, true},
		"all heard":             {func(s *sender) { s.heard = s.cells.n }, true},
		"more than all":         {func(s *sender) { s.heard = s.cells.n + 1 }, false},
		"as many as can be":     {func(s *sender) { s.cells.n = s.heard + MaxUnheard }, true},
		"one more":              {func(s *sender) { s.cells.n = s.heard + MaxUnheard + 1 }, false},
		"a flare at the end":    {func(s *sender) { s.flare.number = s.cells.n }, true},
		"a flare to come":       {func(s *sender) { s.flare.number = s.cells.n + 1 }, false},
		"an answer to come":     {func(s *sender) { s.answer.number = s.cells.n + 1 }, false},
		"an answer to no flare": {func(s *sender) { s.answers.n = 0 }, false},
	} {
		if reading(t, s, func(s *Session) { c.change(&s.send) }) != c.good {
			t.Errorf("%s: read %v", name, !c.good)
		}
	}
}

// TestEveryTruncationOfStates: no part of a stored state is a state, nor is one with a
// byte more.
func TestEveryTruncationOfStates(t *testing.T) {
	s := gapped(t)
	b := state(t, s)
	for n := range b {
		if _, err := UnmarshalSession(b[:n]); err != ErrState {
			t.Fatalf("%d of %d bytes of a session: %v", n, len(b), err)
		}
	}
	r := offering(t, s, 0, ReasonForked)
	for _, c := range offering(t, s, 0, ReasonForked).Bundle()[1:3] {
		r.pending = &pendingOffer{reason: ReasonForked, invitation: &Invitation{link: r.offer.invite.link, keys: r.offer.invite.keys}}
		r.pending.bundle[1] = &c.Box
	}
	b = resetState(t, r)
	for n := 0; n < len(b); n += 3 {
		if _, err := UnmarshalReset(b[:n]); err != ErrState {
			t.Fatalf("%d of %d bytes of a reset: %v", n, len(b), err)
		}
	}
	v := newInvite(t)
	b = inviteState(t, v)
	for n := 0; n < len(b); n += 5 {
		if _, err := UnmarshalInvite(b[:n]); err != ErrState {
			t.Fatalf("%d of %d bytes of an invite: %v", n, len(b), err)
		}
	}
	for i, whole := range [][]byte{resetState(t, r), b} {
		whole = append(whole, 0)
		_, err := UnmarshalReset(whole)
		if i == 1 {
			_, err = UnmarshalInvite(whole)
		}
		if err != ErrState {
			t.Error("a byte more:", err)
		}
	}
}

// TestImpossibleDoors: doors are as many as can be, and their times are times.
func TestImpossibleDoors(t *testing.T) {
	for name, c := range map[string]struct {
		doors []door
		good  bool
	}{
		"none":                   {nil, false},
		"one":                    {make([]door, 1), true},
		"all":                    {make([]door, maxDoors), true},
		"more":                   {make([]door, maxDoors+1), false},
		"last at the limit":      {[]door{{last: maxInstant}}, true},
		"last beyond":            {[]door{{last: maxInstant + 1}}, false},
		"kept at the limit":      {[]door{{kept: maxInstant}}, true},
		"kept beyond":            {[]door{{kept: maxInstant + 1}}, false},
		"as many kept as can be": {[]door{{}, {kept: 1}, {kept: 1}, {kept: 1}}, true},
		"more kept":              {[]door{{}, {kept: 1}, {kept: 1}, {kept: 1}, {kept: 1}}, false},
	} {
		b := cryptobyte.NewBuilder(nil)
		addDoors(b, c.doors)
		in := cryptobyte.String(b.BytesOrPanic())
		var doors []door
		if good := readDoors(&in, &doors, 1, maxDoors); good != c.good || good && (len(doors) != len(c.doors) || !in.Empty()) {
			t.Errorf("%s: read %v", name, good)
		}
	}
}

// TestNumbersEnd: the last number of a direction is used, and none after it.
func TestNumbersEnd(t *testing.T) {
	alice, _ := talking(t)
	alice.send.cells.n, alice.send.heard = envelope.MaxNumber-1, envelope.MaxNumber-1
	if _, err := alice.Seal(newID(), make([]byte, envelope.DataSize+1), 0); err != ErrExhausted {
		t.Error("two of one:", err)
	}
	if _, err := alice.Seal(newID(), nil, 0); err != nil {
		t.Error("the last:", err)
	}
	if _, err := alice.Seal(newID(), nil, 0); err != ErrExhausted {
		t.Error("one more:", err)
	}
}

// TestRoom: as much is sealed as there is room for, and a content whole or not at all.
func TestRoom(t *testing.T) {
	alice, bob := talking(t)
	for alice.Room() > 1 {
		seal(t, alice, "x")
	}
	before := string(state(t, alice))
	if _, err := alice.Seal(newID(), make([]byte, envelope.DataSize+1), 0); err != ErrWaiting || string(state(t, alice)) != before {
		t.Fatal("two cells where there is room for one:", err)
	}
	seal(t, alice, "x")
	if _, err := alice.Seal(newID(), nil, 0); err != ErrWaiting || alice.Room() != 0 {
		t.Fatal(err)
	}
	if part, err := bob.Open(alice.Signals()[0]); err != nil || part.Count != 0 {
		t.Fatal(err)
	}
	if _, err := alice.Open(bob.Signals()[0]); err != nil || alice.Room() < flareAt {
		t.Fatal("no room after an answer", err)
	}
	if !alice.Sent(Span{0, alice.Sealed()}) {
		t.Error("not all were sent")
	}
	for _, claim := range []Span{{0, 0}, {0, alice.Sealed() + 1}, {1, alice.Sealed()}, {alice.Sealed(), 1}, {1, 1<<64 - 1}, {1<<64 - 1, 2}} {
		if alice.Sent(claim) {
			t.Errorf("%v was sent", claim)
		}
	}
	if !alice.Sent(Span{alice.Sealed() - 1, 1}) {
		t.Error("the last was not sent")
	}
}

// TestGivenUpExactly: a missing cell is waited for up to the last moment, and only
// missing cells are given up.
func TestGivenUpExactly(t *testing.T) {
	s := gapped(t)
	first := uint64(s.receive.gaps[0].first)
	if s.GiveUp(first) || s.Losing() {
		t.Errorf("given up %v below %d", s.TakeLost(), first)
	}
	if given := s.GiveUp(first + 1); !given || !s.Losing() {
		t.Errorf("nothing is given up below %d", first+1)
	}
	if lost := s.TakeLost(); len(lost) != 1 || lost[0] != (Span{first, 1}) {
		t.Errorf("given up %v below %d", lost, first+1)
	}

	alice, bob := talking(t)
	missing := Span{alice.Sealed(), 1}
	seal(t, alice, "lost")
	for i := range MaxGapAge {
		if alice.Room() < flareAt {
			open(t, alice, seal(t, bob, "so far"), "so far")
		}
		open(t, bob, seal(t, alice, "x"), "x")
		lost := bob.TakeLost()
		if last := i == MaxGapAge-1; last != (len(lost) == 1 && lost[0] == missing) || !last && len(lost) > 0 {
			t.Fatalf("after %d cells %v is lost", i+1, lost)
		}
	}
}

// TestImpossibleInvites: an invite that cannot be is not read.
func TestImpossibleInvites(t *testing.T) {
	part := new([invite.HelloPart]byte)
	type pending = pendingHello
	some := func(n int) (list []pending) {
		for i := range n {
			list = append(list, pending{id: [invite.HelloIDSize]byte{byte(i)}, parts: [invite.Cells]*[invite.HelloPart]byte{part}})
		}
		return list
	}
	for name, c := range map[string]struct {
		pending []pending
		good    bool
	}{
		"none":                {nil, true},
		"as many as can be":   {some(maxPending), true},
		"one more":            {some(maxPending + 1), false},
		"the last slot":       {[]pending{{slot: invite.Slots - 1, parts: [invite.Cells]*[invite.HelloPart]byte{part}}}, true},
		"no such slot":        {[]pending{{slot: invite.Slots, parts: [invite.Cells]*[invite.HelloPart]byte{part}}}, false},
		"two parts":           {[]pending{{parts: [invite.Cells]*[invite.HelloPart]byte{part, nil, part}}}, true},
		"nothing of it":       {[]pending{{}}, false},
		"all of it":           {[]pending{{parts: [invite.Cells]*[invite.HelloPart]byte{part, part, part}}}, false},
		"one twice":           {append(some(1), some(1)...), false},
		"one id in two slots": {append(some(1), pending{slot: 1, parts: some(1)[0].parts}), true},
	} {
		v := newInvite(t)
		v.pending = c.pending
		if _, err := UnmarshalInvite(inviteState(t, v)); (err == nil) != c.good || err != nil && err != ErrState {
			t.Errorf("%s: %v", name, err)
		}
	}

	v := newInvite(t)
	whole := inviteState(t, v)
	used := 1 + 2 + len(v.link.Bytes())
	for name, bad := range map[string][]byte{"neither used nor not": flagged(whole, used, 2), "a damaged link": flagged(whole, 20, whole[20]^1)} {
		if _, err := UnmarshalInvite(bad); err != ErrState {
			t.Errorf("%s: %v", name, err)
		}
	}

	// A used one has nothing but its id.
	v = newInvite(t)
	v.burn([invite.HelloIDSize]byte{1})
	b := inviteState(t, v)
	if _, err := UnmarshalInvite(b); err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string][]byte{"more": append(bytes.Clone(b), 0), "less": b[:len(b)-1], "neither used nor not": flagged(b, len(b)-1-invite.HelloIDSize, 2),
		"another version": flagged(b, 0, inviteVersion+1)} {
		if _, err := UnmarshalInvite(bad); err != ErrState {
			t.Errorf("used, %s: %v", name, err)
		}
	}
}

// flagged returns a copy with another byte at a place.
func flagged(b []byte, at int, value byte) []byte {
	b = bytes.Clone(b)
	b[at] = value
	return b
}

// TestImpossibleResets: a reset that cannot be is not read.
func TestImpossibleResets(t *testing.T) {
	session, _ := talking(t)
	box := new([envelope.CellSize]byte)
	for name, c := range map[string]struct {
		change func(r *Reset)
		good   bool
	}{
		"as it is":             {func(r *Reset) {}, true},
		"no offer":             {func(r *Reset) { r.offer = nil }, true},
		"no pending one":       {func(r *Reset) { r.pending = nil }, true},
		"neither":              {func(r *Reset) { r.offer, r.pending = nil, nil }, true},
		"the last door":        {func(r *Reset) { r.doors = make([]door, 3); r.pending.door = 2 }, true},
		"no such door":         {func(r *Reset) { r.pending.door = len(r.doors) }, false},
		"pending reason 0":     {func(r *Reset) { r.pending.reason = 0 }, false},
		"pending reason 3":     {func(r *Reset) { r.pending.reason = 3 }, false},
		"pending restored":     {func(r *Reset) { r.pending.reason = ReasonRestored }, true},
		"pending, two cells":   {func(r *Reset) { r.pending.bundle[0], r.pending.bundle[2] = box, box }, true},
		"pending, whole":       {func(r *Reset) { r.pending.bundle = [invite.Cells]*[envelope.CellSize]byte{box, box, box} }, false},
		"pending, expiring":    {func(r *Reset) { r.pending.invitation.link.Expires = now }, false},
		"pending, no hints":    {func(r *Reset) { r.pending.invitation.link.Hints = nil }, false},
		"ours, reason 0":       {func(r *Reset) { r.offer.reason = 0 }, false},
		"ours, reason 3":       {func(r *Reset) { r.offer.reason = 3 }, false},
		"ours, of no time":     {func(r *Reset) { r.offer.time = 0 }, false},
		"ours, of 1970":        {func(r *Reset) { r.offer.time = 1 }, true},
		"ours, of the year ∞":  {func(r *Reset) { r.offer.time = maxInstant + 1 }, false},
		"ours, the last knock": {func(r *Reset) { r.offer.slot = invite.Knocks - 1 }, true},
		"ours, no such knock":  {func(r *Reset) { r.offer.slot = invite.Knocks }, false},
		"ours, used":           {func(r *Reset) { r.offer.invite.burn([invite.HelloIDSize]byte{1}) }, false},
	} {
		r := offering(t, session, 0, ReasonForked)
		other := offering(t, session, 0, ReasonForked).offer.invite
		r.pending = &pendingOffer{reason: ReasonForked, proven: true, invitation: &Invitation{link: other.link, keys: other.keys}}
		c.change(r)
		if _, err := UnmarshalReset(resetState(t, r)); (err == nil) != c.good || err != nil && err != ErrState {
			t.Errorf("%s: %v", name, err)
		}
	}

	r := offering(t, session, 0, ReasonForked)
	other := offering(t, session, 0, ReasonForked).offer.invite
	r.offer, r.pending = nil, &pendingOffer{reason: ReasonForked, invitation: &Invitation{link: other.link, keys: other.keys}}
	b := resetState(t, r)
	proven := len(b) - 1 - (2 + len(other.link.Bytes())) - 1
	for name, bad := range map[string][]byte{
		"another version":    flagged(b, 0, resetVersion+1),
		"an unknown flag":    flagged(b, 1, b[1]|8),
		"proven by 2":        flagged(b, proven, 2),
		"more":               append(bytes.Clone(b), 0),
		"a damaged link":     flagged(b, len(b)-2, b[len(b)-2]^1),
		"cells of no bundle": flagged(b, len(b)-1, 8),
	} {
		if _, err := UnmarshalReset(bad); err != ErrState {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := UnmarshalReset(flagged(b, proven, 1)); err != nil {
		t.Error("proven:", err)
	}
}

// TestImpossibleSessions: a version or flag that we do not write is not read.
func TestImpossibleSessions(t *testing.T) {
	s, _ := talking(t)
	b := state(t, s)
	for name, bad := range map[string][]byte{
		"another version": flagged(b, 0, sessionVersion+1),
		"the one before":  flagged(b, 0, sessionVersion-1),
		"an unknown flag": flagged(b, 1, b[1]|8),
		"all flags":       flagged(b, 1, 0xff),
	} {
		if _, err := UnmarshalSession(bad); err != ErrState {
			t.Errorf("%s: %v", name, err)
		}
	}
}
