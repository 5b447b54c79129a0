package cli

import (
	"context"
	"errors"
	"log/slog"

	"github.com/spf13/cobra"

	"starling/node/api"
)

// screens is what the commands need of package tui.
type screens interface {
	// Setup asks a new user for a name and a passphrase and calls create with
	// them; it shows create's error and asks again. It returns
	// context.Canceled when the user leaves.
	Setup(ctx context.Context, plain bool, create func(name, passphrase string) error) error
	// Run shows the app until the user leaves or ctx ends.
	Run(ctx context.Context, node api.Node, plain bool) error
}

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
		exists, err := a.engine.Exists(dir)
		if err != nil {
			return err
		}
		if !exists {
			return a.firstStart(ctx, dir, plain)
		}
		node, closer, err := a.engine.Dial(ctx, dir)
		if err == nil {
			defer closer.Close()
			return a.screen(ctx, node, plain)
		}
		if !errors.Is(err, errNoNode) {
			return err
		}
		host, err := a.start(ctx, dir, a.appLogger())
		if err != nil {
			return err
		}
		return a.screenOn(ctx, host, plain)
	}
	root.Flags().BoolVar(&plain, "plain", false, "line by line, for screen readers and simple terminals")
	a.networkFlags(root)
}

// firstStart makes a profile with the user and opens the app on it.
func (a *app) firstStart(ctx context.Context, dir string, plain bool) error {
	if err := a.network.check(); err != nil {
		return err
	}
	var passphrase string
	err := a.screens.Setup(ctx, plain, func(name, chosen string) error {
		passphrase = chosen
		return a.engine.Create(ctx, dir, newProfile{name: name, passphrase: chosen})
	})
	if err != nil {
		return err
	}
	host, err := a.engine.Start(ctx, startConfig{profile: dir, passphrase: passphrase, network: a.network, log: a.appLogger()})
	if err != nil {
		return err
	}
	return a.screenOn(ctx, host, plain)
}

// screenOn shows the app on a node of this process and ends the node after it.
func (a *app) screenOn(ctx context.Context, host running, plain bool) error {
	err := a.screen(ctx, host, plain)
	return errors.Join(err, host.Close())
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
