package relay

import (
	"context"
	"net"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"starling/p2p/book"
	"starling/p2p/discovery/lan"
	"starling/p2p/pace"
)

const (
	lanDial     = 3 * time.Second
	lanAnnounce = 30 * time.Second // after the network could not be listened on
)

// meetLAN connects to those relays of the local network that are new, and
// reports whether there were any.
func (r *Relay) meetLAN(ctx context.Context, relays []lan.Relay) (news bool) {
	for _, found := range relays {
		if found.ID == r.id || r.host.Network().Connectedness(found.ID.Peer()) == network.Connected {
			continue
		}
		r.book.Name(found.ID, book.Local, book.Web(found.Addr))
		dialling, cancel := context.WithTimeout(ctx, lanDial)
		if r.links.Dial(dialling, found.ID) == nil {
			news = true
		}
		cancel()
	}
	return news
}

// announceLAN answers searches for relays on the local network. A machine without one
// goes on without, and looks again now and then.
func (r *Relay) announceLAN(ctx context.Context) error {
	port := lanPort(r.host.Network().ListenAddresses())
	if port == 0 {
		r.log.Warn("no address to announce on the local network")
		return nil
	}
	for {
		err := lan.Announce(ctx, r.id, port)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		r.log.Debug("announcing on the local network", "err", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pace.Jitter(lanAnnounce)):
		}
	}
}

// lanPort is the port that the local network can reach: of an address of the web
// transport that is not loopback's.
func lanPort(addrs []multiaddr.Multiaddr) uint16 {
	for _, m := range addrs {
		if m[len(m)-1].Protocol().Code == book.PlainCode || manet.IsIPLoopback(m) {
			continue
		}
		na, err := manet.ToNetAddr(m)
		if err != nil {
			continue
		}
		if a, ok := na.(*net.TCPAddr); ok && a.Port != 0 {
			return uint16(a.Port)
		}
	}
	return 0
}
