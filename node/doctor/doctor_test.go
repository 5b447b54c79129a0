package doctor

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"starling/node/api"
	"starling/node/config"
	"starling/node/relay"
	"starling/p2p/proxy"
)

var now = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// fakeNode is a node that is well.
type fakeNode struct {
	api.Node
	status   api.Status
	err      error
	contacts []api.Contact
	rooms    []api.Room
	links    []api.RoomInvite
	messages map[string][]api.Message
}

func (n *fakeNode) Status(context.Context) (api.Status, error) { return n.status, n.err }

func (n *fakeNode) Conversations(context.Context) ([]api.Contact, error) { return n.contacts, n.err }

func (n *fakeNode) ListRooms(context.Context) ([]api.Room, error) { return n.rooms, n.err }

func (n *fakeNode) RoomInvites(context.Context, string) ([]api.RoomInvite, error) {
	return n.links, n.err
}

func (n *fakeNode) History(_ context.Context, req api.HistoryRequest) ([]api.Message, error) {
	return n.messages[req.Contact], nil
}

const secret = "12D3KooWSecret" // of addresses and peer ids that must not be told

func wellNode() *fakeNode {
	return &fakeNode{
		status: api.Status{
			Ready: true, PeerID: secret, ClockKnown: true, Relays: 9, Version: "v1", Contacts: 1,
			Ways:      []api.Way{{PeerID: secret, Address: "/ip4/198.51.100.7/tcp/1", Kind: "guard", Outcome: "connected"}},
			Guards:    []api.Guard{{PeerID: secret, Address: "/ip4/198.51.100.7/tcp/1", Connected: true}, {Address: "/ip4/198.51.100.8/tcp/1", Connected: true}},
			Mailboxes: []api.Mailbox{{PeerID: secret, Heard: now}},
			Anonymity: api.Anonymity{EnoughRelays: true},
		},
		contacts: []api.Contact{{ID: "b0b"}},
	}
}

// well is a patient that lacks nothing.
func well(t *testing.T) *Patient {
	dir := filepath.Join(t.TempDir(), "profile-of-"+secret)
	write(t, dir, "profile.key", 0o600)
	write(t, dir, "profile.db", 0o600)
	write(t, dir, "profile.lock", 0o600)
	write(t, dir, "control.sock", 0o600)
	write(t, dir, "pass", 0o600)
	return &Patient{Profile: config.Profile{Dir: dir}, PassphraseFile: filepath.Join(dir, "pass"), Node: wellNode(), Version: "v1",
		System: &System{
			Now:       func() time.Time { return now },
			Free:      func(string) (uint64, error) { return 10 << 30, nil },
			Files:     func() (uint64, error) { return 65536, nil },
			Addresses: func() ([]net.Addr, error) { return interfaces("9.9.9.9/24", "192.168.1.2/24", "2001:db8::1/64"), nil },
			Listen:    func(string) error { return nil },
			Relay:     func(context.Context, string) (relay.Status, error) { return relay.Status{}, relay.ErrNotRunning },
		}}
}

func write(t *testing.T, dir, name string, mode os.FileMode) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte("x"), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, now, now); err != nil {
		t.Fatal(err)
	}
}

func interfaces(cidrs ...string) []net.Addr {
	var all []net.Addr
	for _, s := range cidrs {
		ip, network, _ := net.ParseCIDR(s)
		network.IP = ip
		all = append(all, network)
	}
	return all
}

func find(t *testing.T, findings []Finding, name string) Finding {
	t.Helper()
	for _, f := range findings {
		if f.Check == name {
			return f
		}
	}
	t.Fatalf("there is no check %s", name)
	return Finding{}
}

func TestChecksAreNamedAndMendable(t *testing.T) {
	name := regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)
	for _, checks := range [][]Check{Node, RelayChecks} {
		seen := map[string]bool{}
		for _, c := range checks {
			if !name.MatchString(c.Name) || seen[c.Name] || c.Remedy == "" || c.Run == nil {
				t.Errorf("check %+v", c.Name)
			}
			seen[c.Name] = true
		}
	}
}

func TestAWellNode(t *testing.T) {
	for _, f := range Examine(t.Context(), *well(t), false) {
		if f.Result != OK || f.Remedy != "" {
			t.Errorf("%+v", f)
		}
	}
}

