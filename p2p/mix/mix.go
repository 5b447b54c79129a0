// Package mix is the packet engine of the mix network, apart from any transport: the
// work of a relay on a packet, and a client's choice of routes and record of replies.
//
// # Relay
//
// An Engine holds keys by epoch (outfox.Epoch, a unix day), in memory only, and makes
// them two days ahead. The key of a day opens from ten minutes before it, for makers
// with clocks that are ahead, until eight hours after it, when the last packet made for
// it expires. Then it is forgotten, and everything recorded for it is unreadable for
// good. A restart makes new keys. The replay tags of opened packets are remembered
// until the slot ends in which they expire.
//
// A packet that opens, is in time and was not seen waits for as long as its sender
// sampled, a second at most, then goes on. A packet at its end goes to the mailbox.
// Everything else is dropped without a word and counted by reason.
//
//	link → Handle → gate → peel → seen? ─ forward → path → delay → Sink.Forward
//	                                    └ deliver → path ────────→ Sink.Deliver
//
// # Shares
//
// All that a packet may hold is bounded and shared by links, so that nobody is better
// off for sending more:
//
//   - The gate opens so many packets a second that the memory of replay tags never
//     fills, for any slots that their senders choose. Links take turns.
//   - A client passes on 10 a second to each next hop, 100 ahead.
//   - The delay queue throws out a packet of the link that has most in it.
//
// Links that wait at the gate or for a path are not read meanwhile.
//
// # Client
//
// Routes chooses hops by the rules that its comment gives, and fails closed.
// Replies makes reply blocks and opens the replies.
package mix

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"starling/p2p/outfox"
	"starling/p2p/wire"
)

// Defaults of Config.
const (
	// DefaultMaxDelayed packets take about 20 MB.
	DefaultMaxDelayed = 8192
	// DefaultRate is a sixth of the packets that a core opens in a second.
	// DefaultMemory has room for as many.
	DefaultRate  = 2000
	DefaultBurst = 10 * DefaultRate
	// DefaultMemory keeps the replay tags of DefaultRate over the ten hours that a
	// packet may live, at 2.5 bytes each.
	DefaultMemory = DefaultRate * 36_000 * bitsPerTag / 8
	// DefaultPathRate packets a second, DefaultPathBurst ahead, pass from a client
	// to a next hop.
	DefaultPathRate, DefaultPathBurst = 10, 100
)

// Link is the link that a packet came over.
type Link struct {
	Peer wire.NodeID
	// Relay: it is in the list of relays. Others are clients.
	Relay bool
	// Network is the network of a client's address and its neighbours, if known. Its
	// clients count together when the delay queue is full.
	Network netip.Prefix
}

// Sink takes the packets that leave an Engine. Its methods must not block: a packet
// that cannot be passed on is dropped. Forward is called by any goroutine.
type Sink interface {
	// Forward passes a packet that came from a link to the next node: a relay, or
	// at layer Layers a relay's mailbox or a client that is connected here.
	Forward(from, next wire.NodeID, p *outfox.Packet)
	// Deliver takes a message for the mailbox of this relay.
	Deliver(m *outfox.Message)
}

// Config configures an Engine. Zero is the default of a number.
type Config struct {
	Sink Sink
	// Self is the relay that the engine works for: it passes nothing on to itself.
	Self wire.NodeID
	// Leads, if not nil, reports whether there is a way to the next node: to a relay,
	// or, at the end of a route, a client. Packets to others do not wait.
	Leads func(next wire.NodeID, end bool) bool

	MaxDelayed          int // packets that wait at a time
	Rate, Burst         int // packets opened a second, and ahead
	Memory              int // bytes of replay tags
	PathRate, PathBurst int // packets a second from a client to one next hop

	OnKeys func()           // called by Run when Keys changed; may be nil
	Now    func() time.Time // for epochs and slots; nil is time.Now
	Logger *slog.Logger     // nil: none
}

