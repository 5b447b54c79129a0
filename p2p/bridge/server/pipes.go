package server

import (
	"cmp"
	"context"
	"io"
	"net"
	"net/netip"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"golang.org/x/time/rate"

	"starling/p2p/book"
	"starling/p2p/bridge"
	"starling/p2p/limits"
	"starling/p2p/link"
	"starling/p2p/wire"
)

// Limits of pipes.
const (
	// PipesPerClient is how many a client may have; there are PipesPerPlace for each
	// place of a client. When all are taken, the one that has been silent longest goes
	// of the client with most.
	PipesPerClient = 6
	PipesPerPlace  = 3
	// A client may ask for one in AskEvery, AskBurst saved up.
	AskEvery = 2 * time.Second
	AskBurst = 12
	// DialsAtOnce connections are under way at a time, DialsPerClient of one client and
	// DialsPerRelay to one relay, which would take our clients for a flood. When all are
	// taken, one goes of a network that has more than the asker's, then of a client that
	// has more, or one that waits longer than relays take.
	DialsAtOnce    = 64
	DialsPerClient = 4
	DialsPerRelay  = 6
	// maxAsked is how many clients have a remembered rate.
	maxAsked = 4096

	wordsTime = 5 * time.Second  // for a request
	dialTime  = 10 * time.Second // for the relay to take the connection
	longDial  = 2 * time.Second  // that one may take while others wait
	nextTry   = 250 * time.Millisecond
	pipeIdle  = 5 * time.Minute // without a byte either way: ends ask after each other in one
	writeTime = 15 * time.Second

	// PipeRate is how many bytes a second a pipe carries each way, PipeBurst at once.
	PipeRate   = 256 << 10
	PipeBurst  = 1 << 20
	pipeBuffer = 8 << 10
)

// pipes are those of one bridge, with the rates of those who ask for them.
type pipes struct {
	most  int
	total *rate.Limiter // bytes, of all pipes and both ways

	mu      sync.Mutex
	asks    *limits.Rates[wire.NodeID]
	of      map[wire.NodeID][]*pipe
	n       int
	dialing []*dial // oldest first
}

// pipe is one of them.
type pipe struct {
	client wire.NodeID
	used   atomic.Int64 // Unix nanoseconds
	end    context.CancelFunc
}

func newPipes(clients int, bandwidth int64) *pipes {
	p := &pipes{
		most: PipesPerPlace * max(clients, 1), total: rate.NewLimiter(rate.Inf, 0),
		asks: limits.NewRates[wire.NodeID](rate.Every(AskEvery), AskBurst, maxAsked),
		of:   map[wire.NodeID][]*pipe{},
	}
	p.limit(bandwidth)
	return p
}

// limit sets how many bytes a second all carry together, each way; 0 is no limit.
func (p *pipes) limit(bandwidth int64) {
	if bandwidth <= 0 {
		p.total.SetLimit(rate.Inf)
		return
	}
	p.total.SetBurst(max(int(bandwidth), pipeBuffer))
	p.total.SetLimit(rate.Limit(2 * bandwidth))
}

// bandwidth returns the limit.
func (p *pipes) bandwidth() int64 {
	if p.total.Limit() == rate.Inf {
		return 0
	}
	return int64(p.total.Limit()) / 2
}

// count returns how many there are.
func (p *pipes) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.n
}

// A dial is a connection to a relay that is being made.
type dial struct {
	client  wire.NodeID
	network netip.Prefix // of the client, zero where networks have no share
	relay   wire.NodeID
	began   time.Time
	end     context.CancelFunc
}

// ask reports whether a client may have a pipe to a relay made now, with the context of
// the dial. It is to be given back by asked.
func (p *pipes) ask(ctx context.Context, client wire.NodeID, network netip.Prefix, relay wire.NodeID) (context.Context, *dial, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	own, same := 0, 0
	for _, d := range p.dialing {
		if d.client == client {
			own++
		}
		if d.relay == relay {
			same++
		}
	}
	if !p.asks.Of(client).Allow() || own >= DialsPerClient || len(p.of[client])+own >= PipesPerClient {
		return nil, nil, false
	}

	fresh := &dial{client: client, network: network, relay: relay, began: time.Now()}
	toRelay := func(d *dial) bool { return d.relay == relay }
	anywhere := func(*dial) bool { return true }
	if same >= DialsPerRelay && !p.makeRoom(fresh, toRelay) || len(p.dialing) >= DialsAtOnce && !p.makeRoom(fresh, anywhere) {
		return nil, nil, false
	}
	ctx, fresh.end = context.WithCancel(ctx)
	p.dialing = append(p.dialing, fresh)
	return ctx, fresh, true
}

