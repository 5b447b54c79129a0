package linear

import (
	"context"
	"errors"
	"io"
	"strings"

	"starling/node/api"
	"starling/tui/catalogue"
	"starling/tui/theme"
)

// A Command is one of the table, as other screens show it. Args and Help are English
// texts of the catalogue; one without Help is the opposite of another, or the like.
type Command struct{ Name, Args, Help string }

// Commands returns the table in the order in which it is explained.
func Commands() []Command {
	out := make([]Command, len(commands))
	for i, c := range commands {
		out[i] = Command{c.name, c.args, c.help}
	}
	return out
}

// RoomCommands returns the words of /room, as [Commands] does: each is a name without it.
func RoomCommands() []Command {
	out := make([]Command, len(roomCommands))
	for i, c := range roomCommands {
		out[i] = Command{c.name, c.args, c.help}
	}
	return out
}

// Cut takes a line apart: the name of the command, known or not, and its arguments. ok is
// false for a text. One that begins with two slashes is a text with one of them.
func Cut(line string) (name, args, text string, ok bool) {
	switch {
	case strings.HasPrefix(line, "//"):
		return "", "", line[1:], false
	case !strings.HasPrefix(line, "/"):
		return "", "", line, false
	}
	name, args = line, ""
	if i := strings.IndexAny(line, " \n"); i >= 0 {
		name, args = line[:i], strings.TrimSpace(line[i:])
	}
	return name, args, "", true
}

// Known reports whether there is a command of a name.
func Known(name string) bool { return named(name) != nil }

// Obey obeys one command about the conversation with a contact, for a screen that is not
// line by line, and returns what it says. A command that asks something has nobody to ask
// here: the screen has a form for it.
func Obey(ctx context.Context, node api.Node, opts Options, contact, line string) (said string, err error) {
	var out strings.Builder
	p := &prompt{
		voice: newVoice(&theme.Theme{Words: catalogue.New(opts.Language)}, opts.Now, &out),
		node:  node, opts: opts, seen: map[string]string{},
	}
	p.hidden = opts.Incognito
	name, args, _, _ := Cut(line)
	c := named(name)
	if c == nil {
		return "", p.fault(p.t("there is no command %s", name), catalogue.Mark("Type /help."))
	}
	if err := p.load(ctx); err != nil {
		return "", err
	}
	p.current = contact

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p.asking = ask(ctx, strings.NewReader(""))
	err = c.run(p, ctx, args)
	if errors.Is(err, io.EOF) || errors.Is(err, errQuit) {
		err = p.fault(catalogue.Mark("this command asks something, which it cannot do here"), "")
	}
	return strings.TrimRight(out.String(), "\n"), err
}
