package adversary

import (
	"crypto/rand"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"starling/p2p"
	"starling/p2p/outfox"
	"starling/p2p/p2ptest"
	"starling/p2p/virtualtime"
)

// meddlers makes a mesh of relays that meddle with every packet that they pass on,
// and one client that writes to itself. After so many puts it returns the number of
// boxes handed out and the refusals of the relays.
func meddlers(t *testing.T, puts int, meddle func(p *outfox.Packet, send func(*outfox.Packet))) (boxes int64, refused map[string]int64) {
	refused = map[string]int64{}
	synctest.Test(t, func(t *testing.T) {
		links := virtualtime.Links{LatencyMin: 20 * time.Millisecond, LatencyMax: 40 * time.Millisecond, BitsPerSecond: 20_000_000, Seed: 9}
		m := p2ptest.Virtual(t, 8, links, func(_ int, cfg *p2p.RelayConfig) {
			cfg.Meddle = func(_ p2p.NodeID, p *outfox.Packet, send func(*outfox.Packet)) { meddle(p, send) }
		})
		defer m.Stop()
		m.Settle(8)

		var got atomic.Int64
		c := m.Client(func(cfg *p2p.ClientConfig) {
			cfg.OnBox = func(p2p.NodeID, p2p.Tag, []byte) { got.Add(1) }
		})
		defer c.Stop()
		p2ptest.Eventually(t, "the client is ready", func() bool { return c.Status().Ready })
		chosen, err := c.ChooseMailboxes(1)
		if err != nil {
			t.Fatal(err)
		}
		tags := make([]p2p.Tag, puts)
		for i := range tags {
			rand.Read(tags[i][:])
		}
		c.Watch("all", chosen[0], tags)
		time.Sleep(5 * time.Second)
		for _, tag := range tags {
			c.Put(t.Context(), chosen[0], tag, make([]byte, p2p.BoxSize))
		}
		time.Sleep(10 * time.Second)

		boxes = got.Load()
		for _, r := range m.Relays {
			for why, n := range r.Status().Mix.Refused {
				refused[why] += n
			}
		}
		for why, n := range c.Status().Refused {
			refused["client: "+why] += n
		}
	})
	return boxes, refused
}

// TestEveryPacketTwice: relays that send all packets twice gain nothing: each box
// is handed out once, and the second of every packet, also of answers that use a
// reply block again, is refused as a replay.
func TestEveryPacketTwice(t *testing.T) {
	const puts = 5
	boxes, refused := meddlers(t, puts, func(p *outfox.Packet, send func(*outfox.Packet)) {
		send(p)
		again, err := outfox.ParsePacket(p.Append(nil))
		if err != nil {
			t.Error(err)
			return
		}
		send(again)
	})
	if boxes != puts {
		t.Errorf("%d boxes were handed out, want %d", boxes, puts)
	}
	if refused["replay"] < puts {
		t.Errorf("refused: %v", refused)
	}
}

// TestEveryPacketTagged: a relay that flips a bit of every packet destroys it, and
// learns nothing further down. The changed packet is noise to the mailbox, and only
// a refusal is left of it.
func TestEveryPacketTagged(t *testing.T) {
	boxes, refused := meddlers(t, 3, func(p *outfox.Packet, send func(*outfox.Packet)) {
		raw := p.Append(nil)
		raw[len(raw)-1] ^= 1
		if tagged, err := outfox.ParsePacket(raw); err == nil {
			send(tagged)
		}
	})
	if boxes != 0 {
		t.Errorf("%d boxes came through changed packets", boxes)
	}
	if refused["payload"] == 0 {
		t.Errorf("refused: %v", refused)
	}
}