func lock(t *testing.T, path string) {
	t.Helper()
	l := flock.New(path)
	if got, err := l.TryLock(); err != nil || !got {
		t.Fatal(got, err)
	}
	t.Cleanup(func() { l.Close() })
}

// Every check finds its fault, names the remedy, and names nobody.
func TestFindings(t *testing.T) {
	ways := func(freezes int64, all ...api.Way) func(*testing.T, *Patient) {
		return func(_ *testing.T, p *Patient) {
			n := p.Node.(*fakeNode)
			n.status.FreezesAfter, n.status.Ways = freezes, all
		}
	}
	node := func(f func(*fakeNode)) func(*testing.T, *Patient) {
		return func(_ *testing.T, p *Patient) { f(p.Node.(*fakeNode)) }
	}
	chmod := func(name string, mode os.FileMode) func(*testing.T, *Patient) {
		return func(t *testing.T, p *Patient) {
			if err := os.Chmod(filepath.Join(p.Profile.Dir, name), mode); err != nil {
				t.Fatal(err)
			}
		}
	}
	remove := func(name string) func(*testing.T, *Patient) {
		return func(t *testing.T, p *Patient) {
			if err := os.RemoveAll(filepath.Join(p.Profile.Dir, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, tt := range []struct {
		name, check string
		want        Result
		says        string
		sick        func(*testing.T, *Patient)
	}{
		{"no profile", "profile", Failed, "no profile", remove("")},
		{"no database", "profile", Failed, "profile.db", remove("profile.db")},
		{"cut key", "profile", Failed, "damaged", func(t *testing.T, p *Patient) {
			if err := os.Truncate(p.Profile.KeyFile(), 0); err != nil {
				t.Fatal(err)
			}
		}},
		{"open folder", "permissions", Failed, "1 part", chmod("", 0o755)},
		{"open database", "permissions", Failed, "1 part", chmod("profile.db", 0o640)},
		{"open passphrase", "passphrase-file", Failed, "may read", chmod("pass", 0o644)},
		{"no passphrase file", "passphrase-file", Failed, "cannot be read", remove("pass")},
		{"no passphrase file given", "passphrase-file", Skipped, "no passphrase file", func(_ *testing.T, p *Patient) { p.PassphraseFile = "" }},
		{"full disk", "disk", Failed, "3 MiB", func(_ *testing.T, p *Patient) { p.System.Free = func(string) (uint64, error) { return 3 << 20, nil } }},
		{"filling disk", "disk", Warning, "100 MiB", func(_ *testing.T, p *Patient) { p.System.Free = func(string) (uint64, error) { return 100 << 20, nil } }},
		{"unknown disk", "disk", Skipped, "not known", func(_ *testing.T, p *Patient) {
			p.System.Free = func(string) (uint64, error) { return 0, errors.ErrUnsupported }
		}},
		{"clock set back", "clock", Failed, "2 days", func(_ *testing.T, p *Patient) { p.System.Now = func() time.Time { return now.Add(-50 * time.Hour) } }},
		{"clock behind the relays", "clock", Warning, "9 days behind", node(func(n *fakeNode) { n.status.ClockAhead = -9 * 24 * 3600 })},
		{"clock ahead of the relays", "clock", Warning, "ahead", node(func(n *fakeNode) { n.status.ClockAhead = 660 })},
		{"clock a little wrong", "clock", OK, "agrees", node(func(n *fakeNode) { n.status.ClockAhead, n.status.ClockKnown = 40, true })},
		{"clock that nobody compared", "clock", Skipped, "no two relays", node(func(n *fakeNode) { n.status.ClockKnown = false })},
		{"no node", "node", Warning, "no node", func(_ *testing.T, p *Patient) { p.Node = nil }},
		{"hung node", "node", Failed, "nobody answers", func(t *testing.T, p *Patient) { p.Node = nil; lock(t, p.Profile.Lock()) }},
		{"silent node", "node", Failed, "does not say", node(func(n *fakeNode) { n.err = context.DeadlineExceeded })},
		{"open socket", "node", Failed, "control socket", chmod("control.sock", 0o666)},
		{"waiting node", "node", Warning, "no known relay answers", node(func(n *fakeNode) { n.status.Ready, n.status.Reason = false, "no known relay answers" })},
		{"old node", "version", Warning, "v0", node(func(n *fakeNode) { n.status.Version = "v0" })},
		{"no relay", "relays", Failed, "5 are needed", node(func(n *fakeNode) { n.status.Relays = 0 })},
		{"few relays", "relays", Failed, "4 relays known", node(func(n *fakeNode) { n.status.Relays = 4 })},
		{"no guard", "guards", Failed, "chosen", node(func(n *fakeNode) { n.status.Guards = nil })},
		{"guards away", "guards", Failed, "none of 2", node(func(n *fakeNode) { n.status.Guards[0].Connected, n.status.Guards[1].Connected = false, false })},
		{"one guard away", "guards", Warning, "one guard", node(func(n *fakeNode) { n.status.Guards[1].Connected = false })},
		{"another list", "relays", Warning, "4 of 5 relays", node(func(n *fakeNode) { n.status.ListsAsked, n.status.ListsOther = 5, 4 })},
		{"one other list", "relays", OK, "9 known", node(func(n *fakeNode) { n.status.ListsAsked, n.status.ListsOther = 2, 2 })},
		{"no way in", "ways-in", Failed, "none of 2 ways", ways(0, api.Way{Outcome: "refused"}, api.Way{Outcome: "silent"})},
		{"a portal", "ways-in", Failed, "log-in", ways(0, api.Way{Outcome: "captive-portal"})},
		{"another day", "ways-in", Failed, "2 days", ways(0, api.Way{Outcome: "clock-off", Skew: -50 * 3600})},
		{"a thief of addresses", "ways-in", Failed, "another key", ways(0, api.Way{Outcome: "wrong-key"})},
		{"a web server", "ways-in", Failed, "no relay", ways(0, api.Way{Outcome: "not-a-relay"})},
		{"a frozen way", "ways-in", Failed, "froze after 14 KB", ways(0, api.Way{Outcome: "frozen", Bytes: 14_100})},
		{"a network that freezes", "ways-in", Warning, "after 14 KB", ways(13_900, api.Way{Outcome: "connected", Bytes: 13_900})},
		{"ways in", "ways-in", OK, "1 of 2 ways", ways(0, api.Way{Outcome: "connected"}, api.Way{Outcome: "no-hello"})},
		{"no way was tried", "ways-in", Skipped, "none was tried", ways(0)},
		{"crowded mailboxes", "mailboxes", Warning, "no mailbox has room", node(func(n *fakeNode) { n.status.Mailboxes[0].NoRoom = true })},
		{"no mailbox", "mailboxes", Failed, "no mailbox", node(func(n *fakeNode) { n.status.Mailboxes = nil })},
		{"nobody to hear from", "mailboxes", Skipped, "no contact", node(func(n *fakeNode) { n.status.Mailboxes, n.status.Contacts = nil, 0 })},
		{"given up", "outbox", Warning, "1 message was given up", node(func(n *fakeNode) { n.status.Outbox.Failed = 1 })},
		{"on the way", "outbox", OK, "2 messages are", node(func(n *fakeNode) { n.status.Outbox.Queued = 2 })},
		{"waiting for the other side", "outbox", OK, "3 messages in mailboxes", node(func(n *fakeNode) { n.status.Outbox.Sent = 3 })},
		{"stuck", "outbox", Failed, "the oldest for 3 hours: too few relays", node(func(n *fakeNode) {
			n.status.Outbox.Sealed = 2
			n.messages = map[string][]api.Message{"b0b": {
				{State: api.StateSent, Time: now.Add(-24 * time.Hour)},
				{State: api.StateSealed, Time: now.Add(-3 * time.Hour), Reason: "too few relays"},
				{State: api.StateQueued, Time: now},
			}}
		})},
		{"no room", "rooms", OK, "in no room", node(func(*fakeNode) {})},
		{"rooms", "rooms", OK, "2 rooms", node(func(n *fakeNode) {
			n.rooms = []api.Room{{State: api.RoomReady}, {State: api.RoomReady}, {State: api.RoomLeft}}
		})},
		{"a room astray", "rooms", Warning, "1 room lost its place", node(func(n *fakeNode) { n.rooms = []api.Room{{State: api.RoomAway}} })},
		{"a silent door", "rooms", Warning, "1 request to be let in", node(func(n *fakeNode) {
			n.rooms = []api.Room{{State: api.RoomPending, Created: now.Add(-8 * 24 * time.Hour)}}
		})},
		{"a new request", "rooms", OK, "in no room", node(func(n *fakeNode) { n.rooms = []api.Room{{State: api.RoomPending, Created: now}} })},
		{"an old copy", "rooms", Warning, "in 1 room nobody was heard", node(func(n *fakeNode) { n.rooms = []api.Room{{State: api.RoomReady, Unheard: true}} })},
		{"a fork", "rooms", Warning, "two things", node(func(n *fakeNode) { n.rooms = []api.Room{{State: api.RoomReady, Forks: []api.Fork{{}}}} })},
		{"a link that is filled", "rooms", Warning, "by 1 link: soon", node(func(n *fakeNode) {
			n.rooms, n.links = []api.Room{{State: api.RoomReady, Role: api.RoleOwner}, {State: api.RoomReady, Role: api.RoleMember}}, []api.RoomInvite{{}, {Crowded: true}}
		})},
		{"a removal", "rooms", Warning, "may still read", node(func(n *fakeNode) { n.rooms = []api.Room{{State: api.RoomReady, Healing: true}} })},
		{"private mesh", "private-addresses", Warning, "private", node(func(n *fakeNode) { n.status.AllowPrivate = true })},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := well(t)
			tt.sick(t, p)
			findings := Examine(t.Context(), *p, false)
			f := find(t, findings, tt.check)
			if f.Result != tt.want || !strings.Contains(f.Says, tt.says) {
				t.Errorf("%s says %s %q", f.Check, f.Result, f.Says)
			}
			if (f.Result == Failed || f.Result == Warning) && f.Remedy == "" {
				t.Errorf("%s knows no remedy", f.Check)
			}
			silent(t, findings)
		})
	}
}

// silent wants findings that name nobody and no place.
func silent(t *testing.T, findings []Finding) {
	t.Helper()
	for _, f := range findings {
		text := f.Says + f.Remedy
		if f.Detail != nil || strings.Contains(text, secret) || strings.Contains(text, "198.51.100.") || strings.Contains(text, "9.9.9.9") {
			t.Errorf("%s tells too much: %+v", f.Check, f)
		}
	}
}

func TestDetailIsAskedFor(t *testing.T) {
	var told []string
	for _, f := range Examine(t.Context(), *well(t), true) {
		told = append(told, f.Detail...)
	}
	for _, want := range []string{secret, "/ip4/198.51.100.7/tcp/1 connected"} {
		if !strings.Contains(strings.Join(told, "\n"), want) {
			t.Errorf("%q is not in %q", want, told)
		}
	}
}

func TestRelayChecks(t *testing.T) {
	busy := func(string) error { return errors.New("address already in use") }
	says := func(changes ...func(*relay.Status)) func(*testing.T, *Patient) {
		s := relay.Status{Listed: true, Reachable: true, PeerID: secret, Announced: []string{"/ip4/9.9.9.9/tcp/4001"},
			Asked: 3, ListedBy: []string{secret, secret}, ReachedBy: []string{secret, secret}, ClockKnown: true,
			ClientPlaces: 100, BoxPlaces: 1000, Started: now.Add(-time.Hour)}
		for _, change := range changes {
			change(&s)
		}
		return func(_ *testing.T, p *Patient) {
			p.System.Relay = func(context.Context, string) (relay.Status, error) { return s, nil }
		}
	}
	unreached := func(s *relay.Status) { s.Reachable, s.ReachedBy = false, []string{secret} }
	unlisted := func(s *relay.Status) { s.Listed, s.ListedBy = false, nil }
	young := func(s *relay.Status) { s.Started = now.Add(-time.Minute) }
	nobody := func(s *relay.Status) { s.Asked, s.ListedBy, s.ReachedBy, s.Reachable = 0, nil, nil, false }
	named := func(days int, fault string) func(*relay.Status) {
		return func(s *relay.Status) {
			s.Domain = &relay.Domain{Name: "relay.example.org", Error: fault}
			if until := now.Add(time.Duration(days) * 24 * time.Hour); days != 0 {
				s.Domain.Until = &until
			}
		}
	}
	for _, tt := range []struct {
		name, listen, check string
		want                Result
		says                string
		sick                func(*testing.T, *Patient)
	}{
		{"any address", "/ip4/0.0.0.0/tcp/4001", "listen-address", OK, "1 of 2", nil},
		{"public", "/ip4/9.9.9.9/tcp/4001", "listen-address", OK, "1 of 1", nil},
		{"private only", "/ip4/192.168.1.2/tcp/4001", "listen-address", Failed, "none of 1", nil},
		{"own mesh", "/ip4/127.0.0.1/tcp/4001", "listen-address", OK, "mesh of your own", func(_ *testing.T, p *Patient) { p.Relay.AllowPrivate = true }},
		{"nonsense", "nonsense", "listen-address", Failed, "not an address", nil},
		{"not TCP", "/ip4/9.9.9.9/udp/4001", "listen-address", Failed, "not an address", nil},
		{"a name", "/dns4/a.example/tcp/4001", "listen-address", Failed, "not an address", nil},
		{"free port", "/ip4/9.9.9.9/tcp/4001", "port", OK, "free", nil},
		{"taken port", "/ip4/9.9.9.9/tcp/4001", "port", Failed, "cannot be taken", func(_ *testing.T, p *Patient) { p.System.Listen = busy }},
		{"our port", "/ip4/9.9.9.9/tcp/4001", "port", OK, "relay that runs", func(t *testing.T, p *Patient) {
			says()(t, p)
			p.System.Listen = busy
		}},
		{"port of chance", "/ip4/9.9.9.9/tcp/0", "port", Warning, "port 0", nil},
		{"announced", "/ip4/192.168.1.2/tcp/4001", "listen-address", OK, "announces another", says()},
		{"of the relay that runs", "", "listen-address", OK, "1 of 1", says(func(s *relay.Status) { s.Listening = []string{"/ip4/9.9.9.9/tcp/4001/p2p/" + secret} })},
		{"not running", "/ip4/9.9.9.9/tcp/4001", "reachable", Skipped, "does not run", nil},
		{"not running", "/ip4/9.9.9.9/tcp/4001", "listed", Skipped, "does not run", nil},
		{"not running", "/ip4/9.9.9.9/tcp/4001", "relay", Skipped, "does not run", nil},
		{"running", "/ip4/9.9.9.9/tcp/4001", "relay", OK, "it runs", says()},
		{"hung", "/ip4/9.9.9.9/tcp/4001", "relay", Failed, "does not answer", func(_ *testing.T, p *Patient) {
			p.System.Relay = func(context.Context, string) (relay.Status, error) { return relay.Status{}, relay.ErrSilent }
		}},
		{"reachable", "/ip4/0.0.0.0/tcp/4001", "reachable", OK, "2 of 3 other relays", says()},
		{"unreachable", "/ip4/0.0.0.0/tcp/4001", "reachable", Failed, "1 of 3 other relays", says(unreached)},
		{"firewalled", "/ip4/0.0.0.0/tcp/4001", "reachable", Failed, "no other relay reaches it", says(unreached, nobody, func(s *relay.Status) { s.Unreached = []string{"/ip4/9.9.9.9/tcp/4001"} })},
		{"half reachable", "/ip4/0.0.0.0/tcp/4001", "reachable", Warning, "1 of its addresses", says(func(s *relay.Status) { s.Unreached = []string{"/ip4/9.9.9.9/tcp/4001"} })},
		{"not reached yet", "/ip4/0.0.0.0/tcp/4001", "reachable", Skipped, "not run for long", says(unreached, young)},
		{"first of its mesh", "/ip4/0.0.0.0/tcp/4001", "reachable", Skipped, "first of its mesh", says(nobody, func(s *relay.Status) { s.Alone = true })},
		{"nobody said anything", "/ip4/0.0.0.0/tcp/4001", "listed", Skipped, "no other relay", says(nobody, unlisted)},
		{"without an address", "/ip4/192.168.1.2/tcp/4001", "listed", Failed, "no address", says(nobody, unlisted, func(s *relay.Status) { s.Announced = nil })},
		{"listed", "/ip4/0.0.0.0/tcp/4001", "listed", OK, "2 of 3 other relays", says()},
		{"unlisted", "/ip4/0.0.0.0/tcp/4001", "listed", Failed, "0 of 3 other relays", says(unlisted)},
		{"not listed yet", "/ip4/0.0.0.0/tcp/4001", "listed", Skipped, "not run for long", says(unlisted, young)},
		{"clock ahead", "/ip4/0.0.0.0/tcp/4001", "clock", Warning, "11 minutes ahead", says(func(s *relay.Status) { s.ClockAhead = 660 })},
		{"clock behind", "/ip4/0.0.0.0/tcp/4001", "clock", Warning, "2 days behind", says(func(s *relay.Status) { s.ClockAhead = -48 * 3600 })},
		{"clock agrees", "/ip4/0.0.0.0/tcp/4001", "clock", OK, "agrees", says()},
		{"no place", "/ip4/0.0.0.0/tcp/4001", "room", Warning, "96 of 100", says(func(s *relay.Status) { s.Clients = 96 })},
		{"no box", "/ip4/0.0.0.0/tcp/4001", "room", Warning, "999 of 1000", says(func(s *relay.Status) { s.Boxes = 999 })},
		{"room", "/ip4/0.0.0.0/tcp/4001", "room", OK, "100 of 100", says()},
		{"no name", "/ip4/0.0.0.0/tcp/4001", "domain", Skipped, "no host name", says()},
		{"certificate", "/ip4/0.0.0.0/tcp/4001", "domain", OK, "valid", says(named(60, ""))},
		{"certificate ordered", "/ip4/0.0.0.0/tcp/4001", "domain", Skipped, "being ordered", says(named(0, ""))},
		{"no certificate", "/ip4/0.0.0.0/tcp/4001", "domain", Failed, "NXDOMAIN", says(named(0, "NXDOMAIN"))},
		{"not renewed yet", "/ip4/0.0.0.0/tcp/4001", "domain", Warning, "not renewed yet: NXDOMAIN", says(named(20, "NXDOMAIN"))},
		{"soon past", "/ip4/0.0.0.0/tcp/4001", "domain", Failed, "soon past: NXDOMAIN", says(named(3, "NXDOMAIN"))},
		{"past", "/ip4/0.0.0.0/tcp/4001", "domain", Failed, "is past: NXDOMAIN", says(named(-1, "NXDOMAIN"))},
		{"no limit hit", "/ip4/0.0.0.0/tcp/4001", "limits", OK, "none is hit", says()},
		{"not running", "/ip4/9.9.9.9/tcp/4001", "limits", Skipped, "does not run", nil},
		{"asleep", "/ip4/0.0.0.0/tcp/4001", "limits", Failed, "sleeps until", says(func(s *relay.Status) { at := now.Add(time.Hour); s.Asleep = &at })},
		{"mail above its size", "/ip4/0.0.0.0/tcp/4001", "limits", Warning, "no new mail", says(func(s *relay.Status) { s.Boxes = 1001 })},
		{"low disk", "/ip4/0.0.0.0/tcp/4001", "limits", Warning, "disk is low", says(func(s *relay.Status) { s.Mailbox.Disk = "low" })},
		{"no disk", "/ip4/0.0.0.0/tcp/4001", "limits", Failed, "disk is full", says(func(s *relay.Status) { s.Mailbox.Disk = "full" })},
		{"quota nearly used", "/ip4/0.0.0.0/tcp/4001", "limits", Warning, "950 of 1000 MB", says(func(s *relay.Status) { s.Limits.Quota, s.Limits.QuotaUsed = 1e9, 95e7 })},
		{"somebody else's", "/ip4/0.0.0.0/tcp/4001", "reachable", Failed, "another node answers", says(unreached, func(s *relay.Status) {
			s.Foreign, s.Unreached = []string{"/ip4/9.9.9.9/tcp/4001"}, []string{"/ip4/9.9.9.9/tcp/4001"}
		})},
		{"files of the relay", "/ip4/9.9.9.9/tcp/4001", "file-limit", Failed, "256", says(func(s *relay.Status) { s.Limits.OpenFiles = 256 })},
		{"few files", "/ip4/9.9.9.9/tcp/4001", "file-limit", Failed, "256", func(_ *testing.T, p *Patient) { p.System.Files = func() (uint64, error) { return 256, nil } }},
		{"some files", "/ip4/9.9.9.9/tcp/4001", "file-limit", Warning, "1024", func(_ *testing.T, p *Patient) { p.System.Files = func() (uint64, error) { return 1024, nil } }},
		{"open key", "/ip4/9.9.9.9/tcp/4001", "relay-folder", Failed, "1 part", func(t *testing.T, p *Patient) {
			if err := os.Chmod(filepath.Join(p.Relay.StateDir, "relay.key"), 0o644); err != nil {
				t.Fatal(err)
			}
		}},
		{"clock set back", "/ip4/9.9.9.9/tcp/4001", "clock", Failed, "future", func(_ *testing.T, p *Patient) {
			p.System.Now = func() time.Time { return now.Add(-time.Hour) }
		}},
		{"full disk", "/ip4/9.9.9.9/tcp/4001", "disk", Failed, "0 MiB", func(_ *testing.T, p *Patient) { p.System.Free = func(string) (uint64, error) { return 0, nil } }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := well(t)
			dir := filepath.Join(p.Profile.Dir, "relay")
			write(t, dir, "relay.key", 0o600)
			p.Relay = &Relay{StateDir: dir}
			if tt.listen != "" {
				p.Relay.Listen = []string{tt.listen}
			}
			if tt.sick != nil {
				tt.sick(t, p)
			}
			findings := Examine(t.Context(), *p, false)
			f := find(t, findings, tt.check)
			if f.Result != tt.want || !strings.Contains(f.Says, tt.says) {
				t.Errorf("%s says %s %q", f.Check, f.Result, f.Says)
			}
			silent(t, findings)
		})
	}
}

// The real machine answers.
func TestMachine(t *testing.T) {
	m := machine()
	if free, err := m.Free(t.TempDir()); err != nil && !errors.Is(err, errors.ErrUnsupported) || err == nil && free == 0 {
		t.Errorf("%d bytes free: %v", free, err)
	}
	if n, err := m.Files(); err != nil && !errors.Is(err, errors.ErrUnsupported) || err == nil && n == 0 {
		t.Errorf("%d files: %v", n, err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	at := l.Addr().String()
	if m.Listen(at) == nil {
		t.Error("a taken port was taken again")
	}
	if _, err := m.Relay(t.Context(), t.TempDir()); !errors.Is(err, relay.ErrNotRunning) {
		t.Error(err)
	}
}

func TestRoughly(t *testing.T) {
	for _, tt := range []struct {
		d    time.Duration
		want string
	}{
		{0, "0 seconds"}, {time.Second, "1 second"}, {59 * time.Second, "59 seconds"}, {time.Minute, "1 minute"},
		{119 * time.Minute, "119 minutes"}, {2 * time.Hour, "2 hours"}, {47 * time.Hour, "47 hours"}, {-48 * time.Hour, "2 days"},
	} {
		if got := roughly(tt.d); got != tt.want {
			t.Errorf("%v is %s, not %s", tt.d, got, tt.want)
		}
	}
}

// TestProxyFaults: each fault of a proxy is a line of its own, with what to do.
func TestProxyFaults(t *testing.T) {
	seen := map[string]bool{}
	for _, kind := range []proxy.Kind{proxy.Down, proxy.Silent, proxy.Login, proxy.NotSocks, proxy.Died, proxy.Denied} {
		p := &Patient{Node: new(fakeNode), status: api.Status{Proxy: "socks5://127.0.0.1:9050", ProxyFault: string(kind)}}
		f := checkProxy(t.Context(), p)
		if f.Result != Failed || !strings.Contains(f.Says, string(kind)) || f.Remedy == "" || seen[f.Remedy] {
			t.Errorf("%s: %+v", kind, f)
		}
		seen[f.Remedy] = true
	}
	for _, s := range []api.Status{{}, {Proxy: "socks5://127.0.0.1:9050"}} {
		if f := checkProxy(t.Context(), &Patient{Node: new(fakeNode), status: s}); f.Result != OK {
			t.Errorf("%+v", f)
		}
	}
}

// TestBridgeFindings: bridges that are not there.
func TestBridgeFindings(t *testing.T) {
	dead := []api.Bridge{{ID: "12D3", Addresses: []string{"/ip4/20.1.2.3/tcp/443"}, Error: "refused"}}
	for what, tt := range map[string]struct {
		s    api.Status
		want Result
	}{
		"none":           {api.Status{}, OK},
		"none, and only": {api.Status{BridgesOnly: true}, Failed},
		"dead, and only": {api.Status{BridgesOnly: true, Bridges: dead}, Failed},
		"dead":           {api.Status{Bridges: dead}, Warning},
		"not needed":     {api.Status{Bridges: dead, Ready: true}, OK},
	} {
		if f := checkBridges(t.Context(), &Patient{Node: new(fakeNode), status: tt.s}); f.Result != tt.want {
			t.Errorf("%s: %+v", what, f)
		}
	}
}
