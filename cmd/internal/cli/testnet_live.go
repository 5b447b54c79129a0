package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"starling/cmd/internal/buildinfo"
	"starling/node/api"
	"starling/node/testnet/live"
	"starling/node/testnet/runner"
	"starling/node/testnet/scenario"
)

// Codes of a mesh that stays.
const (
	codeNoTestnet      api.Code = "no_testnet"
	codeTestnetUp      api.Code = "testnet_up"
	codeTestnetDead    api.Code = "testnet_dead"
	codeTestnetForeign api.Code = "testnet_version"
)

// meshOutcomes are the codes of errors of a mesh, with the hint if it is none of the code's.
var meshOutcomes = []struct {
	is   error
	code api.Code
	hint string
}{
	{live.ErrNone, codeNoTestnet, ""},
	{live.ErrUp, codeTestnetUp, ""},
	{live.ErrDead, codeTestnetDead, ""},
	{live.ErrForeign, codeTestnetForeign, ""},
	{live.ErrStarting, codeNoTestnet, "wait for its line {\"event\":\"ready\",…} and try again"},
	{live.ErrSilent, codeTestnetDead, "end its process, by force if it has to be; then starling testnet down clears up"},
	{live.ErrEnding, codeTestnetDead, "wait a little more, or end its process by force; then starling testnet down clears up"},
	{live.ErrLost, codeTestnetDead, "start it again: starling testnet up SCENARIO.toml"},
}

// meshError gives an error of a mesh its code.
func meshError(err error) error {
	for _, o := range meshOutcomes {
		if errors.Is(err, o.is) {
			return &api.Error{Code: o.code, Message: own(err.Error()).String(), Hint: o.hint}
		}
	}
	if many := (*live.ManyError)(nil); errors.As(err, &many) {
		return usage("say which one: its name comes first", "%s", own(err.Error()))
	}
	return err
}

// meshes are the commands for meshes that stay.
type meshes struct{ *app }

func (a meshes) commands() []*cobra.Command {
	return []*cobra.Command{a.up(), a.status(), a.join(), a.exec(), a.do(), a.logs(), a.down(), a.manifests(), a.seat()}
}

// version is this build, as meshes of others compare it.
func version() string { return buildinfo.Get().Version }

