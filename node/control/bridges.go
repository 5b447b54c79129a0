package control

import (
	"context"

	"starling/node/api"
)

// bridgeArgs name one.
type bridgeArgs struct {
	Bridge string `json:"bridge"`
}

// The methods about bridges.
var (
	addBridge    = one("add_bridge", "Take a bridge by its link, which may stand in any text. Whoever runs it sees the address of this computer, from now on.", api.Node.AddBridge)
	listBridges  = many("list_bridges", "The bridges of the profile.", func(n api.Node, ctx context.Context, _ none) ([]api.Bridge, error) { return n.ListBridges(ctx) })
	ownBridge    = one("own_bridge", "How the bridge is that this computer is for friends, by the setting bridge.", func(n api.Node, ctx context.Context, _ none) (api.OwnBridge, error) { return n.OwnBridge(ctx) })
	removeBridge = act("remove_bridge", "Forget a bridge, by its ID, the beginning of it, or its link.", func(n api.Node, ctx context.Context, a bridgeArgs) error { return n.RemoveBridge(ctx, a.Bridge) })
)

// AddBridge implements [api.Node].
func (c *Client) AddBridge(ctx context.Context, req api.BridgeRequest) (api.Bridge, error) {
	return get(ctx, c, addBridge, req)
}

// ListBridges implements [api.Node].
func (c *Client) ListBridges(ctx context.Context) ([]api.Bridge, error) {
	return collect(ctx, c, listBridges, none{})
}

// OwnBridge implements [api.Node].
func (c *Client) OwnBridge(ctx context.Context) (api.OwnBridge, error) {
	return get(ctx, c, ownBridge, none{})
}

// RemoveBridge implements [api.Node].
func (c *Client) RemoveBridge(ctx context.Context, bridge string) error {
	return perform(ctx, c, removeBridge, bridgeArgs{bridge})
}
