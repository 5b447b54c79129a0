package client

import (
	"crypto/ed25519"
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"

	"starling/p2p/directory"
	"starling/p2p/outfox"
	"starling/p2p/wire"
)

// TestAge: how long a relay has been reached is the median of its sources; one that
// calls it old is not believed, nor one that says it was never reached.
func TestAge(t *testing.T) {
	const day = 24 * time.Hour
	for name, tt := range map[string]struct {
		say  []time.Duration // ages; 0 is vouched for only
		want time.Duration
	}{
		"one":                     {[]time.Duration{3 * day}, 3 * day},
		"two":                     {[]time.Duration{3 * day, 2 * day}, 2 * day},
		"an accomplice":           {[]time.Duration{40 * day, time.Hour, 2 * time.Hour}, 2 * time.Hour},
		"an accomplice, two":      {[]time.Duration{40 * day, time.Hour}, time.Hour},
		"one that hides":          {[]time.Duration{0, 3 * day, 4 * day}, 3 * day},
		"never reached by others": {[]time.Duration{40 * day, 0, 0}, 0},
	} {
		c, ids := knowing(t, 1)
		said := time.Now()
		for i, age := range tt.say {
			o := c.lists.opinion(NodeID{byte(i)})
			o.said.Store(&said)
			o.dir.Merge(c.dir, func(*directory.Descriptor) bool { return true })
			if age > 0 {
				o.dir.Reached(ids[0], said.Add(-age))
			}
		}
		c.lists.age(map[NodeID]bool{ids[0]: true})
		got := time.Duration(0)
		if since := c.dir.Since(ids[0]); !since.IsZero() {
			got = time.Since(since)
		}
		if (got - tt.want).Abs() > time.Minute {
			t.Errorf("%s: reached for %v, want %v", name, got, tt.want)
		}
	}
}

// says is a descriptor of relay n, at an address of its choice.
func says(t *testing.T, n int, sequence uint64, at string) ([]byte, NodeID) {
	t.Helper()
	var seed [ed25519.SeedSize]byte
	binary.BigEndian.PutUint64(seed[:], uint64(n)+1)
	key, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(seed[:]))
	if err != nil {
		t.Fatal(err)
	}
	id, err := wire.NodeIDFromKey(key.GetPublic())
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().Truncate(time.Second)
	d := directory.Descriptor{ID: id, Sequence: sequence, Issued: now, Expires: now.Add(24 * time.Hour), Capacity: 1, Epoch: directory.FirstEpoch(now),
		Addresses: []directory.Address{{AddrPort: netip.MustParseAddrPort(at)}}}
	k, err := outfox.NewPrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	for i := range d.Keys {
		d.Keys[i] = k.Public()
	}
	if err := d.Promise(key); err != nil {
		t.Fatal(err)
	}
	raw, err := d.Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	return raw, id
}

// TestGuardElsewhere: a relay signs any address it likes, and shows that to its clients
// alone, or has an accomplice show it. They dial where others list it, and go along
// when it moves.
func TestGuardElsewhere(t *testing.T) {
	const relays, home, victim = 8, "20.1.0.1:4001", "9.9.9.9:80"
	_, id := says(t, 0, 1, home)
	for name, c := range map[string]struct {
		before string            // what was believed
		say    map[int]string    // by which source; 0 is the relay itself
		newer  map[string]uint64 // sequences
		want   string
	}{
		"itself":                     {home, map[int]string{0: victim, 1: home}, map[string]uint64{victim: 9}, home},
		"itself, alone":              {home, map[int]string{0: victim}, map[string]uint64{victim: 9}, home},
		"itself, to a newcomer":      {"", map[int]string{0: victim, 1: home, 2: home}, map[string]uint64{victim: 9}, home},
		"an accomplice":              {home, map[int]string{1: victim, 2: home}, map[string]uint64{victim: 9}, home},
		"an accomplice, to newcomer": {"", map[int]string{1: victim, 2: home, 3: home}, map[string]uint64{victim: 9}, home},
		"one of two, to a newcomer":  {"", map[int]string{1: victim, 2: home}, map[string]uint64{victim: 9}, home},
		"and itself":                 {home, map[int]string{0: victim, 1: victim, 2: home}, map[string]uint64{victim: 9}, home},
		"it moved":                   {victim, map[int]string{1: home, 2: home}, map[string]uint64{home: 9}, home},
		"it moved, by one":           {victim, map[int]string{1: home}, map[string]uint64{home: 9}, home},
		"half know that it moved":    {home, map[int]string{1: victim, 2: home}, map[string]uint64{victim: 9}, home},
		"there is nobody else":       {"", map[int]string{0: home}, nil, home},
	} {
		cl, _ := knowing(t, 0)
		sequence := func(at string) uint64 { return max(1, c.newer[at]) }
		others := func(d *directory.Directory) {
			for n := 1; n < relays; n++ {
				raw, _ := says(t, n, 1, netip.AddrPortFrom(netip.AddrFrom4([4]byte{30, byte(n), 0, 1}), 4001).String())
				d.Add(raw)
			}
		}
		if c.before != "" {
			raw, _ := says(t, 0, sequence(c.before), c.before)
			if err := cl.dir.Add(raw); err != nil {
				t.Fatal(err)
			}
			others(cl.dir)
			for _, d := range cl.dir.Snapshot().Relays {
				cl.lists.kept = append(cl.lists.kept, d.ID)
			}
		}
		for source, at := range c.say {
			from := id
			if source > 0 {
				_, from = says(t, source, 1, home)
			}
			o := cl.lists.opinion(from)
			o.whole = time.Now()
			others(o.dir)
			raw, _ := says(t, 0, sequence(at), at)
			if err := o.dir.Add(raw); err != nil {
				t.Fatal(err)
			}
		}
		cl.lists.believe()
		d, ok := cl.dir.Find(id)
		if !ok || len(d.Addresses) != 1 || d.Addresses[0].AddrPort.String() != c.want {
			t.Errorf("%s: listed %v, %+v", name, ok, d)
		}
	}
}

