// Command bench measures the cost of Starling and prints one JSON line per figure, with
// the bar it is held to (DESIGN, section 7, and docs/ARCHITECTURE.md). Run it with make
// bench, on a machine that does nothing else.
//
// Ratios are taken in one run on one machine. A figure without a bar is there
// to be watched. Timings are never tests: the program ends with 0 for any figures, and
// with 1 only when something could not be measured.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"time"
)

// A result is one line of output.
type result struct {
	Name   string  `json:"bench"`
	Value  float64 `json:"value"`
	Unit   string  `json:"unit"`
	Bar    string  `json:"bar,omitempty"`
	Within *bool   `json:"within,omitempty"` // the bar is held
	Note   string  `json:"note,omitempty"`
}

func main() {
	binary := flag.String("binary", "bin/starling", "the program to measure")
	only := flag.String("only", "", "measure only this `part`: parts, binary, mailbox, users, messages, histories, screens, idle, relay or floods")
	libsignal := flag.String("libsignal", "", "measure only sessions, beside the libsignal installed in this `folder`")
	dir := flag.String("serve", "", "be the relay with its state in this `folder` that users measures")
	bootstrap := flag.String("bootstrap", "", "where that relay finds others")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	if *libsignal != "" {
		if err := besideLibsignal(ctx, *libsignal); err != nil {
			fmt.Fprintf(os.Stderr, "bench libsignal: %v\n", err)
			os.Exit(1)
		}
		return
	}

	// The other process of users.
	if *dir != "" {
		if err := serve(ctx, *dir, *bootstrap); err != nil {
			fmt.Fprintf(os.Stderr, "bench relay: %v\n", err)
			os.Exit(1)
		}
		return
	}

	// A part that fails does not keep the others from being measured.
	failed := false
	for _, part := range []struct {
		name string
		run  func(context.Context, string) error
	}{
		{"parts", parts},
		{"binary", binarySize},
		{"mailbox", mailboxes},
		{"users", users},
		{"messages", messages},
		{"histories", histories},
		{"screens", screens},
		{"idle", idle},
		{"relay", asked},
		{"floods", floods},
	} {
		if *only != "" && *only != part.name {
			continue
		}
		if err := part.run(ctx, *binary); err != nil {
			fmt.Fprintf(os.Stderr, "bench %s: %v\n", part.name, err)
			failed = true
		}
	}

	if failed {
		os.Exit(1)
	}
}

// report prints one figure.
func report(r result) {
	enc := json.NewEncoder(os.Stdout)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(r); err != nil {
		panic(err) // a result holds only text and numbers
	}
}

// atMost reports a figure with an upper bar.
func atMost(name string, value, bar float64, unit, note string) {
	within := value <= bar
	report(result{name, round(value), unit, fmt.Sprintf("<= %g", bar), &within, note})
}

// atLeast reports a figure with a lower bar.
func atLeast(name string, value, bar float64, unit, note string) {
	within := value >= bar
	report(result{name, round(value), unit, fmt.Sprintf(">= %g", bar), &within, note})
}

// watch reports a figure without a bar.
func watch(name string, value float64, unit, note string) {
	report(result{Name: name, Value: round(value), Unit: unit, Note: note})
}

func round(v float64) float64 { return float64(int64(v*1000+0.5)) / 1000 }

// quantile returns the value below which q of the sorted times lie.
func quantile(times []time.Duration, q float64) time.Duration {
	slices.Sort(times)
	return times[min(len(times)-1, int(q*float64(len(times))))]
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func binarySize(_ context.Context, binary string) error {
	info, err := os.Stat(binary)
	if err != nil {
		return err
	}
	watch("binary size", float64(info.Size())/(1<<20), "MiB", "static, stripped")
	return nil
}
