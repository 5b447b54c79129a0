package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"starling/cmd/internal/buildinfo"
	"starling/node/api"
	"starling/node/config"
	"starling/node/doctor"
	"starling/node/relay"
)

// codeUnwell ends doctor when a check failed.
const codeUnwell api.Code = "check_failed"

func (a *app) doctorCommand() *cobra.Command {
	var (
		listen       []string
		allowPrivate bool
	)
	cmd := &cobra.Command{
		Use:   "doctor [--listen MULTIADDR...]",
		Short: "Find out what is wrong, and what to do about it",
		Long: `Look at the profile, the machine and the node that runs, and say what is wrong
and what to do about it. Nothing is started or sent to others. Given the passphrase,
it opens the profile as a node would, and closes it again. Checks of the network need
a node that runs: start the app in another terminal.

What it prints names no folder, address or peer id, so that it can be shown to
people who help; --verbose adds them. With --listen it looks at a relay that
runs, or is to run, with these addresses; without, where a relay runs and there
is no profile, at that one. Whether a relay is listed and reached from outside is
what other relays have told it.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := a.profileDir()
			if err != nil {
				return err
			}
			patient := doctor.Patient{Profile: config.Profile{Dir: dir}, PassphraseFile: a.passphraseFile, Version: buildinfo.Get().Version}
			// Taken if it is at hand, and never asked for: somebody may be looking on.
			patient.Passphrase = a.known(cmd.Context())
			if len(listen) > 0 || a.onlyRelay(cmd.Context(), dir) {
				patient.Relay = &doctor.Relay{StateDir: relayDir(dir), Listen: listen, AllowPrivate: allowPrivate}
			} else if node, closer, err := a.engine.Dial(cmd.Context(), dir); err == nil {
				defer closer.Close()
				patient.Node = node
				if patient.Passphrase != "" { // a locked profile answers who knows it
					enter(cmd.Context(), node, func() (string, error) { return patient.Passphrase, nil })
				}
			} else if !errors.Is(err, errNoNode) {
				return err
			}
			return a.examine(cmd.Context(), patient)
		},
	}
	cmd.Flags().StringSliceVar(&listen, "listen", nil, "look at a relay with these `MULTIADDR`s")
	cmd.Flags().BoolVar(&allowPrivate, "allow-private", false, "with --listen: the relay is for a mesh of your own")
	a.jsonFlag(cmd)
	return cmd
}

// known is the passphrase that was given, "" for none: whether it can be read is a
// check of its own.
func (a *app) known(ctx context.Context) string {
	if a.passphraseFile == "" && a.getenv("STARLING_PASSPHRASE") == "" {
		return ""
	}
	p, err := a.passphrase(ctx, "")
	if err != nil {
		return ""
	}
	return p
}

// onlyRelay reports whether a relay runs on a folder that holds no profile.
func (a *app) onlyRelay(ctx context.Context, dir string) bool {
	if exists, err := a.engine.Exists(dir); err != nil || exists {
		return false
	}
	_, err := a.engine.RelayStatus(ctx, relayDir(dir))
	return !errors.Is(err, relay.ErrNotRunning)
}

func (a *app) examine(ctx context.Context, patient doctor.Patient) error {
	failed := 0
	for _, f := range doctor.Examine(ctx, patient, a.verbose) {
		if f.Result == doctor.Failed {
			failed++
		}
		if err := a.print(f, func(w io.Writer) { findingWords(w, f) }); err != nil {
			return err
		}
	}
	if failed == 0 {
		return nil
	}
	words := "1 check failed"
	if failed > 1 {
		words = fmt.Sprintf("%d checks failed", failed)
	}
	return &api.Error{Code: codeUnwell, Message: words}
}

func findingWords(w io.Writer, f doctor.Finding) {
	fmt.Fprintf(w, "%-8s%-18s%s\n", f.Result, f.Check, own(f.Says))
	indent := strings.Repeat(" ", 8+18)
	for _, d := range f.Detail {
		fmt.Fprintf(w, "%s%s\n", indent, own(d))
	}
	if f.Remedy != "" {
		fmt.Fprintf(w, "%s→ %s\n", indent, own(f.Remedy))
	}
}
