package cli

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"starling/node/api"
)

// private is about a conversation of two with a member of a room.
func (r rooms) private() *cobra.Command {
	var (
		req             api.MemberInviteRequest
		accept, decline bool
		timeout         time.Duration
	)
	cmd := &cobra.Command{
		Use:   "private ROOM MEMBER",
		Short: "Offer a member a conversation of two, or answer their offer",
		Long: `Offer a member of a room a conversation of two, or take what they offer with --accept;
--decline refuses it, and what else they offer until its time is over. Nothing of an offer is
opened or dialled before it is taken.

What you give away: they learn that this contact is you in the room. They see your name in the room
and not that of your profile, a new identity, and mailboxes that only they are told of. The others in
the room see that you said something to one of them, and not to whom. A link that a member
offers may be somebody else's: compare the safety number (starling contact verify) with them.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			req.Room, req.Member = args[0], args[1]
			return r.with(cmd.Context(), func(node *connection) error {
				if accept || decline {
					return r.answerPrivate(cmd.Context(), node, api.MemberAnswerRequest{Room: args[0], Member: args[1], Accept: accept}, timeout)
				}
				var made api.MemberInvite
				err := insist(cmd.Context(), node, timeout, func(ctx context.Context) (err error) {
					made, err = node.InviteMember(ctx, req)
					return err
				})
				if err != nil {
					return err
				}
				r.goesLater(cmd.Context(), node, made.Room)
				return r.print(made, func(w io.Writer) {
					fmt.Fprintf(w, "Offered, until %s. They take it with:\n  starling room private ROOM MEMBER --accept\n", clock(made.Expires))
				})
			})
		},
	}
	cmd.Flags().BoolVar(&accept, "accept", false, "take the conversation that the member offers")
	cmd.Flags().BoolVar(&decline, "decline", false, "refuse it")
	durationFlag(cmd.Flags(), &req.Expires, "expires", 24*time.Hour, "how long it can be taken, 1m to 7d")
	durationFlag(cmd.Flags(), &timeout, "timeout", 30*time.Second, "how long to wait for the network")
	cmd.MarkFlagsMutuallyExclusive("accept", "decline")
	return cmd
}

func (r rooms) answerPrivate(ctx context.Context, node *connection, req api.MemberAnswerRequest, timeout time.Duration) error {
	if !req.Accept {
		if _, err := node.AnswerMember(ctx, req); err != nil {
			return err
		}
		return r.print(map[string]string{"declined": req.Member}, func(w io.Writer) { fmt.Fprintln(w, "Declined.") })
	}
	var contact api.Contact
	err := insist(ctx, node, timeout, func(ctx context.Context) (err error) {
		contact, err = node.AnswerMember(ctx, req)
		return err
	})
	if err != nil {
		return err
	}
	r.goesLater(ctx, node, contact.ID)
	return r.print(contact, func(w io.Writer) {
		fmt.Fprintf(w, "%s is a contact now. They know you as %s.\n", oneLine(contact.Name), oneLine(contact.As))
	})
}
