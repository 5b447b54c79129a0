package linear

import (
	"cmp"
	"context"
	"strings"
	"time"
	"unicode/utf8"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/tui/catalogue"
	"starling/tui/chatview"
	"starling/tui/preferences"
	"starling/tui/words"
)

// keep changes how the open conversation is kept.
func (p *prompt) keep(ctx context.Context, change func(*api.ConversationRequest), english string) error {
	return p.with("", func(c api.Contact) error {
		req := api.ConversationRequest{Contact: c.ID}
		change(&req)
		_, err := p.node.ChangeConversation(ctx, req)
		return p.done(err, english)
	})
}

func (p *prompt) pin(ctx context.Context, _ string) error {
	return p.keep(ctx, func(r *api.ConversationRequest) { r.Pinned = new(true) }, catalogue.Mark("Pinned."))
}

func (p *prompt) unpin(ctx context.Context, _ string) error {
	return p.keep(ctx, func(r *api.ConversationRequest) { r.Pinned = new(false) }, catalogue.Mark("No longer pinned."))
}

func (p *prompt) archive(ctx context.Context, _ string) error {
	return p.keep(ctx, func(r *api.ConversationRequest) { r.Archived = new(true) }, catalogue.Mark("Archived until something new comes."))
}

func (p *prompt) unarchive(ctx context.Context, _ string) error {
	return p.keep(ctx, func(r *api.ConversationRequest) { r.Archived = new(false) }, catalogue.Mark("Back in the list."))
}

func (p *prompt) mute(ctx context.Context, args string) error {
	until := api.Forever
	if args != "" {
		seconds, err := p.seconds(args)
		if err != nil {
			return err
		}
		until = p.now().Add(time.Duration(seconds) * time.Second)
	}
	return p.keep(ctx, func(r *api.ConversationRequest) { r.MutedUntil = &until }, catalogue.Mark("Muted: nothing new is announced."))
}

func (p *prompt) unmute(ctx context.Context, _ string) error {
	return p.keep(ctx, func(r *api.ConversationRequest) { r.MutedUntil = new(time.Time{}) }, catalogue.Mark("No longer muted."))
}

// seconds reads a time such as 30s, 5m, 8h, 7d, 4w.
func (p *prompt) seconds(s string) (int, error) {
	if d, err := api.ParseDuration(s); err == nil && d >= time.Second && d <= 366*24*time.Hour {
		return int(d / time.Second), nil
	}
	return 0, p.fault(catalogue.Mark("that is no time"), catalogue.Mark("Type it as 30s, 5m, 8h, 7d or 4w."))
}

func (p *prompt) timer(ctx context.Context, args string) error {
	if err := p.load(ctx); err != nil {
		return err
	}

	return p.with("", func(c api.Contact) error {
		seconds := 0
		switch args {
		case "":
			p.tellTimer(&c)
			return nil
		case "off":
		case "agree":
			seconds = c.TimerTheirs
		default:
			var err error
			if seconds, err = p.seconds(args); err != nil {
				return err
			}
		}

		after, err := p.node.ChangeConversation(ctx, api.ConversationRequest{Contact: c.ID, Timer: &seconds})
		if err == nil {
			p.tellTimer(&after)
		}
		return err
	})
}

func (p *prompt) tellTimer(c *api.Contact) {
	name, span := p.shown(c), func(n int) string { return chatview.Span(p.th, n) }
	switch {
	case c.Timer > 0 && c.TimerMine == 0:
		p.say("You want to end it; %s has not agreed yet.", name)
	case c.Timer > 0 && c.TimerTheirs == 0:
		p.say("%s wants to end it.", name)
	case c.Timer > 0 && c.TimerMine == c.TimerTheirs:
		p.say("New messages disappear after %s, on both sides.", span(c.Timer))
	case c.TimerMine > 0:
		p.say("You have offered %s; %s has not agreed yet.", span(c.TimerMine), name)
	case c.TimerTheirs > 0:
		p.say("%s offers messages that disappear after %s. Type /timer agree.", name, span(c.TimerTheirs))
	default:
		p.say("New messages stay.")
	}
}

