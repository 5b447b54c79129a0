package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"starling/node/api"
)

func (a *app) inviteCommand() *cobra.Command {
	var (
		req     api.InviteRequest
		qr      bool
		timeout time.Duration
	)
	cmd := &cobra.Command{
		Use:   "invite",
		Short: "Make a one-time invite",
		Long: `Make a link that one person can use once to become your contact. Send it over
a channel you trust: whoever opens it first is the contact.

With --with-bridge the bridges of this profile stand behind the link (three at most), so
that somebody who cannot reach the network gets in. It is off unless you say so: everybody
who sees the link learns these bridges, and a censor who does can block them. Who accepts
it uses them only if their profile knows no relay yet and has no bridge; otherwise they
add one by hand, with starling bridge add and the same text.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if req.Expires < api.MinInviteLife || req.Expires > api.MaxInviteLife {
				return usage("for example --expires 24h", "an invite lives for a minute at least and 7 days at most")
			}
			return a.with(cmd.Context(), func(node *connection) error {
				if err := waitReady(cmd.Context(), node, timeout); err != nil {
					return err
				}

				invite, err := node.Invite(cmd.Context(), req)
				if err != nil {
					return err
				}

				return a.print(invite, func(w io.Writer) {
					if qr {
						if err := qrCode(w, invite.Link, a.outTTY && a.getenv("TERM") != "dumb"); err != nil {
							fmt.Fprintf(a.err, "starling: %v\n", err)
						}
					}

					// The link alone goes to standard output, so that a script can take it.
					fmt.Fprintln(w, invite.Link)
					fmt.Fprintf(a.err, "Works once, until %s. The other person runs:\n  starling contact add LINK --name NAME\n", clock(invite.Expires))
					if node.hosted {
						fmt.Fprintln(a.err, "They become a contact here when starling runs again and fetches their answer.")
					}
				})
			})
		},
	}

	durationFlag(cmd.Flags(), &req.Expires, "expires", 24*time.Hour, "how long it can be used, 1m to 7d")
	cmd.Flags().StringVar(&req.Name, "name", "", "name of the contact it will become")
	cmd.Flags().BoolVar(&qr, "qr", false, "draw it as a QR code too")
	cmd.Flags().BoolVar(&req.WithBridge, "with-bridge", false, "put the bridges of this profile behind the link: who sees it learns them")
	durationFlag(cmd.Flags(), &timeout, "timeout", 30*time.Second, "how long to wait for the network")
	cmd.AddCommand(a.inviteListCommand(), a.inviteRevokeCommand())
	return a.onNode(cmd)
}

func (a *app) inviteListCommand() *cobra.Command {
	return a.onNode(&cobra.Command{
		Use:   "list",
		Short: "List the invites that nobody has used yet",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd.Context(), func(node *connection) error {
				invites, err := node.Invites(cmd.Context())
				if err != nil {
					return err
				}

				for _, i := range invites {
					whom := "for anybody"
					if !i.Name.IsZero() {
						whom = "for " + oneLine(i.Name).String()
					}
					err := a.print(i, func(w io.Writer) {
						fmt.Fprintf(w, "%s  %s  until %s  %s\n", i.ID, whom, clock(i.Expires), i.Link)
					})
					if err != nil {
						return err
					}
				}
				return nil
			})
		},
	})
}

func (a *app) inviteRevokeCommand() *cobra.Command {
	return a.onNode(&cobra.Command{
		Use:   "revoke ID",
		Short: "Withdraw an invite, so that nobody can use it",
		Args:  cobra.ExactArgs(1),
		RunE:  a.act(api.Node.RevokeInvite, "revoked", "Withdrawn."),
	})
}

func (a *app) contactCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "contact",
		Short: "People: add, list, verify, mute, pin, timer, block, remove …",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("see starling contact --help", "unknown command %q for starling contact", args[0])
			}
			return usage("see starling contact --help", "starling contact needs a command, such as list or verify")
		},
	}

	cmd.AddCommand(
		a.contactAddCommand(),
		a.contactListCommand(),
		a.contactVerifyCommand(),
		a.contactRenameCommand(),
		a.contactBlockCommand(true),
		a.contactBlockCommand(false),
		a.contactRemoveCommand(),
	)
	cmd.AddCommand(a.conversationCommands()...)

	// Every command about one contact completes their names.
	for _, sub := range cmd.Commands() {
		a.onNode(sub)
		if strings.Contains(sub.Use, " CONTACT") && sub.ValidArgsFunction == nil {
			sub.ValidArgsFunction = a.completeContacts(1)
		}
	}
	return cmd
}

func (a *app) contactAddCommand() *cobra.Command {
	var (
		name    string
		timeout time.Duration
	)
	cmd := &cobra.Command{
		Use:   "add LINK",
		Short: "Become a contact of the person who made an invite",
		Long: `Become a contact of the person who made an invite. LINK may be a text that holds the
link, as it was pasted from a mail. With - all of standard input is read for it, which
keeps it out of the list of processes.

A profile that knows no relay yet begins with those of the link.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			link, err := a.linkOf(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return a.with(cmd.Context(), func(node *connection) error {
				contact, err := a.add(cmd.Context(), node, api.AddContactRequest{Link: link, Name: name}, timeout)
				if err != nil {
					return err
				}
				return a.print(contact, func(w io.Writer) {
					fmt.Fprintf(w, "Added %s. They are a contact as soon as they answer; you can write now.\n", oneLine(contact.Name))
				})
			})
		},
	}

	cmd.Flags().StringVar(&name, "name", "", "what you call them (default: the name in the invite)")
	durationFlag(cmd.Flags(), &timeout, "timeout", 30*time.Second, "how long to wait for the network")
	return cmd
}

