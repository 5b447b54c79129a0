package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/node/testnet"
	"starling/node/testnet/workdir"
)

func (a *app) demoCommand() *cobra.Command {
	var (
		headless bool
		relays   int
		timeout  time.Duration
	)
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Try it: a mesh on this machine and a contact that answers",
		Long: `Run relays on this machine, a contact that echoes what you write, and the app
on top. The app and the contact are ordinary nodes that reach each other through
three relays, as they would in the wild. Everything is removed at the end.

--headless runs one exchange without a screen and prints it as JSON lines.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if relays < minDemoRelays || relays > 100 {
				return usage("", "--relays is %d; a mesh has %d to 100", relays, minDemoRelays)
			}
			if !headless {
				if !a.look.plain {
					if err := a.needTerminal("starling demo --headless"); err != nil {
						return err
					}
				}
				options, err := a.screenOptions(cmd.Context())
				if err != nil {
					return err
				}
				return a.demo(cmd.Context(), relays, options)
			}

			// Starting is outside the timeout: a busy machine takes its time for keys and relays.
			d, err := a.startDemo(cmd.Context(), relays, a.logger())
			if err != nil {
				return err
			}
			defer d.close()
			ctx, cancel := context.WithTimeout(cmd.Context(), timeout)
			defer cancel()
			err = a.exchange(ctx, d)
			if errors.Is(err, context.DeadlineExceeded) {
				err = &api.Error{Code: api.CodeTimeout, Message: "the exchange did not end within " + timeout.String()}
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&headless, "headless", false, "one exchange without a screen, as JSON lines")
	cmd.Flags().IntVar(&relays, "relays", demoRelays, "how many relays")
	durationFlag(cmd.Flags(), &timeout, "timeout", time.Minute, "with --headless: how long the exchange may take")
	cmd.Flags().BoolVar(&a.json, "json", false, "with --headless: errors as JSON too; the output always is")
	a.lookFlags(cmd)
	return cmd
}

// minDemoRelays is the least from which a client starts.
const (
	minDemoRelays = 5
	demoRelays    = 8
)

// demo shows the app on a mesh of this machine.
func (a *app) demo(ctx context.Context, relays int, options screenOptions) error {
	d, err := a.startDemo(ctx, relays, a.appLogger())
	if err != nil {
		return err
	}
	defer d.close()
	options.demo = demoPassphrase
	return a.screen(ctx, d.me, options)
}

// demo is a mesh with two people on it.
type demo struct {
	dir      *workdir.Dir
	relays   int
	started  time.Time
	meshTime time.Duration
	mesh     *testnet.Mesh
	me, echo running
	answers  chan error // how the echo contact ended
	stop     context.CancelFunc
}

// startDemo starts the mesh and both nodes and makes them contacts. On an
// error everything is gone again.
func (a *app) startDemo(ctx context.Context, relays int, log *slog.Logger) (_ *demo, err error) {
	d := &demo{relays: relays, started: time.Now()}
	defer func() {
		if err != nil {
			d.close()
		}
	}()
	if d.dir, err = workdir.Make("demo"); err != nil {
		return nil, err
	}
	a.progress("Starting %d relays on this machine…", relays)
	// Each step is noted in d, so that close ends it.
	d.mesh, err = testnet.Start(ctx, testnet.Options{Relays: relays, Dir: filepath.Join(d.dir.Path, "relays"), Logger: log})
	if err != nil {
		return nil, err
	}
	d.meshTime = time.Since(d.started)

	a.progress("Starting you and a contact that answers…")
	if d.me, err = a.demoNode(ctx, d, "you", log); err != nil {
		return nil, err
	}
	if d.echo, err = a.demoNode(ctx, d, "echo", log); err != nil {
		return nil, err
	}
	var echoCtx context.Context
	// Not ctx: it answers until the mesh ends, also while an interrupt is worked off.
	echoCtx, d.stop = context.WithCancel(context.WithoutCancel(ctx))
	d.answers = make(chan error, 1)
	go func() { d.answers <- answer(echoCtx, d.echo) }()

	a.progress("Waiting for the mesh to know itself, and making you contacts…")
	if err := waitReady(ctx, d.me, 30*time.Second); err != nil {
		return nil, err
	}
	invite, err := d.me.Invite(ctx, api.InviteRequest{Name: "echo"})
	if err != nil {
		return nil, err
	}
	if _, err := a.add(ctx, &connection{Node: d.echo}, api.AddContactRequest{Link: invite.Link, Name: "you"}, 30*time.Second); err != nil {
		return nil, err
	}
	return d, waitContact(ctx, d.me, 30*time.Second)
}

// demoPassphrase opens the profiles of a demo. Its lock tells it.
const demoPassphrase = "starling"

// demoNode starts an ordinary node on a new profile.
func (a *app) demoNode(ctx context.Context, d *demo, name string, log *slog.Logger) (running, error) {
	// The profile is gone with the demo. Nobody has to guess its passphrase, so
	// that it needs no slow derivation.
	dir := filepath.Join(d.dir.Path, name)
	err := a.engine.Create(ctx, dir, newProfile{name: name, passphrase: demoPassphrase, cheapKDF: true})
	if err != nil {
		return nil, err
	}
	return a.engine.Start(ctx, startConfig{
		profile:    dir,
		passphrase: demoPassphrase,
		network:    network{bootstrap: d.mesh.Bootstrap(), allowPrivate: true},
		log:        log.With("demo", name),
		temporary:  true,
	})
}

// progress reports to a person the work before there is a screen.
func (c *console) progress(format string, args ...any) {
	fmt.Fprintf(c.err, format+"\n", args...)
}

// waitContact waits until the node has a contact that is ready.
func waitContact(ctx context.Context, node api.Node, timeout time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for {
		contacts, err := node.Contacts(ctx)
		if err != nil && ctx.Err() == nil {
			return err
		}
		for _, c := range contacts {
			if c.State == api.ContactReady {
				return nil
			}
		}
		select {
		case <-time.After(pollEvery):
		case <-ctx.Done():
			return &api.Error{Code: api.CodeTimeout, Message: "the contact did not answer within " + timeout.String()}
		}
	}
}

// close ends people before relays, so that nobody waits for a lost relay, and removes
// the files of the demo.
func (d *demo) close() {
	if d.me != nil {
		d.me.Close()
	}
	if d.stop != nil {
		d.stop()
		<-d.answers
	}
	if d.echo != nil {
		d.echo.Close()
	}
	if d.mesh != nil {
		d.mesh.Close()
	}
	if d.dir != nil {
		d.dir.Remove()
	}
}

const echoPrefix = "echo: "

// answer echoes messages until ctx ends. The id of an answer follows from the message
// it answers, so that none is sent twice.
func answer(ctx context.Context, node api.Node) error {
	return node.Events(ctx, 0, func(e api.Event) error {
		if e.Kind != api.EventMessage || e.Outgoing || e.Text == nil {
			return nil
		}
		id := sha256.Sum256([]byte("echo " + e.ID))
		_, err := node.Send(ctx, api.SendRequest{
			Contact: e.Conversation,
			Text:    echoOf(e.Text.String()),
			ID:      hex.EncodeToString(id[:16]),
		})
		return err
	})
}

// echoOf shortens a text that would not fit with the prefix.
func echoOf(text string) string {
	if room := api.MaxText - len(echoPrefix); len(text) > room {
		text = strings.ToValidUTF8(text[:room], "")
	}
	return echoPrefix + text
}

// The lines of demo --headless.
type (
	meshEvent struct {
		Event  string `json:"event"` // "mesh"
		Relays int    `json:"relays"`
		MS     int64  `json:"ms"` // until the relays served
	}
	sentEvent struct {
		Event string `json:"event"` // "sent"
		ID    string `json:"id"`
		Text  string `json:"text"`
		Hops  int    `json:"hops"` // mixes on the way to the mailbox
		MS    int64  `json:"ms"`   // since it was queued
	}
	deliveredEvent struct {
		Event string `json:"event"` // "delivered"
		ID    string `json:"id"`
		MS    int64  `json:"ms"`
	}
	replyEvent struct {
		Event string        `json:"event"` // "reply"
		ID    string        `json:"id"`
		Text  safetext.Text `json:"text"`
		MS    int64         `json:"ms"`
	}
	summaryEvent struct {
		Event     string `json:"event"` // "summary"
		Relays    int    `json:"relays"`
		Hops      int    `json:"hops"`
		Sent      int    `json:"sent"`
		Delivered int    `json:"delivered"`
		Replies   int    `json:"replies"`
		MS        int64  `json:"ms"` // from the start to the last line
	}
)

// exchange sends one message and prints its states until it is delivered and answered.
func (a *app) exchange(ctx context.Context, d *demo) error {
	if err := a.printJSON(meshEvent{"mesh", d.relays, d.meshTime.Milliseconds()}); err != nil {
		return err
	}
	contacts, err := d.me.Contacts(ctx)
	if err != nil {
		return err
	}
	if len(contacts) != 1 {
		return fmt.Errorf("the demo has %d contacts instead of one", len(contacts))
	}
	status, err := d.me.Status(ctx)
	if err != nil {
		return err
	}

	const text = "hello"
	begin := time.Now()
	m, err := d.me.Send(ctx, api.SendRequest{Contact: contacts[0].ID, Text: text})
	if err != nil {
		return err
	}

	// Each stage is printed once, in the order in which it comes.
	sent, delivered, replied := false, false, false
	done := errors.New("done")
	// From the first event, as a state may have come before we listen.
	err = d.me.Events(ctx, 0, func(e api.Event) error {
		ms := time.Since(begin).Milliseconds()
		mine := e.Kind == api.EventState && e.ID == m.ID
		var err error
		switch {
		case mine && e.State == api.StateFailed:
			return &api.Error{Code: codeGivenUp, Message: "the message was given up: " + own(e.Reason).String()}
		case mine && rank(e.State) >= rank(api.StateSent) && !sent:
			sent = true
			err = a.printJSON(sentEvent{"sent", m.ID, text, status.Hops, ms})
		}
		if err == nil && mine && e.State == api.StateDelivered && !delivered {
			delivered = true
			err = a.printJSON(deliveredEvent{"delivered", m.ID, ms})
		}
		if e.Kind == api.EventMessage && !e.Outgoing && e.Text != nil && !replied {
			replied = true
			err = a.printJSON(replyEvent{"reply", e.ID, *e.Text, ms})
		}
		if err == nil && delivered && replied {
			err = done
		}
		return err
	})
	if !errors.Is(err, done) {
		return err
	}
	return a.printJSON(summaryEvent{"summary", d.relays, status.Hops, 1, 1, 1, time.Since(d.started).Milliseconds()})
}
