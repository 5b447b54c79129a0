package runner

import (
	"context"
	"os"
	"strconv"
	"strings"
	"sync"

	"starling/node"
	"starling/p2p"
)

// load counts boxes that are handed to mailboxes.
type load struct {
	mu     sync.Mutex
	tried  map[place]bool
	puts   int64
	again  int64
	failed int64
}

type place struct {
	mailbox p2p.NodeID
	tag     p2p.Tag
}

func (l *load) numbers() (puts, again, failed int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.puts, l.again, l.failed
}

// counted is a network whose puts are counted.
type counted struct {
	node.Network
	load *load
}

func (c counted) Put(ctx context.Context, mailbox p2p.NodeID, tag p2p.Tag, box []byte) error {
	c.load.put(place{mailbox, tag})
	err := c.Network.Put(ctx, mailbox, tag, box)
	if err != nil {
		c.load.mu.Lock()
		c.load.failed++
		c.load.mu.Unlock()
	}
	return err
}

func (l *load) put(p place) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.tried == nil {
		l.tried = map[place]bool{}
	}
	l.puts++
	if l.tried[p] {
		l.again++
	}
	l.tried[p] = true
}

// residentMiB returns the memory of this process, 0 where only other ways than
// Linux's lead to it.
func residentMiB() int64 {
	statm, err := os.ReadFile("/proc/self/statm")
	fields := strings.Fields(string(statm))
	if err != nil || len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize()) >> 20
}
