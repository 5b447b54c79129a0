package guard

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"testing"
	"time"

	"starling/p2p/directory"
	"starling/p2p/wire"
)

// Places in the encoding, before and in the list of guards.
const (
	atClock  = 8
	atGrace  = 16
	atCalm   = 20
	atSpent  = 28
	atList   = atSpent + 1
	atGuards = atList + 1
	atSure   = 3 * 8
)

// TestStoredLimits: stored guards that stand at a limit are read, and those one beyond
// are not; nothing is taken over then.
func TestStoredLimits(t *testing.T) {
	const most = uint64(maxLived / time.Second)
	number := func(at int, n uint64) func([]byte) []byte {
		return func(b []byte) []byte { binary.BigEndian.PutUint64(b[at:], n); return b }
	}
	grace := func(n uint32) func([]byte) []byte {
		return func(b []byte) []byte { binary.BigEndian.PutUint32(b[atGrace:], n); return b }
	}
	at := func(at int, n byte) func([]byte) []byte {
		return func(b []byte) []byte { b[at] = n; return b }
	}
	for name, c := range map[string]struct {
		edit func(b []byte) []byte
		good bool
	}{
		"as it is":              {func(b []byte) []byte { return b }, true},
		"lived for nothing":     {number(0, 0), false},
		"lived for a second":    {number(0, 1), true},
		"lived for a century":   {number(0, most), true},
		"lived for longer":      {number(0, most+1), false},
		"no clock":              {number(atClock, 0), true},
		"the last second":       {number(atClock, lastSecond), true},
		"a second later":        {number(atClock, lastSecond+1), false},
		"a clock without bound": {number(atClock, math.MaxUint64), false},
		"the least grace":       {grace(15), true},
		"less":                  {grace(14), false},
		"the longest grace":     {grace(6 * 3600), true},
		"longer":                {grace(6*3600 + 1), false},
		"calm for a century":    {number(atCalm, most), true},
		"calm for longer":       {number(atCalm, most+1), false},
		"until never":           {number(atGuards, math.MaxUint64), false},
		"met never":             {number(atGuards+8, most+1), false},
		"unlisted never":        {number(atGuards+16, most+1), false},
		"unlisted":              {number(atGuards+16, most), true},
		"not sure":              {at(atGuards+atSure, 0), true},
		"sure by two":           {at(atGuards+atSure, 2), false},
		"an empty hint":         {at(atGuards+atSure+1, 0), false},
		"more guards":           {at(atList, 4), false},
		"fewer":                 {at(atList, 2), true},
		"unmet before met":      {number(atGuards+8, 0), false},
	} {
		s := guardsOf(2, 1)
		s.clock = t0
		read := guardsOf(1, 0)
		before := read.Append(nil)
		b := c.edit(s.Append(nil))
		rest, err := read.Cut(slices.Clone(b))
		if (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && (err != ErrState || rest != nil || !bytes.Equal(read.Append(nil), before)) {
			t.Errorf("%s: taken over, %v", name, err)
		}
		if err == nil && !bytes.Equal(append(read.Append(nil), rest...), b) {
			t.Errorf("%s: read as something else", name)
		}
	}

	s := guardsOf(1, 0)
	s.list = append(s.list, s.list[0])
	if _, err := guardsOf(0, 0).Cut(s.Append(nil)); err != ErrState {
		t.Error("one guard twice:", err)
	}
	for n, good := range map[int]bool{MaxGuards: true, MaxGuards + 1: false} {
		if _, err := guardsOf(0, 0).Cut(guardsOf(n, 0).Append(nil)); (err == nil) != good {
			t.Errorf("%d guards: %v", n, err)
		}
	}
}

// TestStoredNumbers: times are stored in whole seconds, none that is not zero becomes
// it, and of the spent budget the latest is kept.
func TestStoredNumbers(t *testing.T) {
	s := guardsOf(1, 0)
	s.lived, s.calm, s.grace = 90*time.Second+1, 1, graceMin+time.Millisecond
	s.clock = time.Unix(-5, 0)
	for n := range maxSpent + 2 {
		s.spent = append(s.spent, time.Duration(n+1)*time.Second)
	}
	g := s.list[0]
	g.until, g.met, g.unlisted, g.sure = time.Hour+999*time.Millisecond, time.Millisecond, 0, false
	g.addresses = []directory.Address{relayOf(7).Addresses[0]}

	read := guardsOf(0, 0)
	if rest, err := read.Cut(s.Append(nil)); err != nil || len(rest) != 0 {
		t.Fatal(err)
	}
	r := read.list[0]
	if read.lived != 90*time.Second || read.calm != time.Second || read.grace != graceMin || !read.clock.IsZero() {
		t.Errorf("lived %v, calm %v, grace %v, clock %v", read.lived, read.calm, read.grace, read.clock)
	}
	if r.until != time.Hour || r.met != time.Second || r.unlisted != 0 || r.sure || r.addresses[0] != g.addresses[0] {
		t.Errorf("%+v", r)
	}
	if len(read.spent) != maxSpent || read.spent[0] != 3*time.Second || read.spent[maxSpent-1] != (maxSpent+2)*time.Second {
		t.Errorf("%d are spent, the first at %v", len(read.spent), read.spent[0])
	}
	if s.clock = time.Unix(lastSecond+9, 0); guardsOf(0, 0).readsBack(t, s).clock.Unix() != lastSecond {
		t.Error("a clock beyond the end is not stored as the end")
	}
}

// TestStoredOrder: those that were met, and those that were not, as many as there are of
// each, and on whom two agree.
func TestStoredOrder(t *testing.T) {
	s := guardsOf(3, 3)
	s.list[1].sure, s.list[4].sure = false, false
	read := guardsOf(0, 0).readsBack(t, s)
	for i, g := range read.list {
		if want := s.list[i]; g.id != want.id || g.sure != want.sure || (g.met > 0) != (want.met > 0) {
			t.Errorf("guard %d is %+v, want %+v", i, g, want)
		}
	}
	if len(read.list) != 6 {
		t.Errorf("%d guards", len(read.list))
	}
}

// TestStoredHints: a hint that is none, or that would be written in another way, is
// damage.
func TestStoredHints(t *testing.T) {
	good := directory.Hint{ID: idOf(1), Addresses: relayOf(1).Addresses}.Append(nil)
	unknown := append(slices.Clone(good), 2, 99, 7) // an address of a kind to come is passed over
	if _, err := directory.ParseHint(unknown); err != nil {
		t.Fatal(err)
	}
	for name, raw := range map[string][]byte{
		"as it is":       good,
		"unknown kind":   unknown,
		"nothing":        make([]byte, len(idOf(1))), // as no hint is written
		"one byte short": good[:len(good)-1],
		"too much":       append(slices.Clone(good), 0),
	} {
		c := cutter{wire.Cutter{Rest: raw}}
		if c.hint(len(raw)); c.Bad != (name != "as it is") {
			t.Errorf("%s: damaged %v", name, c.Bad)
		}
	}
}

func (s *Guards) readsBack(t *testing.T, from *Guards) *Guards {
	t.Helper()
	if _, err := s.Cut(from.Append(nil)); err != nil {
		t.Fatal(err)
	}
	return s
}
