package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"starling/node/api"
	"starling/node/testnet/engine/seats"
	"starling/node/testnet/report"
	"starling/node/testnet/runner"
	"starling/node/testnet/scenario"
)

// codeLost: a testnet found messages missing, doubled or out of order.
const codeLost api.Code = "messages_lost"

func (a *app) testnetCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "testnet",
		Short: "Meshes for developers",
		Long: `Run whole meshes on this machine from a scenario file: relays, users, what they
send each other, and what goes wrong meanwhile. docs/TESTNET.md has the format.

run carries a scenario out and checks what came of it; up keeps its mesh for as long
as you like, and the other commands are for meshes that are up. starling --testnet
NAME is the app as one more user of one.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.testnetRunCommand())
	cmd.AddCommand(meshes{a}.commands()...)
	return cmd
}

// evidence is what a run leaves behind.
type evidence struct {
	dir   string // of reports; "" for none
	junit string // a file; "" for none
	keep  bool   // logs of all nodes
	seeds int    // how many, from the scenario's on
	seats string // of which mesh on other machines; "" for this one

	cases []report.Case
}

// maxSeeds bounds --seeds.
const maxSeeds = 1000

func (a *app) testnetRunCommand() *cobra.Command {
	var (
		e      evidence
		engine string
		seed   uint64
	)
	cmd := &cobra.Command{
		Use:   "run SCENARIO.toml...",
		Short: "Run scenarios and check that every message is shown once and in order",
		Long: `Run scenarios, one after the other, and check on the receiving side that every
message is shown exactly once and in order. The exit code says whether it was.

--report writes a folder with one page (index.html), its charts, the metrics of every
node and all events; with several scenarios, a folder in it for each. An interrupted
run writes it too. The logs of all nodes are kept when a run fails, and always with
--keep, which makes nodes log all they do. --seeds runs each scenario many times and
reports how the runs differ; a bar on p99 is then held over all of them.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error {
			if e.seeds < 1 || e.seeds > maxSeeds {
				return usage("", "--seeds is %d; it is 1 to %d", e.seeds, maxSeeds)
			}

			// All are read before the first runs: a mistake in the last would show after an hour.
			var scenarios []*scenario.Scenario
			names := map[string]bool{}
			for _, file := range files {
				s, err := readScenario(cmd.Context(), file, engine, e.seats != "")
				if err != nil {
					return err
				}
				if names[s.Name] && e.dir != "" {
					return usage("give one of them another name", "two scenarios are called %q and would share a report", s.Name)
				}
				names[s.Name] = true
				if cmd.Flags().Changed("seed") {
					s.Seed = seed
				}
				if err := planned(s, e.seeds); err != nil {
					return err
				}
				scenarios = append(scenarios, s)
			}
			return meshes{a}.runAll(cmd.Context(), scenarios, &e)
		},
	}

	cmd.Flags().StringVar(&e.dir, "report", "", "write the report into this `DIR`")
	cmd.Flags().BoolVar(&e.keep, "keep", false, "keep the logs of all nodes, with all they do, also of runs that pass")
	cmd.Flags().StringVar(&e.junit, "junit", "", "write what passed and failed into this `FILE`, as JUnit's XML")
	cmd.Flags().IntVar(&e.seeds, "seeds", 1, "run each scenario with `N` seeds, one after the other")
	cmd.Flags().StringVar(&e.seats, "seats", "", "run on the pods of testnet manifests, by their `NAME`; needs $STARLING_TESTNET_TOKEN")
	cmd.Flags().StringVar(&engine, "engine", "", "use this `ENGINE` instead of the scenario's: loopback, processes, namespaces, virtual")
	cmd.Flags().Uint64Var(&seed, "seed", 0, "use this seed instead of the scenario's")
	a.jsonFlag(cmd)
	return cmd
}

// planned returns why one of the seeds makes no schedule, before minutes of work.
func planned(s *scenario.Scenario, seeds int) error {
	for i := range uint64(seeds) {
		if _, err := seeded(s, i).Plan(); err != nil {
			return usage("see docs/TESTNET.md", "%s", own(err.Error()))
		}
	}
	return nil
}

// seeded is a scenario with the seed so many behind its own.
func seeded(s *scenario.Scenario, more uint64) *scenario.Scenario {
	other := *s
	other.Seed += more
	return &other
}

// readScenario reads a file that an engine can run.
func readScenario(ctx context.Context, file, engine string, seated bool) (*scenario.Scenario, error) {
	const hint = "see docs/TESTNET.md"
	s, err := parseScenario(ctx, file, engine, scenario.Parse)
	if err != nil {
		return nil, err
	}
	if seated {
		s.Engine = scenario.Seats
	}
	if err := s.Runnable(); err != nil {
		return nil, usage(hint, "%s", own(err.Error()))
	}
	if err := runner.Missing(s); err != nil {
		return nil, usage(hint, "%s: %v", own(file), err)
	}
	if len(s.Hostile) > 0 {
		return nil, usage("in the source of Starling: go run ./cmd/internal/lab FILE", "%s has hostile machines, and what they do is no part of this program", own(file))
	}
	return s, nil
}

