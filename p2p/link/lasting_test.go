package link_test

import (
	"encoding/binary"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"crypto/rand"

	"github.com/libp2p/go-libp2p/core/crypto"

	"starling/p2p/book"
	"starling/p2p/host"
	"starling/p2p/link"
	"starling/p2p/virtualtime"
	"starling/p2p/wire"
)

// A far node is on a virtual network: number 0 is a relay, others are clients.
type far struct {
	host.Host
	links *link.Links
	book  *book.Book
	id    wire.NodeID

	mu     sync.Mutex
	got    []uint32
	ups    []bool
	counts map[string]int
}

func newFar(t *testing.T, n *virtualtime.Network, i int, edit func(*link.Config)) *far {
	t.Helper()
	key, pub, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return newFarWith(t, n, i, key, pub, edit)
}

func newFarWith(t *testing.T, n *virtualtime.Network, i int, key crypto.PrivKey, pub crypto.PubKey, edit func(*link.Config)) *far {
	t.Helper()
	f := &far{counts: map[string]int{}}
	var err error
	cfg := link.Config{Role: wire.RoleClient}
	if i == 0 {
		cfg.Role = wire.RoleRelay
		f.book = book.New(book.Config{Role: book.Relay})
		f.Host, err = host.NewRelay(host.Config{Key: key, Book: f.book, Options: n.Options(0),
			Listen: []string{fmt.Sprintf("/ip4/%s/tcp/%d", virtualtime.Address(0), virtualtime.Port)}})
	} else {
		f.book = book.New(book.Config{Role: book.Client})
		f.Host, err = host.NewClient(host.Config{Key: key, Book: f.book, Options: n.Options(i)})
	}
	if err != nil {
		t.Fatal(err)
	}
	f.id, _ = wire.NodeIDFromKey(pub)
	cfg.Host, cfg.Book = f.Host, f.book
	cfg.Handle = func(_ wire.NodeID, fr *wire.Frame) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if fr.Type() == wire.TypePacket {
			f.got = append(f.got, binary.BigEndian.Uint32(fr.Body()))
		}
	}
	cfg.Changed = func(_ wire.NodeID, up bool) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.ups = append(f.ups, up)
	}
	cfg.Count = func(why string) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.counts[why]++
	}
	if edit != nil {
		edit(&cfg)
	}
	f.links = link.New(cfg)
	f.links.Accept()
	return f
}

func (f *far) stop() {
	f.links.Close()
	f.Host.Close()
}

func (f *far) numbers() []uint32 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]uint32(nil), f.got...)
}

func (f *far) changes() []bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]bool(nil), f.ups...)
}

// exact fails unless n frames came, each once and in order.
func (f *far) exact(t *testing.T, who string, n int) {
	t.Helper()
	got := f.numbers()
	if len(got) != n {
		t.Errorf("%s: %d of %d frames", who, len(got), n)
		return
	}
	for i, x := range got {
		if x != uint32(i) {
			t.Errorf("%s: frame %d is number %d", who, i, x)
			return
		}
	}
}

var wan = virtualtime.Links{LatencyMin: 60 * time.Millisecond, LatencyMax: 60 * time.Millisecond, BitsPerSecond: 20_000_000, Seed: 1}

// pair is a relay and a client with a link.
func pair(t *testing.T, n *virtualtime.Network, net link.Network) (relay, client *far) {
	t.Helper()
	relay = newFar(t, n, 0, nil)
	client = newFar(t, n, 1, func(cfg *link.Config) { cfg.Network = net })
	a, _ := book.AddressOf(relay.Network().ListenAddresses()[0])
	client.book.Name(relay.id, book.Owner, a)
	if err := client.links.Dial(t.Context(), relay.id); err != nil {
		t.Fatal(err)
	}
	return relay, client
}

// talk sends n frames each way, one after the other, each answered like a message.
func talk(t *testing.T, relay, client *far, n int, pause time.Duration) (longest time.Duration) {
	t.Helper()
	before := len(client.numbers())
	for i := range uint32(n) {
		began := time.Now()
		if err := client.links.SendWait(t.Context(), relay.id, frame(uint32(before)+i)); err != nil {
			t.Fatalf("frame %d: %v", i, err)
		}
		if err := relay.links.Send(client.id, frame(uint32(before)+i)); err != nil {
			t.Fatalf("answer %d: %v", i, err)
		}
		for len(client.numbers()) <= before+int(i) || len(relay.numbers()) <= before+int(i) {
			if time.Since(began) > 5*time.Minute {
				t.Fatalf("frame %d: %d came to the client, %d to the relay; %v", i, len(client.numbers()), len(relay.numbers()), client.counts)
			}
			time.Sleep(10 * time.Millisecond)
		}
		longest = max(longest, time.Since(began))
		time.Sleep(pause)
	}
	return longest
}

