package node

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestRoomExposure draws guards and mailboxes at random: the shares of docs/THREATMODEL.md for a room of
// 32. A member is found if one of their two guards is bad and the adversary is in the room, or else
// has one of its two mailboxes.
func TestRoomExposure(t *testing.T) {
	const rooms, members = 20_000, 32
	rng := rand.New(rand.NewPCG(1, 2))
	for bad, want := range map[float64][2]float64{.05: {.10, .01}, .10: {.19, .036}, .20: {.36, .13}} {
		either := func() bool { return min(rng.Float64(), rng.Float64()) < bad }
		inside, outside := 0, 0
		for range rooms {
			mailbox := either()
			for range members {
				if either() {
					inside++
					if mailbox {
						outside++
					}
				}
			}
		}
		for i, found := range []int{inside, outside} {
			if share := float64(found) / (rooms * members); math.Abs(share-want[i]) > .006 {
				t.Errorf("with %.0f %% bad relays %.1f %% are found, not %.1f %%", 100*bad, 100*share, 100*want[i])
			}
		}
	}
}
