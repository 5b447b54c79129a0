package relay

import (
	"context"
	"errors"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/sec"

	"starling/p2p/directory"
	"starling/p2p/host"
	"starling/p2p/pace"
)

const (
	// A relay that its owner named has so long to answer before the owner is told, and
	// is looked after again so much later.
	bootstrapWait  = 20 * time.Second
	bootstrapAgain = time.Hour
)

// A lookout tells the owner of relays to start from that do not answer, once each: such a
// relay is of no use, and nobody would know.
type lookout struct{ *Relay }

// run looks until ctx ends.
func (r lookout) run(ctx context.Context) error {
	told := map[string]bool{}
	for wait := bootstrapWait; ; wait = bootstrapAgain {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pace.Jitter(wait)):
		}
		for _, h := range r.bootstrap {
			name := h.ID.String()
			why := r.missing(ctx, h)
			if why != "" && !told[name] && ctx.Err() == nil {
				r.log.Warn("a relay given with --bootstrap is of no use: "+why, "addresses", directory.Multiaddrs(h.Addresses), "peer_id", name)
			}
			told[name] = why != ""
		}
	}
}

// missing says why a relay is not there, or "".
func (r lookout) missing(ctx context.Context, h directory.Hint) string {
	if h.ID == r.id {
		return "it is this relay itself"
	}
	if r.host.Network().Connectedness(h.ID.Peer()) == network.Connected {
		return ""
	}
	if _, at := r.book.Reached(h.ID); time.Since(at) < lately {
		return ""
	}

	// Dialled afresh, since a link that we have is no proof of the address that was named.
	permit, err := r.book.Open(h.ID)
	if err != nil {
		return "" // not now; it may have moved, and be listed elsewhere
	}
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	err = host.Afresh(ctx, r.host, permit)
	switch {
	case err == nil:
		return ""
	case isOther(err):
		return "another node answers at its address"
	}
	return "nobody answers at its address"
}

// isOther reports whether a dial found another node than was asked for.
func isOther(err error) bool {
	_, other := errors.AsType[sec.ErrPeerIDMismatch](err)
	return other
}
