package tui

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"starling/node/api"
	"starling/node/api/safetext"
)

// plain is the linear mode: lines in, lines out, nothing drawn. A line is
// sent to the open conversation; a line that begins with a slash is a
// command. Everything is said in words and once, for screen readers and for
// terminals that can do nothing else.
type plain struct {
	node api.Node
	now  func() time.Time

	mu      sync.Mutex // guards what follows, and the order of lines
	out     io.Writer
	people  []api.Contact
	current string
	sent    []string          // IDs of our messages, by number
	numbers map[string]int    // and back
	texts   map[string]string // contact of each
	ready   bool
	reason  string
	told    bool // the network was spoken of
}

// errQuit ends the linear mode.
var errQuit = errors.New("quit")

// RunPlain runs the linear mode: it prints messages line by line and reads
// commands and messages from in until it ends, /quit, or ctx ends.
func RunPlain(ctx context.Context, node api.Node, in io.Reader, out io.Writer) error {
	ctx, cancel := context.WithCancel(ctx)
	p := &plain{node: node, now: time.Now, out: out, numbers: map[string]int{}, texts: map[string]string{}}
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

	// A read of the standard input cannot be interrupted: the goroutine ends
	// with the line it waits for.
	lines := make(chan string)
	ended := make(chan error, 1)
	go func() {
		s := bufio.NewScanner(in)
		s.Buffer(make([]byte, 4096), api.MaxText+4096)
		for s.Scan() {
			select {
			case lines <- s.Text():
			case <-ctx.Done():
				return
			}
		}
		ended <- s.Err()
	}()
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-ended:
			return err
		case text := <-lines:
			err := p.line(ctx, text, lines)
			switch {
			case errors.Is(err, errQuit):
				return nil
			case err != nil && ctx.Err() == nil:
				p.say("Error: %s", describe(err))
			}
		}
	}
}

func (p *plain) start(ctx context.Context) error {
	status, err := p.node.Status(ctx)
	if err != nil {
		return err
	}
	p.say("Starling. %s", "Type /help for the commands.")
	p.network(&status)
	if err := p.load(ctx); err != nil {
		return err
	}
	p.list()
	return nil
}

// say prints one message of ours; its arguments are safe text.
func (p *plain) say(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.print(format, args...)
}

func (p *plain) print(format string, args ...any) {
	text := safetext.Clean(fmt.Sprintf(format, args...)).String()
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
func (p *plain) list() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.people) == 0 {
		p.print("Nobody is here yet. /invite makes an invite for somebody; /add LINK NAME uses one you were given.")
		return
	}
	for i := range p.people {
		c := &p.people[i]
		about := standingWords(c)
		if c.Unread > 0 {
			about += ", " + plural(c.Unread, "new")
		}
		p.print("%d. %s (%s)", i+1, line(c.Name), about)
	}
	p.print("Type /open and a number or a name to choose a conversation.")
}

func standingWords(c *api.Contact) string {
	switch {
	case c.Blocked:
		return "blocked"
	case c.State == api.ContactPending:
		return "pending"
	case c.Verified:
		return "verified"
	}
	return "not verified"
}

func (p *plain) contact(id string) *api.Contact {
	for i := range p.people {
		if p.people[i].ID == id {
			return &p.people[i]
		}
	}
	return nil
}

func (p *plain) nameOf(id string) string {
	if c := p.contact(id); c != nil {
		return line(c.Name)
	}
	return "somebody"
}

// follow prints what happens.
func (p *plain) follow(ctx context.Context) {
	after := int64(-1)
	for ctx.Err() == nil {
		err := p.node.Events(ctx, after, func(ev api.Event) error {
			after = max(after, ev.Seq)
			p.tell(&ev)
			return nil
		})
		if ctx.Err() != nil {
			return
		}
		p.say("The node does not answer: %s", describe(err))
		select {
		case <-ctx.Done():
		case <-time.After(again):
		}
	}
}

