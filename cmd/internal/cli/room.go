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

// rooms are the commands about rooms.
type rooms struct{ *app }

func (r rooms) command() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "room",
		Short: "Rooms: create, invite, join, list, members, role, leave …",
		Long: `Rooms are conversations of up to 32 people. No server holds one. Everything else
takes a room where it takes a contact: send, history, search, tail, read, draft, clear,
export, contact pin, mute, archive and notify.

Rooms have had no outside review yet; conversations of two rest on published proofs.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("see starling room --help", "unknown command %q for starling room", args[0])
			}
			return usage("see starling room --help", "starling room needs a command, such as create or list")
		},
	}

	for _, sub := range []*cobra.Command{
		r.create(), r.list(), r.invite(), r.links(), r.revoke(), r.join(),
		r.members(), r.role(), r.accept(), r.expel(false), r.expel(true), r.answer(true), r.answer(false),
		r.block(true), r.block(false), r.verify(), r.private(),
		r.rename(), r.settings(), r.leave(), r.forget(),
	} {
		r.onNode(sub)
		if strings.Contains(sub.Use, " ROOM") && sub.ValidArgsFunction == nil {
			sub.ValidArgsFunction = r.complete
		}
		cmd.AddCommand(sub)
	}
	return cmd
}

// insist does something that takes the network, again and again until it is done or the
// time is over: another try has other routes.
func insist(ctx context.Context, node api.Node, timeout time.Duration, do func(context.Context) error) error {
	limited, cancel := ctx, context.CancelFunc(func() {})
	if timeout > 0 {
		limited, cancel = context.WithTimeout(ctx, timeout)
	}
	defer cancel()

	for {
		err := do(limited)
		switch code := api.CodeOf(err); {
		case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
			return offline(ctx, node, timeout)
		case code != api.CodeOffline && code != api.CodeFewRelays && code != api.CodeTimeout:
			return err
		}
		select {
		case <-limited.Done():
			return err
		case <-time.After(time.Second):
		}
	}
}

func (r rooms) create() *cobra.Command {
	var (
		req     api.CreateRoomRequest
		timeout time.Duration
	)
	cmd := &cobra.Command{
		Use:   "create NAME",
		Short: "Make a room, which is yours",
		Long:  `Make a room. It is yours, and others come in by links: starling room invite.`,
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			req.Name = args[0]
			if err := checkNames(req.Name, req.As); err != nil {
				return err
			}

			return r.with(cmd.Context(), func(node *connection) error {
				var room api.Room
				err := insist(cmd.Context(), node, timeout, func(ctx context.Context) (err error) {
					room, err = node.CreateRoom(ctx, req)
					return err
				})
				if err != nil {
					return err
				}
				r.goesLater(cmd.Context(), node, room.ID)
				return r.printRoom(room)
			})
		},
	}
	cmd.Flags().StringVar(&req.As, "as", "", "your `NAME` in it (default: that of the profile)")
	durationFlag(cmd.Flags(), &timeout, "timeout", 30*time.Second, "how long to wait for the network")
	return cmd
}

// checkNames refuses names that cannot cross the control socket.
func checkNames(names ...string) error {
	for _, name := range names {
		if name == "" {
			continue
		}
		if err := checkText(name, api.MaxText, "the name is too long"); api.CodeOf(err) == api.CodeBadText {
			return usage("a name has at most 64 bytes of UTF-8", "the name is not UTF-8 text")
		} else if err != nil {
			return usage("a name has at most 64 bytes of UTF-8", "%s", err.Error())
		}
	}
	return nil
}

func (r rooms) list() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List rooms",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return r.with(cmd.Context(), func(node *connection) error {
				all, err := node.ListRooms(cmd.Context())
				if err != nil {
					return err
				}

				same := map[string]int{}
				for _, room := range all {
					same[roomName(room)]++
				}

				for _, room := range all {
					err := r.print(room, func(w io.Writer) {
						if same[roomName(room)] > 1 {
							fmt.Fprintf(w, "%s  ", room.ID)
						}
						fmt.Fprintln(w, roomLine(room))
					})
					if err != nil {
						return err
					}
				}
				if len(all) == 0 && !r.json {
					fmt.Fprintln(r.err, "No rooms yet. Make one with: starling room create NAME")
				}
				return nil
			})
		},
	}
}

func (r rooms) printRoom(room api.Room) error {
	return r.print(room, func(w io.Writer) { fmt.Fprintln(w, roomLine(room)) })
}

// roomLine is a room as a person reads it.
func roomLine(room api.Room) string {
	return fmt.Sprintf("%s  (%s)", roomName(room), strings.Join(roomWords(room), ", "))
}

// roomName is the name of a room in text.
func roomName(room api.Room) string {
	if name := oneLine(room.Name).String(); name != "" {
		return name
	}
	return "a room without a name yet"
}

// roomWords are how one stands in a room, and its unusual settings.
func roomWords(room api.Room) []string {
	var words []string
	add := func(cond bool, format string, args ...any) {
		if cond {
			words = append(words, fmt.Sprintf(format, args...))
		}
	}
	switch room.State {
	case api.RoomReady:
		add(true, "%s", own(string(room.Role)))
	case api.RoomPending:
		add(true, "waiting to be let in")
	case api.RoomAway:
		add(true, "lost its place, asking for it")
	case api.RoomRefused:
		add(true, "not let in")
	case api.RoomLeft:
		add(true, "left")
	case api.RoomRemoved:
		add(true, "removed")
	default:
		add(true, "%s", own(string(room.State)))
	}

	add(room.State == api.RoomReady, "%d of %d people", room.Members, api.MaxMembers)
	add(room.Unread > 0, "%d unread", room.Unread)
	add(room.Mentions > 0, "%d name you", room.Mentions)
	add(room.Waiting > 0, "%d at the door", room.Waiting)
	add(room.Asking > 0, "offers to talk alone: %d", room.Asking)
	add(room.Unsent > 0, "%d unsent", room.Unsent)
	add(room.Missing > 0, "about %d older messages are being fetched", room.Missing)
	add(room.AdminsOnly, "only admins write")
	add(room.History > 0, "newcomers see %d messages", room.History)
	add(room.Timer > 0, "messages disappear after %s", lasting(room.Timer))
	add(room.Unheard, "back with an old copy, and nobody was heard since")
	add(room.Healing, "people just removed may still read")
	add(len(room.Forks) > 0, "somebody said two things under one number")
	return words
}

func (r rooms) invite() *cobra.Command {
	var (
		req     api.RoomInviteRequest
		qr      bool
		timeout time.Duration
	)
	cmd := &cobra.Command{
		Use:   "invite ROOM",
		Short: "Make a link into a room",
		Long: `Make a link by which people come into a room: one, or as many as --uses says. With
