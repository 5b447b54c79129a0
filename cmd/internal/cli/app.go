package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/spf13/cobra"

	"starling/node/api"
)

// screens is what the commands need of package tui.
type screens interface {
	// Setup asks a new user for a name and a passphrase, or, if the profile
	// exists, for its passphrase. A problem says why it asks again. It returns
	// errLeft when the user leaves.
	Setup(ctx context.Context, existing bool, problem string) (name, passphrase string, err error)
	// Run shows the app until the user leaves or ctx ends.
	Run(ctx context.Context, node api.Node, plain bool) error
}

// errLeft ends the program without a word.
var errLeft = errors.New("the user has left")

// asApp makes the root command open the terminal app.
func (a *app) asApp(root *cobra.Command) {
	var plain bool
	root.RunE = func(cmd *cobra.Command, _ []string) error {
		ctx := cmd.Context()
		if !plain {
			if err := a.needTerminal("starling --plain"); err != nil {
				return err
			}
		}
		dir, err := a.profileDir()
		if err != nil {
			return err
		}
		node, closer, err := a.engine.Dial(ctx, dir)
		if err == nil {
			defer closer.Close()
			return a.screen(ctx, node, plain)
		}
		if !errors.Is(err, errNoNode) {
			return err
		}
		host, err := a.open(ctx, dir, plain)
		if errors.Is(err, errLeft) {
			return nil
		}
		if err != nil {
			return err
		}
		return errors.Join(a.screen(ctx, host, plain), host.Close())
	}
	root.Flags().BoolVar(&plain, "plain", false, "line by line, for screen readers and pipes")
	a.networkFlags(root)
}

// open starts a node on the profile for the app, after making the profile if
// there is none. What the user can mend is asked for again.
func (a *app) open(ctx context.Context, dir string, plain bool) (running, error) {
	if err := a.network.check(); err != nil {
		return nil, err
	}
	problem := ""
	for {
		existing, err := a.engine.Exists(dir)
		if err != nil {
			return nil, err
		}
		name, passphrase, asked, err := a.credentials(ctx, existing, plain, problem)
		if err != nil {
			return nil, err
		}
		if !existing {
			err = a.engine.Create(ctx, dir, newProfile{name: name, passphrase: passphrase})
		}
		if err == nil {
			var host running
			host, err = a.engine.Start(ctx, startConfig{profile: dir, passphrase: passphrase, network: a.network, log: a.appLogger()})
			if err == nil {
				return host, nil
			}
		}
		mendable := api.CodeOf(err) == api.CodeWrongPassphrase || (!existing && api.CodeOf(err) == api.CodeUsage)
		if !asked || !mendable {
			return nil, err
		}
		problem = err.Error()
	}
}

// credentials asks for what opens or makes a profile. It reports whether a
// person was asked and may be asked again.
func (a *app) credentials(ctx context.Context, existing, plain bool, problem string) (name, passphrase string, asked bool, err error) {
	given := a.passphraseFile != "" || a.getenv("STARLING_PASSPHRASE") != ""
	switch {
	case existing && given:
		passphrase, err = a.passphrase("")
		return "", passphrase, false, err
	case !plain:
		name, passphrase, err = a.screens.Setup(ctx, existing, problem)
		return name, passphrase, true, err
	case !a.inTTY && !existing:
		return "", "", false, &api.Error{Code: api.CodeNoProfile, Message: "there is no profile yet"}
	}
	if problem != "" {
		fmt.Fprintf(a.err, "starling: %s\n", problem)
	}
	if existing {
		passphrase, err = a.passphrase("Passphrase: ")
		return "", passphrase, true, err
	}
	fmt.Fprint(a.err, "Welcome to Starling. Your name, as your contacts will see it: ")
	if name, err = readLine(a.in); err != nil {
		return "", "", false, err
	}
	passphrase, err = a.newPassphrase()
	return name, passphrase, !given, err
}

// readLine reads a line byte by byte and takes nothing of what follows it.
func readLine(r io.Reader) (string, error) {
	var line []byte
	for b := make([]byte, 1); len(line) <= api.MaxName+1; {
		n, err := r.Read(b)
		if n == 1 {
			if b[0] == '\n' {
				break
			}
			line = append(line, b[0])
		}
		if err != nil {
			if err == io.EOF && len(line) > 0 {
				break
			}
			return "", fmt.Errorf("read name: %w", err)
		}
	}
	return strings.TrimSpace(string(line)), nil
}

// screen shows the app. Ending it with a signal is as good as leaving it.
func (a *app) screen(ctx context.Context, node api.Node, plain bool) error {
	err := a.screens.Run(ctx, node, plain)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// needTerminal refuses to draw on what is no terminal.
func (a *app) needTerminal(instead string) error {
	if a.inTTY && a.outTTY {
		return nil
	}
	return usage("without one use "+instead+", or the commands in starling help", "the app needs a terminal")
}

// appLogger keeps logs off the screen.
func (a *app) appLogger() *slog.Logger {
	if a.verbose && !a.errTTY {
		return a.logger()
	}
	return slog.New(slog.DiscardHandler)
}
