package node

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"starling/node/api"
	"starling/node/store"
	"starling/p2p/book"
	"starling/p2p/bridge"
)

// bridges are the doors of a profile that are in no list.
type bridges struct{ n *Node }

// AddBridge takes a bridge by its link. Nothing was dialled before.
func (b bridges) AddBridge(ctx context.Context, req api.BridgeRequest) (out api.Bridge, err error) {
	l, err := readBridge(b.n, req.Link)
	if err != nil {
		return out, err
	}
	row := store.Bridge{Link: l.String(), Added: time.Now().UTC()}
	err = b.change(ctx, func(all []store.Bridge) ([]store.Bridge, error) {
		// The newer link replaces the older one: its addresses may have changed.
		all = slices.DeleteFunc(all, func(o store.Bridge) bool { return idOf(o) == l.ID.String() })
		if len(all) >= bridge.MaxBridges {
			return nil, &api.Error{Code: api.CodeUsage, Message: "a profile has 16 bridges at most", Hint: "remove one that you need no more: starling bridge list"}
		}
		return append(all, row), nil
	})
	if err != nil {
		return out, err
	}
	return b.one(row), nil
}

// readBridge reads a link, with the reason if it cannot be used.
func readBridge(n *Node, text string) (*bridge.Link, error) {
	if len(text) > api.MaxBridgeText {
		return nil, bridgeError(bridge.ErrForeign)
	}
	l, err := bridge.Read(pasted(text))
	if err == nil {
		_, err = l.Usable(n.cfg.AllowPrivate)
	}
	if err == nil && len(l.Addresses) == 0 && n.net.Status().Proxy.Proxy == "" {
		err = errOnion
	}
	return l, bridgeError(err)
}

// errOnion: the way to an onion address is a proxy.
var errOnion = errors.New("the bridge is an onion service")

// bridgeError puts the reason into words.
func bridgeError(err error) error {
	hint := ""
	switch {
	case err == nil:
		return nil
	case errors.Is(err, bridge.ErrForeign):
		hint = "it begins with starling-bridge: and comes from whoever runs the bridge"
	case errors.Is(err, bridge.ErrTruncated):
		hint = "copy all of it, also what stands on the next lines"
	case errors.Is(err, bridge.ErrChecksum):
		hint = "copy it anew, or scan its QR code"
	case errors.Is(err, bridge.ErrVersion), errors.Is(err, bridge.ErrNoWay):
		hint = "update Starling, or ask for another bridge"
	case errors.Is(err, bridge.ErrNetwork):
		hint = "ask for a bridge of this network; or update Starling"
	case errors.Is(err, bridge.ErrPrivate):
		hint = "for a mesh of your own start again with --allow-private"
	case errors.Is(err, errOnion):
		hint = "it is reached through Tor alone: set one with starling settings proxy socks5://127.0.0.1:9050"
	}
	return &api.Error{Code: api.CodeUsage, Message: err.Error(), Hint: hint}
}

// ListBridges lists those of the profile.
func (b bridges) ListBridges(ctx context.Context) (out []api.Bridge, err error) {
	var all []store.Bridge
	err = b.n.view(ctx, func(tx *store.Tx) error { all, err = tx.Bridges(); return err })
	out = []api.Bridge{}
	for _, row := range all {
		out = append(out, b.one(row))
	}
	return out, err
}

// RemoveBridge forgets one.
func (b bridges) RemoveBridge(ctx context.Context, name string) error {
	if l, err := bridge.Read(name); err == nil {
		name = l.ID.String()
	}
	return b.change(ctx, func(all []store.Bridge) ([]store.Bridge, error) {
		var found []int
		for i, row := range all {
			if id := idOf(row); name != "" && strings.HasPrefix(id, name) {
				found = append(found, i)
			}
		}
		switch {
		case len(found) == 0:
			return nil, &api.Error{Code: api.CodeNoBridge, Message: "the profile has no such bridge", Hint: "see starling bridge list"}
		case len(found) > 1:
			return nil, &api.Error{Code: api.CodeUsage, Message: "more than one bridge begins so", Hint: "give more of its ID"}
		}
		return slices.Delete(all, found[0], found[0]+1), nil
	})
}

// change replaces the bridges on disk, and then those in use.
func (b bridges) change(ctx context.Context, f func([]store.Bridge) ([]store.Bridge, error)) error {
	var all []store.Bridge
	var set api.Settings
	err := b.n.update(ctx, func(tx *store.Tx) error {
		was, err := tx.Bridges()
		if err != nil {
			return err
		}
		if all, err = f(was); err != nil {
			return err
		}
		if set, err = tx.Settings(); err != nil {
			return err
		}
		return tx.SetBridges(all)
	})
	if err != nil {
		return err
	}

	// Behind the commit: a bridge in use that is not on disk would be gone at the next start.
	useBridges(b.n, all, set.BridgesOnly)
	return nil
}

// useBridges tells the network. Nobody but the owner adds one, and a link that cannot be
// used now, as a private address without leave, is left out.
func useBridges(n *Node, all []store.Bridge, only bool) {
	if err := n.net.n.SetBridges(usable(all, n.cfg.AllowPrivate), only); err != nil {
		n.log.Warn("bridges", "err", err)
	}
	n.tellStatus()
}

// usable returns the links that can be used now.
func usable(all []store.Bridge, private bool) (links []string) {
	for _, row := range all {
		l, err := bridge.Parse(row.Link)
		if err != nil {
			continue
		}
		if _, err := l.Usable(private); err == nil {
			links = append(links, row.Link)
		}
	}
	return links
}

func idOf(row store.Bridge) string {
	l, err := bridge.Parse(row.Link)
	if err != nil {
		return ""
	}
	return l.ID.String()
}

// one is a bridge as it is now.
func (b bridges) one(row store.Bridge) api.Bridge {
	l, err := bridge.Parse(row.Link)
	if err != nil {
		return api.Bridge{Link: row.Link, Addresses: []string{}, Added: row.Added, Error: err.Error()}
	}
	out := bridgeNow(bridge.Status{Link: l})
	for _, s := range b.n.net.Status().Bridges {
		if s.Link.ID == l.ID {
			out = bridgeNow(s)
		}
	}
	out.Link, out.Added = row.Link, row.Added
	return out
}

// bridgeNow is the state of a bridge without its link.
func bridgeNow(s bridge.Status) api.Bridge {
	out := api.Bridge{ID: s.Link.ID.String(), Addresses: []string{}, Connected: s.Connected, Pipes: s.Pipes}
	for _, a := range s.Link.Addresses {
		out.Addresses = append(out.Addresses, book.Multiaddr(a).String())
	}
	for _, o := range s.Link.Onions {
		out.Addresses = append(out.Addresses, o.String())
	}
	if s.Err != nil && !s.Connected {
		out.Error = s.Err.Error()
	}
	return out
}
