package relay_test

import (
	"context"
	"crypto/ed25519"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"

	"starling/p2p"
	"starling/p2p/admission"
	"starling/p2p/directory/gossip"
	"starling/p2p/p2ptest"
	"starling/p2p/virtualtime"
)

// TestFewLiveLiars: four of nine relays, which live and are listed as all are, vouch for 36
// that are not there. No relay lists more than three of them, and people's boxes
// arrive.
func TestFewLiveLiars(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const relays, liars, lies = 9, 4, 36
		states := map[int]string{}
		m := p2ptest.Virtual(t, relays, virtualtime.Links{LatencyMin: 20 * time.Millisecond, LatencyMax: 60 * time.Millisecond, BitsPerSecond: 2e7},
			func(node int, cfg *p2p.RelayConfig) { states[node] = cfg.StateDir })
		defer m.Stop()
		m.Settle(relays)
		h, _ := stranger(t, m, 900)
		defer h.Close()
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		g, err := gossip.New(ctx, gossip.Config{Host: h, Hear: func(admission.News) error { return nil }})
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close()
		news := lie(t, m, states, liars, lies)

		sender := m.Client(nil)
		defer sender.Stop()
		p2ptest.Eventually(t, "client ready", func() bool { return sender.Status().Ready })
		boxes, err := sender.ChooseMailboxes(2)
		if err != nil {
			t.Fatal(err)
		}
		most, sent, failed := 0, 0, 0
		for minute := range 75 {
			if minute%30 == 0 {
				for _, n := range news {
					g.Publish(ctx, n)
				}
			}
			if minute%4 == 0 {
				sent++
				if !put(ctx, sender, boxes) {
					failed++
				}
			}
			time.Sleep(time.Minute)
			for _, r := range m.Relays {
				most = max(most, r.Status().Relays-relays)
			}
		}

		if most > 3 {
			t.Errorf("%d relays that are not there are listed", most)
		}
		t.Logf("at most %d that are not there were listed; %d of %d boxes failed", most, failed, sent)
		if failed > 0 {
			t.Errorf("%d of %d boxes did not arrive within a minute", failed, sent)
		}
	})
}

// put puts a box at one mailbox or the other within a minute.
func put(ctx context.Context, c *p2ptest.Client, at []p2p.NodeID) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tag, box := p2p.Tag{byte(time.Now().Unix()), byte(time.Now().Unix() >> 8)}, make([]byte, p2p.BoxSize)
	for i := 0; ctx.Err() == nil; i++ {
		if c.Put(ctx, at[i%len(at)], tag, box) == nil {
			return true
		}
		time.Sleep(100 * time.Millisecond)
	}
	return false
}

// lie returns news of relays that are not there, which the first relays of a mesh vouch
// for.
func lie(t *testing.T, m *p2ptest.Net, states map[int]string, liars, lies int) (all [][]byte) {
	t.Helper()
	var keys []crypto.PrivKey
	for i := range liars {
		seed, err := os.ReadFile(filepath.Join(states[i], "relay.key"))
		if err != nil {
			t.Fatal(err)
		}
		key, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(seed))
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, key)
	}
	for i := range lies {
		news := admission.News{Raw: fake(t, i)}
		for n, key := range keys {
			v, err := admission.Vouch(key, m.Relays[n].ID(), news.Raw, 1, admission.Day(time.Now()))
			if err != nil {
				t.Fatal(err)
			}
			news.Vouchers = append(news.Vouchers, v)
		}
		all = append(all, news.Append(nil))
	}
	return all
}
