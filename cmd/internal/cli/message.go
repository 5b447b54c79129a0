package cli

import (
	"context"
	"crypto/rand"
	"encoding/hex"
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
		w    wait
		req  api.SendRequest
		with enclosure
	)
	cmd := &cobra.Command{
		Use:   "send CONTACT [TEXT]",
		Short: "Send a message; the text from the argument or standard input",
		Long: `Send a message. Without TEXT it is read from standard input; one line feed at
its end is not part of it. With --picture or --file TEXT is its caption and may be left
out. Of a picture only the pixels are sent, fewer of them if it is too large; what will
be sent is said on standard error. A file goes as it is.

CONTACT may be a room, or self, the note to self: a message to that is stored, and goes
nowhere.

--wait says when the command returns: queued (on disk here), sent (in a mailbox
of the recipient, or in both of a room) or delivered (the recipient's key said so;
rooms do not have that). The default is
queued when a node runs on the profile, which then goes on sending, and sent
when it does not, because nothing goes on sending after the command. When the
time is over the message stays in the outbox.`,
		Args:              cobra.RangeArgs(1, 2),
		ValidArgsFunction: completeConversations(a, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := w.check(); err != nil {
				return err
			}
			req.Contact = args[0]
			if with.given() {
				if err := with.put(cmd.Context(), &a.console, &req); err != nil {
					return err
				}
			}

			// With a picture standard input is not read: it would wait for a caption that nobody types.
			if !with.given() || len(args) > 1 {
				var err error
				if req.Text, err = a.text(cmd.Context(), args[1:], with.given()); err != nil {
					return err
				}
			}
			if req.ID == "" {
				req.ID = newMessageID() // so that it is sent once, however many nodes end meanwhile
			}
			return a.with(cmd.Context(), func(node *connection) error {
				if err := w.fits(cmd.Context(), node, req.Contact); err != nil {
					return err
				}
				return a.sendAndWait(cmd.Context(), node, req, w)
			})
		},
	}
	w.flags(cmd)
	cmd.Flags().StringVar(&req.ID, "id", "", "message id, 32 hex digits; repeating a command with the same id sends once")
	cmd.Flags().StringVar(&req.ReplyTo, "reply-to", "", "the message `ID` that this one answers")
	with.flags(cmd)
	return a.onNode(cmd)
}

// newMessageID draws an id.
func newMessageID() string {
	var id [16]byte
	rand.Read(id[:])
	return hex.EncodeToString(id[:])
}

// wait is until when a command that sends waits.
type wait struct {
	state   string
	timeout time.Duration
}

func (w *wait) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&w.state, "wait", "", "return when the message is `queued|sent|delivered`")
	durationFlag(cmd.Flags(), &w.timeout, "timeout", 30*time.Second, "how long to wait; 0 means for ever")
	cobra.CheckErr(cmd.RegisterFlagCompletionFunc("wait", cobra.FixedCompletions([]string{"queued", "sent", "delivered"}, cobra.ShellCompDirectiveNoFileComp)))
}

func (w *wait) check() error {
	if w.state != "" && rank(api.State(w.state)) == 0 || w.state == string(api.StateStored) {
		return usage("use queued, sent or delivered", "--wait %s is not a state to wait for", own(w.state))
	}
	return nil
}

// fits refuses a wait for a delivery in rooms: nobody there says what has arrived.
func (w *wait) fits(ctx context.Context, node api.Node, conversations ...string) error {
	if w.state != string(api.StateDelivered) {
		return nil
	}
	rooms, err := node.ListRooms(ctx)
	if err != nil {
		return err
	}
	for _, room := range rooms {
		for _, c := range conversations {
			if room.ID == c || room.Name.String() == c {
				return usage("use --wait sent: it is in both mailboxes of the room then",
					"messages of a room have no state delivered: its members tell nobody what has reached them")
			}
		}
	}
	return nil
}

func (a *app) sendAndWait(ctx context.Context, node *connection, req api.SendRequest, w wait) error {
	m, err := node.Send(ctx, req)
	if err != nil {
		return err
	}
	return a.awaitAndPrint(ctx, node, m, w)
}

// awaitAndPrint prints a message once it has come as far as asked, or as it
// stands when the time is over.
func (a *app) awaitAndPrint(ctx context.Context, node *connection, m api.Message, w wait) error {
	want := api.State(w.state)
	if want == "" {
		want = api.StateQueued
		if node.passing() {
			want = api.StateSent
		}
	}
	m, waitErr := awaitState(ctx, node, m, want, w.timeout)
	if node.brief && api.CodeOf(waitErr) == api.CodeClosed {
		return waitErr // the next node goes on
	}
	if m.File != nil { // a list has its bytes neither
		m.File = &api.File{Name: m.File.Name, Size: m.File.Size}
	}
	if err := a.print(m, func(w io.Writer) { fmt.Fprintln(w, stateWords(m)) }); err != nil {
		return err
	}
	if waitErr == nil && node.hosted && m.State != api.StateStored && rank(want) >= rank(api.StateSent) {
		// The recipient would wait for the message before it.
		drained(ctx, node, m.Conversation, lingerAfter)
	}
	return waitErr
}

// text is the text of a message, from the argument or standard input.
func (c *console) text(ctx context.Context, args []string, mayBeEmpty bool) (string, error) {
	var text string
	if len(args) > 0 {
		text = args[0]
	} else {
		if c.inTTY {
			fmt.Fprintln(c.err, "Write the message and end it with Ctrl-D on an empty line.")
		}
		b, err := c.readInput(ctx, mostBytes(api.MaxText))
		if err != nil {
			return "", fmt.Errorf("read text: %w", err)
		}
		if text, err = decode(b, "the message"); err != nil {
			return "", err
		}
		text = strings.TrimSuffix(text, "\n")
	}
	if text == "" && mayBeEmpty {
		return "", nil
	}
	return text, checkText(text, api.MaxText, "the message is longer than 32 KiB (32,768 bytes)")
}

// checkText refuses a text that no node would take. It is done here: bytes that
// are not UTF-8 cannot cross the control socket, and long ones should not.
func checkText(text string, limit int, tooLong string) error {
	switch {
	case text == "":
		return &api.Error{Code: api.CodeEmpty, Message: "the message is empty"}
	case len(text) > limit:
		return &api.Error{Code: api.CodeTooLong, Message: tooLong}
	case !utf8.ValidString(text):
		return &api.Error{Code: api.CodeBadText, Message: "the message is not UTF-8 text"}
	}
	return nil
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
	case api.StateDelivered, api.StateStored: // of the note to self: there is nothing behind
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
		// From the message on: a state that came before we listen is among them.
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
			m = newest // with the reason for its wait
		}
		if !errors.Is(err, arrived) && !far(m.State) {
			if waitCtx.Err() == nil {
				return m, err
			}
			return m, &api.Error{
				Code:    api.CodeTimeout,
				Message: fmt.Sprintf("the message is %s, not %s, after %s%s", m.State, want, timeout, because(m.Reason)),
				Hint:    "it stays in the outbox and goes on while a node runs on this profile: starling node",
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
