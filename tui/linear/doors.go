package linear

import (
	"context"
	"strings"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/tui/catalogue"
	"starling/tui/doors"
	"starling/tui/words"
)

// sayWays tells which ways into the network were tried, and how each answered.
func sayWays(p *prompt, s *api.Status) {
	if s.Notice != "" {
		p.say("%s", p.t(s.Notice))
	}
	if s.Proxy != "" {
		fault := p.t("all connections go over it")
		if s.ProxyFault != "" {
			fault = p.t(s.ProxyFault)
		}
		p.say("Proxy: %s", fault)
	}
	for _, b := range s.Bridges {
		at, state := words.Bridge(p.th, b)
		p.say("Bridge: %s, %s", state, at)
	}
	if b := s.OwnBridge; b != nil {
		p.say("Your bridge: %s", words.OwnBridge(p.th, *b))
	}
	for _, w := range s.Ways {
		kind, outcome := words.Way(p.th, w)
		p.say("Way in, %s: %s, %s", kind, outcome, safetext.Line(w.Address))
	}
}

// sayDoors tells the settings of the ways in.
func sayDoors(p *prompt, s *api.Settings) {
	proxy, only := p.t("none"), p.t("no")
	if s.Proxy != "" {
		proxy = safetext.Line(s.Proxy).String()
	}
	if s.BridgesOnly {
		only = p.t("yes")
	}
	p.say("proxy, everything goes over it: %s", proxy)
	p.say("bridges-only, dial bridges alone: %s", only)
	door := p.t("no")
	if s.Bridge != "" {
		door = safetext.Line(s.Bridge).String()
	}
	p.say("bridge, be one for friends: %s", door)
}

// setDoor reads a setting of the ways in, and reports whether it is one.
func setDoor(name, value string, change *api.SettingsChange) bool {
	on := value == "yes" || value == "on"
	switch {
	case name == "proxy":
		if value == "off" || value == "no" || value == "none" {
			value = ""
		}
		change.Proxy = &value
	case name == "bridge":
		if value == "off" || value == "no" {
			value = ""
		} else if on {
			value = api.BridgeOn
		}
		change.Bridge = &value
	case name == "bridges-only" && (on || value == "no" || value == "off"):
		change.BridgesOnly = &on
	default:
		return false
	}
	return true
}

// bridge lists the bridges of the profile, takes one, or forgets it.
func bridge(p *prompt, ctx context.Context, args string) error {
	word, rest, _ := strings.Cut(args, " ")
	switch {
	case word == "remove" && rest != "":
		return p.done(p.node.RemoveBridge(ctx, strings.TrimSpace(rest)), "The bridge is forgotten.")
	case args == "own":
		return ownBridge(p, ctx)
	case word == "add":
		return takeBridge(p, ctx, strings.TrimSpace(rest))
	case doors.Is(args):
		return takeBridge(p, ctx, args)
	case word != "":
		return p.fault(catalogue.Mark("there is no such word for bridges"), catalogue.Mark("Type /bridge, /bridge add LINK, /bridge remove LINK or /bridge own."))
	}

	all, err := p.node.ListBridges(ctx)
	if err != nil {
		return err
	}
	for _, b := range all {
		at, state := words.Bridge(p.th, b)
		p.say("%s, %s: %s", at, state, safetext.Line(b.Link))
	}
	if len(all) == 0 {
		p.say("There is no bridge. Somebody who runs one gives you its link: /bridge add LINK.")
	}
	return nil
}

// ownBridge says how the bridge is that this computer is for friends, with its link.
func ownBridge(p *prompt, ctx context.Context) error {
	b, err := p.node.OwnBridge(ctx)
	if err != nil {
		return err
	}
	p.say("%s", words.OwnBridge(p.th, b))
	for _, text := range []string{b.Reason, b.Remedy} {
		if text != "" {
			p.say("%s", p.t(text))
		}
	}
	switch {
	case b.State == api.OwnBridgeOff:
		p.say("Whoever has the link of a bridge knows that somebody at your address runs Starling. Type /set bridge on to be one.")
	case b.Link != "":
		p.say("Its link, for friends: %s", safetext.Line(b.Link))
	}
	return nil
}

// takeBridge takes a bridge after its price was read out.
func takeBridge(p *prompt, ctx context.Context, link string) error {
	p.say("A bridge is a door into the network for when it is blocked. Whoever runs it sees the address of this computer from now on, and not what you write, nor to whom.")
	sure, err := p.sure(p.t("Take this bridge?"))
	if err != nil || !sure {
		return err
	}
	_, err = p.node.AddBridge(ctx, api.BridgeRequest{Link: link})
	return p.done(err, "The bridge is taken, and used where it is needed.")
}

// withBridges asks whether an invite is to carry the bridges of the profile, if it has any.
func withBridges(p *prompt, ctx context.Context) (bool, error) {
	all, err := p.node.ListBridges(ctx)
	if err != nil || len(all) == 0 {
		return false, err
	}
	return p.sure(p.t("With your bridges?") + " " + p.t("They lead in where relays are blocked. Whoever sees the link learns them."))
}
