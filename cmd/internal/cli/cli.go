// Package cli is the command line of Starling: the commands, their output and their
// exit codes. docs/COMMANDS.md is its manual, with the promises to scripts.
//
// A command that needs a messenger asks [app.connect] for one: the control
// socket of the node that already runs on the profile, or a node of its own
// that lives as long as the command. Commands therefore only ever see a
// node/api.Node.
//
// Results go to standard output, everything else (logs, prompts, errors with
// their hints) to standard error. A passphrase is never an argument. Text that
// a contact chose is a safetext.Text by type and indented when it is shown, so
// that no message can pose as a second one.
package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"starling/cmd/internal/buildinfo"
	"starling/node/api"
)

// Main runs the command that os.Args names and returns its exit code.
func Main() int {
	a := &app{engine: realEngine{}, screens: realScreens{}, settle: settleTime, hangups: make(chan struct{}, 1)}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) { // nohup
		signal.Notify(signals, syscall.SIGHUP) // the terminal was closed
	}
	a.listenHangups = func() { signal.Notify(signals, syscall.SIGHUP) }
	go heed(signals, a, stop)

	a.console = console{
		in:     os.Stdin,
		out:    os.Stdout,
		err:    os.Stderr,
		getenv: os.Getenv, environ: os.Environ,
		inTTY:  term.IsTerminal(int(os.Stdin.Fd())),
		outTTY: term.IsTerminal(int(os.Stdout.Fd())),
		errTTY: term.IsTerminal(int(os.Stderr.Fd())),
	}
	a.prompt = a.promptTerminal
	return a.run(ctx, os.Args[1:])
}

// heed ends the command in order at the first signal; the second one ends it at once. A
// command that listens to hangups reads its configuration anew at one.
func heed(signals chan os.Signal, a *app, stop func()) {
	for s := range signals {
		if s == syscall.SIGHUP && a.rereads.Load() {
			select {
			case a.hangups <- struct{}{}:
			default: // one is waiting
			}
			continue
		}
		signal.Stop(signals)
		stop()
		return
	}
}

// app is one run of the program: its console, and the flags that every command
// has.
type app struct {
	console
	engine  engine
	screens screens

	profile string
	testnet string        // the app is a user of this one
	settle  time.Duration // how long others may take with the profile
	look    look
	network network

	rereads       atomic.Bool   // hangups end nothing
	hangups       chan struct{} // one came
	listenHangups func()        // also where they were ignored
}

// console is where the program reads and writes, and how.
type console struct {
	in                    io.Reader
	out, err              io.Writer
	getenv                func(string) string
	environ               func() []string
	inTTY, outTTY, errTTY bool
	// prompt asks a person for a secret without showing it.
	prompt func(ctx context.Context, question string) (string, error)

	passphraseFile string
	verbose        bool
	json           bool
	ids            bool // print the ids of messages
	names          *roomNames
}

// network is how a node that this command starts finds other relays.
type network struct {
	bootstrap    []string
	allowPrivate bool
	lan          bool // ask the local network; admits private addresses
	proxy        string
}

func (a *app) run(ctx context.Context, args []string) int {
	root := a.root()
	args = joinLists(root, args)
	root.SetArgs(args)
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)

	started := false
	root.PersistentPreRun = func(*cobra.Command, []string) {
		started = true
		a.network.allowPrivate = a.network.allowPrivate || a.network.lan
	}
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	if code := exited(0); errors.As(err, &code) {
		return int(code)
	}
	if !started {
		// cobra could not make sense of the command line.
		var known *api.Error
		if !errors.As(err, &known) {
			// Its suggestions are on lines of their own.
			first, rest, _ := strings.Cut(err.Error(), "\n")
			hint := "see starling help"
			if suggested := strings.Fields(rest); len(suggested) > 0 {
				hint = "did you mean starling " + suggested[len(suggested)-1] + "? See starling help"
			}
			err = &api.Error{Code: api.CodeUsage, Message: first, Hint: hint}
		}
		// The flag may stand behind the part that could not be read.
		for _, arg := range args {
			a.json = a.json || arg == "--json"
		}
	}
	return a.fail(ctx, err)
}

