// Package tui is the terminal app. It talks to a running node through
// node/api and to nothing else of ours: it cannot reach a key, a socket or
// the database. It writes files that the person asks for (package attach), and private
// copies for their editor and other programs (package scratch).
//
// # Structure
//
// [App] is one model that keeps routing, layout and focus. It routes to
// parts, each with its own state:
//
//   - people: the list, its order and its cursor
//   - conversation: the open chats with their pages, drafts and edits; the
//     actions on a message
//   - gallery: pictures; files: attached, saved and opened ones; lock: the lock of the
//     screen
//   - dayone: the first steps; upkeep: clearing, files for people, who is blocked
//   - contacts, keeping, network, announcer (here): invites and safety numbers;
//     settings; the status of the node; notifications
//
// Every part has the desk: the node, the words, the dialogs, and the way to
// have work done away from the screen. A dialog hands back the work to do
// (dialog.Action); a question to the node brings its own consequence with the
// answer (desk.Then). No name is looked up in between. An action of the table
// in package keymap is one function of one part (App.table).
//
// The tools that parts draw with (chatview, composer, list, search) are plain
// structs; preferences makes forms; picture, notify, emoji and catalogue know
// nothing of the screen.
//
// Update does no input or output. Everything that waits is a command; one
// goroutine ([App.Follow]) reads the node's events and hands them over in
// batches, at most one each 16 ms.
//
// # Text of others
//
// Any text of a contact arrives as safetext.Text and is drawn in the frame only. The
// window title is fixed, and nothing of a contact goes to the clipboard unless the
// person copies it.
package tui

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"time"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/tui/keymap"
	"starling/tui/scratch"
)

// Options change how the app starts.
type Options struct {
	// NoMouse leaves the mouse to the terminal. F4 changes it.
	NoMouse bool
	// Incognito starts with names and texts hidden; F5 changes it.
	Incognito bool
	// Language is the language of the app: "en", "de", "ru". Empty is the language of
	// the environment ($LC_ALL, $LC_MESSAGES, $LANG); one that is not there is English.
	Language string
	// Keys is the table of keys; nil is the one shipped. keymap.Parse makes
	// one of a person's configuration.
	Keys *keymap.Map
	// Join adds a relay to start from by its address (/ip4/…/p2p/…), now and
	// for the next starts; nil: the app does not offer it. An *api.Error is
	// shown in its words.
	Join func(ctx context.Context, address string) error
	// Nearby looks for relays on the local network and returns their
	// addresses, for Join; nil: the app does not offer it.
	Nearby func(ctx context.Context) ([]string, error)
	// Guest: the node is another process's. When it ends, the screen locks, and the
	// passphrase goes on here: Unlock of the node takes the profile over.
	Guest bool
	// Demo is the passphrase of a demo, where the lock tells it; else empty. Back: the
	// person's own profile comes again when they quit.
	Demo string
	Back bool
	// TryDemo offers the demo: Run then ends with [ErrDemo].
	TryDemo bool
	// Restore makes a new profile from a backup, and returns its folder; nil: the app says
	// how that is done.
	Restore func(ctx context.Context, file, passphrase string) (folder string, err error)
	// Invite is a text with an invite in it, pasted before there was a profile: it is used
	// at once, as if it were pasted now.
	Invite string
	// BackupDir is where a backup is offered to go; empty: nowhere.
	BackupDir string
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// After delivers a message later; nil is tea.Tick. Tests set it.
	After func(time.Duration, tea.Msg) tea.Cmd
	// Stroke is the time of a keystroke; nil is time.Now. Keys that come closer together
	// than people type are a paste. Tests set it.
	Stroke func() time.Time
	// Texts are folders for files that other programs read and write, see package
	// scratch. The first is for texts that go to the person's editor, which is not
	// offered without it; the others may hold texts of an earlier start.
	Texts []string
	// Exec gives the terminal to another program for a while; nil is
	// tea.ExecProcess. Tests set it.
	Exec func(cmd *exec.Cmd, then func(error) tea.Msg) tea.Cmd
	// OpenAddress opens a web address in the browser; nil is [opener.Address]. Tests set it.
	OpenAddress func(ctx context.Context, address string) error
	// OpenFile opens a file in the system's program for it; nil is [opener.File]. Tests set
	// it.
	OpenFile func(ctx context.Context, path string) error
	// Getenv tells about the terminal; nil is os.Getenv. Tests set it.
	Getenv func(string) string
}

// title is the window title, with a number if the person wants it, and nothing else: a
// title is shown by other programs, and terminals run escape sequences in it.
const title = "Starling"

// ErrDemo is how the app ends when the person wants to see the demo.
var ErrDemo = errors.New("the demo is wanted")

// Run shows the app until the person quits or ctx ends. It returns nil for both.
// A terminal that cannot be drawn on ([term.Dumb]) wants package linear.
func Run(ctx context.Context, node api.Node, opts Options) error {
	// Texts of an editor that a crash of the last run has left.
	_ = scratch.Sweep(opts.Texts...) // as well as it can be done
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
	// Copies for other programs go first: nothing below can fail before that.
	app.files.Wipe()
	if app.wiped {
		fmt.Println(app.desk.T("The profile on this device is destroyed."))
	} else {
		app.book.KeepDrafts(context.WithoutCancel(ctx))
		if said := app.unsent(); said != "" && !app.toDemo {
			fmt.Println(said)
		}
	}
	cancel()
	<-followed
	if app.toDemo && err == nil {
		return ErrDemo
	}
	if errors.Is(err, tea.ErrInterrupted) || outer.Err() != nil {
		return nil
	}
	return err
}
