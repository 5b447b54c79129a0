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

// The changes to a message that is there already. Its id is in the JSON of send,
// history, search and tail, and in their words with --ids.

// messageLine prints a message after it was changed.
func (c *console) messageLine(m api.Message) error {
	return c.print(m, func(w io.Writer) { message(w, m, c.names) })
}

// onNode gives a command the flags of every command on a node.
func (a *app) onNode(cmd *cobra.Command) *cobra.Command {
	a.jsonFlag(cmd)
	a.networkFlags(cmd)
	return cmd
}

// act returns the body of a command that asks the node for one thing, about its one
// argument, and then reports, in a word and as JSON under a key, that it is done.
func (a *app) act(do func(api.Node, context.Context, string) error, key, done string) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		return a.with(cmd.Context(), func(node *connection) error {
			if err := do(node, cmd.Context(), args[0]); err != nil {
				return err
			}
			return a.print(map[string]string{key: args[0]}, func(w io.Writer) { fmt.Fprintln(w, done) })
		})
	}
}

func (a *app) editCommand() *cobra.Command {
	return a.onNode(&cobra.Command{
		Use:   "edit ID [TEXT]",
		Short: "Give a message of yours another text, on both sides",
		Long: `Give a message of yours another text, here and at the contact. They see that it
was changed. Without TEXT the new one is read from standard input.`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := a.text(cmd.Context(), args[1:], false)
			if err != nil {
				return err
			}
			return a.with(cmd.Context(), func(node *connection) error {
				m, err := node.Edit(cmd.Context(), api.EditRequest{Message: args[0], Text: text})
				if err != nil {
					return err
				}
				a.goesLater(cmd.Context(), node, m.Conversation)
				return a.messageLine(m)
			})
		},
	})
}

func (a *app) deleteCommand() *cobra.Command {
	var both bool
	cmd := a.onNode(&cobra.Command{
		Use:   "delete ID...",
		Short: "Erase messages here, or on both sides",
		Long: `Erase messages of one conversation here. --both also asks the contact's
Starling to erase them; that works for messages of yours only, and nobody can
make another computer forget.`,
		Args: cobra.RangeArgs(1, 64),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.with(cmd.Context(), func(node *connection) error {
				// Read before it is gone: the words at the end depend on its conversation.
				m, err := node.Message(cmd.Context(), args[0])
				if err != nil {
					return err
				}

				if err := node.Delete(cmd.Context(), api.DeleteRequest{Messages: args, Both: both}); err != nil {
					return err
				}
				if both {
					a.goesLater(cmd.Context(), node, m.Conversation)
				}

				return a.print(map[string]any{"deleted": args, "both": both}, func(w io.Writer) {
					switch {
					case both && m.Room != "":
						fmt.Fprintln(w, "Erased here; the Starling of everybody in the room is asked to do the same.")
					case both:
						fmt.Fprintln(w, "Erased here; the contact's Starling is asked to do the same.")
					case m.Room != "":
						fmt.Fprintln(w, "Erased here. The others in the room still have it.")
					default:
						fmt.Fprintln(w, "Erased here. The contact still has it.")
					}
				})
			})
		},
	})

	cmd.Flags().BoolVar(&both, "both", false, "ask the contact's Starling to erase them too")
	return cmd
}

func (a *app) reactCommand() *cobra.Command {
	var clear bool
	cmd := a.onNode(&cobra.Command{
		Use:   "react ID [EMOJI]",
		Short: "Answer a message with an emoji",
		Long:  `Answer a message with one emoji, which replaces the one before. --clear takes it back.`,
		Args:  cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if clear == (len(args) == 2) {
				return usage("for example: starling react ID 👍", "give an emoji or --clear")
			}

			req := api.ReactRequest{Message: args[0]}
			if !clear {
				req.Emoji = args[1]
				if err := checkText(req.Emoji, api.MaxEmoji, "the reaction is longer than one emoji"); err != nil {
					return err
				}
			}

			return a.with(cmd.Context(), func(node *connection) error {
				m, err := node.React(cmd.Context(), req)
				if err != nil {
					return err
				}
				a.goesLater(cmd.Context(), node, m.Conversation)
				return a.messageLine(m)
			})
		},
	})

	cmd.Flags().BoolVar(&clear, "clear", false, "take the reaction back")
	return cmd
}

func (a *app) forwardCommand() *cobra.Command {
	var w wait
	cmd := a.onNode(&cobra.Command{
		Use:   "forward ID CONTACT...",
		Short: "Send a message on to others",
		Long: `Send the text, picture or file of a message on to other contacts. It is marked as
forwarded; from whom it came is not said.`,
		Args: cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := w.check(); err != nil {
				return err
			}

			var left []api.SendRequest
			for _, contact := range args[1:] {
				left = append(left, api.SendRequest{Contact: contact, Forward: args[0], ID: newMessageID()})
			}
			return a.with(cmd.Context(), func(node *connection) error {
				if err := w.fits(cmd.Context(), node, args[1:]...); err != nil {
					return err
				}
				for ; len(left) > 0; left = left[1:] {
					if err := a.sendAndWait(cmd.Context(), node, left[0], w); err != nil {
						return err
					}
				}
				return nil
			})
		},
	})

	w.flags(cmd)
	return cmd
}

