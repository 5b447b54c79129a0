package client

import (
	"testing"
	"time"
)

// A mailbox is silent after some requests without an answer, if others answer.
func TestSilence(t *testing.T) {
	var s silence
	now := time.Unix(1_700_000_000, 0)
	mailbox, other := NodeID{1}, NodeID{2}
	s.answer(other, now)
	for range silentAfter {
		now = now.Add(silentApart)
		s.failed(mailbox, now)
	}
	if s.of(mailbox) {
		t.Error("silent, though nobody else has answered since")
	}
	s.answer(other, now.Add(time.Second))
	if !s.of(mailbox) || s.of(other) {
		t.Error("not silent")
	}
	s.answer(mailbox, now.Add(2*time.Second))
	if s.of(mailbox) {
		t.Error("silent after an answer")
	}
	for range silentAfter {
		s.failed(mailbox, now.Add(3*time.Second))
	}
	s.answer(other, now.Add(4*time.Second))
	if s.of(mailbox) {
		t.Error("silent after failures that came together")
	}
}
