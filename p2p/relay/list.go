package relay

import (
	"context"
	"errors"
	"maps"
	mrand "math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/event"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/host/eventbus"

	"starling/p2p/admission"
	"starling/p2p/book"
	"starling/p2p/directory"
	"starling/p2p/pace"
	"starling/p2p/wire"
)

const (
	// mostCapacity is a relay's claim, in packets a second: about as many as one core
	// opens in a quarter of its time.
	mostCapacity = 2000

	lifeMin      = 3 * time.Hour
	lifeMax      = directory.MaxLifetime
	lifePerRelay = 3 * time.Minute

	// When to announce ourselves, and to how many neighbours once is enough.
	announceLook   = time.Minute
	announceAgain  = 2500 * time.Millisecond
	announceSettle = 50 * time.Millisecond
	announceTo     = 1

	syncMin     = 30 * time.Second
	syncSoon    = 300 * time.Millisecond // while somebody is undecided
	syncMax     = 5 * time.Minute
	syncTimeout = time.Minute
)

// Lifetime is how long a descriptor is valid. In a large directory relays come
// and go slowly and every descriptor costs everybody, so it grows with size.
func Lifetime(relays int) time.Duration {
	return min(max(lifeMin, time.Duration(relays)*lifePerRelay), lifeMax)
}

// Renewal is how long after a descriptor the next one follows: half of its life,
// so that one that goes nowhere costs nothing. From some thousand relays on it is
// a day.
func Renewal(relays int) time.Duration { return Lifetime(relays) / 2 }

// announce publishes our descriptor: at once, again when the neighbourhood has
// grown, when keys or addresses change, and twice in a lifetime.
func (r *Relay) announce(ctx context.Context) error {
	addrs, err := r.host.EventBus().Subscribe(new(event.EvtLocalAddressesUpdated), eventbus.Name("relay"))
	if err != nil {
		return err
	}
	defer addrs.Close()

	r.publish(ctx)
	published, peers, vouched := time.Now(), 0, false

	// Gossip passes a message on to the neighbours that a heartbeat, once a second, has
	// made part of the mesh. A message sent before that may have reached nobody.
	again := time.After(pace.Jitter(announceAgain))

	grown := make(chan struct{}, 1)
	done := make(chan struct{})
	go func() {
		r.gossip.Joined(ctx, func() { pace.Kick(grown) })
		close(done)
	}()
	defer func() { <-done }()

	for {
		timer := time.NewTimer(pace.Jitter(announceLook))
		due := false
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-r.keys:
			due = true
		case <-addrs.Out():
			due = true
		case <-again:
			due = true
		// Enough vouchers are news once: each further one would only add traffic.
		case <-r.lobby.vouched:
			due = r.reachedAs()
			enough := r.enoughVouchers()
			if due = due || enough && !vouched; due {
				again = time.After(pace.Jitter(announceAgain))
			}
			vouched = enough
		case <-grown:
			// Others may be coming, too, and their streams be opening.
			select {
			case <-time.After(announceSettle):
			case <-ctx.Done():
			}
		case <-timer.C:
		}

		timer.Stop()
		// With addresses to claim, and in no list of our own: the descriptor has run out.
		n := r.gossip.Peers()
		_, listed := r.dir.Find(r.id)
		due = due || time.Since(published) > Renewal(len(r.dir.Snapshot().Relays)) || !listed && len(r.claims()) > 0
		// A descriptor published to few neighbours may have reached nobody, and gossip
		// does not repeat it.
		if due || n > peers && peers < announceTo {
			r.publish(ctx)
			published, peers = time.Now(), n
		}
	}
}

// enoughVouchers reports whether there are as many as others ask for.
func (r *Relay) enoughVouchers() bool {
	raw := r.dir.Signed(r.id)
	others := len(r.lobby.register.Others())
	return raw != nil && len(r.lobby.applicant.Vouchers(raw, admission.Day(r.now()))) >= admission.Needed(max(1, others-1))
}

// publish signs and spreads a new descriptor.
func (r *Relay) publish(ctx context.Context) {
	raw, err := r.descriptor(r.capacity(), r.claims())
	if err != nil {
		r.log.Warn("relay cannot be listed", "err", err)
		return
	}
	if raw == nil {
		r.dir.Remove(r.id)
		if len(r.allClaims()) == 0 {
			r.log.Warn("the relay has no public address and is not listed; announce the one that others reach, or in a mesh of your own allow private addresses")
		}
		return
	}
	r.spread(ctx, raw)
}

// spread takes our own descriptor into the list, without a check by others, and passes
// it on with its vouchers.
func (r *Relay) spread(ctx context.Context, raw []byte) {
	if err := r.dir.Add(raw); err != nil && !errors.Is(err, directory.ErrOften) {
		r.log.Warn("relay cannot be listed", "err", err)
		return
	} else if err != nil {
		return // its time comes
	}
	if r.dir.Since(r.id).IsZero() {
		r.dir.Reached(r.id, r.lobby.register.Since(raw))
	}
	news := admission.News{Raw: raw, Vouchers: r.lobby.applicant.Vouchers(raw, admission.Day(r.now()))}
	if err := r.gossip.Publish(ctx, news.Append(nil)); err != nil && ctx.Err() == nil {
		r.log.Warn("relay descriptor is not published", "err", err)
	}
}

// farewell tells the others that this relay leaves.
func (r *Relay) farewell() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if raw, err := r.descriptor(0, r.claims()); err == nil && raw != nil && r.gossip.Peers() > 0 {
		r.spread(ctx, raw)
		// Gossipsub writes in the background and says nothing when done.
		time.Sleep(50 * time.Millisecond)
	}
}

