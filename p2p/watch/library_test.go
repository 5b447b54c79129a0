package watch

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"starling/p2p/mailbox"
	"starling/p2p/outfox"
	"starling/p2p/wire"
)

// library is a mailbox of logs on a network that loses requests and answers.
type library struct {
	mu       sync.Mutex
	rnd      *rand.Rand
	lose     float64
	instance uint32
	logs     map[mailbox.LogName][]mailbox.LogEntry
	standing map[mailbox.LeaseID]*shelfReader
	requests []*mailbox.Follow
	times    []time.Time
	issued   time.Time // its descriptor
	renews   time.Duration
	hopes    int // requests that are not owed an answer
	// late is how much longer a request that leaves now is on its way.
	late time.Duration
	// lie answers in place of the library, if it is not nil.
	lie     func(f *mailbox.Follow, answered func(*mailbox.Answer))
	missing atomic.Bool // as the judge has it
}

// shelfReader has blocks at a library.
type shelfReader struct {
	logs   []mailbox.LogPosition
	blocks []func(*mailbox.Answer)
}

func newLibrary(seed uint64) *library {
	l := &library{rnd: rand.New(rand.NewPCG(seed, 7))}
	l.wipe()
	return l
}

// wipe loses the disk, restart what is in memory.
func (l *library) wipe() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.instance++
	l.logs, l.standing = map[mailbox.LogName][]mailbox.LogEntry{}, map[mailbox.LeaseID]*shelfReader{}
}

func (l *library) restart() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.standing = map[mailbox.LeaseID]*shelfReader{}
}

// loses has so much of all requests and answers be lost from now on.
func (l *library) loses(part float64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lose = part
}

// lost says whether something is lost on its way.
func (l *library) lost() bool { return l.rnd.Float64() < l.lose }

// post is Config.Post.
func (l *library) post(_ context.Context, _ wire.NodeID, n int, seal Sealing, answered func(*mailbox.Answer)) (Request, error) {
	blocks := make([]*outfox.Block, n)
	for i := range blocks {
		blocks[i], _ = outfox.ParseBlock(make([]byte, outfox.BlockSize))
	}
	m, err := seal(blocks)
	if err != nil {
		return nil, err
	}
	req, err := mailbox.ParseRequest(m)
	if err != nil {
		return nil, err
	}
	f, ok := req.(*mailbox.Follow)
	if !ok {
		return nil, fmt.Errorf("a %T", req)
	}

	l.mu.Lock()
	defer l.mu.Unlock()
	l.requests, l.times = append(l.requests, f), append(l.times, time.Now())
	switch {
	case l.lie != nil:
		go l.lie(f, answered)
	case !l.lost():
		time.AfterFunc(l.latency()+l.late, func() { l.serve(f, answered) })
	}
	return fakeRequest{}, nil
}

func (l *library) latency() time.Duration {
	return 200*time.Millisecond + time.Duration(l.rnd.IntN(200))*time.Millisecond
}

// send sends an answer, which may be lost, and overtake others.
func (l *library) send(block func(*mailbox.Answer), a *mailbox.Answer) {
	if !l.lost() {
		time.AfterFunc(l.latency(), func() { block(a) })
	}
}

func (l *library) serve(f *mailbox.Follow, answered func(*mailbox.Answer)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.standing[f.Lease]
	if f.Mode != mailbox.More || r == nil {
		r = &shelfReader{logs: f.Logs}
	} else {
		for range f.Blocks {
			r.blocks = append(r.blocks, answered)
		}
		return
	}

	free := len(f.Blocks)
	if f.Mode == mailbox.Stand {
		free--
	}
	var found []mailbox.LogEntry
	left := 0
	for _, p := range f.Logs {
		for _, e := range l.logs[p.Name] {
			switch {
			case e.Position <= p.After:
			case len(found) < free:
				found = append(found, e)
			default:
				left++
			}
		}
	}
	free -= len(found)
	stands := 0
	if f.Mode != mailbox.Look {
		for range free {
			r.blocks = append(r.blocks, answered)
		}
		stands = free
		l.standing[f.Lease] = r
	}
	for _, e := range found {
		l.send(answered, &mailbox.Answer{Kind: mailbox.Logged, Pending: left, Standing: stands, Entry: &e})
	}
	if f.Mode == mailbox.Stand || f.Mode == mailbox.Look && free > 0 {
		a := &mailbox.Answer{Kind: mailbox.Ended, Standing: stands, Sent: len(found)}
		for _, p := range f.Logs {
			a.Ends = append(a.Ends, l.end(p.Name))
		}
		l.send(answered, a)
	}
}

func (l *library) end(name mailbox.LogName) mailbox.LogEnd {
	all := l.logs[name]
	if len(all) == 0 {
		return mailbox.LogEnd{Name: name}
	}
	var set mailbox.LogSet
	for i := range all {
		set.Add(all[i].Tag, &all[i].Box)
	}
	return mailbox.LogEnd{Name: name, Instance: l.instance, Count: uint32(len(all)), Last: all[len(all)-1].Position, Digest: set.Digest()}
}

