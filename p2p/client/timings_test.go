package client

import (
	"math"
	"testing"
	"time"

	"starling/p2p/mix"
	"starling/p2p/relay"
	"starling/p2p/wire"
)

func TestTimings(t *testing.T) {
	// An idle client with guards and watches at a mesh of 50 relays moves less than 4.2
	// MB a day, both ways together, with the overhead of TCP and yamux.
	const (
		onWire = wire.FrameSize + 186 // Noise, yamux, two segments, their acknowledgement
		pings  = 2 * 3358 * 108       // of both links: see host.TestIdleMuxer; 30 bytes, headers, acknowledgements
		relays = 50
	)
	public := timings(false)
	polls := 2 * float64(24*time.Hour) / float64(min(public.poll/2, public.pollShare)) // a request and none
	looks := float64(24*time.Hour) / float64(public.list)
	renewed := relays * float64(24*time.Hour) / float64(relay.Renewal(relays)) / looks // between two looks
	list := looks * (1 + math.Ceil(renewed*209/2372))
	alive := float64(24*time.Hour) / float64(public.keepalive*2/3) // on the link without requests
	frames := polls + list + alive
	t.Logf("%.0f frames for polls, %.0f for the list, %.0f to keep a link: %.2f MB of frames, %.2f MB in all",
		polls, list, alive, frames*wire.FrameSize/1e6, (frames*onWire+pings)/1e6)
	if frames*onWire+pings > 4.2e6 {
		t.Errorf("%.0f bytes a day", frames*onWire+pings)
	}
	c, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	if c.patience() < 24*mix.DefaultMeanDelay {
		t.Error("no patience")
	}
}