func (p *prompt) notify(ctx context.Context, args string) error {
	level, err := p.level(args)
	if err != nil {
		return err
	}
	return p.keep(ctx, func(r *api.ConversationRequest) { r.Notify = &level }, catalogue.Mark("Saved."))
}

func (p *prompt) level(word string) (api.NotifyLevel, error) {
	switch l := api.NotifyLevel(word); l {
	case api.NotifyNone, api.NotifyHidden, api.NotifyName, api.NotifyText:
		return l, nil
	case "default":
		return "", nil
	}
	return "", p.fault(catalogue.Mark("that is no level"), catalogue.Mark("Type none, hidden, name, text or default."))
}

func (p *prompt) incognito(_ context.Context, args string) error {
	p.mu.Lock()
	p.hidden = args != "off" && (args == "on" || !p.hidden)
	hidden := p.hidden
	p.mu.Unlock()
	if hidden {
		p.say("Names and texts are hidden. What was read out before stays in your terminal.")
	} else {
		p.say("Names and texts are read out again.")
	}
	return nil
}

func (p *prompt) showSettings(ctx context.Context, _ string) error {
	s, err := p.node.Settings(ctx)
	if err != nil {
		return err
	}
	yes := func(b bool) string {
		if b {
			return p.t("yes")
		}
		return p.t("no")
	}
	lock := p.t("never")
	if s.LockAfter > 0 {
		lock = chatview.Span(p.th, s.LockAfter)
	}

	p.say("typing, tell contacts that you are writing: %s", yes(s.Typing))
	p.say("read, tell contacts that you have read: %s", yes(s.ReadReceipts))
	p.say("notify, what notifications say: %s", p.t(preferences.Level(s.Notify)))
	p.say("lock, when idle for: %s", lock)
	p.say("name, what contacts are told: %s", ownName(p, s.Name))
	p.say("language: %s", cmp.Or(s.Language, p.t("as the system")))
	p.say("theme, of the drawn app: %s", s.Theme)
	p.say("title, unread in it: %s", yes(s.UnreadTitle))
	sayDoors(p, &s)
	p.say("Change one: /set typing yes, /set read no, /set notify hidden, /set lock 5m.")
	return nil
}

func (p *prompt) set(ctx context.Context, args string) error {
	name, value, _ := strings.Cut(args, " ")
	var change api.SettingsChange
	on := value == "yes" || value == "on"
	wrong := p.fault(catalogue.Mark("that is no setting"), catalogue.Mark("Type /settings."))
	flag := on || value == "no" || value == "off"

	switch name {
	case "typing":
		change.Typing = &on
		if !flag {
			return wrong
		}
	case "read":
		change.ReadReceipts = &on
		if !flag {
			return wrong
		}
	case "notify":
		level, err := p.level(value)
		if err != nil || level == "" {
			return wrong
		}
		change.Notify = &level
	case "lock":
		seconds := 0
		if value != "never" && value != "off" {
			var err error
			if seconds, err = p.seconds(value); err != nil {
				return err
			}
		}
		change.LockAfter = &seconds
	case "name":
		change.Name = &value
	case "language":
		if value == "system" {
			value = ""
		}
		change.Language = &value
	case "theme":
		change.Theme = &value
	case "title":
		change.UnreadTitle = &on
		if !flag {
			return wrong
		}
	default:
		// Ways in and out, with questions of their own.
		if !setDoor(name, value, &change) {
			return wrong
		}
	}

	s, err := p.node.ChangeSettings(ctx, change)
	if err == nil {
		p.mu.Lock()
		p.settings = s
		p.mu.Unlock()
		speak(p, s)
	}
	return p.done(err, "Saved.")
}

