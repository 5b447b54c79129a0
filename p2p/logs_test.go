package p2p_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"starling/p2p"
	"starling/p2p/mailbox"
	"starling/p2p/p2ptest"
	"starling/p2p/virtualtime"
)

// A logReader follows logs at a mailbox as a room does: it keeps what it gets, and moves on
// at each end.
type logReader struct {
	*p2ptest.Client
	mailbox p2p.NodeID

	mu     sync.Mutex
	logs   []p2p.LogPosition
	got    map[p2p.LogName]map[p2p.Tag]bool
	came   map[p2p.Tag]time.Time
	ends   map[p2p.LogName]p2p.LogEnd
	double int
}

func followLogs(net *p2ptest.Net, at p2p.NodeID, names ...p2p.LogName) *logReader {
	r := &logReader{mailbox: at, got: map[p2p.LogName]map[p2p.Tag]bool{}, came: map[p2p.Tag]time.Time{}, ends: map[p2p.LogName]p2p.LogEnd{}}
	for _, name := range names {
		r.logs = append(r.logs, p2p.LogPosition{Name: name})
		r.got[name] = map[p2p.Tag]bool{}
	}
	r.Client = net.Client(func(cfg *p2p.ClientConfig) {
		cfg.OnEntry = func(_ string, _ p2p.NodeID, e p2p.LogEntry) {
			r.mu.Lock()
			defer r.mu.Unlock()
			if r.got[e.Name][e.Tag] {
				r.double++
				return
			}
			r.got[e.Name][e.Tag], r.came[e.Tag] = true, time.Now()
		}
		cfg.OnEnd = func(key string, at p2p.NodeID, end p2p.LogEnd) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.ends[end.Name] = end
			for i := range r.logs {
				if r.logs[i].Name == end.Name {
					r.logs[i].Instance, r.logs[i].After = end.Instance, end.Last
				}
			}
			r.Follow(key, at, r.logs)
		}
	})
	return r
}

func (r *logReader) begin() { r.Follow("room", r.mailbox, r.logs) }

func (r *logReader) has(name p2p.LogName) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.got[name])
}

// A pen writes to one log.
type pen struct {
	key  ed25519.PrivateKey
	sent []p2p.Entry
}

func newPen() *pen {
	_, key, _ := ed25519.GenerateKey(rand.Reader)
	return &pen{key: key}
}

func (p *pen) public() [32]byte { return [32]byte(p.key.Public().(ed25519.PublicKey)) }

func (p *pen) name() p2p.LogName { return mailbox.NameOf(p.public()) }

func (p *pen) entry() p2p.Entry {
	var box mailbox.Box
	rand.Read(box[:])
	e := mailbox.SignEntry(p.key, randomTag(), &box)
	p.sent = append(p.sent, e)
	return e
}

