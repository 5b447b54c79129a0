package tui

import (
	"context"
	"strings"

	tea "charm.land/bubbletea/v2"

	"starling/tui/catalogue"
	"starling/tui/desk"
	"starling/tui/dialog"
	"starling/tui/doors"
)

// openOwnBridge shows the bridge that this computer is for friends.
func (a slash) openOwnBridge() tea.Cmd {
	var put func(string) tea.Cmd
	if a.book.Writable() {
		put = a.book.Insert
	}
	return doors.Own(a.desk, put)
}

// maxAddress is the longest address of a relay, in bytes.
const maxAddress = 512

// openJoin asks for the address of a relay. Where the local network can be
// searched, a relay found there is offered too.
func (a *App) openJoin() tea.Cmd {
	if a.opts.Join == nil {
		return a.desk.Say("Relays are given when the app is started: starling --bootstrap ADDRESS.")
	}

	form := &dialog.Form{
		Title: "Join by a relay",
		Intro: "Starling finds relays by itself, and an invite brings one along. If nothing is found: ask somebody who runs a relay for its address, or a bridge for its link.",
		Label: "Join",
	}
	address := dialog.Line(catalogue.Mark("Address"), catalogue.Mark("It ends with the relay's name, so that no other can take its place."), maxAddress)
	address.Text.Placeholder = "/ip4/…/tcp/…/p2p/12D3…"
	form.Fields = []*dialog.Field{address}
	form.Submit = func() dialog.Action {
		s := address.Answer()
		// People paste the link of a bridge here. It has a form of its own.
		if doors.Is(s) {
			return dialog.Closing(func() tea.Cmd { return doors.Offer(a.desk, s) })
		}
		if !strings.Contains(s, "/p2p/") {
			form.Error = a.desk.T("An address begins with / and has /p2p/ and a name at its end.")
			return dialog.Action{}
		}
		return dialog.Keeping(func() tea.Cmd { return a.join(form, s) })
	}
	a.desk.Dialogs.Open(form)

	// Asked for only when the person wants to join: the local network sees the question.
	if a.opts.Nearby == nil {
		return nil
	}
	return desk.Ask(a.desk, a.opts.Nearby, func(found []string, err error) tea.Cmd {
		if err == nil && a.desk.Dialogs.Has(form) {
			a.offerNearby(address, found)
		}
		return nil
	})
}

// offerNearby puts the first address that was found into the empty field.
func (a *App) offerNearby(address *dialog.Field, found []string) {
	if len(found) == 0 || len(found[0]) > maxAddress {
		return
	}
	address.Hint = a.desk.N(len(found), "%d relay was found on your network.", "%d relays were found on your network.")
	if address.Text.Empty() {
		address.Text.SetValue(found[0])
	}
}

func (a *App) join(form *dialog.Form, address string) tea.Cmd {
	return desk.Submit(a.desk, form, a.desk.T("Connecting…"), func(ctx context.Context) (struct{}, error) {
		return struct{}{}, a.opts.Join(ctx, address)
	}, func(struct{}) tea.Cmd { return a.desk.Say("The relay is known now.") })
}