// parseScenario reads a file, for the engine it names or another one.
func parseScenario(ctx context.Context, file, engine string, parse func(string, []byte) (*scenario.Scenario, error)) (*scenario.Scenario, error) {
	const hint = "see docs/TESTNET.md"
	src, err := readFile(ctx, file, scenario.MaxFile+1)
	var where *fs.PathError
	if errors.As(err, &where) {
		return nil, usage(hint, "cannot read the scenario %s: %v", own(file), where.Err)
	}
	if err != nil {
		return nil, err
	}

	s, err := parse(file, src)
	if err == nil && engine != "" {
		if err := s.SetEngine(engine); err != nil {
			return nil, usage(hint, "%v", err)
		}
	}
	if err == nil {
		err = s.Load()
	}
	if err != nil {
		return nil, usage(hint, "%s", own(err.Error()))
	}
	return s, nil
}

// runAll runs scenarios, one after the other.
func (a meshes) runAll(ctx context.Context, scenarios []*scenario.Scenario, e *evidence) (err error) {
	if e.junit != "" {
		if err := os.WriteFile(e.junit, report.JUnit(nil), 0o644); err != nil { // before minutes of work, not after
			return usage("choose another file with --junit", "%v", err)
		}
		defer func() {
			err = errors.Join(err, os.WriteFile(e.junit, report.JUnit(e.cases), 0o644))
		}()
	}

	failed := 0
	for _, s := range scenarios {
		to := e.dir
		if e.dir != "" && len(scenarios) > 1 {
			to = filepath.Join(e.dir, s.Name)
		}
		passed, err := a.runSeeds(ctx, s, to, e)
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !passed {
			failed++
		}
	}
	if failed > 0 {
		return &api.Error{Code: codeLost, Message: fmt.Sprintf("%d of %d scenarios failed", failed, len(scenarios))}
	}
	return nil
}

// runSeeds runs one scenario, once or with many seeds, and writes its report into a
// folder, "" for none.
func (a meshes) runSeeds(ctx context.Context, s *scenario.Scenario, dir string, e *evidence) (passed bool, err error) {
	if dir != "" { // before minutes of work, not after
		if err := report.Check(dir); err != nil {
			return false, usage("choose another folder with --report", "%v", err)
		}
	}
	if e.seeds == 1 {
		got, err := a.runScenario(ctx, s, e)
		if err != nil {
			return false, err
		}
		if dir != "" {
			err = a.written(s.Name, dir, got.Write(dir), got)
		}
		return got.Summary.Passed(), err
	}

	spread := report.NewSpread(s.Bar)
	var all []*report.Report
	for i := range uint64(e.seeds) {
		one := seeded(s, i)
		// Held over all runs: a single one has too few messages for a 99th percentile.
		one.Bar.P99 = 0
		got, err := a.runScenario(ctx, one, e)
		if err != nil {
			return false, err
		}
		all = append(all, got)
		if spread.Add(got); ctx.Err() != nil {
			break
		}
	}
	if a.json {
		err = a.printJSON(spread)
	} else {
		_, err = fmt.Fprintf(a.out, "%s: %s\n", s.Name, spread.Verdict())
	}
	if dir != "" && err == nil {
		err = a.written(s.Name, dir, spread.Write(dir, all), all...)
	}
	return spread.OK(), err
}

// written says where a report is. It has the logs then, and their first place goes.
func (a meshes) written(name, dir string, err error, reports ...*report.Report) error {
	if err != nil {
		return err
	}
	for _, r := range reports {
		if r.Logs != "" {
			os.RemoveAll(r.Logs)
		}
	}
	a.progress("%s: the report is %s", name, filepath.Join(dir, "index.html"))
	return nil
}

// runScenario runs one scenario once, and tells of it.
func (a meshes) runScenario(ctx context.Context, s *scenario.Scenario, e *evidence) (got *report.Report, err error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	options := runner.Options{Program: program, Verbose: e.keep}
	if e.seats != "" {
		options.Seats = seats.Access{At: func(node string) string { return seats.Host(e.seats, node) }, Token: a.getenv(envToken)}
	}
	if a.verbose && !a.errTTY {
		options.Logger = a.logger()
	}
	logs := ""
	// Made when it is needed: a run that passes leaves no folder.
	options.Keep = func() (string, error) {
		logs, err = os.MkdirTemp("", "starling-logs-"+s.Name+"-")
		return logs, err
	}

	view := watchMesh(a.err, a.errTTY, s)
	options.Say = view.say
	options.Progress = func(p runner.Progress) {
		if a.json {
			a.printJSON(p)
		}
		view.show(p)
	}
	got, err = runner.Run(ctx, s, options)
	view.end()
	if logs != "" && (err != nil || e.dir == "") {
		a.progress("%s: the logs of all nodes are in %s", s.Name, logs)
	}
	if err != nil {
		e.cases = append(e.cases, report.Case{Summary: report.Summary{Name: s.Name, Engine: s.Engine, Seed: s.Seed}, Failed: err.Error()})
		return nil, err
	}

	sum := got.Summary
	e.cases = append(e.cases, report.Case{Summary: sum})
	if a.json {
		return got, a.printJSON(sum)
	}
	_, err = fmt.Fprintf(a.out, "%s: %s\n%s", s.Name, sum.Verdict(), figures(sum))
	return got, err
}

// figures is a line with those that are known.
func figures(s report.Summary) string {
	var words []string
	if s.Shown > 0 {
		words = append(words, fmt.Sprintf("median %d ms, p99 %d ms until shown", s.P50, s.P99))
	}
	if s.Puts != nil {
		words = append(words, fmt.Sprintf("%d boxes sent, %d of them again", *s.Puts, report.Value(s.Resends)))
	}
	if len(words) == 0 {
		return ""
	}
	return "    " + strings.Join(words, "; ") + "\n"
}