// write appends over and over until the entry is on the disk of the mailbox.
func (p *pen) write(t testing.TB, c *p2ptest.Client, at p2p.NodeID, e p2p.Entry) {
	for range 1800 { // who heard that a relay leaves hears ten minutes later, and by the next look, that it is back
		err := c.Append(context.Background(), at, p.public(), e)
		if err == nil {
			return
		}
		if errors.Is(err, p2p.ErrTaken) {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
	}
	t.Fatal("an entry is not appended")
}

// TestLogs: what one appends three others get who follow the log, each entry once, in about
// a second; over a restart of the mailbox, and again when it has lost its disk. A reader
// that comes later gets all; a read by ranges too.
func TestLogs(t *testing.T) {
	const relays = 8
	synctest.Test(t, func(t *testing.T) {
		disks := make([]*mailbox.Memory, relays)
		for i := range disks {
			disks[i] = mailbox.NewMemory(10_000)
		}
		net := p2ptest.Virtual(t, relays, virtualtime.Links{LatencyMin: 50 * time.Millisecond, LatencyMax: 100 * time.Millisecond, BitsPerSecond: 20_000_000, Seed: 1},
			func(i int, cfg *p2p.RelayConfig) { cfg.Store = disks[i] })
		defer net.Stop()
		net.Settle(relays)
		writer := net.Client(nil)
		defer writer.Stop()
		writer.WaitReady(t)
		ids, err := writer.ChooseMailboxes(1)
		if err != nil {
			t.Fatal(err)
		}
		at := net.Find(ids[0])
		pens := []*pen{newPen(), newPen()}
		var readers []*logReader
		for range 3 {
			r := followLogs(net, at.ID(), pens[0].name(), pens[1].name())
			defer r.Stop()
			r.WaitReady(t)
			r.begin()
			readers = append(readers, r)
		}
		all := func(what string, which []*logReader) {
			t.Helper()
			took := p2ptest.Eventually(t, what, func() bool {
				return !slices.ContainsFunc(which, func(r *logReader) bool {
					return slices.ContainsFunc(pens, func(p *pen) bool { return r.has(p.name()) != len(p.sent) })
				})
			})
			t.Logf("%s after %v", what, took)
		}
		time.Sleep(5 * time.Second)

		// One at a time: quickly to all.
		var slow []time.Duration
		for i := range 30 {
			p := pens[i%2]
			e := p.entry()
			began := time.Now()
			p.write(t, writer, at.ID(), e)
			all(fmt.Sprintf("entry %d", i), readers)
			slow = append(slow, time.Since(began))
			time.Sleep(time.Duration(i) * time.Second)
		}
		slices.Sort(slow)
		t.Logf("append to the last of three readers: p50 %v, most %v", slow[15], slow[29])
		if slow[15] > 1200*time.Millisecond || slow[29] > 4*time.Second {
			t.Error("entries come late")
		}

		// A tag is taken once, and the box that is there comes back.
		first := pens[0].sent[0]
		var other mailbox.Box
		var taken *p2p.TakenError
		err = writer.Append(t.Context(), at.ID(), pens[0].public(), mailbox.SignEntry(pens[0].key, first.Tag, &other))
		if !errors.As(err, &taken) || mailbox.Box(taken.Box) != first.Box {
			t.Errorf("another box under a tag: %v", err)
		}
		pens[0].write(t, writer, at.ID(), first)

		// Many at once, and a restart in between.
		burst := func(n int) {
			var work sync.WaitGroup
			for i := range n {
				p := pens[i%2]
				e := p.entry()
				work.Go(func() { p.write(t, writer, at.ID(), e) })
			}
			work.Wait()
		}
		burst(60)
		all("a burst", readers)
		at.Stop()
		time.Sleep(10 * time.Second)
		at.Start()
		burst(5)
		all("entries after a restart", readers)

		late := followLogs(net, at.ID(), pens[0].name(), pens[1].name())
		defer late.Stop()
		late.WaitReady(t)
		late.begin()
		all("everything, at a late reader", []*logReader{late})
		readers = append(readers, late)

		found, end, err := late.ReadLog(t.Context(), at.ID(), pens[0].name(), 3, 1000)
		if err != nil || len(found) != len(pens[0].sent)-3 || int(end.Count) != len(pens[0].sent) || found[0].Position != 4 {
			t.Errorf("read %d entries, end %+v: %v", len(found), end, err)
		}
		var set mailbox.LogSet
		for _, e := range pens[0].sent {
			set.Add(e.Tag, &e.Box)
		}
		if end.Digest != set.Digest() {
			t.Error("the digest is another")
		}

		newest, _, err := late.ReadLog(t.Context(), at.ID(), pens[0].name(), mailbox.Newest, 3)
		if err != nil || len(newest) != 3 || newest[0].Position != end.Last || newest[2].Position != end.Last-2 {
			t.Errorf("the newest three are %d entries: %v", len(newest), err)
		}

		// The disk is lost: the writer repairs, and readers get the same again.
		was := end.Instance
		at.Stop()
		disks[at.Node] = mailbox.NewMemory(10_000)
		at.Start()
		for _, r := range readers {
			r.mu.Lock()
			for _, p := range pens {
				r.got[p.name()] = map[p2p.Tag]bool{}
			}
			r.mu.Unlock()
		}
		for _, p := range pens {
			for _, e := range p.sent {
				p.write(t, writer, at.ID(), e)
			}
		}
		all("everything, from a mailbox that had lost it", readers)
		p2ptest.Eventually(t, "another instance", func() bool {
			return !slices.ContainsFunc(readers, func(r *logReader) bool {
				r.mu.Lock()
				defer r.mu.Unlock()
				e := r.ends[pens[0].name()]
				return e.Instance == was || e.Instance == 0
			})
		})
		for i, r := range readers {
			if r.double > 0 {
				t.Errorf("reader %d got %d entries twice", i, r.double)
			}
		}
		_, _, err = late.ReadLog(t.Context(), at.ID(), p2p.LogName{9}, 0, 10)
		if err != nil {
			t.Errorf("a log that is not there: %v", err)
		}
	})
}

// TestLogTwins: the log lies at two mailboxes, and each reader has its entries from one of
// them; when that is gone it has them from the other.
func TestLogTwins(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := p2ptest.Virtual(t, 8, wan, nil)
		defer net.Stop()
		net.Settle(8)
		writer := net.Client(nil)
		defer writer.Stop()
		writer.WaitReady(t)
		ids, err := writer.ChooseMailboxes(2)
		if err != nil {
			t.Fatal(err)
		}
		p := newPen()
		var mu sync.Mutex
		came, ends := map[p2p.Tag][]p2p.NodeID{}, map[p2p.NodeID]p2p.LogEnd{}
		reader := net.Client(func(cfg *p2p.ClientConfig) {
			cfg.OnEntry = func(_ string, at p2p.NodeID, e p2p.LogEntry) {
				mu.Lock()
				defer mu.Unlock()
				came[e.Tag] = append(came[e.Tag], at)
			}
			cfg.OnEnd = func(_ string, at p2p.NodeID, end p2p.LogEnd) {
				mu.Lock()
				defer mu.Unlock()
				ends[at] = end
			}
		})
		defer reader.Stop()
		reader.WaitReady(t)
		for _, id := range ids {
			reader.Follow("room", id, []p2p.LogPosition{{Name: p.name()}})
		}
		write := func(n int, to ...p2p.NodeID) {
			t.Helper()
			for range n {
				e := p.entry()
				for _, id := range to {
					p.write(t, writer, id, e)
				}
				time.Sleep(3 * time.Second)
			}
			p2ptest.Eventually(t, "all entries", func() bool {
				mu.Lock()
				defer mu.Unlock()
				return len(came) == len(p.sent)
			})
		}
		time.Sleep(10 * time.Second)
		write(20, ids...)
		mu.Lock()
		near := came[p.sent[19].Tag][0]
		rung := 0 // the far mailbox brings a few, too, which shows whether the near one is deaf
		for _, e := range p.sent {
			switch at := came[e.Tag]; {
			case len(at) == 2 && at[0] != at[1]:
				rung++
			case len(at) != 1:
				t.Errorf("an entry came %d times", len(at))
			}
		}
		if rung > 10 {
			t.Errorf("%d of 20 entries came twice", rung)
		}
		mu.Unlock()
		p2ptest.Eventually(t, "both ends", func() bool {
			mu.Lock()
			defer mu.Unlock()
			return ends[ids[0]].Count == 20 && ends[ids[1]].Count == 20
		})

		far := ids[0]
		if far == near {
			far = ids[1]
		}
		net.Find(near).Stop()
		write(5, far)
	})
}

