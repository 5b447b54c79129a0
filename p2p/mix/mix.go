// Package mix is the packet engine of the mix network, apart from any transport:
// what a relay does with a packet, and how a client chooses routes and keeps track
// of replies.
//
// # Relay
//
// An Engine holds one key per epoch (outfox.Epoch, a unix day), in memory only. It
// accepts packets for the epochs before, now and after; a key is forgotten when its
// epoch is more than one behind, and everything recorded for it is then unreadable
// for good. A restart makes new keys. With each key live the replay tags of all it
// opened, for exactly as long.
//
// What opens and was not seen waits for as long as its sender sampled, then goes
// on; what ends here goes to the mailbox. Everything else is dropped without a
// word and counted by reason.
//
//	link → Handle → peel → seen? ─ forward → delay → Sink.Forward
//	                             └ deliver ────────→ Sink.Deliver
//
// # Client
//
// Routes chooses hops by the rules that its comment gives, and fails closed.
// Replies makes reply blocks and opens what comes back.
package mix

import (
	"context"
	"log/slog"
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
	// DefaultMaxSeen packets a day are 48 a second. See seen for the memory.
	DefaultMaxSeen = 1 << 22
)

// Sink takes what an Engine lets go. Its methods must not block: what cannot be
// passed on is dropped. Forward is called by any goroutine.
type Sink interface {
	// Forward passes a packet to the next node: a relay, or at layer Layers a
	// relay's mailbox or a client that is connected here.
	Forward(next wire.NodeID, p *outfox.Packet)
	// Deliver takes a message for the mailbox of this relay.
	Deliver(m *outfox.Message)
}

// Config configures an Engine.
type Config struct {
	Sink       Sink
	MaxDelayed int              // packets that wait at a time; zero is DefaultMaxDelayed
	MaxSeen    int              // packets opened per key; zero is DefaultMaxSeen
	OnKeys     func()           // called by Run when Keys changed; may be nil
	Now        func() time.Time // for epochs; nil is time.Now
	Logger     *slog.Logger     // nil: none
}

// Reason is why a packet was dropped.
type Reason int

// Reasons.
const (
	Malformed Reason = iota // no packet
	NoKey                   // for an epoch without a key
	Sealed                  // does not open, or says what no layer may say
	Replay                  // opened before
	Misplaced               // a reply that ended at a relay
	Payload                 // changed on the way
	Overfull                // too many packets wait
	Exhausted               // too many packets opened under this key
	reasons
)

// String returns the word used in Stats.
func (r Reason) String() string {
	return [...]string{"malformed", "no key", "sealed", "replay", "misplaced", "payload", "overfull", "exhausted"}[r]
}

// Engine opens packets. Its methods may be called at the same time.
type Engine struct {
	cfg    Config
	delays *delays

	mu    sync.RWMutex // guards what follows
	epoch outfox.Epoch
	keys  map[outfox.Epoch]*epochKey

	forwarded, delivered atomic.Int64
	refused              [reasons]atomic.Int64
}

// epochKey is a key and what it opened.
type epochKey struct {
	private *outfox.PrivateKey
	seen    *seen
}

// Key is the public part of an engine's key, for the relay's descriptor.
type Key struct {
	Epoch  outfox.Epoch
	Public outfox.PublicKey
}

