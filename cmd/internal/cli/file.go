package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"starling/node/api"
	"starling/tui/attach"
)

// enclosure is a picture or a file to send beside a text.
type enclosure struct{ picture, file string }

func (e *enclosure) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&e.picture, "picture", "", "send this PNG, JPEG, GIF or WebP `FILE`, made smaller than 48 KiB if need be")
	cmd.Flags().StringVar(&e.file, "file", "", "send this `FILE` of any kind as it is, at most 48 KiB")
}

// given reports whether there is one.
func (e *enclosure) given() bool { return e.picture != "" || e.file != "" }

// put reads it into a request. It announces it on standard error, before it is sent.
func (e *enclosure) put(ctx context.Context, c *console, req *api.SendRequest) error {
	flag, path, kind, what := "--picture", e.picture, attach.AsPicture, "the picture's file"
	switch {
	case e.picture != "" && e.file != "":
		return usage("send two messages", "a message has one picture or one file")
	case e.file != "":
		flag, path, kind, what = "--file", e.file, attach.AsFile, "the file"
	}

	data, err := readFile(ctx, path, attach.Most(kind))
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return usage("check the path given to "+flag, "%s: %v", flag[2:], err)
	case len(data) == 0 && kind == attach.AsPicture:
		return usage("check the path given to "+flag, "%s is empty", what)
	}

	it, err := attach.Make(ctx, path, data, kind)
	if err != nil {
		return err
	}
	for _, note := range it.Notes(fmt.Sprintf) {
		fmt.Fprintln(c.err, own(note))
	}
	with := it.Request("", "", "")
	req.Picture, req.File = with.Picture, with.File
	return nil
}

// A saved file, as JSON.
type saved struct {
	Saved string `json:"saved"` // absolute path
	Name  string `json:"name"`  // as its sender called it, cleaned
	Size  int    `json:"size"`
}

func saveCommand(a *app) *cobra.Command {
	return a.onNode(&cobra.Command{
		Use:   "save MESSAGE [PATH]",
		Short: "Save the picture or file of a message",
		Long: `Save the picture or file that came with a message, whose id is in the JSON of
history, tail and search, and in their words with --ids. PATH is a new file, or a
folder; without it, this folder. In a folder the file gets its sender's name, without
any path in it, and another one if that is taken. Nothing is overwritten, and
nothing is made executable. A PATH of - is standard output.`,
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			path := "."
			if len(args) > 1 {
				path = args[1]
			}

			return a.with(cmd.Context(), func(node *connection) error {
				m, err := node.Message(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				return a.saveFrom(&m, path)
			})
		},
	})
}

// saveFrom writes the picture or file of a message.
func (c *console) saveFrom(m *api.Message, path string) error {
	name, data, ok := attach.Received(m)
	if !ok {
		return usage("see starling history CONTACT --ids", "no picture or file came with this message")
	}
	if path == "-" {
		_, err := c.out.Write(data)
		return err
	}

	if path == "" {
		return usage("leave it out to save in this folder", "the path is empty")
	}
	path, err := filepath.Abs(attach.Target(path, name))
	if err == nil {
		err = attach.Save(path, data)
	}
	if err != nil {
		var known *api.Error
		if errors.As(err, &known) {
			return &api.Error{Code: known.Code, Message: fmt.Sprintf("%s: %s", own(path), known.Message), Hint: known.Hint}
		}
		return err
	}
	return c.print(saved{path, name, len(data)}, func(w io.Writer) {
		fmt.Fprintf(w, "Saved %d bytes to %s\n", len(data), own(path))
	})
}