// makeRoom ends one dial of some for a new one, and reports whether it did. The caller
// holds the lock.
func (p *pipes) makeRoom(fresh *dial, some func(*dial) bool) bool {
	networks, clients := map[netip.Prefix]int{fresh.network: 1}, map[wire.NodeID]int{fresh.client: 1}
	for _, d := range p.dialing {
		if some(d) {
			networks[d.network]++
			clients[d.client]++
		}
	}
	heavier := func(a, b *dial) int {
		return cmp.Or(networks[a.network]-networks[b.network], clients[a.client]-clients[b.client])
	}
	var victim *dial // the oldest of the heaviest
	for _, d := range p.dialing {
		if some(d) && (victim == nil || heavier(d, victim) > 0) {
			victim = d
		}
	}
	if heavier(victim, fresh) <= 0 && time.Since(victim.began) < longDial {
		return false
	}
	p.drop(victim)
	return true
}

// asked gives a dial back, and ends what is left of it.
func (p *pipes) asked(d *dial) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drop(d)
}

// drop ends a dial. The caller holds the lock.
func (p *pipes) drop(d *dial) {
	d.end()
	p.dialing = slices.DeleteFunc(p.dialing, func(o *dial) bool { return o == d })
}

// add takes a pipe. Of more than there may be one has to go.
func (p *pipes) add(it *pipe) {
	it.used.Store(time.Now().UnixNano())
	p.mu.Lock()
	defer p.mu.Unlock()
	p.of[it.client] = append(p.of[it.client], it)
	if p.n++; p.n > p.most {
		p.victim().end()
	}
}

// victim is the pipe that has been silent longest of the client that has most.
func (p *pipes) victim() (victim *pipe) {
	most := 0
	for _, all := range p.of {
		most = max(most, len(all))
	}
	for _, all := range p.of {
		for _, it := range all {
			if len(all) == most && (victim == nil || it.used.Load() < victim.used.Load()) {
				victim = it
			}
		}
	}
	return victim
}

// remove gives a pipe back.
func (p *pipes) remove(it *pipe) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.n--
	rest := slices.DeleteFunc(p.of[it.client], func(o *pipe) bool { return o == it })
	if p.of[it.client] = rest; len(rest) == 0 {
		delete(p.of, it.client)
	}
}

// handler serves the streams of clients that ask for pipes.
func (b *Bridge) handler(ctx context.Context, serving *sync.WaitGroup) network.StreamHandler {
	return func(s network.Stream) {
		serving.Add(1)
		defer serving.Done()
		end := s.Reset
		defer func() { end() }()
		client, err := wire.NodeIDFromPeer(s.Conn().RemotePeer())
		if err != nil || ctx.Err() != nil {
			return
		}
		var words [bridge.RequestSize]byte
		s.SetDeadline(time.Now().Add(wordsTime))
		if _, err := io.ReadFull(s, words[:]); err != nil {
			b.refused.Add("pipe: no request")
			return
		}
		r, err := bridge.ParseRequest(words[:])
		if err != nil {
			b.refused.Add("pipe: malformed request")
			return
		}

		b.tap(s, "pipe", words[:])
		s.SetDeadline(time.Now().Add(dialTime + wordsTime))
		c, verdict := b.lead(ctx, client, b.origin(s.Conn()), r)
		_, err = s.Write(verdict.Append(nil))
		switch {
		case verdict != bridge.Open:
			end = s.Close // so that the answer arrives
			return
		case err != nil:
			c.Close()
			return
		}
		b.places.Worked(client)
		b.carry(ctx, client, s, c)
	}
}

