package p2p_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"starling/p2p"
	"starling/p2p/p2ptest"
	"starling/p2p/wire"
)

// A ledger is all that relays have written to their logs.
type ledger struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *ledger) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// TestSeizedRelay: whoever takes the disks and logs of all relays finds no network address and
// no identity of anybody who used them, whoever's guard they were: neither while they run nor
// afterwards. What they find is the sealed mail, under tags. docs/OPERATORS.md promises it.
func TestSeizedRelay(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs the whole of 127.0.0.0/8")
	}
	const relays = 7
	dirs := make([]string, relays)
	var log ledger
	mesh := p2ptest.Loopback(t, relays, func(i int, cfg *p2p.RelayConfig) {
		cfg.Source = fmt.Sprintf("127.30.%d.1", i+1)
		cfg.Listen = []string{"/ip4/" + cfg.Source + "/tcp/0"}
		cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
		dirs[i] = cfg.StateDir
	})
	addresses := []string{"127.87.3.9", "127.88.4.8"}
	var people []*p2ptest.Client
	var ids []wire.NodeID
	for _, a := range addresses {
		c, _ := receiver(mesh, func(cfg *p2p.ClientConfig) { cfg.Source = a })
		c.WaitReady(t)
		id, err := wire.ParseNodeID(c.Status().PeerID)
		if err != nil {
			t.Fatal(err)
		}
		people, ids = append(people, c), append(ids, id)
	}

	// Each leaves mail at the other's mailboxes, and takes half of it.
	box, tag := randomBox(), randomTag()
	for i, c := range people {
		boxes := mailboxes(t, c, 2)
		kept, taken := randomTag(), randomTag()
		for n, at := range boxes {
			mustPut(t, people[1-i], at, kept, randomBox())
			mustPut(t, people[1-i], at, taken, randomBox())
			c.Watch(fmt.Sprint("mail ", n), at, []p2p.Tag{taken})
		}
		if i == 0 {
			mustPut(t, people[1], boxes[0], tag, box)
		}
	}

	search := func(when string) {
		t.Helper()
		mail := false
		for _, dir := range dirs {
			err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
				if err != nil || !d.Type().IsRegular() {
					return err
				}
				b, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				mail = mail || bytes.Contains(b, box) || bytes.Contains(b, tag[:])
				for i, id := range ids {
					if found := p2ptest.Traces([]p2p.Seen{{What: path, Data: b}}, id, addresses[i]); len(found) > 0 {
						t.Errorf("%s: %v", when, found)
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if !mail {
			t.Errorf("%s: no mail is found: this test cannot fail", when)
		}
	}
	search("while they run")
	for _, c := range people {
		c.Stop()
	}
	mesh.Stop()
	search("when they have stopped")

	log.mu.Lock()
	defer log.mu.Unlock()
	for i, id := range ids {
		if found := p2ptest.Traces([]p2p.Seen{{What: "log", Data: log.b.Bytes()}}, id, addresses[i]); len(found) > 0 {
			t.Errorf("in the log: %v\n%s", found, log.b.String())
		}
	}
}