// TestOutlives: what a network does to connections, a link goes on: every frame comes
// once, in order, and nobody is told of an end.
func TestOutlives(t *testing.T) {
	for name, c := range map[string]struct {
		censor virtualtime.Censor
		most   time.Duration // for any one frame
	}{
		"nothing":             {virtualtime.Censor{}, time.Second},
		"frozen after 15 KB":  {virtualtime.Censor{After: 15_000}, 6 * time.Second},
		"frozen after 100 KB": {virtualtime.Censor{After: 100_000}, 6 * time.Second},
		"reset after 15 KB":   {virtualtime.Censor{After: 15_000, Reset: true}, 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := virtualtime.NewNetwork(wan)
				n.Censored(c.censor, 1)
				relay, client := pair(t, n, nil)
				defer relay.stop()
				defer client.stop()
				const frames = 60
				longest := talk(t, relay, client, frames, 500*time.Millisecond)
				relay.exact(t, "relay", frames)
				client.exact(t, "client", frames)
				if ups := client.changes(); len(ups) != 1 || !ups[0] {
					t.Errorf("the client was told %v", ups)
				}
				if ups := relay.changes(); len(ups) != 1 {
					t.Errorf("the relay was told %v", ups)
				}
				if longest > c.most {
					t.Errorf("a frame took %v, at most %v", longest, c.most)
				}
				dials, _ := n.Dials(1, 0)
				t.Logf("longest %v, %d connections, counts %v", longest, dials, client.counts)
			})
		})
	}
}

// aware is a network whose habits are known.
type aware struct {
	allowance int64
	sparing   bool
	frozen    int
	carried   int64 // the most
	wait      time.Duration
	mu        sync.Mutex
}

func (a *aware) Allowance(wire.NodeID) int64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.allowance
}
func (a *aware) Sparing(wire.NodeID) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.sparing
}

// learns has the network be known as one with a budget, where the next connection waits so long.
func (a *aware) learns(allowance int64, wait time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.allowance, a.sparing, a.wait = allowance, true, wait
}

func (a *aware) Wait(wire.NodeID) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.wait
}

func (a *aware) Began(wire.NodeID, []book.Address)                     {}
func (a *aware) Ended(wire.NodeID, book.Source, []book.Address, error) {}
func (a *aware) GivenUp(wire.NodeID, error)                            {}
func (a *aware) Silent(wire.NodeID)                                    {}
func (a *aware) Frozen(wire.NodeID, int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.frozen++
}
func (a *aware) Carried(_ wire.NodeID, bytes int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.carried = max(a.carried, bytes)
}

// TestAwayIsNotFrozen: a line that went silent while nothing passed speaks of no curtain; one
// that went silent alone does. An outage that ends within a second of the next attempt cannot be
// told from one: package censor asks for two moments and alike numbers.
func TestAwayIsNotFrozen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for away := 5500 * time.Millisecond; away < 14*time.Second; away += 500 * time.Millisecond {
			n, net := virtualtime.NewNetwork(wan), &aware{}
			relay, client := pair(t, n, net)
			talk(t, relay, client, 10, 0)
			n.Block(1, 0)
			n.Block(0, 1)
			client.links.Send(relay.id, frame(10))
			time.Sleep(away)
			n.Unblock()
			time.Sleep(20 * time.Second)
			if net.frozen > 0 {
				t.Errorf("away for %v: %d lines count as frozen", away, net.frozen)
			}
			client.stop()
			relay.stop()
		}

		n, net := virtualtime.NewNetwork(wan), &aware{}
		n.Censored(virtualtime.Censor{After: 15_000}, 1)
		relay, client := pair(t, n, net)
		defer relay.stop()
		defer client.stop()
		talk(t, relay, client, 10, 500*time.Millisecond)
		if net.frozen == 0 {
			t.Error("a curtain is not noticed")
		}
	})
}

// TestCarriedIsTold: a line without a budget tells what it carries while it does, so that a
// trial ends a budget that holds no more.
func TestCarriedIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, net := virtualtime.NewNetwork(wan), &aware{}
		relay, client := pair(t, n, net)
		defer relay.stop()
		defer client.stop()
		talk(t, relay, client, 40, 0)
		if net.carried < 32*wire.FrameSize {
			t.Errorf("40 frames came, and %d bytes were told of", net.carried)
		}
	})
}

