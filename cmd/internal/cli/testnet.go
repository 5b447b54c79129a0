package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"starling/node/api"
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
send each other, and what goes wrong meanwhile. docs/TESTNET.md has the format.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(a.testnetRunCommand())
	return cmd
}

func (a *app) testnetRunCommand() *cobra.Command {
	var (
		dir, engine string
		seed        uint64
	)
	cmd := &cobra.Command{
		Use:   "run SCENARIO.toml...",
		Short: "Run scenarios and check that every message is shown once and in order",
		Long: `Run scenarios, one after the other, and check on the receiving side that every
message is shown exactly once and in order. The exit code says whether it was.

--report writes a folder with one page (index.html), its charts and all events;
with several scenarios, a folder in it for each. An interrupted run writes it too.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error {
			var scenarios []*scenario.Scenario
			names := map[string]bool{}
			for _, file := range files {
				s, err := readScenario(cmd.Context(), file, engine)
				if err != nil {
					return err
				}
				if names[s.Name] && dir != "" {
					return usage("give one of them another name", "two scenarios are called %q and would share a report", s.Name)
				}
				names[s.Name] = true
				if cmd.Flags().Changed("seed") {
					s.Seed = seed
				}
				if _, err := s.Plan(); err != nil {
					return usage("see docs/TESTNET.md", "%s", own(err.Error()))
				}
				scenarios = append(scenarios, s)
			}
			failed := 0
			for _, s := range scenarios {
				to := dir
				if dir != "" && len(scenarios) > 1 {
					to = filepath.Join(dir, s.Name)
				}
				summary, err := a.runScenario(cmd.Context(), s, to)
				if err != nil {
					return err
				}
				if cmd.Context().Err() != nil {
					return cmd.Context().Err()
				}
				if !summary.Passed() {
					failed++
				}
			}
			if failed > 0 {
				return &api.Error{Code: codeLost, Message: fmt.Sprintf("%d of %d scenarios failed", failed, len(scenarios))}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "report", "", "write the report into this `DIR`")
	cmd.Flags().StringVar(&engine, "engine", "", "use this `ENGINE` instead of the scenario's: loopback, processes, namespaces, virtual")
	cmd.Flags().Uint64Var(&seed, "seed", 0, "use this seed instead of the scenario's")
	a.jsonFlag(cmd)
	return cmd
}

// readScenario reads a file that an engine can run.
func readScenario(ctx context.Context, file, engine string) (*scenario.Scenario, error) {
	const hint = "see docs/TESTNET.md"
	src, err := readFile(ctx, file, scenario.MaxFile+1)
	var where *fs.PathError
	if errors.As(err, &where) {
		return nil, usage(hint, "cannot read the scenario %s: %v", own(file), where.Err)
	}
	if err != nil {
		return nil, err
	}

	s, err := scenario.Parse(file, src)
	if err == nil && engine != "" {
		if err := s.SetEngine(engine); err != nil {
			return nil, usage(hint, "%v", err)
		}
	}
	if err == nil {
		err = s.Runnable()
	}
	if err != nil {
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

// runScenario runs one scenario, tells of it and writes its report.
func (a *app) runScenario(ctx context.Context, s *scenario.Scenario, dir string) (report.Summary, error) {
	if dir != "" { // before minutes of work, not after
		if err := report.Check(dir); err != nil {
			return report.Summary{}, usage("choose another folder with --report", "%v", err)
		}
	}

	program, err := os.Executable()
	if err != nil {
		return report.Summary{}, err
	}

	view := watchMesh(a.err, a.errTTY, s)
	got, err := runner.Run(ctx, s, runner.Options{
		Program: program,
		Logger:  a.appLogger(),
		Say:     view.say,
		Progress: func(p runner.Progress) {
			if a.json {
				a.printJSON(p)
			}
			view.show(p)
		},
	})
	view.end()
	if err != nil {
		return report.Summary{}, err
	}

	if dir != "" {
		if err := got.Write(dir); err != nil {
			return report.Summary{}, err
		}
		a.progress("%s: the report is %s", s.Name, filepath.Join(dir, "index.html"))
	}
	if a.json {
		return got.Summary, a.printJSON(got.Summary)
	}

	sum := got.Summary
	_, err = fmt.Fprintf(a.out, "%s: %s\n    median %d ms, p99 %d ms until shown; %d boxes sent, %d of them again\n",
		s.Name, sum.Verdict(), sum.P50, sum.P99, sum.Puts, sum.Resends)
	return sum, err
}
