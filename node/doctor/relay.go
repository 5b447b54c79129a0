package doctor

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"starling/node/relay"
	"starling/p2p/book"
	"starling/p2p/clock"
	"starling/p2p/directory"
)

// RelayChecks are those of a relay that is to run with the addresses given.
var RelayChecks = []Check{
	{"relay-folder", "take the others' rights away: chmod -R go= on the relay's folder", checkRelayFolder},
	{"disk", "free some space: a full relay refuses mail", checkDisk},
	{"clock", "set this computer's date and time, best by switching on its network time", checkRelayClock},
	{"listen-address", "listen on a public address; behind a router that forwards a port, say the router's with --announce; a mesh of your own needs --allow-private", checkListen},
	{"port", "stop the other program, or choose another port", checkPort},
	{"relay", "start it: starling relay --listen MULTIADDR...", checkRelay},
	{"reachable", "open the port in this machine's firewall and forward it on the router, then say the router's address with --announce", checkReachable},
	{"listed", "leave the relay running: it is listed when others have reached it; see the check reachable", checkListed},
	{"domain", "leave the relay running: it asks for another one by itself", checkDomain},
	{"room", "leave it: who comes when it is full takes the place of whoever used it least; another relay beside it helps", checkRoom},
	{"limits", "raise the limit, or wait: mail expires after two weeks, and a quota begins anew with the month", checkLimits},
	{"file-limit", "raise it: ulimit -n 4096, or LimitNOFILE=4096 in the systemd unit", checkFiles},
}

// A relay's connections are files: up to 900, and its mailboxes.
const (
	filesWanted = 4096
	filesNeeded = 1024
)

func checkRelayFolder(_ context.Context, p *Patient) Finding { return private(p.Relay.StateDir, "") }

func checkRelayClock(_ context.Context, p *Patient) Finding {
	if d := ahead(p.Relay.StateDir, p.System.Now()); d > clockSlack {
		return fail("the relay's files were written %s in the future: the clock was set back, or is wrong", roughly(d))
	}
	off := time.Duration(p.relay.ClockAhead) * time.Second
	switch {
	case p.relayErr != nil || !p.relay.ClockKnown:
		return ok("the clock is not behind the relay's files; other relays' clocks are compared while the relay runs")
	case off.Abs() > clock.Notable:
		where := "ahead of"
		if off < 0 {
			where = "behind"
		}
		return warn("this computer's clock is %s %s what other relays say; the relay goes by theirs", roughly(off), where)
	}
	return ok("it agrees with other relays'")
}

var errNotListen = errors.New("not an address to listen on; for example /ip4/0.0.0.0/tcp/4001")

// listening resolves one --listen into the addresses it stands for.
func (p *Patient) listening(s string) ([]netip.AddrPort, error) {
	m, err := multiaddr.NewMultiaddr(s)
	if err != nil {
		return nil, errNotListen
	}

	// It says how links are made, and not where.
	if m[len(m)-1].Protocol().Code == book.PlainCode {
		m = m[:len(m)-1]
	}
	na, err := manet.ToNetAddr(m)
	if err != nil {
		return nil, errNotListen
	}

	at, err := netip.ParseAddrPort(na.String())
	if err != nil || len(m) != 2 || na.Network()[:3] != "tcp" {
		return nil, errNotListen
	}

	if !at.Addr().IsUnspecified() {
		return []netip.AddrPort{at}, nil
	}

	// An unspecified address stands for all of this machine of its kind.
	addrs, err := p.System.Addresses()
	if err != nil {
		return nil, err
	}

	var all []netip.AddrPort
	for _, a := range addrs {
		prefix, err := netip.ParsePrefix(a.String())
		if err == nil && prefix.Addr().Is4() == at.Addr().Is4() {
			all = append(all, netip.AddrPortFrom(prefix.Addr(), at.Port()))
		}
	}
	return all, nil
}

func public(a netip.AddrPort) bool { return directory.Address{AddrPort: a}.Public() }

// listens returns where the relay listens, or is to.
func (p *Patient) listens() []string {
	if len(p.Relay.Listen) > 0 {
		return p.Relay.Listen
	}
	var all []string
	for _, a := range p.relay.Listening {
		at, _, _ := strings.Cut(a, "/p2p/")
		all = append(all, at)
	}
	return all
}

