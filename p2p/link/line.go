package link

import (
	"context"
	"io"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-yamux/v5"
	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
	"github.com/multiformats/go-multistream"

	"starling/p2p/host"
	"starling/p2p/limits"
	"starling/p2p/wire"
)

// A line is one stream of one connection. It carries a link, perhaps one line after the
// other.
type line struct {
	io.ReadWriter
	stream  network.MuxedStream
	hangUp  func() // closes the connection
	remote  multiaddr.Multiaddr
	network netip.Prefix
	ping    func() error // nil if the connection cannot
	counted func() int64 // bytes received by the connection, nil if it does not count
	extra   int64        // bytes that a frame has more on the connection

	allowance int64        // bytes after which the network is known to freeze it; 0 is none
	most      int          // frames that the other side was told to write to it; 0 is any number
	sparing   bool         // the next one will be long in coming
	all       atomic.Int64 // frames that have come, of any type
	room      int          // frames that the other side lets us write to it; 0 is any number
	wrote     int          // of them; by end.mu
	base      uint64       // frames that had come on the link before it
	came      uint64       // and on it
	read      atomic.Int64
	heard     atomic.Int64 // Unix nanoseconds
	began     time.Time
	asked     chan struct{} // something was written
	stirred   chan struct{} // something came
	gone      chan struct{} // closed at the end
	renewing  atomic.Bool   // the next one is being made
	wanted    atomic.Int64  // since when somebody waits for room, Unix nanoseconds; of one without a budget
	stale     bool          // of a link that counts anew since; by end.mu
}

func newLine(s network.MuxedStream, rw io.ReadWriter, remote multiaddr.Multiaddr) *line {
	ln := &line{ReadWriter: rw, stream: s, remote: remote, extra: frameExtra, began: time.Now(), asked: make(chan struct{}, 1), stirred: make(chan struct{}, 1), gone: make(chan struct{})}
	if ip, err := manet.ToIP(remote); err == nil {
		a, _ := netip.AddrFromSlice(ip)
		ln.network = limits.Network(a.Unmap())
	}
	return ln
}

// lineOf is a stream of the host's.
func lineOf(s network.Stream) *line {
	ln := newLine(s, s, s.Conn().RemoteMultiaddr())
	ln.hangUp = func() { s.Conn().Close() }
	return ln
}

// lineOver opens a stream on a connection of our own. Its name goes out with the first
// frame.
func lineOver(ctx context.Context, c host.Connection) (*line, error) {
	s, err := c.OpenStream(ctx)
	if err != nil {
		return nil, err
	}
	ln := newLine(s, multistream.NewMSSelect(s, protocol.ID(wire.FrameProtocol)), c.RemoteMultiaddr())
	ln.hangUp = func() { c.Close() }
	if counts, ok := c.(interface{ Received() int64 }); ok {
		ln.counted = counts.Received
	}
	if over, ok := c.(interface{ Piped() bool }); ok && over.Piped() {
		ln.extra = pipedExtra
	}
	var session *yamux.Session
	if c.As(&session) {
		ln.ping = func() error {
			_, err := session.Ping()
			return err
		}
	}
	return ln, nil
}

// A frame has so many bytes more on the line, and a connection before its first, where
// nobody counts.
const (
	frameExtra = 100
	pipedExtra = 350 // in a pipe: pieces are wrapped and padded anew
	helloCost  = 500
	opening    = 4500
	// spare are bytes of a budget for what is no frame: pings, and acknowledgements that
	// nobody counts.
	spare = 512
)

// received returns how many bytes have come on the connection, by count or by guess.
func (ln *line) received() int64 {
	if ln.counted != nil {
		if n := ln.counted(); n >= 0 {
			return n
		}
	}
	return opening + ln.read.Load()*(wire.FrameSize+ln.extra)/wire.FrameSize
}

// brief reports whether the other side hung up at once: it has no place for us, and the
// next line would end like this one.
func (ln *line) brief() bool {
	return time.Since(ln.began) < 5*time.Second && ln.read.Load() < 3*wire.FrameSize
}

