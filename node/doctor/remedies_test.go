package doctor

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"starling/node/api"
	"starling/node/relay"
	"starling/p2p/proxy"
)

// A trial is a fault, and what its remedy says done to it.
type trial struct {
	check, remedy string // of the remedy, the beginning
	relay         bool   // of a relay, and not of a node
	sick, mend    func(*testing.T, *Patient)
}

// status changes what the node says.
func status(f func(*api.Status)) func(*testing.T, *Patient) {
	return func(_ *testing.T, p *Patient) { f(&p.Node.(*fakeNode).status) }
}

// told changes what the running relay says.
func told(f func(*relay.Status)) func(*testing.T, *Patient) {
	return func(_ *testing.T, p *Patient) {
		before := p.System.Relay
		p.System.Relay = func(ctx context.Context, dir string) (relay.Status, error) {
			s, err := before(ctx, dir)
			f(&s)
			return s, err
		}
	}
}

// mode gives a file of the profile or of the relay rights.
func mode(name string, perm os.FileMode) func(*testing.T, *Patient) {
	return func(t *testing.T, p *Patient) {
		if err := os.Chmod(filepath.Join(p.Profile.Dir, name), perm); err != nil {
			t.Fatal(err)
		}
	}
}

// way is one way in that answers so.
func way(outcome string) func(*testing.T, *Patient) {
	return status(func(s *api.Status) { s.Ways = []api.Way{{Outcome: outcome}} })
}

// proxied is a proxy with a fault.
func proxied(k proxy.Kind) func(*testing.T, *Patient) {
	return status(func(s *api.Status) { s.Proxy, s.ProxyFault = "socks5://127.0.0.1:9050", string(k) })
}

var (
	without = func(name string) func(*testing.T, *Patient) {
		return func(t *testing.T, p *Patient) { os.RemoveAll(filepath.Join(p.Profile.Dir, name)) }
	}
	with = func(name string) func(*testing.T, *Patient) {
		return func(t *testing.T, p *Patient) { write(t, p.Profile.Dir, name, 0o600) }
	}
	noProxy   = status(func(s *api.Status) { s.Proxy, s.ProxyFault = "", "" })
	goodProxy = proxied("")
	rooms     = func(all ...api.Room) func(*testing.T, *Patient) {
		return func(_ *testing.T, p *Patient) { p.Node.(*fakeNode).rooms = all }
	}
	linked = func(crowded bool) func(*testing.T, *Patient) {
		return func(_ *testing.T, p *Patient) {
			n := p.Node.(*fakeNode)
			n.rooms, n.links = []api.Room{{State: api.RoomReady, Role: api.RoleOwner}}, []api.RoomInvite{{Crowded: crowded}}
		}
	}
	freed = func(free uint64) func(*testing.T, *Patient) {
		return func(_ *testing.T, p *Patient) { p.System.Free = func(string) (uint64, error) { return free, nil } }
	}
	clocked = func(by time.Duration) func(*testing.T, *Patient) {
		return func(_ *testing.T, p *Patient) { p.System.Now = func() time.Time { return now.Add(by) } }
	}
	listened = func(at string) func(*testing.T, *Patient) {
		return func(_ *testing.T, p *Patient) { p.Relay.Listen = []string{at} }
	}
	ports = func(err error) func(*testing.T, *Patient) {
		return func(_ *testing.T, p *Patient) {
			p.System.Listen = func(string) error { return err }
			p.System.Relay = func(context.Context, string) (relay.Status, error) { return relay.Status{}, relay.ErrNotRunning }
		}
	}
)

