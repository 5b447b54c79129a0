package censor

import (
	"bytes"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"starling/p2p/wire"
)

var relay = wire.NodeID{1}

// froze tells of a connection that was frozen at another moment than those before.
func froze(m *Memory, relay wire.NodeID, bytes int64) {
	time.Sleep(apart)
	m.Frozen(relay, bytes)
}

// TestAwayIsNoCurtain: a network that is away for a moment silences all connections at once,
// and each outage after another number of bytes. Neither teaches a budget.
func TestAwayIsNoCurtain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(2, 1, nil)
		m.Enter("home")
		other := wire.NodeID{2}
		m.Met(relay, true)
		m.Met(other, true)
		none := func(what string) {
			t.Helper()
			if m.Habits().Budget != 0 || m.Allowance(relay) != 0 || m.Allowance(other) != 0 {
				t.Errorf("%s: %+v, %d", what, m.Habits(), m.Allowance(relay))
			}
		}
		for range 3 {
			m.Frozen(relay, 14_000)
			m.Frozen(other, 14_000)
			time.Sleep(apart / 4)
		}
		none("one moment")
		m.Enter("elsewhere")
		for i, n := range []int64{15_000, 60_000, 30_000} {
			froze(m, []wire.NodeID{relay, other}[i%2], n)
		}
		none("other numbers each time")
	})
}

// TestBudget: one silence is nothing, two make a budget, of the smaller number; what is no
// size of a budget makes none.
func TestBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(2, 1, nil)
		m.Enter("home")
		for _, n := range []int64{100, 3 << 20, 14_000} {
			m.Frozen(relay, n)
			m.Frozen(relay, 1)
			if got := m.Habits().Budget; got != 0 {
				t.Fatalf("after %d: %d", n, got)
			}
		}
		time.Sleep(time.Hour) // too long ago
		m.Frozen(relay, 14_500)
		if m.Habits().Budget != 0 {
			t.Error("a budget of silences hours apart")
		}
		froze(m, relay, 13_900)
		if got := m.Habits().Budget; got != 13_900 {
			t.Errorf("budget %d", got)
		}
		froze(m, relay, 12_000)
		if got := m.Allowance(relay); got != 12_000 {
			t.Errorf("allowance %d", got)
		}
		without := 0
		for range 4 * trialEach {
			if m.Allowance(relay) == 0 {
				without++
			}
		}
		if without != 4 {
			t.Errorf("%d trials", without)
		}
		m.Carried(relay, 20_000)
		if m.Habits().Budget == 0 {
			t.Error("forgotten too soon")
		}
		m.Carried(relay, 30_000)
		if m.Habits().Budget != 0 {
			t.Error("not forgotten")
		}
	})
}

// TestPace: a relay gets two handshakes in any minute; more where connections freeze, until
// a ban was seen. Others do not count.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(2, 1, nil)
		m.Enter("home")
		var at []time.Time
		for range 20 {
			time.Sleep(m.Wait(relay))
			m.Began(relay)
			at = append(at, time.Now())
		}
		for i := range at[:len(at)-2] {
			if d := at[i+2].Sub(at[i]); d <= time.Minute {
				t.Fatalf("three handshakes in %v", d)
			}
		}
		m.Frozen(relay, 13_000) // one that may be a curtain
		for range PerMinuteDoubt - PerMinute {
			if m.Wait(relay) != 0 {
				t.Error("waits, though a connection has frozen")
			}
			m.Began(relay)
		}
		if m.Wait(relay) == 0 {
			t.Error("does not wait after five")
		}
		if m.Wait(wire.NodeID{2}) != 0 {
			t.Error("another relay waits")
		}
		m.Untried(relay)
		if m.Wait(relay) != 0 {
			t.Error("a dial that nobody answered counts")
		}

		froze(m, relay, 14_000)
		froze(m, relay, 14_000)
		for range 15 {
			if m.Wait(relay) != 0 {
				t.Fatal("waits in a network that freezes")
			}
			m.Began(relay)
		}
		m.Silent(relay, true)
		if !m.Habits().Bans || m.Wait(relay) == 0 {
			t.Error("a ban is not noticed")
		}
	})
}

