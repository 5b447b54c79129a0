package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"starling/node/testnet"
	"starling/p2p"
	"starling/p2p/mailbox"
)

const (
	leased   = 1000 // users
	contacts = 2    // of each, with a lease of mailbox.MaxTags tags for each
	waiting  = 20   // boxes of each
	atOnce   = 50   // leases that are asked for
	requests = 480  // that an idle client makes a day, at all of its mailboxes
	boxesDay = 50   // that come for an active one
)

// users measures the cost of a relay's mailbox for each of 1,000 users: a relay in a
// process of its own, with leases that stand and boxes that wait, all made by one
// client over the mixes as 1,000 would make them.
func users(ctx context.Context, _ string) error {
	if runtime.GOOS != "linux" {
		watch("mailbox, memory of a user", 0, "KiB", "read on Linux only")
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, 15*time.Minute)
	defer cancel()
	mesh, dir, end, err := stage(ctx)
	if err != nil {
		return err
	}
	defer end()
	server, err := startServer(ctx, dir, mesh.Bootstrap())
	if err != nil {
		return err
	}
	defer server.close()
	client, at, err := server.visitor(ctx, mesh)
	if err != nil {
		return err
	}
	defer client.close()

	// Everything is a difference to the empty relay.
	before, err := server.ask(ctx, func(serverState) bool { return true })
	if err != nil {
		return err
	}
	// A few at a time: the relay would drop more, as it should.
	stand := before
	for first := 0; first < leased*contacts; first += atOnce {
		for i := range atOnce {
			tags := make([]p2p.Tag, mailbox.MaxTags)
			for j := range tags {
				rand.Read(tags[j][:])
			}
			client.Watch(fmt.Sprint(first+i), at, tags)
		}
		stand, err = server.ask(ctx, func(s serverState) bool { return s.Subscriptions == first+atOnce })
		if err != nil {
			return fmt.Errorf("stand %d leases: %w", leased*contacts, err)
		}
	}
	if err := fill(ctx, client, at); err != nil {
		return err
	}
	full, err := server.ask(ctx, func(s serverState) bool { return s.Boxes >= leased*waiting })
	if err != nil {
		return fmt.Errorf("store %d boxes: %w", leased*waiting, err)
	}

	const kib = 1 << 10
	each := func(now, then int64) float64 { return float64(now-then) / leased }
	lease := each(stand.Bytes, before.Bytes) / contacts
	box := each(full.Bytes, stand.Bytes) / waiting
	watch("mailbox, memory of a user's leases", each(stand.RSS, before.RSS)/kib, "KiB",
		fmt.Sprintf("RSS of a relay with %d leases of %d tags, after a collection", leased*contacts, mailbox.MaxTags))
	watch("mailbox, memory of a user", each(full.RSS, before.RSS)/kib, "KiB",
		fmt.Sprintf("with %d boxes waiting for each of %d users; the relay has %.1f MiB", waiting, leased, float64(full.RSS)/kib/kib))
	watch("mailbox, disk of a user", each(full.Disk, before.Disk)/kib, "KiB", fmt.Sprintf("%d boxes of 1.5 KiB, the log included", waiting))
	watch("mailbox, bytes of a lease", lease/kib, "KiB", "on the relay's links, both ways: what the client asks and what it is told, repeats included")
	watch("mailbox, bytes of a box stored", box/kib, "KiB", "on the relay's links, both ways: the box and its receipt, repeats included")
	watch("mailbox, bytes of a user a day", (requests*lease+boxesDay*box*3/2)/kib/kib, "MiB",
		fmt.Sprintf("%d requests of an idle client, if all of its mailboxes were here, and %d boxes, stored and fetched", requests, boxesDay))
	return nil
}

