package cli

import (
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"starling/node/api"
)

func clearCommand(a *app) *cobra.Command {
	var yes bool
	cmd := a.onNode(&cobra.Command{
		Use:   "clear CONTACT",
		Short: "Erase the messages of a conversation, and keep the contact",
		Long: `Erase all messages of a conversation here, and its draft. The contact, the keys and
how the conversation is kept stay; the contact is not told, and keeps their copies.
What is on its way still arrives. It cannot be undone.`,
		Args:              cobra.ExactArgs(1),
		ValidArgsFunction: completeConversations(a, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !yes {
				if !a.inTTY {
					return usage("add --yes", "nobody was asked whether the messages are to be erased")
				}
				fmt.Fprintf(a.err, "Erase all messages of the conversation with %s here? Type yes: ", own(args[0]))
				if answer, err := a.readLine(cmd.Context()); err != nil || answer != "yes" {
					return usage("", "the answer was not yes; nothing was changed")
				}
			}

			return a.with(cmd.Context(), func(node *connection) error {
				if err := node.ClearConversation(cmd.Context(), args[0]); err != nil {
					return err
				}
				return a.print(map[string]string{"cleared": args[0]}, func(w io.Writer) {
					fmt.Fprintln(w, "Erased here. The contact stays, and still has their copies.")
				})
			})
		},
	})

	cmd.Flags().BoolVar(&yes, "yes", false, "do not ask")
	return cmd
}

func exportCommand(a *app) *cobra.Command {
	var format string
	cmd := a.onNode(&cobra.Command{
		Use:   "export CONTACT FILE",
		Short: "Write a conversation to a file that people can read",
		Long: `Write the messages of a conversation to a new file: as text, as JSON (an object a line,
as from history) or as a page of HTML without scripts. Everybody who has the file can
read it; only you may open it on this machine.`,
		Args: cobra.ExactArgs(2),
		ValidArgsFunction: func(cmd *cobra.Command, args []string, to string) ([]cobra.Completion, cobra.ShellCompDirective) {
			if len(args) == 1 {
				return nil, cobra.ShellCompDirectiveDefault
			}
			return completeConversations(a, 1)(cmd, args, to)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			req := api.ExportRequest{Contact: args[0], Format: api.ExportFormat(format)}
			switch req.Format {
			case api.ExportText, api.ExportJSON, api.ExportHTML:
			default:
				return usage("use text, json or html", "%s is no format of an export", own(format))
			}

			// The node has a working directory of its own.
			var err error
			if req.Path, err = filepath.Abs(args[1]); err != nil {
				return err
			}
			return a.with(cmd.Context(), func(node *connection) error {
				if err := node.Export(cmd.Context(), req); err != nil {
					return err
				}
				return a.print(map[string]string{"export": req.Path}, func(w io.Writer) {
					fmt.Fprintf(w, "Wrote the conversation to %s. It is not encrypted.\n", own(req.Path))
				})
			})
		},
	})

	cmd.Flags().StringVar(&format, "format", string(api.ExportText), "`text`, json or html")
	cobra.CheckErr(cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions([]string{"text", "json", "html"}, cobra.ShellCompDirectiveNoFileComp)))
	return cmd
}
