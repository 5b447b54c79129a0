package node

import (
	"errors"
	"fmt"
	"testing"

	"starling/node/rooms"
	"starling/p2p"
)

// TestAppended: rooms are told apart that a log is full, that a tag is taken, and that nothing was tried: they go elsewhere, or wait.
func TestAppended(t *testing.T) {
	box := []byte("box")
	for what, tt := range map[string]struct{ err, want error }{
		"there":             {nil, nil},
		"there before":      {&p2p.TakenError{Box: box}, nil},
		"another box":       {&p2p.TakenError{Box: []byte("other")}, rooms.ErrTaken},
		"taken":             {p2p.ErrTaken, rooms.ErrTaken},
		"full":              {p2p.ErrFull, rooms.ErrFull},
		"offline":           {p2p.ErrOffline, rooms.ErrHold},
		"few relays":        {p2p.ErrFewRelays, rooms.ErrHold},
		"without an answer": {p2p.ErrTimeout, p2p.ErrTimeout},
	} {
		err := tt.err
		if err != nil {
			err = fmt.Errorf("an append: %w", err)
		}
		got := appended(err, box)
		if tt.want == nil && got != nil || !errors.Is(got, tt.want) {
			t.Errorf("%s: %v", what, got)
		}
		for _, other := range []error{rooms.ErrHold, rooms.ErrTaken, rooms.ErrFull} {
			if other != tt.want && errors.Is(got, other) {
				t.Errorf("%s: %v as well", what, other)
			}
		}
	}
}
