package tuitest

import (
	"context"
	"slices"
	"strings"

	"starling/node/api"
)

// bridges are the bridges of the fake, each known by its link, and its own.
type bridges struct {
	all *[]api.Bridge
	own *api.OwnBridge
}

// OwnBridge implements api.Node.
func (b bridges) OwnBridge(context.Context) (api.OwnBridge, error) { return *b.own, nil }

// SetOwnBridge says how the bridge of this computer is.
func (b bridges) SetOwnBridge(own api.OwnBridge) { *b.own = own }

// turn follows the setting: a bridge is there at once, and nobody has come in yet.
func (b bridges) turn(setting string) string {
	*b.own = api.OwnBridge{State: api.OwnBridgeOff}
	if setting == "" {
		return ""
	}
	*b.own = api.OwnBridge{State: api.OwnBridgeUntried, Link: "starling-bridge:mfrggzdfmy", Addresses: []string{"/ip4/192.0.2.9/tcp/20443"},
		Reason: "nobody has come in yet: a firewall or a router may be in the way, which this computer cannot see",
		Remedy: "have a friend take the link who is elsewhere, and look here again"}
	if setting == api.BridgeOn {
		return "20443"
	}
	return setting
}

// AddBridge implements api.Node.
func (b bridges) AddBridge(_ context.Context, req api.BridgeRequest) (v api.Bridge, err error) {
	at := strings.Index(strings.ToLower(req.Link), "starling-bridge:")
	if at < 0 {
		return v, &api.Error{Code: api.CodeUsage, Message: "this is not the link of a bridge"}
	}
	link, _, _ := strings.Cut(req.Link[at:], " ")
	v = api.Bridge{ID: link[len("starling-bridge:"):], Link: link, Addresses: []string{"/ip4/192.0.2.7/tcp/443"}}
	*b.all = append(*b.all, v)
	return v, nil
}

// ListBridges implements api.Node.
func (b bridges) ListBridges(context.Context) ([]api.Bridge, error) {
	return append([]api.Bridge{}, *b.all...), nil
}

// RemoveBridge implements api.Node.
func (b bridges) RemoveBridge(_ context.Context, id string) error {
	at := slices.IndexFunc(*b.all, func(o api.Bridge) bool { return o.ID == id || o.Link == id })
	if at < 0 {
		return &api.Error{Code: api.CodeNoBridge, Message: "the profile has no such bridge"}
	}
	*b.all = slices.Delete(*b.all, at, at+1)
	return nil
}
