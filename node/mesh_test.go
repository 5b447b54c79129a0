package node

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"starling/node/api"
	"starling/node/config"
	"starling/node/store"
	"starling/node/testnet"
)

// newMeshUser makes a profile and a node on a mesh of real relays.
func newMeshUser(t testing.TB, mesh *testnet.Mesh, name string, delay time.Duration) *user {
	t.Helper()
	_, noSync := t.(*testing.T) // benchmarks wait for the disk
	u := &user{t: t, name: name, dir: config.Profile{Dir: filepath.Join(t.TempDir(), name)}}
	if err := Create(u.dir, passphrase, name, store.CheapKDF); err != nil {
		t.Fatal(err)
	}
	n, err := New(Config{Profile: u.dir, Passphrase: passphrase, Bootstrap: mesh.Bootstrap(),
		AllowPrivate: true, MeanDelay: delay, NoSocket: true,
		Store: store.Options{NoSync: noSync}})
	if err != nil {
		t.Fatal(err)
	}
	u.Node = n
	ended := make(chan error, 1)
	go func() { ended <- n.Run(context.Background()) }()
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	u.log = watchEvents(t, n)
	eventually(t, "a ready network", func() bool {
		s, err := n.Status(context.Background())
		return err == nil && s.Ready
	})
	return u
}

func startMesh(t testing.TB) *testnet.Mesh {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	mesh, err := testnet.Start(ctx, testnet.Options{Relays: 8})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { mesh.Close() })
	return mesh
}

// Two people over eight real relays: the whole way of a message.
func TestRealRelays(t *testing.T) {
	mesh := startMesh(t)
	ada, bob := newMeshUser(t, mesh, "Ada", 0), newMeshUser(t, mesh, "Bob", 0)
	befriend(t, ada, bob)
	ids := ada.sendAll(bob, numbered(20))
	back := bob.send(ada, "hi")
	ada.waitAll(ids, api.StateDelivered)
	bob.waitState(back.ID, api.StateDelivered)
	if got := bob.shown(ada, 20); fmt.Sprint(got) != fmt.Sprint(numbered(20)) {
		t.Errorf("got %v", got)
	}
}

// From Send at one node to the event at the other, over eight real relays on
// loopback, with the mixes' delays of the fast profile and without.
func BenchmarkMesh(b *testing.B) {
	for name, delay := range map[string]time.Duration{"fast": 0, "no delay": -1} {
		b.Run(name, func(b *testing.B) {
			mesh := startMesh(b)
			ada, bob := newMeshUser(b, mesh, "Ada", delay), newMeshUser(b, mesh, "Bob", delay)
			befriend(b, ada, bob)
			arrived := make(chan string, 100)
			go shown(b.Context(), bob, func(text string) { arrived <- text })
			ada.waitState(ada.send(bob, "ready?").ID, api.StateDelivered)
			for <-arrived != "ready?" {
			}
			i := 0
			for b.Loop() {
				i++
				want := fmt.Sprint(i)
				ada.send(bob, want)
				for got := ""; got != want; {
					got = <-arrived
				}
			}
		})
	}
}