// fill stores boxes under tags that nobody has asked for, so that they stay.
func fill(ctx context.Context, client *peer, at p2p.NodeID) error {
	var left atomic.Int64
	left.Store(leased * waiting)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			box := make([]byte, p2p.BoxSize)
			for left.Add(-1) >= 0 {
				rand.Read(box)
				var tag p2p.Tag
				rand.Read(tag[:])
				for client.Put(ctx, at, tag, box) != nil && ctx.Err() == nil {
					time.Sleep(100 * time.Millisecond) // too fast for it, or lost
				}
			}
		})
	}
	wg.Wait()
	return ctx.Err()
}

// serverState is the state of a measured relay, by its own word.
type serverState struct {
	Addrs                []string
	Subscriptions, Boxes int
	Bytes, RSS, Disk     int64
}

// serve is the other process: a relay that answers every line with its state.
func serve(ctx context.Context, dir, bootstrap string) error {
	relay, err := p2p.NewRelay(p2p.RelayConfig{
		StateDir: dir, Listen: []string{"/ip4/127.0.0.1/tcp/0"}, Bootstrap: strings.Split(bootstrap, ","), AllowPrivate: true,
	})
	if err != nil {
		return err
	}

	ctx, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- relay.Run(ctx) }()
	defer func() { stop(); <-ended }()
	<-relay.Ready()

	// Each line asks for the state.
	out := json.NewEncoder(os.Stdout)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		// After a collection: garbage is no cost of a user.
		debug.FreeOSMemory()
		m, err := residentOf(os.Getpid())
		if err != nil {
			return err
		}

		s := relay.Status()
		state := serverState{Addrs: s.Addrs, Subscriptions: s.Mailbox.Subscriptions, Boxes: s.Mailbox.Boxes,
			Bytes: s.BytesIn + s.BytesOut, RSS: int64((m.own + m.files) * (1 << 20))}
		files, err := filepath.Glob(filepath.Join(dir, "mailbox.db*"))
		if err != nil {
			return err
		}
		for _, f := range files {
			if info, err := os.Stat(f); err == nil {
				state.Disk += info.Size()
			}
		}

		if err := out.Encode(state); err != nil {
			return err
		}
	}
	return nil
}

// server is that process, seen from here.
type server struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *json.Decoder
}

func startServer(ctx context.Context, dir string, bootstrap []string) (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s := &server{cmd: exec.CommandContext(ctx, self, "-serve", dir, "-bootstrap", strings.Join(bootstrap, ","))}
	s.cmd.Stderr = os.Stderr
	if s.in, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	s.out = json.NewDecoder(out)
	return s, s.cmd.Start()
}

func (s *server) close() {
	s.in.Close()
	s.cmd.Wait()
}

// ask asks until the state is such.
func (s *server) ask(ctx context.Context, until func(serverState) bool) (state serverState, err error) {
	for {
		if _, err := s.in.Write([]byte("\n")); err != nil {
			return state, err
		}
		state = serverState{}
		if err := s.out.Decode(&state); err != nil {
			return state, err
		}
		if until(state) {
			return state, nil
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return state, fmt.Errorf("%d leases, %d boxes: %w", state.Subscriptions, state.Boxes, ctx.Err())
		}
	}
}

// visitor returns a client that knows the relay as a mailbox only: packets of a guard
// would count, too.
func (s *server) visitor(ctx context.Context, mesh *testnet.Mesh) (*peer, p2p.NodeID, error) {
	state, err := s.ask(ctx, func(s serverState) bool { return len(s.Addrs) > 0 })
	if err != nil {
		return nil, p2p.NodeID{}, err
	}

	// A visitor is ready once it may use the relay as a mailbox.
	for {
		if status, _ := mesh.Status(0); status.Relays > relays {
			client, err := newPeer(ctx, mesh)
			if err != nil {
				return nil, p2p.NodeID{}, err
			}
			// Guards are chosen last.
			if ids, err := client.ChooseMailboxes(relays - 1); err == nil {
				for _, id := range ids {
					if strings.HasSuffix(state.Addrs[0], "/p2p/"+id.String()) {
						return client, id, nil
					}
				}
			}
			client.close()
		}

		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return nil, p2p.NodeID{}, fmt.Errorf("the relay is not listed: %w", ctx.Err())
		}
	}
}
