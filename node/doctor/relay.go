package doctor

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"path/filepath"
	"time"

	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"starling/p2p/directory"
)

// RelayChecks are those of a relay that is to run with the addresses given.
var RelayChecks = []Check{
	{"relay-folder", "take the others' rights away: chmod -R go= on the relay's folder", checkRelayFolder},
	{"disk", "free some space: a full relay refuses mail", checkDisk},
	{"clock", "set this computer's date and time, best by switching on its network time", checkRelayClock},
	{"listen-address", "listen on a public address, or on /ip4/0.0.0.0/tcp/4001 with that port forwarded to this machine; a mesh of your own needs --allow-private", checkListen},
	{"port", "stop the other program, or choose another port", checkPort},
	{"reachable", "open the port in this machine's firewall and on the router, then try from another network", checkReachable},
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
	return ok("the clock is not behind the relay's files")
}

var errNotListen = errors.New("not an address to listen on; for example /ip4/0.0.0.0/tcp/4001")

// listening resolves one --listen into the addresses it stands for.
func (p *Patient) listening(s string) ([]netip.AddrPort, error) {
	m, err := multiaddr.NewMultiaddr(s)
	if err != nil {
		return nil, errNotListen
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

func checkListen(_ context.Context, p *Patient) Finding {
	var open, places []string
	for _, s := range p.Relay.Listen {
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
	case p.Relay.AllowPrivate:
		return ok("no address is public, which is right for a mesh of your own").at(places...)
	}
	return fail("none of %d addresses is public: nobody outside can use this relay", len(places)).at(places...)
}

func checkPort(_ context.Context, p *Patient) Finding {
	for _, s := range p.Relay.Listen {
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
				if held(filepath.Join(p.Relay.StateDir, "relay.lock")) {
					return ok("the relay that runs has it").at(s)
				}
				return fail("it cannot be taken: another program has it, or the system forbids it").at(s, err.Error())
			}
		}
	}
	return ok("it is free").at(p.Relay.Listen...)
}

// reachTimeout is how long a dial of ourselves may take.
const reachTimeout = 3 * time.Second

func checkReachable(ctx context.Context, p *Patient) Finding {
	if !held(filepath.Join(p.Relay.StateDir, "relay.lock")) {
		return skip("the relay does not run; run this again while it does")
	}

	var reached, lost []string
	for _, s := range p.Relay.Listen {
		addrs, _ := p.listening(s)
		for _, a := range addrs {
			if !public(a) {
				continue
			}
			dialling, cancel := context.WithTimeout(ctx, reachTimeout)
			err := p.System.Dial(dialling, a.String())
			cancel()
			if err != nil {
				lost = append(lost, a.String())
			} else {
				reached = append(reached, a.String())
			}
		}
	}

	switch {
	case len(lost) > 0:
		return fail("%d of %d public addresses do not answer even from here", len(lost), len(lost)+len(reached)).at(lost...)
	case len(reached) > 0:
		return ok("public addresses answer from this machine; only a try from another network shows the rest").at(reached...)
	}
	return skip("there is no public address to try")
}

func checkFiles(_ context.Context, p *Patient) Finding {
	limit, err := p.System.Files()
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
		Dial: func(ctx context.Context, address string) error {
			var d net.Dialer
			c, err := d.DialContext(ctx, "tcp", address)
			if err == nil {
				c.Close()
			}
			return err
		},
	}
}
