package cli

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/node/relay"
)

// fakeNode is a node in memory with one contact, Bob. Messages to him get as
// far as reach says once somebody asks for the events behind them.
type fakeNode struct {
	api.Node // methods that no command uses
	mu       sync.Mutex
	status   api.Status
	self     api.Contact
	contacts []api.Contact
	messages []api.Message
	events   []api.Event
	reach    api.State
	leaves   bool // what is on its way, one by one
	reason   string
	sent     []api.SendRequest
	invites  []api.InviteRequest
	links    []api.AddContactRequest
	deleted  []api.DeleteRequest
	searches []api.SearchRequest
	drafts   []api.Draft
	bridges  []api.Bridge
	settings api.Settings
	backups  []api.BackupRequest
	exports  []api.ExportRequest
	cleared  []string
	// The passphrases given to ChangePassphrase.
	passphrases []string
	tried       int // calls of TryOthers
	wiped       bool
	closed      bool
	endsAfter   int             // so many messages; 0: never
	refuse      []error         // what AddContact says, one after the other
	own         []api.OwnBridge // one after the other
	hangs       bool            // AddContact answers never
	done        chan struct{}
}

func newFakeNode() *fakeNode {
	return &fakeNode{
		done:     make(chan struct{}),
		status:   api.Status{Role: "client", Name: safetext.Line("Alice"), Ready: true, Hops: 3, Guards: []api.Guard{}, PeerID: "12D3"},
		self:     api.Contact{ID: api.Self, Name: safetext.Line("Note to self"), State: api.ContactSelf},
		settings: api.Settings{Name: safetext.Line("Alice"), Theme: "auto"},
		contacts: []api.Contact{{ID: "b0b", Name: safetext.Line("Bob"), State: api.ContactReady}},
		reach:    api.StateDelivered,
	}
}

func (n *fakeNode) contact(name string) (*api.Contact, error) {
	if name == api.Self {
		return &n.self, nil
	}
	for i := range n.contacts {
		if n.contacts[i].ID == name || n.contacts[i].Name.String() == name {
			return &n.contacts[i], nil
		}
	}
	return nil, &api.Error{Code: api.CodeNoContact, Message: "no contact has this name"}
}

func (n *fakeNode) Status(context.Context) (api.Status, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	s := n.status
	for _, e := range n.events {
		s.LastEvent = max(s.LastEvent, e.Seq)
	}
	return s, nil
}

func (n *fakeNode) AddBridge(_ context.Context, req api.BridgeRequest) (api.Bridge, error) {
	link := req.Link[strings.Index(req.Link, "starling-bridge:"):]
	n.bridges = append(n.bridges, api.Bridge{ID: "12D3door", Link: link})
	return n.bridges[0], nil
}

func (n *fakeNode) ListBridges(context.Context) ([]api.Bridge, error) { return n.bridges, nil }

func (n *fakeNode) OwnBridge(context.Context) (api.OwnBridge, error) {
	if len(n.own) > 1 {
		defer func() { n.own = n.own[1:] }()
	}
	return append(n.own, api.OwnBridge{State: api.OwnBridgeOff})[0], nil
}

func (n *fakeNode) RemoveBridge(_ context.Context, id string) error {
	n.bridges = slices.DeleteFunc(n.bridges, func(b api.Bridge) bool { return b.ID == id || b.Link == id })
	return nil
}

func (n *fakeNode) Invite(_ context.Context, req api.InviteRequest) (api.Invite, error) {
	n.invites = append(n.invites, req)
	return api.Invite{ID: "1d", Link: "starling:abcdefgh", Expires: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)}, nil
}

func (n *fakeNode) AddContact(ctx context.Context, req api.AddContactRequest) (api.Contact, error) {
	n.links = append(n.links, req)
	if n.hangs {
		<-ctx.Done()
		return api.Contact{}, ctx.Err()
	}
	if len(n.refuse) > 0 {
		err := n.refuse[0]
		if n.refuse = n.refuse[1:]; err != nil {
			return api.Contact{}, err
		}
	}
	if !strings.HasPrefix(req.Link, "starling:") {
		return api.Contact{}, &api.Error{Code: api.CodeBadInvite, Message: "this is not an invite"}
	}
	return api.Contact{ID: "ca", Name: safetext.Line(req.Name), State: api.ContactPending}, nil
}

// Contacts tells of an item on its way to Bob, and then lets one leave.
func (n *fakeNode) Contacts(context.Context) ([]api.Contact, error) {
	contacts := slices.Clone(n.contacts)
	if n.leaves && len(contacts) > 0 && contacts[0].Unsent > 0 {
		n.contacts[0].Unsent--
	}
	return contacts, nil
}

func (n *fakeNode) Verification(_ context.Context, contact string) (api.Verification, error) {
	c, err := n.contact(contact)
	if err != nil {
		return api.Verification{}, err
	}
	return api.Verification{Contact: c.ID, SafetyNumber: strings.TrimSpace(strings.Repeat("12345 ", 12)),
		Code: "starling-verify:" + strings.Repeat("abcd", 13), Verified: c.Verified}, nil
}

