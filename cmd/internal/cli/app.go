package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"starling/node/api"
	"starling/tui/keymap"
)

// screens is package tui, as far as the commands need it.
type screens interface {
	// Setup asks a new user for a name and a passphrase, or, if the profile
	// exists, for its passphrase. It returns errLeft when the user leaves, errDemo when
	// they want to see the demo first, and a restoreWish when they have a backup.
	Setup(ctx context.Context, s setup) (answers, error)
	// Run shows the app until the user leaves or ctx ends. It returns errDemo when they
	// want to see the demo, and to come back.
	Run(ctx context.Context, node api.Node, s screenOptions) error
}

// setup is the purpose of the first screens. A problem says why they ask again; what was
// answered before is kept.
type setup struct {
	existing bool
	problem  string
	language string
	before   answers
}

// answers are those to the first screens: a name and a passphrase, and the text of an
// invite that was pasted among them.
type answers struct{ name, passphrase, invite string }

// errLeft ends the program without a word.
var (
	errLeft = errors.New("the user has left")
	errDemo = errors.New("the user wants to see the demo")
)

// A restoreWish is the backup of a user who has no profile here.
type restoreWish struct{ file, passphrase string }

func (*restoreWish) Error() string { return "the user has a backup" }

// look is how the app is shown.
type look struct {
	plain     bool
	incognito bool
	language  string
	keys      string // a file
}

// screenOptions are the app's inputs besides a node.
type screenOptions struct {
	look
	keys *keymap.Map // nil: those shipped
	// join adds a relay by its address, nearby finds some on the local network.
	// Either is nil if it cannot be done.
	join      func(ctx context.Context, address string) error
	nearby    func(ctx context.Context) ([]string, error)
	backupDir string
	profile   string // its folder
	demo      string // the passphrase of a demo
	back      bool   // the user's own profile comes again after it
	tryDemo   bool   // the demo is offered
	restore   func(ctx context.Context, file, passphrase string) (folder string, err error)
	guest     bool   // the node is another process's
	invite    string // that was pasted into the first screen
}

// lookFlags gives a command that shows the app its flags.
func (a *app) lookFlags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&a.look.plain, "plain", false, "line by line, for screen readers and pipes")
	cmd.Flags().BoolVar(&a.look.incognito, "incognito", false, "names and texts hidden until F5")
	cmd.Flags().StringVar(&a.look.language, "language", "", "`en`, de or ru (default: that of the system)")
	cmd.Flags().StringVar(&a.look.keys, "keys", "", "your keys, a TOML `FILE` (default: the profile's)")
	cobra.CheckErr(cmd.RegisterFlagCompletionFunc("language", cobra.FixedCompletions([]string{"en", "de", "ru"}, cobra.ShellCompDirectiveNoFileComp)))
}

// languages are those the app speaks.
var languages = []string{"en", "de", "ru"}

// screenOptions reads the owner's configuration.
func (a *app) screenOptions(ctx context.Context) (screenOptions, error) {
	s := screenOptions{look: a.look}
	if s.language == "" {
		s.language = a.getenv("STARLING_LANGUAGE")
	}
	if s.language != "" && !slices.Contains(languages, s.language) {
		return s, usage("there are en, de and ru", "the app does not speak %s", own(s.language))
	}
	var err error
	s.keys, err = a.keyTable(ctx)
	return s, err
}

// keysFile is where a profile keeps its owner's keys.
const keysFile = "keys.toml"

func (a *app) keyTable(ctx context.Context) (*keymap.Map, error) {
	path := a.look.keys
	if path == "" {
		dir, err := a.profileDir()
		if err != nil {
			return nil, err
		}
		path = filepath.Join(dir, keysFile)
	}

	text, err := readFile(ctx, path, keymap.MaxConfig+1)
	switch {
	case errors.Is(err, fs.ErrNotExist) && a.look.keys == "":
		return nil, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, usage("check the path given to --keys", "keys: %v", err)
	}

	keys, err := keymap.Parse(string(text))
	if err != nil {
		return nil, usage("mend the file, or move it away to have the keys shipped; docs/COMMANDS.md shows how it is written", "%s: %v", own(path), err)
	}
	return keys, nil
}

