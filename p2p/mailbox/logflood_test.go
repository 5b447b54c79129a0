package mailbox

import (
	"testing"
	"time"
)

// TestAppendFloodsBesideRooms: at ten times the rate that the mailbox takes, strangers
// append to logs of their own, with and without a signature, and to one that a reader of
// theirs follows. The entries of others, whose log somebody follows, are stored and pushed.
func TestAppendFloodsBesideRooms(t *testing.T) {
	const rounds = 15
	enemy := newWriter(200)
	own := enemy.entry()
	forged := enemy.entry()
	forged.Signature[3]++
	for name, flood := range map[string]struct {
		entry    Entry
		followed bool
	}{
		"one entry, again and again": {own, false},
		"forgeries":                  {forged, false},
		"of a log that is followed":  {own, true},
		"forged, of one as well":     {forged, true},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := seatsOf(20)
			cfg.AppendRate, cfg.MaxReaders = 100, 20
			cfg.Store = NewMemory(400)
			bubble(t, cfg, func(t *testing.T, c *client, s *Server) {
				request := (&Append{Key: enemy.public(), Entry: flood.entry, Block: c.block()}).Message()
				for c.flood = range c.open {
				}
				room, reader := newWriter(1), newFollower(newWriter(1))
				reader.follow(t, c, s, Stand, 5)
				if flood.followed {
					f := newFollower(enemy)
					f.stamp, _ = FindStamp(t.Context(), testSelf, f.lease, time.Now(), testPrice)
					f.follow(t, c, s, Stand, 5)
				}
				c.take()
				stored, entries := 0, 0
				for i := range rounds {
					for range 100 {
						time.Sleep(10 * time.Millisecond)
						c.take()
						for range 10 {
							s.Deliver(request)
						}
					}
					room.append(c, s, room.entry())
					for _, a := range c.take() {
						switch a.Kind {
						case Stored:
							stored++
						case Logged:
							entries++
						}
					}
					reader.logs[0].After = uint32(i + 1)
					reader.follow(t, c, s, Stand, 3)
					c.take()
				}
				if stored != rounds || entries != rounds {
					t.Errorf("of %d entries %d were stored, %d pushed", rounds, stored, entries)
				}
				if n := s.Stats().Overloaded; n < 100*rounds {
					t.Errorf("%d were dropped: this test shows nothing", n)
				}
			})
		})
	}
}