// trials has one for each remedy of the source.
var trials = []trial{
	{"profile", "make one with: starling init", false, without(""), func(t *testing.T, p *Patient) { with("profile.key")(t, p); with("profile.db")(t, p) }},
	{"profile", "mend that, or choose another folder", false, func(t *testing.T, p *Patient) {
		without("")(t, p)
		write(t, filepath.Dir(p.Profile.Dir), filepath.Base(p.Profile.Dir), 0o600)
	}, func(t *testing.T, p *Patient) { p.Profile.Dir = well(t).Profile.Dir }},
	{"profile", "restore the profile from a backup", false, without("profile.key"), with("profile.key")},
	{"profile", "restore the profile from a backup", false, func(t *testing.T, p *Patient) { os.Truncate(p.Profile.Database(), 0) }, with("profile.db")},
	{"permissions", "take the others' rights away: chmod -R go= on the profile's", false, mode("profile.db", 0o644), mode("profile.db", 0o600)},
	{"passphrase-file", "take the others' rights away with chmod 600", false, mode("pass", 0o640), mode("pass", 0o600)},
	{"passphrase-file", "check the path given to --passphrase-file", false, without("pass"), with("pass")},
	{"passphrase-file", "check the path given to --passphrase-file", false, func(_ *testing.T, p *Patient) { p.PassphraseFile = p.Profile.Dir },
		func(_ *testing.T, p *Patient) { p.PassphraseFile = filepath.Join(p.Profile.Dir, "pass") }},
	{"disk", "free some space; messages wait", false, freed(1 << 20), freed(1 << 30)},
	{"clock", "set this computer's date and time, best", false, clocked(-time.Hour), clocked(0)},
	{"clock", "set this computer's date and time, best", false, status(func(s *api.Status) { s.ClockAhead = 3600 }), status(func(s *api.Status) { s.ClockAhead = 0 })},
	{"node", "start it: starling", false, func(_ *testing.T, p *Patient) { p.Node = nil }, func(_ *testing.T, p *Patient) { p.Node = wellNode() }},
	{"node", "end that program, by force", false, func(t *testing.T, p *Patient) { p.Node = nil; lock(t, p.Profile.Lock()) }, func(_ *testing.T, p *Patient) { p.Node = wellNode() }},
	{"node", "end it and start it again", false, func(_ *testing.T, p *Patient) { p.Node.(*fakeNode).err = errors.New("stuck") }, func(_ *testing.T, p *Patient) { p.Node = wellNode() }},
	{"node", "end the node and start it again: it makes the socket anew", false, mode("control.sock", 0o666), mode("control.sock", 0o600)},
	{"node", "see the checks relays and guards", false, status(func(s *api.Status) { s.Ready = false }), status(func(s *api.Status) { s.Ready = true })},
	{"version", "end the node that runs", false, status(func(s *api.Status) { s.Version = "v0" }), status(func(s *api.Status) { s.Version = "v1" })},
	{"proxy", "start the proxy, or set another", false, proxied("a fault of a later version"), noProxy},
	{"proxy", "start the proxy, for a Tor on Debian", false, proxied(proxy.Down), goodProxy},
	{"proxy", "see whether the proxy hangs", false, proxied(proxy.Silent), goodProxy},
	{"proxy", "give them with it", false, proxied(proxy.Login), goodProxy},
	{"proxy", "look for the proxy's port", false, proxied(proxy.NotSocks), goodProxy},
	{"proxy", "start the proxy again", false, proxied(proxy.Died), goodProxy},
	{"proxy", "let the proxy connect to any port", false, proxied(proxy.Denied), goodProxy},
	{"bridges", "ask whoever runs the bridge", false, status(func(s *api.Status) { s.Ready, s.Bridges = false, []api.Bridge{{Error: "refused"}} }),
		status(func(s *api.Status) { s.Bridges = append(s.Bridges, api.Bridge{Connected: true}) })},
	{"own-bridge", "have a friend try the link", false, status(func(s *api.Status) { s.OwnBridge = &api.OwnBridge{State: api.OwnBridgeUntried} }), status(func(s *api.Status) { s.OwnBridge.State = api.OwnBridgeReached })},
	{"bridges", "add one: starling bridge add", false, status(func(s *api.Status) { s.BridgesOnly = true }), status(func(s *api.Status) { s.BridgesOnly = false })},
	{"relays", "give the address of another relay", false, status(func(s *api.Status) { s.Relays = 0 }), status(func(s *api.Status) { s.Relays = 9 })},
	{"relays", "start the node with --bootstrap", false, status(func(s *api.Status) { s.ListsAsked, s.ListsOther = 4, 4 }), status(func(s *api.Status) { s.ListsOther = 0 })},
	{"relays", "leave the node running: it tries the others", false, status(func(s *api.Status) { s.Reached = 6 }), status(func(s *api.Status) { s.Reached = 0 })},
	{"guards", "check this computer's connection; a firewall", false, status(func(s *api.Status) { s.Guards[0].Connected = false }), status(func(s *api.Status) { s.Guards[0].Connected = true })},
	{"ways-in", "leave the node running: it tries other ways", false, way("refused"), way("connected")},
	{"ways-in", "check this computer's connection", false, way("unreachable"), way("connected")},
	{"ways-in", "ask whoever gave you this relay", false, way("wrong-key"), way("connected")},
	{"ways-in", "ask whoever gave you this relay", false, way("not-a-relay"), way("connected")},
	{"ways-in", "open any web page", false, way("captive-portal"), way("connected")},
	{"ways-in", "set this computer's date and time", false, way("clock-off"), way("connected")},
	{"ways-in", "nothing has to be done; a bridge", false, status(func(s *api.Status) { s.FreezesAfter = 14_000 }), status(func(s *api.Status) { s.FreezesAfter = 0 })},
	{"ways-in", "nothing has to be done", false, status(func(s *api.Status) { s.Bans = true }), status(func(s *api.Status) { s.Bans = false })},
	{"mailboxes", "leave the node running: it finds", false, status(func(s *api.Status) { s.Mailboxes = nil }), status(func(s *api.Status) { s.Mailboxes = []api.Mailbox{{Heard: now}} })},
	{"mailboxes", "leave the node running: mailboxes are crowded", false, status(func(s *api.Status) { s.Mailboxes[0].NoRoom = true }), status(func(s *api.Status) { s.Mailboxes[0].NoRoom = false })},
	{"outbox", "leave the node running; what was given up", false, status(func(s *api.Status) { s.Outbox.Failed = 1 }), status(func(s *api.Status) { s.Outbox.Failed = 0 })},
	{"rooms", "leave the node running; where that", false, rooms(api.Room{State: api.RoomAway}), rooms(api.Room{State: api.RoomReady})},
	{"rooms", "close the link", false, linked(true), linked(false)},
	{"rooms", "wait a day", false, rooms(api.Room{State: api.RoomReady, Unheard: true}), rooms(api.Room{State: api.RoomReady})},
	{"private-addresses", "leave out --allow-private", false, status(func(s *api.Status) { s.AllowPrivate = true }), status(func(s *api.Status) { s.AllowPrivate = false })},

	{"relay-folder", "take the others' rights away: chmod -R go= on the relay's", true, mode("relay/relay.key", 0o644), mode("relay/relay.key", 0o600)},
	{"disk", "free some space: a full relay", true, freed(1 << 20), freed(1 << 30)},
	{"clock", "set this computer's date and time, best", true, told(func(s *relay.Status) { s.ClockAhead = 3600 }), told(func(s *relay.Status) { s.ClockAhead = 0 })},
	{"listen-address", "listen on a public address", true, listened("/ip4/192.168.1.2/tcp/4001"), listened("/ip4/9.9.9.9/tcp/4001")},
	{"listen-address", "listen on a public address", true, listened("/ip4/192.168.1.2/tcp/4001"), told(func(s *relay.Status) { s.Announced = []string{"/ip4/9.9.9.9/tcp/4001"} })},
	{"listen-address", "listen on a public address", true, listened("/ip4/127.0.0.1/tcp/4001"), func(_ *testing.T, p *Patient) { p.Relay.AllowPrivate = true }},
	{"port", "stop the other program", true, ports(errors.New("in use")), ports(nil)},
	{"relay", "wait a moment and look again", true, func(_ *testing.T, p *Patient) {
		p.System.Relay = func(context.Context, string) (relay.Status, error) { return relay.Status{}, relay.ErrSilent }
	}, func(_ *testing.T, p *Patient) {
		p.System.Relay = func(context.Context, string) (relay.Status, error) { return relay.Status{}, nil }
	}},
	{"reachable", "open the port in this machine's firewall", true, told(func(s *relay.Status) {
		s.Reachable, s.ReachedBy, s.Unreached = false, nil, []string{"/ip4/9.9.9.9/tcp/4001"}
	}),
		told(func(s *relay.Status) { s.Reachable, s.ReachedBy, s.Unreached = true, []string{secret, secret}, nil })},
	{"reachable", "give the router's own address", true, told(func(s *relay.Status) { s.Reachable, s.Foreign = false, []string{"/ip4/9.9.9.9/tcp/4001"} }),
		told(func(s *relay.Status) { s.Reachable, s.Foreign = true, nil })},
	{"listed", "leave the relay running", true, told(func(s *relay.Status) { s.Listed, s.ListedBy = false, nil }), told(func(s *relay.Status) { s.Listed, s.ListedBy = true, []string{secret} })},
	{"room", "leave it: who comes", true, told(func(s *relay.Status) { s.Clients = 100 }), told(func(s *relay.Status) { s.Clients = 10 })},
	{"domain", "leave the relay running: it asks", true, told(func(s *relay.Status) { s.Domain = &relay.Domain{Until: new(now.Add(-time.Hour))} }),
		told(func(s *relay.Status) { s.Domain.Until = new(now.Add(60 * 24 * time.Hour)) })},
	{"limits", "raise the limit, or wait", true, told(func(s *relay.Status) { s.Limits.Quota, s.Limits.QuotaUsed = 100, 99 }), told(func(s *relay.Status) { s.Limits.Quota = 1000 })},
	{"file-limit", "raise it: ulimit -n 4096", true, told(func(s *relay.Status) { s.Limits.OpenFiles = 1024 }), told(func(s *relay.Status) { s.Limits.OpenFiles = 4096 })},
}

