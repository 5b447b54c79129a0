package p2p_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/signal"
	"time"

	"starling/p2p"
	"starling/p2p/mesh"
)

// join runs a client that knows one relay, and returns when it may send.
func join(ctx context.Context, m *mesh.Mesh, onBox func(mailbox p2p.NodeID, tag p2p.Tag, box []byte)) *p2p.Client {
	client, err := p2p.NewClient(p2p.ClientConfig{
		Bootstrap:    m.Bootstrap(),
		AllowPrivate: true, // the relays are on this machine
		OnBox:        onBox,
	})
	if err != nil {
		panic(err)
	}
	go client.Run(ctx)
	for !client.Status().Ready && ctx.Err() == nil {
		time.Sleep(10 * time.Millisecond)
	}
	return client
}

// Example: a box waits in a mailbox, and is fetched by a holder of its tag.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	relays, err := mesh.Start(ctx, mesh.Options{Relays: 8})
	if err != nil {
		panic(err)
	}
	defer relays.Close()

	// Bob chooses a mailbox, and asks there for a tag that he and Ada agreed on.
	got := make(chan []byte, 1)
	bob := join(ctx, relays, func(_ p2p.NodeID, _ p2p.Tag, box []byte) { got <- box })
	mailboxes, err := bob.ChooseMailboxes(1)
	if err != nil {
		panic(err)
	}
	var tag p2p.Tag
	rand.Read(tag[:])
	bob.Watch("from Ada", mailboxes[0], []p2p.Tag{tag})

	// Ada seals her words into a box of the one size, and puts it there until it is on disk.
	ada := join(ctx, relays, nil)
	box := make([]byte, p2p.BoxSize)
	copy(box, "sealed by package session")
	for err = ada.Put(ctx, mailboxes[0], tag, box); err != nil; err = ada.Put(ctx, mailboxes[0], tag, box) {
		if ctx.Err() != nil {
			panic(err)
		}
		time.Sleep(10 * time.Millisecond) // no answer came, or her list lacks that relay yet: once more
	}

	// Bob acknowledges the box only once it is on his disk.
	select {
	case box := <-got:
		fmt.Printf("%.25s\n", box)
		bob.Ack("from Ada", mailboxes[0], tag)
	case <-ctx.Done():
		panic(ctx.Err())
	}
	// Output: sealed by package session
}

// ExampleNewRelay runs a relay until the program is told to end.
func ExampleNewRelay() {
	relay, err := p2p.NewRelay(p2p.RelayConfig{
		StateDir:  "/var/lib/starling",
		Listen:    []string{"/ip4/0.0.0.0/tcp/4001"},
		Bootstrap: []string{"/ip4/192.0.2.7/tcp/4001/p2p/12D3KooWCF1vHVdVwDxvKEUeY1bKCiTkJ8dUmDSPoZCBDvNVmYzz"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	go func() {
		<-relay.Ready()
		fmt.Println("others reach it at", relay.Addrs())
	}()
	fmt.Println(relay.Run(ctx))
}
