// Package tui is the terminal app. It talks to a running node through
// node/api and to nothing else of ours: it cannot reach a key, a socket or
// the database. It writes one file, the text that goes to the person's editor.
//
// # Structure
//
// There is one model, [App], split by concern: root_keys.go routes keys,
// root_layout.go computes the panes and draws them, root_events.go applies
// what the node tells, root_actions.go does what the table in package keymap
// names, root_commands.go calls the node. Its parts (chatview, composer,
// dialog, list) are plain structs that draw themselves.
//
// Update does no input or output. Everything that waits is a command; one
// goroutine ([App.Follow]) reads the node's events and hands them over in
// batches, at most one each 16 ms.
//
// # Text of others
//
// Whatever a contact can choose arrives as safetext.Text and is drawn in the
// frame only. The window title is fixed, and nothing of a contact goes to the
// clipboard unless the person copies it.
package tui

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"time"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/tui/keymap"
	"starling/tui/term"
)

// Options change how the app starts.
type Options struct {
	// Plain is the linear mode ([RunPlain]); a terminal that cannot be drawn
	// on gets it in any case.
	Plain bool
	// NoMouse leaves the mouse to the terminal. F4 changes it.
	NoMouse bool
	// Incognito starts with names and texts hidden on the full screen; F5
	// changes it. The linear mode reads everything out.
	Incognito bool
	// Drafts keeps unsent text between runs; nil keeps it in memory.
	Drafts Drafts
	// Keys is the table of keys; nil is the one shipped.
	Keys *keymap.Map
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// After delivers a message later; nil is tea.Tick. Tests set it.
	After func(time.Duration, tea.Msg) tea.Cmd
	// Exec gives the terminal to another program for a while; nil is
	// tea.ExecProcess. Tests set it.
	Exec func(cmd *exec.Cmd, then func(error) tea.Msg) tea.Cmd
}

// Drafts keeps unsent text, by contact ID.
type Drafts interface {
	LoadDrafts(ctx context.Context) (map[string]string, error)
	// SaveDraft replaces the draft of a contact; empty text removes it.
	SaveDraft(ctx context.Context, contact, text string) error
}

// title is the window title. It never changes: a title is shown by other
// programs, and terminals run what is in it.
const title = "Starling"

// Run shows the app until the person quits or ctx ends. It returns nil for both.
func Run(ctx context.Context, node api.Node, opts Options) error {
	if opts.Plain || term.Dumb() {
		return RunPlain(ctx, node, os.Stdin, os.Stdout)
	}
	outer := ctx
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	app := New(ctx, node, opts)
	program := tea.NewProgram(app, tea.WithContext(ctx))
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		app.Follow(ctx, program.Send)
	}()
	_, err := program.Run()
	app.saveDrafts(context.WithoutCancel(ctx))
	cancel()
	<-followed
	if errors.Is(err, tea.ErrInterrupted) || outer.Err() != nil {
		return nil
	}
	return err
}
