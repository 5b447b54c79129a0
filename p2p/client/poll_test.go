package client_test

import (
	"context"
	"crypto/rand"
	"sync"
	"testing"
	"time"

	"starling/p2p/client"
	"starling/p2p/p2ptest"
)

func randomTag() (t client.Tag) {
	rand.Read(t[:])
	return t
}

// TestPoll: boxes with a lost push are found by asking.
func TestPoll(t *testing.T) {
	mesh := p2ptest.Loopback(t, 6, nil)
	a := mesh.Client(nil)
	a.WaitReady(t)
	var mu sync.Mutex
	var b *client.Client
	came := map[client.Tag]bool{}
	b, err := client.NewForgetful(client.Config{
		Bootstrap: mesh.Bootstrap(), AllowPrivate: true, MeanDelay: -1,
		OnBox: func(mailbox client.NodeID, tag client.Tag, _ []byte) {
			mu.Lock()
			came[tag] = true
			mu.Unlock()
			b.Ack("a", mailbox, tag)
		},
	}, 5, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		b.Run(ctx)
		close(done)
	}()
	t.Cleanup(func() { cancel(); <-done })
	p2ptest.Eventually(t, "ready", func() bool { return b.Status().Ready })
	ids, err := a.ChooseMailboxes(2)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		tag := randomTag()
		b.Watch("a", ids[0], []client.Tag{tag})
		p2ptest.Eventually(t, "b waits", func() bool { return mesh.Find(ids[0]).Status().Mailbox.Subscriptions == 1 })
		for range 2 { // makes it forget the blocks that stand
			b.Fetch(t.Context(), ids[1], []client.Tag{randomTag(), randomTag(), randomTag(), randomTag(), randomTag()})
		}
		// Relays that have nothing to do close connections: one may be lost.
		p2ptest.Eventually(t, "put", func() bool {
			return a.Put(t.Context(), ids[0], tag, make([]byte, client.BoxSize)) == nil
		})
		p2ptest.Eventually(t, "arrives", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return came[tag]
		})
	}
	if b.Status().Refused["reply nobody waits for"] == 0 {
		t.Error("no push was lost: this test shows nothing")
	}
}

// TestAskFar: relays that are asked through the mixes for a part of their list answer,
// and list the same as we do.
func TestAskFar(t *testing.T) {
	mesh := p2ptest.Loopback(t, 6, nil)
	c, err := client.NewCurious(client.Config{Bootstrap: mesh.Bootstrap(), AllowPrivate: true, MeanDelay: -1})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		c.Run(ctx)
		close(done)
	}()
	t.Cleanup(func() { cancel(); <-done })
	p2ptest.Eventually(t, "three answers", func() bool { return c.Status().FarAsked >= 3 })
	if s := c.Status(); s.FarOther > 0 {
		t.Errorf("%d of %d list others", s.FarOther, s.FarAsked)
	}
}
