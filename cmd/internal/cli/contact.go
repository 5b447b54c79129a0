package cli

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
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
a channel you trust: whoever opens it first is the contact.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
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
					err := a.print(i, func(w io.Writer) { fmt.Fprintf(w, "%s  until %s  %s\n", i.ID, clock(i.Expires), i.Link) })
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
			link := args[0]
			if link == "-" {
				text, err := a.readInput(cmd.Context(), api.MaxInviteText+1)
				if err != nil {
					return fmt.Errorf("read link: %w", err)
				}
				link = strings.TrimSpace(string(text))
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
func accept(ctx context.Context, node api.Node, req api.AddContactRequest, timeout time.Duration) (api.Contact, error) {
	limited, cancel := ctx, context.CancelFunc(func() {})
	if timeout > 0 {
		limited, cancel = context.WithTimeout(ctx, timeout)
	}
	defer cancel()

	for {
		contact, err := node.AddContact(limited, req)
		switch code := api.CodeOf(err); {
		case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
			return contact, offline(ctx, node, timeout)
		case code != api.CodeOffline && code != api.CodeFewRelays && code != api.CodeTimeout:
			return contact, err
		}
		// A second try has new routes, for as long as there is time.
		select {
		case <-limited.Done():
			return contact, err
		case <-time.After(time.Second):
		}
	}
}

func (a *app) contactListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List contacts",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd.Context(), func(node *connection) error {
				contacts, err := node.Contacts(cmd.Context())
				if err != nil {
					return err
				}
				for _, c := range contacts {
					if err := a.print(c, func(w io.Writer) { fmt.Fprintln(w, contactLine(c)) }); err != nil {
						return err
					}
				}
				if len(contacts) == 0 && !a.json {
					fmt.Fprintln(a.err, "No contacts yet. Make an invite with: starling invite")
				}
				return nil
			})
		},
	}
}

func contactLine(c api.Contact) string {
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
	var (
		yes, no, drawQR bool
		code, number    string
	)
	cmd := &cobra.Command{
		Use:   "verify CONTACT",
		Short: "Show or compare the safety number",
		Long: `Show the safety number. Compare it with the one your contact sees, in person or
in a call: if they are equal, nobody sits between you. --yes records that you
have done so, --no takes it back. --number and --code compare what your contact
sees, digits or the text of their QR code, and record it only if it is the same.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if yes && no {
				return usage("", "--yes and --no exclude each other")
			}
			if (yes || no) && code+number != "" || code != "" && number != "" {
				return usage("", "give one of --yes, --no, --code and --number")
			}

			return a.with(cmd.Context(), func(node *connection) error {
				if code+number != "" {
					if err := compare(cmd.Context(), node, args[0], code, number); err != nil {
						return err
					}
				}
				if yes || no {
					seen := ""
					if yes {
						v, err := node.Verification(cmd.Context(), args[0])
						if err != nil {
							return err
						}
						seen = v.SafetyNumber
					}
					if _, err := node.SetVerified(cmd.Context(), args[0], seen); err != nil {
						return err
					}
				}

				v, err := node.Verification(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				return a.print(v, func(w io.Writer) {
					if drawQR {
						if err := qrCode(w, v.Code, a.outTTY && a.getenv("TERM") != "dumb"); err != nil {
							fmt.Fprintf(a.err, "starling: %v\n", err)
						}
						fmt.Fprintln(w, v.Code)
					}

					groups := strings.Fields(v.SafetyNumber)
					for i := 0; i < len(groups); i += 4 {
						fmt.Fprintln(w, strings.Join(groups[i:min(i+4, len(groups))], " "))
					}
					if v.Verified {
						fmt.Fprintln(w, "verified")
					} else {
						fmt.Fprintln(w, "not verified: compare this number with your contact's, then run this again with --yes")
					}
				})
			})
		},
	}

	cmd.Flags().BoolVar(&yes, "yes", false, "record that the numbers matched")
	cmd.Flags().BoolVar(&no, "no", false, "record that they are not verified")
	cmd.Flags().BoolVar(&drawQR, "qr", false, "draw it as a QR code too")
	cmd.Flags().StringVar(&code, "code", "", "the `TEXT` of your contact's QR code")
	cmd.Flags().StringVar(&number, "number", "", "the 60 `DIGITS` that your contact sees")
	return cmd
}

// compare marks a contact as verified if both sides see the same.
func compare(ctx context.Context, node api.Node, contact, code, number string) error {
	here, err := node.Verification(ctx, contact)
	if err != nil {
		return err
	}
	same := func(a, b string) bool {
		squeeze := func(s string) []byte { return []byte(strings.ToLower(strings.Join(strings.Fields(s), ""))) }
		return subtle.ConstantTimeCompare(squeeze(a), squeeze(b)) == 1
	}
	if code != "" && !same(code, here.Code) || number != "" && !same(number, here.SafetyNumber) {
		return &api.Error{Code: codeMismatch, Message: "this is not the safety number of this conversation: somebody may sit between you, or one of you has a new session",
			Hint: "compare again in person; until then, do not take this contact for verified"}
	}
	_, err = node.SetVerified(ctx, contact, here.SafetyNumber)
	return err
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
	use, short := "block CONTACT", "Stop receiving from a contact"
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
