package cli

import (
	"context"
	"testing"
	"time"

	"starling/node/api"
	"starling/node/api/apitest"
	"starling/node/config"
	"starling/node/control"
	"starling/tui/tuitest"
)

// TestConformanceOverSocket: what the node in memory does comes whole over the control
// socket.
func TestConformanceOverSocket(t *testing.T) {
	apitest.Run(t, func(t *testing.T) *apitest.Pair {
		ada, bob := tuitest.Pair(time.Now, "Ada", "Bob")
		offline := func(offline bool) {
			ada.SetStatus(func(s *api.Status) {
				s.Ready, s.Reason = !offline, ""
				if offline {
					s.Reason = "no guard answers"
				}
			})
		}
		return &apitest.Pair{Ada: served(t, ada), Bob: served(t, bob), SetOffline: offline, Passphrase: tuitest.Passphrase, ReadFile: ada.ReadFile, Rooms: true}
	})
}

// served serves a node on a control socket and returns the client.
func served(t *testing.T, n api.Node) api.Node {
	dir := config.Profile{Dir: t.TempDir()}
	server, err := control.Listen(dir, n)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); server.Run(ctx) }()
	client, err := control.Dial(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		client.Close()
		cancel()
		<-ended
	})
	return client
}
