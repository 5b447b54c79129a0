// Command mutants breaks a package in one small place after the other and looks whether
// its tests notice.
//
//	go run ./cmd/internal/mutants [-run regexp] [-v] ./p2p/outfox ./p2p/mix
//
// It does what go-gremlins does not: it deletes statements and bounds.
//
//	delete    a call, an assignment, ++, a send, a defer, break or continue does not happen
//	never     the condition of an if, or a case, is false
//	always    the condition of an if is true
//	without   one side of && or || does not count, or one argument of min or max
//	boundary  < is <=, and the other way round
//
// All mutants of a package are in one test binary, and an environment variable switches
// one on, so that each costs a run of tests and no build: of those that come to it, the
// quick ones first. A mutant is killed when they fail, or do not end; how many did not is
// printed apart, because on a busy machine a test may be late for its own reasons. Those that live are
// printed. Tests run with -short, in which the second implementation in Python does not.
//
// The file equivalent.txt beside this one names those that cannot be told from the
// program, with the reason. A line that names no mutant any more is an error. The end
// status is 0 when at least 95 % of the others are killed in every package.
package main

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
)

// bar is the least share of mutants killed, of those that are not equivalent.
const bar = 0.95

//go:embed equivalent.txt
var equivalents string

func main() {
	only := flag.String("run", "", "only mutants whose description matches")
	verbose := flag.Bool("v", false, "print the killed ones, too")
	workers := flag.Int("p", runtime.GOMAXPROCS(0), "mutants at a time")
	flag.Parse()
	match, err := regexp.Compile(*only)
	if err != nil {
		fatal(err)
	}
	known, err := parseEquivalents(equivalents)
	if err != nil {
		fatal(err)
	}

	good := true
	for _, name := range flag.Args() {
		pkg, err := load(name)
		if err != nil {
			fatal(err)
		}
		r := &runner{pkg: pkg, match: match, verbose: *verbose, known: known}
		if err := r.run(*workers); err != nil {
			fatal(fmt.Errorf("%s: %w", pkg.name, err))
		}
		good = r.report(*only == "") && good
	}
	if !good {
		os.Exit(1)
	}
}

func fatal(err error) {
	fmt.Fprintln(os.Stderr, "mutants:", err)
	os.Exit(2)
}

// equivalent is a mutant that nobody can tell from the program.
type equivalent struct {
	what, why string
	used      bool
}

// parseEquivalents reads lines of a mutant's description and, after " # ", the reason.
func parseEquivalents(text string) ([]*equivalent, error) {
	var list []*equivalent
	for s := bufio.NewScanner(strings.NewReader(text)); s.Scan(); {
		line := strings.TrimSpace(s.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		what, why, ok := strings.Cut(line, " # ")
		if !ok || strings.TrimSpace(why) == "" {
			return nil, fmt.Errorf("equivalent.txt: %q has no reason", line)
		}
		list = append(list, &equivalent{what: strings.TrimSpace(what), why: why})
	}
	return list, nil
}

// runner tries the mutants of one package.
type runner struct {
	pkg     *source
	match   *regexp.Regexp
	verbose bool
	known   []*equivalent

	binary string
	took   map[string]time.Duration // by test, without a mutant
	reach  map[int][]string         // the tests that come to a mutant

	mu                 sync.Mutex
	killed, equivalent int
	late               int // of the killed: tests did not end
	alive              []mutant
}

// build makes the test binary with all mutants in it.
func (r *runner) build(dir string) error {
	overlay := struct{ Replace map[string]string }{map[string]string{}}
	for name, text := range r.pkg.changed() {
		file := filepath.Join(dir, filepath.Base(name))
		if err := os.WriteFile(file, text, 0o600); err != nil {
			return err
		}
		overlay.Replace[name] = file
	}
	list, err := json.Marshal(overlay)
	if err != nil {
		return err
	}
	file := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, list, 0o600); err != nil {
		return err
	}
	r.binary = filepath.Join(dir, "package.test")
	out, err := exec.Command("go", "test", "-c", "-vet=off", "-overlay", file, "-o", r.binary, r.pkg.path).CombinedOutput()
	if err != nil {
		return fmt.Errorf("the mutants do not compile: %w\n%s", err, out)
	}
	return nil
}

