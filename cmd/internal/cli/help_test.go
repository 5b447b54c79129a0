package cli

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"starling/node/api"
	"starling/node/api/safetext"
)

// All commands fit on one screen, and none is left out.
func TestOverviewIsOneScreen(t *testing.T) {
	s := newShell(t)
	s.want(exitOK, "--help")
	lines := strings.Split(strings.TrimSpace(s.out.String()), "\n")
	if len(lines) > 54 {
		t.Errorf("%d lines", len(lines))
	}
	for _, line := range lines {
		if utf8.RuneCountInString(line) > 80 {
			t.Errorf("%d columns: %s", utf8.RuneCountInString(line), line)
		}
	}
	for _, cmd := range (&app{}).root().Commands() {
		if !cmd.Hidden && !strings.Contains(s.out.String(), "\n  "+cmd.Name()+" ") {
			t.Errorf("%s is not in the overview", cmd.Name())
		}
	}
}

// eachCommand calls f for all commands that a user may run.
func eachCommand(f func(*cobra.Command)) {
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		if cmd.Hidden || cmd.Name() == "help" {
			return
		}
		f(cmd)
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
	}
	root := (&app{}).root()
	root.InitDefaultCompletionCmd()
	walk(root)
}

// The manual has every command, and every flag somewhere.
func TestManualIsComplete(t *testing.T) {
	b, err := os.ReadFile("../../../docs/COMMANDS.md")
	if err != nil {
		t.Fatal(err)
	}
	manual := string(b)
	eachCommand(func(cmd *cobra.Command) {
		if !cmd.Runnable() || cmd.HasParent() && cmd.Parent().Name() == "completion" {
			return
		}
		full, last := cmd.CommandPath(), cmd.Name()
		if !strings.Contains(manual, "`"+full) && !strings.Contains(manual, "`"+last+" ") && !strings.Contains(manual, "`"+last+"`") {
			t.Errorf("%s is not in docs/COMMANDS.md", full)
		}
	})
	for _, s := range ownSettings {
		if !strings.Contains(manual, "\n| `"+s.name+"` | ") {
			t.Errorf("the setting %s is not in docs/COMMANDS.md", s.name)
		}
	}
}

