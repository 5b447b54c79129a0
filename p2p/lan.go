package p2p

import (
	"context"
	"errors"
	"net"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"starling/p2p/directory"
	"starling/p2p/discovery"
	"starling/p2p/discovery/lan"
	"starling/p2p/host"
)

var errLAN = errors.New("relays of the local network have private addresses; allow these too")

// How long relays of the local network have to answer, and between questions.
const (
	lanWait     = time.Second
	lanMin      = time.Second
	lanMax      = 30 * time.Second
	lanIdle     = 10 * time.Second // between looks whether a guard is connected
	lanDial     = 3 * time.Second
	lanAnnounce = 30 * time.Second // after the network could not be listened on
)

// findLAN asks the local network for relays while no guard is connected.
func (c *Client) findLAN(ctx context.Context) error {
	pause := lanMin
	for {
		wait := lanIdle
		if c.Status().Ready {
			pause = lanMin
		} else {
			relays, err := lan.Find(ctx, lanWait)
			if err != nil && ctx.Err() == nil {
				c.log.Debug("looking for relays on the local network", "err", err)
			}
			for _, r := range relays {
				h := directory.Hint{ID: r.ID, Address: directory.Address{AddrPort: r.Addr}}
				if _, err := c.AddHint(h.Append(nil)); err != nil {
					c.log.Debug("a relay of the local network is refused", "err", err)
				}
			}
			wait, pause = pause, min(2*pause, lanMax)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(jitter(wait)):
		}
	}
}

// findLAN asks the local network for other relays while this one has too few
// neighbours, and connects to those that are new.
func (r *Relay) findLAN(ctx context.Context, neighbours func() int) error {
	pause := lanMin
	for {
		wait := lanIdle
		if neighbours() < discovery.WantNeighbours {
			if r.meetLAN(ctx) > 0 {
				pause = lanMin
			}
			wait, pause = pause, min(2*pause, lanMax)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(jitter(wait)):
		}
	}
}

// meetLAN returns how many new neighbours it found.
func (r *Relay) meetLAN(ctx context.Context) int {
	relays, err := lan.Find(ctx, lanWait)
	if err != nil && ctx.Err() == nil {
		r.log.Debug("looking for relays on the local network", "err", err)
	}
	met := 0
	for _, found := range relays {
		info := peer.AddrInfo{ID: found.ID.Peer(), Addrs: []multiaddr.Multiaddr{directory.Address{AddrPort: found.Addr}.Multiaddr()}}
		r.remember(info)
		if found.ID == r.id || r.host.Network().Connectedness(info.ID) == network.Connected {
			continue
		}
		dialling, cancel := context.WithTimeout(ctx, lanDial)
		if host.Connect(dialling, r.host, info) == nil {
			met++
		}
		cancel()
	}
	return met
}

// announceLAN answers who looks for relays on the local network. A machine
// without one goes on without, and looks again now and then.
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
		case <-time.After(jitter(lanAnnounce)):
		}
	}
}

// lanPort is the port that the local network can reach: of an address that is
// not loopback's.
func lanPort(addrs []multiaddr.Multiaddr) uint16 {
	for _, m := range addrs {
		if manet.IsIPLoopback(m) {
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