// BenchmarkWeekAway is a reader that comes back to 5,000 entries in seven logs at one mailbox,
// in virtual time on links of 50 to 100 ms.
func BenchmarkWeekAway(b *testing.B) {
	const entries, logs = 5000, 7
	for range b.N {
		synctest.Test(&testing.T{}, func(*testing.T) {
			disks := make([]*mailbox.Memory, 8)
			net := p2ptest.Virtual(b, 8, wan, func(i int, cfg *p2p.RelayConfig) {
				if disks[i] == nil {
					disks[i] = mailbox.NewMemory(40_000)
				}
				cfg.Store = disks[i]
			})
			defer net.Stop()
			net.Settle(8)
			var names []p2p.LogName
			began := time.Now()
			for l := range logs {
				names = append(names, p2p.LogName{byte(l + 1)})
				for i := range entries / logs {
					e := mailbox.Entry{Tag: randomTag()}
					disks[7].Append(b.Context(), names[l], &e, began.Add(time.Duration(i)*time.Second), true)
				}
			}
			var frames atomic.Int64
			r := followLogs(net, net.Relays[7].ID(), names...)
			defer r.Stop()
			r.WaitReady(b)
			before := net.Relays[7].Status().Mailbox
			began = time.Now()
			r.begin()
			newest := time.Duration(0)
			p2ptest.Eventually(b, "all entries", func() bool {
				n := 0
				for _, name := range names {
					n += r.has(name)
				}
				if newest == 0 && n >= 5*logs {
					newest = time.Since(began)
				}
				return n == entries/logs*logs
			})
			took := time.Since(began)
			after := net.Relays[7].Status().Mailbox
			frames.Add(after.Logged + after.Ended - before.Logged - before.Ended)
			b.ReportMetric(took.Seconds(), "virtual-s")
			b.ReportMetric(newest.Seconds(), "newest-s")
			b.ReportMetric(float64(frames.Load())*2400/1e6, "MB-down")
		})
	}
}
