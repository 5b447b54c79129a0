// Command promises reads the output of `go test -json`, prints it as go test does, and
// then holds the documents to it: each test that docs/THREATMODEL.md or docs/ATTACKS.md
// names must have run and passed, and each figure must be there. A promise with a
// skipped, renamed or deleted test fails the run as a failing test does. Up to three failed
// tests are run once more, and a line says so.
//
//	go test -json ./... | go run ./cmd/internal/promises
//
// The exit code is 1 if a test failed or a promise is not held.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
)

const module = "starling/"

func main() {
	r := newResults()
	if err := r.read(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "promises:", err)
		os.Exit(1)
	}

	r.again(runAgain, os.Stdout)

	all, err := read(".")
	if err != nil {
		fmt.Fprintln(os.Stderr, "promises:", err)
		os.Exit(1)
	}
	broken := r.broken(".", all)
	for _, line := range broken {
		fmt.Fprintln(os.Stderr, line)
	}
	if len(broken) > 0 || r.failed {
		os.Exit(1)
	}
	fmt.Printf("promises: all %d of %v are held by tests that passed\n", len(all), documents)
}

// runAgain runs one test of a package, as named without the module, and prints what go test says.
func runAgain(pkg, test string) *results {
	r := newResults()
	c := exec.Command("go", "test", "-json", "-count=1", "-timeout", "15m", "-run", "^"+regexp.QuoteMeta(test)+"$", module+pkg)
	c.Stderr = os.Stderr
	lines, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "promises:", err)
		r.failed = true
		return r
	}

	err = r.read(lines, os.Stdout)
	if ended := c.Wait(); err != nil || ended != nil {
		r.failed = true
	}
	return r
}
