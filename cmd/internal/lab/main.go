// Command lab runs scenarios with hostile machines: those of `starling testnet run`
// with [[hostile]] tables, on the engines virtual and namespaces.
//
//	go run ./cmd/internal/lab [--engine E] [--seed N] [--report DIR] FILE...
//
// The attacks of the machines are in package attack. It is no part of Starling: the
// program that people run has neither an attack in it nor a switch for one. On the
// engine namespaces each machine is a process of this program in a namespace of its
// own, and the nodes are a starling that is built beside it (--program, or
// bin/starling).
//
// The exit code is 9 if a message was not shown, once and in order, or a bar was missed.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"

	"starling/cmd/internal/lab/attack"
	"starling/node/testnet/engine"
	"starling/node/testnet/report"
	"starling/node/testnet/runner"
	"starling/node/testnet/scenario"
)

const (
	exitFailed = 1
	exitUsage  = 2
	exitLost   = 9
)

// attackCommand is the first argument of a process that is one hostile machine; the
// second is the machine as JSON.
const attackCommand = "attack"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) == 3 && os.Args[1] == attackCommand {
		os.Exit(code(machine(ctx, os.Args[2])))
	}
	os.Exit(code(run(ctx, os.Args[1:])))
}

// errLost ends a run of scenarios that did not all pass.
var errLost = errors.New("not every scenario passed")

func code(err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, flag.ErrHelp):
		return exitUsage
	}
	fmt.Fprintln(os.Stderr, "lab:", err)
	if errors.Is(err, errLost) {
		return exitLost
	}
	return exitFailed
}

// machine is one hostile machine, until it is ended. Then it reports its deed.
func machine(ctx context.Context, described string) error {
	var s engine.Stranger
	if err := json.Unmarshal([]byte(described), &s); err != nil {
		return err
	}
	did, err := attack.Run(ctx, s)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(did)
}

// attacks hands the attacks to an engine.
type attacks struct{}

func (attacks) Check(name string) error { return attack.Check(name) }
func (attacks) Run(ctx context.Context, s engine.Stranger) (engine.Deed, error) {
	return attack.Run(ctx, s)
}
func (attacks) Command(s engine.Stranger) (program string, args []string) {
	described, err := json.Marshal(s)
	if err != nil {
		panic(err) // of numbers and texts
	}
	program, err = os.Executable()
	if err != nil {
		program = os.Args[0]
	}
	return program, []string{attackCommand, string(described)}
}

func run(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("lab", flag.ContinueOnError)
	on := flags.String("engine", "", "use this engine instead of the scenario's: virtual, namespaces")
	seed := flags.String("seed", "", "use this seed instead of the scenario's")
	dir := flags.String("report", "", "write the reports into this folder")
	program := flags.String("program", "bin/starling", "the starling that the engine namespaces runs")
	if err := flags.Parse(args); err != nil {
		return flag.ErrHelp
	}
	if flags.NArg() == 0 {
		return errors.New("which scenarios? cmd/internal/lab/scenarios has some")
	}

	lost := false
	for _, file := range flags.Args() {
		s, err := load(file, *on, *seed)
		if err != nil {
			return err
		}
		got, err := runner.Run(ctx, s, runner.Options{
			Program: *program, Attacks: attacks{}, Logger: slog.New(slog.DiscardHandler),
			Say: func(words string) { fmt.Fprintf(os.Stderr, "%s: %s\n", s.Name, words) },
		})
		if err != nil {
			return err
		}
		sum := got.Summary
		fmt.Println(line(sum))
		if *dir != "" {
			if err := got.Write(filepath.Join(*dir, s.Name)); err != nil {
				return err
			}
		}
		lost = lost || !sum.Passed()
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	if lost {
		return errLost
	}
	return nil
}

// line is one line about an attack: its deeds, and the fate of the messages.
func line(s report.Summary) string {
	said := fmt.Sprintf("%s: %s", s.Name, s.Verdict())
	for _, a := range s.Attacks {
		said += fmt.Sprintf(" %s from %d machines: %d %s.", a.Do, a.Machines, a.Did, a.What)
	}
	return said + fmt.Sprintf(" Until shown: median %d ms, p99 %d ms. Newcomers ready in %.1f s. Strange addresses dialled: %d. %.0f s in all.",
		s.P50, s.P99, float64(s.NewcomerMS)/1000, report.Value(s.StrayDials), float64(s.WallMS)/1000)
}

// load reads a scenario that its engine can run.
func load(file, on, seed string) (*scenario.Scenario, error) {
	src, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	s, err := scenario.Parse(file, src)
	if err != nil {
		return nil, err
	}
	if on != "" {
		if err := s.SetEngine(on); err != nil {
			return nil, err
		}
	}
	if seed != "" {
		if s.Seed, err = strconv.ParseUint(seed, 10, 64); err != nil {
			return nil, fmt.Errorf("seed: %w", err)
		}
	}
	if err := s.Runnable(); err != nil {
		return nil, err
	}
	return s, runner.Missing(s)
}
