package cli

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"starling/node/api"
)

// ready is the line that node and relay print when they serve.
type ready struct {
	Event   string   `json:"event"` // "ready"
	PeerID  string   `json:"peer_id"`
	Addrs   []string `json:"addrs,omitempty"`   // relay
	Profile string   `json:"profile,omitempty"` // node
}

func (a *app) nodeCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "node [--bootstrap MULTIADDR...]",
		Short: "Run the node without a screen, until interrupted",
		Long: `Run the node of a profile without a screen. It prints one JSON line when other
commands can connect to it: {"event":"ready",...}. Whether messages can leave
yet is in starling status. SIGINT or SIGTERM ends it in order.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			dir, err := a.existingProfile()
			if err != nil {
				return err
			}
			// Said before a passphrase is asked for.
			if _, other, err := a.engine.Dial(ctx, dir); err == nil {
				other.Close()
				return &api.Error{Code: api.CodeInUse, Message: "a node runs on this profile already"}
			}

			node, err := a.start(ctx, dir, a.logger())
			if err != nil {
				return err
			}
			defer node.Close()
			status, err := node.Status(ctx)
			if err != nil {
				return err
			}
			if err := a.printJSON(ready{Event: "ready", PeerID: status.PeerID, Profile: dir}); err != nil {
				return err
			}

			select {
			case <-ctx.Done():
			case <-node.Done():
			}
			return node.Close()
		},
	}

	a.alwaysJSON(cmd)
	a.networkFlags(cmd)
	return cmd
}

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
is listed: behind a router that forwards a port, --announce the router's. With --lan they need
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
			// A folder of its own, so that a person's profile may be beside it.
			config := relayConfig{stateDir: filepath.Join(dir, "relay"), listen: listen, announce: announce, family: family, network: a.network, log: a.logger()}
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
	return cmd
}

func (a *app) initCommand() *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:   "init --name NAME",
		Short: "Make a profile without a screen",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if name == "" {
				return usage("for example: starling init --name alice", "--name is missing")
			}
			dir, err := a.profileDir()
			if err != nil {
				return err
			}
			if exists, err := a.engine.Exists(dir); err != nil {
				return err
			} else if exists {
				return &api.Error{Code: api.CodeProfileExists, Message: "there is a profile in " + dir + " already"}
			}

			passphrase, err := a.newPassphrase()
			if err != nil {
				return err
			}
			p := newProfile{name: name, passphrase: passphrase}
			if err := a.engine.Create(cmd.Context(), dir, p); err != nil {
				return err
			}

			if a.json {
				return a.printJSON(map[string]string{"profile": dir, "name": name})
			}
			fmt.Fprintf(a.out, "Made the profile of %s in %s\n", own(name), dir)
			fmt.Fprintln(a.err, "Next: starling, or starling node")
			return nil
		},
	}

	cmd.Flags().StringVar(&name, "name", "", "what you are called; your contacts can see it")
	a.jsonFlag(cmd)
	return cmd
}
