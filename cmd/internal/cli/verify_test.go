package cli

import (
	"strings"
	"testing"
)

// Only an equal number or code makes a contact verified.
func TestVerifyByComparing(t *testing.T) {
	s := newShell(t)
	digits := strings.Repeat("12345", 12)
	code := "starling-verify:" + strings.Repeat("abcd", 13)
	for _, args := range [][]string{
		{"--number", digits[:59] + "6"}, {"--number", digits[:59]}, {"--number", " "}, {"--number", code},
		{"--code", code[:67] + "e"}, {"--code", digits}, {"--code", "starling-verify:"},
		{"--code", code, "--yes"}, {"--code", code, "--number", digits},
	} {
		want := exitMismatch
		if len(args) > 2 {
			want = exitUsage
		}
		s.want(want, append([]string{"contact", "verify", "Bob"}, args...)...)
		s.want(exitOK, "contact", "verify", "Bob", "--json")
		if !strings.Contains(s.out.String(), `"verified":false`) {
			t.Fatalf("%q: %s", args, &s.out)
		}
	}
	for _, args := range [][]string{
		{"--number", digits}, {"--number", strings.Repeat(" 12345", 12)},
		{"--code", code}, {"--code", strings.ToUpper(code)},
	} {
		s.want(exitOK, append([]string{"contact", "verify", "Bob", "--json"}, args...)...)
		if !strings.Contains(s.out.String(), `"verified":true`) {
			t.Errorf("%q: %s", args, &s.out)
		}
		s.want(exitOK, "contact", "verify", "Bob", "--no")
	}
	s.want(exitOK, "contact", "verify", "Bob", "--qr")
	if got := s.out.String(); !strings.Contains(got, code) || !strings.Contains(got, "▄") {
		t.Errorf("--qr printed %s", got)
	}
}
