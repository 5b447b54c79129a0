package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"starling/node/api"
)

// ownBridgeWait is how long a bridge that has just been switched on may take to have a
// link: a router is asked for a port first.
const ownBridgeWait = 40 * time.Second

func bridgeOwnCommand(a *app) *cobra.Command {
	var qr bool
	var to string
	cmd := a.onNode(&cobra.Command{
		Use:   "own",
		Short: "How your own bridge is, and its link for friends",
		Long: `Tell how the bridge is that this computer is for friends, and print its link. It runs
with the app and with starling node, once it is switched on:

  starling settings bridge on

The port stays the same, and so does the link while your address does. Whoever has the
link knows that somebody at your address runs Starling, and you see the addresses of those
who come. It has a key of its own: nothing in the link is of your messenger.

A computer at home is reached if its router forwards the port. Starling asks it to. Where
it does not: forward a TCP port to this computer yourself and name the address outside:

  starling settings bridge 203.0.113.9:20443

No computer can see by itself whether others reach it: "reached" is said when somebody
has come in by the link.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if to != "" {
				return a.with(cmd.Context(), func(node *connection) error { return a.ownBridge(cmd.Context(), node, qr, to) })
			}
			return aside(cmd.Context(), a, func(node api.Node) error { return a.ownBridge(cmd.Context(), node, qr, "") })
		},
	})
	cmd.Flags().BoolVar(&qr, "qr", false, "draw the link as a QR code")
	cmd.Flags().StringVar(&to, "to", "", "send the link to this `CONTACT`, who may take it")
	return cmd
}

// ownBridge tells how the bridge is, and hands its link on.
func (a *app) ownBridge(ctx context.Context, node api.Node, qr bool, to string) error {
	b, err := openedBridge(ctx, node)
	if err != nil {
		return err
	}
	if b.Link == "" {
		hint := b.Remedy
		if b.State == api.OwnBridgeOff {
			hint, b.Reason = "switch it on: starling settings bridge on", "this computer is no bridge"
		}
		if to != "" || qr || b.State == api.OwnBridgeOff {
			return &api.Error{Code: api.CodeNoBridge, Message: b.Reason, Hint: hint}
		}
	}
	if to != "" {
		if _, err := node.Send(ctx, api.SendRequest{Contact: to, Text: b.Link, ID: newMessageID()}); err != nil {
			return err
		}
	}

	return a.print(b, func(w io.Writer) {
		fmt.Fprintf(w, "%s\n", ownBridgeWords(b))
		if b.Remedy != "" {
			fmt.Fprintf(w, "Next: %s\n", own(b.Remedy))
		}
		if b.Link != "" {
			fmt.Fprintf(w, "%s\n", own(b.Link))
		}
		if to != "" {
			fmt.Fprintf(w, "Sent to %s.\n", own(to))
		}
		if qr {
			if err := qrCode(w, b.Link, a.outTTY && a.getenv("TERM") != "dumb"); err != nil {
				fmt.Fprintf(a.err, "starling: %v\n", err)
			}
		}
	})
}

// openedBridge waits for a bridge that is being opened.
func openedBridge(ctx context.Context, node api.Node) (b api.OwnBridge, err error) {
	for over := time.Now().Add(ownBridgeWait); ; {
		b, err = node.OwnBridge(ctx)
		if err != nil || b.State != api.OwnBridgeStarting || !time.Now().Before(over) {
			return b, err
		}
		select {
		case <-time.After(pollEvery):
		case <-ctx.Done():
			return b, ctx.Err()
		}
	}
}

// ownBridgeWords says how it is, in a line.
func ownBridgeWords(b api.OwnBridge) string {
	switch b.State {
	case api.OwnBridgeStarting:
		return "starting: the router is asked for a port"
	case api.OwnBridgeUntried:
		return "open; " + own(b.Reason).String()
	case api.OwnBridgeReached:
		return fmt.Sprintf("reached by others; %d connected now", b.Clients)
	}
	return "shut: " + own(b.Reason).String()
}
