package client

import (
	"testing"
	"time"
)

func TestMutes(t *testing.T) {
	var m mutes
	now := time.Now()
	g, h := NodeID{1}, NodeID{2}
	chance := 0.5
	down := func(NodeID) float64 { return chance }
	for range 10 * muteAfter {
		if m.failed([]NodeID{g}, down, now) || m.is(g, now) {
			t.Fatal("a guard is mute that explains the failures no better than others")
		}
	}
	chance = 1
	m.answered(g)
	for i := range muteAfter - 1 {
		if m.failed([]NodeID{g, h}, down, now) {
			t.Fatalf("mute after %d failures", i+1)
		}
	}
	m.answered(h)
	if !m.failed([]NodeID{g, h}, down, now) || !m.is(g, now) || m.is(h, now) {
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
