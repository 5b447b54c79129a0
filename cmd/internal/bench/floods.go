package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"starling/cmd/internal/lab/attack"
	"starling/node/testnet/engine"
	testnet "starling/node/testnet/report"
	"starling/node/testnet/runner"
	"starling/node/testnet/scenario"
)

// floods measures the effect of one stranger alone, ten times as fast as relays take
// it, on the mail of others: the scenarios one-… of cmd/internal/lab, beside the quiet
// one.
func floods(ctx context.Context, _ string) error {
	quiet, err := flood(ctx, "quiet")
	if err != nil {
		return err
	}
	for _, name := range []string{"guard", "mailbox", "directory", "dht"} {
		s, err := flood(ctx, "one-"+name)
		if err != nil {
			return err
		}
		sent := "nothing was sent"
		for _, a := range s.Attacks {
			sent = fmt.Sprintf("%d %s", a.Did, a.What)
		}
		what := "flood of the " + name + " at ten times its limit, "
		atLeast(what+"mail shown", float64(s.Shown)/float64(s.Planned), 0.99, "share", sent)
		atMost(what+"p99 beside the quiet run", float64(s.P99)/float64(quiet.P99), 3, "ratio", fmt.Sprintf("%d ms, quiet %d ms", s.P99, quiet.P99))
		atMost(what+"newcomers ready", float64(s.NewcomerMS)/1000, 15, "s", "the slowest of three, in virtual time")
	}
	return nil
}

// scenarios are where the lab keeps its own, from the root of the source.
const scenarios = "cmd/internal/lab/scenarios"

// flood runs one scenario of the lab.
func flood(ctx context.Context, name string) (sum testnet.Summary, err error) {
	file := filepath.Join(scenarios, name+".toml")
	src, err := os.ReadFile(file)
	if err != nil {
		return sum, fmt.Errorf("floods are run from the root of the source: %w", err)
	}
	s, err := scenario.Parse(file, src)
	if err != nil {
		return sum, err
	}
	got, err := runner.Run(ctx, s, runner.Options{Attacks: strangers{}})
	if err != nil {
		return sum, err
	}
	return got.Summary, ctx.Err()
}

// strangers attack from this process.
type strangers struct{}

func (strangers) Check(name string) error                              { return attack.Check(name) }
func (strangers) Command(engine.Stranger) (program string, _ []string) { return "", nil }
func (strangers) Run(ctx context.Context, s engine.Stranger) (engine.Deed, error) {
	return attack.Run(ctx, s)
}
