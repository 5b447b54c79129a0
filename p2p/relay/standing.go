package relay

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
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
	lost    []string            // addresses that nobody reaches, as the owner was told
	foreign []string            // those of them at which another node answers
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
	var lost, foreign []string
	all := r.allClaims()
	for _, a := range all {
		if now := time.Now(); r.lobby.applicant.Unreached(a, now) {
			lost = append(lost, a.Multiaddr().String())
			if r.lobby.applicant.Foreign(a, now) {
				foreign = append(foreign, a.Multiaddr().String())
			}
		}
	}

	r.stands.mu.Lock()
	was, others := r.stands.lost, r.stands.foreign
	r.stands.lost, r.stands.foreign = lost, foreign
	r.stands.mu.Unlock()
	if slices.Equal(was, lost) {
		if len(foreign) > 0 && !slices.Equal(others, foreign) {
			r.log.Warn("another node answers at an address of this relay: it is somebody else's, or the router forwards the port to another machine", "addresses", foreign)
		}
		return false
	}
	seen := []any{"addresses", lost}
	if len(foreign) > 0 {
		seen = append(seen, "another node answers at", foreign)
	}
	if from := r.lobby.applicant.SeenFrom(time.Now()); len(from) > 0 {
		seen = append(seen, "others see this relay come from", from)
	}

	switch {
	case len(lost) == 0:
		r.log.Info("other relays reach this one at all of its addresses again")
	case len(lost) == len(all):
		r.log.Warn("no other relay reaches this one, and it is not listed; open the port in the firewall and forward it on the router, then give the address with --announce", seen...)
	default:
		r.log.Warn("no other relay reaches some addresses, which are not announced; open their port in the firewall, or do not listen there", seen...)
	}
	return true
}
