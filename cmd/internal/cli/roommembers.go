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

// roles are the ranks that a member can be given.
var roles = []cobra.Completion{string(api.RoleAdmin), string(api.RoleMember), string(api.RoleReader), string(api.RoleOwner)}

func (r rooms) members() *cobra.Command {
	return &cobra.Command{
		Use:   "members ROOM",
		Short: "List the members of a room, and people at its door",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return r.with(cmd.Context(), func(node *connection) error {
				all, err := node.Members(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				for _, m := range all {
					if err := r.print(m, func(w io.Writer) { fmt.Fprintln(w, memberLine(m)) }); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
}

// memberLine is a member as a person reads them.
func memberLine(m api.Member) string {
	words := []string{own(string(m.Role)).String()}
	if m.Waiting {
		words[0] = "waits to be let in"
	}
	for _, mark := range []struct {
		cond bool
		word string
	}{{m.Self, "you"}, {m.Offered, "is offered the room"}, {m.Asking, "offers you a conversation of two"}, {m.Verified, "verified"}, {m.Blocked, "blocked"}} {
		if mark.cond {
			words = append(words, mark.word)
		}
	}
	return fmt.Sprintf("%s  %s  (%s)", own(m.ID), oneLine(m.Name), strings.Join(words, ", "))
}

func (r rooms) role() *cobra.Command {
	return &cobra.Command{
		Use:   "role ROOM MEMBER ROLE",
		Short: "Give a member another role",
		Long: `Give a member another role: admin, member or reader. Admins change members and readers,
the owner admins too. With owner the room is offered to them; it is theirs when they run
starling room accept, and you stay an admin. MEMBER is an id or a name that only one has.`,
		Args: cobra.ExactArgs(3),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !slices.Contains(roles, args[2]) {
				return usage("use admin, member, reader or owner; to remove somebody: starling room remove", "%s is not a role", own(args[2]))
			}
			return r.with(cmd.Context(), func(node *connection) error {
				return r.change(cmd.Context(), node, api.MemberRequest{Room: args[0], Member: args[1], Role: api.Role(args[2])})
			})
		},
	}
}

func (r rooms) expel(ban bool) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "remove ROOM MEMBER",
		Short: "Remove a member; they read nothing that is said afterwards",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return r.with(cmd.Context(), func(node *connection) error {
				return r.change(cmd.Context(), node, api.MemberRequest{Room: args[0], Member: args[1], Role: api.RoleNone, Ban: ban})
			})
		},
	}
	if ban {
		cmd.Use, cmd.Short = "ban ROOM MEMBER", "Remove a member, and the open links that they made"
	}
	return cmd
}

func (r rooms) answer(admit bool) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "approve ROOM MEMBER",
		Short: "Let in somebody who waits at the door",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return r.with(cmd.Context(), func(node *connection) error {
				if err := node.AnswerKnock(cmd.Context(), api.KnockRequest{Room: args[0], Member: args[1], Admit: admit}); err != nil {
					return err
				}
				r.goesLater(cmd.Context(), node, args[0])
				key, words := "approved", "Let in."
				if !admit {
					key, words = "refused", "Not let in."
				}
				return r.print(map[string]string{key: args[1]}, func(w io.Writer) { fmt.Fprintln(w, words) })
			})
		},
	}
	if !admit {
		cmd.Use, cmd.Short = "refuse ROOM MEMBER", "Do not let in somebody who waits at the door"
	}
	return cmd
}

func (r rooms) block(block bool) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "block ROOM MEMBER",
		Short: "Hide what a member says, here alone",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return r.with(cmd.Context(), func(node *connection) error {
				m, err := node.BlockMember(cmd.Context(), api.BlockMemberRequest{Room: args[0], Member: args[1], Blocked: block})
				if err != nil {
					return err
				}
				return r.print(m, func(w io.Writer) { fmt.Fprintln(w, memberLine(m)) })
			})
		},
	}
	if !block {
		cmd.Use, cmd.Short = "unblock ROOM MEMBER", "Show again what a member says"
	}
	return cmd
}

