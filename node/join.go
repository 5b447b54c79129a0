package node

import (
	"context"
	"errors"
	"time"

	"starling/node/api"
	"starling/p2p/bridge"
	"starling/p2p/directory"
	"starling/p2p/discovery/lan"
)

// How long a relay that was joined may take to hand over the list, and relays of
// the local network to answer.
const (
	joinWait   = 15 * time.Second
	nearbyWait = time.Second
)

// Join adds a relay to start from, by its address with /p2p/ at the end, and
// waits until relays are known. The known relays are kept for the next starts. The link of
// a bridge does as well.
func (n *Node) Join(ctx context.Context, address string) error {
	// People paste the wrong one: the link of a bridge is taken for one here, too.
	if len(address) <= api.MaxBridgeText {
		if _, err := bridge.Read(pasted(address)); !errors.Is(err, bridge.ErrForeign) {
			_, err := n.AddBridge(ctx, api.BridgeRequest{Link: address})
			return err
		}
	}
	hint, err := directory.ParseBootstrap(address)
	if err != nil {
		return &api.Error{Code: api.CodeUsage, Message: "this is not the address of a relay", Hint: "it looks like /ip4/192.0.2.7/tcp/4001/p2p/12D3…, as the relay printed it"}
	}

	// The owner named it, so it may be dialled; a private address only in a mesh of one's own.
	switch err := n.net.AddBootstrap(hint.Append(nil)); {
	case errors.Is(err, directory.ErrPrivate):
		return &api.Error{Code: api.CodeUsage, Message: "this is a private address", Hint: "for a mesh of your own start again with: starling --lan, or --allow-private"}
	case err != nil:
		return apiError(err)
	}

	ctx, cancel := context.WithTimeout(ctx, joinWait)
	defer cancel()

	for {
		// Taken before the look, or the change that matters could be missed.
		changed := n.statusChanged()
		if n.net.Status().Relays > 0 {
			return nil
		}

		select {
		case <-changed:
		case <-n.ctx.Done():
			return closedError
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.DeadlineExceeded) {
				return &api.Error{Code: api.CodeOffline, Message: "the relay does not answer", Hint: "check its address, and that it runs"}
			}
			return ctx.Err()
		}
	}
}

// Nearby asks the local network for relays and returns their addresses. The
// question is heard by everybody there.
func Nearby(ctx context.Context) ([]string, error) {
	relays, err := lan.Find(ctx, nearbyWait)
	if err != nil {
		return nil, &api.Error{Code: api.CodeOffline, Message: err.Error()}
	}
	var addrs []string
	for _, r := range relays {
		hint := directory.Hint{ID: r.ID, Addresses: []directory.Address{{AddrPort: r.Addr}}}
		addrs = append(addrs, hint.Multiaddrs()[0].String())
	}
	return addrs, nil
}