// budget is told how many bytes the network lets through, 0 for any number, and returns how
// many frames may follow the hello.
func (ln *line) budget(allowance int64) (frames uint16) {
	ln.allowance = allowance
	if allowance > 0 {
		rest := allowance - spare - ln.received() - helloCost
		if !ln.counts() { // nor was the allowance counted: it is whole frames and a hello
			rest = allowance - ln.received()
		}
		ln.most = int(min(max(rest/(wire.FrameSize+ln.extra), 1), mostRoom))
	}
	return uint16(ln.most)
}

// counts reports whether the bytes on the connection are counted.
func (ln *line) counts() bool { return ln.counted != nil && ln.counted() >= 0 }

// filled reports whether all frames have come for which there was room.
func (ln *line) filled() bool { return ln.most > 0 && ln.all.Load() >= int64(ln.most) }

// left returns how many frames may still come where a network lets so many bytes through.
func (ln *line) left(budget int64) int {
	n := int64(ln.most) - ln.all.Load()
	if ln.most == 0 {
		n = (budget - ln.received()) / (wire.FrameSize + ln.extra)
	}
	return int(max(n, 0))
}

// unsureAfter is for how long somebody waits for room on a line that was begun without a budget while no next one can be made.
const unsureAfter = 2 * time.Minute

// unsure returns for how many frames there is room on a line that perhaps freezes: after a while for one. It shows whether it does, and
// after some of them the network hears of the bytes.
func (ln *line) unsure() int {
	now := time.Now().UnixNano()
	if ln.wanted.CompareAndSwap(0, now) || time.Duration(now-ln.wanted.Load()) < unsureAfter {
		return 0
	}
	return 1
}

// carriedEvery is after how many frames the network hears of the bytes on a line without a
// budget.
const carriedEvery = 16

// mostRoom is more than any budget has room for.
const mostRoom = 1 << 10

// spent reports whether it is time for the next line: one more frame may come on this
// one, if there was room for several, or the network may let none through. Where the next ones
// are few, none may come any more.
func (ln *line) spent() bool {
	if early := ln.most / 3; ln.most > 0 && (ln.filled() || !ln.sparing && ln.all.Load() >= int64(ln.most-early)) {
		return true
	}
	return ln.allowance > 0 && ln.received()+wire.FrameSize+ln.extra > ln.allowance
}

// doubtful reports whether networks freeze connections with so many bytes, and nobody knows
// whether this one does.
func (ln *line) doubtful() bool {
	n := ln.received()
	return ln.allowance == 0 && n >= doubtFrom && n < doubtTo
}

const doubtFrom, doubtTo = 8 << 10, 64 << 10

// full reports whether the other side lets us write no more than so many frames beyond
// those that it has. The caller holds end.mu.
func (ln *line) full(more int) bool { return ln.room > 0 && ln.wrote+more >= ln.room }

// Read implements io.Reader and remembers when something came.
func (ln *line) Read(p []byte) (int, error) {
	n, err := ln.ReadWriter.Read(p)
	if n > 0 {
		ln.read.Add(int64(n))
		ln.heard.Store(time.Now().UnixNano())
		select {
		case ln.stirred <- struct{}{}:
		default:
		}
	}
	return n, err
}

// greet says hello.
func (l *Links) greet(ln *line, ours wire.Hello) error {
	ln.stream.SetWriteDeadline(time.Now().Add(l.cfg.HelloTimeout))
	_, err := ln.Write(ours.Bytes())
	return err
}

// hear reads the other side's hello.
func (l *Links) hear(ln *line) (theirs wire.Hello, err error) {
	ln.stream.SetReadDeadline(time.Now().Add(l.cfg.HelloTimeout))
	defer ln.stream.SetReadDeadline(time.Time{})

	theirs, err = wire.ReadHello(ln)
	if err == nil && l.cfg.Role == wire.RoleClient && theirs.Role == wire.RoleClient {
		err = wire.ErrHello // clients have nothing to say to each other
	}
	return theirs, err
}

// goodbye lets the other side forget the link, and hangs up a moment later.
func (ln *line) goodbye() {
	ln.stream.SetWriteDeadline(time.Now().Add(farewell))
	ln.stream.CloseWrite()
	time.Sleep(farewell)
	ln.hangUp()
}
