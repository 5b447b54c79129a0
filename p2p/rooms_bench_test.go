package p2p_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"starling/p2p"
	"starling/p2p/p2ptest"
)

// traffic is the bytes on somebody's links since the start.
func traffic(c *p2ptest.Client) int64 {
	s := c.Status()
	return s.BytesIn + s.BytesOut
}

// BenchmarkReader is the bytes that an entry costs one of those who follow its log at two mailboxes: on their links, in
// virtual time, less what the same client moves when nothing is said.
func BenchmarkReader(b *testing.B) {
	const entries, pause = 1000, 3 * time.Second
	for range b.N {
		synctest.Test(&testing.T{}, func(*testing.T) {
			net := p2ptest.Virtual(b, 8, wan, nil)
			defer net.Stop()
			net.Settle(8)
			var reader *p2ptest.Client
			p := newPen()
			writer := net.Client(nil)
			reader = net.Client(func(cfg *p2p.ClientConfig) {
				cfg.OnEntry = func(string, p2p.NodeID, p2p.LogEntry) {}
				cfg.OnEnd = func(key string, at p2p.NodeID, end p2p.LogEnd) {
					reader.Follow(key, at, []p2p.LogPosition{{Name: p.name(), Instance: end.Instance, After: end.Last}})
				}
			})
			defer writer.Stop()
			defer reader.Stop()
			writer.WaitReady(b)
			reader.WaitReady(b)
			ids, err := writer.ChooseMailboxes(2)
			if err != nil {
				b.Fatal(err)
			}
			p.write(b, writer, ids[0], p.entry())
			p.write(b, writer, ids[1], p.sent[0])
			for _, id := range ids {
				reader.Follow("room", id, []p2p.LogPosition{{Name: p.name()}})
			}

			time.Sleep(time.Hour)
			quiet := traffic(reader)
			time.Sleep(entries * pause)
			quiet = traffic(reader) - quiet
			busy := traffic(reader)
			end := time.Now().Add(entries * pause)
			for range entries {
				e := p.entry()
				for _, id := range ids {
					p.write(b, writer, id, e)
				}
				time.Sleep(pause / 2)
			}
			time.Sleep(time.Until(end))
			busy = traffic(reader) - busy
			b.ReportMetric(float64(busy-quiet)/entries, "bytes/entry")
		})
	}
}

// BenchmarkIdleRooms is the bytes of a day, by four hours of it, of a client that follows ten rooms, each at two mailboxes, in which nobody
// says anything.
func BenchmarkIdleRooms(b *testing.B) {
	const hours = 4
	for range b.N {
		synctest.Test(&testing.T{}, func(*testing.T) {
			net := p2ptest.Virtual(b, 8, wan, nil)
			defer net.Stop()
			net.Settle(8)
			c := net.Client(nil)
			defer c.Stop()
			c.WaitReady(b)
			for room := range 10 {
				ids, err := c.ChooseMailboxes(2)
				if err != nil {
					b.Fatal(err)
				}
				var logs []p2p.LogPosition
				for lane := range 8 {
					logs = append(logs, p2p.LogPosition{Name: p2p.LogName{byte(room), byte(lane), 1}})
				}
				for _, id := range ids {
					c.Follow(fmt.Sprint("room ", room), id, logs)
				}
			}
			time.Sleep(time.Hour)
			before := traffic(c)
			time.Sleep(hours * time.Hour)
			b.ReportMetric(float64(traffic(c)-before)*24/hours/1e6, "MB/day")
		})
	}
}
