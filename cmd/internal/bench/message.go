package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"starling/node"
	"starling/node/api"
	"starling/node/config"
	"starling/node/store"
	"starling/node/testnet"
)

const passphrase = "bench marks of slow machines"

// person is a node on a profile of its own.
type person struct {
	*node.Node
	ended chan struct{}
	err   error
}

// delays of the mixes
const (
	usual = 0  // of the fast profile
	none  = -1 // as quick as the machine is
)

// stage starts a mesh and makes a folder for profiles; end takes both away.
func stage(ctx context.Context) (mesh *testnet.Mesh, dir string, end func(), err error) {
	if mesh, err = testnet.Start(ctx, testnet.Options{Relays: relays}); err != nil {
		return nil, "", nil, err
	}
	if dir, err = os.MkdirTemp("", "starling-bench-"); err != nil {
		mesh.Close()
		return nil, "", nil, err
	}
	return mesh, dir, func() {
		os.RemoveAll(dir)
		mesh.Close()
	}, nil
}

func profileAt(dir string) config.Profile { return config.Profile{Dir: dir} }

func newProfile(dir string, kdf store.KDF) (config.Profile, error) {
	p := profileAt(dir)
	return p, node.Create(p, passphrase, filepath.Base(dir), kdf)
}

// open starts a node and returns when it serves. The profile's derivation is
// part of it, so profiles here are cheap to open.
func open(p config.Profile, mesh *testnet.Mesh, delay time.Duration) (*person, error) {
	n, err := node.New(node.Config{Profile: p, Passphrase: passphrase, Bootstrap: mesh.Bootstrap(),
		AllowPrivate: true, MeanDelay: delay, NoSocket: true})
	if err != nil {
		return nil, err
	}
	h := &person{Node: n, ended: make(chan struct{})}
	go func() {
		defer close(h.ended)
		h.err = n.Run(context.Background())
	}()
	select {
	case <-n.Serving():
		return h, nil
	case <-h.ended:
		return nil, errors.Join(h.err, n.Close())
	}
}

// ready waits until messages can leave.
func (p *person) ready(ctx context.Context) error {
	for {
		s, err := p.Status(ctx)
		if err != nil || s.Ready {
			return err
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("not ready: %s", s.Reason)
		}
	}
}

// incoming returns the texts that arrive, until ctx ends.
func (p *person) incoming(ctx context.Context) <-chan api.Event {
	events := make(chan api.Event, 1024)
	go p.Events(ctx, -1, func(e api.Event) error {
		if e.Kind == api.EventMessage && !e.Outgoing && e.Text != nil {
			events <- e
		}
		return nil
	})
	return events
}

// echo answers each message with the same text.
func (p *person) echo(ctx context.Context) {
	p.Events(ctx, -1, func(e api.Event) error {
		if e.Kind == api.EventMessage && !e.Outgoing && e.Text != nil {
			_, err := p.Send(ctx, api.SendRequest{Contact: e.Conversation, Text: e.Text.String()})
			return err
		}
		return nil
	})
}

// acquaint makes two people contacts, under the names alice and bob.
func acquaint(ctx context.Context, alice, bob *person) error {
	if err := errors.Join(alice.ready(ctx), bob.ready(ctx)); err != nil {
		return err
	}

	invite, err := alice.Invite(ctx, api.InviteRequest{Name: "bob"})
	if err != nil {
		return err
	}
	if _, err := bob.AddContact(ctx, api.AddContactRequest{Link: invite.Link, Name: "alice"}); err != nil {
		return err
	}

	// Both see the other as ready.
	for _, p := range []*person{alice, bob} {
		for {
			contacts, err := p.Contacts(ctx)
			if err != nil {
				return err
			}
			if len(contacts) == 1 && contacts[0].State == api.ContactReady {
				break
			}
			select {
			case <-time.After(5 * time.Millisecond):
			case <-ctx.Done():
				return errors.New("the contact did not become ready")
			}
		}
	}
	return nil
}

