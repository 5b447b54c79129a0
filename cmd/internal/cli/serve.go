package cli

import (
	"fmt"

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