func (a meshes) up() *cobra.Command {
	var name, engine, dir string
	var seed uint64
	cmd := &cobra.Command{
		Use:   "up SCENARIO.toml",
		Short: "Keep a mesh up, until it is told to stop",
		Long: `Start the relays and users of a scenario, make the users contacts as the file says,
and keep them up until SIGINT, SIGTERM or starling testnet down. One JSON line says
when others can use the mesh:

  {"event":"ready","name":"…","bootstrap":["…"],…}

Its messages, events, churn and attacks do not happen, and duration and [messages] may
be left out: you write and break things, with testnet exec and testnet do, and starling --testnet NAME is one more user.
The engine virtual cannot stay up: nobody else lives in its time.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error {
			s, err := parseScenario(cmd.Context(), files[0], engine, scenario.ParseKept)
			if err != nil {
				return err
			}
			if cmd.Flags().Changed("seed") {
				s.Seed = seed
			}
			if name == "" {
				name = s.Name
			}
			return a.keepUp(cmd.Context(), s, name, dir)
		},
	}

	cmd.Flags().StringVar(&name, "name", "", "call the mesh `NAME` instead of the scenario's name")
	cmd.Flags().StringVar(&engine, "engine", "", "use this `ENGINE` instead of the scenario's: loopback, processes, namespaces")
	cmd.Flags().StringVar(&dir, "dir", "", "keep its files in this empty `DIR`, and leave them there (default: a temporary folder)")
	cmd.Flags().Uint64Var(&seed, "seed", 0, "use this seed instead of the scenario's")
	a.alwaysJSON(cmd)
	return cmd
}

// keepUp keeps a mesh up until it is told to stop.
func (a meshes) keepUp(ctx context.Context, s *scenario.Scenario, name, dir string) error {
	const hint = "see docs/TESTNET.md"
	kept := s.Kept(runner.Room)
	if err := errors.Join(live.CheckName(name), kept.Runnable(), runner.Missing(kept)); err != nil {
		return usage(hint, "%s", own(err.Error()))
	}
	if _, err := kept.Plan(); err != nil {
		return usage(hint, "%s", own(err.Error()))
	}
	if dir != "" {
		var err error
		if dir, err = emptyDir(dir); err != nil {
			return err
		}
	}

	program, err := os.Executable()
	if err != nil {
		return err
	}
	options := live.Options{Scenario: s, Name: name, Version: version(), Dir: dir,
		Options: runner.Options{Program: program, Verbose: a.verbose, Say: func(words string) { a.progress("%s: %s", name, words) }},
		Ready:   func(now live.State) error { return a.printJSON(now) },
		Cleared: func() { a.progress("%s: cleared away the remains of one whose process was killed", name) },
	}
	return meshError(live.Keep(ctx, options))
}

// emptyDir makes a folder that has to be empty, and returns its whole path.
func emptyDir(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err != nil {
		return "", usage("choose another folder with --dir", "%v", err)
	}
	entries, err := os.ReadDir(dir)
	if err == nil && len(entries) > 0 {
		err = usage("choose another folder with --dir", "%s is not empty", own(dir))
	}
	return dir, err
}

// nodeName is the name of a relay or user of a mesh.
var nodeName = regexp.MustCompile(`^[ru]\d+$`)

// meshName takes the name of a mesh off the front of arguments of which the rest begins
// with a word that first knows. It may be missing where there is only one mesh.
func meshName(args []string, first func(string) bool) (name string, rest []string) {
	if len(args) > 0 && !(first(args[0]) && (len(args) == 1 || !first(args[1]))) {
		return args[0], args[1:]
	}
	return "", args
}

// findMesh returns the way to a mesh.
func findMesh(ctx context.Context, name string) (*live.Client, error) {
	c, err := live.Find(ctx, name, version())
	return c, meshError(err)
}

func (a meshes) status() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status [NAME]",
		Short: "The meshes that are up, and their nodes",
		Long: `Say which meshes are up, or which nodes of one are. state is starting, up, dead (its
process was killed: starling testnet down clears up), silent or foreign (of another
version).`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			names := args

			if len(args) == 0 {
				var err error
				if names, err = live.Names(); err != nil {
					return err
				}
				if len(names) == 0 && !a.json {
					a.progress("No testnet is up. Start one with: starling testnet up SCENARIO.toml")
				}
			}

			for _, name := range names {
				s, err := live.Status(cmd.Context(), name, version())
				if err != nil {
					return meshError(err)
				}
				if err := a.print(s, func(w io.Writer) { meshWords(w, s, len(args) > 0) }); err != nil {
					return err
				}
			}
			return nil
		},
	}
	a.jsonFlag(cmd)
	return cmd
}

// meshWords says what a mesh is, and each of its nodes if asked.
func meshWords(w io.Writer, s live.State, nodes bool) {
	fmt.Fprintf(w, "%s: %s, engine %s, %d of %d relays up, %d of %d users online, process %d\n",
		own(s.Name), own(s.State), own(s.Engine), s.RelaysUp, len(s.Relays), s.UsersUp, len(s.Users), s.PID)
	if s.State == live.Foreign {
		fmt.Fprintf(w, "  of version %s, and this is %s: it can only be ended, with starling testnet down %s\n", own(s.Version), own(version()), own(s.Name))
	}
	if s.State == live.Up {
		endedWords(w, s)
	}
	if !nodes {
		return
	}
	for _, n := range slices.Concat(s.Relays, s.Users) {
		is := "runs "
		if !n.Running {
			is = "is off"
		}
		fmt.Fprintf(w, "  %-5s %s  %s  %s\n", own(n.Name), is, own(n.Profile), own(strings.Join(n.Addrs, " ")))
	}
}

// endedWords says which nodes of a mesh have ended by themselves.
func endedWords(w io.Writer, s live.State) {
	for _, n := range slices.Concat(s.Relays, s.Users) {
		if n.Ended == "" {
			continue
		}
		again := "online"
		if strings.HasPrefix(n.Name, "r") {
			again = "restart"
		}
		fmt.Fprintf(w, "  %s ended by itself: %s; start it again with starling testnet do %s %s %s\n", own(n.Name), own(n.Ended), own(s.Name), again, own(n.Name))
	}
}

func (a meshes) join() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "join [NAME]",
		Short: "Add a user to a mesh that is up",
		Long: `Add a user to a mesh that is up, with a profile and a node of its own and the first
user that is online as its contact. Use it with testnet exec, or with --profile and
the folder printed, until the mesh goes down.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := findMesh(cmd.Context(), slices.Concat(args, []string{""})[0])
			if err != nil {
				return err
			}
			joined, err := c.Join(cmd.Context())
			if err != nil {
				return meshError(err)
			}

			joined.Secret = ""
			return a.print(joined, func(w io.Writer) {
				fmt.Fprintf(w, "%s has joined %s\n  profile  %s\n", own(joined.User), own(c.Name()), own(joined.Profile))
				if joined.Contact != "" {
					fmt.Fprintf(w, "  contact  %s\n", own(joined.Contact))
				}
			})
		},
	}
	a.jsonFlag(cmd)
	return cmd
}

