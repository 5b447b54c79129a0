package client

import (
	"bytes"
	"log/slog"
	"net/netip"
	"strings"
	"testing"

	"starling/p2p/book"
	"starling/p2p/censor"
	"starling/p2p/directory"
)

// TestWaysOfEachNetwork: a door that led in is asked first at the next start, on this network
// and on no other; the log has no word of either.
func TestWaysOfEachNetwork(t *testing.T) {
	var state []byte
	var log bytes.Buffer
	place := "gateway 192.168.1.1 at home"
	begin := func() *Client {
		c, err := New(Config{
			AllowPrivate: true, State: state, SaveState: func(b []byte) error { state = b; return nil },
			Place: func() string { return place }, Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 20 {
			h := directory.Hint{ID: NodeID{1, byte(i)}, Addresses: []directory.Address{{AddrPort: netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), uint16(4001+i))}}}
			c.doors.add(h, book.Owner)
		}
		return c
	}
	first := func(c *Client) NodeID {
		h, _ := c.doors.next(nil, nil, true)
		return h.ID
	}

	good, other := NodeID{1, 7}, NodeID{1, 8}
	c := begin()
	c.passage.led(good)
	c.passage.enter()
	place = "gateway 10.9.8.7 in a café"
	c.passage.enter()
	c.passage.led(other)
	c.saveState()

	c = begin()
	if got := first(c); got != other {
		t.Errorf("in the café door %d is first", got[1])
	}
	place = "gateway 192.168.1.1 at home"
	c.passage.enter()
	if got := first(c); got != good || c.passage.Place(other) != censor.MaxWays {
		t.Errorf("at home door %d is first", got[1])
	}
	c.doors.failed(good)
	for range 100 {
		if first(c) == good {
			t.Fatal("a door that has failed since is first")
		}
	}
	for _, word := range []string{"gateway", "192.168.1.1", "10.9.8.7"} {
		if strings.Contains(log.String(), word) {
			t.Errorf("the log has %q", word)
		}
	}
}
