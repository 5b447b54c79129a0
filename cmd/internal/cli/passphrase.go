package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"starling/node/api"
)

// envNew is the variable that holds the passphrase that a profile gets.
const envNew = "STARLING_NEW_PASSPHRASE"

func (a *app) passphraseCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "passphrase",
		Short: "Change the passphrase of the profile",
		Long: `Give the profile another passphrase, and other keys with it: whoever has an old
copy of the profile's files, and learns the old passphrase, opens that copy and
nothing of what comes after. A backup made before keeps its own passphrase, and the
profile restored from it opens with the old one.

The old one is asked for, or taken from --passphrase-file or $STARLING_PASSPHRASE;
the new one is asked for twice, or taken from --new-passphrase-file or
$STARLING_NEW_PASSPHRASE. A node that runs goes on.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := a.existingProfile()
			if err != nil {
				return err
			}

			// Old before new, also where both come from a pipe.
			old, err := a.passphrase(cmd.Context(), "Passphrase now: ")
			if err != nil {
				return err
			}
			next, err := a.nextPassphrase(cmd.Context(), file)
			if err != nil {
				return err
			}

			if err := a.changePassphrase(cmd.Context(), dir, old, next); err != nil {
				return err
			}
			return a.print(map[string]string{"profile": dir}, func(w io.Writer) {
				fmt.Fprintln(w, "The profile has the new passphrase.")
			})
		},
	}

	cmd.Flags().StringVar(&file, "new-passphrase-file", "", "the first line of this `FILE` is the new passphrase")
	a.jsonFlag(cmd)
	return cmd
}

// nextPassphrase is the one that the profile gets: a prompt asks twice.
func (c *console) nextPassphrase(ctx context.Context, file string) (string, error) {
	next := c.getenv(envNew)
	var err error
	switch {
	case file != "":
		next, err = readPassphrase(ctx, "--new-passphrase-file", file)
	case next != "":
	case !c.inTTY:
		return "", &api.Error{Code: api.CodeUsage, Message: "no new passphrase was given",
			Hint: "use --new-passphrase-file FILE or $" + envNew + ", or run this in a terminal to be asked"}
	default:
		next, err = c.promptTwice(ctx, "New passphrase: ")
	}
	if err == nil && next == "" {
		err = emptyPassphrase
	}
	return next, err
}

// changePassphrase asks the node that runs, which holds the files, or does it here.
func (a *app) changePassphrase(ctx context.Context, dir, old, next string) error {
	return a.local(ctx, dir,
		func(node api.Node) error {
			return node.ChangePassphrase(ctx, api.PassphraseRequest{Old: old, New: next})
		},
		func() error { return a.engine.ChangePassphrase(ctx, dir, old, next) })
}
