package relay

import (
	"context"
	"encoding/binary"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"

	"starling/p2p/admission"
	"starling/p2p/pace"
	"starling/p2p/wire"
)

// Standing says how a relay stands with others, by their word. Only those are asked
// that the relay has reached itself, or that its owner named.
type Standing struct {
	// Listed reports whether most of them list the relay, Reachable whether enough
	// of them have reached it.
	Listed, Reachable bool
	// Asked is the number of recent answers; ListedBy and ReachedBy are the peer ids of
	// those that list the relay, and of those that have reached it.
	Asked               int
	ListedBy, ReachedBy []string
	// Unreached are the relay's addresses at which nobody finds it, and Foreign those of
	// them at which another node answers.
	Unreached, Foreign []string
	// SeenFrom are the addresses that others see the relay come from. They are a hint
	// for its owner.
	SeenFrom []string
}

const (
	// A relay asks so many neighbours how it stands, soon after its start and then
	// now and then.
	askStanding     = 3
	askStandingSoon = 3 * time.Second
	askStandingMost = 30 * time.Second

	maxTestimonies = 64
	// confirmed is how many others must have reached this relay for it to count as
	// reachable: one could lie. While only one can be asked, its word must do.
	confirmed = 2
)

// standing is the opinion of others about this relay.
type standing struct {
	mu      sync.Mutex
	lost    []string            // addresses that nobody reaches
	foreign []string            // those of them at which another node answers
	told    []string            // addresses that the owner was told of: tried again, and lost until one is reached
	named   []string            // those of them that the owner was told to be another node's
	answers map[uint64]question // whether we are listed
	listed  map[wire.NodeID]heard
}

// heard is the testimony of a neighbour, and its time.
type heard struct {
	admission.Testimony
	at time.Time
}

// A question is the neighbour asked whether we are listed, and the time.
type question struct {
	to wire.NodeID
	at time.Time
}

// learnStanding asks neighbours how this relay stands, until ctx ends.
func (r *Relay) learnStanding(ctx context.Context) error {
	for wait := askStandingSoon; ; wait = min(2*wait, askStandingMost) {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pace.Jitter(wait)):
		}
		r.askListed()
	}
}

// askListed asks some neighbours whether we are listed: such as have a voice, so
// that nobody becomes a witness by connecting.
func (r *Relay) askListed() {
	var peers []wire.NodeID
	for _, p := range r.relayPeers() {
		if id, err := wire.NodeIDFromPeer(p); err == nil && r.voice(id) {
			peers = append(peers, id)
		}
	}
	rand.Shuffle(len(peers), func(i, j int) { peers[i], peers[j] = peers[j], peers[i] })

	r.stands.mu.Lock()
	defer r.stands.mu.Unlock()
	clear(r.stands.answers)
	for _, id := range peers[:min(askStanding, len(peers))] {
		nonce := rand.Uint64()
		r.stands.answers[nonce] = question{id, time.Now()}
		r.tell(id, wire.TypeAmListed, binary.BigEndian.AppendUint64(nil, nonce))
	}
}

// testified takes the answer of a neighbour whether we are listed.
func (r *Relay) testified(from wire.NodeID, t admission.Testimony) {
	r.stands.mu.Lock()
	defer r.stands.mu.Unlock()
	asked := r.stands.answers[t.Nonce]
	if asked.to != from {
		r.refused.Add("admission: unasked")
		return
	}
	delete(r.stands.answers, t.Nonce)
	r.hearTime(from, t.Time, time.Since(asked.at))
	if len(r.stands.listed) >= maxTestimonies {
		clear(r.stands.listed)
	}
	r.stands.listed[from] = heard{t, time.Now()}
}

// standing says how we stand with others: whether most of those asked lately list us,
// and whether enough of them have reached us. A relay that knows no other goes by its
// own word.
func (r *Relay) standing() (s Standing) {
	r.stands.mu.Lock()
	defer r.stands.mu.Unlock()
	s.Unreached, s.Foreign = slices.Clone(r.stands.lost), slices.Clone(r.stands.foreign)
	for _, a := range r.lobby.applicant.SeenFrom(time.Now()) {
		s.SeenFrom = append(s.SeenFrom, a.String())
	}
	for id, h := range r.stands.listed {
		// Old words are of relays that may be gone.
		if time.Since(h.at) > lately {
			continue
		}
		s.Asked++
		if h.Standing != admission.Unlisted {
			s.ListedBy = append(s.ListedBy, id.String())
		}
		if h.Standing == admission.ReachedItself {
			s.ReachedBy = append(s.ReachedBy, id.String())
		}
	}
	slices.Sort(s.ListedBy)
	slices.Sort(s.ReachedBy)

	// The majority, since any one may lie about us.
	s.Listed = 2*len(s.ListedBy) > s.Asked
	s.Reachable = s.Asked > 0 && len(s.ReachedBy) >= min(confirmed, s.Asked)
	if s.Asked == 0 {
		_, listed := r.dir.Snapshot().Find(r.id)
		s.Listed = listed && len(r.lobby.register.Others()) == 0
	}
	return s
}

// reachedAs tells the owner, once, when no examiner reaches an address, and when one
// does again. It reports whether the addresses to announce are others now.
func (r *Relay) reachedAs() (changed bool) {
	r.stands.mu.Lock()
	defer r.stands.mu.Unlock()
	s, now := &r.stands, time.Now()

	var lost, foreign, told, named []string
	all := r.allClaims()
	for _, a := range all {
		at := a.Multiaddr().String()
		unreached := r.lobby.applicant.Unreached(a, now)
		if unreached {
			lost = append(lost, at)
			if r.lobby.applicant.Foreign(a, now) {
				foreign = append(foreign, at)
			}
		}

		// Told is slower than lost: one examiner that reaches it again ends no warning.
		if unreached || slices.Contains(s.told, at) && !r.lobby.applicant.Back(a, now) {
			told = append(told, at)
			if slices.Contains(foreign, at) || slices.Contains(s.named, at) {
				named = append(named, at)
			}
		}
	}

	// The owner is told of changes alone.
	changed = !slices.Equal(s.lost, lost)
	news, strangers := !slices.Equal(s.told, told), len(named) > 0 && !slices.Equal(s.named, named)
	s.lost, s.foreign, s.told, s.named = lost, foreign, told, named
	switch {
	case news:
		tellReached(r.log, told, named, r.lobby.applicant.SeenFrom(now), len(told) == len(all))
	case strangers:
		r.log.Warn("another node answers at an address of this relay: it is somebody else's, or the router forwards the port to another machine", "addresses", named)
	}
	return changed
}

// tellReached tells the owner of the addresses that nobody reaches, of those of them at
// which another node answers, and of those that others see the relay come from.
func tellReached(log *slog.Logger, lost, foreign []string, from []netip.Addr, all bool) {
	seen := []any{"addresses", lost}
	if len(foreign) > 0 {
		seen = append(seen, "another node answers at", foreign)
	}
	if len(from) > 0 {
		seen = append(seen, "others see this relay come from", from)
	}

	switch {
	case len(lost) == 0:
		log.Info("other relays reach this one at all of its addresses again")
	case all:
		log.Warn("no other relay reaches this one, and it is not listed; open the port in the firewall and forward it on the router, then give the address with --announce", seen...)
	default:
		log.Warn("no other relay reaches some addresses, which are not announced; open their port in the firewall, or do not listen there", seen...)
	}
}
