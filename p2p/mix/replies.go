package mix

import (
	"container/list"
	"sync"
	"time"

	"starling/p2p/outfox"
	"starling/p2p/wire"
)

// Replies is a client's record of the reply blocks it handed out: each is good for
// one reply, until it expires. T is a value of the client's that comes back with the
// reply.
//
// The client is the last hop of the way back. Its own keys change with the epoch
// like a relay's, and are never published: only the blocks are made for them.
type Replies[T any] struct {
	self wire.NodeID
	max  int
	now  func() time.Time

	mu    sync.Mutex
	keys  map[outfox.Epoch]*outfox.PrivateKey
	open  map[outfox.ReplyID]*list.Element
	order *list.List // of *pending[T], oldest first
}

type pending[T any] struct {
	keys  *outfox.Keys
	slot  outfox.Slot // in which it expires
	owner T
}

// NewReplies returns an empty record for a client under its node id. It keeps at
// most max blocks, about 300 bytes each: with more, the oldest are forgotten. now is
// the clock that Routes has; nil is time.Now.
func NewReplies[T any](self wire.NodeID, max int, now func() time.Time) *Replies[T] {
	if now == nil {
		now = time.Now
	}
	return &Replies[T]{
		self: self, max: max, now: now,
		keys:  make(map[outfox.Epoch]*outfox.PrivateKey),
		open:  make(map[outfox.ReplyID]*list.Element),
		order: list.New(),
	}
}

// Block makes a reply block over a route from Routes.Back.
func (r *Replies[T]) Block(slot outfox.Slot, route [outfox.Layers - 1]outfox.Hop, owner T) (*outfox.Block, error) {
	key, err := r.key(slot.Epoch())
	if err != nil {
		return nil, err
	}
	block, keys, err := outfox.NewReplyBlock(slot, route, outfox.Hop{ID: r.self, Key: key.Public()})
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.open[keys.ID()] = r.order.PushBack(&pending[T]{keys, slot, owner})
	for r.order.Len() > r.max {
		r.forget(r.order.Front())
	}
	return block, nil
}

// key returns the client's key of an epoch, and forgets old ones.
func (r *Replies[T]) key(epoch outfox.Epoch) (key *outfox.PrivateKey, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.expire(r.now())
	if key = r.keys[epoch]; key == nil {
		if key, err = outfox.NewPrivateKey(); err == nil {
			r.keys[epoch] = key
		}
	}
	return key, err
}

// Open opens a packet that came in, and forgets its block. The error is
// outfox.ErrRefused for any packet but the first, unchanged reply to a block.
func (r *Replies[T]) Open(p *outfox.Packet) (owner T, m *outfox.Message, err error) {
	var none T
	now := r.now()
	r.mu.Lock()
	r.expire(now)
	var key *outfox.PrivateKey
	if x, ok := outfox.ResolveEpoch(p.Epoch(), now); ok {
		key = r.keys[x]
	}
	r.mu.Unlock()

	if key == nil {
		return none, nil, outfox.ErrRefused
	}
	got, err := key.Peel(p)
	if err != nil || got.Command != outfox.Reply {
		return none, nil, outfox.ErrRefused
	}

	r.mu.Lock()
	// Forgotten under the same lock: of two copies one is opened.
	e := r.open[got.ReplyID]
	if e == nil {
		r.mu.Unlock()
		return none, nil, outfox.ErrRefused
	}
	it := e.Value.(*pending[T])
	r.forget(e)
	r.mu.Unlock()

	if m, err = it.keys.Open(got); err != nil {
		return none, nil, err
	}
	return it.owner, m, nil
}

// Len returns how many blocks are out.
func (r *Replies[T]) Len() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.order.Len()
}

// expire forgets keys and blocks that no relay accepts any more. Blocks are made in
// the order of their slots, or nearly.
func (r *Replies[T]) expire(now time.Time) {
	oldest := outfox.EpochAt(now.Add(-outfox.KeyLife))
	for x := range r.keys {
		if x < oldest {
			delete(r.keys, x)
		}
	}
	slot := outfox.SlotAt(now)
	for e := r.order.Front(); e != nil && e.Value.(*pending[T]).slot < slot; e = r.order.Front() {
		r.forget(e)
	}
}

func (r *Replies[T]) forget(e *list.Element) {
	delete(r.open, r.order.Remove(e).(*pending[T]).keys.ID())
}
