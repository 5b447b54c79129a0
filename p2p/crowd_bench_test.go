package p2p_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/multiformats/go-multiaddr"

	"starling/p2p"
	"starling/p2p/book"
	"starling/p2p/directory"
	"starling/p2p/host"
	"starling/p2p/link"
	"starling/p2p/wire"
)

// crowdRelay, in the environment, makes this program a relay with its state in a folder.
const crowdRelay = "STARLING_TEST_CROWD_RELAY"

// crowdMemory is the memory that relay may use.
const crowdMemory = 1 << 30

// runCrowdRelay answers every line with its address, links, resident bytes and
// processor time.
func runCrowdRelay(dir string) {
	debug.SetMemoryLimit(crowdMemory)
	r, err := p2p.NewRelay(p2p.RelayConfig{StateDir: dir, Listen: []string{"/ip4/127.0.0.1/tcp/0"}, AllowPrivate: true, Memory: crowdMemory})
	if err != nil {
		panic(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.Run(ctx)
	}()
	<-r.Ready()
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		fmt.Println(r.Addrs()[0], r.Status().Links, rss(), int64(processorTime()))
	}
	stop()
	<-done
}

// processorTime is the processor time used by this process, where Linux tells it.
func processorTime() time.Duration {
	b, _ := os.ReadFile("/proc/self/stat")
	_, after, _ := strings.Cut(string(b), ") ")
	f := strings.Fields(after)
	if len(f) < 13 {
		return 0
	}
	user, _ := strconv.ParseInt(f[11], 10, 64)
	system, _ := strconv.ParseInt(f[12], 10, 64)
	return time.Duration(user+system) * time.Second / 100
}

// A crowd is a relay in a process of its own and the clients that are connected to it.
type crowd struct {
	b    *testing.B
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
	mu   sync.Mutex
	ends []func()
	list []*link.Links
	id   wire.NodeID
}

// state asks the relay.
func (c *crowd) state() (addr string, links int, rss int64, cpu time.Duration) {
	c.b.Helper()
	fmt.Fprintln(c.in)
	line, err := c.out.ReadString('\n')
	if err == nil {
		_, err = fmt.Sscan(line, &addr, &links, &rss, &cpu)
	}
	if err != nil {
		c.b.Fatal(err)
	}
	return addr, links, rss, cpu
}

// join connects one more client, which asks for the list as each does that starts.
func (c *crowd) join(at book.Address) error {
	where := book.New(book.Config{Role: book.Client, AllowPrivate: true})
	where.Name(c.id, book.Owner, at)
	h, err := host.NewClient(host.Config{AllowPrivate: true, Book: where})
	if err != nil {
		return err
	}
	l := link.New(link.Config{Host: h, Book: where, Handle: func(wire.NodeID, *wire.Frame) {}})
	c.mu.Lock()
	c.list = append(c.list, l)
	c.ends = append(c.ends, func() { l.Close(); h.Close() })
	c.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := l.Dial(ctx, c.id); err != nil {
		return err
	}
	f, err := wire.NewFrame(wire.TypeListRequest, directory.Request{Nonce: 1, Pages: 1}.Append(nil))
	if err != nil {
		return err
	}
	return l.Send(c.id, f)
}

// BenchmarkCrowd holds 2,000 clients at a relay that may use 1 GiB, each of which asks
// for the list and then sends a frame every ten seconds, and reports how many stay, the
// memory of the relay, and its use of one processor while they are there.
func BenchmarkCrowd(b *testing.B) {
	const clients, stay = 2000, 30 * time.Second
	c := &crowd{b: b, cmd: exec.Command(os.Args[0])}
	c.cmd.Env = append(os.Environ(), crowdRelay+"="+b.TempDir())
	c.cmd.Stderr = os.Stderr
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	c.out = bufio.NewReader(out)
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		b.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		b.Fatal(err)
	}
	defer c.cmd.Wait()
	defer c.in.Close()
	defer func() {
		var wg sync.WaitGroup
		for _, end := range c.ends {
			wg.Go(end)
		}
		wg.Wait()
	}()

	// Alone, and where it is.
	addr, _, alone, _ := c.state()
	m, id, _ := strings.Cut(addr, "/p2p/")
	at, ok := book.AddressOf(multiaddr.StringCast(m))
	if c.id, err = wire.ParseNodeID(id); err != nil || !ok {
		b.Fatal(addr, err)
	}

	// All come.
	began := time.Now()
	var joining sync.WaitGroup
	slots := make(chan struct{}, 16)
	for range clients {
		slots <- struct{}{}
		joining.Go(func() {
			defer func() { <-slots }()
			if err := c.join(at); err != nil {
				b.Error(err)
			}
		})
	}
	joining.Wait()
	b.ReportMetric(time.Since(began).Seconds(), "s/join-all")

	// They stay, and do next to nothing.
	_, _, _, before := c.state()
	for range stay / (10 * time.Second) {
		for _, l := range c.list {
			if f, err := wire.NewFrame(wire.TypeDrop, nil); err == nil {
				l.Send(c.id, f)
			}
		}
		time.Sleep(10 * time.Second)
	}
	_, links, full, after := c.state()
	b.ReportMetric(float64(links), "clients")
	b.ReportMetric(float64(full)/(1<<20), "MiB")
	b.ReportMetric(float64(full-alone)/clients/(1<<10), "KiB/client")
	b.ReportMetric(100*float64(after-before)/float64(stay), "%core")
}