// asApp makes the root command open the terminal app.
func (a *app) asApp(root *cobra.Command) {
	root.RunE = func(cmd *cobra.Command, _ []string) error {
		ctx := cmd.Context()
		if !a.look.plain {
			if err := a.needTerminal("starling --plain"); err != nil {
				return err
			}
		}

		options, err := a.screenOptions(ctx)
		if err != nil {
			return err
		}
		if a.testnet != "" {
			leave, err := meshes{a}.enter(ctx, &options)
			if err != nil {
				return err
			}
			defer leave()
		}

		// Behind the testnet, which gives a profile of its own.
		dir, err := a.profileDir()
		if err != nil {
			return err
		}
		if home, err := os.UserHomeDir(); err == nil {
			options.backupDir = home
		}
		options.profile = dir
		options.restore, options.tryDemo = restoreBeside(a, dir), true

		// A node that runs already is used, until it ends.
		var node api.Node
		var closer io.Closer
		// A node that is just ending or beginning has the lock and no socket yet.
		err = a.settled(ctx, func() (err error) {
			if node, closer, err = a.engine.Dial(ctx, dir); errors.Is(err, errNoNode) && a.engine.Held(dir) {
				err = errHeld
			}
			return err
		})
		if err == nil {
			defer closer.Close()
			if err := a.enterApp(ctx, node, options); errors.Is(err, errLeft) {
				return nil
			} else if err != nil {
				return err
			}
			guest := &guest{Node: node, app: a, dir: dir}
			options.guest = true
			return errors.Join(showApp(ctx, a, guest, options), guest.close())
		}
		if !errors.Is(err, errNoNode) {
			return err
		}

		// Else the app has one of its own.
		host, err := a.open(ctx, dir, &options)
		switch {
		case errors.Is(err, errLeft):
			return nil
		case err != nil:
			return err
		}

		options.join = host.Join
		if a.network.lan {
			options.nearby = nearby(a, host)
		}
		return errors.Join(showApp(ctx, a, host, options), host.Close())
	}

	a.lookFlags(root)
	a.networkFlags(root)
	root.Flags().StringVar(&a.testnet, "testnet", "", "as one more user of the testnet `NAME` that is up")
	cobra.CheckErr(root.Flags().MarkHidden("testnet")) // for developers: starling testnet says it
}

// nearby asks the local network for relays, unless only bridges may be dialled.
func nearby(a *app, node api.Node) func(context.Context) ([]string, error) {
	return func(ctx context.Context) ([]string, error) {
		s, err := node.Settings(ctx)
		if err == nil && s.BridgesOnly {
			err = usage("starling settings bridges-only off", "only bridges may be dialled")
		}
		if err != nil {
			return nil, err
		}
		return a.engine.Nearby(ctx)
	}
}

// enterApp asks for the passphrase of a profile that is locked in another window.
func (a *app) enterApp(ctx context.Context, node api.Node, options screenOptions) error {
	_, err := node.Status(ctx)
	for problem := ""; api.CodeOf(err) == api.CodeLocked; {
		got, asked, askErr := a.credentials(ctx, setup{existing: true, problem: problem, language: options.language}, options.plain)
		if askErr != nil {
			return askErr
		}
		err = enter(ctx, node, func() (string, error) { return got.passphrase, nil })
		if asked && api.CodeOf(err) == api.CodeWrongPassphrase {
			problem, err = err.Error(), lockedErr
		}
	}
	return err
}

// lockedErr asks again.
var lockedErr = &api.Error{Code: api.CodeLocked, Message: "the profile is locked"}

