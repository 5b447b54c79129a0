package host

import (
	"cmp"
	"errors"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/p2p/protocol/identify"
	"github.com/multiformats/go-multiaddr"

	"starling/p2p/book"
	"starling/p2p/limits"
)

// silentFor is how long a stream may name no protocol when another needs its place: the
// name comes with the first bytes.
const silentFor = time.Second

var (
	errShare    = errors.New("host: more than this peer's share")
	errIdentify = errors.New("host: a client asks nobody for his name")
)

// resources is libp2p's resource manager with the limits of package limits: streams
// by peer and by role, windows by all. Connections are the matter of Places, which
// lets an old one go instead of refusing a new one.
type resources struct {
	sizes   limits.Sizes
	listed  func(peer.ID) bool
	shut    func(peer.ID) // closes the connections of a peer
	silent  bool          // identify is not asked for
	streams int           // of a client

	mu      sync.Mutex
	peers   map[peer.ID]*use
	waiting map[peer.ID]*use // those with streams that have named no protocol yet
	unnamed int              // streams of all peers that have named no protocol yet
	windows int64            // bytes beyond the first windows
}

// A use is the share of one peer in our resources.
type use struct {
	scopes  int       // of connections and streams
	unnamed int       // streams it opened
	since   time.Time // of the oldest of them, at least
	network netip.Prefix
	gone    bool // sent away: its unnamed streams count no more
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
	return &resources{streams: limits.StreamsClient, sizes: s, listed: listed, shut: func(peer.ID) {}, peers: map[peer.ID]*use{}, waiting: map[peer.ID]*use{}}
}

// share returns how many streams a peer may have.
func (r *resources) share(p peer.ID) int {
	if r.listed(p) {
		return limits.StreamsRelay
	}
	return r.streams
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
	if u.scopes--; u.scopes == 0 && r.peers[p] == u {
		delete(r.peers, p)
	}
}

// waits counts a stream that has named no protocol yet.
func (r *resources) waits(p peer.ID, u *use, now time.Time) {
	if u.unnamed++; u.unnamed == 1 {
		u.since = now
		r.waiting[p] = u
	}
	r.unnamed++
}

// waited ends that.
func (r *resources) waited(p peer.ID, u *use) {
	if u.gone {
		return
	}
	r.unnamed--
	if u.unnamed--; u.unnamed == 0 {
		delete(r.waiting, p)
	}
}

// makeRoom sends a peer with silent streams away for another's. Of those older than
// silentFor it is one of the network with most, then with most streams, then the oldest.
// It reports whether there is room.
func (r *resources) makeRoom(now time.Time) bool {
	networks := map[netip.Prefix]int{}
	for _, u := range r.waiting {
		networks[u.network] += u.unnamed
	}

	var victim peer.ID
	var worst *use
	for p, u := range r.waiting {
		if now.Sub(u.since) < silentFor || r.listed(p) {
			continue
		}
		if worst == nil || cmp.Or(cmp.Compare(networks[u.network], networks[worst.network]), cmp.Compare(u.unnamed, worst.unnamed), worst.since.Compare(u.since)) > 0 {
			victim, worst = p, u
		}
	}
	if worst == nil {
		return false
	}

	r.unnamed -= worst.unnamed
	worst.gone = true
	delete(r.waiting, victim)
	delete(r.peers, victim)
	go r.shut(victim)
	return true
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
func (r *resources) OpenConnection(_ network.Direction, _ bool, at multiaddr.Multiaddr) (network.ConnManagementScope, error) {
	s := &scope{r: r}
	if a, ok := book.AddrPort(at); ok {
		s.network = limits.Network(a.Addr())
	}
	return s, nil
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
	full := r.unnamed >= r.sizes.Unnamed
	if u.unnamed >= share || u.tokens < 1 || full && !r.makeRoom(now) {
		if !full && u.strike(now) { // else it is not its fault
			go r.shut(p)
		}
		r.left(p, u)
		return nil, errShare
	}
	u.tokens--
	r.waits(p, u, now)
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
	use     *use         // nil: counts for nothing, or its connection has no peer yet
	network netip.Prefix // of a connection
	unnamed bool         // a stream of the peer that has not named a protocol
	named   bool         // one that has
	grown   int64
	done    bool
}

// SetPeer implements network.ConnManagementScope.
func (s *scope) SetPeer(p peer.ID) error {
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	s.peer, s.use = p, s.r.of(p)
	s.use.network = s.network
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
func (s *scope) SetProtocol(id protocol.ID) error {
	share := s.r.share(s.peer)
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	if s.r.silent && (id == identify.ID || id == identify.IDPush) {
		return errIdentify
	}
	if !s.unnamed {
		return nil
	}
	if s.use.named >= share {
		return errShare
	}
	s.unnamed, s.named = false, true
	s.r.waited(s.peer, s.use)
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
		s.r.waited(s.peer, s.use)
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
