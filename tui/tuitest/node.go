// Package tuitest helps to test the terminal app: a node in memory that obeys a test, a
// driver that reads like a user, and text that tries to break screens. It is for tests
// only.
package tuitest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"starling/node/api"
	"starling/node/api/safetext"
)

// Node is an api.Node in memory. Its methods may be called from any
// goroutine.
type Node struct {
	rooms
	bridges
	keeping

	mu       *sync.Mutex   // of both nodes of a pair
	changed  chan struct{} // closed and replaced at every event
	now      func() time.Time
	status   api.Status
	self     api.Contact
	contacts []api.Contact
	messages map[string][]api.Message
	drafts   map[string]api.Draft
	settings api.Settings
	unread   map[string]int
	events   []api.Event
	heard    int // events that a listener has taken
	seq      int64
	ids      int
	invites  []api.Invite
	made     int // invites
	fails    map[string]error
	held     map[string]chan struct{}
	broken   chan struct{} // closed to end the streams of events
	calls    []string
	files    map[string][]byte // backups
	wiped    bool
	// The passphrase of the profile: Passphrase at first.
	passphrase string

	other   *Node                    // of a pair; nil if alone
	far     map[string]string        // a contact's id → ours at the other
	waiting map[string][]api.Message // at the other's block, by contact
	invited map[string]string        // an invite's id → the name for its user
}

var _ api.Node = (*Node)(nil)

// NewNode returns a node that is ready and knows nobody.
func NewNode(now func() time.Time) *Node {
	n := &Node{
		bridges:    bridges{new([]api.Bridge), &api.OwnBridge{State: api.OwnBridgeOff}},
		mu:         new(sync.Mutex),
		changed:    make(chan struct{}),
		now:        now,
		messages:   map[string][]api.Message{},
		unread:     map[string]int{},
		drafts:     map[string]api.Draft{},
		settings:   api.Settings{Notify: api.NotifyHidden, Theme: "auto"},
		self:       api.Contact{ID: api.Self, Name: safetext.Line("Note to self"), State: api.ContactSelf},
		fails:      map[string]error{},
		held:       map[string]chan struct{}{},
		broken:     make(chan struct{}),
		files:      map[string][]byte{},
		passphrase: Passphrase,
		far:        map[string]string{},
		waiting:    map[string][]api.Message{},
		invited:    map[string]string{},

		status: api.Status{
			Role: "client", Name: safetext.Line("robin"), Profile: "fast", Ready: true,
			PeerID: "12D3KooWFakeFakeFakeFakeFakeFakeFakeFakeFake1session", Hops: 3, Relays: 8,
			Guards: []api.Guard{
				{PeerID: "12D3KooWFakeFakeFakeFakeFakeFakeFakeFakeFakeguard01", Address: "/ip4/192.0.2.17/tcp/4001", Connected: true},
				{PeerID: "12D3KooWFakeFakeFakeFakeFakeFakeFakeFakeFakeguard02", Address: "/ip4/198.51.100.4/tcp/4001", Connected: true},
			},
			Mailboxes: []api.Mailbox{
				{PeerID: "12D3KooWFakeFakeFakeFakeFakeFakeFakeFakeFakebox0001", Heard: now().Add(-40 * time.Second)},
				{PeerID: "12D3KooWFakeFakeFakeFakeFakeFakeFakeFakeFakebox0002", Heard: now().Add(-3 * time.Minute)},
			},
			Anonymity: api.Anonymity{
				Statement:    "No single relay can link you to a contact; somebody who watches both ends of a route may.",
				RelaysToLink: 2, EnoughRelays: true,
			},
			BytesIn: 182_331, BytesOut: 240_112,
			Refused: map[string]int64{"replayed packet": 2},
			Started: now(), Version: "0.1.0-fake",
		},
	}
	n.keeping = keeping{n}
	n.rooms = rooms{node: n, hall: &hall{nodes: []*Node{n}}, in: map[string]*stay{}}
	return n
}

// Fail makes the next call of a method fail.
func (n *Node) Fail(method string, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.fails[method] = err
}