func TestManPages(t *testing.T) {
	dir := t.TempDir()
	s := newShell(t)
	s.want(exitOK, "man", dir)
	pages := 0
	eachCommand(func(cmd *cobra.Command) {
		pages++
		page, err := os.ReadFile(filepath.Join(dir, manName(cmd)+".1"))
		if err != nil {
			t.Error(err)
			return
		}
		text := string(page)
		for _, want := range []string{".TH ", ".SH NAME\n", ".SH SYNOPSIS\n", ".SH EXIT STATUS\n", ".SH SEE ALSO\n"} {
			if !strings.Contains(text, want) {
				t.Errorf("%s has no %s", manName(cmd), want)
			}
		}
		if strings.HasSuffix(strings.TrimSpace(text), ",") || strings.Contains(text, "\n\n") {
			t.Errorf("%s: a list or line is not complete", manName(cmd))
		}
	})
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != pages {
		t.Errorf("%d pages, %d commands: %v", len(entries), pages, err)
	}
	page, err := os.ReadFile(filepath.Join(dir, "starling-send.1"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`\-\-wait`, `\fIqueued|sent|delivered\fR`, `\-\-reply\-to`, "OPTIONS OF EVERY COMMAND", `.BR starling (1)`} {
		if !strings.Contains(string(page), want) {
			t.Errorf("starling-send.1 has no %s", want)
		}
	}
	groff, err := exec.LookPath("groff")
	if err != nil {
		t.Skip("no groff here to read the pages with")
	}
	args := []string{"-man", "-ww", "-z", "-Tutf8"}
	eachCommand(func(cmd *cobra.Command) { args = append(args, filepath.Join(dir, manName(cmd)+".1")) })
	var complaints bytes.Buffer
	read := exec.Command(groff, args...)
	read.Stderr = &complaints
	if err := read.Run(); err != nil || complaints.Len() > 0 {
		t.Errorf("%v: %s", err, &complaints)
	}
}

func TestRoff(t *testing.T) {
	for in, want := range map[string]string{"-v": `\-v`, `a\nb`: `a\enb`, "…": `\[u2026]`, ".hidden": `\&.hidden`, "'q": `\&'q`} {
		if got := roff(in); got != want {
			t.Errorf("%q is %q, not %q", in, got, want)
		}
	}
}

// Pressing tab offers the contacts of a node that runs, and starts none.
func TestCompletion(t *testing.T) {
	s := newShell(t)
	complete := func(args ...string) []string {
		t.Helper()
		s.want(exitOK, append([]string{"__complete"}, args...)...)
		lines := strings.Split(strings.TrimSpace(s.out.String()), "\n")
		return lines[:len(lines)-1] // the directive
	}
	if got := complete("send", ""); len(got) != 0 || len(s.engine.started) != 0 {
		t.Errorf("without a node: %q, %d nodes started", got, len(s.engine.started))
	}
	s.engine.serving = true
	s.engine.node.contacts = append(s.engine.node.contacts,
		api.Contact{ID: "e1", Name: safetext.Line("$(reboot)")}, api.Contact{ID: "e2", Name: safetext.Line("-rf")},
		api.Contact{ID: "e3", Name: safetext.Line("Two")}, api.Contact{ID: "e4", Name: safetext.Line("Two")},
		api.Contact{ID: "e5", Name: safetext.Line("Жанна")}, api.Contact{ID: "e6", Name: safetext.Line("Bob & Eve\tx")})
	want := "Bob e1\t??reboot? e2\t-rf e3\tTwo e4\tTwo Жанна e6\tBob ? Eve x"
	const self = " self\tthe note to self"
	for _, args := range [][]string{{"send", ""}, {"history", ""}, {"contact", "pin", ""}, {"contact", "timer", ""}, {"draft", ""}, {"read", ""}, {"clear", ""}, {"export", ""}, {"search", "--in", ""}} {
		want := want
		if args[0] != "contact" {
			want += self
		}
		if got := strings.Join(complete(args...), " "); got != want {
			t.Errorf("%q: %q", args, got)
		}
	}
	if got := complete("send", "Bob", ""); len(got) != 0 {
		t.Errorf("the text was completed: %q", got)
	}
	if got := complete("contact", "notify", "Bob", ""); strings.Join(got, " ") != "none hidden name text default" {
		t.Errorf("levels: %q", got)
	}
	if got := complete("settings", "typing", ""); strings.Join(got, " ") != "on off" {
		t.Errorf("values: %q", got)
	}
	if got := complete("settings", ""); len(got) != len(ownSettings) {
		t.Errorf("names: %q", got)
	}
}

func TestDoctor(t *testing.T) {
	s := newShell(t)
	s.env["STARLING_PROFILE"] = filepath.Join(t.TempDir(), "nothing")
	s.want(exitUnwell, "doctor", "--json")
	if !strings.Contains(s.out.String(), `{"check":"profile","result":"failed","says":"there is no profile","remedy":"`) ||
		!strings.Contains(s.err.String(), `"code":"check_failed"`) || strings.Contains(s.out.String(), "nothing") {
		t.Errorf("doctor printed %s%s", &s.out, &s.err)
	}
	s.want(exitUnwell, "doctor", "--verbose")
	if !strings.Contains(s.out.String(), "nothing") || !strings.Contains(s.out.String(), "→ make one with: starling init") {
		t.Errorf("doctor --verbose printed %s", &s.out)
	}
	s.want(exitUnwell, "doctor", "--listen", "nonsense")
	s.want(exitOK, "doctor", "--listen", "/ip4/127.0.0.1/tcp/0", "--allow-private")
}