// lead connects to the relay of a request.
func (b *Bridge) lead(ctx context.Context, client wire.NodeID, network netip.Prefix, r bridge.Request) (net.Conn, bridge.Verdict) {
	ctx, d, ok := b.pipes.ask(ctx, client, network, r.Relay)
	if !ok {
		b.refused.Add("pipe: asked too much")
		return nil, bridge.Busy
	}
	defer b.pipes.asked(d)

	permit, err := b.book.Open(r.Relay)
	if err != nil {
		b.refused.Add("pipe: unknown relay")
		return nil, bridge.Unknown
	}
	if permit.Source() != book.Listed {
		permit.Unknown()
		return nil, bridge.Unknown
	}

	c, at := b.dial(ctx, permit.Addrs(), r)
	permit.Done(at)
	switch {
	case c != nil:
	case ctx.Err() != nil:
		b.refused.Add("pipe: dial made room")
		return nil, bridge.Busy
	default:
		b.refused.Add("pipe: relay does not answer")
		return nil, bridge.Unreachable
	}
	return c, bridge.Open
}

// dial tries the addresses of a relay, a while apart. It returns nil if none answers.
func (b *Bridge) dial(ctx context.Context, addrs []book.Address, r bridge.Request) (net.Conn, book.Address) {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	type ended struct {
		c  net.Conn
		at book.Address
	}
	addrs = slices.DeleteFunc(addrs, func(a book.Address) bool { return a.Plain })

	ends := make(chan ended, len(addrs))
	next := time.NewTimer(0)
	defer next.Stop()
	for began, over := 0, 0; over < len(addrs); {
		select {
		case <-next.C:
		case e := <-ends:
			if over++; e.c == nil {
				break
			}
			go func() {
				for range began - over {
					if e := <-ends; e.c != nil {
						e.c.Close()
					}
				}
			}()
			return e.c, e.at
		}

		if began < len(addrs) {
			at := addrs[began]
			began++
			go func() {
				c, err := b.out.Carry(ctx, at, r.Relay, r.First)
				if err != nil {
					b.log.Debug("relay does not take a connection", "relay", r.Relay, "err", err)
					ends <- ended{}
					return
				}
				ends <- ended{c, at}
			}()
			next.Reset(nextTry)
		}
	}
	return nil, book.Address{}
}

// carry passes bytes on until either side ends, both are silent, or the pipe has to go.
func (b *Bridge) carry(ctx context.Context, client wire.NodeID, s network.Stream, c net.Conn) {
	defer c.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	it := &pipe{client: client, end: cancel}
	b.pipes.add(it)
	defer b.pipes.remove(it)
	s.SetDeadline(time.Time{})
	stop := context.AfterFunc(ctx, func() { s.Reset(); c.Close() })
	defer stop()

	var both sync.WaitGroup
	both.Go(func() {
		defer cancel()
		b.pass(ctx, it, c, s, func(p []byte) { b.tap(s, "up", p) })
	})
	both.Go(func() {
		defer cancel()
		b.pass(ctx, it, s, c, func(p []byte) { b.tap(s, "down", p) })
	})
	idle := time.NewTicker(pipeIdle / 4)
	defer idle.Stop()
	for {
		select {
		case <-ctx.Done():
			both.Wait()
			return
		case <-idle.C:
			if time.Since(time.Unix(0, it.used.Load())) >= pipeIdle {
				cancel()
			}
		}
	}
}

// end is one end of a pipe.
type end interface {
	io.ReadWriter
	SetWriteDeadline(time.Time) error
}

// pass passes bytes on in one direction.
func (b *Bridge) pass(ctx context.Context, it *pipe, to, from end, see func([]byte)) {
	pace := rate.NewLimiter(PipeRate, PipeBurst)
	buf := make([]byte, pipeBuffer)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			it.used.Store(time.Now().UnixNano())
			see(buf[:n])
			if pace.WaitN(ctx, n) != nil || b.pipes.total.WaitN(ctx, n) != nil {
				return
			}
			to.SetWriteDeadline(time.Now().Add(writeTime))
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// tap shows something to the test that listens.
func (b *Bridge) tap(s network.Stream, what string, data []byte) {
	if b.cfg.Tap == nil {
		return
	}
	id, _ := wire.NodeIDFromPeer(s.Conn().RemotePeer())
	b.cfg.Tap(link.Seen{What: what, Peer: id, Addr: s.Conn().RemoteMultiaddr().String(), Data: slices.Clone(data)})
}