func (p *plain) tell(ev *api.Event) {
	if ev.Kind == api.EventStatus && ev.Status != nil {
		p.network(ev.Status)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch ev.Kind {
	case api.EventMessage:
		p.message(message(ev), ev.Conversation != p.current)
	case api.EventState:
		p.state(ev)
	case api.EventContact:
		if ev.Contact != nil {
			p.changed(*ev.Contact)
		}
	case api.EventRemoved:
		if ev.ID == "" {
			p.people = slices.DeleteFunc(p.people, func(c api.Contact) bool { return c.ID == ev.Conversation })
			if p.current == ev.Conversation {
				p.current = ""
			}
		}
	case api.EventInvite:
		if ev.Invite != nil {
			p.invited(ev.Invite)
		}
	case api.EventNotice:
		m := message(ev)
		m.State = api.StateNotice
		p.message(m, ev.Conversation != p.current)
	}
}

// invited tells what became of an invite.
func (p *plain) invited(ev *api.InviteEvent) {
	switch ev.What {
	case "used":
		p.print("Your invite was used by %s.", p.nameOf(ev.Contact))
	case "reused":
		name := p.nameOf(ev.Contact)
		p.print("Warning: the invite of %s was used twice. Somebody else had the link, and may have been the first. "+
			"Compare safety numbers with /verify before you write anything that matters; if they differ, remove the contact and make a new invite.", name)
	case "expired":
		p.print("An invite expired unused. Its link no longer works.")
	case "revoked":
		p.print("An invite was withdrawn. Its link no longer works.")
	}
}

// message prints one message.
func (p *plain) message(m api.Message, elsewhere bool) {
	at := m.Time.Local().Format("15:04")
	if m.State == api.StateNotice {
		p.print("%s Notice, %s: %s", at, p.nameOf(m.Conversation), line(m.Text))
		return
	}
	if !m.Outgoing {
		p.print("%s %s: %s", at, p.nameOf(m.Conversation), m.Text)
		return
	}
	n := p.number(m)
	to := ""
	if elsewhere {
		to = " to " + p.nameOf(m.Conversation)
	}
	state := string(m.State)
	if m.State == api.StateFailed && m.Reason != "" {
		state += " (" + safetext.Line(m.Reason).String() + ")"
	}
	p.print("%s you%s, message %d, %s: %s", at, to, n, state, m.Text)
}

// number gives one of our messages the number that commands refer to.
func (p *plain) number(m api.Message) int {
	if n, ok := p.numbers[m.ID]; ok {
		return n
	}
	p.sent = append(p.sent, m.ID)
	p.numbers[m.ID] = len(p.sent)
	p.texts[m.ID] = m.Conversation
	return len(p.sent)
}

func (p *plain) state(ev *api.Event) {
	n, ok := p.numbers[ev.ID]
	if !ok || ev.State == api.StateSealed {
		return
	}
	text := fmt.Sprintf("Message %d to %s: %s", n, p.nameOf(p.texts[ev.ID]), ev.State)
	if ev.Reason != "" && ev.State != api.StateDelivered {
		text += ", " + safetext.Line(ev.Reason).String()
	}
	if ev.State == api.StateFailed {
		text += fmt.Sprintf(" Type /retry %d or /discard %d.", n, n)
	}
	p.print("%s", text)
}

func (p *plain) changed(c api.Contact) {
	old := p.contact(c.ID)
	switch {
	case old == nil:
		p.people = append(p.people, c)
		p.print("%s was added (%s).", line(c.Name), standingWords(&c))
		return
	case old.State == api.ContactPending && c.State == api.ContactReady:
		p.print("%s has answered.", line(c.Name))
	}
	*old = c
}

func (p *plain) network(s *api.Status) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.told && s.Ready == p.ready && s.Reason == p.reason {
		return
	}
	p.told, p.ready, p.reason = true, s.Ready, s.Reason
	if s.Ready {
		p.print("Network: ready. Profile %s, %s, %s known.", s.Profile, plural(s.Hops, "hop"), plural(s.Relays, "relay"))
	} else {
		p.print("Network: waiting: %s. Messages are kept until they can leave.", strings.TrimRight(s.Reason, "."))
	}
}

// find finds a contact by number, name, or the beginning of a name.
func (p *plain) find(who string) (api.Contact, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if who == "" {
		if c := p.contact(p.current); c != nil {
			return *c, nil
		}
		return api.Contact{}, &api.Error{Code: api.CodeUsage, Message: "no conversation is open", Hint: "Type /open and a name."}
	}
	if n, err := strconv.Atoi(who); err == nil && n >= 1 && n <= len(p.people) {
		return p.people[n-1], nil
	}
	var found []api.Contact
	for _, c := range p.people {
		if line(c.Name) == who {
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
		return api.Contact{}, &api.Error{Code: api.CodeNoContact, Message: "nobody of that name", Hint: "Type /list."}
	}
	return api.Contact{}, &api.Error{Code: api.CodeAmbiguous, Message: "more than one name begins like that", Hint: "Type more of it, or the number from /list."}
}
