package mailbox

import (
	"context"
	"errors"
	"testing"
	"time"

	"starling/p2p/outfox"
)

// broken is a disk that fails in one way.
type broken struct {
	Store
	err error
}

func (b broken) Put(context.Context, Tag, *Box, time.Time, bool) error { return b.err }

// TestFailuresLookAlike: the sender of a box that is not kept gets the same answer to the
// byte, whatever the reason is: no room, a disk that fails, or too many boxes a second.
func TestFailuresLookAlike(t *testing.T) {
	var answers []*outfox.Message
	for name, cfg := range map[string]ServerConfig{
		"full":    {Store: broken{NewMemory(10), ErrFull}},
		"damaged": {Store: broken{NewMemory(10), errors.New("I/O error at sector 7")}},
		"rate":    {Store: NewMemory(100), PutRate: 1},
	} {
		bubble(t, cfg, func(t *testing.T, c *client, s *Server) {
			for i := range byte(30) {
				s.put(t.Context(), &Put{Tag: Tag{i}, Block: c.block()})
			}
			last := c.take()[29]
			if last.Kind != Full {
				t.Errorf("%s: %+v", name, last)
			}
			answers = append(answers, last.Message())
		})
	}
	for _, a := range answers[1:] {
		if *a != *answers[0] {
			t.Errorf("answers differ: %x, %x", a[:8], answers[0][:8])
		}
	}
}
