package p2p

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"starling/p2p/directory"
	"starling/p2p/mix"
)

func stored(tb testing.TB) []byte {
	tb.Helper()
	c, err := NewClient(ClientConfig{AllowPrivate: true})
	if err != nil {
		tb.Fatal(err)
	}
	s := &directory.Snapshot{Relays: []*directory.Descriptor{{
		ID: c.id, Addresses: []directory.Address{{AddrPort: netip.MustParseAddrPort("127.0.0.1:1")}},
	}}}
	c.guards.Extend(s, time.Now(), true)
	var state []byte
	c.cfg.SaveState = func(b []byte) error { state = b; return nil }
	c.saveState()
	return state
}

// FuzzState: a damaged state is an error and nothing worse, and what is read
// is written the same way.
func FuzzState(f *testing.F) {
	f.Add(stored(f))
	f.Add([]byte{stateVersion, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := NewClient(ClientConfig{AllowPrivate: true})
		if err != nil {
			t.Fatal(err)
		}
		pins, err := c.loadState(b)
		if err != nil || len(b) == 0 {
			if len(c.guards.Guards) != 0 {
				t.Error("guards of a damaged state are taken over")
			}
			return
		}
		again := c.guards.Append([]byte{stateVersion})
		if !bytes.HasPrefix(b, again) || int(b[len(again)]) != len(pins) {
			t.Errorf("%x is not written as it was read", b)
		}
	})
}

func TestDoubts(t *testing.T) {
	var d doubts
	now := time.Now()
	a, b := NodeID{1}, NodeID{2}
	d.failed([]NodeID{a, b}, now)
	if ids, _ := d.avoided(now); len(ids) != 0 {
		t.Error("avoided after one failure")
	}
	d.answered([]NodeID{b})
	_, before := d.avoided(now)
	d.failed([]NodeID{a, b}, now)
	ids, after := d.avoided(now)
	if !ids[a] || ids[b] || before == after {
		t.Errorf("avoided: %v", ids)
	}
	if ids, _ := d.avoided(now.Add(doubtLife + time.Second)); len(ids) != 0 {
		t.Error("avoided for ever")
	}
}

func TestTimings(t *testing.T) {
	// The polls of one watch cost less than 5 MB a day both ways together.
	public := timings(false)
	perDay := float64(24*time.Hour) / float64(public.poll) * 2 * 2400
	if perDay > 5e6/2 {
		t.Errorf("%.0f bytes a day", perDay)
	}
	c, err := NewClient(ClientConfig{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		c.watches.m[string(rune(i))] = &watch{}
	}
	if d := c.watches.interval(); d < time.Hour || d > maxPoll+maxPoll/4 {
		t.Errorf("100 watches are polled every %v", d)
	}
	if c.patience() < 24*mix.DefaultMeanDelay {
		t.Error("no patience")
	}
}