// TestScarce: connections are few where they freeze and one relay has banned us, before a second
// says the same of the network.
func TestScarce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(2, 1, nil)
		m.Enter("home")
		m.Met(relay, true)
		m.Met(wire.NodeID{7}, true)
		froze(m, relay, 14_000)
		froze(m, relay, 14_000)
		if m.Habits().Budget != 0 || m.Scarce() {
			t.Errorf("%+v after one relay froze", m.Habits())
		}
		for range leastTried + 1 {
			m.Began(relay)
		}
		m.Silent(relay, true)
		if m.Habits().Bans || !m.Scarce() {
			t.Errorf("%+v, scarce: %v, after its ban", m.Habits(), m.Scarce())
		}
		m.Enter("elsewhere")
		if m.Scarce() {
			t.Error("scarce on another network")
		}
	})
}

// TestBanIsSoonKnown: the third handshake within a minute on which nothing comes back is a ban, whether
// its first packet was dropped or what followed; then no relay gets more than two, and each
// connection has to carry all that it may.
func TestBanIsSoonKnown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, counted := range []bool{false, true} {
			m := New(2, 1, nil)
			m.Enter("home")
			other := wire.NodeID{2}
			m.Met(relay, true)
			m.Met(other, true)
			froze(m, relay, 14_000)
			froze(m, other, 14_000)
			if m.Sparing(relay) || !m.Freezes(relay) {
				t.Fatal("sparing before a ban")
			}
			for range PerMinute {
				m.Began(relay)
				m.Began(other)
			}
			if m.Wait(other) != 0 {
				t.Fatal("waits before a ban")
			}
			if counted {
				m.Began(relay)
			}
			m.Silent(relay, counted)
			if m.Wait(other) == 0 || !m.Sparing(other) {
				t.Errorf("counted %t: another relay is tried on", counted)
			}
		}
	})
}

// TestMade: the minute is counted from when the handshake was, not from when the attempt began.
func TestMade(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(2, 1, nil)
		m.Enter("home")
		for range PerMinute {
			m.Began(relay)
			time.Sleep(5 * time.Second)
			m.Made(relay)
		}
		time.Sleep(minute - 7*time.Second)
		if d := m.Wait(relay); d != 2*time.Second {
			t.Errorf("waits %v", d)
		}
	})
}

// TestSilenceIsNoBan: a relay that goes away after few handshakes was not banned.
func TestSilenceIsNoBan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(2, 1, nil)
		m.Enter("home")
		m.Began(relay)
		m.Silent(relay, false)
		m.Began(relay)
		m.Silent(relay, true)
		m.Silent(wire.NodeID{7}, false)
		time.Sleep(minute + patience)
		m.Began(relay)
		m.Began(relay)
		time.Sleep(minute + patience)
		m.Silent(relay, false)
		if m.Habits().Bans {
			t.Error("taken for a ban")
		}
	})
}

// TestDisguise: a disguise that fails makes way for another, one that passed stays, and
// is the first in the same network.
func TestDisguise(t *testing.T) {
	m := New(2, 1, nil)
	m.Enter("home")
	m.Passed(relay, 1, false)
	if m.Disguise() != 1 {
		t.Error("changed after one failure")
	}
	m.Passed(relay, 1, false)
	if m.Disguise() != 2 {
		t.Error("not changed after two")
	}
	m.Passed(relay, 1, false) // late
	m.Passed(relay, 2, true)
	m.Enter("elsewhere")
	m.Passed(relay, 1, true)
	m.Enter("home")
	if m.Disguise() != 2 {
		t.Error("forgotten")
	}
}

