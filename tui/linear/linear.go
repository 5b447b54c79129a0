// Package linear is the app line by line: lines in, lines out, nothing drawn. A
// line is sent to the open conversation; a line that begins with a slash is a
// command. Everything is said in words and once, for screen readers and for
// terminals that can do nothing else.
//
// The table of commands is for the drawn app too: see [Commands] and [Obey].
//
// A prompt takes the lines and obeys them. A voice reads out messages and events;
// it alone writes.
package linear

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"starling/node/api"
	"starling/tui/catalogue"
	"starling/tui/opener"
	"starling/tui/scratch"
	"starling/tui/theme"
	"starling/tui/words"
)

// Options change how the app starts.
type Options struct {
	// Incognito starts with names and texts hidden; /incognito changes it.
	Incognito bool
	// Language is the language spoken: "en", "de", "ru"; empty is that of the
	// environment.
	Language string
	// Join adds a relay to start from by its address; nil: not offered.
	Join func(ctx context.Context, address string) error
	// Nearby looks for relays on the local network; nil: not offered.
	Nearby func(ctx context.Context) ([]string, error)
	// TryDemo offers the demo: Run then ends with [ErrDemo].
	TryDemo bool
	// Guest: the node is another process's. When it ends, /lock and the passphrase go
	// on here: Unlock of the node takes the profile over.
	Guest bool
	// Together is how soon after each other pasted lines come: they are one message, if
	// the person says so. 0: in a terminal less than a typed line needs, elsewhere no
	// line is taken for pasted.
	Together time.Duration
	// OpenAddress opens a web address in the browser; nil is [opener.Address].
	OpenAddress func(ctx context.Context, address string) error
	// Texts are private folders for files that other programs read, see package scratch;
	// none: no file is opened.
	Texts []string
	// OpenFile opens a file in the system's program for it; nil is [opener.File].
	OpenFile func(ctx context.Context, path string) error
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// together is [Options.Together] in a terminal.
const together = 15 * time.Millisecond

// prompt takes the lines of the person.
type prompt struct {
	*voice
	node     api.Node
	opts     Options
	asking   *asking
	settings api.Settings      // guarded by mu
	spoken   string            // language of the settings, guarded by mu
	seen     map[string]string // safety numbers as read out, guarded by mu
	opened   []*scratch.Sheet  // files that other programs may still read
}

var (
	// errQuit ends the app.
	errQuit = errors.New("quit")
	// errBroken says that the input cannot be read.
	errBroken = errors.New("read a line")
)

// ErrDemo is how the app ends when the person wants to see the demo.
var ErrDemo = errors.New("the demo is wanted")

// again is how long to wait before asking a lost node again.
const again = time.Second

// Run prints messages line by line and reads commands and messages from in
// until it ends, /quit, or ctx ends.
func Run(ctx context.Context, node api.Node, opts Options, in io.Reader, out io.Writer) error {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.OpenAddress == nil {
		opts.OpenAddress = opener.Address
	}
	p := &prompt{
		voice: newVoice(&theme.Theme{Words: catalogue.New(opts.Language)}, opts.Now, out),
		node:  node, opts: opts, seen: map[string]string{},
	}
	p.hidden = opts.Incognito
	if p.opts.Together == 0 && isTerminal(in) {
		p.opts.Together = together
	}

	ctx, cancel := context.WithCancel(ctx)
	if err := p.start(ctx); err != nil {
		cancel()
		return err
	}

	// Events are read out until the last line is done.
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		p.follow(ctx)
	}()
	defer func() {
		cancel()
		<-followed
		for _, s := range p.opened {
			s.Wipe()
		}
	}()

	p.asking = ask(ctx, in)
	for {
		err := p.step(ctx)
		switch {
		case errors.Is(err, ErrDemo):
			return err
		case errors.Is(err, errQuit), errors.Is(err, io.EOF):
			p.parting(ctx)
			return nil
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, errBroken):
			return err
		case err != nil:
			p.say("Error: %s", words.Error(p.th.Words, err))
		}
	}
}

