package client

import (
	"bytes"
	"errors"
	"testing"

	"starling/p2p/mailbox"
)

// TestTakenByOurOwn: "Taken" by the very box that was put is stored. By another it
// can be looked at, and by nothing that is shown it is only said.
func TestTakenByOurOwn(t *testing.T) {
	ours, other := mailbox.Box{1}, mailbox.Box{2}
	if err := outcome(&mailbox.Answer{Kind: mailbox.Taken, Here: true, Box: ours}, ours[:]); err != nil {
		t.Errorf("taken by ours: %v", err)
	}
	err := outcome(&mailbox.Answer{Kind: mailbox.Taken, Here: true, Box: other}, ours[:])
	if taken, ok := errors.AsType[*TakenError](err); !ok || !bytes.Equal(taken.Box, other[:]) || !errors.Is(err, ErrTaken) {
		t.Errorf("taken by another: %v", err)
	}
	err = outcome(&mailbox.Answer{Kind: mailbox.Taken}, make([]byte, BoxSize))
	if _, ok := errors.AsType[*TakenError](err); ok || !errors.Is(err, ErrTaken) {
		t.Errorf("taken by what is gone: %v", err)
	}
}

func TestOutcome(t *testing.T) {
	for kind, want := range map[mailbox.Kind]error{
		mailbox.Stored: nil, mailbox.Full: ErrFull, mailbox.Found: ErrTimeout, mailbox.None: ErrTimeout, mailbox.Listed: ErrTimeout,
	} {
		if err := outcome(&mailbox.Answer{Kind: kind}, make([]byte, BoxSize)); !errors.Is(err, want) || (err == nil) != (want == nil) {
			t.Errorf("%v: %v, want %v", kind, err, want)
		}
	}
}