// idle is after how long without a line the lock closes, 0 for never.
func (p *prompt) idle() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Duration(p.settings.LockAfter) * time.Second
}

func (p *prompt) lockCommand(ctx context.Context, _ string) error { return p.lock(ctx) }

// lock says nothing more until the passphrase is typed; its letters are not
// shown.
func (p *prompt) lock(ctx context.Context) error {
	p.say("Locked. What was read out before stays in your terminal: clear it there. Type your passphrase to go on, or /quit.")
	p.mu.Lock()
	p.locked, p.missed = true, 0
	p.mu.Unlock()
	if err := p.node.Lock(ctx); err != nil {
		p.say("Error: %s", words.Error(p.th.Words, err))
	}

	aloud := func(english string, args ...any) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.write(p.t(english, args...))
	}

	for {
		// A line that was being waited for may have been begun for something
		// else; it is taken for the passphrase all the same.
		text, err := p.asking.line(true, 0)
		if err != nil {
			return err
		}

		switch text {
		case "":
			continue
		case "/quit":
			return errQuit
		}

		switch err := p.node.Unlock(ctx, text); api.CodeOf(err) {
		case "":
			p.mu.Lock()
			p.locked = false
			missed := p.missed
			p.mu.Unlock()
			p.say("Unlocked.")
			if missed > 0 {
				p.say("%s", p.n(missed, "%d message came meanwhile. /next reads it.", "%d messages came meanwhile. /next reads them."))
			}
			return nil
		case api.CodeWrongPassphrase:
			aloud("That was not the passphrase.")
		default:
			aloud("Error: %s", words.Error(p.th.Words, err))
		}
	}
}

func (p *prompt) backup(ctx context.Context, path string) error {
	if path == "" {
		return p.fault(catalogue.Mark("say where to"), catalogue.Mark("Type /backup and the name of a new file."))
	}

	path = words.Absolute(path)
	p.say("Type a passphrase for the backup.")
	first, ok, err := p.newPassphrase()
	if err != nil || !ok {
		return err
	}

	p.say("Writing the backup…")
	return p.done(p.node.Backup(ctx, api.BackupRequest{Path: path, Passphrase: first}), "The backup is in %s.", safetext.Line(path))
}

// newPassphrase reads a passphrase twice, and says why it is refused if ok is false.
func (p *prompt) newPassphrase() (text string, ok bool, err error) {
	first, err := p.asking.line(true, 0)
	if err != nil {
		return "", false, err
	}
	if utf8.RuneCountInString(first) < preferences.MinPassphrase {
		p.say("The passphrase is too short: at least %d characters.", preferences.MinPassphrase)
		return "", false, nil
	}

	p.say("Type it again.")
	again, err := p.asking.line(true, 0)
	if err != nil {
		return "", false, err
	}
	if first != again {
		p.say("The two passphrases differ. Type both again.")
		return "", false, nil
	}
	return first, true, nil
}

func (p *prompt) passphrase(ctx context.Context, _ string) error {
	p.say("Type the passphrase that the profile has now.")
	old, err := p.asking.line(true, 0)
	if err != nil {
		return err
	}
	p.say("Type the new one.")
	next, ok, err := p.newPassphrase()
	if err != nil || !ok {
		return err
	}

	p.say("Encrypting everything anew…")
	return p.done(p.node.ChangePassphrase(ctx, api.PassphraseRequest{Old: old, New: next}), "The profile has the new passphrase.")
}

func (p *prompt) wipe(ctx context.Context, args string) error {
	if args != "yes" {
		sure, err := p.sure(p.t("This destroys the keys of this profile and erases its files: contacts, messages, everything. Nothing brings it back but a backup. Is that what you want?"))
		if err != nil || !sure {
			return err
		}
	}
	if err := p.node.Wipe(ctx); err != nil {
		return err
	}
	p.say("The profile on this device is destroyed.")
	return errQuit
}
