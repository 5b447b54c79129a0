package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"starling/node/api"
)

func bridgeCommand(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bridge",
		Short: "Doors into the network that are in no list: add, list, remove, own",
		Long: `A bridge is a door that is in no list: somebody runs it (starling relay --bridge) and
gives its link to people. Where the network is blocked, messages go over it. Who runs it
sees your address, and not what you write nor to whom.

Bridges are used where relays are not reached otherwise. With the setting bridges-only
nothing else is dialled, not even while no bridge answers:

  starling settings bridges-only on

In the app a bridge is added in the dialog of a link, or where a contact sends one.

Where the network is free you can be a bridge for friends yourself, on a computer that
others reach:

  starling settings bridge on
  starling bridge own --qr`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("see starling bridge --help", "unknown command %q for starling bridge", args[0])
			}
			return usage("see starling bridge --help", "starling bridge needs a command: add, list, remove or own")
		},
	}
	cmd.AddCommand(bridgeAddCommand(a), bridgeListCommand(a), bridgeRemoveCommand(a), bridgeOwnCommand(a))
	return cmd
}

func bridgeAddCommand(a *app) *cobra.Command {
	return a.onNode(&cobra.Command{
		Use:   "add LINK",
		Short: "Take a bridge",
		Long: `Take a bridge by its link, starling-bridge:…; LINK may be a text that holds it. With -
all of standard input is read for it. It is used from now on: whoever runs the bridge
sees the address of this computer.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			link, err := linkOf(cmd.Context(), a, args[0])
			if err != nil {
				return err
			}

			return aside(cmd.Context(), a, func(node api.Node) error {
				b, err := node.AddBridge(cmd.Context(), api.BridgeRequest{Link: link})
				if err != nil {
					return err
				}
				return a.print(b, func(w io.Writer) {
					fmt.Fprintf(w, "Added the bridge %s. Whoever runs it sees the address of this computer.\n", own(b.ID))
				})
			})
		},
	})
}

func bridgeListCommand(a *app) *cobra.Command {
	return a.onNode(&cobra.Command{
		Use:   "list",
		Short: "List the bridges of the profile",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return aside(cmd.Context(), a, func(node api.Node) error {
				all, err := node.ListBridges(cmd.Context())
				for _, b := range all {
					if err == nil {
						err = a.print(b, func(w io.Writer) { bridgeLine(w, b) })
					}
				}
				return err
			})
		},
	})
}

func bridgeLine(w io.Writer, b api.Bridge) {
	state := "not in use"
	switch {
	case b.Connected:
		state = fmt.Sprintf("connected, leads to %d relays", b.Pipes)
	case b.Error != "":
		state = b.Error
	}
	fmt.Fprintf(w, "%s  %s\n", own(b.ID), own(state))
	for _, at := range b.Addresses {
		fmt.Fprintf(w, "  %s\n", own(at))
	}
	fmt.Fprintf(w, "  %s\n", own(b.Link))
}

func bridgeRemoveCommand(a *app) *cobra.Command {
	return a.onNode(&cobra.Command{
		Use:   "remove BRIDGE",
		Short: "Forget a bridge, by its ID, the beginning of it, or its link",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return aside(cmd.Context(), a, func(node api.Node) error {
				if err := node.RemoveBridge(cmd.Context(), args[0]); err != nil {
					return err
				}
				if a.json {
					return a.printJSON(map[string]string{"removed": args[0]})
				}
				fmt.Fprintln(a.out, "Removed.")
				return nil
			})
		},
	})
}

// linkOf returns a link given as an argument, or all of standard input for "-".
func linkOf(ctx context.Context, a *app, arg string) (string, error) {
	if arg != "-" {
		return arg, nil
	}
	text, err := a.readInput(ctx, api.MaxBridgeText+1)
	if err != nil {
		return "", fmt.Errorf("read link: %w", err)
	}
	return string(text), nil
}

// aside uses the node that runs on the profile, or one that opens the profile and dials
// nobody.
func aside(ctx context.Context, a *app, f func(api.Node) error) error {
	dir, err := a.existingProfile()
	if err != nil {
		return err
	}
	passphrase := remembered(func() (string, error) { return a.passphrase(ctx, "Passphrase: ") })

	return a.settled(ctx, func() error {
		node, closer, err := a.engine.Dial(ctx, dir)
		switch {
		case err == nil:
			return asGuest(ctx, node, closer, passphrase, f)
		case err != errNoNode:
			return err
		case a.engine.Held(dir):
			return errHeld
		}
		c := startConfig{profile: dir, log: a.logger(), network: a.network}
		if c.passphrase, err = passphrase(); err != nil {
			return err
		}
		still, err := a.engine.Open(ctx, c)
		if err != nil {
			return err
		}

		err = f(still)
		if closed := still.Close(); err == nil {
			err = closed
		}
		return err
	})
}

// asGuest uses a node of another process.
func asGuest(ctx context.Context, node api.Node, closer io.Closer, passphrase func() (string, error), f func(api.Node) error) error {
	c, err := visit(ctx, node, closer, passphrase)
	if err != nil {
		return err
	}
	defer c.close()
	if err = f(c); api.CodeOf(err) == api.CodeClosed {
		err = errHeld // it was about to end
	}
	return err
}