func (a meshes) do() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "do [NAME] EVENT",
		Short: "Let something happen in a mesh that is up",
		Long: `Let an event happen in a mesh that is up, in the words of scenario files, and wait
until it is done:

  starling testnet do NAME stop 'relays=[0, 3]'     the same as: stop r0 r3
  starling testnet do NAME restart
  starling testnet do NAME partition fraction=0.25
  starling testnet do NAME offline users=1 drain=true

There are stop, restart, kill, offline, online, reopen, crash, fill, free, partition,
heal, block and unblock, as far as the engine can.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			name, words := meshName(args, func(word string) bool {
				do, _, _ := strings.Cut(strings.TrimSpace(word), " ")
				return scenario.IsEvent(do)
			})
			if len(words) == 0 {
				return usage("for example: starling testnet do "+own(name).String()+" stop r0", "which event?")
			}
			c, err := findMesh(cmd.Context(), name)
			if err != nil {
				return err
			}
			done, err := c.Do(cmd.Context(), words)
			if err != nil {
				return meshError(err)
			}
			return a.print(done, func(w io.Writer) {
				fmt.Fprintf(w, "%s: %s", own(c.Name()), done.Event)
				if len(done.Relays) > 0 {
					fmt.Fprintf(w, " relays %v", done.Relays)
				}
				if len(done.Users) > 0 {
					fmt.Fprintf(w, " users %v", done.Users)
				}
				fmt.Fprintf(w, ", done in %d ms\n", done.MS)
			})
		},
	}
	a.jsonFlag(cmd)
	return cmd
}

func (a meshes) down() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "down [NAME]",
		Short: "End a mesh that is up, or clear away the remains of a killed one",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, cleared, err := live.Down(cmd.Context(), slices.Concat(args, []string{""})[0], version())
			if err != nil {
				return meshError(err)
			}

			type down struct {
				Event   string `json:"event"` // "down"
				Name    string `json:"name"`
				Cleared bool   `json:"cleared"` // it was dead already
			}
			return a.print(down{"down", s.Name, cleared}, func(w io.Writer) {
				if cleared {
					fmt.Fprintf(w, "%s was dead; its remains are cleared away\n", own(s.Name))
				} else {
					fmt.Fprintf(w, "%s is down\n", own(s.Name))
				}
			})
		},
	}
	a.jsonFlag(cmd)
	return cmd
}

func (a meshes) exec() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "exec [NAME] NODE COMMAND...",
		Short: "Run a command as a user or relay of a mesh that is up",
		Long: `Run a command of starling on the profile of a node, or any other program with the