// step obeys the next line. The lock closes if none comes for long.
func (p *prompt) step(ctx context.Context) error {
	text, err := p.asking.line(false, p.idle())
	switch {
	case errors.Is(err, errIdle):
		return p.lock(ctx)
	case err != nil:
		return broken(err)
	}

	pasted, err := p.pasted(text)
	switch {
	case err != nil:
		return err
	case len(pasted) > 1:
		return p.sendPasted(ctx, pasted)
	}
	return p.line(ctx, text)
}

// broken is an error of reading a line, but for the end and for a fault of the line alone.
func broken(err error) error {
	var fault *api.Error
	if errors.Is(err, io.EOF) || errors.As(err, &fault) {
		return err
	}
	return fmt.Errorf("%w: %w", errBroken, err)
}

// pasted returns the lines that came together with the first one. Behind a command
// none is looked for: it may ask for a secret, whose letters are not to be shown.
func (p *prompt) pasted(first string) ([]string, error) {
	lines := []string{first}
	if strings.HasPrefix(first, "/") && !strings.HasPrefix(first, "//") {
		return lines, nil
	}
	for p.opts.Together > 0 {
		next, err := p.asking.line(false, p.opts.Together)
		switch {
		case errors.Is(err, errIdle), errors.Is(err, io.EOF):
			return lines, nil
		case err != nil:
			return nil, broken(err)
		}
		lines = append(lines, next)
	}
	return lines, nil
}

// sendPasted asks before lines that came together are sent, as one message.
func (p *prompt) sendPasted(ctx context.Context, lines []string) error {
	sure, err := p.sure(p.n(len(lines), "%d line was pasted. Is it to be sent as one message?", "%d lines were pasted. Are they to be sent as one message?"))
	if err != nil || !sure {
		return err
	}
	return p.send(ctx, api.SendRequest{Text: strings.Join(lines, "\n")})
}

// sure asks a question in the person's language until it is answered. A command is
// obeyed afterwards, and is a no. Nothing that is typed here is sent.
func (p *prompt) sure(question string) (bool, error) {
	p.say("%s", question)
	for {
		p.say("Answer yes or no. What you type now is not sent.")
		text, err := p.asking.line(false, p.idle())
		switch {
		case errors.Is(err, errIdle):
			text = "no"
		case errors.Is(err, io.EOF):
			return false, err
		case err != nil:
			return false, broken(err)
		}

		text = strings.TrimSpace(text)
		is := func(word string) bool {
			letter, _ := utf8.DecodeRuneInString(word)
			return strings.EqualFold(text, word) || strings.EqualFold(text, string(letter))
		}
		switch {
		case is("yes") || is(p.t("yes")):
			return true, nil
		// A command means that the question was not heard: it is a no, and is obeyed.
		case strings.HasPrefix(text, "/"):
			p.asking.unread(text)
			return false, nil
		case is("no") || is(p.t("no")):
			p.say("Nothing was done.")
			return false, nil
		}
	}
}

// parting tells of messages that have not left yet.
func (p *prompt) parting(ctx context.Context) {
	if s, err := p.node.Status(ctx); err == nil {
		if said := words.Unsent(p.th, &s); said != "" {
			p.say("%s", said)
		}
	}
}

// start says where the person is.
func (p *prompt) start(ctx context.Context) error {
	if s, err := p.node.Settings(ctx); err == nil { // else as it is by default
		p.settings = s
		speak(p, s)
	}
	p.say("Starling, line by line. Type /help for the commands, /quit to leave.")
	status, err := p.node.Status(ctx)
	if err != nil {
		return err
	}
	if name := words.Line(status.Name); name != "" && !p.hidden {
		p.say("You are %s.", name)
	}
	p.network(&status)
	if err := p.load(ctx); err != nil {
		return err
	}
	p.list(false)
	return nil
}

