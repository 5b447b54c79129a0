package mesh

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"starling/p2p"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func start(t *testing.T, o Options) *Mesh {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	m, err := Start(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// client joins the mesh and waits until it knows n relays.
func client(t *testing.T, m *Mesh, n int) *p2p.Client {
	t.Helper()
	c, err := p2p.NewClient(p2p.ClientConfig{Bootstrap: m.Bootstrap(), AllowPrivate: true, MeanDelay: -1})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		c.Run(ctx)
	}()
	t.Cleanup(func() {
		stop()
		<-ended
	})
	deadline := time.Now().Add(30 * time.Second)
	for s := c.Status(); !s.Ready || s.Relays < n; s = c.Status() {
		if time.Now().After(deadline) {
			t.Fatalf("not ready: %+v", s)
		}
		<-time.After(10 * time.Millisecond)
	}
	return c
}

func TestMeshCarriesBoxes(t *testing.T) {
	m := start(t, Options{Relays: 6})
	if m.Relays() != 6 || len(m.Bootstrap()) != bootstraps {
		t.Fatalf("%d relays, bootstrap %v", m.Relays(), m.Bootstrap())
	}
	c := client(t, m, 6)
	mailboxes, err := c.ChooseMailboxes(1)
	if err != nil {
		t.Fatal(err)
	}
	if m.Index(mailboxes[0].String()) < 0 {
		t.Errorf("mailbox %v is none of the mesh", mailboxes[0])
	}
	box := make([]byte, p2p.BoxSize)
	if err := c.Put(t.Context(), mailboxes[0], p2p.Tag{1}, box); err != nil {
		t.Fatal(err)
	}

	// A relay that comes back is the same and has kept its boxes.
	i := m.Index(mailboxes[0].String())
	before := m.Traffic(i)
	if err := m.Stop(i); err != nil {
		t.Fatal(err)
	}
	if stopped := m.Traffic(i); before.In < p2p.BoxSize || before.Out == 0 || stopped.In < before.In || stopped.Out < before.Out {
		t.Errorf("traffic %+v, and %+v after its end", before, stopped)
	}
	if m.PeerID(i) != "" || m.Stop(i) != nil {
		t.Error("a stopped relay runs")
	}
	if err := m.Restart(t.Context(), i); err != nil {
		t.Fatal(err)
	}
	if got := m.PeerID(i); got != mailboxes[0].String() {
		t.Fatalf("relay %d came back as %s", i, got)
	}
	deadline := time.Now().Add(30 * time.Second)
	for {
		found, err := client(t, m, 6).Fetch(t.Context(), mailboxes[0], []p2p.Tag{{1}})
		if err == nil && len(found) == 1 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the box is gone: %v, %v", found, err)
		}
	}
}

func TestCloseRemovesOnlyItsOwn(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "mesh")
	m := start(t, Options{Relays: 2, Dir: dir})
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 2 {
		t.Errorf("%d entries left in a folder that is not its own, %v", len(entries), err)
	}
	m = start(t, Options{Relays: 1})
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(m.dir); !os.IsNotExist(err) {
		t.Errorf("%s was not removed: %v", m.dir, err)
	}
}

func TestStartFails(t *testing.T) {
	if _, err := Start(t.Context(), Options{}); err == nil {
		t.Error("a mesh of no relays started")
	}
	listen := func(i int) []string {
		if i == 1 {
			return []string{"nonsense"}
		}
		return []string{"/ip4/127.0.0.1/tcp/0"}
	}
	if _, err := Start(t.Context(), Options{Relays: 3, Listen: listen}); err == nil {
		t.Error("a mesh with a relay that cannot listen started")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Start(ctx, Options{Relays: 3}); err == nil {
		t.Error("a mesh started after its context had ended")
	}
}
