package adversary

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	mrand "math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"

	"starling/p2p"
	"starling/p2p/p2ptest"
	"starling/p2p/virtualtime"
)

// TestNoMarkers: a client begins as a browser does, at whatever address it was sent to,
// and none of its bytes has a word of libp2p's or of ours.
func TestNoMarkers(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, pub, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	id, err := peer.IDFromPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	client, err := p2p.NewClient(p2p.ClientConfig{AllowPrivate: true,
		Bootstrap: []string{fmt.Sprintf("/ip4/127.0.0.1/tcp/%d/p2p/%s", l.Addr().(*net.TCPAddr).Port, id)}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		client.Run(ctx)
	}()
	defer func() { cancel(); <-ended }()

	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	first := make([]byte, 5)
	if _, err := io.ReadFull(c, first); err != nil {
		t.Fatal(err)
	}
	hello := make([]byte, int(first[3])<<8|int(first[4]))
	if _, err := io.ReadFull(c, hello); err != nil {
		t.Fatal(err)
	}
	if first[0] != 22 || hello[0] != 1 {
		t.Errorf("the first bytes are %x %x, and no hello of TLS", first, hello[0])
	}
	for _, word := range []string{"multistream", "libp2p", "noise", "yamux", "starling", "/st/"} {
		if strings.Contains(strings.ToLower(string(hello)), word) {
			t.Errorf("%q is in the hello", word)
		}
	}
}

// A line is the view of a watcher of one client's links: the times at which frames
// go out and come in.
type line struct {
	mu      sync.Mutex
	out, in []time.Time
}

func (l *line) tap(s p2p.Seen) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch s.What {
	case "out":
		l.out = append(l.out, time.Now())
	case "in":
		l.in = append(l.in, time.Now())
	}
}

// between returns how many frames came in within a span.
func (l *line) between(from, to time.Time) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, at := range l.in {
		if at.After(from) && !at.After(to) {
			n++
		}
	}
	return n
}

// TestTimingLinks: in the fast profile and a quiet network, a watcher of the lines of
// all clients finds the recipient of most messages by when frames come and go, and so
// does a guard of both. There is no cover traffic; once there is, this fails, and
// THREATMODEL may say more.
func TestTimingLinks(t *testing.T) {
	const people, messages = 8, 20
	synctest.Test(t, func(t *testing.T) {
		m := p2ptest.Virtual(t, 10, virtualtime.Links{LatencyMin: 20 * time.Millisecond, LatencyMax: 60 * time.Millisecond, BitsPerSecond: 20_000_000, Seed: 3}, nil)
		defer m.Stop()
		m.Settle(10)
		lines := make([]line, people)
		clients := make([]*p2ptest.Client, people)
		boxes := make([]p2p.NodeID, people)
		arrived := make(chan struct{}, messages)
		for i := range clients {
			clients[i] = m.Client(func(cfg *p2p.ClientConfig) {
				cfg.Tap = lines[i].tap
				cfg.OnBox = func(p2p.NodeID, p2p.Tag, []byte) { arrived <- struct{}{} }
			})
			defer clients[i].Stop()
		}
		for i, c := range clients {
			p2ptest.Eventually(t, "a client is ready", func() bool { return c.Status().Ready })
			chosen, err := c.ChooseMailboxes(1)
			if err != nil {
				t.Fatal(err)
			}
			boxes[i] = chosen[0]
		}

		// The truth is the pairs of writers and readers; the watcher gets the
		// lines.
		draw := mrand.New(mrand.NewPCG(1, 2))
		right := 0
		for n := range messages {
			from, to := draw.IntN(people), draw.IntN(people-1)
			if to >= from {
				to++
			}
			var tag p2p.Tag
			rand.Read(tag[:])
			clients[to].Watch(fmt.Sprint(n), boxes[to], []p2p.Tag{tag})
			time.Sleep(20 * time.Second) // quiet again

			began := time.Now()
			if err := clients[from].Put(t.Context(), boxes[to], tag, make([]byte, p2p.BoxSize)); err != nil {
				t.Fatal(err)
			}
			<-arrived
			if guess(lines, from, began, time.Now()) == to {
				right++
			}
			clients[to].Watch(fmt.Sprint(n), boxes[to], nil)
			time.Sleep(20 * time.Second)
		}
		t.Logf("%d of %d recipients found, %d by chance", right, messages, messages/(people-1))
		if right < messages*2/3 {
			t.Errorf("only %d of %d recipients found", right, messages)
		}
	})
}

// guess names the recipient of a message that left by one line: the owner of the
// line with most frames just then.
func guess(lines []line, from int, began, ended time.Time) (who int) {
	most := 0
	for i := range lines {
		if n := lines[i].between(began, ended); i != from && n > most {
			who, most = i, n
		}
	}
	return who
}