func (n *fakeNode) SetVerified(_ context.Context, contact, seen string) (api.Contact, error) {
	c, err := n.contact(contact)
	if err != nil {
		return api.Contact{}, err
	}
	c.Verified = seen != ""
	return *c, nil
}

func (n *fakeNode) RenameContact(_ context.Context, contact, name string) (api.Contact, error) {
	c, err := n.contact(contact)
	if err != nil {
		return api.Contact{}, err
	}
	c.Name = safetext.Line(name)
	return *c, nil
}

func (n *fakeNode) BlockContact(_ context.Context, contact string, blocked bool) (api.Contact, error) {
	c, err := n.contact(contact)
	if err != nil {
		return api.Contact{}, err
	}
	c.Blocked = blocked
	return *c, nil
}

func (n *fakeNode) RemoveContact(_ context.Context, contact string) error {
	_, err := n.contact(contact)
	if err == nil {
		n.contacts = nil
	}
	return err
}

func (n *fakeNode) Send(_ context.Context, req api.SendRequest) (api.Message, error) {
	c, err := n.contact(req.Contact)
	if err != nil {
		return api.Message{}, err
	}
	n.sent = append(n.sent, req)
	m := api.Message{ID: fmt.Sprintf("%032x", len(n.messages)+1), Conversation: c.ID, Outgoing: true,
		From: n.status.Name, Text: safetext.Clean(req.Text), State: api.StateQueued, Sequence: int64(len(n.messages) + 1)}
	if c.ID == api.Self {
		m.State = api.StateStored
	}
	n.messages = append(n.messages, m)
	return m, nil
}

func (n *fakeNode) Message(_ context.Context, id string) (api.Message, error) {
	for _, m := range n.messages {
		if m.ID == id {
			return m, nil
		}
	}
	return api.Message{}, &api.Error{Code: api.CodeNoMessage, Message: "no such message"}
}

// travel lets message i come as far as reach, telling of each step.
func (n *fakeNode) travel(i int, f func(api.Event) error) error {
	m := &n.messages[i]
	m.Reason = n.reason
	if n.reach == api.StateFailed {
		m.State = api.StateFailed
		return f(api.Event{Kind: api.EventState, ID: m.ID, State: m.State, Reason: m.Reason})
	}
	for _, s := range []api.State{api.StateSealed, api.StateSent, api.StateDelivered} {
		if rank(s) > rank(n.reach) {
			break
		}
		m.State = s
		if err := f(api.Event{Kind: api.EventState, ID: m.ID, State: s}); err != nil {
			return err
		}
	}
	return nil
}

func (n *fakeNode) History(_ context.Context, req api.HistoryRequest) ([]api.Message, error) {
	if _, err := n.contact(req.Contact); err != nil {
		return nil, err
	}
	if req.Limit < 1 || req.Limit > 1000 {
		return nil, fmt.Errorf("limit %d", req.Limit)
	}
	var page []api.Message
	for _, m := range n.messages {
		if (req.Before == 0 || m.Sequence < req.Before) && m.Sequence > req.After {
			page = append(page, m)
		}
	}
	if req.After > 0 {
		return page[:min(len(page), req.Limit)], nil
	}
	return page[max(0, len(page)-req.Limit):], nil
}

func (n *fakeNode) Events(ctx context.Context, after int64, f func(api.Event) error) error {
	if n.endsAfter > 0 && len(n.sent) >= n.endsAfter {
		n.messages = nil
		return &api.Error{Code: api.CodeClosed, Message: "the node has ended"}
	}
	for _, e := range n.events {
		if after < 0 || e.Seq <= after {
			continue
		}
		if err := f(e); err != nil {
			return err
		}
	}
	for i := range n.messages {
		if n.messages[i].Outgoing && after == n.messages[i].Sequence {
			if err := n.travel(i, f); err != nil {
				return err
			}
		}
	}
	<-ctx.Done()
	return ctx.Err()
}

func (n *fakeNode) Done() <-chan struct{} { return n.done }

func (n *fakeNode) Close() error {
	if !n.closed {
		n.closed = true
		close(n.done)
	}
	return nil
}

// fakeEngine has one profile, /alice.
type fakeEngine struct {
	bridge   string // the link of the relay, if it is one
	node     *fakeNode
	serving  bool                // a node runs on the profile
	held     bool                // a process holds the profile
	others   map[string]api.Node // that run, by profile
	startErr error
	created  []newProfile
	started  []startConfig
	relays   []relayConfig
	relay    *relay.Status     // of the relay that runs
	during   func(relayConfig) // while a relay runs, which ends then
	restored []string
	wiped    []string
	// The passphrases given to ChangePassphrase.
	passphrases []string
}

const fakePassphrase = "correct horse"

