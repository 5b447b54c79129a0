package relay

import (
	"net/netip"
	"testing"
	"time"

	"starling/p2p/wire"
)

// TestVoices: of a network one is heard, and a million relays take the room of a few.
func TestVoices(t *testing.T) {
	v := voices{of: map[wire.NodeID]netip.Prefix{}}
	one, other := netip.MustParsePrefix("11.1.0.0/16"), netip.MustParsePrefix("11.2.0.0/16")
	if !v.take(wire.NodeID{1}, one) || !v.take(wire.NodeID{2}, other) || !v.take(wire.NodeID{1}, one) {
		t.Error("not heard")
	}
	if v.take(wire.NodeID{3}, one) {
		t.Error("two of one network")
	}
	for i := range 1_000_000 {
		v.take(wire.NodeID{9, byte(i), byte(i >> 8), byte(i >> 16)}, netip.Prefix{})
	}
	if len(v.of) > maxVoices {
		t.Errorf("%d voices", len(v.of))
	}
}

// TestStrangersTellNoTime: a node that connects and calls itself a relay has no voice
// about the time; the one that the owner named has.
func TestStrangersTellNoTime(t *testing.T) {
	named := "12D3KooWGC5kTgGLWVT9Sk8zECbFDvCBvnbgfaBbBF8mfVqJT5Zm"
	r, err := New(Config{StateDir: t.TempDir(), Listen: []string{"/ip4/127.0.0.1/tcp/0"},
		Bootstrap: []string{"/ip4/11.1.2.3/tcp/9/p2p/" + named}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for i := range byte(40) {
		r.hearTime(wire.NodeID{i}, time.Now().Add(time.Hour), 0)
	}
	r.learnTime()
	if ahead, sure := r.clock.Off(); sure || ahead != 0 {
		t.Errorf("strangers moved the clock by %v", ahead)
	}
	if id, err := wire.ParseNodeID(named); err != nil || !r.voice(id) {
		t.Errorf("the relay that the owner named has no voice: %v", err)
	}
}