--approve you are asked before each: starling room approve. The link is served by this
profile alone, so somebody who uses it waits until a node runs here. With --to it is sent to a
contact as well, as a message of yours: in their app one key joins by it.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			req.Room = args[0]
			if req.Uses < 1 || req.Uses > api.MaxRoomUses {
				return usage("", "--uses is from 1 to %d", api.MaxRoomUses)
			}
			if req.Expires < api.MinInviteLife || req.Expires > api.MaxRoomLinkLife {
				return usage("for example --expires 24h", "a link into a room is good for a minute at least and 7 days at most")
			}
			return r.with(cmd.Context(), func(node *connection) error {
				var link api.RoomInvite
				// The rooms' mailboxes may not be known yet: it is tried again until the timeout.
				err := insist(cmd.Context(), node, timeout, func(ctx context.Context) (err error) {
					link, err = node.InviteToRoom(ctx, req)
					return err
				})
				if err != nil {
					return err
				}
				r.goesLater(cmd.Context(), node, link.Room)
				if link.Message != nil {
					r.goesLater(cmd.Context(), node, link.Message.Conversation)
				}
				return r.print(link, func(w io.Writer) { r.showLink(w, link, qr) })
			})
		},
	}

	cmd.Flags().IntVar(&req.Uses, "uses", 1, "`N` people can use it, 1 to 1000")
	cmd.Flags().BoolVar(&req.Approve, "approve", false, "ask you before each")
	durationFlag(cmd.Flags(), &req.Expires, "expires", 24*time.Hour, "how long it can be used, 1m to 7d")
	cmd.Flags().StringVar(&req.To, "to", "", "send it to this `CONTACT` too")
	cobra.CheckErr(cmd.RegisterFlagCompletionFunc("to", r.completeContacts(2)))
	cmd.Flags().BoolVar(&qr, "qr", false, "draw it as a QR code too")
	durationFlag(cmd.Flags(), &timeout, "timeout", 30*time.Second, "how long to wait for the network")
	return cmd
}

func (r rooms) showLink(w io.Writer, link api.RoomInvite, qr bool) {
	if qr {
		if err := qrCode(w, link.Link, r.outTTY && r.getenv("TERM") != "dumb"); err != nil {
			fmt.Fprintf(r.err, "starling: %v\n", err)
		}
	}
	fmt.Fprintln(w, link.Link)
	if link.Message != nil {
		fmt.Fprintf(r.err, "Sent to them. ")
	}
	fmt.Fprintf(r.err, "%s, until %s, while a node runs here. They run:\n  starling room join LINK\n", forPeople(link.Uses, link.Approve), clock(link.Expires))
}

