package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"starling/node/api"
	"starling/node/api/safetext"
)

// ready is the line that node and relay print when they serve.
type ready struct {
	Event   string   `json:"event"` // "ready"
	PeerID  string   `json:"peer_id"`
	Addrs   []string `json:"addrs,omitempty"`   // relay
	Bridge  string   `json:"bridge,omitempty"`  // of a bridge: its link
	Profile string   `json:"profile,omitempty"` // node
}

func (a *app) nodeCommand() *cobra.Command {
	door := doorFlags{app: a}
	cmd := &cobra.Command{
		Use:   "node [--bootstrap MULTIADDR...] [--bridge --listen MULTIADDR...]",
		Short: "Run the node without a screen, until interrupted",
		Long: `Run the node of a profile without a screen. It prints one JSON line when other
commands can connect to it: {"event":"ready",...}. Whether messages can leave
yet is in starling status. SIGINT or SIGTERM ends it in order.

With --bridge this machine is a bridge for your friends as well, if others reach it at
--listen, or at --announce: give them the link in the line ("bridge":"starling-bridge:…"),
which --qr draws. It has a key and a folder of its own, and shares nothing with your
messenger but the address of this machine: whoever has the link knows that somebody
there runs Starling. starling relay status says how it is; see starling relay --help.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx, stop := context.WithCancel(cmd.Context())
			defer stop()
			if err := door.check(); err != nil {
				return err
			}
			dir, err := a.existingProfile()
			if err != nil {
				return err
			}
			node, err := a.serve(ctx, dir, door.bridge)
			if err != nil {
				return err
			}
			defer node.Close()

			status, err := node.Status(ctx)
			if err != nil {
				return err
			}
			bridge, ended, err := door.open(ctx, node, dir)
			if err != nil {
				return err
			}
			if err := a.printJSON(ready{Event: "ready", PeerID: status.PeerID, Bridge: bridge, Profile: dir}); err != nil {
				return err
			}

			select {
			case <-ctx.Done():
			case <-node.Done():
			case err = <-ended:
			}
			stop()
			return errors.Join(node.Close(), err)
		},
	}
	door.flags(cmd)

	a.alwaysJSON(cmd)
	a.networkFlags(cmd)
	return cmd
}

// serve starts a node that stays, once those of other commands have ended.
func (a *app) serve(ctx context.Context, dir string, bridge bool) (node running, err error) {
	passphrase := remembered(func() (string, error) { return a.passphrase(ctx, "Passphrase: ") })
	stays := false
	err = a.settled(ctx, func() error {
		// Said before a passphrase is asked for.
		if other, closer, err := a.engine.Dial(ctx, dir); err == nil {
			status, err := other.Status(ctx)
			closer.Close()
			if stays = err == nil && !status.Brief || api.CodeOf(err) == api.CodeLocked; stays {
				return nil
			}
			return errHeld
		}
		if a.engine.Held(dir) {
			return errHeld
		}
		node, err = a.start(ctx, startConfig{profile: dir, log: a.logger(), bridge: bridge}, passphrase)
		return err
	})
	if stays {
		err = &api.Error{Code: api.CodeInUse, Message: "a node runs on this profile already"}
	}
	return node, err
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
			dir, err := a.newProfileDir()
			if err != nil {
				return err
			}

			passphrase, err := a.newPassphrase(cmd.Context())
			if err != nil {
				return err
			}
			p := newProfile{name: name, passphrase: passphrase}
			err = a.settled(cmd.Context(), func() error { return a.engine.Create(cmd.Context(), dir, p) })
			if err != nil {
				return err
			}

			if a.json {
				return a.printJSON(map[string]string{"profile": dir, "name": safetext.Line(name).String()})
			}
			fmt.Fprintf(a.out, "Made the profile of %s in %s\n", own(name), own(dir))
			fmt.Fprintln(a.err, "Next: starling, or starling node")
			return nil
		},
	}

	cmd.Flags().StringVar(&name, "name", "", "what you are called; your contacts can see it")
	a.jsonFlag(cmd)
	return cmd
}