// Hold keeps the answers of a method back until release is called. Its effect comes at
// once.
func (n *Node) Hold(method string) (release func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	gate := make(chan struct{})
	n.held[method] = gate
	return func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.held, method)
		close(gate)
	}
}

// gate waits until the answers of a method are let go.
func (n *Node) gate(ctx context.Context, method string) {
	n.mu.Lock()
	gate := n.held[method]
	n.mu.Unlock()
	if gate == nil {
		return
	}
	select {
	case <-gate:
	case <-ctx.Done():
	}
}

// Heard waits until a listener has taken all events of a node.
func Heard(n *Node) {
	for {
		n.mu.Lock()
		heard := n.heard == len(n.events)
		n.mu.Unlock()
		if heard {
			return
		}
		<-time.NewTimer(time.Millisecond).C // the listener runs beside this
	}
}

// Break ends all streams of events, as a node does that goes away.
func (n *Node) Break() {
	n.mu.Lock()
	defer n.mu.Unlock()
	close(n.broken)
	n.broken = make(chan struct{})
}

// Calls returns the calls made to the node.
func (n *Node) Calls() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.calls)
}

// SetStatus changes the status and tells it.
func (n *Node) SetStatus(f func(*api.Status)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f(&n.status)
	n.tellStatus()
}

// Meet adds a contact and returns its ID.
func (n *Node) Meet(name string, change ...func(*api.Contact)) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := api.Contact{ID: n.id("c"), Name: safetext.Line(name), State: api.ContactReady, Created: n.now().Add(-20 * 24 * time.Hour)}
	for _, f := range change {
		f(&c)
	}
	n.contacts = append(n.contacts, c)
	n.tellContact(c.ID)
	return c.ID
}

// Seed stores messages without telling, oldest first. Outgoing ones are
// delivered unless they say otherwise; a zero time is now.
func (n *Node) Seed(contact string, messages ...api.Message) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, m := range messages {
		n.store(contact, m)
	}
}

// Receive has a message come in and returns its ID.
func (n *Node) Receive(contact, text string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.receive(contact, api.Message{Text: safetext.Clean(text)})
}

// ReceiveMessage has a message of any kind come in and returns its ID.
func (n *Node) ReceiveMessage(contact string, m api.Message) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.receive(contact, m)
}

func (n *Node) receive(contact string, m api.Message) string {
	m = n.store(contact, m)
	if n.hides(&m) {
		return m.ID
	}
	n.unread[contact]++
	if m.Mention {
		n.rooms.in[contact].mentions++
	}
	if c := n.contact(contact); c != nil && c.Archived {
		c.Archived = false
		n.tellContact(contact)
	}
	n.tellAbout(api.EventMessage, m)
	return m.ID
}

// Unread says how many of a contact's messages are unread.
func (n *Node) Unread(contact string, count int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.unread[contact] = count
}

// State changes the state of a message and tells it.
func (n *Node) State(id string, state api.State, reason string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.setState(id, state, reason)
}

func (n *Node) setState(id string, state api.State, reason string) {
	if m := n.find(id); m != nil {
		m.State, m.Reason = state, reason
		n.tell(api.Event{Kind: api.EventState, ID: id, Conversation: m.Conversation, Room: m.Room, Member: m.Member, Outgoing: m.Outgoing, State: state, Reason: reason, Time: m.Time})
	}
}

// Last returns the newest message of a conversation.
func (n *Node) Last(contact string) api.Message {
	n.mu.Lock()
	defer n.mu.Unlock()
	if m := n.messages[contact]; len(m) > 0 {
		return m[len(m)-1]
	}
	return api.Message{}
}

// TellInvite tells the fate of an invite: "used", "reused", "expired" or "revoked".
func (n *Node) TellInvite(id, what, contact string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.tell(api.Event{Kind: api.EventInvite, Invite: &api.InviteEvent{ID: id, What: what, Contact: contact}})
}

