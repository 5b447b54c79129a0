package linear

import (
	"context"
	"path/filepath"
	"strings"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/tui/catalogue"
	"starling/tui/words"
)

// clearNamed erases the messages of a conversation, the open one if nobody is named.
func clearNamed(p *prompt, ctx context.Context, who string) error {
	name, sure := strings.CutSuffix(who, " yes")
	if who == "yes" {
		name, sure = "", true
	}
	return p.with(name, func(c api.Contact) error {
		if !sure {
			var err error
			if sure, err = p.sure(p.t("This erases all messages of the conversation with %s here. The contact stays. Is that what you want?", p.shown(&c))); err != nil || !sure {
				return err
			}
		}
		return p.node.ClearConversation(ctx, c.ID) // the event tells
	})
}

// exportTo writes the open conversation to a file, in the format of its end.
func exportTo(p *prompt, ctx context.Context, path string) error {
	if path == "" {
		return p.fault(catalogue.Mark("say where to"), catalogue.Mark("Type /export and the name of a new file."))
	}
	return p.with("", func(c api.Contact) error {
		req := api.ExportRequest{Contact: c.ID, Path: words.Absolute(path), Format: api.ExportText}
		switch strings.ToLower(filepath.Ext(path)) {
		case ".html", ".htm":
			req.Format = api.ExportHTML
		case ".json", ".jsonl":
			req.Format = api.ExportJSON
		}
		return p.done(p.node.Export(ctx, req), "The conversation is in %s.", safetext.Line(req.Path))
	})
}

// sayBlocked reads the names of blocked people out.
func sayBlocked(p *prompt, ctx context.Context, _ string) error {
	if err := p.load(ctx); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	none := true
	for i := range p.people {
		if c := &p.people[i]; c.Blocked {
			none = false
			p.print("%d. %s", i+1, p.name(c))
		}
	}
	if none {
		p.print("Nobody is blocked.")
		return nil
	}
	p.print("Type /unblock and a number or a name.")
	return nil
}

// sayBegin names the first steps.
func sayBegin(p *prompt, _ context.Context, _ string) error {
	p.say("An invite is a link, or the same as a QR code. It makes one contact, once, and is then used up. Whoever has it first becomes that contact: give it to one person, in a way that others do not read.")
	p.say("/add LINK NAME uses one that you were given; it brings a relay along. /invite NAME makes one.")
	if p.opts.Join != nil {
		p.say("/join ADDRESS joins by a relay.")
	}
	if p.opts.TryDemo {
		p.say("/demo shows the demo, and comes back.")
	}
	p.say("/open self opens the note to self, which never leaves this computer.")
	p.say("A backup becomes a profile of its own: quit, and run starling --profile NEW restore FILE.")
	return nil
}

// leaveForDemo leaves for the demo.
func leaveForDemo(p *prompt, _ context.Context, _ string) error {
	if !p.opts.TryDemo {
		return p.fault(catalogue.Mark("the demo is not offered here"), catalogue.Mark("Run starling demo."))
	}
	return ErrDemo
}

// ownName is the person's name, unless names are hidden.
func ownName(p *prompt, name safetext.Text) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.hidden {
		return p.t("(hidden)")
	}
	return words.Line(name)
}

// speak goes on in the language of the settings, unless one was chosen at the start.
func speak(p *prompt, s api.Settings) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.opts.Language == "" && s.Language != p.spoken {
		p.spoken = s.Language
		p.th.Words = catalogue.New(s.Language)
	}
}