// TestGuardIsBack: a guard that was away comes back while the other is away, whose list is of before. It is believed in
// again with the other relays that came back, as one that sources agreed on; a relay that they never agreed on is not,
// nor one that they agreed on long ago.
func TestGuardIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cl, _ := knowing(t, 0)
		ls := &cl.lists
		sequence := uint64(0)
		signs := func(n int) ([]byte, NodeID) {
			return says(t, n, sequence, netip.AddrPortFrom(netip.AddrFrom4([4]byte{30, byte(n), 0, 1}), 4001).String())
		}
		tells := func(source int, without ...int) {
			_, id := signs(source)
			o := ls.opinion(id)
			o.whole = time.Now()
			o.dir.Retain(func(NodeID) bool { return false })
			sequence++
			for n := range 10 {
				if raw, _ := signs(n); !slices.Contains(without, n) {
					o.dir.Add(raw)
				}
			}
			ls.believe()
		}
		believes := func(n int, want bool, when string) {
			t.Helper()
			_, id := signs(n)
			if _, ok := cl.dir.Find(id); ok != want {
				t.Errorf("%s: relay %d is believed in: %v", when, n, ok)
			}
		}

		const guard, other, third, strange = 0, 1, 2, 9
		tells(guard, strange)
		tells(other, strange)
		believes(guard, true, "at first")

		// It goes, and a mix; who is there says so.
		ls.life = time.Minute
		time.Sleep(2 * ls.life)
		tells(other, guard, 5, strange)
		tells(third, guard, 5, strange)
		believes(guard, false, "away")
		believes(5, false, "away")

		// Both are back, and the others go.
		tells(guard)
		believes(guard, true, "back")
		believes(5, true, "back")
		believes(strange, false, "back")
		time.Sleep(2 * ls.life)
		tells(guard)
		believes(guard, true, "alone")
		believes(5, true, "alone")
		believes(strange, false, "alone")

		// What was long ago is no word for it.
		time.Sleep(2 * ls.life)
		tells(other, guard, 5, strange)
		tells(third, guard, 5, strange)
		believes(5, false, "away again")
		time.Sleep(leftFor + time.Minute)
		tells(guard, 3)
		believes(5, false, "a day later")
	})
}

// TestSureGuard: a guard that sources agreed on is believed in by its own word for good, and one that they did not is not.
func TestSureGuard(t *testing.T) {
	for _, sure := range []bool{true, false} {
		cl, _ := knowing(t, 0)
		cl.lists.isSure = func(NodeID) bool { return sure }
		_, first := says(t, 0, 1, "30.0.0.1:4001")
		o := cl.lists.opinion(first)
		o.whole = time.Now()
		for n := range 8 {
			raw, id := says(t, n, 1, netip.AddrPortFrom(netip.AddrFrom4([4]byte{30, byte(n), 0, 1}), 4001).String())
			o.dir.Add(raw)
			if n > 0 {
				cl.dir.Add(raw)
				cl.lists.kept = append(cl.lists.kept, id)
			}
		}
		cl.lists.believe()
		if _, ok := cl.dir.Find(first); ok != sure {
			t.Errorf("sure %v: believed in %v", sure, ok)
		}
	}
}

// TestAwayHasNoVoice: the list of a guard that is away does not count beside that of one that is up; those of other sources do, and
// so do all while no guard is up that has told its list, and for a newcomer, who would have nothing but the word of one.
func TestAwayHasNoVoice(t *testing.T) {
	guards, source := []NodeID{{1}, {2}, {3}}, NodeID{4}
	for name, tt := range map[string]struct{ up, told, want []NodeID }{
		"both are up":            {guards[:2], guards[:2], guards[:2]},
		"one is":                 {guards[:1], guards, guards[:1]},
		"none is":                {nil, guards, guards},
		"one is, to a newcomer":  {guards[:1], guards, guards},
		"and a source":           {guards[:1], append(guards[:3:3], source), []NodeID{guards[0], source}},
		"who is up has not told": {guards[:1], guards[1:], guards[1:]},
	} {
		cl, _ := knowing(t, 0)
		ls := &cl.lists
		ls.isGuard = func(id NodeID) bool { return slices.Contains(guards, id) }
		ls.isUp = func(id NodeID) bool { return slices.Contains(tt.up, id) }
		for _, id := range append(guards[:3:3], source) {
			if o := ls.opinion(id); slices.Contains(tt.told, id) {
				o.whole = time.Now()
			}
		}
		var got []NodeID
		for _, v := range ls.voices(time.Now(), name != "one is, to a newcomer") {
			got = append(got, v.id)
		}
		slices.SortFunc(got, func(a, b NodeID) int { return int(a[0]) - int(b[0]) })
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v have voices", name, got)
		}
	}
}
