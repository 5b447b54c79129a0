package cli

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"starling/node/api"
)

// How a conversation is kept: contact pin, mute, archive, timer and notify.

// changeCommand is a contact command that changes something of a conversation.
func (a *app) changeCommand(use, short string, args cobra.PositionalArgs, change func(args []string, req *api.ConversationRequest) error) *cobra.Command {
	return &cobra.Command{
		Use:   use,
		Short: short,
		Args:  args,
		RunE: func(cmd *cobra.Command, args []string) error {
			req := api.ConversationRequest{Contact: args[0]}
			if err := change(args[1:], &req); err != nil {
				return err
			}
			return a.with(cmd.Context(), func(node *connection) error {
				c, err := node.ChangeConversation(cmd.Context(), req)
				if err != nil {
					return err
				}
				if req.Timer != nil {
					a.goesLater(cmd.Context(), node, c.ID)
				}
				return a.print(c, func(w io.Writer) { fmt.Fprintln(w, contactLine(c)) })
			})
		},
	}
}

func (a *app) conversationCommands() []*cobra.Command {
	set := func(field func(*api.ConversationRequest) **bool, value bool) func([]string, *api.ConversationRequest) error {
		return func(_ []string, req *api.ConversationRequest) error {
			*field(req) = &value
			return nil
		}
	}
	pinned := func(r *api.ConversationRequest) **bool { return &r.Pinned }
	archived := func(r *api.ConversationRequest) **bool { return &r.Archived }
	one := cobra.ExactArgs(1)

	var mutedFor string
	mute := a.changeCommand("mute CONTACT", "Announce nothing of a conversation, for ever or for a while", one,
		func(_ []string, req *api.ConversationRequest) error {
			// A time, so that a node that was off meanwhile ends it all the same.
			until := api.Forever
			if mutedFor != "" {
				d, err := parseDuration("--for", mutedFor)
				if err != nil {
					return err
				}
				until = time.Now().Add(d)
			}
			req.MutedUntil = &until
			return nil
		})
	mute.Flags().StringVar(&mutedFor, "for", "", "how long, such as `8h` or 7d (default for ever)")

	timer := a.changeCommand("timer CONTACT DURATION|off", "Let new messages disappear on both sides after a while", cobra.ExactArgs(2),
		func(args []string, req *api.ConversationRequest) error {
			seconds := 0
			if args[0] != "off" {
				d, err := parseDuration("DURATION", args[0])
				if err != nil {
					return err
				}
				seconds = int(d / time.Second)
				if seconds < minTimer || seconds > api.MaxTimer {
					return usage("for example: starling contact timer Bob 1d", "the timer is from 5s to 4w, or off")
				}
			}
			req.Timer = &seconds
			return nil
		})
	timer.Long = `Offer that new messages disappear on both sides so long after they were read. It
holds once your contact has made the same offer; until then both see what the
other one wants. Nobody can make another computer forget what was photographed.`
	timer.ValidArgsFunction = a.completeThen(1, "1h", "8h", "1d", "1w", "4w", "off")

	notify := a.changeCommand("notify CONTACT none|hidden|name|text|default", "How much a notification says", cobra.ExactArgs(2),
		func(args []string, req *api.ConversationRequest) error {
			level, err := notifyLevel(args[0], true)
			req.Notify = &level
			return err
		})
	notify.ValidArgsFunction = a.completeThen(1, "none", "hidden", "name", "text", "default")

	return []*cobra.Command{
		a.changeCommand("pin CONTACT", "Keep a conversation at the top", one, set(pinned, true)),
		a.changeCommand("unpin CONTACT", "Let a pinned conversation move again", one, set(pinned, false)),
		mute,
		a.changeCommand("unmute CONTACT", "Announce a muted conversation again", one, func(_ []string, req *api.ConversationRequest) error {
			req.MutedUntil = &time.Time{}
			return nil
		}),
		a.changeCommand("archive CONTACT", "Put a conversation away until something new comes", one, set(archived, true)),
		a.changeCommand("unarchive CONTACT", "Take a conversation back", one, set(archived, false)),
		timer,
		notify,
	}
}

// minTimer is the shortest wait of messages that disappear, in seconds.
const minTimer = 5

// notifyLevel reads a level; "default" is the profile's own, where that exists.
func notifyLevel(s string, withDefault bool) (api.NotifyLevel, error) {
	switch level := api.NotifyLevel(s); {
	case level == api.NotifyNone, level == api.NotifyHidden, level == api.NotifyName, level == api.NotifyText:
		return level, nil
	case withDefault && s == "default":
		return "", nil
	}
	hint := "use none, hidden, name or text"
	if withDefault {
		hint = "use none, hidden, name, text or default"
	}
	return "", usage(hint, "%s is not how much a notification may say", own(s))
}

// conversationWords names the unusual settings of a conversation.
func conversationWords(c api.Conversation, now time.Time) []string {
	var words []string
	if c.Pinned {
		words = append(words, "pinned")
	}
	if c.Archived {
		words = append(words, "archived")
	}
	switch {
	case c.MutedUntil.Equal(api.Forever):
		words = append(words, "muted")
	case c.MutedUntil.After(now):
		words = append(words, "muted until "+clock(c.MutedUntil))
	}

	if c.Notify != "" {
		words = append(words, "notifications: "+own(string(c.Notify)).String())
	}
	if c.Timer > 0 {
		words = append(words, "messages disappear after "+lasting(c.Timer))
	}

	// Both have to want the same; one of them may not yet.
	offer := func(seconds int) string {
		if seconds == 0 {
			return "to keep messages"
		}
		return "messages to disappear after " + lasting(seconds)
	}
	switch {
	case c.TimerMine == c.TimerTheirs:
	case c.TimerMine != c.Timer:
		words = append(words, "you want "+offer(c.TimerMine))
	default:
		words = append(words, "they want "+offer(c.TimerTheirs))
	}

	return words
}
