package p2p_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"starling/p2p"
	"starling/p2p/p2ptest"
)

func TestMain(m *testing.M) {
	if bootstrap := os.Getenv(idleClient); bootstrap != "" {
		runIdleClient(bootstrap)
		return
	}
	if dir := os.Getenv(crowdRelay); dir != "" {
		runCrowdRelay(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

func randomTag() (t p2p.Tag) {
	rand.Read(t[:])
	return t
}

func randomTags(n int) []p2p.Tag {
	tags := make([]p2p.Tag, n)
	for i := range tags {
		tags[i] = randomTag()
	}
	return tags
}

func randomBox() []byte {
	b := make([]byte, p2p.BoxSize)
	rand.Read(b)
	return b
}

// inbox collects the boxes of OnBox and acknowledges them, as node does.
type inbox struct {
	mu    sync.Mutex
	boxes map[p2p.Tag][]byte
	times map[p2p.Tag]int
	ack   func(p2p.NodeID, ...p2p.Tag)
}

func (in *inbox) onBox(mailbox p2p.NodeID, tag p2p.Tag, box []byte) {
	in.mu.Lock()
	if in.boxes == nil {
		in.boxes, in.times = map[p2p.Tag][]byte{}, map[p2p.Tag]int{}
	}
	in.boxes[tag] = bytes.Clone(box)
	in.times[tag]++
	ack := in.ack
	in.mu.Unlock()
	if ack != nil {
		ack(mailbox, tag)
	}
}

func (in *inbox) has(tags ...p2p.Tag) bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, t := range tags {
		if in.boxes[t] == nil {
			return false
		}
	}
	return true
}

// receiver starts a client that hands its boxes to an inbox.
func receiver(mesh *p2ptest.Net, edit func(*p2p.ClientConfig)) (*p2ptest.Client, *inbox) {
	in := &inbox{}
	c := mesh.Client(func(cfg *p2p.ClientConfig) {
		cfg.OnBox = in.onBox
		if edit != nil {
			edit(cfg)
		}
	})
	in.mu.Lock()
	in.ack = func(id p2p.NodeID, tags ...p2p.Tag) { c.Ack("", id, tags...) }
	in.mu.Unlock()
	return c, in
}

func mailboxes(t testing.TB, c *p2ptest.Client, n int) []p2p.NodeID {
	t.Helper()
	ids, err := c.ChooseMailboxes(n)
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// mustPut puts a box, a second time if no answer comes: relays that have nothing
// to do close connections, and a packet that is on its way then is lost.
func mustPut(t testing.TB, c *p2ptest.Client, to p2p.NodeID, tag p2p.Tag, box []byte) {
	t.Helper()
	err := c.Put(t.Context(), to, tag, box)
	if errors.Is(err, p2p.ErrTimeout) {
		err = c.Put(t.Context(), to, tag, box)
	}
	if err != nil {
		t.Fatalf("put: %v", err)
	}
}

// TestPutFetch is the shortest way through everything, on the smallest mesh:
// every relay must serve as a mailbox, also those that are our guards.
func TestPutFetch(t *testing.T) {
	mesh := p2ptest.Loopback(t, 5, nil)
	a, b := mesh.Client(nil), mesh.Client(nil)
	a.WaitReady(t)
	b.WaitReady(t)
	for _, r := range mesh.Relays {
		tags, box := randomTags(3), randomBox()
		mustPut(t, a, r.ID(), tags[0], box)
		mustPut(t, a, r.ID(), tags[1], box)
		mustPut(t, a, r.ID(), tags[0], box) // the same again is fine
		if err := a.Put(t.Context(), r.ID(), tags[0], randomBox()); !errors.Is(err, p2p.ErrTaken) {
			t.Errorf("another box under the same tag: %v", err)
		}
		got, err := b.Fetch(t.Context(), r.ID(), tags)
		if err != nil || len(got) != 2 || !bytes.Equal(got[tags[0]], box) {
			t.Fatalf("fetch: %v, %d boxes", err, len(got))
		}
	}
	if err := a.Put(t.Context(), mesh.Relays[0].ID(), randomTag(), []byte("short")); !errors.Is(err, p2p.ErrSize) {
		t.Errorf("short box: %v", err)
	}
	if err := a.Put(t.Context(), p2p.NodeID{1}, randomTag(), randomBox()); !errors.Is(err, p2p.ErrUnknownRelay) {
		t.Errorf("unknown relay: %v", err)
	}
}

// TestFetchMany reads more boxes than one request has reply blocks and tags.
func TestFetchMany(t *testing.T) {
	mesh := p2ptest.Loopback(t, 6, nil)
	a := mesh.Client(nil)
	a.WaitReady(t)
	m := mailboxes(t, a, 1)[0]
	tags := randomTags(40)
	var wg sync.WaitGroup
	for i, tag := range tags {
		if i%3 != 0 {
			wg.Go(func() {
				if err := a.Put(t.Context(), m, tag, randomBox()); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	got, err := a.Fetch(t.Context(), m, tags)
	if err != nil {
		t.Fatal(err)
	}
	for i, tag := range tags {
		if want := i%3 != 0; (got[tag] != nil) != want {
			t.Errorf("tag %d: found %v, stored %v", i, !want, want)
		}
	}
}

// TestWatch: boxes that wait and boxes that come later arrive, once each, and
// are gone from the mailbox when acknowledged.
func TestWatch(t *testing.T) {
	mesh := p2ptest.Loopback(t, 8, nil)
	a := mesh.Client(nil)
	b, in := receiver(mesh, nil)
	a.WaitReady(t)
	b.WaitReady(t)
	m := mailboxes(t, b, 1)[0]
	tags := randomTags(45)
	for _, tag := range tags[:12] {
		mustPut(t, a, m, tag, randomBox())
	}
	b.Watch("a", m, tags)
	p2ptest.Eventually(t, "what waited arrives", func() bool { return in.has(tags[:12]...) })
	for _, tag := range tags[12:] {
		mustPut(t, a, m, tag, randomBox())
	}
	p2ptest.Eventually(t, "what comes is pushed", func() bool { return in.has(tags...) })
	p2ptest.Eventually(t, "the mailbox is empty", func() bool {
		return mesh.Find(m).Status().Mailbox.Boxes == 0
	})
	in.mu.Lock()
	defer in.mu.Unlock()
	for tag, n := range in.times {
		if n != 1 {
			t.Errorf("%v came %d times", tag, n)
		}
	}
}

// TestWatchAgain: unacknowledged boxes stay and are found by the next client, and a
// watch that ends gets nothing.
func TestWatchAgain(t *testing.T) {
	mesh := p2ptest.Loopback(t, 6, nil)
	a := mesh.Client(nil)
	a.WaitReady(t)
	m := mailboxes(t, a, 1)[0]
	tag := randomTag()
	mustPut(t, a, m, tag, randomBox())
	forgetful := &inbox{}
	b := mesh.Client(func(cfg *p2p.ClientConfig) { cfg.OnBox = forgetful.onBox })
	b.Watch("a", m, []p2p.Tag{tag})
	p2ptest.Eventually(t, "delivered before", func() bool { return forgetful.has(tag) })
	b.Watch("a", m, nil)
	b.Stop()
	c, in := receiver(mesh, nil)
	c.Watch("a", m, []p2p.Tag{tag})
	p2ptest.Eventually(t, "delivered again", func() bool { return in.has(tag) })
	p2ptest.Eventually(t, "and deleted", func() bool { return mesh.Find(m).Status().Mailbox.Boxes == 0 })
}

// TestNeverTogether: the sender is gone before the recipient comes.
func TestNeverTogether(t *testing.T) {
	mesh := p2ptest.Loopback(t, 6, nil)
	a := mesh.Client(nil)
	a.WaitReady(t)
	ids := mailboxes(t, a, 2)
	tags := randomTags(7)
	for _, tag := range tags {
		for _, m := range ids {
			mustPut(t, a, m, tag, randomBox())
		}
	}
	a.Stop()
	b, in := receiver(mesh, nil)
	for i, m := range ids {
		b.Watch(fmt.Sprint("a", i), m, tags)
	}
	p2ptest.Eventually(t, "all arrive", func() bool { return in.has(tags...) })
}

// TestRelayRestart: a mailbox that restarts has new keys and has forgotten its watches;
// boxes survive and the watch goes on.
func TestRelayRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mesh := p2ptest.Virtual(t, 6, wan, nil)
		defer mesh.Stop()
		mesh.Settle(6)
		a := mesh.Client(nil)
		defer a.Stop()
		b, in := receiver(mesh, nil)
		defer b.Stop()
		a.WaitReady(t)
		b.WaitReady(t)
		m := mailboxes(t, b, 1)[0]
		waits, later := randomTag(), randomTag()
		mustPut(t, a, m, waits, randomBox())
		b.Watch("a", m, []p2p.Tag{later})
		p2ptest.Eventually(t, "b waits", func() bool { return mesh.Find(m).Status().Mailbox.Subscriptions == 1 })
		relay := mesh.Find(m)
		relay.Stop()
		relay.Start()
		mesh.Settle(6)
		took := p2ptest.Eventually(t, "b waits again", func() bool { return relay.Status().Mailbox.Subscriptions == 1 })
		t.Logf("b waits again after %v", took) // with news of the keys, or with the next poll
		box := randomBox()                     // the same each time: an answer may be lost
		p2ptest.Eventually(t, "put", func() bool { return a.Put(t.Context(), m, later, box) == nil })
		p2ptest.Eventually(t, "pushed", func() bool { return in.has(later) })
		got, err := b.Fetch(t.Context(), m, []p2p.Tag{waits})
		if err != nil || got[waits] == nil {
			t.Errorf("box from before the restart: %v", err)
		}
	})
}

// TestGuardDies: the other guard takes over, a third stands in, and the first
// is taken back.
func TestGuardDies(t *testing.T) {
	mesh := p2ptest.Loopback(t, 8, nil)
	a := mesh.Client(nil)
	b, in := receiver(mesh, nil)
	a.WaitReady(t)
	b.WaitReady(t)
	var guards []p2p.GuardStatus
	p2ptest.Eventually(t, "two guards", func() bool {
		guards = b.Status().Guards
		return len(guards) == 2 && guards[0].Connected && guards[1].Connected
	})
	ids, err := b.ChooseMailboxes(1, guards[0].ID, guards[1].ID) // that one of them stops is another story
	if err != nil {
		t.Fatal(err)
	}
	m := ids[0]
	tag := randomTag()
	b.Watch("a", m, []p2p.Tag{tag})
	p2ptest.Eventually(t, "b waits", func() bool { return mesh.Find(m).Status().Mailbox.Subscriptions == 1 })
	first := mesh.Find(guards[0].ID)
	first.Stop()
	box := randomBox() // the same each time: an answer may be lost
	p2ptest.Eventually(t, "put", func() bool { return a.Put(t.Context(), m, tag, box) == nil })
	p2ptest.Eventually(t, "arrives over the other guard", func() bool { return in.has(tag) })
	up := func() (ids []p2p.NodeID) {
		for _, g := range b.Status().Guards {
			if g.Connected {
				ids = append(ids, g.ID)
			}
		}
		return ids
	}
	if ids := up(); len(ids) != 1 || ids[0] != guards[1].ID {
		t.Errorf("a third saw the address: %v are up", ids)
	}
	b.TryOthers()
	p2ptest.Eventually(t, "a third stands in for who does not want to wait", func() bool { return len(up()) == 2 })
	first.Start()
	p2ptest.Eventually(t, "the first is taken back", func() bool {
		ids := up()
		return len(ids) == 2 && ids[0] == guards[0].ID && ids[1] == guards[1].ID
	})
}

// TestState: a client that comes back uses the same guards and needs no
// bootstrap address; a damaged state is forgotten.
func TestState(t *testing.T) {
	mesh := p2ptest.Loopback(t, 8, nil)
	var mu sync.Mutex
	var state []byte
	save := func(b []byte) error {
		mu.Lock()
		defer mu.Unlock()
		state = bytes.Clone(b)
		return nil
	}
	a := mesh.Client(func(cfg *p2p.ClientConfig) { cfg.SaveState = save })
	a.WaitReady(t)
	before := a.Status()
	a.Stop()
	b := mesh.Client(func(cfg *p2p.ClientConfig) { cfg.State, cfg.Bootstrap = state, nil })
	b.WaitReady(t)
	after := b.Status()
	for i := range before.Guards {
		if before.Guards[i].ID != after.Guards[i].ID {
			t.Errorf("guard %d is another", i)
		}
	}
	if before.PeerID == after.PeerID {
		t.Error("the peer id is the same after a restart")
	}
	for n := range state {
		c := mesh.Client(func(cfg *p2p.ClientConfig) { cfg.State, cfg.Bootstrap = state[:n], nil })
		c.Stop()
		if n > 300 {
			break
		}
	}
	c := mesh.Client(func(cfg *p2p.ClientConfig) { cfg.State = append([]byte{9}, state...) })
	c.WaitReady(t)
}

// TestHint: a client that knows nothing but a hint finds its way.
func TestHint(t *testing.T) {
	mesh := p2ptest.Loopback(t, 5, nil)
	a := mesh.Client(nil)
	a.WaitReady(t)
	hint, err := a.Hint(mesh.Relays[3].ID())
	if err != nil || len(hint) > 64 {
		t.Fatalf("hint: %v, %d bytes", err, len(hint))
	}
	b := mesh.Client(func(cfg *p2p.ClientConfig) { cfg.Bootstrap = nil })
	if s := b.Status(); s.Ready || !strings.Contains(s.Reason, "knows no relay") {
		p2ptest.Eventually(t, "a reason", func() bool { return strings.Contains(b.Status().Reason, "knows no relay") })
	}
	if id, err := b.AddPasted(hint); err != nil || id != mesh.Relays[3].ID() {
		t.Fatalf("add hint: %v", err)
	}
	b.WaitReady(t)
	if _, err := b.AddHint(hint[:len(hint)-1]); err == nil {
		t.Error("a short hint is accepted")
	}
	if _, err := a.Hint(p2p.NodeID{7}); !errors.Is(err, p2p.ErrUnknownRelay) {
		t.Errorf("hint of an unknown relay: %v", err)
	}
}

// TestFailClosed: with too few relays nothing is sent, and Status says why;
// when more come, it goes on by itself.
func TestFailClosed(t *testing.T) {
	mesh := p2ptest.Loopback(t, 5, nil)
	mesh.Relays[3].Stop()
	mesh.Relays[4].Stop()
	mesh.Settle(3)
	a := mesh.Client(nil)
	p2ptest.Eventually(t, "reason", func() bool {
		return a.Status().Reason == "knows 3 relays, a route needs 5"
	})
	if s := a.Status(); s.Ready || s.EnoughRelays {
		t.Errorf("ready with %d relays", s.Relays)
	}
	err := a.Put(t.Context(), mesh.Relays[2].ID(), randomTag(), randomBox())
	if !errors.Is(err, p2p.ErrFewRelays) && !errors.Is(err, p2p.ErrOffline) {
		t.Errorf("put: %v", err)
	}
	if _, err := a.ChooseMailboxes(2); !errors.Is(err, p2p.ErrFewRelays) {
		t.Errorf("choose: %v", err)
	}
	mesh.Relays[3].Start()
	mesh.Relays[4].Start()
	a.WaitReady(t)
	// A relay that has just started may not know all the others yet.
	tag, box := randomTag(), randomBox()
	p2ptest.Eventually(t, "put", func() bool { return a.Put(t.Context(), mesh.Relays[2].ID(), tag, box) == nil })
}

// TestConnections: a client is connected to its two guards and nobody else.
func TestConnections(t *testing.T) {
	mesh := p2ptest.Loopback(t, 8, nil)
	a := mesh.Client(nil)
	a.WaitReady(t)
	var sum int
	p2ptest.Eventually(t, "two connections", func() bool {
		sum = 0
		for _, r := range mesh.Relays {
			if r.Connected(a.Status().PeerID) {
				sum++
			}
		}
		return sum == 2
	})
	for range 5 {
		mustPut(t, a, mailboxes(t, a, 1)[0], randomTag(), randomBox())
	}
	for _, r := range mesh.Relays {
		guard := false
		for _, g := range a.Status().Guards {
			guard = guard || g.ID == r.ID()
		}
		if r.Connected(a.Status().PeerID) != guard {
			t.Errorf("relay %v: guard %v, but connected is the opposite", r.ID().Short(), guard)
		}
	}
}

// TestOffline: without a guard a put fails at once.
func TestOffline(t *testing.T) {
	c, err := p2p.NewClient(p2p.ClientConfig{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := c.Put(ctx, p2p.NodeID{1}, randomTag(), randomBox()); !errors.Is(err, p2p.ErrOffline) {
		t.Errorf("put: %v", err)
	}
	if _, err := p2p.NewClient(p2p.ClientConfig{Bootstrap: []string{"/ip4/127.0.0.1/tcp/1/p2p/12D3KooWQjTEuAxgEwsPgmqDnTBfKyHpPWLbhsQ3g4i7SwaseQgD"}}); err == nil {
		t.Error("a private bootstrap address is accepted")
	}
	for _, s := range []string{"", "x", "/ip4/127.0.0.1/tcp/1", "/dns4/example.org/tcp/1/p2p/12D3KooWQjTEuAxgEwsPgmqDnTBfKyHpPWLbhsQ3g4i7SwaseQgD"} {
		if _, err := p2p.NewClient(p2p.ClientConfig{AllowPrivate: true, Bootstrap: []string{s}}); err == nil {
			t.Errorf("bootstrap address %q is accepted", s)
		}
	}
}
