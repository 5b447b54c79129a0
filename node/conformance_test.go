package node

import (
	"context"
	"os"
	"testing"

	"starling/node/api"
	"starling/node/api/apitest"
	"starling/node/control"
	"starling/node/nettest"
)

// TestConformance runs the suite of the api against the node in its own process and
// through the control socket.
func TestConformance(t *testing.T) {
	for name, wrap := range map[string]func(*testing.T, *user) api.Node{
		"in process": func(_ *testing.T, u *user) api.Node { return u.Node },
		"socket":     overSocket,
	} {
		t.Run(name, func(t *testing.T) {
			apitest.Run(t, func(t *testing.T) *apitest.Pair {
				net := nettest.New(5)
				ada, bob := newUser(t, net, "Ada"), newUser(t, net, "Bob")
				return &apitest.Pair{Ada: wrap(t, ada), Bob: wrap(t, bob), SetOffline: ada.link.SetOffline,
					Passphrase: passphrase, ReadFile: os.ReadFile, Rooms: true}
			})
		})
	}
}

// overSocket serves a node on its control socket and returns the client.
func overSocket(t *testing.T, u *user) api.Node {
	server, err := control.Listen(u.dir, u.Node)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); server.Run(ctx) }()

	client, err := control.Dial(t.Context(), u.dir)
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
