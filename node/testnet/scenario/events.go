package scenario

import "time"

func (s *Scenario) readShifts(t table) {
	s.Shifts = t.duration("every", 0, time.Second, s.Duration)
	t.end("every")
	if s.Messages.Pairs != Couples {
		t.fail("every", "only couples can take turns: pairs is %q", s.Messages.Pairs)
	}
}

func (s *Scenario) readLink(t table) {
	l := &s.Link
	l.LatencyMin, l.LatencyMax = t.durations("latency", time.Minute)
	l.Loss = t.number("loss", 0, 0, 1)
	l.Bandwidth = t.number("bandwidth", 0, 0.1, 10_000)
	t.end()
}

func (s *Scenario) readBad(t table) {
	b := Bad{Relays: t.indexes("relays", s.Relays), Fraction: t.number("fraction", 0, 0, 1),
		Drop: t.number("drop", 0, 0, 1), Replay: t.number("replay", 0, 0, 1), Tamper: t.number("tamper", 0, 0, 1),
		Delay: t.duration("delay", 0, 0, time.Hour)}
	t.end()
	switch {
	case t.has("relays") == (b.Fraction > 0):
		t.fail("", "bad relays are either relays or a fraction of them")
	case b.Drop == 0 && b.Replay == 0 && b.Tamper == 0 && b.Delay == 0:
		t.fail("", "these relays do nothing bad: there are drop, replay, tamper and delay")
	}
	s.Bad = append(s.Bad, b)
}

func (s *Scenario) readSkew(t table) {
	k := Skew{Relays: t.indexes("relays", s.Relays), Users: t.indexes("users", s.Users),
		Fraction: t.number("fraction", 0, 0, 1), By: t.duration("by", 0, -maxTime, maxTime)}
	t.end("by")
	if t.has("relays") && k.Fraction > 0 || !t.has("relays") && !t.has("users") && k.Fraction == 0 {
		t.fail("", "wrong clocks are those of users, and of either relays or a fraction of them")
	}
	s.Skew = append(s.Skew, k)
}

// maxMachines bounds the hostile machines of one table.
const maxMachines = 100

func (s *Scenario) readHostile(t table) {
	h := Hostile{
		Do:       t.text("do", ""),
		Machines: int(t.integer("machines", 1, 1, maxMachines)),
		Rate:     t.number("rate", 0, 0.001, 100_000),
		Least:    t.integer("least", 0, 0, 1<<40),
		From:     t.duration("from", 0, 0, s.Duration),
		Until:    t.duration("until", s.Duration, 0, s.Duration),
	}
	t.end("do")
	switch {
	case !validName.MatchString(h.Do):
		t.fail("do", "do is %q; it is the name of an attack", h.Do)
	case h.Until <= h.From:
		t.fail("until", "the attack ends before it begins")
	}
	s.Hostile = append(s.Hostile, h)
}

func (s *Scenario) readBar(t table) {
	s.Bar = Bar{
		Start:        t.duration("start", 0, 0, maxTime),
		Wall:         t.duration("wall", 0, 0, maxTime),
		P50:          t.duration("p50", 0, 0, maxTime),
		P99:          t.duration("p99", 0, 0, maxTime),
		Back:         t.duration("back", 0, 0, maxTime),
		RoomP50:      t.duration("room_p50", 0, 0, maxTime),
		RoomP99:      t.duration("room_p99", 0, 0, maxTime),
		Newcomer:     t.duration("newcomer", 0, 0, maxTime),
		UserRSS:      t.number("user_rss_mib", 0, 1, 1<<20),
		UserBytesDay: t.number("user_bytes_day", 0, 1, 1<<40),
		NoStrays:     t.boolean("no_strays"),
		Growth:       t.number("growth", 0, 0.1, 100),
	}
	t.end()
}

// The keys of an event beside at and do.
const (
	takesRelays = 1 << iota
	takesFraction
	takesUsers
	takesDrain
	takesBytes
	takesPace
	takesRoom
	takesBy
	takesFirst
	oneOf // either relays or a fraction of them
)

