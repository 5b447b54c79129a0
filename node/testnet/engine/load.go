package engine

import (
	"context"
	"os"
	"strconv"
	"strings"
	"sync"

	"starling/node"
	"starling/p2p"
)

// Load counts boxes that are handed to mailboxes by nodes of this process.
type Load struct {
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

// Numbers returns the puts, those of them that were repeated, and those that
// failed.
func (l *Load) Numbers() (puts, again, failed int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.puts, l.again, l.failed
}

// Count makes a network's puts be counted.
func (l *Load) Count(n node.Network) node.Network { return counted{n, l} }

type counted struct {
	node.Network
	load *Load
}

func (c counted) Put(ctx context.Context, mailbox p2p.NodeID, tag p2p.Tag, box []byte) error {
	c.load.put(place{mailbox, tag})
	err := c.Network.Put(ctx, mailbox, tag, box)
	if err != nil && ctx.Err() == nil { // one that was called off, as its box has arrived, has not failed
		c.load.mu.Lock()
		c.load.failed++
		c.load.mu.Unlock()
	}
	return err
}

func (l *Load) put(p place) {
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

// Resident returns the memory of a process in bytes, 0 where only other ways
// than Linux's lead to it.
func Resident(pid int) int64 {
	statm, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/statm")
	fields := strings.Fields(string(statm))
	if err != nil || len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}