// Commands stand in the order of their use.
func init() { cobra.EnableCommandSorting = false }

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "starling",
		Short:         "A messenger with no server in the middle",
		Long:          `A messenger with no server to block. Without a command: the app on your profile.`,
		Version:       buildinfo.Get().Version,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetVersionTemplate("starling {{.Version}}\n")
	flags := root.PersistentFlags()
	flags.StringVar(&a.profile, "profile", "", "`DIR` of the profile (default $STARLING_PROFILE)")
	flags.StringVar(&a.passphraseFile, "passphrase-file", "", "the first line of this `FILE` is the passphrase")
	flags.BoolVarP(&a.verbose, "verbose", "v", false, "log more to standard error")

	a.asApp(root)
	for _, g := range []struct {
		id, title string
		commands  []*cobra.Command
	}{
		{"start", "Start:", []*cobra.Command{a.demoCommand(), a.initCommand(), a.nodeCommand(), a.relayCommand()}},
		{"people", "People:", []*cobra.Command{a.inviteCommand(), a.contactCommand(), rooms{a}.command()}},
		{"talk", "Talk:", []*cobra.Command{
			a.sendCommand(), saveCommand(a), a.tailCommand(), a.historyCommand(), a.searchCommand(), a.readCommand(), a.draftCommand(),
			a.editCommand(), a.deleteCommand(), a.reactCommand(), a.forwardCommand(), a.retryCommand(), a.discardCommand(),
			clearCommand(a), exportCommand(a),
		}},
		{"profile", "Profile:", []*cobra.Command{a.settingsCommand(), bridgeCommand(a), a.passphraseCommand(), a.backupCommand(), a.restoreCommand(), a.wipeCommand()}},
		{"look", "Look behind:", []*cobra.Command{a.statusCommand(), a.doctorCommand(), a.testnetCommand(), a.versionCommand()}},
	} {
		root.AddGroup(&cobra.Group{ID: g.id, Title: g.title})
		for _, cmd := range g.commands {
			cmd.GroupID = g.id
			root.AddCommand(cmd)
		}
	}

	// What cobra adds by itself: its help and version have places of ours.
	root.AddCommand(a.manCommand())
	root.SetHelpCommandGroupID("look")
	root.SetCompletionCommandGroupID("look")
	root.InitDefaultHelpCmd()
	root.InitDefaultHelpFlag()
	cobra.CheckErr(root.Flags().MarkHidden("help")) // it was asked for a moment ago
	root.InitDefaultVersionFlag()
	cobra.CheckErr(root.Flags().MarkHidden("version")) // there is a command

	usageOfOthers := root.UsageFunc()
	root.SetUsageFunc(func(cmd *cobra.Command) error {
		if cmd.HasParent() {
			return usageOfOthers(cmd)
		}
		return overview(cmd.OutOrStderr(), cmd)
	})
	root.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	return root
}

// overview is the usage of the program: all commands on one screen.
func overview(w io.Writer, root *cobra.Command) error {
	var page bytes.Buffer
	for _, g := range root.Groups() {
		fmt.Fprintln(&page, g.Title)
		for _, cmd := range root.Commands() {
			if cmd.GroupID == g.ID && (cmd.IsAvailableCommand() || cmd.Name() == "help") {
				fmt.Fprintf(&page, "  %-11s %s\n", cmd.Name(), cmd.Short)
			}
		}
	}
	fmt.Fprintf(&page, "Flags; a command's own: starling COMMAND --help\n%s", root.LocalFlags().FlagUsages())
	_, err := w.Write(page.Bytes())
	return err
}

// jsonFlag gives a command --json.
func (c *console) jsonFlag(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&c.json, "json", false, "print JSON: one object, or one object a line")
}

// alwaysJSON gives --json to a command that prints JSON anyhow; it adds the
// error object.
func (c *console) alwaysJSON(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&c.json, "json", false, "errors as JSON too; the output always is")
}

// networkFlags gives a command the flags that matter when it starts a node.
func (a *app) networkFlags(cmd *cobra.Command) {
	cmd.Flags().StringSliceVar(&a.network.bootstrap, "bootstrap", nil, "`MULTIADDR`s of relays to start from")
	cmd.Flags().BoolVar(&a.network.allowPrivate, "allow-private", false, "admit loopback and LAN relays: a mesh of your own")
	cmd.Flags().BoolVar(&a.network.lan, "lan", false, "ask the local network for relays, aloud")
	cmd.Flags().StringVar(&a.network.proxy, "proxy", "", "dial over `socks5://…` alone ($STARLING_PROXY)")
}

// logger writes to standard error: warnings, or everything with --verbose.
func (c *console) logger() *slog.Logger {
	level := slog.LevelWarn
	if c.verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(c.err, &slog.HandlerOptions{Level: level}))
}