var takes = map[Action]int{
	Stop: takesRelays | takesFraction | oneOf, Kill: takesRelays | takesFraction | oneOf, Restart: takesRelays,
	Offline: takesUsers | takesDrain, Reopen: takesUsers | takesDrain, Online: takesUsers, Crash: takesUsers,
	Partition: takesRelays | takesFraction | takesUsers | oneOf, Heal: 0,
	Block: takesRelays | takesFraction | oneOf, Unblock: 0,
	Fill: takesRelays | takesFraction | takesUsers, Free: 0,
	Curtain: takesBytes, Police: takesPace, Lift: 0,
	Strings: 0, Entropy: 0, Probe: 0, Harvest: takesFraction | takesFirst,
	Join: takesRoom | takesUsers | takesBy, Remove: takesRoom | takesUsers | takesBy, Leave: takesRoom | takesUsers,
	Promote: takesRoom | takesUsers | takesBy, Demote: takesRoom | takesUsers | takesBy,
}

func (s *Scenario) readEvent(t table) {
	e := Event{path: t.path, By: -1}
	e.At = t.duration("at", 0, 0, s.Duration)
	e.Do = Action(t.text("do", ""))
	e.Relays = t.indexes("relays", s.Relays)
	e.Users = t.indexes("users", s.Users)
	e.Fraction = t.number("fraction", 0, 0, 1)
	e.Drain = t.boolean("drain")
	e.Bytes, e.Reset = int(t.integer("bytes", 15_000, 1_000, 1<<30)), t.boolean("reset")
	e.First = t.boolean("first")
	e.PerMinute, e.Ban = int(t.integer("per_minute", 2, 1, 1000)), t.duration("ban", time.Minute, time.Second, time.Hour)
	e.Room = int(t.integer("room", 0, 0, maxRooms))
	e.By = int(t.integer("by", -1, 0, int64(s.Users-1)))
	t.end("at", "do")
	// Defaults are for one kind: with another they would look like a choice.
	if e.Do != Curtain {
		e.Bytes = 0
	}
	if e.Do != Police {
		e.PerMinute, e.Ban = 0, 0
	}

	may, known := takes[e.Do]
	if !known {
		t.fail("do", "there is no event %q; there are stop, restart, kill, offline, online, reopen, crash, fill, free, partition, heal, block, unblock, curtain, police, strings, entropy, probe, harvest, lift, join, remove, leave, promote and demote", e.Do)
	}

	// A key that an event does not take is refused: it would look as if it did something.
	for _, k := range []struct {
		key string
		bit int
	}{{"relays", takesRelays}, {"fraction", takesFraction}, {"users", takesUsers}, {"drain", takesDrain}, {"bytes", takesBytes}, {"reset", takesBytes}, {"per_minute", takesPace}, {"ban", takesPace}, {"room", takesRoom}, {"by", takesBy}, {"first", takesFirst}} {
		if t.has(k.key) && may&k.bit == 0 {
			t.fail(k.key, "%s takes no %s", e.Do, k.key)
		}
	}

	if may&oneOf != 0 && t.has("relays") == (e.Fraction > 0) {
		t.fail("do", "%s takes either relays or a fraction of them", e.Do)
	}
	if e.Do == Fill && (t.has("relays") && e.Fraction > 0 || !t.has("relays") && !t.has("users") && e.Fraction == 0) {
		t.fail("do", "fill takes users, and either relays or a fraction of them")
	}

	if e.Do == Harvest && e.First == (e.Fraction > 0) {
		t.fail("do", "harvest takes either a fraction of the directory, or first = true")
	}

	if may&takesRoom != 0 {
		switch {
		case !t.has("room") || !t.has("users"):
			t.fail("do", "%s takes a room and users", e.Do)
		case len(s.Rooms) == 0:
			t.fail("room", "there are no rooms")
		case e.Room >= len(s.Rooms):
			t.fail("room", "there is no %d among rooms 0 to %d", e.Room, len(s.Rooms)-1)
		}
	}

	s.Events = append(s.Events, e)
}
