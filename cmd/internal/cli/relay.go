package cli

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"starling/node/api"
	"starling/node/relay"
)

// codeNoRelay ends relay status when there is none to ask.
const codeNoRelay api.Code = "no_relay"

// relayDir is where a relay keeps its state: a folder of its own, so that a person's
// profile may be beside it.
func relayDir(profile string) string { return filepath.Join(profile, "relay") }

func (a *app) relayCommand() *cobra.Command {
	var listen, announce, family []string
	cmd := &cobra.Command{
		Use:   "relay --listen MULTIADDR... [--announce MULTIADDR...] [--bootstrap MULTIADDR...]",
		Short: "Run a relay, until interrupted",
		Long: `Run a relay: it passes on and keeps sealed packets of people it does not know.
It needs no passphrase and keeps its state in the folder relay of the profile
folder. It prints one JSON line when it serves:

  {"event":"ready","peer_id":"…","addrs":["/ip4/…/p2p/…"]}

One of these addresses is what others give to --bootstrap. Other relays try each
public address that it listens on or announces, and only where it is reached it
is listed: behind a router that forwards a port, --announce the router's. Whether
that came about is in starling relay status. With --lan they need
none: the relay answers whoever looks for one on the local network, looks for
others there itself, and takes any port if --listen is left out. SIGINT or
SIGTERM ends it in order.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if len(listen) == 0 && a.network.lan {
				listen = []string{"/ip4/0.0.0.0/tcp/0"} // found by asking, so any port will do
			}
			if len(listen) == 0 {
				return usage("for example: starling relay --listen /ip4/0.0.0.0/tcp/4001", "--listen is missing")
			}
			if err := errors.Join(checkListen(listen), checkAnnounce(announce, a.network.allowPrivate), a.network.check()); err != nil {
				return err
			}
			dir, err := a.profileDir()
			if err != nil {
				return err
			}
			config := relayConfig{stateDir: relayDir(dir), listen: listen, announce: announce, family: family, network: a.network, log: a.logger()}
			err = a.engine.Relay(cmd.Context(), config, func(peerID string, addrs []string) error {
				return a.printJSON(ready{Event: "ready", PeerID: peerID, Addrs: addrs})
			})
			if cmd.Context().Err() != nil {
				return nil
			}
			return err
		},
	}
	cmd.Flags().StringSliceVar(&listen, "listen", nil, "one or more `MULTIADDR`s to listen on")
	cmd.Flags().StringSliceVar(&announce, "announce", nil, "one or more `MULTIADDR`s at which others reach it, if not those it listens on")
	cmd.Flags().StringSliceVar(&family, "family", nil, "the `PEERID`s of your other relays, which name this one, too: no message passes two of them")
	a.alwaysJSON(cmd)
	a.networkFlags(cmd)
	cmd.AddCommand(a.relayStatusCommand())
	return cmd
}

func (a *app) relayStatusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status",
		Short: "How the relay that runs stands with others",
		Long: `Say what the relay knows of itself that runs on this profile folder: whether other
relays list it and have reached it from outside, at which addresses, how wrong this
computer's clock is, and what there is room for. Nothing is asked of others: they
have told the relay.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			dir, err := a.profileDir()
			if err != nil {
				return err
			}

			s, err := a.engine.RelayStatus(relayDir(dir))
			switch {
			case errors.Is(err, relay.ErrNotRunning):
				return &api.Error{Code: codeNoRelay, Message: "no relay runs on " + dir}
			case errors.Is(err, relay.ErrStarting), errors.Is(err, relay.ErrSilent):
				return &api.Error{Code: codeNoRelay, Message: err.Error(), Hint: "wait a moment and look again; if it stays so, end the relay and start it again"}
			case err != nil:
				return err
			}
			return a.print(s, func(w io.Writer) { relayWords(w, s) })
		},
	}
	a.jsonFlag(cmd)
	return cmd
}

func relayWords(w io.Writer, s relay.Status) {
	line := func(label, format string, args ...any) {
		fmt.Fprintf(w, "%-12s%s\n", label, fmt.Sprintf(format, args...))
	}
	others := func(n int) string {
		if s.Asked == 1 {
			return fmt.Sprintf("%d of 1 other relay that was asked", n)
		}
		return fmt.Sprintf("%d of %d other relays that were asked", n, s.Asked)
	}

	switch {
	case s.Asked == 0 && s.Listed:
		line("listed", "by nobody else: no other relay is known, this is the first of its mesh")
	case s.Asked == 0:
		line("listed", "not known: no other relay has said anything yet")
	case s.Listed:
		line("listed", "yes, by %s", others(len(s.ListedBy)))
	default:
		line("listed", "no: by %s", others(len(s.ListedBy)))
	}
	switch {
	case s.Reachable:
		line("reachable", "yes: reached from outside by %s", others(len(s.ReachedBy)))
	case s.Asked == 0 && len(s.Unreached) == 0:
		line("reachable", "not known: no other relay has said anything yet")
	default:
		line("reachable", "no: reached from outside by %s", others(len(s.ReachedBy)))
	}

	for _, a := range s.Announced {
		line("announced", "%s", own(a))
	}
	for _, a := range s.Unreached {
		line("unreached", "%s  no other relay finds it there: open the port, and forward it on the router", own(a))
	}
	if len(s.Announced) == 0 {
		line("announced", "nothing: listen on a public address, or say one with --announce")
	}

	line("relays", "%d known, %d connected", s.Relays, s.Neighbours)
	line("clients", "%d of %d places taken, %d links", s.Clients, s.ClientPlaces, s.Links)
	line("mailboxes", "%d of %d boxes taken", s.Boxes, s.BoxPlaces)
	switch off := time.Duration(s.ClockAhead) * time.Second; {
	case !s.ClockKnown:
		line("clock", "not compared: no two other relays agree yet")
	case off == 0:
		line("clock", "agrees with the others'")
	case off > 0:
		line("clock", "%v ahead of what the others say; the relay goes by theirs", off)
	default:
		line("clock", "%v behind what the others say; the relay goes by theirs", -off)
	}

	var refused int64
	for _, n := range s.Refused {
		refused += n
	}
	line("traffic", "%d bytes in, %d bytes out, %d refused", s.BytesIn, s.BytesOut, refused)
	if s.AllowPrivate {
		line("", "private addresses are admitted: only for meshes of your own")
	}
	line("peer id", "%s", own(s.PeerID))
	line("version", "%s, up since %s", own(s.Version), clock(s.Started))
}