func (a *app) retryCommand() *cobra.Command {
	var w wait
	cmd := a.onNode(&cobra.Command{
		Use:   "retry ID",
		Short: "Send a message again that was given up",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := w.check(); err != nil {
				return err
			}
			return a.with(cmd.Context(), func(node *connection) error {
				m, err := node.Message(cmd.Context(), args[0])
				if err == nil {
					err = w.fits(cmd.Context(), node, m.Conversation)
				}
				if err != nil {
					return err
				}

				if m, err = node.Retry(cmd.Context(), args[0]); err != nil {
					return err
				}
				return a.awaitAndPrint(cmd.Context(), node, m, w)
			})
		},
	})
	w.flags(cmd)
	return cmd
}

func (a *app) discardCommand() *cobra.Command {
	return a.onNode(&cobra.Command{
		Use:   "discard ID",
		Short: "Erase a message that was given up",
		Args:  cobra.ExactArgs(1),
		RunE:  a.act(api.Node.Discard, "discarded", "Erased."),
	})
}

func (a *app) readCommand() *cobra.Command {
	return a.onNode(&cobra.Command{
		Use:   "read CONTACT",
		Short: "Mark a conversation as read",
		Long: `Mark a conversation as read. If you tell contacts what you have read, they are
told; messages that disappear begin to count down.`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeConversations(a, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.with(cmd.Context(), func(node *connection) error {
				if err := node.MarkRead(cmd.Context(), args[0]); err != nil {
					return err
				}
				a.goesLater(cmd.Context(), node, args[0])
				return a.print(map[string]string{"read": args[0]}, func(w io.Writer) { fmt.Fprintln(w, "Read.") })
			})
		},
	})
}

func (a *app) draftCommand() *cobra.Command {
	var (
		clear   bool
		replyTo string
	)
	cmd := a.onNode(&cobra.Command{
		Use:   "draft [CONTACT [TEXT]]",
		Short: "Texts that are not sent yet",
		Long: `Print all drafts, or one. With TEXT (- reads it from standard input) keep it as
the draft of the conversation, as if it had been typed there and not sent.`,
		Args:              cobra.MaximumNArgs(2),
		ValidArgsFunction: completeConversations(a, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if clear && len(args) != 1 {
				return usage("for example: starling draft Bob --clear", "--clear takes one CONTACT")
			}

			var text string
			if len(args) == 2 {
				typed := args[1:]
				// No TEXT means standard input to a.text.
				if typed[0] == "-" {
					typed = nil
				}
				var err error
				if text, err = a.text(cmd.Context(), typed, false); err != nil {
					return err
				}
			}

			return a.with(cmd.Context(), func(node *connection) error {
				if clear || text != "" {
					err := node.SaveDraft(cmd.Context(), api.Draft{Contact: args[0], Text: text, ReplyTo: replyTo})
					if err != nil {
						return err
					}
				}
				return a.printDrafts(cmd.Context(), node, args)
			})
		},
	})

	cmd.Flags().BoolVar(&clear, "clear", false, "erase the draft")
	cmd.Flags().StringVar(&replyTo, "reply-to", "", "the message `ID` that the draft answers")
	return cmd
}

// printDrafts prints all drafts, or the one of a contact.
func (a *app) printDrafts(ctx context.Context, node api.Node, contact []string) error {
	names, id, err := people(ctx, node, contact)
	if err != nil {
		return err
	}
	drafts, err := node.Drafts(ctx)
	if err != nil {
		return err
	}
	for _, d := range drafts {
		if id != "" && d.Contact != id {
			continue
		}
		err := a.print(d, func(w io.Writer) {
			fmt.Fprintf(w, "%s: ", names[d.Contact])
			block(w, cleanOwn(d.Text))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// people returns the names of all contacts by id, and the id of the one asked
// for, if any.
func people(ctx context.Context, node api.Node, contact []string) (names map[string]string, id string, err error) {
	contacts, err := node.Conversations(ctx)
	if err != nil {
		return nil, "", err
	}
	names = map[string]string{}
	matches := 0
	for _, c := range contacts {
		names[c.ID] = oneLine(c.Name).String()
		if len(contact) > 0 && (c.ID == contact[0] || c.Name.String() == contact[0]) {
			id = c.ID
			matches++
		}
	}
	switch {
	case len(contact) > 0 && matches == 0:
		return nil, "", &api.Error{Code: api.CodeNoContact, Message: "no contact is called " + own(contact[0]).String()}
	case matches > 1:
		return nil, "", &api.Error{Code: api.CodeAmbiguous, Message: "several contacts are called " + own(contact[0]).String()}
	}
	return names, id, nil
}

// lingerAfter is how long a node that ends with the command waits for a change
// to leave.
const lingerAfter = 10 * time.Second

// goesLater lets a node that ends with this command send the items on their way to a
// contact (id or name; "" is everybody), and says so if it could not: a change is no message that one
// could wait for.
func (a *app) goesLater(ctx context.Context, node *connection, contact string) {
	if !node.passing() || drained(ctx, node, contact, 0) {
		return
	}
	if waitReady(ctx, node, lingerAfter) != nil || !drained(ctx, node, contact, lingerAfter) {
		fmt.Fprintln(a.err, "It is not sent yet; it goes out when starling runs again.")
	}
}

// drained waits until everything for a contact lies in a mailbox, and looks once
// at least.
func drained(ctx context.Context, node api.Node, contact string, timeout time.Duration) bool {
	end := time.After(timeout)
	for {
		contacts, err := node.Conversations(ctx)
		if err == nil && !slices.ContainsFunc(contacts, func(c api.Contact) bool {
			return (contact == "" || c.ID == contact || c.Name.String() == contact) && c.Unsent > 0
		}) {
			return true
		}
		select {
		case <-time.After(pollEvery):
		case <-end:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// words joins the rest of a command line. The last argument of some commands may
// be written without quotes.
func words(args []string) string { return strings.Join(args, " ") }