// NewEngine makes an engine with keys for this epoch and the next.
func NewEngine(cfg Config) (*Engine, error) {
	if cfg.MaxDelayed == 0 {
		cfg.MaxDelayed = DefaultMaxDelayed
	}
	if cfg.MaxSeen == 0 {
		cfg.MaxSeen = DefaultMaxSeen
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	e := &Engine{
		cfg:    cfg,
		delays: newDelays(cfg.MaxDelayed),
		keys:   make(map[outfox.Epoch]*epochKey),
	}
	if _, err := e.advance(cfg.Now()); err != nil {
		return nil, err
	}
	return e, nil
}

// advance brings the keys to the epoch of now and reports whether they changed.
func (e *Engine) advance(now time.Time) (changed bool, err error) {
	epoch := outfox.EpochAt(now)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.keys[epoch] != nil && e.epoch == epoch {
		return false, nil
	}
	for x := range e.keys {
		if x+1 < epoch || x > epoch+2 {
			delete(e.keys, x)
		}
	}
	for _, x := range []outfox.Epoch{epoch, epoch + 1} {
		if e.keys[x] != nil {
			continue
		}
		k, err := outfox.NewPrivateKey()
		if err != nil {
			return false, err
		}
		e.keys[x] = &epochKey{private: k, seen: newSeen(e.cfg.MaxSeen)}
	}
	e.epoch = epoch
	return true, nil
}

// Keys returns the public keys of this epoch and the next.
func (e *Engine) Keys() []Key {
	e.mu.RLock()
	defer e.mu.RUnlock()
	return []Key{
		{e.epoch, e.keys[e.epoch].private.Public()},
		{e.epoch + 1, e.keys[e.epoch+1].private.Public()},
	}
}

// KeysFrom returns the public keys of some epochs, from the one before this to the
// second after: those that a descriptor has. It makes what it does not have.
func (e *Engine) KeysFrom(first outfox.Epoch, n int) ([]Key, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	keys := make([]Key, n)
	for i := range keys {
		x := first + outfox.Epoch(i)
		if e.keys[x] == nil {
			k, err := outfox.NewPrivateKey()
			if err != nil {
				return nil, err
			}
			e.keys[x] = &epochKey{private: k, seen: newSeen(e.cfg.MaxSeen)}
		}
		keys[i] = Key{x, e.keys[x].private.Public()}
	}
	return keys, nil
}

// Run changes keys at the end of each epoch and lets packets go when their time has
// come. It returns when ctx ends; what still waits is dropped. Call it once.
func (e *Engine) Run(ctx context.Context) error {
	var work sync.WaitGroup
	work.Go(func() { e.delays.run(ctx, e.forward) })
	defer work.Wait()
	for {
		// Not one long wait: the machine may sleep, or its clock be set.
		wait := min(time.Minute, max(time.Second, outfox.EpochAt(e.cfg.Now()).End().Sub(e.cfg.Now())))
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil
		}
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

// Handle takes the body of a packet frame, which it does not keep. It peels in the
// caller's goroutine, so that a link cannot send faster than it is worked off.
func (e *Engine) Handle(body []byte) {
	p, err := outfox.ParsePacket(body)
	if err != nil {
		e.refuse(Malformed)
		return
	}
	e.Submit(p)
}

// Submit takes a packet: one read from a link, or one made here.
func (e *Engine) Submit(p *outfox.Packet) {
	key := e.key(p.Epoch())
	if key == nil {
		e.refuse(NoKey)
		return
	}
	got, err := key.private.Peel(p)
	if err != nil {
		e.refuse(Sealed)
		return
	}
	// Only now that it opened may the packet take room.
	switch key.seen.add(got.Replay) {
	case seenBefore:
		e.refuse(Replay)
		return
	case seenFull:
		e.refuse(Exhausted)
		return
	}
	switch got.Command {
	case outfox.Forward:
		if got.Delay == 0 {
			e.forward(got.Next, got.Packet)
		} else if !e.delays.add(time.Now().Add(got.Delay), got.Next, got.Packet) {
			e.refuse(Overfull)
		}
	case outfox.Deliver:
		m, err := got.Message()
		if err != nil {
			e.refuse(Payload)
			return
		}
		e.delivered.Add(1)
		e.cfg.Sink.Deliver(m)
	default:
		e.refuse(Misplaced)
	}
}

func (e *Engine) key(b byte) *epochKey {
	e.mu.RLock()
	defer e.mu.RUnlock()
	if x, ok := e.epoch.Resolve(b); ok {
		return e.keys[x]
	}
	return nil
}

func (e *Engine) forward(next wire.NodeID, p *outfox.Packet) {
	e.forwarded.Add(1)
	e.cfg.Sink.Forward(next, p)
}

// refuse is the end of every packet that goes nowhere.
func (e *Engine) refuse(r Reason) { e.refused[r].Add(1) }

// Stats counts what an Engine did.
type Stats struct {
	Forwarded, Delivered int64
	Waiting              int              // packets that wait now
	Seen                 int              // replay tags kept now
	Refused              map[string]int64 // by Reason, without zeros
}

// Stats returns the counts.
func (e *Engine) Stats() Stats {
	s := Stats{
		Forwarded: e.forwarded.Load(), Delivered: e.delivered.Load(),
		Waiting: e.delays.len(), Refused: make(map[string]int64),
	}
	e.mu.RLock()
	for _, k := range e.keys {
		s.Seen += k.seen.len()
	}
	e.mu.RUnlock()
	for r := range reasons {
		if n := e.refused[r].Load(); n > 0 {
			s.Refused[r.String()] = n
		}
	}
	return s
}