// Notice has the node say something in a conversation and returns its ID.
func (n *Node) Notice(contact, text string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	m := n.store(contact, api.Message{Text: safetext.Clean(text), State: api.StateNotice})
	n.tellAbout(api.EventNotice, m)
	return m.ID
}

func (n *Node) id(prefix string) string {
	n.ids++
	return fmt.Sprintf("%s%031x", prefix, n.ids)
}

func (n *Node) store(contact string, m api.Message) api.Message {
	if m.ID == "" {
		m.ID = n.id("a")
	}

	m.Conversation = contact
	n.seq++
	m.Sequence = n.seq
	if m.Time.IsZero() {
		m.Time = n.now()
	}

	switch c := n.byID(contact); {
	case c != nil && c.State == api.ContactRoom:
		n.sign(&m)
	case m.State == api.StateNotice:
	case contact == api.Self:
		m.Outgoing, m.State = true, api.StateStored
	case !m.Outgoing:
		m.State = api.StateReceived
		if c := n.contact(contact); c != nil {
			m.From = c.Name
		}
	case m.State == "":
		m.State = api.StateDelivered
	}
	if m.Outgoing && m.Room == "" {
		m.From = n.status.Name
	}

	n.messages[contact] = append(n.messages[contact], m)
	return m
}

func (n *Node) find(id string) *api.Message {
	for _, messages := range n.messages {
		for i := len(messages) - 1; i >= 0; i-- {
			if messages[i].ID == id {
				return &messages[i]
			}
		}
	}
	return nil
}

func (n *Node) contact(id string) *api.Contact {
	if id == api.Self {
		return &n.self
	}
	for i := range n.contacts {
		if n.contacts[i].ID == id || n.contacts[i].Name.String() == id {
			return &n.contacts[i]
		}
	}
	return nil
}

func (n *Node) byID(id string) *api.Contact {
	if id == api.Self {
		return &n.self
	}
	i := slices.IndexFunc(n.contacts, func(c api.Contact) bool { return c.ID == id })
	if i < 0 {
		return nil
	}
	return &n.contacts[i]
}

// who returns the contact of an id or name in a request.
func (n *Node) who(contact string) (*api.Contact, error) {
	if c := n.byID(contact); c != nil {
		return c, nil
	}
	var found *api.Contact
	for i := range n.contacts {
		if n.contacts[i].Name.String() == contact {
			if found != nil {
				return nil, errAmbiguous
			}
			found = &n.contacts[i]
		}
	}
	if found == nil {
		return nil, errNoContact
	}
	return found, nil
}

// full returns a contact as the api gives it.
func (n *Node) full(c api.Contact) api.Contact {
	c.Unread = n.unread[c.ID]
	c.Room = n.view(c.ID)
	if m := n.shown(n.messages[c.ID]); len(m) > 0 {
		last := m[len(m)-1]
		if last.Picture != nil {
			last.Picture = &api.Picture{Type: last.Picture.Type, Size: last.Picture.Size}
		}
		c.Last = &last
	}
	return c
}

func (n *Node) tell(ev api.Event) {
	switch ev.Kind {
	case api.EventStatus, api.EventTyping, api.EventDraft: // not stored
	default:
		n.seq++
		ev.Seq = n.seq
	}
	n.events = append(n.events, ev)
	close(n.changed)
	n.changed = make(chan struct{})
}

// tellAbout tells of a message, with all of it as it is now.
func (n *Node) tellAbout(kind api.EventKind, m api.Message) {
	n.tell(api.Event{
		Kind: kind, ID: m.ID, Conversation: m.Conversation, Room: m.Room, Member: m.Member, From: &m.From, Text: &m.Text,
		Outgoing: m.Outgoing, State: m.State, Reason: m.Reason, Time: m.Time, Message: &m,
	})
}

func (n *Node) tellContact(id string) {
	if c := n.contact(id); c != nil {
		full := n.full(*c)
		n.tell(api.Event{Kind: api.EventContact, Contact: &full})
	}
}

func (n *Node) tellStatus() {
	s := n.current()
	n.tell(api.Event{Kind: api.EventStatus, Status: &s})
}

