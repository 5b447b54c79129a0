// Package settings reads the owner's settings for the network, the same for a client
// and a relay.
package settings

import (
	"errors"
	"fmt"
	"net/netip"

	"starling/p2p/directory"
)

// ErrLAN: the local network was asked for without leave for its addresses.
var ErrLAN = errors.New("relays of the local network have private addresses; allow these too")

// Text is the settings as written by the owner; see client.Config and relay.Config.
type Text struct {
	Bootstrap    []string
	Source       string
	AllowPrivate bool
	LAN          bool
}

// Network is the parsed settings.
type Network struct {
	Bootstrap []directory.Hint
	Source    netip.Addr // zero: any
}

// Parse reads the owner's words.
func (t Text) Parse() (n Network, err error) {
	if t.LAN && !t.AllowPrivate {
		return n, ErrLAN
	}
	if t.Source != "" {
		if n.Source, err = netip.ParseAddr(t.Source); err != nil {
			return n, fmt.Errorf("source address: %w", err)
		}
	}
	for _, s := range t.Bootstrap {
		h, err := directory.ParseBootstrap(s)
		if err != nil {
			return n, err
		}
		if !t.AllowPrivate && !h.Public() {
			return n, fmt.Errorf("bootstrap address %q is private; allow private addresses to use it", s)
		}
		n.Bootstrap = append(n.Bootstrap, h)
	}
	return n, nil
}