func (p *prompt) load(ctx context.Context) error {
	contacts, err := p.node.Conversations(ctx)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.IndexFunc(contacts, func(c api.Contact) bool { return c.ID == api.Self }); i >= 0 {
		p.self = contacts[i]
		contacts = slices.Delete(contacts, i, i+1)
	}
	slices.SortStableFunc(contacts, func(a, b api.Contact) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	p.people = contacts
	return nil
}

// list prints the conversations with their numbers.
func (p *prompt) list(archived bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.people) == 0 {
		p.print("Nobody is here yet. /invite makes an invite for somebody; /add LINK NAME uses one you were given. /begin says more.")
		if p.opts.Join != nil {
			p.print("/join ADDRESS joins by a relay.")
		}
		listSelf(p)
		return
	}

	left := 0
	for i := range p.people {
		c := &p.people[i]
		if c.Archived && !archived {
			left++
			continue
		}
		p.print("%d. %s (%s)", i+1, p.name(c), p.about(c))
	}
	if left > 0 {
		p.write(p.n(left, "%d archived. /list all reads it too.", "%d archived. /list all reads them too."))
	}
	listSelf(p)
	p.print("Type /open and a number or a name to choose a conversation.")
}

// listSelf prints the note to self, which has a name and no number.
func listSelf(p *prompt) {
	if p.self.ID != "" {
		p.print("%s. %s (%s)", api.Self, p.name(&p.self), p.about(&p.self))
	}
}

// find finds a contact by number, name, or the beginning of a name.
func (p *prompt) find(who string) (api.Contact, error) {
	p.mu.Lock()
	defer p.mu.Unlock()

	if who == "" {
		if c := p.contact(p.current); c != nil {
			return *c, nil
		}
		return api.Contact{}, p.fault(catalogue.Mark("no conversation is open"), catalogue.Mark("Type /open and a name."))
	}

	if p.self.ID != "" && (who == api.Self || strings.EqualFold(who, p.name(&p.self))) {
		return p.self, nil
	}

	// Numbers are those of the last /list.
	if n, err := strconv.Atoi(who); err == nil && n >= 1 && n <= len(p.people) {
		return p.people[n-1], nil
	}

	var found []api.Contact
	for _, c := range p.people {
		// A whole name goes before beginnings of others.
		if words.Line(c.Name) == who || c.ID == who {
			return c, nil
		}
		if strings.HasPrefix(strings.ToLower(words.Line(c.Name)), strings.ToLower(who)) {
			found = append(found, c)
		}
	}

	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return api.Contact{}, p.usage(api.CodeNoContact, catalogue.Mark("nobody of that name"), catalogue.Mark("Type /list."))
	}
	return api.Contact{}, p.usage(api.CodeAmbiguous, catalogue.Mark("more than one name begins like that"), catalogue.Mark("Type more of it, or the number from /list."))
}

// fault is an error of the person, with the remedy.
func (p *prompt) fault(english, hint string) error {
	return p.usage(api.CodeUsage, english, hint)
}

func (p *prompt) usage(c api.Code, english, hint string) error {
	return &api.Error{Code: c, Message: english, Hint: hint}
}

// follow reads out the events of the node until ctx ends.
func (p *prompt) follow(ctx context.Context) {
	after := int64(-1)
	for ctx.Err() == nil {
		err := p.node.Events(ctx, after, func(ev api.Event) error {
			after = max(after, ev.Seq)
			roomTalk{p}.learn(ctx, ev.Contact)
			p.tell(&ev)
			roomTalk{p}.ahead(ctx, ev.Contact, false)
			return nil
		})
		if ctx.Err() != nil {
			return
		}

		if p.opts.Guest && api.CodeOf(err) == api.CodeClosed {
			p.say("The Starling that this one used has ended. Type /lock and your passphrase, and this one takes over.")
		} else {
			p.say("The node does not answer: %s", words.Error(p.th.Words, err))
		}
		select {
		case <-ctx.Done():
		case <-time.After(again):
		}
	}
}
