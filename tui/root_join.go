package tui

import (
	"context"
	"path/filepath"
	"strings"

	tea "charm.land/bubbletea/v2"

	"starling/tui/dialog"
)

// joinAction adds a relay to start from; from is empty if the address was
// found nearby.
type joinAction struct {
	from    *dialog.Form
	address string
}

// maxAddress is the longest address of a relay, in bytes.
const maxAddress = 512

// openJoin asks for the address of a relay. Where the local network can be
// searched, what is found there is offered too.
func (a *App) openJoin() tea.Cmd {
	if a.opts.Join == nil {
		return a.say("Relays are given when the app is started: starling --bootstrap ADDRESS.")
	}
	form := &dialog.Form{
		Title: "Join by a relay",
		Intro: "Starling finds relays by itself, and an invite brings one along. If nothing is found: ask somebody who runs a relay for its address.",
		Label: "Join",
	}
	address := &dialog.Field{Label: "Address", Hint: "It ends with the relay's name, so that no other can take its place."}
	address.Text.OneLine, address.Text.Limit = true, maxAddress
	address.Text.Placeholder = "/ip4/…/tcp/…/p2p/12D3…"
	form.Fields = []*dialog.Field{address}
	form.Submit = func() any {
		s := strings.TrimSpace(address.Text.Value())
		if !strings.Contains(s, "/p2p/") {
			form.Error = a.t("An address begins with / and has /p2p/ and a name at its end.")
			return nil
		}
		return joinAction{form, s}
	}
	a.dialogs.Open(form)
	if a.opts.Nearby == nil {
		return nil
	}
	return a.call(func(ctx context.Context) tea.Msg {
		found, err := a.opts.Nearby(ctx)
		if err != nil || len(found) == 0 {
			return nil
		}
		return nearbyMsg{form, found}
	})
}

type nearbyMsg struct {
	form  *dialog.Form
	found []string
}

// gotNearby puts what was found into the empty form.
func (a *App) gotNearby(msg nearbyMsg) {
	if !a.dialogs.Has(msg.form) || len(msg.found[0]) > maxAddress {
		return
	}
	field := msg.form.Fields[0]
	field.Hint = a.n(len(msg.found), "%d relay was found on your network.", "%d relays were found on your network.")
	if field.Text.Empty() {
		field.Text.SetValue(msg.found[0])
	}
}

func (a *App) join(j joinAction) tea.Cmd {
	j.from.Busy = a.t("Connecting…")
	note := a.t("The relay is known now.")
	return a.ask(func(ctx context.Context) resultMsg {
		return resultMsg{err: a.opts.Join(ctx, j.address), from: j.from, note: note}
	})
}

// backupPath is where a backup is offered to go.
func (a *App) backupPath() string {
	if a.opts.BackupDir == "" {
		return ""
	}
	return filepath.Join(a.opts.BackupDir, "starling-"+a.opts.Now().Local().Format("2006-01-02")+".age")
}
