package setup

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	xterm "golang.org/x/term"

	"starling/tui/catalogue"
)

// Read asks line by line on the terminal. It is [Draw] where nothing can be
// drawn.
func Read(opts Options) (Result, error) {
	fd := int(os.Stdin.Fd())
	if !xterm.IsTerminal(fd) {
		return Result{}, errors.New("there is no terminal to ask for a passphrase on")
	}
	return read(os.Stdin, os.Stdout, opts, func() (string, error) {
		b, err := xterm.ReadPassword(fd)
		fmt.Fprintln(os.Stdout)
		return string(b), err
	})
}

// read asks line by line. secret reads a line without showing it.
func read(in io.Reader, out io.Writer, opts Options, secret func() (string, error)) (Result, error) {
	var r Result
	w := catalogue.New(opts.Language)

	if opts.Problem != "" {
		fmt.Fprintln(out, w.Text(opts.Problem))
	}
	if opts.Existing {
		fmt.Fprintf(out, "%s\n%s: ", w.Text(unlockIntro), w.Text("Passphrase"))
		pass, err := secret()
		r.Passphrase = pass
		return r, err
	}

	fmt.Fprintf(out, "%s. %s\n%s\n", w.Text("Welcome to Starling"), w.Text(who), w.Text(limits))
	if opts.Demo {
		fmt.Fprintln(out, w.Text("To look at it first, type /demo as the name."))
	}

	// It is asked until the answers are right.
	lines := bufio.NewScanner(in)
	for {
		fmt.Fprintf(out, "%s (%s) ", w.Text("Your name"), w.Text(nameHint))
		if !lines.Scan() {
			return Result{}, errors.Join(ErrCancelled, lines.Err())
		}
		r.Name = strings.TrimSpace(lines.Text())
		if opts.Demo && r.Name == "/demo" {
			return Result{}, ErrDemo
		}

		fmt.Fprintf(out, "%s\n%s: ", w.Text(passHint), w.Text("Passphrase"))
		pass, err := secret()
		if err != nil {
			return Result{}, err
		}
		fmt.Fprintf(out, "%s: ", w.Text("Passphrase again"))
		again, err := secret()
		if err != nil {
			return Result{}, err
		}

		r.Passphrase = pass
		problem, _ := wrong(w, r, again)
		if problem == "" {
			return r, nil
		}
		fmt.Fprintln(out, problem)
	}
}
