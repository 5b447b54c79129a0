package p2p_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"starling/p2p"
	"starling/p2p/p2ptest"
)

// BenchmarkPut is the round trip of one box to the disk of a mailbox and back,
// over 8 relays on loopback, without mixing delay.
func BenchmarkPut(b *testing.B) {
	mesh := p2ptest.Loopback(b, 8, nil)
	a := mesh.Client(nil)
	a.WaitReady(b)
	m := mailboxes(b, a, 1)[0]
	box := randomBox()
	for range 50 { // let the relays connect
		mustPut(b, a, m, randomTag(), box)
	}
	b.ResetTimer()
	for range b.N {
		mustPut(b, a, m, randomTag(), box)
	}
}

// BenchmarkAppend is BenchmarkPut for an entry of a log that somebody follows: signature,
// round trip to the disk of the mailbox, push.
func BenchmarkAppend(b *testing.B) {
	mesh := p2ptest.Loopback(b, 8, nil)
	a := mesh.Client(nil)
	a.WaitReady(b)
	m := mailboxes(b, a, 1)[0]
	p := newPen()
	for range 50 { // let the relays connect
		p.write(b, a, m, p.entry())
	}
	b.ResetTimer()
	for range b.N {
		if len(p.sent)%400 == 0 {
			p = newPen() // a log takes 512 in advance
		}
		p.write(b, a, m, p.entry())
	}
}

// BenchmarkStored is how many boxes a second a mesh of 8 relays on one machine
// stores, with 64 puts under way at a time from 4 clients to 8 mailboxes.
func BenchmarkStored(b *testing.B) {
	mesh := p2ptest.Loopback(b, 8, nil)
	var clients []*p2ptest.Client
	for range 4 {
		c := mesh.Client(nil)
		c.WaitReady(b)
		clients = append(clients, c)
	}
	box := randomBox()
	put := func(n int64) {
		var wg sync.WaitGroup
		var left, failed atomic.Int64
		left.Store(n)
		for i := range 64 {
			wg.Go(func() {
				c := clients[i%len(clients)]
				for left.Add(-1) >= 0 {
					if err := c.Put(b.Context(), mesh.Relays[i%8].ID(), randomTag(), box); err != nil {
						failed.Add(1)
					}
				}
			})
		}
		wg.Wait()
		if n := failed.Load(); n > 0 {
			b.Errorf("%d of %d failed", n, b.N)
		}
	}
	put(200)
	b.ResetTimer()
	put(int64(b.N))
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "boxes/s")
}

// BenchmarkPush is the time from the start of a put to OnBox at the recipient.
func BenchmarkPush(b *testing.B) {
	mesh := p2ptest.Loopback(b, 8, nil)
	a := mesh.Client(nil)
	got := make(chan p2p.Tag, 64)
	c := mesh.Client(func(cfg *p2p.ClientConfig) {
		cfg.OnBox = func(_ p2p.NodeID, tag p2p.Tag, _ []byte) { got <- tag }
	})
	a.WaitReady(b)
	c.WaitReady(b)
	m := mailboxes(b, c, 1)[0]
	box := randomBox()
	next := randomTags(32)
	wait := func(tag p2p.Tag) {
		for t := range got {
			if t == tag {
				return
			}
		}
	}
	one := func() {
		tag := next[0]
		next = append(next[1:], randomTag())
		go a.Put(b.Context(), m, tag, box)
		wait(tag)
		c.Watch("a", m, next)
		c.Ack("a", m, tag)
	}
	c.Watch("a", m, next)
	for range 20 {
		one()
	}
	b.ResetTimer()
	for range b.N {
		one()
	}
}

// BenchmarkColdStart is from NewClient with nothing but a bootstrap address to
// the first box on a mailbox's disk.
func BenchmarkColdStart(b *testing.B) {
	mesh := p2ptest.Loopback(b, 8, nil)
	box := randomBox()
	b.ResetTimer()
	for range b.N {
		c := mesh.Client(nil)
		for {
			ids, err := c.ChooseMailboxes(1)
			if err == nil && c.Put(b.Context(), ids[0], randomTag(), box) == nil {
				break
			}
			time.Sleep(time.Millisecond)
		}
		b.StopTimer()
		c.Stop()
		b.StartTimer()
	}
}

// BenchmarkMesh starts relays in one process until all know all, and reports the cost
// of a relay.
func BenchmarkMesh(b *testing.B) {
	for _, n := range []int{8, 25, 100} {
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			for range b.N {
				debug.FreeOSMemory()
				before, goroutines := rss(), runtime.NumGoroutine()
				mesh := p2ptest.Loopback(b, n, nil)
				b.StopTimer()
				debug.FreeOSMemory()
				b.ReportMetric(float64(rss()-before)/float64(n)/(1<<20), "MiB/relay")
				b.ReportMetric(float64(runtime.NumGoroutine()-goroutines)/float64(n), "goroutines/relay")
				mesh.Stop()
				b.StartTimer()
			}
		})
	}
}

// idleClient, in the environment, makes this program a client and nothing else:
// it watches at five mailboxes for a while and prints its memory.
const idleClient = "STARLING_TEST_IDLE_CLIENT"

func runIdleClient(bootstrap string) {
	c, err := p2p.NewClient(p2p.ClientConfig{Bootstrap: []string{bootstrap}, AllowPrivate: true})
	if err != nil {
		panic(err)
	}
	go c.Run(context.Background())
	for !c.Status().Ready {
		time.Sleep(10 * time.Millisecond)
	}
	for i := range 10 {
		ids, err := c.ChooseMailboxes(1)
		if err != nil {
			panic(err)
		}
		c.Watch(fmt.Sprint(i), ids[0], randomTags(32))
	}
	time.Sleep(5 * time.Second)
	s := c.Status()
	fmt.Println(rss(), runtime.NumGoroutine(), s.BytesIn, s.BytesOut)
}

// BenchmarkIdleClient reports the resident memory of a process that is only a
// client, with ten watches, five seconds after its start.
func BenchmarkIdleClient(b *testing.B) {
	mesh := p2ptest.Loopback(b, 8, nil)
	for range b.N {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), idleClient+"="+mesh.Bootstrap()[0])
		out, err := cmd.Output()
		if err != nil {
			b.Fatal(err)
		}
		var mem, goroutines, in, sent int64
		fmt.Sscan(string(out), &mem, &goroutines, &in, &sent)
		b.ReportMetric(float64(mem)/(1<<20), "MiB")
		b.ReportMetric(float64(goroutines), "goroutines")
		b.ReportMetric(float64(in+sent)/1024, "KiB")
	}
}

// rss returns the resident memory of this process in bytes, where Linux says.
func rss() int64 {
	b, _ := os.ReadFile("/proc/self/statm")
	f := strings.Fields(string(b))
	if len(f) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(f[1], 10, 64)
	return pages * int64(os.Getpagesize())
}
