package rooms

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/tui/desk"
	"starling/tui/term"
	"starling/tui/theme"
)

// However members call themselves, no two look alike, and nobody looks like us.
func TestNoTwoMembersLookAlike(t *testing.T) {
	letters := []string{"a", "A", "а", "á", "l", "I", "1", "і", "o", "0", "о", " ", "\u200b", "\u202e", "✓", "you", "Note to self"}
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		r := newRoster(&desk.Desk{Theme: theme.New(true, term.Cells{})}, "room")
		members := []api.Member{{ID: fmt.Sprintf("%032x", rnd.Uint64()), Name: safetext.Line("alo"), Self: true}}
		for range api.MaxMembers - 1 {
			name := ""
			for range rnd.IntN(4) {
				name += letters[rnd.IntN(len(letters))]
			}
			// IDs that begin alike are made by somebody with time.
			members = append(members, api.Member{ID: fmt.Sprintf("%04x%028x", rnd.IntN(3), rnd.Uint64()), Name: safetext.Line(name)})
		}
		r.take(members)

		seen := map[string]string{look(r.desk.T("you")): "us", look("Note to self"): "the note to self"}
		for _, m := range members {
			shown := r.Name(m.ID, m.Name)
			if other := seen[look(shown)]; other != "" {
				t.Fatalf("seed %d: %q and %s look alike", seed, shown, other)
			}
			seen[look(shown)] = fmt.Sprintf("%q", shown)
		}

		// Somebody who has left looks like nobody who is there.
		gone := r.Name(fmt.Sprintf("%032x", rnd.Uint64()), safetext.Line("аlo"))
		if other := seen[look(gone)]; other != "" {
			t.Fatalf("seed %d: %q who left and %s look alike", seed, gone, other)
		}
	}
}