// untried are remedies that no trial takes up, and why.
var untried = map[string]string{
	"give the passphrase of this profile": "stands in for a fault without a hint of its own; cmd/starling's doctor.txtar opens profiles",
	"start it: starling relay":            "a relay that does not run is told without a remedy; doctor.txtar starts one",
}

// TestRemedies makes each fault, does what doctor says, and is well.
func TestRemedies(t *testing.T) {
	for i, x := range trials {
		t.Run(fmt.Sprint(x.check, i), func(t *testing.T) {
			p := well(t)
			p.System.Relay = func(context.Context, string) (relay.Status, error) {
				return relay.Status{Listed: true, Reachable: true, Asked: 3, ListedBy: []string{secret}, ReachedBy: []string{secret, secret},
					ClockKnown: true, ClientPlaces: 100, BoxPlaces: 1000, Started: now.Add(-time.Hour)}, nil
			}
			if x.relay {
				dir := filepath.Join(p.Profile.Dir, "relay")
				write(t, dir, "relay.key", 0o600)
				p.Relay = &Relay{StateDir: dir, Listen: []string{"/ip4/9.9.9.9/tcp/4001"}}
			}

			x.sick(t, p)
			if f := find(t, Examine(t.Context(), *p, false), x.check); f.Result != Failed && f.Result != Warning || !strings.HasPrefix(f.Remedy, x.remedy) {
				t.Fatalf("sick: %+v", f)
			}
			x.mend(t, p)
			if f := find(t, Examine(t.Context(), *p, false), x.check); f.Result != OK {
				t.Errorf("mended: %+v", f)
			}
		})
	}
}

