package web

import (
	"crypto/tls"
	"net"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/libp2p/go-libp2p/core/network"
	manet "github.com/multiformats/go-multiaddr/net"
)

const (
	// freeRequest is how many bytes every visitor may send before its request is whole.
	// Beyond it the bytes count, those of HTTP/2 packedWeight times: its headers grow by
	// so much when they are unpacked.
	freeRequest  = 24 << 10
	packedWeight = 64

	defaultRequests = 8 << 20
)

// visits are the connections of a web server before they are links.
type visits struct {
	most    int64
	waiting atomic.Int64 // bytes that count

	mu    sync.Mutex
	all   map[*visitor]struct{}
	ended bool
}

func newVisits(most int) *visits {
	return &visits{most: int64(most), all: map[*visitor]struct{}{}}
}

// end closes all connections that are not links.
func (s *visits) end() {
	s.mu.Lock()
	s.ended = true
	var all []*visitor
	for v := range s.all {
		all = append(all, v)
	}
	s.mu.Unlock()
	for _, v := range all {
		v.Close()
	}
}

// A door makes visitors of connections, before the gate sees them.
type door struct {
	manet.Listener
	visits *visits
}

// Accept implements manet.Listener.
func (d *door) Accept() (manet.Conn, error) {
	c, err := d.Listener.Accept()
	if err != nil {
		return nil, err
	}
	v := &visitor{Conn: c, visits: d.visits}
	v.weight.Store(1)
	return v, nil
}

// A visitor is a TCP connection to the web server. For the gate it is at the door until it
// is a link, however long that takes: a visitor of a web site may be silent for minutes. Of
// too many at the door the gate closes one.
type visitor struct {
	manet.Conn
	visits *visits

	weight atomic.Int64
	link   atomic.Bool

	mu      sync.Mutex
	waiting int64 // bytes of a request that is not whole
	counted int64 // by visits.waiting
	scope   network.ConnManagementScope
	kept    bool // the scope is the link's
	closed  bool
	then    []func()
}

// AfterClose calls f when the connection is closed, or behind a front a link. The gate
// needs it.
func (v *visitor) AfterClose(f func()) {
	v.mu.Lock()
	closed := v.closed
	if !closed {
		v.then = append(v.then, f)
	}
	v.mu.Unlock()
	if closed {
		f()
	}
}

// enter is called when the gate has let the connection in. It takes both locks: whoever
// closes the connection meanwhile takes it out again.
func (v *visitor) enter(scope network.ConnManagementScope) {
	v.mu.Lock()
	v.scope = scope
	closed, ended := v.closed, false
	if !closed {
		v.visits.mu.Lock()
		v.visits.all[v] = struct{}{}
		ended = v.visits.ended
		v.visits.mu.Unlock()
	}
	v.mu.Unlock()

	switch {
	case closed:
		scope.Done()
	case ended:
		v.Close()
	}
}

// greeted notes the protocols of a visitor.
func (v *visitor) greeted(hello *tls.ClientHelloInfo) {
	if slices.Contains(hello.SupportedProtos, "h2") {
		v.weight.Store(packedWeight)
	}
}

// linked ends the visit: the connection is about to be a link.
func (v *visitor) linked() {
	v.link.Store(true)
	v.answered()
}

// keepScope leaves the scope to the link.
func (v *visitor) keepScope() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.kept = true
}

// inside tells the gate that the connection is at the door no more. The gate knows it
// by its ends, and those of the link are others.
func (v *visitor) inside() {
	v.mu.Lock()
	then := v.then
	v.then = nil
	v.mu.Unlock()
	for _, f := range then {
		f()
	}
}

// Read implements net.Conn. A request that is too long while others are is not read on.
func (v *visitor) Read(p []byte) (int, error) {
	n, err := v.Conn.Read(p)
	if n > 0 && !v.link.Load() && !v.more(int64(n)) {
		v.Close()
		return 0, net.ErrClosed
	}
	return n, err
}

// Write implements net.Conn. A visitor that takes much may say much, as HTTP/2 does. But an
// answer is no proof of a whole request.
func (v *visitor) Write(p []byte) (int, error) {
	if !v.link.Load() {
		v.more(-int64(len(p)))
	}
	return v.Conn.Write(p)
}

// more counts bytes that came, or fewer for those that went out, and reports whether there
// is room.
func (v *visitor) more(n int64) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return true
	}
	v.waiting = max(0, v.waiting+n)
	counts := max(0, v.waiting-freeRequest) * v.weight.Load()
	more := counts - v.counted
	v.counted = counts
	return v.visits.waiting.Add(more) <= v.visits.most || more <= 0
}

// answered forgets the bytes of a request that was read.
func (v *visitor) answered() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.visits.waiting.Add(-v.counted)
	v.waiting, v.counted = 0, 0
}

// Close implements net.Conn.
func (v *visitor) Close() error {
	v.mu.Lock()
	if v.closed {
		v.mu.Unlock()
		return nil
	}
	v.closed = true
	v.visits.waiting.Add(-v.counted)
	v.waiting, v.counted = 0, 0
	scope, kept, then := v.scope, v.kept, v.then
	v.mu.Unlock()

	err := v.Conn.Close()
	v.visits.mu.Lock()
	delete(v.visits.all, v)
	v.visits.mu.Unlock()
	if scope != nil && !kept {
		scope.Done()
	}
	for _, f := range then {
		f()
	}
	return err
}
