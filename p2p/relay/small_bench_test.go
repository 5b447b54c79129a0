//go:build linux

package relay_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"starling/p2p"
	"starling/p2p/book"
	"starling/p2p/directory"
	"starling/p2p/host"
	"starling/p2p/link"
	"starling/p2p/wire"
)

const (
	smallMachine = 128 << 20
	smallFolder  = "STARLING_SMALL_RELAY"
)

// TestServeSmall is the relay of BenchmarkSmallMachine, in a process of its own.
func TestServeSmall(t *testing.T) {
	dir := os.Getenv(smallFolder)
	if dir == "" {
		t.Skip("it is started by BenchmarkSmallMachine")
	}
	debug.SetMemoryLimit(smallMachine / 8 * 7)
	r, err := p2p.NewRelay(p2p.RelayConfig{StateDir: dir, Listen: []string{"/ip4/127.0.0.1/tcp/0"}, AllowPrivate: true, Memory: smallMachine})
	if err != nil {
		t.Fatal(err)
	}
	go r.Run(context.Background())
	<-r.Ready()
	fmt.Println("at", r.Addrs()[0])
	for range time.Tick(time.Second) {
		s := r.Status()
		fmt.Println("clients", s.Clients, "of", s.ClientPlaces, "turned", s.Turned)
	}
}

// BenchmarkSmallMachine is a relay with 128 MiB, held to them by a control group where
// this machine has version 1 of these: its memory with 200 clients, each of which sends
// five frames a second, and with 300, for whom there are not enough places.
func BenchmarkSmallMachine(b *testing.B) {
	cmd := exec.Command(os.Args[0], "-test.run=^TestServeSmall$", "-test.v")
	cmd.Env = append(os.Environ(), smallFolder+"="+b.TempDir())
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() { cmd.Process.Kill(); cmd.Wait() }()
	b.Log("held by a control group:", confine(b, cmd.Process.Pid))

	var mu sync.Mutex
	var last string
	at := make(chan string, 1)
	go func() {
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if addr, ok := strings.CutPrefix(lines.Text(), "at "); ok {
				at <- addr
			}
			mu.Lock()
			last = lines.Text()
			mu.Unlock()
		}
	}()
	hint, err := directory.ParseBootstrap(<-at)
	if err != nil {
		b.Fatal(err)
	}

	var all []*link.Links
	for b.Loop() {
		for _, clients := range []int{200, 300} {
			for len(all) < clients {
				all = append(all, guest(b, hint))
			}
			for range 20 {
				for _, l := range all {
					for range 5 {
						if f, err := wire.NewFrame(wire.TypeDrop, nil); err == nil {
							l.Send(hint.ID, f)
						}
					}
				}
				time.Sleep(time.Second)
			}
			mu.Lock()
			b.Logf("%d clients: %d MiB; %s", clients, resident(b, cmd.Process.Pid)>>20, last)
			mu.Unlock()
			b.ReportMetric(float64(resident(b, cmd.Process.Pid))/(1<<20), fmt.Sprintf("MiB/%dclients", clients))
		}
	}
}

// guest is a client with a link.
func guest(b *testing.B, relay directory.Hint) *link.Links {
	known := book.New(book.Config{Role: book.Client, AllowPrivate: true})
	known.Name(relay.ID, book.Owner, directory.ForBook(relay.Addresses)...)
	h, err := host.NewClient(host.Config{AllowPrivate: true, Book: known})
	if err != nil {
		b.Fatal(err)
	}
	l := link.New(link.Config{Host: h, Book: known, Handle: func(wire.NodeID, *wire.Frame) {}})
	b.Cleanup(func() { l.Close(); h.Close() })
	l.Dial(b.Context(), relay.ID) // who finds no place goes elsewhere
	return l
}

// confine puts a process into a control group of smallMachine, if it can.
func confine(b *testing.B, pid int) bool {
	dir := filepath.Join("/sys/fs/cgroup/memory", "starling-bench-"+strconv.Itoa(pid))
	if os.Mkdir(dir, 0o755) != nil {
		return false
	}
	b.Cleanup(func() { os.Remove(dir) })
	if os.WriteFile(filepath.Join(dir, "memory.limit_in_bytes"), []byte(strconv.Itoa(smallMachine)), 0) != nil {
		return false
	}
	return os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(pid)), 0) == nil
}

// resident is the memory of a process in bytes.
func resident(b *testing.B, pid int) int {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Fatalf("the relay has ended: %v", err)
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, _ := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(value), " kB"))
			return n << 10
		}
	}
	b.Fatal("no VmRSS")
	return 0
}
