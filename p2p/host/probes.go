package host

import (
	"context"
	"net"

	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/core/sec"
	tptu "github.com/libp2p/go-libp2p/p2p/net/upgrader"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
)

// unprobed is Noise over connections that the kernel does not probe. libp2p has it do
// so from both ends twice a minute, 1.2 MB a day for an idle client with two guards. It
// would take five minutes to find out as much as yamux's pings do in one.
type unprobed struct{ *noise.Transport }

func newSecurity(id protocol.ID, key crypto.PrivKey, muxers []tptu.StreamMuxer) (*unprobed, error) {
	t, err := noise.New(id, key, muxers)
	return &unprobed{t}, err
}

// SecureInbound implements sec.SecureTransport.
func (u *unprobed) SecureInbound(ctx context.Context, c net.Conn, p peer.ID) (sec.SecureConn, error) {
	stopProbes(c)
	return u.Transport.SecureInbound(ctx, c, p)
}

// SecureOutbound implements sec.SecureTransport.
func (u *unprobed) SecureOutbound(ctx context.Context, c net.Conn, p peer.ID) (sec.SecureConn, error) {
	stopProbes(c)
	return u.Transport.SecureOutbound(ctx, c, p)
}

func stopProbes(c net.Conn) {
	if tcp, ok := c.(interface{ SetKeepAlive(bool) error }); ok {
		tcp.SetKeepAlive(false) // a failure costs a few packets
	}
}