// TestKept: what was learned of a network is there at the next start, and in no other
// network; names are not among the bytes.
func TestKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(2, 1, nil)
		m.Enter("gateway 192.168.178.1")
		froze(m, relay, 14_000)
		froze(m, relay, 14_000)
		m.Passed(relay, 2, true)
		b := m.Append(nil)
		if bytes.Contains(b, []byte("192.168")) || len(b) > MaxSize {
			t.Errorf("%q", b)
		}
		o := New(2, 1, nil)
		if err := o.Restore(b); err != nil {
			t.Fatal(err)
		}
		o.Enter("gateway 10.0.0.1")
		if o.Habits().Budget != 0 || o.Disguise() != 1 {
			t.Error("known elsewhere")
		}
		o.Enter("gateway 192.168.178.1")
		if o.Habits().Budget != 14_000 || o.Disguise() != 2 {
			t.Errorf("%+v", o.Habits())
		}
		if other := New(2, 1, nil); other.salt == m.salt {
			t.Error("one salt for all")
		}
	})
}

// TestNetworksBounded: of ever new networks and relays some are remembered.
func TestNetworksBounded(t *testing.T) {
	m := New(2, 1, nil)
	for i := range 1000 {
		m.Enter(fmt.Sprint(i))
		m.Passed(relay, 1, true)
	}
	for i := range 1000 {
		for range 100 {
			m.Began(wire.NodeID{1, byte(i), byte(i >> 8)})
		}
	}
	if len(m.known) > MaxNetworks || len(m.tries) > maxRelays || len(m.Append(nil)) > MaxSize {
		t.Errorf("%d networks, %d relays", len(m.known), len(m.tries))
	}
	for _, at := range m.tries {
		if len(at) > maxTries {
			t.Fatalf("%d handshakes", len(at))
		}
	}
}

func FuzzRestore(f *testing.F) {
	m := New(2, 1, nil)
	m.Enter("x")
	m.Passed(relay, 1, true)
	f.Add(m.Append(nil))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		new(Habits).cutWays(b)
		m := New(2, 1, nil)
		if m.Restore(b) != nil {
			return
		}
		m.Enter("home")
		m.Frozen(relay, 14_000)
		if len(m.Append(nil)) > MaxSize {
			t.Error("too long")
		}
	})
}

// TestOneRelayTeachesNothing: one guard that falls silent when it likes, beside another
// that does not, teaches no budget, no ban and no disguise of the network.
func TestOneRelayTeachesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := New(2, 1, nil)
		m.Enter("home")
		liar, honest := wire.NodeID{1}, wire.NodeID{2}
		m.Began(honest)
		m.Met(honest, true)
		m.Met(liar, true)
		for range 5 {
			m.Began(liar)
			froze(m, liar, 11<<10)
		}
		for range PerMinute {
			m.Began(liar)
		}
		m.Silent(liar, true)
		for range 5 {
			m.Passed(liar, 1, false)
		}
		if h := m.Habits(); h.Budget != 0 || h.Bans || m.Disguise() != 1 {
			t.Errorf("learned of one relay: %+v, disguise %d", h, m.Disguise())
		}
		if m.Wait(honest) != 0 || m.Wait(liar) == 0 {
			t.Errorf("the honest one waits %v, the other %v", m.Wait(honest), m.Wait(liar))
		}

		if m.Allowance(liar) != 11<<10 || m.Allowance(honest) != 0 {
			t.Errorf("allowances %d, %d", m.Allowance(liar), m.Allowance(honest))
		}

		froze(m, honest, 14_000)
		if got := m.Habits().Budget; got != 14_000 {
			t.Errorf("two relays make a budget of %d", got)
		}
		froze(m, liar, 12<<10)
		if got := m.Habits().Budget; got != 14_000 {
			t.Errorf("one relay changes it to %d", got)
		}

		m.Passed(honest, 1, false)
		if m.Disguise() != 2 {
			t.Error("two relays make no other disguise")
		}

		m.Enter("elsewhere")
		m.Met(honest, true)
		m.Met(honest, false) // it is gone
		froze(m, liar, 13_000)
		froze(m, liar, 14_000)
		if got := m.Habits().Budget; got != 13_000 {
			t.Errorf("the only relay makes a budget of %d", got)
		}
	})
}