// messages measures the waits of people: two nodes, profiles on disk, 8 relays.
func messages(ctx context.Context, _ string) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	mesh, err := testnet.Start(ctx, testnet.Options{Relays: relays})
	if err != nil {
		return err
	}
	defer mesh.Close()
	for _, delay := range []time.Duration{usual, none} {
		if err := exchange(ctx, mesh, delay); err != nil {
			return fmt.Errorf("mixing delay %v: %w", delay, err)
		}
	}
	return nil
}

// samples is how many messages a median is taken of, after as many for warmth.
const samples = 40

func exchange(ctx context.Context, mesh *testnet.Mesh, delay time.Duration) error {
	dir, err := os.MkdirTemp("", "starling-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)

	// Two people that know each other.
	aliceProfile, err := newProfile(filepath.Join(dir, "alice"), store.CheapKDF)
	if err != nil {
		return err
	}
	bobProfile, err := newProfile(filepath.Join(dir, "bob"), store.CheapKDF)
	if err != nil {
		return err
	}
	alice, err := open(aliceProfile, mesh, delay)
	if err != nil {
		return err
	}
	defer func() { alice.Close() }()
	bob, err := open(bobProfile, mesh, delay)
	if err != nil {
		return err
	}
	defer bob.Close()
	if err := acquaint(ctx, alice, bob); err != nil {
		return err
	}

	text := strings.Repeat("x", 64)
	shown := bob.incoming(ctx)
	var times []time.Duration
	// The first half warms up: guards, links and the session's first ratchet steps.
	for i := range 2 * samples {
		begin := time.Now()
		if _, err := alice.Send(ctx, api.SendRequest{Contact: "bob", Text: text}); err != nil {
			return err
		}
		select {
		case <-shown:
		case <-ctx.Done():
			return errors.New("a message did not arrive")
		}
		if i >= samples {
			times = append(times, time.Since(begin))
		}
	}
	p95 := fmt.Sprintf("p95 %.1f ms", ms(quantile(times, 0.95)))
	if delay == usual {
		atMost("send to shown, 8 warm relays, median", ms(quantile(times, 0.5)), 300, "ms", p95+"; six mixes hold it for 30 ms on average")
	} else {
		watch("send to shown, mixing delay 0, median", ms(quantile(times, 0.5)), "ms", p95)
	}

	// A round trip from program to program, as a chat is.
	go bob.echo(ctx)
	answers := alice.incoming(ctx)
	times = times[:0]
	for i := range samples {
		begin := time.Now()
		if _, err := alice.Send(ctx, api.SendRequest{Contact: "bob", Text: text}); err != nil {
			return err
		}
		select {
		case <-answers:
		case <-ctx.Done():
			return errors.New("an answer did not arrive")
		}
		if i >= samples/4 {
			times = append(times, time.Since(begin))
		}
	}
	if delay == none {
		atMost("round trip of a 64 B message, mixing delay 0, median", ms(quantile(times, 0.5)), 5, "ms",
			fmt.Sprintf("both nodes write every state to disk; p95 %.1f ms", ms(quantile(times, 0.95))))
		return nil
	}
	watch("round trip of a 64 B message, median", ms(quantile(times, 0.5)), "ms", "")

	// A cold start, with a profile that knows its guards.
	if err := alice.Close(); err != nil {
		return err
	}
	begin := time.Now()
	if alice, err = open(aliceProfile, mesh, delay); err != nil {
		return err
	}
	answers = alice.incoming(ctx)
	if _, err := alice.Send(ctx, api.SendRequest{Contact: "bob", Text: text}); err != nil {
		return err
	}
	select {
	case <-answers:
	case <-ctx.Done():
		return errors.New("the answer after a cold start did not arrive")
	}
	atMost("cold start to first message echoed", time.Since(begin).Seconds(), 1, "s", "8 relays on loopback; without the passphrase's derivation")
	return nil
}