// quick is for how long a test may take that is tried before the others.
const quick = 100 * time.Millisecond

// kills reports whether the tests that come to a mutant notice it, and whether that is because they do not end.
func (r *runner) kills(n int) (killed, late bool) {
	var first, then []string
	for _, t := range r.reach[n] {
		if r.took[t] <= quick {
			first = append(first, t)
		} else {
			then = append(then, t)
		}
	}
	for _, tests := range [][]string{first, then} {
		limit := 5 * time.Second
		for _, t := range tests {
			limit += 4 * r.took[t]
		}
		if len(tests) == 0 {
			continue
		}
		began := time.Now()
		if ok, _ := r.test(tests, limit, "MUTANT="+strconv.Itoa(n)); !ok {
			return true, time.Since(began) >= limit
		}
	}
	return false, false
}

// test runs tests under a setting and reports whether they pass.
func (r *runner) test(tests []string, limit time.Duration, setting string) (bool, []byte) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, r.binary, "-test.failfast", "-test.short",
		"-test.run", "^("+strings.Join(tests, "|")+")$", "-test.timeout", limit.String())
	cmd.Dir = r.pkg.dir
	cmd.Env = append(os.Environ(), setting)
	out := new(bytes.Buffer)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.WaitDelay = time.Second
	return cmd.Run() == nil, out.Bytes()
}

// record runs every test by itself, without a mutant, for how long it takes and which
// mutants it comes to.
func (r *runner) record(dir string) error {
	list := exec.Command(r.binary, "-test.list", "^(Test|Fuzz|Example)")
	list.Dir = r.pkg.dir
	names, err := list.Output()
	if err != nil {
		return err
	}

	r.took, r.reach = make(map[string]time.Duration), make(map[int][]string)
	file := filepath.Join(dir, "reached")
	for _, t := range strings.Fields(string(names)) {
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			return err
		}
		begin := time.Now()
		if ok, out := r.test([]string{t}, 10*time.Minute, "MUTANTS_REACHED="+file); !ok {
			return fmt.Errorf("%s fails without a mutant:\n%s", t, out)
		}
		r.took[t] = time.Since(begin)
		reached, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		for _, word := range strings.Fields(string(reached)) {
			if n, err := strconv.Atoi(word); err == nil {
				r.reach[n] = append(r.reach[n], t)
			}
		}
	}
	return nil
}

func (r *runner) run(workers int) error {
	dir, err := os.MkdirTemp("", "mutants-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := r.build(dir); err != nil {
		return err
	}
	if err := r.record(dir); err != nil {
		return err
	}

	work := make(chan mutant)
	var done sync.WaitGroup
	for range workers {
		done.Go(func() {
			for m := range work {
				killed, late := r.kills(m.n)
				r.note(m, !killed, late)
			}
		})
	}
	for _, m := range r.pkg.mutants {
		if r.match.MatchString(m.String()) {
			work <- m
		}
	}
	close(work)
	done.Wait()
	return nil
}

// note counts a mutant. One that is named as equivalent and is killed is not.
func (r *runner) note(m mutant, alive, late bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	named := false
	for _, e := range r.known {
		if e.what == m.what {
			e.used, named = true, true
		}
	}

	switch {
	case !alive:
		r.killed++
		if late {
			r.late++
		}
		if r.verbose {
			fmt.Println("killed  ", m)
		}
	case named:
		r.equivalent++
	default:
		r.alive = append(r.alive, m)
		fmt.Println("survived", m)
	}
}

// report prints the share and says whether it is enough. whole: all were tried.
func (r *runner) report(whole bool) bool {
	share := 1.0
	if n := r.killed + len(r.alive); n > 0 {
		share = float64(r.killed) / float64(n)
	}
	fmt.Printf("%s: %d mutants, %d killed (%d by tests that did not end), %d equivalent, %d survived: %.1f %%\n", r.pkg.name,
		r.killed+r.equivalent+len(r.alive), r.killed, r.late, r.equivalent, len(r.alive), 100*share)
	good := share >= bar
	for _, e := range r.known {
		if file, _, _ := strings.Cut(e.what, " "); whole && !e.used && path.Dir(file) == r.pkg.name {
			fmt.Printf("equivalent.txt names what is no mutant: %s\n", e.what)
			good = false
		}
	}
	return good
}
