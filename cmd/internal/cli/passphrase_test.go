package cli

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"starling/node/api"
)

// TestTryOthers: status asks for other guards only when it is told to, and reports the
// lists of others.
func TestTryOthers(t *testing.T) {
	s := newShell(t)
	s.engine.serving = true
	s.engine.node.status.ListsAsked, s.engine.node.status.ListsOther = 5, 4
	s.engine.node.status.Mailboxes = []api.Mailbox{{PeerID: "12D3", NoRoom: true}}
	s.want(exitOK, "status")
	if s.engine.node.tried != 0 || !strings.Contains(s.out.String(), "4 of 5 relays that were asked") || !strings.Contains(s.out.String(), "crowded") {
		t.Errorf("%d tries, %s", s.engine.node.tried, &s.out)
	}
	s.want(exitOK, "status", "--try-others")
	if s.engine.node.tried != 1 {
		t.Errorf("%d tries", s.engine.node.tried)
	}
}

// TestPassphrase: the old and the new passphrase come from files, variables or a
// terminal, never from arguments; the node that runs changes it, or this program does.
func TestPassphrase(t *testing.T) {
	s := newShell(t)
	s.want(exitUsage, "passphrase", "secret")
	s.want(exitUsage, "passphrase")
	if !strings.Contains(s.err.String(), "no new passphrase was given") {
		t.Error(&s.err)
	}
	s.env[envNew] = "another one"
	s.want(exitOK, "passphrase", "--json")
	if got := s.engine.passphrases; !slices.Equal(got, []string{"another one"}) || !strings.HasPrefix(s.out.String(), `{"profile":`) {
		t.Errorf("%q, %s", got, &s.out)
	}
	s.env["STARLING_PASSPHRASE"] = "guess"
	s.want(exitPassphrase, "passphrase")

	// From files, while a node runs.
	s.engine.serving = true
	dir := t.TempDir()
	for name, text := range map[string]string{"old": fakePassphrase, "new": "of a file", "empty": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text+"\nmore"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file := func(name string) string { return filepath.Join(dir, name) }
	s.want(exitOK, "passphrase", "--passphrase-file", file("old"), "--new-passphrase-file", file("new"))
	if got := s.engine.node.passphrases; !slices.Equal(got, []string{"of a file"}) {
		t.Errorf("the node got %q", got)
	}
	s.want(exitUsage, "passphrase", "--passphrase-file", file("old"), "--new-passphrase-file", file("empty"))
	s.want(exitUsage, "passphrase", "--passphrase-file", file("old"), "--new-passphrase-file", file("none"))

	// Asked for: the old one once, the new one twice.
	delete(s.env, envNew)
	delete(s.env, "STARLING_PASSPHRASE")
	s.tty = true
	s.prompts = []string{fakePassphrase, "typed", "typed"}
	s.want(exitOK, "passphrase")
	s.prompts = []string{fakePassphrase, "typed", "tyepd"}
	s.want(exitUsage, "passphrase")
	s.prompts = []string{fakePassphrase, ""}
	s.want(exitUsage, "passphrase")
	if got := s.engine.node.passphrases; !slices.Equal(got, []string{"of a file", "typed"}) || len(s.engine.passphrases) != 1 {
		t.Errorf("the node got %q", got)
	}
	s.env["STARLING_PROFILE"] = "/nobody"
	s.want(exitNoProfile, "passphrase")
}