func checkListen(_ context.Context, p *Patient) Finding {
	var open, places []string
	for _, s := range p.listens() {
		addrs, err := p.listening(s)
		if err != nil {
			return fail("%v", err).at(s)
		}
		for _, a := range addrs {
			places = append(places, a.String())
			if public(a) {
				open = append(open, a.String())
			}
		}
	}

	switch {
	case len(open) > 0:
		return ok("%d of %d addresses are public", len(open), len(places)).at(open...)
	case p.Relay.AllowPrivate || p.relay.AllowPrivate:
		return ok("no address is public, which is right for a mesh of your own").at(places...)
	case len(p.relay.Announced) > 0:
		return ok("none of %d addresses is public; the relay announces another", len(places)).at(p.relay.Announced...)
	}
	return fail("none of %d addresses is public: nobody outside can use this relay", len(places)).at(places...)
}

func checkPort(_ context.Context, p *Patient) Finding {
	for _, s := range p.listens() {
		addrs, err := p.listening(s)
		if err != nil {
			return skip("%v", err).at(s)
		}
		for _, a := range addrs {
			if a.Port() == 0 {
				return warn("port 0 is another one at every start").at(s)
			}
			if a.Addr().IsLinkLocalUnicast() {
				continue // needs a zone, and no relay has one
			}
			if err := p.System.Listen(a.String()); err != nil {
				if !errors.Is(p.relayErr, relay.ErrNotRunning) {
					return ok("the relay that runs has it").at(s)
				}
				return fail("it cannot be taken: another program has it, or the system forbids it").at(s, err.Error())
			}
		}
	}
	return ok("it is free").at(p.listens()...)
}

// renewed is how long before the end of its certificate a domain should have the next one.
const renewed = 7 * 24 * time.Hour

// checkDomain asks the relay about the certificate for its host name.
func checkDomain(_ context.Context, p *Patient) Finding {
	if f, out := p.noRelay(); out {
		return f
	}
	d := p.relay.Domain
	if d == nil {
		return skip("the relay has no host name: it gets no certificate for one")
	}

	f := ok("the certificate is valid")
	switch {
	case d.Until == nil && d.Error == "":
		return skip("the certificate is being ordered").at(d.Name)
	case d.Until == nil:
		f = fail("there is no certificate: %s", d.Error)
	case !d.Until.After(p.System.Now()):
		f = fail("the certificate is past: %s", d.Error)
	case d.Error != "" && d.Until.Sub(p.System.Now()) < renewed:
		f = fail("the certificate is not renewed, and soon past: %s", d.Error)
	case d.Error != "":
		f = warn("the certificate is not renewed yet: %s", d.Error)
	}

	if d.Remedy != "" {
		f.Remedy = d.Remedy
	}
	if d.Until != nil {
		return f.at(d.Name, "until "+d.Until.Format(time.DateOnly))
	}
	return f.at(d.Name)
}

// checkLimits asks the relay about those that its owner has set.
func checkLimits(_ context.Context, p *Patient) Finding {
	if f, out := p.noRelay(); out {
		return f
	}
	s, l := p.relay, p.relay.Limits
	switch {
	case s.Asleep != nil:
		return fail("the month's quota is used up: the relay sleeps until %s", s.Asleep.Format(time.DateOnly))
	case s.Mailbox.Disk == "full":
		return fail("the disk is full: new mail is refused")
	case s.Boxes > s.BoxPlaces:
		return warn("the mailbox holds %d boxes, and its size allows %d: no new mail is taken", s.Boxes, s.BoxPlaces)
	case s.Mailbox.Disk == "low":
		return warn("the disk is low: soon new mail is refused")
	case l.Quota > 0 && l.QuotaUsed >= l.Quota/10*9:
		return warn("%d of %d MB of the month's quota are used", l.QuotaUsed/1e6, l.Quota/1e6)
	}
	return ok("none is hit")
}

func checkRelay(_ context.Context, p *Patient) Finding {
	place := p.Relay.StateDir
	switch {
	case errors.Is(p.relayErr, relay.ErrNotRunning):
		return skip("the relay does not run; run this again while it does").at(place)
	case p.relayErr != nil:
		f := fail("%v", reason(p.relayErr))
		f.Remedy = "wait a moment and look again; then end it and start it again"
		return f.at(place)
	}
	return ok("it runs").at(place, "peer id "+p.relay.PeerID)
}

// noRelay is the reason why a check of the testimony of others was left out, if it was.
func (p *Patient) noRelay() (Finding, bool) {
	switch {
	case errors.Is(p.relayErr, relay.ErrNotRunning):
		return skip("the relay does not run; run this again while it does"), true
	case p.relayErr != nil:
		return skip("the relay does not say how it is"), true
	}
	return Finding{}, false
}

