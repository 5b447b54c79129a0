package node

import (
	"testing"

	"starling/p2p"
	"starling/p2p/censor"
)

// TestNotice: people read that most of the network is out of reach before anything else about it, and nothing
// where nothing is amiss.
func TestNotice(t *testing.T) {
	curtain := censor.Habits{Budget: 14_000}
	for want, s := range map[string]p2p.Status{
		"": {Relays: 30},
		"This network freezes connections. Going on over short ones.":  {Habits: curtain},
		"Most of the network is out of reach. Going on over 8 relays.": {Reached: 8, Habits: curtain},
	} {
		if got := notice(s); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
