package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"starling/node/testnet"
	"starling/p2p"
)

const (
	relays  = 8
	stores  = 4000 // boxes stored
	storers = 40   // clients that store them at the same time: one alone has its limit
	workers = 2    // of each
	rounds  = 30   // of a box there and a box back
)

// mailboxes measures the network alone, with no delay at the mixes: boxes of
// 1,536 bytes, which hold a message of up to 1 KiB, through three mixes into a
// mailbox and out of it through three others.
func mailboxes(ctx context.Context, _ string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	begin := time.Now()
	mesh, err := testnet.Start(ctx, testnet.Options{Relays: relays})
	if err != nil {
		return err
	}
	defer mesh.Close()
	watch("mesh of 8 relays, start", ms(time.Since(begin)), "ms", "in one process")

	alice, err := newPeer(ctx, mesh)
	if err != nil {
		return err
	}
	defer alice.close()
	bob, err := newPeer(ctx, mesh)
	if err != nil {
		return err
	}
	defer bob.close()
	if err := roundTrips(ctx, alice, bob); err != nil {
		return err
	}
	return storeRate(ctx, mesh, alice)
}

// peer is a client and the boxes it was given.
type peer struct {
	*p2p.Client
	boxes chan p2p.Tag
	stop  func()
	ended chan struct{}
	err   error // how it ended
}

func newPeer(ctx context.Context, mesh *testnet.Mesh) (*peer, error) {
	p := &peer{boxes: make(chan p2p.Tag, 1024), ended: make(chan struct{})}
	changed := make(chan struct{}, 1)
	client, err := p2p.NewClient(p2p.ClientConfig{
		Bootstrap:    mesh.Bootstrap(),
		AllowPrivate: true,
		MeanDelay:    -1,
		OnBox:        func(_ p2p.NodeID, tag p2p.Tag, _ []byte) { p.boxes <- tag },
		OnChange: func() {
			select {
			case changed <- struct{}{}:
			default:
			}
		},
	})
	if err != nil {
		return nil, err
	}

	p.Client = client
	runCtx, stop := context.WithCancel(context.WithoutCancel(ctx))
	p.stop = stop
	go func() {
		defer close(p.ended)
		p.err = client.Run(runCtx)
	}()

	// All relays: with fewer the routes of two peers would share more than they do later.
	for !client.Status().Ready || client.Status().Relays < relays {
		select {
		case <-changed:
		case <-time.After(time.Second):
		case <-p.ended:
			return nil, fmt.Errorf("client: %w", p.err)
		case <-ctx.Done():
			s := client.Status()
			p.close()
			return nil, fmt.Errorf("client is not ready: knows %d relays: %s", s.Relays, s.Reason)
		}
	}
	return p, nil
}

func (p *peer) close() {
	p.stop()
	<-p.ended
}

// awaitBox waits for a box under the tag.
func (p *peer) awaitBox(ctx context.Context, tag p2p.Tag) error {
	for {
		select {
		case got := <-p.boxes:
			if got == tag {
				return nil
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// roundTrips sends a box to Bob; he answers with a box as soon as he has it.
func roundTrips(ctx context.Context, alice, bob *peer) error {
	boxes, err := alice.ChooseMailboxes(2)
	if err != nil {
		return err
	}
	there, back := boxes[0], boxes[1]

	var tags, answers [rounds]p2p.Tag
	for i := range rounds {
		rand.Read(tags[i][:])
		rand.Read(answers[i][:])
	}
	box := make([]byte, p2p.BoxSize)
	// Noise, like sealed boxes: nothing on the way must find it easy to pack.
	rand.Read(box)
	// All tags at once, so that no request is measured.
	bob.Watch("bench", there, tags[:])
	alice.Watch("bench", back, answers[:])

	var times []time.Duration
	for i := range rounds {
		answered := make(chan error, 1)
		go func() {
			if err := bob.awaitBox(ctx, tags[i]); err != nil {
				answered <- err
				return
			}
			bob.Ack("bench", there, tags[i])
			answered <- bob.Put(ctx, back, answers[i], box)
		}()

		begin := time.Now()
		putErr := alice.Put(ctx, there, tags[i], box)
		err := alice.awaitBox(ctx, answers[i])
		times = append(times, time.Since(begin))
		alice.Ack("bench", back, answers[i])
		if err := errors.Join(putErr, err, <-answered); err != nil {
			return fmt.Errorf("round trip %d: %w", i, err)
		}
	}

	times = times[rounds/5:] // the first ones find standing requests not yet there
	median := quantile(times, 0.5)
	atMost("round trip of a box, mixing delay 0, median", ms(median), 5, "ms",
		fmt.Sprintf("12 mixes and 2 mailboxes with disks on the way; p95 %.1f ms", ms(quantile(times, 0.95))))
	return nil
}

// storeRate stores boxes from many clients.
func storeRate(ctx context.Context, mesh *testnet.Mesh, alice *peer) error {
	targets, err := alice.ChooseMailboxes(2)
	if err != nil {
		return err
	}

	// Many clients, since each relay bounds each link.
	var clients [storers]*peer
	var starting errgroup.Group
	for i := range clients {
		starting.Go(func() (err error) {
			clients[i], err = newPeer(ctx, mesh)
			return err
		})
	}
	err = starting.Wait()
	defer func() {
		for _, c := range clients {
			if c != nil {
				c.close()
			}
		}
	}()
	if err != nil {
		return err
	}

	var next, failed atomic.Int64
	var first atomic.Pointer[error]
	begin := time.Now()
	var wg sync.WaitGroup
	for i := range storers * workers {
		wg.Go(func() {
			box := make([]byte, p2p.BoxSize)
			rand.Read(box)
			for {
				n := next.Add(1)
				if n > stores || ctx.Err() != nil {
					return
				}
				var tag p2p.Tag
				rand.Read(tag[:])
				if err := clients[i%storers].Put(ctx, targets[n%2], tag, box); err != nil {
					failed.Add(1)
					first.CompareAndSwap(nil, &err)
				}
			}
		})
	}
	wg.Wait()
	// Some are dropped under load, as they should be, and are not counted.
	if failed.Load() > stores/100 {
		return fmt.Errorf("%d of %d boxes were not stored: %w", failed.Load(), stores, *first.Load())
	}
	rate := float64(stores-failed.Load()) / time.Since(begin).Seconds()
	atLeast("stored messages a second, 1 KiB, mixing delay 0", rate, 1000, "1/s",
		fmt.Sprintf("acknowledged from disk; 40 clients, 8 relays and both mailboxes share this machine; %d not stored", failed.Load()))
	return nil
}
