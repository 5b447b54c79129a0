package linear

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/tui/catalogue"
	"starling/tui/doors"
	"starling/tui/words"
)

// A command is a line that begins with a slash and a name. The rest are its
// arguments.
type command struct {
	name, args, help string
	run              func(p *prompt, ctx context.Context, args string) error
}

// commands are all of them, in the order in which they are explained.
var commands []command

func init() {
	m := catalogue.Mark
	commands = []command{
		{"/list", "", m("the conversations; /list all: archived ones too"), (*prompt).listing},
		{"/open", m("NAME or NUMBER"), m("choose one"), (*prompt).open},
		{"/next", "", m("open the next one with something new"), (*prompt).next},
		{"/history", m("NUMBER"), m("the last messages of it, 20 if no number is given"), (*prompt).historyOf},
		{"/write", "", m("several lines, up to a line with a single dot"), (*prompt).several},
		{"/reply", m("NUMBER TEXT"), m("answer a message"), (*prompt).reply},
		{"/edit", m("NUMBER TEXT"), m("give a message of yours another text"), (*prompt).edit},
		{"/delete", m("NUMBER"), m("erase a message here; /delete NUMBER both: at your contact too"), (*prompt).erase},
		{"/react", m("NUMBER EMOJI"), m("react with an emoji or its name; none takes it back"), (*prompt).react},
		{"/forward", m("NUMBER NAME"), m("send a message on"), (*prompt).forward},
		{"/attach", m("PATH"), m("send a file or a picture; what will be sent is read out before"), (*prompt).attach},
		{"/save", m("NUMBER PATH"), m("save the file or picture of a message; without a path, in your folder for downloads"), (*prompt).save},
		{"/view", m("NUMBER"), m("open the file or picture of a message in another program"), (*prompt).viewFile},
		{"/original", m("NUMBER"), m("the message that it answers"), (*prompt).original},
		{"/link", m("NUMBER"), m("open a web address of a message; it is read out whole before"), (*prompt).openLink},
		{"/find", m("WORDS"), m("search in the open conversation; with from:me, on:2026-11-22, before:, after:, kind:picture, file, link"), (*prompt).findHere},
		{"/search", m("WORDS"), m("search in all conversations; with in:NAME too"), (*prompt).search},
		{"/around", m("NUMBER"), m("what stands around a message"), (*prompt).around},
		{"/draft", m("TEXT"), m("keep a text for later; alone: read it; /draft send: send it"), (*prompt).draft},
		{"/retry", m("NUMBER"), m("queue a failed message again"), (*prompt).retry},
		{"/discard", m("NUMBER"), m("erase a failed message"), (*prompt).discard},
		{"/pin", "", m("pin the conversation; /unpin: not"), (*prompt).pin},
		{"/mute", m("TIME"), m("announce nothing new, for 8h, 7d or for ever; /unmute: again"), (*prompt).mute},
		{"/archive", "", m("out of the list until something new comes; /unarchive: back"), (*prompt).archive},
		{"/clear", m("NAME"), m("erase all messages of the conversation, and keep the contact"), clearNamed},
		{"/export", m("FILE"), m("write the conversation to a file: text, or HTML or JSON by the end of the name"), exportTo},
		{"/timer", m("TIME"), m("offer messages that disappear after 30s, 1h, 7d; agree; off"), (*prompt).timer},
		{"/notify", m("LEVEL"), m("what is announced: none, hidden, name, text, default"), (*prompt).notify},
		{"/invite", m("NAME"), m("make an invite for somebody"), (*prompt).invite},
		{"/invites", "", m("the open invites; /withdraw NUMBER ends one"), (*prompt).invites},
		{"/add", m("LINK NAME"), m("use an invite you were given"), (*prompt).add},
		{"/room", m("WORD"), m("rooms: new, join, invite, members, role, leave; alone it says all words"), obeyRoom},
		{"/verify", m("NAME"), m("the numbers to compare; /verified, /unverified: note the result"), (*prompt).verify},
		{"/rename", m("NEW NAME"), m("rename the open conversation"), (*prompt).rename},
		{"/block", m("NAME"), m("receive nothing from them; /unblock: again"), (*prompt).block},
		{"/blocked", "", m("who is blocked"), sayBlocked},
		{"/remove", m("NAME"), m("erase a contact and all messages"), (*prompt).remove},
		{"/begin", "", m("what to begin with"), sayBegin},
		{"/demo", "", m("look at the demo, and come back"), leaveForDemo},
		{"/status", "", m("what the network does"), (*prompt).status},
		{"/join", m("ADDRESS"), m("join by a relay, or a bridge"), (*prompt).join},
		{"/bridge", m("WORD"), m("the bridges; /bridge add LINK, /bridge remove LINK, /bridge own"), bridge},
		{"/incognito", "", m("hide names and texts, or not"), (*prompt).incognito},
		{"/settings", "", m("what is set; /set NAME VALUE changes it"), (*prompt).showSettings},
		{"/lock", "", m("say nothing until the passphrase is typed"), (*prompt).lockCommand},
		{"/passphrase", "", m("give the profile another passphrase"), (*prompt).passphrase},
		{"/backup", m("FILE"), m("write an encrypted copy of the profile"), (*prompt).backup},
		{"/wipe", "", m("destroy everything here"), (*prompt).wipe},
		{"/quit", "", m("leave"), func(*prompt, context.Context, string) error { return errQuit }},

		// The opposites of those above, and the like.
		{"/help", "", "", (*prompt).help},
		{"/unpin", "", "", (*prompt).unpin},
		{"/unmute", "", "", (*prompt).unmute},
		{"/unarchive", "", "", (*prompt).unarchive},
		{"/withdraw", "", "", (*prompt).withdraw},
		{"/verified", "", "", (*prompt).verified},
		{"/unverified", "", "", (*prompt).unverified},
		{"/unblock", "", "", (*prompt).unblock},
		{"/set", "", "", (*prompt).set},
	}
}

