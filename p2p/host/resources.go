package host

import (
	"errors"
	"net"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/multiformats/go-multiaddr"

	"starling/p2p/limits"
)

var errShare = errors.New("host: more than this peer's share")

// resources is libp2p's resource manager with the limits of package limits: streams
// by peer and by role, windows by all. Connections are the matter of Places, which
// lets an old one go instead of refusing a new one.
type resources struct {
	sizes  limits.Sizes
	listed func(peer.ID) bool
	shut   func(peer.ID) // closes the connections of a peer

	mu      sync.Mutex
	peers   map[peer.ID]*use
	unnamed int   // streams of all peers that have named no protocol yet
	windows int64 // bytes beyond the first windows
}

// A use is the share of one peer in our resources.
type use struct {
	scopes  int // of connections and streams
	unnamed int // streams it opened
	named   int
	unknown int       // streams that named no protocol of ours, or were refused
	forgive time.Time // when one of them is forgotten
	tokens  float64   // for new streams
	filled  time.Time
}

func newResources(s limits.Sizes, listed func(peer.ID) bool) *resources {
	if listed == nil {
		listed = func(peer.ID) bool { return false }
	}
	return &resources{sizes: s, listed: listed, shut: func(peer.ID) {}, peers: map[peer.ID]*use{}}
}

// share returns how many streams a peer may have.
func (r *resources) share(p peer.ID) int {
	if r.listed(p) {
		return limits.StreamsRelay
	}
	return limits.StreamsClient
}

// of returns the use of a peer, which one more scope has from now on.
func (r *resources) of(p peer.ID) *use {
	u := r.peers[p]
	if u == nil {
		u = &use{tokens: limits.StreamsBurst, filled: time.Now()}
		r.peers[p] = u
	}
	u.scopes++
	return u
}

// left ends a scope.
func (r *resources) left(p peer.ID, u *use) {
	if u.scopes--; u.scopes == 0 {
		delete(r.peers, p)
	}
}

// strike counts a stream that was none, and reports whether there were too many.
// One a minute is forgiven.
func (u *use) strike(now time.Time) bool {
	if u.unknown == 0 || now.After(u.forgive) {
		u.unknown = max(0, u.unknown-1-int(now.Sub(u.forgive)/time.Minute))
		u.forgive = now.Add(time.Minute)
	}
	u.unknown++
	return u.unknown >= limits.UnknownMost
}

// OpenConnection implements network.ResourceManager.
func (r *resources) OpenConnection(network.Direction, bool, multiaddr.Multiaddr) (network.ConnManagementScope, error) {
	return &scope{r: r}, nil
}

// OpenStream implements network.ResourceManager.
func (r *resources) OpenStream(p peer.ID, dir network.Direction) (network.StreamManagementScope, error) {
	share := r.share(p)
	r.mu.Lock()
	defer r.mu.Unlock()
	u := r.of(p)
	if dir == network.DirOutbound {
		return &scope{r: r, peer: p, use: u}, nil
	}
	now := time.Now()
	u.tokens = min(limits.StreamsBurst, u.tokens+limits.StreamsPerSec*now.Sub(u.filled).Seconds())
	u.filled = now
	if u.unnamed >= share || u.tokens < 1 || r.unnamed >= r.sizes.Unnamed {
		if r.unnamed < r.sizes.Unnamed && u.strike(now) { // else it is not its fault
			go r.shut(p)
		}
		r.left(p, u)
		return nil, errShare
	}
	u.tokens--
	u.unnamed++
	r.unnamed++
	return &scope{r: r, peer: p, use: u, unnamed: true}, nil
}

// VerifySourceAddress implements network.ResourceManager.
func (*resources) VerifySourceAddress(net.Addr) bool { return false }

// Close implements network.ResourceManager.
func (*resources) Close() error { return nil }

// ViewSystem implements network.ResourceScopeViewer, as the others do.
func (r *resources) ViewSystem(f func(network.ResourceScope) error) error { return f(&scope{r: r}) }

func (r *resources) ViewTransient(f func(network.ResourceScope) error) error {
	return f(&scope{r: r})
}

func (r *resources) ViewService(_ string, f func(network.ServiceScope) error) error {
	return f(&network.NullScope{})
}

func (r *resources) ViewProtocol(_ protocol.ID, f func(network.ProtocolScope) error) error {
	return f(&network.NullScope{})
}

func (r *resources) ViewPeer(p peer.ID, f func(network.PeerScope) error) error {
	return f(&scope{r: r, peer: p})
}

// A scope is one connection, one stream, or memory of one.
type scope struct {
	r       *resources
	peer    peer.ID
	use     *use // nil: counts for nothing, or its connection has no peer yet
	unnamed bool // a stream of the peer that has not named a protocol
	named   bool // one that has
	grown   int64
	done    bool
}

// SetPeer implements network.ConnManagementScope.
func (s *scope) SetPeer(p peer.ID) error {
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	s.peer, s.use = p, s.r.of(p)
	return nil
}

// PeerScope implements both management scopes.
func (s *scope) PeerScope() network.PeerScope {
	if s.peer == "" {
		return nil
	}
	return &scope{r: s.r, peer: s.peer}
}

// Peer implements network.PeerScope.
func (s *scope) Peer() peer.ID { return s.peer }

// SetProtocol implements network.StreamManagementScope.
func (s *scope) SetProtocol(protocol.ID) error {
	share := s.r.share(s.peer)
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	if !s.unnamed {
		return nil
	}
	if s.use.named >= share {
		return errShare
	}
	s.unnamed, s.named = false, true
	s.r.unnamed--
	s.use.unnamed--
	s.use.named++
	return nil
}

// ReserveMemory implements network.ResourceScope. The first window of a stream
// is counted with the stream; beyond it those of clients do not grow.
func (s *scope) ReserveMemory(size int, priority uint8) error {
	if priority == network.ReservationPriorityAlways {
		return nil
	}
	if !s.r.listed(s.peer) {
		return errShare
	}
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	if s.r.windows+int64(size) > s.r.sizes.Windows {
		return errShare
	}
	s.r.windows += int64(size)
	s.grown += int64(size)
	return nil
}

// ReleaseMemory implements network.ResourceScope. Memory is given back with the stream.
func (*scope) ReleaseMemory(int) {}

// BeginSpan implements network.ResourceScope.
func (s *scope) BeginSpan() (network.ResourceScopeSpan, error) {
	return &scope{r: s.r, peer: s.peer}, nil
}

// Done implements network.ResourceScopeSpan.
func (s *scope) Done() {
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	if s.done {
		return
	}
	s.done = true
	s.r.windows -= s.grown
	if s.named {
		s.use.named--
	}
	if s.unnamed {
		s.r.unnamed--
		s.use.unnamed--
		if s.use.strike(time.Now()) {
			go s.r.shut(s.peer)
		}
	}
	if s.use != nil {
		s.r.left(s.peer, s.use)
	}
}

// Stat implements network.ResourceScope.
func (*scope) Stat() network.ScopeStat { return network.ScopeStat{} }

// ProtocolScope, ServiceScope and SetService implement
// network.StreamManagementScope: nothing is counted by protocol.
func (*scope) ProtocolScope() network.ProtocolScope { return nil }

func (*scope) ServiceScope() network.ServiceScope { return nil }

func (*scope) SetService(string) error { return nil }
