package linear

import (
	"context"
	"strings"

	"starling/node/api"
	"starling/tui/attach"
	"starling/tui/catalogue"
	"starling/tui/opener"
	"starling/tui/scratch"
	"starling/tui/words"
)

// attach sends a file, after it has said what will be sent and has asked for a text.
func (p *prompt) attach(ctx context.Context, path string) error {
	if path == "" {
		return p.fault(catalogue.Mark("say which file"), catalogue.Mark("Type /attach and its path."))
	}
	return p.with("", func(c api.Contact) error {
		// A dragged file comes quoted or as an address; anything else is one path with its spaces.
		paths := attach.Paths(path)
		if len(paths) != 1 {
			paths = []string{attach.Resolve(path)}
		}
		it, err := attach.Load(ctx, paths[0], attach.Either)
		if err != nil {
			return err
		}
		for _, note := range it.Notes(p.t) {
			p.say("%s", attach.Shown(note))
		}

		// The recipient is read out before the last question: nobody sees which conversation is open.
		p.say("To %s. Type a text to go with it, an empty line for none, or /cancel.", p.shown(&c))
		caption, err := p.asking.line(false, 0)
		if err != nil {
			return broken(err)
		}
		if strings.TrimSpace(caption) == "/cancel" {
			p.say("Not sent.")
			return nil
		}
		_, err = p.node.Send(ctx, it.Request(c.ID, caption, words.NewID()))
		return err // the event says that it is queued
	})
}

// receivedFile returns the file of a message by its number.
func receivedFile(ctx context.Context, p *prompt, args string) (name string, data []byte, rest string, err error) {
	m, rest, err := p.numberedMessage(args)
	if err != nil {
		return "", nil, "", err
	}
	if m, err = p.node.Message(ctx, m.ID); err != nil {
		return "", nil, "", err
	}
	name, data, ok := attach.Received(&m)
	if !ok {
		return "", nil, "", p.fault(catalogue.Mark("no file and no picture came with that message"), "")
	}
	return name, data, rest, nil
}

func (p *prompt) save(ctx context.Context, args string) error {
	name, data, path, err := receivedFile(ctx, p, args)
	if err != nil {
		return err
	}
	target := attach.Free(attach.Folder(), name)
	if path != "" {
		target = attach.Target(attach.Resolve(path), name)
	}
	return p.done(attach.Save(target, data), "Saved as %s.", attach.Shown(target))
}

// viewFile opens a file in the system's program, after a question, if it is of a kind that
// no system runs.
func (p *prompt) viewFile(ctx context.Context, args string) error {
	name, data, _, err := receivedFile(ctx, p, args)
	if err != nil {
		return err
	}
	if why := attach.Refusal(name, data); why != "" {
		p.say("%s", p.t(why))
		return nil
	}
	if len(p.opts.Texts) == 0 {
		return p.fault(catalogue.Mark("there is no private place for a copy of the file"), catalogue.Mark("Type /save and its number."))
	}
	sure, err := p.sure(p.t("Your system's program gets a copy of %s, which is erased when Starling ends. Is that what you want?", attach.Shown(name)))
	if err != nil || !sure {
		return err
	}

	// In a private folder that is wiped at the end.
	s, err := scratch.Lay(p.opts.Texts[0], name, string(data))
	if err != nil {
		return p.fault(catalogue.Mark("there is no private place for a copy of the file"), catalogue.Mark("Type /save and its number."))
	}
	p.opened = append(p.opened, s)
	open := p.opts.OpenFile
	if open == nil {
		open = opener.File
	}
	if open(ctx, s.File()) != nil {
		p.say("Your system has no program that opens it. Save it instead.")
		return nil
	}
	return p.done(nil, "Handed to your system's program.")
}
