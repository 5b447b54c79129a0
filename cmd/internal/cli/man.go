package cli

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"starling/cmd/internal/buildinfo"
)

// manCommand writes a man page for every command. It is for packagers: make man.
//
// Cobra's own generator would bring parsers of Markdown and YAML into the
// binary that people run, and lists flags as they are and not as help does.
func (a *app) manCommand() *cobra.Command {
	return &cobra.Command{
		Use:    "man DIR",
		Short:  "Write the man pages into a folder",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return err
			}
			return writeManPages(cmd.Root(), args[0])
		},
	}
}

func writeManPages(cmd *cobra.Command, dir string) error {
	if cmd.IsAdditionalHelpTopicCommand() || cmd.Hidden || cmd.Name() == "help" {
		return nil
	}
	if err := os.WriteFile(filepath.Join(dir, manName(cmd)+".1"), manPage(cmd), 0o644); err != nil {
		return err
	}
	for _, sub := range cmd.Commands() {
		if err := writeManPages(sub, dir); err != nil {
			return err
		}
	}
	return nil
}

func manName(cmd *cobra.Command) string { return strings.ReplaceAll(cmd.CommandPath(), " ", "-") }

// manPage is the page of one command in the man macros that both groff and
// mandoc read.
func manPage(cmd *cobra.Command) []byte {
	// Cobra adds it only when a command runs.
	cmd.InitDefaultHelpFlag()
	var b bytes.Buffer

	fmt.Fprintf(&b, ".TH %s 1 %s %s \"Starling\"\n", roffArg(strings.ToUpper(manName(cmd))), roffArg(manDate()), roffArg("starling "+buildinfo.Get().Version))
	fmt.Fprintf(&b, ".SH NAME\n%s \\- %s\n", roff(manName(cmd)), roff(cmd.Short))
	fmt.Fprintf(&b, ".SH SYNOPSIS\n.B %s\n", roff(strings.TrimSuffix(cmd.UseLine(), " [flags]")))
	if cmd.HasAvailableFlags() {
		b.WriteString("[\\fIflags\\fR]\n")
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, ".br\n.B %s\n\\fIcommand\\fR\n", roff(cmd.CommandPath()))
	}

	if cmd.Long != "" {
		b.WriteString(".SH DESCRIPTION\n")
		roffText(&b, cmd.Long)
	}
	roffFlags(&b, "OPTIONS", cmd.NonInheritedFlags())
	roffFlags(&b, "OPTIONS OF EVERY COMMAND", cmd.InheritedFlags())

	if cmd.HasAvailableSubCommands() {
		b.WriteString(".SH COMMANDS\n")
		for _, sub := range cmd.Commands() {
			if sub.IsAvailableCommand() {
				fmt.Fprintf(&b, ".TP\n.B %s\n%s\n", roff(sub.Name()), roff(sub.Short))
			}
		}
	}

	b.WriteString(".SH EXIT STATUS\n")
	for _, e := range exits {
		fmt.Fprintf(&b, ".TP\n.B %d\n%s\n", e.code, roff(e.meaning))
	}

	b.WriteString(".SH SEE ALSO\n")
	also := []string{}
	if cmd.HasParent() {
		also = append(also, manName(cmd.Parent()))
	}
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() && sub.Name() != "help" {
			also = append(also, manName(sub))
		}
	}
	for i, name := range also {
		end := ",\n"
		if i == len(also)-1 {
			end = "\n"
		}
		fmt.Fprintf(&b, ".BR %s (1)%s", roff(name), end)
	}
	return b.Bytes()
}

// manDate is the day of the release, which packagers give in $SOURCE_DATE_EPOCH, or nothing.
func manDate() string {
	seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64)
	if err != nil {
		return ""
	}
	return time.Unix(seconds, 0).UTC().Format(time.DateOnly)
}

func roffFlags(b *bytes.Buffer, title string, flags *pflag.FlagSet) {
	if !flags.HasAvailableFlags() {
		return
	}
	fmt.Fprintf(b, ".SH %s\n", title)
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		b.WriteString(".TP\n")
		if f.Shorthand != "" {
			fmt.Fprintf(b, "\\fB%s\\fR, ", roff("-"+f.Shorthand))
		}
		fmt.Fprintf(b, "\\fB%s\\fR", roff("--"+f.Name))
		if value != "" {
			fmt.Fprintf(b, " \\fI%s\\fR", roff(value))
		}
		fmt.Fprintf(b, "\n%s\n", roff(usage))
	})
}

// roffText writes paragraphs; indented lines are kept as they are.
func roffText(b *bytes.Buffer, text string) {
	literal := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if indented := strings.HasPrefix(line, "  "); indented != literal && line != "" {
			b.WriteString(map[bool]string{true: ".RS 4\n.nf\n", false: ".fi\n.RE\n"}[indented])
			literal = indented
		}
		if line == "" {
			if !literal {
				b.WriteString(".PP\n")
			}
			continue
		}
		fmt.Fprintln(b, roff(strings.TrimPrefix(line, "  ")))
	}
	if literal {
		b.WriteString(".fi\n.RE\n")
	}
}

// roff makes text mean itself: no escapes, no request at the start of a line,
// and a hyphen that can be copied into a shell.
func roff(s string) string {
	s = strings.NewReplacer(`\`, `\e`, "-", `\-`).Replace(s)
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		s = `\&` + s
	}
	var b strings.Builder
	for _, r := range s {
		if r < 0x80 {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, `\[u%04X]`, r) // not every groff reads UTF-8
		}
	}
	return b.String()
}

func roffArg(s string) string { return `"` + strings.ReplaceAll(roff(s), `"`, `\(dq`) + `"` }