// open starts a node on the profile for the app, after making the profile if
// there is none. An answer that the user can correct is asked for again.
func (a *app) open(ctx context.Context, dir string, options *screenOptions) (running, error) {
	if err := a.network.check(); err != nil {
		return nil, err
	}
	problem, got := "", answers{}

	for {
		existing, err := a.engine.Exists(dir)
		if err != nil {
			return nil, err
		}
		var asked bool
		got, asked, err = a.credentials(ctx, setup{existing, problem, options.language, got}, options.plain)
		var backup *restoreWish
		switch {
		case errors.Is(err, errDemo):
			problem = ""
			if err := tour(ctx, a, *options); err != nil {
				problem = err.Error()
			}
			if ctx.Err() != nil {
				return nil, errLeft
			}
			continue // the first screen comes again
		// A failed restore is a text on the first screen, and no end of the app.
		case errors.As(err, &backup):
			problem = ""
			if err := restoreError(a.engine.Restore(ctx, dir, backup.file, backup.passphrase)); err != nil {
				problem = err.Error()
			}
			continue
		case err != nil:
			return nil, err
		}

		if !existing {
			err = a.engine.Create(ctx, dir, newProfile{name: got.name, passphrase: got.passphrase})
		}
		if err == nil {
			var host running
			err = a.settled(ctx, func() (err error) {
				host, err = a.engine.Start(ctx, startConfig{profile: dir, passphrase: got.passphrase, network: a.network, log: a.appLogger()})
				return err
			})
			if err == nil {
				options.invite = got.invite
				return host, nil
			}
		}

		// Only faults of an answer: another one does not help against a full disk.
		mendable := api.CodeOf(err) == api.CodeWrongPassphrase || api.CodeOf(err) == api.CodeWeakPassphrase || (!existing && api.CodeOf(err) == api.CodeUsage)
		if !asked || !mendable {
			return nil, err
		}
		problem = err.Error()
	}
}

// credentials asks for the name and the passphrase of a profile. It reports whether a
// person was asked and may be asked again.
func (a *app) credentials(ctx context.Context, s setup, plain bool) (got answers, asked bool, err error) {
	given := a.passphraseFile != "" || a.getenv("STARLING_PASSPHRASE") != ""
	switch {
	case s.existing && given:
		got.passphrase, err = a.passphrase(ctx, "")
		return got, false, err
	case !plain:
		got, err = a.screens.Setup(ctx, s)
		return got, true, err
	case !a.inTTY && !s.existing:
		return got, false, &api.Error{Code: api.CodeNoProfile, Message: "there is no profile yet"}
	}

	if s.problem != "" {
		fmt.Fprintf(a.err, "starling: %s\n", s.problem)
	}
	if s.existing {
		got.passphrase, err = a.passphrase(ctx, "Passphrase: ")
		return got, true, err
	}

	fmt.Fprint(a.err, "Welcome to Starling. Your name, as your contacts will see it: ")
	if got.name, err = a.readLine(ctx); err != nil {
		return answers{}, false, err
	}
	got.passphrase, err = a.newPassphrase(ctx)
	return got, !given, err
}

// showApp shows the app, and the demo in between if the user wants it. The node goes on.
func showApp(ctx context.Context, a *app, node api.Node, options screenOptions) error {
	for {
		err := a.screen(ctx, node, options)
		if !errors.Is(err, errDemo) || ctx.Err() != nil {
			return err
		}
		if err := tour(ctx, a, options); err != nil {
			fmt.Fprintf(a.err, "starling: the demo: %v\n", err)
		}
	}
}

// tour shows the demo in between. Nothing of the user's profile takes part in it.
func tour(ctx context.Context, a *app, options screenOptions) error {
	options.join, options.nearby, options.restore = nil, nil, nil
	options.guest, options.tryDemo, options.back, options.profile = false, false, true, ""
	return a.demo(ctx, demoRelays, options)
}

// restoreBeside restores backups into folders beside a profile's.
func restoreBeside(a *app, dir string) func(ctx context.Context, file, passphrase string) (string, error) {
	return func(ctx context.Context, file, passphrase string) (string, error) {
		for n := 1; ; n++ {
			folder := fmt.Sprintf("%s-restored-%d", dir, n)
			if _, err := os.Lstat(folder); err == nil {
				continue
			}
			return folder, restoreError(a.engine.Restore(ctx, folder, file, passphrase))
		}
	}
}

// restoreError names a file that is not there.
func restoreError(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return usage("check the path", "there is no such file")
	}
	return err
}

// screen shows the app. Ending it with a signal is as good as leaving it.
func (a *app) screen(ctx context.Context, node api.Node, options screenOptions) error {
	err := a.screens.Run(ctx, node, options)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// needTerminal refuses to draw on anything but a terminal.
func (c *console) needTerminal(instead string) error {
	if c.inTTY && c.outTTY {
		return nil
	}
	return usage("without one use "+instead+", or the commands in starling help", "the app needs a terminal")
}

// appLogger keeps logs off the screen.
func (c *console) appLogger() *slog.Logger {
	if c.verbose && !c.errTTY {
		return c.logger()
	}
	return slog.New(slog.DiscardHandler)
}
