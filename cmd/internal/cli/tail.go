package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"starling/node/api"
)

func (a *app) tailCommand() *cobra.Command {
	var (
		follow bool
		after  int64
	)
	cmd := &cobra.Command{
		Use:   "tail",
		Short: "Messages and events: the stored ones, then --follow",
		Long: `Print stored messages and events in order, and with --follow go on as they come
until interrupted. A script that remembers the "seq" of the last line it has
handled goes on behind it with --after SEQ and misses nothing; --after -1 prints
only what is new.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if after < -1 {
				return usage("use a seq printed before, 0 or -1", "--after %d is not a sequence number", after)
			}
			ctx := cmd.Context()

			return a.with(ctx, func(node *connection) error {
				show := func(e api.Event) error {
					// Events without a number are of now, and not stored.
					if !follow && e.Seq == 0 {
						return nil
					}
					if !a.json && !worthShowing(e) {
						return nil
					}
					if e.Seq > 0 {
						after = e.Seq // for another node, if this one ends before
					}
					return a.print(e, func(w io.Writer) { a.event(w, e) })
				}

				if !follow {
					return stored(ctx, node, after, show)
				}
				err := node.Events(ctx, after, show)
				if ctx.Err() != nil {
					return nil // the way to end it
				}
				return err
			})
		},
	}

	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with what happens, until interrupted")
	cmd.Flags().Int64Var(&after, "after", 0, "only events after this `SEQ`; -1 means only new ones")
	a.idsFlag(cmd)
	return a.onNode(cmd)
}

// quiet ends the wait for a last event that was erased after we had heard of it: a
// later event tells of the erasure, but only while the node runs.
const quiet = 3 * time.Second

// stored shows the events that are on disk now.
func stored(ctx context.Context, node api.Node, after int64, show func(api.Event) error) error {
	status, err := node.Status(ctx)
	if err != nil {
		return err
	}
	if after < 0 || after >= status.LastEvent {
		return nil
	}

	// A node that says nothing for a while has no more stored events.
	atEnd := errors.New("no more stored events")
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	pause := time.AfterFunc(quiet, func() { end(atEnd) })
	defer pause.Stop()

	err = node.Events(ctx, after, func(e api.Event) error {
		pause.Reset(quiet)
		if e.Seq > status.LastEvent {
			return atEnd
		}
		if err := show(e); err != nil {
			return err
		}
		if e.Seq == status.LastEvent {
			return atEnd
		}
		return nil
	})

	if errors.Is(err, atEnd) || context.Cause(ctx) == atEnd {
		return nil
	}
	return err
}

// worthShowing leaves out, for people, events that only scripts follow.
func worthShowing(e api.Event) bool {
	switch e.Kind {
	case api.EventStatus, api.EventTyping, api.EventDraft:
		return false
	case api.EventState:
		return e.State == api.StateFailed
	}
	return true
}

// event writes one event as a person reads it.
func (c *console) event(w io.Writer, e api.Event) {
	switch {
	case e.Message != nil:
		if e.Kind == api.EventChanged {
			fmt.Fprint(w, "changed: ")
		}
		if e.Room != "" {
			fmt.Fprintf(w, "[%s] ", c.names.room(e.Room))
		}
		c.message(w, *e.Message)
	case (e.Kind == api.EventMessage || e.Kind == api.EventNotice) && e.Text != nil && e.From != nil:
		c.message(w, api.Message{ID: e.ID, From: *e.From, Outgoing: e.Outgoing, Text: *e.Text, Time: e.Time, State: e.State, Reason: e.Reason, Room: e.Room})
	case e.Kind == api.EventState:
		fmt.Fprintf(w, "%s  message %s: %s\n", clock(e.Time), e.ID, stateWords(api.Message{State: e.State, Reason: e.Reason, Room: e.Room}))

	case e.Kind == api.EventContact && e.Contact != nil && e.Contact.Room != nil:
		fmt.Fprintf(w, "room %s\n", roomLine(*e.Contact.Room))
	case e.Kind == api.EventContact && e.Contact != nil:
		fmt.Fprintf(w, "contact %s\n", contactLine(*e.Contact))
	case e.Kind == api.EventInvite && e.Invite != nil:
		fmt.Fprintf(w, "invite %s: %s\n", e.Invite.ID, own(e.Invite.What))
	case e.Kind == api.EventCleared:
		fmt.Fprintf(w, "cleared %s\n", e.Conversation)
	case e.Kind == api.EventRemoved:
		fmt.Fprintf(w, "removed %s%s\n", e.ID, e.Conversation)
	default:
		fmt.Fprintf(w, "%s\n", own(string(e.Kind)))
	}
}