node's STARLING_PROFILE and STARLING_PASSPHRASE in its environment, on the node's
machine. Flags of exec come before NAME. The exit code is the command's.

  starling testnet exec NAME u0 send "User 1" hello
  starling testnet exec NAME u1 history "User 0" --json
  starling testnet exec NAME u0 sh -c 'ls $STARLING_PROFILE'`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			name, rest := meshName(args, nodeName.MatchString)
			if len(rest) > 1 && rest[1] == "--" {
				rest = slices.Delete(rest, 1, 2)
			}
			if len(rest) < 2 {
				return usage("for example: starling testnet exec "+own(name).String()+" u0 status", "which command?")
			}
			c, err := findMesh(cmd.Context(), name)
			if err != nil {
				return err
			}
			place, err := c.Node(cmd.Context(), rest[0])
			if err != nil {
				return meshError(err)
			}
			return a.runAs(cmd, place, rest[1:])
		},
	}
	cmd.Flags().SetInterspersed(false)
	cmd.Flags().BoolVar(&a.json, "json", false, "errors of exec itself as JSON; the command has its own --json")
	return cmd
}

// An exited is the exit code of a command that was run, which has said all there is.
type exited int

func (e exited) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// runAs runs a command as a node.
func (a meshes) runAs(cmd *cobra.Command, place live.Place, words []string) error {
	root := cmd.Root()
	if found, _, err := root.Find(words[:1]); words[0] == root.Name() || err == nil && found != root {
		program, err := os.Executable()
		if err != nil {
			return err
		}
		if words[0] == root.Name() {
			words = words[1:]
		}
		words = slices.Concat([]string{program}, words)
	}
	words = slices.Concat(place.Before, words)
	run := exec.Command(words[0], words[1:]...)
	run.Stdin, run.Stdout, run.Stderr = a.in, a.out, a.err
	run.Env = append(os.Environ(), "STARLING_PROFILE="+place.Profile, "STARLING_PASSPHRASE="+place.Secret)
	if err := run.Start(); err != nil {
		return usage("it is a command of starling, or a program of this machine", "cannot run %s: %v", own(words[0]), err)
	}

	// At a terminal the command has had the signal, too.
	stop := context.AfterFunc(cmd.Context(), func() { run.Process.Signal(os.Interrupt) })
	defer stop()
	err := run.Wait()
	if ended := (*exec.ExitError)(nil); errors.As(err, &ended) {
		if ended.ExitCode() < 0 { // by a signal
			return exited(exitInterrupted)
		}
		return exited(ended.ExitCode())
	}
	return err
}

// followEvery is how often logs are looked at.
const followEvery = 200 * time.Millisecond

func (a meshes) logs() *cobra.Command {
	var follow bool
	cmd := &cobra.Command{
		Use:   "logs [NAME] [NODE...]",
		Short: "Print the logs of a mesh and its nodes",
		Long: `Print the logs of all nodes of a mesh that is up, or was until its process was
killed, or of some of them. Nodes log their troubles, and all they do if the mesh
was started with --verbose.`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			name, nodes := meshName(args, nodeName.MatchString)
			s, err := live.Status(cmd.Context(), name, version())
			if err != nil {
				return meshError(err)
			}
			logs := live.OpenLogs(s)
			for _, n := range nodes {
				if !logs.Has(n) {
					return usage("r0 is its first relay, u0 its first user", "the testnet %s has no node %q", own(s.Name), own(n))
				}
			}

			// Text of other programs: own makes it safe for the terminal.
			line := func(node, text string) error {
				if a.json {
					return a.printJSON(map[string]string{"node": node, "line": text})
				}
				_, err := fmt.Fprintf(a.out, "%-5s %s\n", own(node), own(text))
				return err
			}
			for {
				if err := logs.Each(nodes, line); err != nil || !follow {
					return err
				}
				select {
				case <-time.After(followEvery):
				case <-cmd.Context().Done():
					return nil
				}
				if _, err := os.Stat(s.Dir); err != nil {
					return nil // the mesh is down
				}
			}
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with what is logged from now on, until interrupted or the mesh is down")
	a.jsonFlag(cmd)
	return cmd
}

// enter joins a mesh that is up, whose process runs the node of the app.
func (a meshes) enter(ctx context.Context, options *screenOptions) (leave func(), err error) {
	if a.profile != "" {
		return nil, usage("leave out --profile: the testnet makes a profile for its user", "--testnet and --profile do not go together")
	}
	mesh, err := findMesh(ctx, a.testnet)
	if err != nil {
		return nil, err
	}
	a.progress("Joining the testnet %s…", own(mesh.Name()))
	joined, err := mesh.Join(ctx)
	if err != nil {
		return nil, meshError(err)
	}

	a.profile, options.demo = joined.Profile, joined.Secret
	return func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaving)
		defer cancel()
		// A mesh that went down first has ended the node itself.
		_ = mesh.Leave(last, joined.User)
	}, nil
}

// leaving is how long the node of a user that leaves a testnet may take to end.
const leaving = 20 * time.Second