// add appends an entry, unless it is there. skip leaves positions out, as if entries there
// had expired.
func (l *library) add(name mailbox.LogName, tag mailbox.Tag, skip uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.logs[name]
	if slices.ContainsFunc(all, func(e mailbox.LogEntry) bool { return e.Tag == tag }) {
		return
	}
	e := mailbox.LogEntry{Name: name, Instance: l.instance, Position: 1 + skip, Entry: mailbox.Entry{Tag: tag}}
	if len(all) > 0 {
		e.Position += all[len(all)-1].Position
	}
	l.logs[name] = append(all, e)
	for _, r := range l.standing {
		named := slices.ContainsFunc(r.logs, func(p mailbox.LogPosition) bool { return p.Name == name })
		if named && len(r.blocks) > 0 {
			block := r.blocks[0]
			r.blocks = r.blocks[1:]
			l.send(block, &mailbox.Answer{Kind: mailbox.Logged, Standing: len(r.blocks), Entry: &e})
		}
	}
}

// took returns the requests since the last call.
func (l *library) took() (requests []*mailbox.Follow, times []time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	requests, times = l.requests, l.times
	l.requests, l.times = nil, nil
	return requests, times
}

// member follows logs at libraries and keeps what it gets.
type member struct {
	ws     *Watches
	mu     sync.Mutex
	got    map[wire.NodeID]map[mailbox.LogName]map[mailbox.Tag]int
	ends   map[wire.NodeID]map[mailbox.LogName]mailbox.LogEnd
	logs   map[wire.NodeID][]mailbox.LogPosition
	early  int // ends before all that is there
	counts map[string]int
	silent bool // nothing is acknowledged
	// endsTold counts ends.
	endsTold map[wire.NodeID]int
}

func newMember(t *testing.T, libraries map[wire.NodeID]*library, poll time.Duration, logs ...mailbox.LogPosition) *member {
	m := &member{
		got: map[wire.NodeID]map[mailbox.LogName]map[mailbox.Tag]int{}, ends: map[wire.NodeID]map[mailbox.LogName]mailbox.LogEnd{},
		logs: map[wire.NodeID][]mailbox.LogPosition{}, counts: map[string]int{}, endsTold: map[wire.NodeID]int{},
	}
	m.ws = New(Config{
		Post: func(ctx context.Context, at wire.NodeID, n int, owed bool, seal Sealing, answered func(*mailbox.Answer)) (Request, error) {
			if !owed {
				libraries[at].mu.Lock()
				libraries[at].hopes++
				libraries[at].mu.Unlock()
			}
			return libraries[at].post(ctx, at, n, seal, answered)
		},
		Issued: func(at wire.NodeID) time.Time { return libraries[at].issued },
		Renews: func(at wire.NodeID) time.Time { return libraries[at].issued.Add(libraries[at].renews) }, Missing: func(at wire.NodeID) bool { return libraries[at].missing.Load() },
		Count: func(what string) {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.counts[what]++
		},
		Patience: 6 * time.Second, Retry: 500 * time.Millisecond, Poll: poll, PollShare: poll / 2,
		OnEntry: m.entry, OnEnd: m.end,
	})
	for at := range libraries {
		m.logs[at] = slices.Clone(logs)
		m.got[at], m.ends[at] = map[mailbox.LogName]map[mailbox.Tag]int{}, map[mailbox.LogName]mailbox.LogEnd{}
		for _, p := range logs {
			m.got[at][p.Name] = map[mailbox.Tag]int{}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	var done sync.WaitGroup
	done.Go(func() { m.ws.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		done.Wait()
	})
	for at := range libraries {
		m.ws.Follow("room", at, m.logs[at])
	}
	return m
}

func (m *member) entry(_ string, at wire.NodeID, e mailbox.LogEntry) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.got[at][e.Name][e.Tag]++
}

func (m *member) end(key string, at wire.NodeID, end mailbox.LogEnd) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ends[at][end.Name] = end
	m.endsTold[at]++
	came := map[mailbox.Tag]bool{}
	for _, logs := range m.got {
		for tag := range logs[end.Name] {
			came[tag] = true
		}
	}
	if len(came) < int(end.Count) {
		m.early++
	}
	if m.silent || end.Instance == 0 {
		return
	}
	for i := range m.logs[at] {
		if p := &m.logs[at][i]; p.Name == end.Name {
			p.Instance, p.After = end.Instance, end.Last
		}
	}
	m.ws.Follow(key, at, m.logs[at])
}

func (m *member) has(at wire.NodeID, name mailbox.LogName) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.got[at][name])
}

// union is how many entries of a log came from anywhere.
func (m *member) union(name mailbox.LogName) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := map[mailbox.Tag]bool{}
	for _, logs := range m.got {
		for tag := range logs[name] {
			all[tag] = true
		}
	}
	return len(all)
}
