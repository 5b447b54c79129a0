package tui

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	xterm "golang.org/x/term"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/tui/catalogue"
	"starling/tui/theme"
)

// plain is the linear mode: lines in, lines out, nothing drawn. A line is
// sent to the open conversation; a line that begins with a slash is a
// command. Everything is said in words and once, for screen readers and for
// terminals that can do nothing else.
type plain struct {
	node   api.Node
	opts   Options
	now    func() time.Time
	th     *theme.Theme // of no colours, for its language
	asking *asking

	mu       sync.Mutex // guards what follows, and the order of lines
	out      io.Writer
	people   []api.Contact
	current  string
	numbered []string               // IDs of the messages that were read out
	numbers  map[string]int         // and back, from 1
	messages map[string]api.Message // as they were read out
	seen     map[string]string      // safety numbers that were read out
	wrote    map[string]time.Time   // when a contact was last said to be writing
	hidden   bool
	locked   bool
	missed   int // messages that came while it was locked
	settings api.Settings
	ready    bool
	reason   string
	told     bool // the network was spoken of
}

// errQuit ends the linear mode.
var errQuit = errors.New("quit")

// RunPlain runs the linear mode: it prints messages line by line and reads
// commands and messages from in until it ends, /quit, or ctx ends.
func RunPlain(ctx context.Context, node api.Node, opts Options, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	p := &plain{
		node: node, opts: opts, now: opts.Now, out: out, hidden: opts.Incognito,
		th:      &theme.Theme{Words: catalogue.New(opts.Language)},
		numbers: map[string]int{}, messages: map[string]api.Message{}, seen: map[string]string{}, wrote: map[string]time.Time{},
	}
	if p.now == nil {
		p.now = time.Now
	}
	if err := p.start(ctx); err != nil {
		cancel()
		return err
	}
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		p.follow(ctx)
	}()
	defer func() {
		cancel()
		<-followed
	}()
	p.asking = ask(ctx, in, p)
	for {
		text, err := p.asking.line(false, p.idle())
		switch {
		case errors.Is(err, errIdle):
			err = p.lock(ctx)
		case err != nil:
			if errors.Is(err, io.EOF) || ctx.Err() != nil {
				return nil
			}
			return err
		default:
			err = p.line(ctx, text)
		}
		switch {
		case errors.Is(err, errQuit), errors.Is(err, io.EOF):
			return nil
		case err != nil && ctx.Err() == nil:
			p.say("Error: %s", describe(p.th.Words, err))
		}
	}
}

// asking reads lines one by one when they are asked for, so that a secret can
// be read without its letters being shown. A read of the standard input cannot
// be interrupted: the goroutine ends with the line it waits for.
type asking struct {
	ctx     context.Context
	want    chan bool // secret
	lines   chan string
	ended   chan error
	pending bool // a line has been asked for and has not come
}

var errIdle = errors.New("nobody is there")

func ask(ctx context.Context, in io.Reader, p *plain) *asking {
	a := &asking{ctx: ctx, want: make(chan bool), lines: make(chan string), ended: make(chan error, 1)}
	file, _ := in.(*os.File)
	terminal := file != nil && xterm.IsTerminal(int(file.Fd()))
	go func() {
		s := bufio.NewScanner(in)
		s.Buffer(make([]byte, 4096), api.MaxText+4096)
		for {
			var secret bool
			select {
			case <-ctx.Done():
				return
			case secret = <-a.want:
			}
			var text string
			if secret && terminal {
				b, err := xterm.ReadPassword(int(file.Fd()))
				if err != nil {
					a.ended <- err
					return
				}
				text = string(b)
			} else {
				if !s.Scan() {
					a.ended <- cmp.Or(s.Err(), io.EOF)
					return
				}
				text = s.Text()
			}
			select {
			case a.lines <- text:
			case <-ctx.Done():
				return
			}
		}
	}()
	return a
}

// line waits for a line. It gives up with errIdle after idle, 0 for never.
func (a *asking) line(secret bool, idle time.Duration) (string, error) {
	if !a.pending {
		select {
		case a.want <- secret:
			a.pending = true
		case err := <-a.ended:
			a.ended <- err
			return "", err
		case <-a.ctx.Done():
			return "", a.ctx.Err()
		}
	}
	var over <-chan time.Time
	if idle > 0 {
		timer := time.NewTimer(idle)
		defer timer.Stop()
		over = timer.C
	}
	select {
	case <-a.ctx.Done():
		return "", a.ctx.Err()
	case err := <-a.ended:
		a.ended <- err
		return "", err
	case text := <-a.lines:
		a.pending = false
		return text, nil
	case <-over:
		return "", errIdle
	}
}

