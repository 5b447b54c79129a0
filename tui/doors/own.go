package doors

import (
	"context"
	"time"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/tui/catalogue"
	"starling/tui/desk"
	"starling/tui/dialog"
	"starling/tui/qrcode"
	"starling/tui/theme"
	"starling/tui/words"
)

// lookAgain is after how long a bridge that is shown is looked at again.
const lookAgain = time.Second

// An own shows the bridge that this computer is for friends.
type own struct {
	*desk.Desk
	now api.OwnBridge
	// put writes into the open conversation; nil: there is none.
	put  func(string) tea.Cmd
	card *dialog.Card
}

// Own shows the bridge that this computer is for friends, or offers to be one.
func Own(d *desk.Desk, put func(string) tea.Cmd) tea.Cmd {
	o := &own{Desk: d, put: put}
	return desk.Submit(d, nil, "", d.Node.OwnBridge, func(b api.OwnBridge) tea.Cmd {
		o.now = b
		if b.State == api.OwnBridgeOff {
			o.offer()
			return nil
		}
		return o.show()
	})
}

// offer says what a bridge is before it is switched on.
func (o *own) offer() {
	o.Confirm(desk.Confirmation{
		Title: catalogue.Mark("Be a bridge for friends?"),
		Text: o.T("Friends whose network is blocked come in over this computer while Starling runs here. You give them a link.") +
			" " + o.T("Whoever has the link knows that somebody at your address runs Starling, and you see the addresses of those who come. What they write, and to whom, you do not see.") +
			" " + o.T("It works if others reach this computer; your router is asked to let them."),
		Label: catalogue.Mark("Switch it on"),
		Then:  func() tea.Cmd { return o.turn(nil, api.BridgeOn, o.show) },
	})
}

// turn changes the setting.
func (o *own) turn(form *dialog.Form, setting string, then func() tea.Cmd) tea.Cmd {
	return desk.Submit(o.Desk, form, o.T("Saving…"), func(ctx context.Context) (api.OwnBridge, error) {
		if _, err := o.Node.ChangeSettings(ctx, api.SettingsChange{Bridge: &setting}); err != nil {
			return api.OwnBridge{}, err
		}
		return o.Node.OwnBridge(ctx)
	}, func(b api.OwnBridge) tea.Cmd { o.now = b; return then() })
}

// show opens the card of the bridge.
func (o *own) show() tea.Cmd {
	o.card = &dialog.Card{Title: o.T("Your bridge for friends"), Page: true, Body: o.body}
	o.buttons()
	o.Dialogs.Open(o.card)
	return o.again()
}

// buttons are those of the card: without a link there is nothing to hand on.
func (o *own) buttons() {
	off := dialog.Button{Label: "Switch it off", Key: "o", Action: dialog.Closing(func() tea.Cmd {
		return o.turn(nil, "", func() tea.Cmd { return o.Say("This computer is no bridge any more.") })
	})}
	at := dialog.Button{Label: "Address outside", Key: "a", Action: dialog.Keeping(o.address)}
	done := dialog.Button{Label: "Done", Key: "esc", Action: dialog.Close}
	link := o.now.Link
	if link == "" {
		o.card.Buttons = []dialog.Button{at, off, done}
		return
	}

	copied := o.T("Link copied, if your terminal allows it.")
	o.card.Buttons = []dialog.Button{
		{Label: "Copy the link", Key: "c", Action: dialog.Keeping(func() tea.Cmd { return tea.Batch(tea.SetClipboard(link), o.Note(copied, false)) })},
		{Label: "QR alone", Key: "f", Action: qrcode.Show(o.Desk, link)},
	}
	if o.put != nil {
		o.card.Buttons = append(o.card.Buttons, dialog.Button{Label: "Into the message", Key: "m", Action: dialog.Closing(func() tea.Cmd { return o.put(link) })})
	}
	o.card.Buttons = append(o.card.Buttons, at, off, done)
}

// body says how the bridge is, and shows its link.
func (o *own) body(th *theme.Theme, width, height int) []string {
	said := []string{words.OwnBridge(th, o.now)}
	for _, text := range []string{o.now.Reason, o.now.Remedy} {
		if text != "" {
			said = append(said, th.T(text))
		}
	}
	if o.now.Link != "" {
		return qrcode.Page(th, o.now.Link, said, width, height)
	}
	var out []string
	for _, s := range said {
		out = append(append(out, th.Cells.Wrap(s, width)...), "")
	}
	return out
}

// again looks at the bridge for as long as it is shown.
func (o *own) again() tea.Cmd {
	card := o.card
	return o.Later(lookAgain, func() tea.Cmd {
		if !o.Dialogs.Has(card) {
			return nil
		}
		return desk.Ask(o.Desk, o.Node.OwnBridge, func(b api.OwnBridge, err error) tea.Cmd {
			if err == nil && o.Dialogs.Has(card) {
				o.now = b
				o.buttons()
			}
			return o.again()
		})
	})
}

// address asks where others reach this computer, if its router forwards a port to it.
func (o *own) address() tea.Cmd {
	form := &dialog.Form{
		Title: "Address outside",
		Intro: "If your router forwards a TCP port to this computer: its address as others see it, and the port.",
		Label: "Save",
	}
	at := dialog.Line(catalogue.Mark("Address and port"), catalogue.Mark("Or the port alone, if this computer has an address of its own outside."), maxPlace)
	at.Text.Placeholder = "203.0.113.9:20443"
	form.Fields = []*dialog.Field{at}
	form.Submit = func() dialog.Action {
		return dialog.Keeping(func() tea.Cmd {
			return o.turn(form, at.Answer(), func() tea.Cmd { o.buttons(); return nil })
		})
	}
	o.Dialogs.Open(form)
	return nil
}

// maxPlace is the longest address with a port.
const maxPlace = 64
