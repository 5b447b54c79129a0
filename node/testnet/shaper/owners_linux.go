package shaper

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"
)

// Owners tells which process a port of this computer belongs to, by /proc.
type Owners struct {
	// Processes returns the machine of each process of interest.
	Processes func() map[int]int // pid → machine

	mu    sync.Mutex
	asked []question
	busy  bool
}

type question struct {
	port   int
	looks  int // that found nothing
	answer chan int
}

// together is how long a question waits for others: they are answered with one look.
const together = 5 * time.Millisecond

// looks that find no owner make an outsider: the table of connections is not read at one
// moment, and with thousands of them some are passed over.
const looks = 20

// Of returns the machine of the process that has a connection from a port, or Outsider.
func (o *Owners) Of(port int) int {
	q := question{port: port, answer: make(chan int, 1)}
	o.mu.Lock()
	o.asked = append(o.asked, q)
	first := !o.busy
	o.busy = true
	o.mu.Unlock()
	if first {
		o.look()
	}
	return <-q.answer
}

// look answers questions until there are none.
func (o *Owners) look() {
	for {
		time.Sleep(together)
		o.mu.Lock()
		now := o.asked
		o.asked = nil
		if o.busy = len(now) > 0; !o.busy {
			o.mu.Unlock()
			return
		}
		o.mu.Unlock()

		wanted := map[int]bool{}
		for _, q := range now {
			wanted[q.port] = true
		}
		machines := o.machines(inodes(wanted))
		for _, q := range now {
			m, found := machines[q.port]
			if q.looks++; !found && q.looks < looks {
				o.mu.Lock()
				o.asked = append(o.asked, q)
				o.mu.Unlock()
				continue
			}
			if !found {
				m = Outsider
			}
			q.answer <- m
		}
	}
}

// machines returns the machine of each port, by its socket.
func (o *Owners) machines(sockets map[string]int) map[int]int {
	found := map[int]int{}
	for pid, machine := range o.Processes() {
		if len(found) == len(sockets) {
			break
		}
		dir := filepath.Join("/proc", strconv.Itoa(pid), "fd")
		files, err := os.Open(dir)
		if err != nil {
			continue // it has just ended
		}
		names, _ := files.Readdirnames(-1)
		files.Close()
		for _, name := range names {
			if to, err := os.Readlink(filepath.Join(dir, name)); err == nil {
				if port, ok := sockets[to]; ok {
					found[port] = machine
				}
			}
		}
	}
	return found
}

// inodes returns the sockets, as links of /proc name them, that are connected from
// ports of 127.0.0.1.
func inodes(ports map[int]bool) map[string]int {
	table, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		return nil
	}
	found := map[string]int{}
	for line := range bytes.Lines(table) {
		words := bytes.Fields(line)
		if len(words) < 10 {
			continue
		}
		_, hex, ok := bytes.Cut(words[1], []byte(":"))
		port, err := strconv.ParseUint(string(hex), 16, 16)
		if ok && err == nil && ports[int(port)] && string(words[9]) != "0" {
			// The door's end has the port as its remote one.
			found["socket:["+string(words[9])+"]"] = int(port)
		}
	}
	return found
}

// Known reports whether this system tells the owner of a port.
const Known = true
