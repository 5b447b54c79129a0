package tuitest

import (
	"testing"
	"time"

	"starling/node/api"
	"starling/node/api/apitest"
)

// TestConformance: the node of the tests of the screen has the duties of every node.
func TestConformance(t *testing.T) {
	apitest.Run(t, func(*testing.T) *apitest.Pair {
		ada, bob := Pair(time.Now, "Ada", "Bob")
		offline := func(offline bool) {
			ada.SetStatus(func(s *api.Status) {
				s.Ready, s.Reason = !offline, ""
				if offline {
					s.Reason = "no guard answers"
				}
			})
		}
		return &apitest.Pair{Ada: ada, Bob: bob, SetOffline: offline, Passphrase: Passphrase, ReadFile: ada.ReadFile, Rooms: true}
	})
}
