package relay

import (
	"cmp"
	"context"
	"fmt"
	"sync"

	"golang.org/x/time/rate"

	"starling/p2p/link"
	"starling/p2p/mailbox"
	"starling/p2p/pace"
	"starling/p2p/wire"
)

// FewestBandwidth is the least limit that a relay can work with, in bytes a second:
// lists and gossip need their part of it.
const FewestBandwidth = 64 << 10

// Tuning is the part of the configuration that may change while a relay runs. Zeros are
// as in Config.
type Tuning struct {
	Announce   []string
	MaxClients int
	MaxBoxes   int
	Bandwidth  int64
}

// FilesError says that too few files may be open for a relay.
type FilesError struct{ Files int }

// Error implements error.
func (e *FilesError) Error() string {
	return fmt.Sprintf("only %d files may be open", e.Files)
}

// tuning is the limits in use.
type tuning struct {
	in, out *rate.Limiter // frames
	most    int           // clients, by memory and open files

	mu  sync.Mutex
	now Tuning
}

// newTuning derives the limits from the configuration, before there is anything to be
// limited.
func (r *Relay) newTuning() {
	t := &r.tuning
	t.in, t.out = rate.NewLimiter(rate.Inf, 0), rate.NewLimiter(rate.Inf, 0)
	t.most = r.sizes.Clients
	t.set(Tuning{Announce: r.cfg.Announce, MaxClients: r.cfg.MaxClients, MaxBoxes: r.cfg.MaxBoxes, Bandwidth: r.cfg.Bandwidth})
	if want := r.cfg.MaxClients; want > t.most {
		r.log.Warn("memory and open files allow fewer clients than asked for", "asked", want, "allowed", t.most)
	}
	r.sizes.Clients, r.cfg.MaxBoxes = t.now.MaxClients, t.now.MaxBoxes
}

// set takes new limits, with the defaults in place of zeros.
func (t *tuning) set(want Tuning) {
	want.MaxClients = min(cmp.Or(want.MaxClients, t.most), t.most)
	want.MaxBoxes = cmp.Or(want.MaxBoxes, mailbox.DefaultMaxBoxes)
	limit, burst := rate.Inf, 0
	if want.Bandwidth > 0 {
		limit = rate.Limit(want.Bandwidth) / wire.FrameSize
		burst = max(link.BatchSize, int(limit))
	}
	for _, l := range []*rate.Limiter{t.in, t.out} {
		l.SetLimit(limit)
		l.SetBurst(burst)
	}

	t.mu.Lock()
	defer t.mu.Unlock()
	t.now = want
}

// tuned returns the limits in use.
func (r *Relay) tuned() Tuning {
	r.tuning.mu.Lock()
	defer r.tuning.mu.Unlock()
	return r.tuning.now
}

// Tune changes limits while the relay runs, all or none. Links of clients that there is
// no place for any more end; boxes that there is no room for any more stay.
func (r *Relay) Tune(ctx context.Context, want Tuning) error {
	// Everything that can be refused is looked at first.
	said, err := parseAnnounce(want.Announce, r.cfg.AllowPrivate)
	if err != nil {
		return err
	}
	if err := checkPorts(said, r.cfg.Listen); err != nil {
		return err
	}
	r.tuning.set(want)
	if want.MaxClients > r.tuning.most {
		r.log.Warn("memory and open files allow fewer clients than asked for", "asked", want.MaxClients, "allowed", r.tuning.most)
	}

	// The limits as they are in effect, bounded by memory and files.
	now := r.tuned()

	r.announced.say(said)
	r.places.Resize(now.MaxClients)
	if r.store != nil {
		if err := r.store.Resize(ctx, now.MaxBoxes); err != nil {
			return err
		}
		r.tellMailbox(r.store.Len())
	}
	pace.Kick(r.keys) // announce ourselves anew
	return nil
}

// tellMailbox tells the owner of a mailbox that holds more than it is to.
func (r *Relay) tellMailbox(boxes int) {
	if most := r.tuned().MaxBoxes; boxes > most {
		r.log.Warn("the mailbox holds more than its size allows: nothing is deleted, and no new mail is taken until enough has been fetched or has expired, in two weeks at the latest",
			"boxes", boxes, "size", most)
	}
}
