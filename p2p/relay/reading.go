package relay

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"starling/p2p/wire"
)

const (
	// maxReadings is how many lists of relays with a voice are read at a time.
	maxReadings = 48
	// maxStrange is the same for nodes that only say that they are relays, and
	// maxStrangeNetwork for those of one /24 or /48.
	maxStrange        = 16
	maxStrangeNetwork = 4
)

// readings are the lists of others that this relay waits for or reads. To wait takes
// no part in anything that another needs:
//
//	a relay with a voice   has places of its own, and makes room once it is silent
//	a stranger             makes room for the next one, the longest silent first, out
//	                       of the network that has most
type readings struct {
	byNetwork bool

	mu  sync.Mutex
	all map[*reading]struct{}
}

// A reading is the list of one neighbour.
type reading struct {
	of      wire.NodeID
	voice   bool
	network netip.Prefix // of a stranger
	since   time.Time
	spoke   bool // a page has come
	cancel  context.CancelFunc
}

func newReadings(byNetwork bool) *readings {
	return &readings{byNetwork: byNetwork, all: map[*reading]struct{}{}}
}

// begin gives a place to the relay that is asked now. The context ends when another
// needs it; without one there is no place. Give the place back by end.
func (rs *readings) begin(ctx context.Context, of wire.NodeID, voice bool, network netip.Prefix) (context.Context, *reading) {
	if voice || !rs.byNetwork {
		network = netip.Prefix{}
	}
	it := &reading{of: of, voice: voice, network: network, since: time.Now()}

	rs.mu.Lock()
	defer rs.mu.Unlock()
	// Voices and strangers have places of their own: a flood of new relays leaves voices theirs.
	most, here := maxStrange, 0
	if voice {
		most = maxReadings
	}
	n := 0
	for o := range rs.all {
		if o.voice != voice {
			continue
		}
		n++
		if o.network == network {
			here++
		}
	}

	var out *reading
	switch {
	case !voice && rs.byNetwork && here >= maxStrangeNetwork:
		out = rs.least(func(o *reading) bool { return !o.voice && o.network == network })
	// One that has not answered yet gives way. Those that are reading are not disturbed.
	case n >= most && voice:
		if out = rs.least(func(o *reading) bool { return o.voice && !o.spoke }); out == nil {
			return ctx, nil
		}
	case n >= most:
		// The network with the most places pays: many relays of one owner push each other out.
		fullest := rs.fullest()
		out = rs.least(func(o *reading) bool { return !o.voice && o.network == fullest })
	}
	if out != nil {
		delete(rs.all, out)
		out.cancel()
	}

	ctx, it.cancel = context.WithCancel(ctx)
	rs.all[it] = struct{}{}
	return ctx, it
}

// fullest is the network that most strangers are of.
func (rs *readings) fullest() (fullest netip.Prefix) {
	counts := map[netip.Prefix]int{}
	most := 0
	for o := range rs.all {
		if !o.voice {
			counts[o.network]++
			most = max(most, counts[o.network])
		}
	}

	// Of equal ones that of the longest silence.
	var out *reading
	for o := range rs.all {
		if !o.voice && counts[o.network] == most && (out == nil || o.before(out)) {
			out, fullest = o, o.network
		}
	}
	return fullest
}

// least is the one that is let go first of some.
func (rs *readings) least(of func(*reading) bool) (out *reading) {
	for o := range rs.all {
		if of(o) && (out == nil || o.before(out)) {
			out = o
		}
	}
	return out
}

// before reports whether a reading is let go before another.
func (it *reading) before(o *reading) bool {
	if it.spoke != o.spoke {
		return !it.spoke
	}
	return it.since.Before(o.since)
}

// spoke notes that a page came.
func (rs *readings) spoke(of wire.NodeID) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	for o := range rs.all {
		if o.of == of {
			o.spoke = true
		}
	}
}

// end gives a place back.
func (rs *readings) end(it *reading) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	delete(rs.all, it)
	it.cancel()
}