func (e *fakeEngine) DefaultProfile() (string, error) { return "/default", nil }
func (e *fakeEngine) Exists(profile string) (bool, error) {
	return profile == "/alice" || e.others[profile] != nil || len(e.created) > 0, nil
}

func (e *fakeEngine) Held(string) bool { return e.held }

func (e *fakeEngine) Create(_ context.Context, _ string, p newProfile) error {
	e.created = append(e.created, p)
	return nil
}

func (e *fakeEngine) Dial(_ context.Context, profile string) (api.Node, io.Closer, error) {
	if n := e.others[profile]; n != nil {
		return n, io.NopCloser(nil), nil
	}
	if !e.serving {
		return nil, nil, errNoNode
	}
	return e.node, e.node, nil
}

func (e *fakeEngine) Start(_ context.Context, c startConfig) (running, error) {
	e.started = append(e.started, c)
	if e.startErr != nil {
		return nil, e.startErr
	}
	if c.passphrase != fakePassphrase {
		return nil, &api.Error{Code: api.CodeWrongPassphrase, Message: "wrong passphrase"}
	}
	return e.node, nil
}

func (e *fakeEngine) Open(_ context.Context, c startConfig) (still, error) {
	if c.passphrase != fakePassphrase {
		return nil, &api.Error{Code: api.CodeWrongPassphrase, Message: "wrong passphrase"}
	}
	return e.node, nil
}

func (e *fakeEngine) Relay(ctx context.Context, c relayConfig, ready func(relay.Ready) error) error {
	e.relays = append(e.relays, c)
	if err := ready(relay.Ready{PeerID: "12D3relay", Addrs: []string{"/ip4/127.0.0.1/tcp/4001/p2p/12D3relay"}, Bridge: e.bridge}); err != nil {
		return err
	}
	if e.during != nil {
		e.during(c)
		return nil
	}
	<-ctx.Done()
	return ctx.Err()
}

func (e *fakeEngine) RelayStatus(context.Context, string) (relay.Status, error) {
	if e.relay == nil {
		return relay.Status{}, relay.ErrNotRunning
	}
	return *e.relay, nil
}

// fakeScreens answers the first screens, and leaves the app at once.
type fakeScreens struct {
	answers  []string // passphrases; none left: the user leaves
	problems []string
	runs     int
	options  screenOptions // of the last run
}

func (s *fakeScreens) Setup(_ context.Context, setup setup) (got answers, err error) {
	s.problems = append(s.problems, setup.problem)
	if len(s.answers) == 0 {
		return answers{}, errLeft
	}
	got = answers{"Alice", s.answers[0], "use starling:abc"}
	s.answers = s.answers[1:]
	return got, nil
}

func (s *fakeScreens) Run(_ context.Context, _ api.Node, options screenOptions) error {
	s.runs++
	s.options = options
	return nil
}

// shell is one command run on a fake.
type shell struct {
	t        *testing.T
	engine   *fakeEngine
	screens  *fakeScreens
	env      map[string]string
	stdin    string
	tty      bool
	prompts  []string // answers to prompts
	settle   time.Duration
	crowd    *crowd // instead of engine
	ready    bool   // a relay ends once it is ready
	serving  func(*app, relayConfig)
	ctx      context.Context
	out, err bytes.Buffer
}

// newShell has a profile, no running node, and the passphrase in the
// environment.
func newShell(t *testing.T) *shell {
	return &shell{t: t, engine: &fakeEngine{node: newFakeNode()}, screens: &fakeScreens{}, ctx: t.Context(),
		env: map[string]string{"STARLING_PROFILE": "/alice", "STARLING_PASSPHRASE": fakePassphrase}}
}

func (s *shell) run(args ...string) int {
	s.out.Reset()
	s.err.Reset()
	a := &app{engine: s.engine, screens: s.screens, settle: s.settle, hangups: make(chan struct{}, 1)}
	if s.ready {
		s.engine.during = func(c relayConfig) {
			if s.serving != nil {
				s.serving(a, c)
			}
		}
	}
	if s.crowd != nil {
		a.engine = s.crowd
	}
	a.console = console{
		in: strings.NewReader(s.stdin), out: &s.out, err: &s.err,
		getenv: func(k string) string { return s.env[k] }, environ: s.environ,
		inTTY: s.tty, outTTY: s.tty, errTTY: s.tty,
		prompt: func(context.Context, string) (string, error) {
			if len(s.prompts) == 0 {
				return "", io.ErrUnexpectedEOF
			}
			answer := s.prompts[0]
			s.prompts = s.prompts[1:]
			return answer, nil
		},
	}
	return a.run(s.ctx, args)
}

func (s *shell) environ() (all []string) {
	for k, v := range s.env {
		all = append(all, k+"="+v)
	}
	return all
}

// want runs a command and checks its exit code.
func (s *shell) want(exit int, args ...string) {
	s.t.Helper()
	if got := s.run(args...); got != exit {
		s.t.Fatalf("starling %q: exit %d, want %d\nstdout: %s\nstderr: %s", args, got, exit, &s.out, &s.err)
	}
}