// descriptor makes the next descriptor, with some addresses, or nil without one.
func (r *Relay) descriptor(capacity uint16, addrs []directory.Address) ([]byte, error) {
	if len(addrs) == 0 {
		return nil, nil
	}

	now := r.now()
	r.mu.Lock()
	// By the time, so that a relay that has lost its state does not count from 1.
	r.seq = max(r.seq+1, uint64(now.UnixMilli()))
	// After our clock was set back, the descriptors signed before still stand.
	if d, ok := r.dir.Find(r.id); ok {
		r.seq = max(r.seq, d.Sequence+1)
	}
	seq := r.seq
	r.mu.Unlock()

	d := directory.Descriptor{
		ID: r.id, Sequence: seq, Issued: now,
		Expires:  now.Add(Lifetime(len(r.dir.Snapshot().Relays))),
		Capacity: capacity, Features: directory.FeatureMailbox,
		Epoch: directory.FirstEpoch(now), Family: r.family, Addresses: addrs,
	}

	keys, err := r.engine.Keys(now)
	if err != nil {
		return nil, err
	}
	for i := range d.Keys {
		d.Keys[i] = keys[i].Public
	}

	// With the promise of the next salt: nobody can choose one once the list is known.
	if err := d.Promise(r.key); err != nil {
		return nil, err
	}
	return d.Sign(r.key)
}

// sync asks relays for their lists: each when it connects, and one now and then,
// because gossip loses messages and a mesh that was cut has two lists.
func (r *Relay) sync(ctx context.Context) error {
	var work sync.WaitGroup
	defer work.Wait()

	asked := map[wire.NodeID]time.Time{} // of late
	pull := func(id wire.NodeID) {
		if now := time.Now(); now.Sub(asked[id]) < syncSoon {
			return
		} else if asked[id] = now; len(asked) > 4*maxMet {
			maps.DeleteFunc(asked, func(_ wire.NodeID, at time.Time) bool { return now.Sub(at) >= syncSoon })
		}
		ctx, it := r.readings.begin(ctx, id, r.voice(id), r.network(id))
		if it == nil {
			return // the next round will do
		}
		work.Go(func() {
			defer r.readings.end(it)
			r.pull(ctx, id)
		})
	}

	pause, undecided := syncMin, 0
	next := time.Now().Add(pace.Jitter(pause))
	for {
		// Somebody is vouched for by too few that we know: others may know more.
		if n := r.lobby.register.Undecided(); n > undecided {
			undecided, pause = n, syncSoon
			if soon := time.Now().Add(pace.Jitter(pause)); soon.Before(next) {
				next = soon
			}
		}

		timer := time.NewTimer(time.Until(next)) // whoever comes meanwhile puts nothing off
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case id := <-r.met:
			pull(id)
		case <-timer.C:
			if id, ok := r.someRelay(); ok {
				pull(id)
			}
			pause = min(2*pause, syncMax)
			next = time.Now().Add(pace.Jitter(pause))
		}
		timer.Stop()
	}
}

// pull reads the list of one relay.
func (r *Relay) pull(ctx context.Context, id wire.NodeID) {
	ctx, cancel := context.WithTimeout(ctx, syncTimeout)
	defer cancel()
	if err := r.links.Dial(ctx, id); err != nil {
		return
	}
	defer r.learnTime()
	if n, err := r.list.Pull(ctx, id); err != nil {
		r.log.Debug("asking for the list of relays", "relay", id, "err", err)
	} else if n > 0 {
		r.log.Debug("list of relays grew", "by", n)
	}
}

// minRelays is how many relays the route of a client needs.
const minRelays = 5

// newcomer reports whether fewer relays are known than a client's route needs.
func (r *Relay) newcomer() bool { return len(r.dir.Snapshot().Relays) < minRelays }

// someRelay draws a relay that is connected: one with a voice, if there is any. Of
// strangers there may be any number.
func (r *Relay) someRelay() (id wire.NodeID, ok bool) {
	var heard, others []wire.NodeID
	for _, p := range r.relayPeers() {
		switch id, err := wire.NodeIDFromPeer(p); {
		case err != nil:
		case r.voice(id):
			heard = append(heard, id)
		default:
			others = append(others, id)
		}
	}
	if len(heard) == 0 {
		heard = others
	}
	if len(heard) == 0 {
		return id, false
	}
	return heard[mrand.IntN(len(heard))], true
}

// relayPeers returns the relays that are connected.
func (r *Relay) relayPeers() []peer.ID {
	return slices.DeleteFunc(r.host.Network().Peers(), func(p peer.ID) bool { return !r.isRelay(p) })
}

// known returns the relays to connect to: listed where we have a way to, or given.
func (r *Relay) known() []wire.NodeID {
	all := r.book.Named()
	six := r.hasSix()
	for _, d := range r.dir.Snapshot().Relays {
		reach := func(a directory.Address) bool { return a.Dialable() && (six || a.Addr().Is4()) }
		if d.ID != r.id && !slices.Contains(all, d.ID) && slices.ContainsFunc(d.Addresses, reach) {
			all = append(all, d.ID)
		}
	}
	return all
}

// hear takes a relay that the DHT, or a list of long ago, knows for a candidate.
func (r *Relay) hear(info peer.AddrInfo) {
	id, err := wire.NodeIDFromPeer(info.ID)
	if err != nil || id == r.id {
		return
	}
	var addrs []book.Address
	for _, m := range info.Addrs {
		if a, ok := book.AddressOf(m); ok {
			addrs = append(addrs, a)
		}
	}
	r.book.Hear(id, addrs...)
}