// TestEveryRemedyIsTried finds the remedies in the source.
func TestEveryRemedyIsTried(t *testing.T) {
	all := inSource(t)
	if len(all) < 40 {
		t.Fatalf("only %d remedies found", len(all))
	}
	for _, remedy := range all {
		tried := slices.ContainsFunc(trials, func(x trial) bool { return strings.HasPrefix(remedy, x.remedy) }) ||
			slices.ContainsFunc(slices.Collect(maps.Keys(untried)), func(u string) bool { return strings.HasPrefix(remedy, u) })
		if !tried {
			t.Errorf("no trial of the remedy %q", remedy)
		}
	}
	for _, x := range trials {
		if !slices.ContainsFunc(all, func(remedy string) bool { return strings.HasPrefix(remedy, x.remedy) }) {
			t.Errorf("no check has the remedy %q", x.remedy)
		}
	}
}

// inSource returns the remedies of this package: of the tables of checks, of faults of
// proxies and ways in, and those that a finding is given.
func inSource(t *testing.T) (all []string) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	add := func(e ast.Expr) {
		lit, ok := e.(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING {
			return
		}
		if s, err := strconv.Unquote(lit.Value); err == nil && s != "" {
			all = append(all, s)
		}
	}

	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.AssignStmt:
				if s, ok := n.Lhs[0].(*ast.SelectorExpr); ok && s.Sel.Name == "Remedy" {
					add(n.Rhs[0])
				}
			case *ast.CompositeLit:
				if n.Type == nil && len(n.Elts) == 3 { // a Check
					add(n.Elts[1])
				}
			}
			return true
		})
	}
	for _, remedy := range proxyRemedies {
		all = append(all, remedy)
	}
	for _, a := range answers {
		if a.remedy != "" {
			all = append(all, a.remedy)
		}
	}
	return all
}
