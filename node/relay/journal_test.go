package relay

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"starling/node/relay/metrics"
)

// TestJournal: the lines that matter come once each, and no others.
func TestJournal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		j := journal{log: slog.New(slog.NewTextHandler(&b, nil))}
		board := metrics.NewBoard()
		here := []string{"/ip4/9.9.9.9/tcp/1"}
		s := Status{PeerID: "12D3", Reason: "no other relay has said anything yet", ClientPlaces: 10, BoxPlaces: 100, Announced: here, Started: time.Now()}
		says := func(want string, lines int) {
			t.Helper()
			for range 3 {
				j.look(s, board)
			}
			if got := b.String(); !strings.Contains(got, want) || strings.Count(got, "\n") != lines {
				t.Errorf("not %q in %d lines: %s", want, lines, got)
			}
			b.Reset()
		}

		says("", 0) // it has only begun
		time.Sleep(settle + time.Second)
		s.Reason, s.Unreached = "no other relay reaches it at its address", here
		says("no use to others now", 1)
		s.Reason, s.Unreached, s.Listed, s.Reachable, s.Asked = "", nil, true, true, 3
		says("listed, and reached", 1)
		s.Announced = []string{"/ip4/8.8.8.8/tcp/1"}
		says("other addresses", 1)
		s.Reason, s.Listed = "0 of 3 other relays asked list it", false
		says("0 of 3 other", 1)

		s.Limits.TurnedAway = 1
		says("all places for clients", 1)
		s.Limits.TurnedAway = 9
		says("", 0) // within the hour
		time.Sleep(hitAgain)
		s.Limits.TurnedAway = 10
		says("all places for clients", 1)
		s.Boxes = 95
		says("nine tenths of the mailbox", 1)
		s.Boxes = 100
		says("mailbox is full", 1)
		s.Limits.Quota, s.Limits.QuotaUsed = 1000, 950
		says("nine tenths of the month", 1)

		time.Sleep(heartbeat)
		s.Boxes, s.Limits.Quota = 0, 0
		says("heartbeat", 1)
		if board.Shown("clients") != 0 {
			t.Error("the heartbeat knows more than is published")
		}
	})
}