// TestMovesBefore: where the budget is known, the next connection is there before the old
// one is frozen, and no frame waits.
func TestMovesBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := virtualtime.NewNetwork(wan)
		n.Censored(virtualtime.Censor{After: 15_000}, 1)
		net := &aware{allowance: 13_500}
		relay, client := pair(t, n, net)
		defer relay.stop()
		defer client.stop()
		const frames = 40
		longest := talk(t, relay, client, frames, time.Second)
		relay.exact(t, "relay", frames)
		client.exact(t, "client", frames)
		if longest > time.Second || net.frozen > 0 {
			t.Errorf("a frame took %v, %d connections froze", longest, net.frozen)
		}
		if dials, _ := n.Dials(1, 0); dials > frames/2+1 {
			t.Errorf("%d connections for %d frames", dials, frames)
		}
	})
}

// beyond returns two ends of a connection that has carried more than the budget that is learned then, and how the network
// behaves. The next connection waits so long.
func beyond(t *testing.T, wait time.Duration) (relay, client *far, net *aware) {
	t.Helper()
	net = &aware{}
	relay, client = pair(t, virtualtime.NewNetwork(wan), net)
	t.Cleanup(relay.stop)
	t.Cleanup(client.stop)
	talk(t, relay, client, 12, 0)
	net.learns(14_534, wait)
	return relay, client, net
}

// TestBudgetLearnedLate: a connection has carried more than the budget that is learned on others meanwhile. Whoever would send finds no room on
// it, so no frame comes any more; the next one is made all the same.
func TestBudgetLearnedLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		relay, client, net := beyond(t, 0)
		for range 10 { // somebody waits for room
			client.links.Room(relay.id, net.allowance)
			time.Sleep(time.Second)
		}
		if left, since := client.links.Room(relay.id, net.allowance); left < 1 || time.Since(since) > 10*time.Second {
			t.Errorf("room for %d on a connection of %v ago", left, time.Since(since))
		}
		talk(t, relay, client, 12, 0)
		relay.exact(t, "relay", 24)
	})
}

// TestNoNextLine: as before, but no other connection can be made. Whoever waits for room finds some for one frame after two minutes, and the
// network hears that the connection carries more than the budget.
func TestNoNextLine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		relay, client, net := beyond(t, 24*time.Hour)
		began := time.Now()
		for {
			if left, _ := client.links.Room(relay.id, net.allowance); left > 0 {
				break
			}
			if time.Sleep(time.Second); time.Since(began) > time.Hour {
				t.Fatal("there is never room")
			}
		}
		if waited := time.Since(began); waited < 2*time.Minute {
			t.Errorf("there is room after %v", waited)
		}
		talk(t, relay, client, 12, 0)
		relay.exact(t, "relay", 24)
		if net.carried < 14_534 {
			t.Errorf("the network hears of %d bytes", net.carried)
		}
	})
}

// TestSparing: where the next connections are few, each carries all that there is room for.
func TestSparing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := virtualtime.NewNetwork(wan)
		n.Censored(virtualtime.Censor{After: 15_000}, 1)
		net := &aware{allowance: 14_534, sparing: true}
		relay, client := pair(t, n, net)
		defer relay.stop()
		defer client.stop()
		const frames, each = 40, 4
		talk(t, relay, client, frames, time.Second)
		client.exact(t, "client", frames)
		if dials, _ := n.Dials(1, 0); dials > frames/each+1 || net.frozen > 0 {
			t.Errorf("%d connections for %d frames, %d froze", dials, frames, net.frozen)
		}
		if left, since := client.links.Room(relay.id, net.allowance); left < 1 || left > each || time.Since(since) > 10*time.Second {
			t.Errorf("room for %d frames since %v", left, since)
		}
	})
}

// TestWaitsOnly: somebody who is only sent something notices within seconds that a connection
// is frozen, although nothing is due.
func TestWaitsOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := virtualtime.NewNetwork(wan)
		n.Censored(virtualtime.Censor{After: 15_000}, 1)
		relay, client := pair(t, n, nil)
		defer relay.stop()
		defer client.stop()
		const frames = 20
		for i := range uint32(frames) {
			began := time.Now()
			relay.links.Send(client.id, frame(i))
			for len(client.numbers()) <= int(i) {
				time.Sleep(10 * time.Millisecond)
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("frame %d took %v", i, took)
			}
			time.Sleep(5 * time.Second)
		}
	})
}