// line obeys one line of input.
func (p *prompt) line(ctx context.Context, text string) error {
	switch {
	case text == "":
		return nil
	case strings.HasPrefix(text, "//"):
		return p.send(ctx, api.SendRequest{Text: text[1:]})
	case !strings.HasPrefix(text, "/"):
		return p.send(ctx, api.SendRequest{Text: text})
	}
	name, args, _ := strings.Cut(text, " ")
	if c := named(name); c != nil {
		return c.run(p, ctx, strings.TrimSpace(args))
	}
	return p.unknown(ctx, name, text)
}

// named returns the command of a name, nil if there is none.
func named(name string) *command {
	for i := range commands {
		if commands[i].name == name {
			return &commands[i]
		}
	}
	return nil
}

// unknown asks before a line that looks like a command is sent as a text: it may be one
// that was mistyped, or the path of a file.
func (p *prompt) unknown(ctx context.Context, name, text string) error {
	fault := p.fault(p.t("there is no command %s", safetext.Line(name)), catalogue.Mark("Type /help."))
	p.mu.Lock()
	c := p.contact(p.current)
	p.mu.Unlock()
	if c == nil {
		return fault
	}
	p.say("Error: %s", words.Error(p.th.Words, fault))
	sure, err := p.sure(p.t("Is the line to be sent to %s as a text?", p.shown(c)))
	if err != nil || !sure {
		return err
	}
	return p.send(ctx, api.SendRequest{Contact: c.ID, Text: text})
}

func (p *prompt) help(context.Context, string) error {
	p.say("A line that does not begin with a slash is sent to the open conversation. One that begins with two slashes sends one of them.")
	for _, c := range commands {
		if c.help == "" || c.name == "/join" && p.opts.Join == nil {
			continue
		}
		if c.args == "" {
			p.say("%s: %s.", c.name, p.t(c.help))
			continue
		}
		p.say("%s %s: %s.", c.name, p.t(c.args), p.t(c.help))
	}
	return nil
}

func (p *prompt) done(err error, english string, args ...any) error {
	if err == nil {
		p.say(english, args...)
	}
	return err
}

// with does something with a contact, the open one if nobody is named.
func (p *prompt) with(who string, f func(api.Contact) error) error {
	c, err := p.find(who)
	if err != nil {
		return err
	}
	return f(c)
}

func (p *prompt) listing(ctx context.Context, args string) error {
	if err := p.load(ctx); err != nil {
		return err
	}
	p.list(args == "all")
	return nil
}