// start says where the person is.
func (p *plain) start(ctx context.Context) error {
	p.say("Starling, line by line. Type /help for the commands, /quit to leave.")
	status, err := p.node.Status(ctx)
	if err != nil {
		return err
	}
	if name := line(status.Name); name != "" && !p.hidden {
		p.say("You are %s.", name)
	}
	p.network(&status)
	if s, err := p.node.Settings(ctx); err == nil { // else as it is by default
		p.settings = s
	}
	if err := p.load(ctx); err != nil {
		return err
	}
	p.list(false)
	return nil
}

func (p *plain) t(english string, args ...any) string { return p.th.T(english, args...) }
func (p *plain) n(n int, one, many string) string     { return p.th.N(n, one, many) }
func (p *plain) fault(english string, hint string) error {
	return p.usage(api.CodeUsage, english, hint)
}
func (p *plain) usage(c api.Code, english, h string) error {
	return &api.Error{Code: c, Message: english, Hint: h}
}

// say prints one text of ours, in the person's language; its arguments are
// safe text.
func (p *plain) say(english string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.print(english, args...)
}

func (p *plain) print(english string, args ...any) {
	if !p.locked {
		p.write(p.t(english, args...))
	}
}

func (p *plain) write(text string) {
	text = safetext.Clean(text).String()
	fmt.Fprintln(p.out, strings.ReplaceAll(text, "\n", "\n  "))
}

func (p *plain) load(ctx context.Context) error {
	contacts, err := p.node.Contacts(ctx)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	slices.SortStableFunc(contacts, func(a, b api.Contact) int {
		return cmp.Or(a.Created.Compare(b.Created), cmp.Compare(a.ID, b.ID))
	})
	p.people = contacts
	return nil
}

// list prints the conversations with their numbers.
func (p *plain) list(archived bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.people) == 0 {
		p.print("Nobody is here yet. /invite makes an invite for somebody; /add LINK NAME uses one you were given.")
		if p.opts.Join != nil {
			p.print("/join ADDRESS joins by a relay.")
		}
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
	p.print("Type /open and a number or a name to choose a conversation.")
}

// about is what holds of a contact and its conversation, in words.
func (p *plain) about(c *api.Contact) string {
	words := []string{standingWords(p.th, c)}
	add := func(cond bool, word string) {
		if cond {
			words = append(words, word)
		}
	}
	if c.Unread > 0 {
		add(true, p.n(c.Unread, "%d new", "%d new"))
	}
	add(c.Pinned, p.t("pinned"))
	add(c.MutedUntil.After(p.now()), p.t("muted"))
	add(c.Archived, p.t("archived"))
	add(c.Timer > 0, p.t("disappears"))
	return strings.Join(words, ", ")
}

func standingWords(th *theme.Theme, c *api.Contact) string {
	switch {
	case c.Blocked:
		return th.T("blocked")
	case c.State == api.ContactPending:
		return th.T("pending")
	case c.Verified:
		return th.T("verified")
	}
	return th.T("not verified")
}

func (p *plain) contact(id string) *api.Contact {
	for i := range p.people {
		if p.people[i].ID == id {
			return &p.people[i]
		}
	}
	return nil
}

// name is a contact's name, or its number if names are hidden.
func (p *plain) name(c *api.Contact) string {
	if !p.hidden {
		if name := markless(c.Name); name != "" {
			return name
		}
		return p.t("unnamed")
	}
	for i := range p.people {
		if p.people[i].ID == c.ID {
			return p.t("contact %d", i+1)
		}
	}
	return p.t("a contact")
}

func (p *plain) nameOf(id string) string {
	if c := p.contact(id); c != nil {
		return p.name(c)
	}
	return p.t("somebody")
}

// find finds a contact by number, name, or the beginning of a name.
func (p *plain) find(who string) (api.Contact, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if who == "" {
		if c := p.contact(p.current); c != nil {
			return *c, nil
		}
		return api.Contact{}, p.fault(catalogue.Mark("no conversation is open"), catalogue.Mark("Type /open and a name."))
	}
	if n, err := strconv.Atoi(who); err == nil && n >= 1 && n <= len(p.people) {
		return p.people[n-1], nil
	}
	var found []api.Contact
	for _, c := range p.people {
		if line(c.Name) == who || c.ID == who {
			return c, nil
		}
		if strings.HasPrefix(strings.ToLower(line(c.Name)), strings.ToLower(who)) {
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