// TestIdleCost: who sends and gets a frame every few minutes needs, where connections freeze,
// at most three times the bytes, those of TLS with them.
func TestIdleCost(t *testing.T) {
	const hours, each = 4, 9000 // bytes of TLS and the upgrade, both ways
	cost := func(c virtualtime.Censor, net link.Network) (bytes float64, dials int) {
		synctest.Test(t, func(t *testing.T) {
			n := virtualtime.NewNetwork(wan)
			n.Censored(c, 1)
			relay, client := pair(t, n, net)
			defer relay.stop()
			defer client.stop()
			talk(t, relay, client, hours*20, 3*time.Minute)
			in, out := n.Traffic(1)
			dials, _ = n.Dials(1, 0)
			bytes = float64(in + out + int64(dials)*each)
		})
		return bytes, dials
	}
	open, _ := cost(virtualtime.Censor{After: 1 << 30}, nil)
	frozen, dials := cost(virtualtime.Censor{After: 15_000}, &aware{allowance: 14_000})
	t.Logf("%d hours: %.0f KB; where connections freeze %.0f KB in %d connections, %.2f times as much", hours, open/1e3, frozen/1e3, dials, frozen/open)
	if frozen > 3*open {
		t.Errorf("%.2f times as much", frozen/open)
	}
}

// TestBanned: while nothing passes for a minute, the client is told that there is no link;
// what the relay had for it, and what it had written, comes afterwards.
func TestBanned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := virtualtime.NewNetwork(wan)
		relay, client := pair(t, n, nil)
		defer relay.stop()
		defer client.stop()
		talk(t, relay, client, 10, 0)
		n.Block(1, 0)
		n.Block(0, 1)
		began := time.Now()
		if err := client.links.SendWait(t.Context(), relay.id, frame(10)); err != nil {
			t.Fatal(err)
		}
		relay.links.Send(client.id, frame(10))
		for client.links.Connected(relay.id) {
			time.Sleep(100 * time.Millisecond)
		}
		if noticed := time.Since(began); noticed > 15*time.Second {
			t.Errorf("noticed after %v", noticed)
		}
		time.Sleep(time.Minute)
		relay.links.Send(client.id, frame(11))
		n.Unblock()
		if err := client.links.Dial(t.Context(), relay.id); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		client.exact(t, "client", 12)
		relay.exact(t, "relay", 11)
		if ups := relay.changes(); len(ups) != 1 {
			t.Errorf("the relay was told %v", ups)
		}
	})
}

// TestLetsGo: a relay keeps the link of a client that stays away for a while and no
// longer, and forgets at once one that said goodbye.
func TestLetsGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := virtualtime.NewNetwork(wan)
		relay, client := pair(t, n, nil)
		defer relay.stop()
		n.Down(1, true)
		client.stop()
		time.Sleep(5 * time.Minute) // a ping of the relay's has had no answer, and its time is over
		if relay.links.Connected(client.id) {
			t.Error("kept")
		}
		n.Down(1, false)

		polite := newFar(t, n, 2, nil)
		defer polite.stop()
		a, _ := book.AddressOf(relay.Network().ListenAddresses()[0])
		polite.book.Name(relay.id, book.Owner, a)
		if err := polite.links.Dial(t.Context(), relay.id); err != nil {
			t.Fatal(err)
		}
		if !relay.links.Connected(polite.id) {
			t.Error("no link")
		}
		polite.links.Drop(relay.id)
		time.Sleep(time.Second)
		if relay.links.Connected(polite.id) {
			t.Error("kept after goodbye")
		}
	})
}

// TestCloseWhileAway: a relay that stops waits for no client that is away.
func TestCloseWhileAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := virtualtime.NewNetwork(wan)
		relay, client := pair(t, n, nil)
		n.Censored(virtualtime.Censor{After: 1, Reset: true}, 1)
		relay.links.Send(client.id, frame(0))
		client.links.Close()
		time.Sleep(time.Second)
		relay.stop()
		client.stop()
	})
}

// TestOneAtATime: however often the next line is asked for, one is made at a time.
func TestOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := virtualtime.NewNetwork(wan)
		relay, client := pair(t, n, nil)
		defer relay.stop()
		defer client.stop()
		for range 5 {
			client.links.Renew(relay.id)
		}
		time.Sleep(time.Second / 10)
		if got := client.links.Connections(); got > 2 {
			t.Errorf("%d connections", got)
		}
		time.Sleep(20 * time.Second)
		if got := client.links.Connections(); got != 1 {
			t.Errorf("%d connections at the end", got)
		}
		talk(t, relay, client, 5, 0)
		relay.exact(t, "relay", 5)
		client.exact(t, "client", 5)
	})
}

// TestFormerLinesAreClosed: a relay hangs up connections that a client has left, though
// nothing passes on them any more.
func TestFormerLinesAreClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := virtualtime.NewNetwork(wan)
		n.Censored(virtualtime.Censor{After: 15_000}, 1)
		relay, client := pair(t, n, nil)
		defer relay.stop()
		defer client.stop()
		for range 8 {
			talk(t, relay, client, 6, time.Second)
			if got := len(relay.Network().ConnsToPeer(client.ID())); got > 2 {
				t.Fatalf("%d connections at the relay", got)
			}
		}
	})
}