func (p *prompt) open(ctx context.Context, who string) error {
	return p.with(who, func(c api.Contact) error {
		p.enter(c)
		roomTalk{p}.learn(ctx, &c)
		if err := p.history(ctx, max(5, min(c.Unread, 100))); err != nil {
			return err
		}
		roomTalk{p}.ahead(ctx, &c, true)
		if err := p.tellDraft(ctx, c.ID); err != nil {
			return err
		}
		return p.node.MarkRead(ctx, c.ID)
	})
}

// enter makes a conversation the open one.
func (p *prompt) enter(c api.Contact) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.current = c.ID
	p.print("Conversation with %s (%s).", p.name(&c), p.about(&c))
}

func (p *prompt) next(ctx context.Context, _ string) error {
	if err := p.load(ctx); err != nil {
		return err
	}
	p.mu.Lock()
	id := ""
	for i := range p.people {
		if c := &p.people[i]; c.Unread > 0 && id == "" {
			id = c.ID
		}
	}
	at := slices.IndexFunc(p.people, func(c api.Contact) bool { return c.ID == id })
	p.mu.Unlock()
	if at < 0 {
		p.say("Nothing unread elsewhere.")
		return nil
	}
	return p.open(ctx, fmt.Sprint(at+1))
}

func (p *prompt) invite(ctx context.Context, name string) error {
	bridges, err := withBridges(p, ctx)
	if err != nil {
		return err
	}
	p.say("Putting the invite into a mailbox…")
	inv, err := p.node.Invite(ctx, api.InviteRequest{Name: name, WithBridge: bridges})
	if err != nil {
		return err
	}
	p.say("Give this link to one person. It works once, until %s.", p.th.Time(inv.Expires, "Monday 2 January, 15:04"))
	p.say("%s", inv.Link)
	return nil
}

func (p *prompt) invites(ctx context.Context, _ string) error {
	all, err := p.node.Invites(ctx)
	if err != nil {
		return err
	}
	for i, inv := range all {
		until := p.th.Time(inv.Expires, "Monday 2 January, 15:04")
		if name := words.Line(inv.Name); name != "" && !p.hidden {
			p.say("%d. For %s, open until %s:", i+1, name, until)
		} else {
			p.say("%d. Open until %s:", i+1, until)
		}
		p.say("%s", inv.Link)
	}
	if len(all) == 0 {
		p.say("No open invites.")
	}
	return nil
}

func (p *prompt) withdraw(ctx context.Context, number string) error {
	all, err := p.node.Invites(ctx)
	if err != nil {
		return err
	}
	var n int
	if _, err := fmt.Sscan(number, &n); err != nil || n < 1 || n > len(all) {
		return p.fault(catalogue.Mark("no open invite has that number"), catalogue.Mark("Type /invites to see the numbers."))
	}
	return p.node.RevokeInvite(ctx, all[n-1].ID) // the event tells
}

func (p *prompt) add(ctx context.Context, args string) error {
	link, name, _ := strings.Cut(args, " ")
	p.say("Fetching their keys and saying hello…")
	c, err := p.node.AddContact(ctx, api.AddContactRequest{Link: link, Name: strings.TrimSpace(name)})
	if err != nil {
		return err
	}
	p.mu.Lock()
	if p.contact(c.ID) == nil {
		p.people = append(p.people, c) // the event may come later
	}
	p.mu.Unlock()
	p.say("Added %s. They are pending until they answer.", p.shown(&c))
	p.enter(c)
	return nil
}

func (p *prompt) verify(ctx context.Context, who string) error {
	return p.with(who, func(c api.Contact) error {
		v, err := p.node.Verification(ctx, c.ID)
		if err != nil {
			return err
		}
		p.mu.Lock()
		p.seen[c.ID] = v.SafetyNumber
		p.mu.Unlock()

		if v.Verified {
			p.say("Compare with %s, face to face or in a call. You have verified them.", p.shown(&c))
		} else {
			p.say("Compare with %s, face to face or in a call. Not verified yet.", p.shown(&c))
		}

		for i, group := range words.Digits(v.SafetyNumber) {
			p.say("%d: %s", i+1, group)
		}
		if v.Code != "" {
			p.say("As a code: %s", safetext.Line(v.Code))
		}

		if !v.Verified {
			p.say("If all are equal, type /verified.")
		}
		return nil
	})
}

