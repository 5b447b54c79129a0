package p2p

import (
	"testing"
	"time"
)

func TestMutes(t *testing.T) {
	var m mutes
	now := time.Now()
	g, h, a, b := NodeID{1}, NodeID{2}, NodeID{3}, NodeID{4}
	for range 10 * muteAfter {
		if m.failed([]NodeID{g}, a, now) || m.is(g, now) {
			t.Fatal("one mailbox that does not answer makes a guard mute")
		}
	}
	m.answered(g)
	for i := range muteAfter - 1 {
		if m.failed([]NodeID{g, h}, []NodeID{a, b}[i%2], now) {
			t.Fatalf("mute after %d failures", i+1)
		}
	}
	m.answered(h)
	if !m.failed([]NodeID{g, h}, a, now) || !m.is(g, now) || m.is(h, now) {
		t.Error("the guard over which nothing came is not mute, or the other is")
	}
	if m.is(g, now.Add(muteFor)) {
		t.Error("mute for ever")
	}
	m.forget()
	if m.is(g, now) {
		t.Error("not forgotten")
	}
}
