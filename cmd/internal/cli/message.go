package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"starling/node/api"
)

func (a *app) sendCommand() *cobra.Command {
	var (
		wait    string
		id      string
		timeout time.Duration
	)
	cmd := &cobra.Command{
		Use:   "send CONTACT [TEXT]",
		Short: "Send a message; the text from the argument or standard input",
		Long: `Send a message. Without TEXT it is read from standard input; one line feed at
its end is not part of it.

--wait says when the command returns: queued (on disk here), sent (in a mailbox
of the recipient) or delivered (the recipient's key said so). The default is
queued when a node runs on the profile, which then goes on sending, and sent
when it does not, because nothing goes on sending after the command. When the
time is over the message stays in the outbox.`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			if wait != "" && rank(api.State(wait)) == 0 {
				return usage("use queued, sent or delivered", "--wait %s is not a state to wait for", own(wait))
			}
			text, err := a.text(args[1:])
			if err != nil {
				return err
			}
			return a.with(ctx, func(node *connection) error {
				m, err := node.Send(ctx, api.SendRequest{Contact: args[0], Text: text, ID: id})
				if err != nil {
					return err
				}
				want := api.State(wait)
				if want == "" {
					want = api.StateQueued
					if node.hosted {
						want = api.StateSent
					}
				}
				m, waitErr := awaitState(ctx, node, m, want, timeout)
				if err := a.print(m, func(w io.Writer) { fmt.Fprintln(w, stateWords(m)) }); err != nil {
					return err
				}
				return waitErr
			})
		},
	}
	cmd.Flags().StringVar(&wait, "wait", "", "return when the message is `queued|sent|delivered`")
	cmd.Flags().DurationVar(&timeout, "timeout", 30*time.Second, "how long to wait; 0 means for ever")
	cmd.Flags().StringVar(&id, "id", "", "message id, 32 hex digits; repeating a command with the same id sends once")
	a.jsonFlag(cmd)
	a.networkFlags(cmd)
	return cmd
}

// text is the message of a send command. It is checked here because what is
// not UTF-8 cannot cross the control socket, and what is too long should not.
func (a *app) text(args []string) (string, error) {
	var text string
	if len(args) > 0 {
		text = args[0]
	} else {
		if a.inTTY {
			fmt.Fprintln(a.err, "Write the message and end it with Ctrl-D on an empty line.")
		}
		b, err := io.ReadAll(io.LimitReader(a.in, api.MaxText+2))
		if err != nil {
			return "", fmt.Errorf("read text: %w", err)
		}
		text = strings.TrimSuffix(string(b), "\n")
	}
	switch {
	case text == "":
		return "", &api.Error{Code: api.CodeEmpty, Message: "the message is empty"}
	case len(text) > api.MaxText:
		return "", &api.Error{Code: api.CodeTooLong, Message: "the message is longer than 32 KiB (32,768 bytes)"}
	case !utf8.ValidString(text):
		return "", &api.Error{Code: api.CodeBadText, Message: "the message is not UTF-8 text"}
	}
	return text, nil
}

// rank orders the states that one can wait for; 0 for the others.
func rank(s api.State) int {
	switch s {
	case api.StateQueued:
		return 1
	case api.StateSealed:
		return 2
	case api.StateSent:
		return 3
	case api.StateDelivered:
		return 4
	}
	return 0
}

// awaitState waits until m has come as far as want; no timeout (0) waits for
// ever. The message it returns is the newest one known, also with an error.
func awaitState(ctx context.Context, node api.Node, m api.Message, want api.State, timeout time.Duration) (api.Message, error) {
	far := func(s api.State) bool { return s == api.StateFailed || rank(s) >= rank(want) }
	if !far(m.State) {
		waitCtx, cancel := ctx, context.CancelFunc(func() {})
		if timeout > 0 {
			waitCtx, cancel = context.WithTimeout(ctx, timeout)
		}
		defer cancel()
		arrived := errors.New("arrived")
		err := node.Events(waitCtx, m.Sequence, func(e api.Event) error {
			if e.Kind == api.EventState && e.ID == m.ID {
				m.State, m.Reason = e.State, e.Reason
				if far(m.State) {
					return arrived
				}
			}
			return nil
		})
		if ctx.Err() != nil {
			return m, ctx.Err()
		}
		if newest, newestErr := node.Message(ctx, m.ID); newestErr == nil {
			m = newest // with what it waits for
		}
		if !errors.Is(err, arrived) && !far(m.State) {
			if waitCtx.Err() == nil {
				return m, err
			}
			return m, &api.Error{
				Code:    api.CodeTimeout,
				Message: fmt.Sprintf("the message is %s, not %s, after %s%s", m.State, want, timeout, because(m.Reason)),
				Hint:    "it stays in the outbox and goes on when a node runs on this profile: starling node",
			}
		}
	}
	if m.State == api.StateFailed {
		return m, &api.Error{Code: codeGivenUp, Message: "the message was given up" + because(m.Reason)}
	}
	return m, nil
}

func because(reason string) string {
	if reason == "" {
		return ""
	}
	return " (" + own(reason).String() + ")"
}

func (a *app) historyCommand() *cobra.Command {
	var (
		limit  int
		before int64
	)
	cmd := &cobra.Command{
		Use:   "history CONTACT",
		Short: "Stored messages of one conversation, oldest first",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if limit < 0 || before < 0 {
				return usage("", "--limit and --before are not negative")
			}
			return a.with(cmd.Context(), func(node *connection) error {
				messages, err := history(cmd.Context(), node, args[0], before, limit)
				if err != nil {
					return err
				}
				for _, m := range messages {
					if err := a.print(m, func(w io.Writer) { message(w, m) }); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
	cmd.Flags().IntVar(&limit, "limit", 100, "the newest `N` messages; 0 means all")
	cmd.Flags().Int64Var(&before, "before", 0, "only messages before this `SEQ`")
	a.jsonFlag(cmd)
	a.networkFlags(cmd)
	return cmd
}

// historyPage is how many messages one call asks for; the api's limit is 1,000.
const historyPage = 500

// history reads the newest limit messages before a sequence number, oldest
// first, in pages. Limit 0 reads all of them.
func history(ctx context.Context, node api.Node, contact string, before int64, limit int) ([]api.Message, error) {
	var pages [][]api.Message
	for left := limit; limit == 0 || left > 0; {
		ask := historyPage
		if limit > 0 {
			ask = min(left, historyPage)
		}
		page, err := node.History(ctx, api.HistoryRequest{Contact: contact, Before: before, Limit: ask})
		if err != nil {
			return nil, err
		}
		if len(page) == 0 {
			break
		}
		pages = append(pages, page)
		before = page[0].Sequence
		left -= len(page)
		if len(page) < ask {
			break
		}
	}
	var all []api.Message
	for i := len(pages) - 1; i >= 0; i-- {
		all = append(all, pages[i]...)
	}
	return all, nil
}
