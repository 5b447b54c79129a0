package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"github.com/spf13/cobra"

	"starling/node/api"
)

// backupSecret is where the passphrase of a backup comes from. It is another
// one than the profile's if the owner wants, and never an argument either.
type backupSecret struct{ file string }

func (s *backupSecret) flag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.file, "backup-passphrase-file", "", "read the backup's passphrase from the first line of this `FILE`")
}

// envBackup is the variable that holds the passphrase of a backup.
const envBackup = "STARLING_BACKUP_PASSPHRASE"

func (c *console) backupPassphrase(ctx context.Context, s backupSecret, isNew bool) (string, error) {
	if s.file != "" {
		return readPassphrase(ctx, "--backup-passphrase-file", s.file)
	}
	if p := c.getenv(envBackup); p != "" {
		return p, nil
	}

	if !c.inTTY {
		return "", &api.Error{
			Code:    api.CodeWrongPassphrase,
			Message: "no passphrase was given for the backup",
			Hint:    "use --backup-passphrase-file FILE or $" + envBackup + ", or run this in a terminal to be asked",
		}
	}

	const question = "Passphrase of the backup: "
	if !isNew {
		return c.prompt(ctx, question)
	}
	p, err := c.promptTwice(ctx, question)
	if err == nil && p == "" {
		err = usage("choose one: the file holds everything", "the passphrase is empty")
	}
	return p, err
}

func (a *app) backupCommand() *cobra.Command {
	var secret backupSecret
	cmd := a.onNode(&cobra.Command{
		Use:   "backup FILE",
		Short: "Write the whole profile, encrypted, to a new file",
		Long: `Write the whole profile, encrypted with a passphrase of its own, to a new file
in the age format (age-encryption.org). Whoever has both is you: keep them apart.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			// The node has a working directory of its own.
			path, err := filepath.Abs(args[0])
			if err != nil {
				return err
			}

			passphrase, err := a.backupPassphrase(cmd.Context(), secret, true)
			if err != nil {
				return err
			}

			return a.with(cmd.Context(), func(node *connection) error {
				if err := node.Backup(cmd.Context(), api.BackupRequest{Path: path, Passphrase: passphrase}); err != nil {
					return err
				}
				return a.print(map[string]string{"backup": path}, func(w io.Writer) {
					fmt.Fprintf(w, "Wrote the profile to %s\n", own(path))
				})
			})
		},
	})

	secret.flag(cmd)
	return cmd
}

func (a *app) restoreCommand() *cobra.Command {
	var secret backupSecret
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Make a profile from a backup",
		Long: `Make a profile from a backup, in a folder that has none. It is opened with the
passphrase that the profile had when the backup was made.

Sessions in a backup are old: when the restored profile starts, your contacts
and you get new ones, and are told so. Compare the safety numbers again. Never
use a profile in two places: the contacts' messages would go to one of them.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, err := a.newProfileDir()
			if err != nil {
				return err
			}
			passphrase, err := a.backupPassphrase(cmd.Context(), secret, false)
			if err != nil {
				return err
			}
			err = a.settled(cmd.Context(), func() error { return a.engine.Restore(cmd.Context(), dir, args[0], passphrase) })
			if errors.Is(err, fs.ErrNotExist) {
				err = usage("check the path", "there is no file %s", own(args[0]))
			}
			if err != nil {
				return err
			}
			return a.print(map[string]string{"profile": dir}, func(w io.Writer) {
				fmt.Fprintf(w, "Restored the profile into %s\n", own(dir))
			})
		},
	}
	secret.flag(cmd)
	a.jsonFlag(cmd)
	return cmd
}

func (a *app) wipeCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "wipe",
		Short: "Destroy the profile: keys, contacts and messages",
		Long: `Destroy the profile: its keys first, then its files. The node that runs on it
ends. This cannot be undone, needs no passphrase, and contacts are not told.
Backups and copies elsewhere are not touched.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := a.existingProfile()
			if err != nil {
				return err
			}

			if !yes {
				if !a.inTTY {
					return usage("add --yes", "nobody was asked whether the profile is to be destroyed")
				}
				fmt.Fprintf(a.err, "Destroy the profile in %s? Type yes: ", own(dir))
				if answer, err := a.readLine(cmd.Context()); err != nil || answer != "yes" {
					return usage("", "the answer was not yes; nothing was changed")
				}
			}

			if err := a.wipe(cmd.Context(), dir); err != nil {
				return err
			}
			return a.print(map[string]string{"wiped": dir}, func(w io.Writer) { fmt.Fprintln(w, "The profile is destroyed.") })
		},
	}

	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	a.jsonFlag(cmd)
	return cmd
}

// wipe asks the node that runs, which holds the files, or does it here.
func (a *app) wipe(ctx context.Context, dir string) error {
	return a.local(ctx, dir,
		func(node api.Node) error { return node.Wipe(ctx) },
		func() error { return a.engine.Wipe(ctx, dir) })
}