// add accepts an invite once the network is there. A node that ends with this
// command first sends the answer, or the inviter would wait for the next start.
func (a *app) add(ctx context.Context, node *connection, req api.AddContactRequest, timeout time.Duration) (api.Contact, error) {
	contact, err := accept(ctx, node, req, timeout)
	if err != nil || !node.passing() {
		return contact, err
	}
	if drained(ctx, node, contact.ID, timeout) {
		return contact, nil
	}
	if ctx.Err() != nil {
		return contact, ctx.Err()
	}
	fmt.Fprintln(a.err, "The answer to the invite is not sent yet; it goes out when starling runs again.")
	return contact, nil
}

// accept accepts an invite. A node that knows no relay begins with those of the link, so
// that nobody waits for a network before.
func accept(ctx context.Context, node api.Node, req api.AddContactRequest, timeout time.Duration) (contact api.Contact, err error) {
	err = insist(ctx, node, timeout, func(ctx context.Context) (err error) {
		contact, err = node.AddContact(ctx, req)
		return err
	})
	return contact, err
}

func (a *app) contactListCommand() *cobra.Command {
	var blocked bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List contacts",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd.Context(), func(node *connection) error {
				contacts, err := node.Contacts(cmd.Context())
				if err != nil {
					return err
				}

				if blocked {
					contacts = slices.DeleteFunc(contacts, func(c api.Contact) bool { return !c.Blocked })
				}
				for _, c := range contacts {
					if err := a.print(c, func(w io.Writer) { fmt.Fprintln(w, contactLine(c)) }); err != nil {
						return err
					}
				}

				switch {
				case len(contacts) > 0 || a.json:
				case blocked:
					fmt.Fprintln(a.err, "Nobody is blocked.")
				default:
					fmt.Fprintln(a.err, "No contacts yet. Make an invite with: starling invite")
				}
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&blocked, "blocked", false, "only those that are blocked")
	return cmd
}

func contactLine(c api.Contact) string {
	if c.Room != nil {
		c.Timer = 0 // of the room, and said
		words := append(roomWords(*c.Room), conversationWords(c.Conversation, time.Now())...)
		return fmt.Sprintf("%s  (%s)", oneLine(c.Name), strings.Join(words, ", "))
	}
	words := []string{string(c.State)}
	if c.Hopeless {
		words[0] = "no answer any more: the invite was used by somebody else, or withdrawn; ask for a new one"
	}
	if c.Verified {
		words = append(words, "verified")
	}
	if c.Blocked {
		words = append(words, "blocked")
	}
	if c.Unread > 0 {
		words = append(words, fmt.Sprintf("%d unread", c.Unread))
	}
	words = append(words, conversationWords(c.Conversation, time.Now())...)
	return fmt.Sprintf("%s  (%s)", oneLine(c.Name), strings.Join(words, ", "))
}

func (a *app) contactVerifyCommand() *cobra.Command {
	var v verification
	cmd := &cobra.Command{
		Use:   "verify CONTACT",
		Short: "Show or compare the safety number",
		Long: `Show the safety number. Compare it with the one your contact sees, in person or
in a call: if they are equal, nobody sits between you. --yes records that you
have done so, --no takes it back. --number and --code compare what your contact
sees, digits or the text of their QR code, and record it only if it is the same.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := v.check(); err != nil {
				return err
			}

			return a.with(cmd.Context(), func(node *connection) error {
				return v.run(cmd.Context(), a,
					func(ctx context.Context) (api.Verification, error) { return node.Verification(ctx, args[0]) },
					func(ctx context.Context, seen string) error {
						_, err := node.SetVerified(ctx, args[0], seen)
						return err
					})
			})
		},
	}
	v.flags(cmd)
	return cmd
}

func (a *app) contactRenameCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "rename CONTACT NAME",
		Short: "Give a contact another name, which only you see",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.with(cmd.Context(), func(node *connection) error {
				c, err := node.RenameContact(cmd.Context(), args[0], args[1])
				if err != nil {
					return err
				}
				return a.print(c, func(w io.Writer) { fmt.Fprintln(w, contactLine(c)) })
			})
		},
	}
}

func (a *app) contactBlockCommand(block bool) *cobra.Command {
	use, short := "block CONTACT", "Stop receiving from a contact; they see what they see while you are offline"
	if !block {
		use, short = "unblock CONTACT", "Receive from a blocked contact again"
	}
	return &cobra.Command{
		Use:   use,
		Short: short,
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.with(cmd.Context(), func(node *connection) error {
				c, err := node.BlockContact(cmd.Context(), args[0], block)
				if err != nil {
					return err
				}
				return a.print(c, func(w io.Writer) { fmt.Fprintln(w, contactLine(c)) })
			})
		},
	}
}

func (a *app) contactRemoveCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "remove CONTACT",
		Short: "Erase a contact, its keys and its messages",
		Args:  cobra.ExactArgs(1),
		RunE:  a.act(api.Node.RemoveContact, "removed", "Removed, with all messages and keys. They are not told."),
	}
}
