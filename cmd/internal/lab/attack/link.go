package attack

import (
	"context"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"

	"starling/p2p/wire"
)

// link opens a link to a relay; nil if it cannot. It hands the frames of the link to
// handle, unless that is nil.
func (m *machine) link(ctx context.Context, h host.Host, relay peer.AddrInfo, handle func(*wire.Frame)) network.Stream {
	if h.Connect(ctx, relay) != nil {
		return nil
	}
	s, err := h.NewStream(ctx, relay.ID, wire.FrameProtocol)
	if err != nil {
		return nil
	}
	if m.write(s, wire.Hello{Role: wire.RoleClient}.Bytes()) != nil {
		return nil
	}

	go func() { // ends with the host
		if _, err := wire.ReadHello(s); err != nil {
			return
		}
		f := new(wire.Frame)
		for wire.ReadFrame(s, f) == nil {
			if handle != nil {
				handle(f)
				f = new(wire.Frame)
			}
		}
	}()
	return s
}

// write sends bytes; a relay that does not read is left after a second.
func (m *machine) write(s network.Stream, b []byte) error {
	s.SetWriteDeadline(time.Now().Add(time.Second))
	if _, err := s.Write(b); err != nil {
		s.Reset()
		return err
	}
	return nil
}