// forPeople says how many people a link is for.
func forPeople(uses int, approve bool) string {
	words := "For one person"
	if uses != 1 {
		words = fmt.Sprintf("For %d people", uses)
	}
	if approve {
		words += ", each let in by its author"
	}
	return words
}

func (r rooms) links() *cobra.Command {
	return &cobra.Command{
		Use:   "links ROOM",
		Short: "List the open links into a room that you made",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return r.with(cmd.Context(), func(node *connection) error {
				all, err := node.RoomInvites(cmd.Context(), args[0])
				if err != nil {
					return err
				}

				for _, l := range all {
					err := r.print(l, func(w io.Writer) {
						fmt.Fprintf(w, "%s  %s, %d came  until %s  %s\n", l.ID, strings.ToLower(forPeople(l.Uses, l.Approve)), l.Used, clock(l.Expires), l.Link)
						if l.Crowded {
							fmt.Fprintln(w, "  somebody fills it: soon nobody else can ask by it. Make another, and close this one: starling room revoke "+l.ID)
						}
					})
					if err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
}

func (r rooms) revoke() *cobra.Command {
	return &cobra.Command{
		Use:   "revoke ID",
		Short: "Withdraw a link into a room",
		Args:  cobra.ExactArgs(1),
		RunE:  r.act(api.Node.RevokeRoomInvite, "revoked", "Withdrawn."),
	}
}

func (r rooms) leave() *cobra.Command {
	return &cobra.Command{
		Use:   "leave ROOM",
		Short: "Leave a room; its messages stay here",
		Long: `Leave a room, or take back the request to be let in. Its messages stay here until
starling room forget. An owner gives the room to somebody first: starling room role ROOM MEMBER owner.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return r.with(cmd.Context(), func(node *connection) error {
				if err := node.LeaveRoom(cmd.Context(), args[0]); err != nil {
					return err
				}
				r.goesLater(cmd.Context(), node, args[0])
				return r.print(map[string]string{"left": args[0]}, func(w io.Writer) {
					fmt.Fprintln(w, "Left. Its messages stay here: starling room forget erases them.")
				})
			})
		},
	}
}

func (r rooms) forget() *cobra.Command {
	return &cobra.Command{
		Use:   "forget ROOM",
		Short: "Erase a room that you have left, and its messages",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return r.with(cmd.Context(), func(node *connection) error {
				room, err := findRoom(cmd.Context(), node, args[0])
				if err != nil {
					return err
				}
				if err := node.RemoveContact(cmd.Context(), room.ID); err != nil {
					return err
				}
				return r.print(map[string]string{"removed": room.ID}, func(w io.Writer) { fmt.Fprintln(w, "Erased here.") })
			})
		},
	}
}

// findRoom finds a room by its id or exact name.
func findRoom(ctx context.Context, node api.Node, room string) (api.Room, error) {
	all, err := node.ListRooms(ctx)
	if err != nil {
		return api.Room{}, err
	}
	var found []api.Room
	for _, r := range all {
		if r.ID == room {
			return r, nil
		}
		if r.Name.String() == room {
			found = append(found, r)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return api.Room{}, &api.Error{Code: api.CodeNoRoom, Message: "no room is called " + own(room).String()}
	}
	return api.Room{}, &api.Error{Code: api.CodeAmbiguous, Message: "several rooms are called " + own(room).String(),
		Hint: "use the room's id from: starling room list"}
}

// complete completes the first argument with the rooms of the node that runs, and the
// second with the members of that room.
func (r rooms) complete(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	const directive = cobra.ShellCompDirectiveNoFileComp
	choices := []cobra.Completion{}
	onTab(cmd.Context(), r.app, func(ctx context.Context, node api.Node) {
		switch {
		case len(args) == 0:
			all, _ := node.ListRooms(ctx)
			choices = roomChoices(all)
		case len(args) == 1 && strings.Contains(cmd.Use, " MEMBER"):
			all, _ := node.Members(ctx, args[0])
			choices = memberChoices(all)
		}
	})
	if len(args) == 2 && strings.Contains(cmd.Use, " ROLE") {
		return roles, directive | cobra.ShellCompDirectiveKeepOrder
	}
	return choices, directive
}

func roomChoices(all []api.Room) []cobra.Completion {
	var as []api.Contact
	for _, room := range all {
		as = append(as, api.Contact{ID: room.ID, Name: room.Name})
	}
	return contactChoices(as)
}

func memberChoices(all []api.Member) []cobra.Completion {
	var as []api.Contact
	for _, m := range all {
		if !m.Self {
			as = append(as, api.Contact{ID: m.ID, Name: m.Name})
		}
	}
	return contactChoices(as)
}