// renew gives an event the message as it is now. False: the message is gone.
func (n *Node) renew(ev *api.Event) bool {
	if ev.Message == nil {
		return true
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	m := n.find(ev.ID)
	if m == nil || n.hides(m) {
		return false
	}
	now := *m
	ev.From, ev.Text, ev.Message = &now.From, &now.Text, &now
	return true
}

// begin notes a call and returns the error it is to fail with.
func (n *Node) begin(ctx context.Context, method string, args ...any) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	n.calls = append(n.calls, strings.TrimSpace(method+" "+fmt.Sprint(args...)))
	if err := n.fails[method]; err != nil {
		delete(n.fails, method)
		return err
	}
	if n.wiped {
		return errGone
	}
	return nil
}

// The safety number and code of every contact of a Node.
const (
	SafetyNumber = "37287 04120 88417 52963 10294 66150 93318 20745 61029 48837 15570 90412"
	Code         = "starling-verify:k3vq7hd2m5xw4tnyr6ajcz2pe7uo5igfbs3lqxw4mnd6vkth2ary"
)

var (
	errNoContact = &api.Error{Code: api.CodeNoContact, Message: "no such contact", Hint: "See the list of contacts."}
	errAmbiguous = &api.Error{Code: api.CodeAmbiguous, Message: "more than one contact has this name"}
	errGone      = &api.Error{Code: api.CodeClosed, Message: "the node went away"}
	errNoMessage = &api.Error{Code: api.CodeNoMessage, Message: "no such message"}
	// ErrBadInvite is the error for a link that is no invite.
	ErrBadInvite = &api.Error{Code: api.CodeBadInvite, Message: "this is not a Starling invite", Hint: "Ask for the link again and paste all of it."}
)

func (n *Node) Status(ctx context.Context) (api.Status, error) {
	defer n.gate(ctx, "Status")
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.current(), n.begin(ctx, "Status")
}

// current is the status as it is now.
func (n *Node) current() api.Status {
	s := n.status
	s.Contacts = len(n.contacts) - len(n.rooms.in)
	s.Bridges, s.BridgesOnly, s.Proxy = slices.Clone(*n.bridges.all), n.settings.BridgesOnly, n.settings.Proxy
	s.Rooms, s.RoomsUnheard = n.rooms.count()
	for i := len(n.events) - 1; i >= 0 && s.LastEvent == 0; i-- {
		s.LastEvent = n.events[i].Seq
	}

	s.Outbox = api.Outbox{}
	counts := map[api.State]*int{
		api.StateQueued: &s.Outbox.Queued, api.StateSealed: &s.Outbox.Sealed, api.StateSent: &s.Outbox.Sent, api.StateFailed: &s.Outbox.Failed,
	}
	for _, messages := range n.messages {
		for i := range messages {
			if count := counts[messages[i].State]; count != nil && messages[i].Outgoing && !messages[i].Deleted && (messages[i].Room == "" || messages[i].State != api.StateSent) {
				*count++
			}
		}
	}
	return s
}

func (n *Node) Events(ctx context.Context, after int64, f func(api.Event) error) error {
	n.mu.Lock()
	at := len(n.events)
	status := n.current()
	broken, wiped := n.broken, n.wiped
	n.mu.Unlock()
	if wiped {
		return errGone
	}

	// A listener learns at once that it is heard.
	if err := f(api.Event{Kind: api.EventStatus, Status: &status}); err != nil {
		return err
	}

	n.mu.Lock()
	if after >= 0 {
		at = 0
		for at < len(n.events) && n.events[at].Seq <= after {
			at++
		}
	}

	for {
		batch := slices.Clone(n.events[at:])
		if len(batch) == 0 {
			n.heard = at
		}
		at = len(n.events)
		changed := n.changed
		n.mu.Unlock()

		for _, ev := range batch {
			if !n.renew(&ev) {
				continue
			}
			if err := f(ev); err != nil {
				return err
			}
		}
		if len(batch) == 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-broken:
				return errGone
			case <-changed:
			}
		}
		n.mu.Lock()
	}
}
