package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// An event is one line of `go test -json`, see `go doc test2json`.
type event struct {
	Action, Package, ImportPath, Test, Output string
}

// results are the outcomes of a run.
type results struct {
	outcome map[string]string   // "package TestName" → pass, fail, skip
	output  map[string][]string // of tests that have not ended, by the same names
	failed  bool
	// packages is how many failed.
	packages int
	down     bool // a package was not built or not run to its end
}

func newResults() *results {
	return &results{outcome: map[string]string{}, output: map[string][]string{}}
}

// read takes events to the end of in and prints the lines of go test without -json: a
// line for each package, and all output of a failing test.
func (r *results) read(in io.Reader, out io.Writer) error {
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			r.take(line, out)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (r *results) take(line string, out io.Writer) {
	var e event
	if json.Unmarshal([]byte(line), &e) != nil {
		io.WriteString(out, line) // go itself speaks
		return
	}

	name := strings.TrimPrefix(e.Package, module) + " " + e.Test
	switch e.Action {
	case "build-output":
		io.WriteString(out, e.Output)
	case "build-fail":
		r.failed, r.down = true, true
	case "output":
		if strings.HasPrefix(e.Output, "panic: ") || strings.HasPrefix(e.Output, "fatal error: ") {
			r.down = true
		}
		if e.Test != "" {
			r.output[name] = append(r.output[name], e.Output)
		} else if e.Output != "PASS\n" {
			io.WriteString(out, e.Output)
		}
	case "pass", "fail", "skip":
		if e.Action == "fail" {
			r.failed = true
			if e.Test == "" {
				r.packages++
			}
			r.tell(name, out)
		}
		if e.Test != "" {
			r.outcome[name] = e.Action
			delete(r.output, name)
		}
	}
}

// tell prints the output of a failed test, or of all tests of a failed package
// that have not ended: one of them took the process down.
func (r *results) tell(name string, out io.Writer) {
	var names []string
	for other := range r.output {
		if other == name || strings.HasSuffix(name, " ") && strings.HasPrefix(other, name) {
			names = append(names, other)
		}
	}
	slices.Sort(names)
	r.down = r.down || len(names) > 0 && strings.HasSuffix(name, " ")
	for _, name := range names {
		for _, line := range r.output[name] {
			io.WriteString(out, line)
		}
		delete(r.output, name)
	}
}

// mostAgain is how many failed tests are run again. More do not fail by chance.
const mostAgain = 3

// again runs failed tests once more, if they are few and every package came to its end. Tests
// that play whole meshes draw their numbers anew each time: of hundreds one may fail by chance
// on a busy machine. Nothing is hidden: the first failure is printed, and a line that it did
// not come again. A test that fails twice has failed, and one that skips then has not passed.
func (r *results) again(run func(pkg, test string) *results, out io.Writer) {
	var failed []string
	packages := map[string]bool{} // that failed, each with a test to show for it
	for name, outcome := range r.outcome {
		pkg, test, _ := strings.Cut(name, " ")
		if outcome == "fail" && !strings.Contains(test, "/") {
			failed = append(failed, name)
			packages[pkg] = true
		}
	}
	if r.down || len(failed) == 0 || len(failed) > mostAgain || len(packages) != r.packages {
		return
	}

	slices.Sort(failed)
	r.failed = false
	for _, name := range failed {
		pkg, test, _ := strings.Cut(name, " ")
		fmt.Fprintf(out, "again: %s %s\n", pkg, test)
		second := run(pkg, test)
		if second.failed || second.outcome[name] != "pass" {
			r.failed = true
			continue
		}
		fmt.Fprintf(out, "by chance: %s %s failed, and passed when it was run again\n", pkg, test)
		maps.Copy(r.outcome, second.outcome)
	}
}

// broken returns a line for each promise that the run does not hold.
func (r *results) broken(root string, all []promise) (lines []string) {
	for _, p := range all {
		for _, test := range p.tests {
			if strings.Contains(test, " Fuzz") {
				continue // its seeds run as a test, and are reported by some versions only
			}
			switch r.outcome[test] {
			case "pass":
			case "":
				lines = append(lines, fmt.Sprintf("%s:%d: %s did not run", p.doc, p.line, test))
			default:
				lines = append(lines, fmt.Sprintf("%s:%d: %s: %s", p.doc, p.line, test, r.outcome[test]))
			}
		}
		for _, figure := range p.figures {
			if _, err := os.Stat(filepath.Join(root, figure)); err != nil {
				lines = append(lines, fmt.Sprintf("%s:%d: figure %s is missing", p.doc, p.line, figure))
			}
		}
	}
	return lines
}