func (r rooms) verify() *cobra.Command {
	v := verification{member: true}
	cmd := &cobra.Command{
		Use:   "verify ROOM MEMBER",
		Short: "Show or compare the safety number of a member",
		Long: `Show the safety number of a member of a room. Compare it with the one that they see, as
with a contact: starling contact verify --help.`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := v.check(); err != nil {
				return err
			}

			return r.with(cmd.Context(), func(node *connection) error {
				return v.run(cmd.Context(), r.app,
					func(ctx context.Context) (api.Verification, error) {
						return node.MemberVerification(ctx, args[0], args[1])
					},
					func(ctx context.Context, seen string) error {
						_, err := node.SetMemberVerified(ctx, args[0], args[1], seen)
						return err
					})
			})
		},
	}
	v.flags(cmd)
	return cmd
}

func (r rooms) rename() *cobra.Command {
	return &cobra.Command{
		Use:   "rename ROOM NAME",
		Short: "Give a room another name, for all in it",
		Args:  cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := checkNames(args[1]); err != nil {
				return err
			}
			return r.with(cmd.Context(), func(node *connection) error {
				return r.set(cmd.Context(), node, api.RoomRequest{Room: args[0], Name: &args[1]})
			})
		},
	}
}

// set changes settings of a room and prints it.
func (r rooms) set(ctx context.Context, node *connection, req api.RoomRequest) error {
	room, err := node.ChangeRoom(ctx, req)
	if err != nil {
		return err
	}
	r.goesLater(ctx, node, room.ID)
	return r.printRoom(room)
}

func (r rooms) settings() *cobra.Command {
	return &cobra.Command{
		Use:   "settings ROOM [NAME VALUE]...",
		Short: "What holds for all in a room",
		Long: `Print a room, or change what holds for all in it, as its owner or an admin:

  history 100|none       newcomers are given the last 100 messages, or nothing
  writers all|admins     who may write
  timer DURATION|off     new messages disappear so long after they were read, 5s to 4w
  name NAME              its name`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args)%2 != 1 {
				return usage("see starling room settings --help", "give a ROOM, and a VALUE for each NAME")
			}
			return nil
		},
		ValidArgsFunction: r.completeSettings,
		RunE: func(cmd *cobra.Command, args []string) error {
			req := api.RoomRequest{Room: args[0]}
			for i := 1; i < len(args); i += 2 {
				if err := setRoom(&req, args[i], args[i+1]); err != nil {
					return err
				}
			}
			return r.with(cmd.Context(), func(node *connection) error {
				if len(args) > 1 {
					return r.set(cmd.Context(), node, req)
				}
				room, err := findRoom(cmd.Context(), node, args[0])
				if err != nil {
					return err
				}
				return r.printRoom(room)
			})
		},
	}
}

// roomSettings are the names of the settings of a room and their values.
var roomSettings = map[string][]cobra.Completion{
	"history": {"100", "none"}, "writers": {"all", "admins"}, "timer": {"1h", "1d", "1w", "4w", "off"}, "name": nil,
}

func setRoom(req *api.RoomRequest, name, value string) error {
	values := roomSettings[name]
	switch name {
	case "history":
		messages := 0
		if value == "100" {
			messages = 100
		}
		req.History = &messages
	case "writers":
		only := value == "admins"
		req.AdminsOnly = &only
	case "timer":
		seconds, err := roomTimer(value)
		req.Timer = &seconds
		return err
	case "name":
		req.Name = &value
		return checkNames(value)
	default:
		return usage("there are history, writers, timer and name", "a room has no setting %s", own(name))
	}

	if !slices.Contains(values, value) {
		return usage("use "+strings.Join(values, " or "), "%s cannot be %s", name, own(value))
	}
	return nil
}

// roomTimer reads the wait of messages that disappear, in seconds.
func roomTimer(value string) (int, error) {
	if value == "off" {
		return 0, nil
	}
	d, err := parseDuration("DURATION", value)
	if err != nil {
		return 0, err
	}
	seconds := int(d / time.Second)
	if seconds < minTimer || seconds > api.MaxTimer {
		return 0, usage("for example: starling room settings ROOM timer 1d", "the timer is from 5s to 4w, or off")
	}
	return seconds, nil
}

func (r rooms) completeSettings(cmd *cobra.Command, args []string, to string) ([]cobra.Completion, cobra.ShellCompDirective) {
	switch {
	case len(args) == 0:
		return r.complete(cmd, args, to)
	case len(args)%2 == 1:
		return []cobra.Completion{"history", "writers", "timer", "name"}, cobra.ShellCompDirectiveNoFileComp
	}
	return roomSettings[args[len(args)-1]], cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
}