// alone is why nobody says anything of the relay, if nobody does.
func (p *Patient) alone() (Finding, bool) {
	s := p.relay
	switch {
	case s.Asked > 0:
		return Finding{}, false
	case s.Alone:
		return skip("no other relay is known: this is the first of its mesh, or none of those given with --bootstrap has answered; so nobody can say"), true
	case len(s.Announced) == 0 && len(s.Unreached) == 0 && !p.young():
		return fail("the relay has no address that it could be listed with"), true
	}
	return skip("no other relay has said anything yet; look again in a minute"), true
}

func checkReachable(_ context.Context, p *Patient) Finding {
	if f, out := p.noRelay(); out {
		return f
	}
	s := p.relay
	// Before the general case: its remedy is another one.
	if len(s.Foreign) > 0 && !s.Reachable {
		f := fail("another node answers at its address, for other relays")
		f.Remedy = "give the router's own address with --announce, and forward its port to this machine"
		return f.at(s.Foreign...).at(seen(s)...)
	}
	if len(s.Unreached) > 0 && !s.Reachable {
		return fail("no other relay reaches it").at(s.Unreached...).at(seen(s)...)
	}
	if f, out := p.alone(); out {
		return f
	}

	switch {
	case len(s.Unreached) > 0:
		return warn("other relays reach it, but not at %d of its addresses", len(s.Unreached)).at(s.Unreached...)
	case s.Reachable:
		return ok("%d of %s asked have reached it from outside", len(s.ReachedBy), others(s.Asked)).at(s.ReachedBy...)
	case p.young():
		return skip("%d of %s asked have reached it; it has not run for long", len(s.ReachedBy), others(s.Asked))
	}
	return fail("%d of %s asked have reached it from outside", len(s.ReachedBy), others(s.Asked)).at(s.Announced...)
}

// seen says where others see the relay come from.
func seen(s relay.Status) (all []string) {
	for _, a := range s.SeenFrom {
		all = append(all, "others see it come from "+a)
	}
	return all
}

// settling is how long a new relay may take to be reached by others.
const settling = 5 * time.Minute

func (p *Patient) young() bool { return p.System.Now().Sub(p.relay.Started) < settling }

// others says "1 other relay", "2 other relays".
func others(n int) string { return count(n, "other relay") }

func checkListed(_ context.Context, p *Patient) Finding {
	if f, out := p.noRelay(); out {
		return f
	}
	if f, out := p.alone(); out {
		return f
	}
	s := p.relay
	switch {
	case s.Listed:
		return ok("%d of %s asked list it", len(s.ListedBy), others(s.Asked)).at(s.ListedBy...)
	case p.young():
		return skip("%d of %s asked list it; it has not run for long", len(s.ListedBy), others(s.Asked))
	}
	return fail("%d of %s asked list it", len(s.ListedBy), others(s.Asked)).at(s.ListedBy...)
}

func checkRoom(_ context.Context, p *Patient) Finding {
	if f, out := p.noRelay(); out {
		return f
	}
	s := p.relay
	full := func(n, places int) bool { return places > 0 && n >= places-places/20 }
	switch {
	case full(s.Clients, s.ClientPlaces):
		return warn("%d of %d places for clients are taken", s.Clients, s.ClientPlaces)
	case full(s.Boxes, s.BoxPlaces):
		return warn("%d of %d boxes are taken", s.Boxes, s.BoxPlaces)
	}
	return ok("%d of %d places for clients and %d of %d boxes are free", s.ClientPlaces-s.Clients, s.ClientPlaces, s.BoxPlaces-s.Boxes, s.BoxPlaces)
}

// checkFiles asks the relay that runs, and else looks at the limit here: that of a service
// is another.
func checkFiles(_ context.Context, p *Patient) Finding {
	limit, err := p.System.Files()
	if p.relayErr == nil && p.relay.Limits.OpenFiles > 0 {
		limit, err = uint64(p.relay.Limits.OpenFiles), nil
	}
	switch {
	case err != nil:
		return skip("the limit is not known: %v", err)
	case limit < filesNeeded:
		return fail("the relay may have %d files open; it needs %d", limit, filesNeeded)
	case limit < filesWanted:
		return warn("the relay may have %d files open; %d are better", limit, filesWanted)
	}
	return ok("the relay may have %d files open", limit)
}

// machine is the machine that this runs on.
func machine() *System {
	return &System{
		Now:       time.Now,
		Free:      free,
		Files:     files,
		Addresses: net.InterfaceAddrs,
		Listen: func(address string) error {
			l, err := net.Listen("tcp", address)
			if err == nil {
				l.Close()
			}
			return err
		},
		Relay: relay.Ask,
	}
}
