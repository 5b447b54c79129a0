package link

import (
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/multiformats/go-multistream"

	"starling/p2p/wire"
)

// Select says the name of links on a stream.
func Select(s network.MuxedStream) error {
	s.SetDeadline(time.Now().Add(HelloTimeout))
	defer s.SetDeadline(time.Time{})
	return multistream.SelectProtoOrFail(protocol.ID(wire.FrameProtocol), s)
}

// SetMaxAbsent changes the number of links that are kept without a line, until the
// returned function is called.
func SetMaxAbsent(n int) func() {
	old := maxAbsent
	maxAbsent = n
	return func() { maxAbsent = old }
}

// End forgets the links of a peer without a word.
func (l *Links) End(id wire.NodeID) {
	l.mu.Lock()
	all := append([]*end(nil), l.peers[id]...)
	l.mu.Unlock()
	for _, e := range all {
		l.end(e, false)
	}
}
