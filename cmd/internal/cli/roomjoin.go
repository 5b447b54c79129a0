package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"starling/node/api"
)

func (r rooms) join() *cobra.Command {
	var (
		req     api.JoinRoomRequest
		timeout time.Duration
		yes     bool
	)
	cmd := &cobra.Command{
		Use:   "join LINK",
		Short: "Ask to be let into a room",
		Long: `Ask to be let into the room that a link leads to. Before that it is said, on standard
error, who can find out that you are in it; a terminal is asked. LINK may be a text that
holds the link; with - all of standard input is read for it, which keeps it out of the
list of processes.

The room that is printed is pending until its author has answered. If the link needs
nobody's approval the command waits for that, as long as --timeout says; afterwards the
request goes on by itself.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkNames(req.Name); err != nil {
				return err
			}
			var err error
			if req.Link, err = r.linkOf(cmd.Context(), args[0]); err != nil {
				return err
			}
			return r.with(cmd.Context(), func(node *connection) error {
				card, err := node.LookAtRoom(cmd.Context(), req.Link)
				if err != nil {
					return err
				}
				r.showCard(card)
				// A script has read the warning once, when it was written.
				if !yes && r.inTTY {
					fmt.Fprint(r.err, "Join? Type yes: ")
					if answer, err := r.readLine(cmd.Context()); err != nil || answer != "yes" {
						return usage("", "the answer was not yes; nothing was done")
					}
					yes = true // another node may go on
				}
				return r.enter(cmd.Context(), node, req, card, timeout)
			})
		},
	}

	cmd.Flags().StringVar(&req.Name, "name", "", "your `NAME` in it (default: that of the profile)")
	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	durationFlag(cmd.Flags(), &timeout, "timeout", 30*time.Second, "how long to wait for the network, and to be let in")
	return cmd
}

// linkOf is the text that holds a link, from the argument or standard input.
func (c *console) linkOf(ctx context.Context, arg string) (string, error) {
	if arg == "-" {
		text, err := c.readInput(ctx, api.MaxInviteText+1)
		if err != nil {
			return "", fmt.Errorf("read link: %w", err)
		}
		arg = strings.TrimSpace(string(text))
	}
	if len(arg) > api.MaxInviteText {
		return "", &api.Error{Code: api.CodeBadInvite, Message: "the text with the link is longer than 64 KiB"}
	}
	return strings.ToValidUTF8(arg, "\ufffd"), nil
}

// showCard says what one is about to enter.
func (c *console) showCard(card api.RoomCard) {
	if name := oneLine(card.Name).String(); name != "" {
		fmt.Fprintf(c.err, "Room: %s\n", name)
	}
	fmt.Fprintf(c.err, "%s, until %s.\n%s\n", forPeople(card.Uses, card.Approve), clock(card.Expires), own(card.Statement))
}

// enter asks to be let in and prints the room as it stands when the command returns.
func (r rooms) enter(ctx context.Context, node *connection, req api.JoinRoomRequest, card api.RoomCard, timeout time.Duration) error {
	began := time.Now()
	var room api.Room
	err := insist(ctx, node, timeout, func(ctx context.Context) (err error) {
		room, err = node.JoinRoom(ctx, req)
		return err
	})
	if err != nil {
		return err
	}

	left := time.Hour * 24 * 365
	if timeout > 0 {
		left = max(0, timeout-time.Since(began))
	}
	if room.State == api.RoomPending && !card.Approve {
		if room, err = answered(ctx, node, room, left); err != nil {
			return err
		}
	}
	if room.State == api.RoomPending {
		r.goesLater(ctx, node, room.ID)
	}
	if err := r.printRoom(room); err != nil {
		return err
	}
	if room.State == api.RoomRefused {
		return &api.Error{Code: api.CodeInviteGone, Message: "you were not let in: the link is used up or over, or the room is full", Hint: "ask for a new link"}
	}
	return nil
}

// answered waits until a room is not pending any more, for so long at most.
func answered(ctx context.Context, node api.Node, room api.Room, timeout time.Duration) (api.Room, error) {
	limited, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for {
		all, err := node.ListRooms(limited)
		if err != nil && limited.Err() == nil {
			return room, err
		}
		for _, r := range all {
			if r.ID == room.ID {
				room = r
			}
		}
		if room.State != api.RoomPending {
			return room, nil
		}

		select {
		case <-limited.Done():
			if errors.Is(limited.Err(), context.DeadlineExceeded) && ctx.Err() == nil {
				return room, nil // it goes on by itself
			}
			return room, ctx.Err()
		case <-time.After(pollEvery):
		}
	}
}

func (r rooms) accept() *cobra.Command {
	return &cobra.Command{
		Use:   "accept ROOM",
		Short: "Take over a room that its owner offers you",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return r.with(cmd.Context(), func(node *connection) error {
				room, err := findRoom(cmd.Context(), node, args[0])
				if err != nil {
					return err
				}
				return r.change(cmd.Context(), node, api.MemberRequest{Room: room.ID, Member: room.Me, Role: api.RoleOwner})
			})
		},
	}
}

// change gives a member a role and prints them.
func (r rooms) change(ctx context.Context, node *connection, req api.MemberRequest) error {
	m, err := node.ChangeMember(ctx, req)
	if err != nil {
		return err
	}
	r.goesLater(ctx, node, req.Room)
	return r.print(m, func(w io.Writer) { fmt.Fprintln(w, memberLine(m)) })
}
