// Package doors takes bridges that somebody handed over in the chat, or by their link.
package doors

import (
	"context"
	"strings"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/tui/catalogue"
	"starling/tui/desk"
	"starling/tui/words"
)

// Is reports whether an address is the link of a bridge.
func Is(address string) bool {
	n := len(words.BridgeScheme)
	return len(address) > n && strings.EqualFold(address[:n], words.BridgeScheme)
}

// Offer shows the price of a bridge before it is taken. Nothing is dialled until then.
func Offer(d *desk.Desk, link string) tea.Cmd {
	d.Confirm(desk.Confirmation{
		Title: catalogue.Mark("Take this bridge?"),
		Text: d.T("A bridge is a door into the network for when it is blocked. Whoever runs it sees the address of this computer from now on, and not what you write, nor to whom.") +
			" " + d.T("Take one only from somebody you trust. Nothing has been dialled yet."),
		Label: catalogue.Mark("Take it"),
		Then:  func() tea.Cmd { return take(d, link) },
	})
	return nil
}

// take adds the bridge to the profile.
func take(d *desk.Desk, link string) tea.Cmd {
	return d.Do(func(ctx context.Context) error {
		_, err := d.Node.AddBridge(ctx, api.BridgeRequest{Link: link})
		return err
	}, func() tea.Cmd { return d.Say("The bridge is taken, and used where it is needed.") })
}