// withDefaults replaces zeros by the defaults.
func (cfg Config) withDefaults() Config {
	for _, n := range []struct {
		field *int
		value int
	}{
		{&cfg.MaxDelayed, DefaultMaxDelayed}, {&cfg.Memory, DefaultMemory},
		{&cfg.Rate, DefaultRate}, {&cfg.Burst, DefaultBurst},
		{&cfg.PathRate, DefaultPathRate}, {&cfg.PathBurst, DefaultPathBurst},
	} {
		if *n.field == 0 {
			*n.field = n.value
		}
	}
	if cfg.Leads == nil {
		cfg.Leads = func(wire.NodeID, bool) bool { return true }
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return cfg
}

// Reason is why a packet was dropped.
type Reason int

// Reasons.
const (
	Malformed Reason = iota // no packet
	NoKey                   // for an epoch without a key
	Sealed                  // does not open, or has fields that no layer may have
	Expired                 // too old, or for too long, or under another day's key
	Replay                  // opened before
	Misplaced               // a reply that ended at a relay, or a packet to itself
	Nowhere                 // there is no way to the next node
	Payload                 // changed on the way
	Overfull                // thrown out of the delay queue
	reasons
)

// String returns the word used in Stats.
func (r Reason) String() string {
	return [...]string{"malformed", "no key", "sealed", "expired", "replay", "misplaced", "nowhere", "payload", "overfull"}[r]
}

// Engine opens packets. Its methods may be called at the same time.
type Engine struct {
	cfg    Config
	gate   *gate
	paths  *paths
	delays *delays
	seen   *memory

	mu    sync.RWMutex // guards the fields below
	first outfox.Epoch // the epoch of the oldest key
	keys  map[outfox.Epoch]*outfox.PrivateKey
	// oldest is the first slot of which everything seen is remembered.
	oldest outfox.Slot

	forwarded, delivered atomic.Int64
	refused              [reasons]atomic.Int64
}

// NewEngine makes an engine with its keys.
func NewEngine(cfg Config) (*Engine, error) {
	cfg = cfg.withDefaults()
	e := &Engine{
		cfg:    cfg,
		gate:   newGate(cfg.Rate, cfg.Burst),
		paths:  newPaths(cfg.PathRate, cfg.PathBurst),
		delays: newDelays(cfg.MaxDelayed),
		seen:   newMemory(cfg.Memory),
		keys:   make(map[outfox.Epoch]*outfox.PrivateKey),
	}
	if _, err := e.advance(cfg.Now()); err != nil {
		return nil, err
	}
	return e, nil
}

// Run changes keys and lets packets go when their time has come. It returns when ctx
// ends; packets that still wait are dropped. Call it once.
func (e *Engine) Run(ctx context.Context) error {
	var work sync.WaitGroup
	work.Go(func() { e.delays.run(ctx, e.forward) })
	defer work.Wait()
	for {
		// Not one long wait: the machine may sleep, or its clock be set.
		now := e.cfg.Now()
		wait := min(time.Minute, max(time.Second, outfox.SlotAt(now).End().Sub(now)))
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil
		}

		// Asked for again, as the wait may have been long.
		changed, err := e.advance(e.cfg.Now())
		if err != nil {
			return err
		}
		if changed {
			e.cfg.Logger.Info("mix: new keys")
			if e.cfg.OnKeys != nil {
				e.cfg.OnKeys()
			}
		}
	}
}

// Handle takes the body of a packet frame, which it does not keep, from a link. It
// works in the caller's goroutine and returns when the link may be read on: whether
// the packet opened and was seen for the first time.
func (e *Engine) Handle(from Link, body []byte) (fresh bool) {
	p, err := outfox.ParsePacket(body)
	if err != nil {
		e.refuse(Malformed)
		return false
	}
	e.gate.enter(from)
	now := e.cfg.Now()
	// The epoch is in the clear: packets of no key cost no curve operation.
	key, oldest := e.key(p.Epoch(), now)
	if key == nil {
		e.refuse(NoKey)
		return false
	}
	got, err := key.Peel(p)
	if err != nil {
		e.refuse(Sealed)
		return false
	}

	// Only now that it opened may the packet take room.
	slot, ok := outfox.Expiry(p.Epoch(), got.Slot, now)
	if !ok || slot < oldest {
		e.refuse(Expired)
		return false
	}
	if !e.seen.add(slot, got.Replay) {
		e.refuse(Replay)
		return false
	}
	e.pass(from, &got)
	return true
}

// pass carries out the command of an opened layer.
func (e *Engine) pass(from Link, got *outfox.Peeled) {
	switch got.Command {
	case outfox.Forward:
		if got.Next == e.cfg.Self {
			e.refuse(Misplaced)
			return
		}

		// The sender chooses the next hop: without this it could have us dial anybody.
		if !e.cfg.Leads(got.Next, got.Packet.Layer() == outfox.Layers) {
			e.refuse(Nowhere)
			return
		}

		e.wait(from, got.Next)
		if got.Delay == 0 {
			e.forward(from.Peer, got.Next, got.Packet)
		} else if e.delays.add(from, time.Now().Add(got.Delay), got.Next, got.Packet) {
			e.refuse(Overfull)
		}
	case outfox.Deliver:
		// The payload is checked by the last hop alone: others cannot tell a changed one.
		m, err := got.Message()
		if err != nil {
			e.refuse(Payload)
			return
		}

		e.wait(from, e.cfg.Self)
		e.delivered.Add(1)
		e.cfg.Sink.Deliver(m)
	default:
		e.refuse(Misplaced)
	}
}

// wait keeps a client to its share of the path to a next hop.
func (e *Engine) wait(from Link, next wire.NodeID) {
	if !from.Relay {
		time.Sleep(e.paths.take(from.Peer, next))
	}
}

func (e *Engine) forward(from, next wire.NodeID, p *outfox.Packet) {
	e.forwarded.Add(1)
	e.cfg.Sink.Forward(from, next, p)
}

// refuse is the end of every packet that goes nowhere.
func (e *Engine) refuse(r Reason) { e.refused[r].Add(1) }

// Stats counts the work of an Engine.
type Stats struct {
	Forwarded, Delivered int64
	Waiting              int              // packets that wait now
	Seen                 int              // replay tags kept now
	Slowed               int64            // packets that waited to be opened
	Refused              map[string]int64 // by Reason, without zeros
}

// Stats returns the counts.
func (e *Engine) Stats() Stats {
	s := Stats{
		Forwarded: e.forwarded.Load(), Delivered: e.delivered.Load(),
		Waiting: e.delays.len(), Seen: e.seen.len(), Slowed: e.gate.count(),
		Refused: make(map[string]int64),
	}
	for r := range reasons {
		if n := e.refused[r].Load(); n > 0 {
			s.Refused[r.String()] = n
		}
	}
	return s
}