// verified notes the numbers as they were read out. Those of now may be others.
func (p *prompt) verified(ctx context.Context, who string) error {
	return p.with(who, func(c api.Contact) error {
		p.mu.Lock()
		seen := p.seen[c.ID]
		p.mu.Unlock()
		if seen == "" {
			return p.fault(catalogue.Mark("no numbers were read out yet"), catalogue.Mark("Type /verify first, and compare them."))
		}
		_, err := p.node.SetVerified(ctx, c.ID, seen)
		return p.done(err, "%s is verified.", p.shown(&c))
	})
}

func (p *prompt) unverified(ctx context.Context, who string) error {
	return p.with(who, func(c api.Contact) error {
		_, err := p.node.SetVerified(ctx, c.ID, "")
		return p.done(err, "%s is unverified.", p.shown(&c))
	})
}

func (p *prompt) rename(ctx context.Context, name string) error {
	return p.with("", func(c api.Contact) error {
		_, err := p.node.RenameContact(ctx, c.ID, name)
		return p.done(err, "Renamed.")
	})
}

func (p *prompt) block(ctx context.Context, who string) error {
	return p.with(who, func(c api.Contact) error {
		_, err := p.node.BlockContact(ctx, c.ID, true)
		return p.done(err, "%s is blocked.", p.shown(&c))
	})
}

func (p *prompt) unblock(ctx context.Context, who string) error {
	return p.with(who, func(c api.Contact) error {
		_, err := p.node.BlockContact(ctx, c.ID, false)
		return p.done(err, "%s is unblocked.", p.shown(&c))
	})
}

func (p *prompt) remove(ctx context.Context, who string) error {
	name, sure := strings.CutSuffix(who, " yes")
	if who == "" {
		return p.fault(catalogue.Mark("say whom to remove"), catalogue.Mark("Type /remove and a name."))
	}
	return p.with(name, func(c api.Contact) error {
		if !sure {
			var err error
			if sure, err = p.sure(p.t("This erases %s, the keys and all messages. Is that what you want?", p.shown(&c))); err != nil || !sure {
				return err
			}
		}
		return p.done(p.node.RemoveContact(ctx, c.ID), "Removed.")
	})
}

func (p *prompt) join(ctx context.Context, address string) error {
	if doors.Is(address) {
		return takeBridge(p, ctx, address)
	}
	if p.opts.Join == nil {
		return p.fault(catalogue.Mark("relays are given when the app is started"), catalogue.Mark("Start it with --bootstrap and an address."))
	}
	if address == "" && p.opts.Nearby != nil {
		found, err := p.opts.Nearby(ctx)
		for _, a := range found {
			p.say("Found on your network: %s", safetext.Line(a))
		}
		return err
	}
	return p.done(p.opts.Join(ctx, address), "The relay is known now.")
}

func (p *prompt) status(ctx context.Context, _ string) error {
	s, err := p.node.Status(ctx)
	if err != nil {
		return err
	}
	if s.Ready {
		p.say("Network: ready")
	} else {
		p.say("Network: waiting: %s", p.t(s.Reason))
	}
	p.say("%s", p.t(s.Anonymity.Statement))
	p.say("Profile %s. Way out: %s. Guards connected: %s. Relays known: %d. Mailboxes: %d.",
		s.Profile, strings.ReplaceAll(words.Route(p.th, &s), " → ", ", "), words.Guards(p.th, &s), s.Relays, len(s.Mailboxes))
	sayWays(p, &s)
	p.say("Outbox: %d queued, %d sealed, %d in mailboxes, %d failed.", s.Outbox.Queued, s.Outbox.Sealed, s.Outbox.Sent, s.Outbox.Failed)
	if s.AllowPrivate {
		p.say("Private and loopback relays are admitted: this is a mesh of your own, not for strangers.")
	}
	p.say("Received %s, sent %s.", words.Bytes(s.BytesIn), words.Bytes(s.BytesOut))
	for _, kind := range slices.Sorted(maps.Keys(s.Refused)) {
		p.say("Refused: %s", safetext.Line(fmt.Sprintf("%d %s", s.Refused[kind], p.t(kind))))
	}
	return nil
}
