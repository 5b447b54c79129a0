package cli

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"starling/cmd/internal/buildinfo"
	"starling/node/api"
)

func (a *app) statusCommand() *cobra.Command {
	var (
		wait   time.Duration
		others bool
	)
	cmd := &cobra.Command{
		Use:   "status",
		Short: "What holds now: network, mailboxes, outbox, anonymity",
		Long: `Say what holds now. With --try-others the node does not wait any longer for guards
that are not there, and tries others: each one that answers sees the address of this
computer, so it is for guards that are gone for good.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd.Context(), func(node *connection) error {
				if others {
					if err := node.TryOthers(cmd.Context()); err != nil {
						return err
					}
				}

				var waitErr error
				// The status is printed in any case: it says why nothing can leave.
				if wait > 0 {
					waitErr = waitReady(cmd.Context(), node, wait)
				}

				status, err := node.Status(cmd.Context())
				if err != nil {
					return err
				}
				if err := a.print(status, func(w io.Writer) { statusWords(w, status) }); err != nil {
					return err
				}
				return waitErr
			})
		},
	}

	durationFlag(cmd.Flags(), &wait, "wait-ready", 0, "first wait this long until messages can leave; exit 11 if they cannot")
	cmd.Flags().BoolVar(&others, "try-others", false, "first try other guards: each that answers sees your address")
	a.jsonFlag(cmd)
	a.networkFlags(cmd)
	return cmd
}

func statusWords(w io.Writer, s api.Status) {
	line := func(label, format string, args ...any) {
		fmt.Fprintf(w, "%-12s%s\n", label, fmt.Sprintf(format, args...))
	}
	line("name", "%s", oneLine(s.Name))
	line("profile", "%s", own(s.Profile))

	if s.Ready {
		line("network", "ready: %d hops to a mailbox, %d relays known%s", s.Hops, s.Relays, doubtful(s.Doubtful))
	} else {
		line("network", "waiting: %s (%d relays known%s)", own(s.Reason), s.Relays, doubtful(s.Doubtful))
	}

	for _, g := range s.Guards {
		state := "connected"
		if !g.Connected {
			state = "not connected"
		}
		line("guard", "%s  %s", own(g.Address), state)
	}
	if s.Proxy != "" {
		line("proxy", "%s  %s", own(s.Proxy), own(cmp.Or(s.ProxyFault, "all connections go over it")))
	}

	// Those that lead in stand above as guards.
	for _, way := range s.Ways {
		if way.Outcome != "connected" {
			line("way in", "%s  %s", own(way.Address), own(way.Outcome))
		}
	}
	if s.Notice != "" {
		line("", "%s", own(s.Notice))
	}

	// The ways past a censor, and whether one relay tells another story than the rest.
	for _, b := range s.Bridges {
		state := "not in use"
		switch {
		case b.Connected:
			state = fmt.Sprintf("connected, leads to %d relays", b.Pipes)
		case b.Error != "":
			state = b.Error
		}
		line("bridge", "%s  %s", own(strings.Join(b.Addresses, ", ")), own(state))
	}
	if s.BridgesOnly {
		line("", "only bridges are dialled (setting bridges-only)")
	}
	if b := s.OwnBridge; b != nil {
		line("own bridge", "%s", ownBridgeWords(*b))
	}
	if s.ListsAsked > 0 {
		line("lists", "%d of %d relays that were asked through others list other relays", s.ListsOther, s.ListsAsked)
	}

	for _, m := range s.Mailboxes {
		heard := "never answered"
		if !m.Heard.IsZero() {
			heard = "answered " + clock(m.Heard)
		}
		if m.NoRoom {
			heard += ", crowded: asked now and then"
		}
		line("mailbox", "%s  %s", own(m.PeerID), heard)
	}

	line("outbox", "%d queued, %d sealed, %d sent, %d failed", s.Outbox.Queued, s.Outbox.Sealed, s.Outbox.Sent, s.Outbox.Failed)
	line("contacts", "%d", s.Contacts)
	if s.Rooms > 0 {
		line("rooms", "%d", s.Rooms)
	}
	if s.RoomsUnheard > 0 {
		line("", "in %d of them perhaps nobody reads you: see starling doctor", s.RoomsUnheard)
	}
	line("anonymity", "%s", own(s.Anonymity.Statement))
	if s.AllowPrivate {
		line("", "private addresses are admitted: only for meshes of your own")
	}

	var refused int64
	for _, n := range s.Refused {
		refused += n
	}
	line("traffic", "%d bytes in, %d bytes out, %d refused", s.BytesIn, s.BytesOut, refused)
	line("peer id", "%s (new at every start)", own(s.PeerID))
	line("version", "%s, up since %s", own(s.Version), clock(s.Started))
}

func (a *app) versionCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Which build this is",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			info := buildinfo.Get()
			return a.print(info, func(w io.Writer) {
				fmt.Fprintf(w, "starling %s (%s, %s/%s)\n", info.Version, info.Go, info.OS, info.Arch)
			})
		},
	}
	a.jsonFlag(cmd)
	return cmd
}

func doubtful(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", %d avoided: nothing comes back over them", n)
}
