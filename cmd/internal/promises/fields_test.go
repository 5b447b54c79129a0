package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var inBackticks = regexp.MustCompile("`([^`]+)`")

// TestEveryFieldIsLiedIn holds that docs/LIES.md has each field of
// docs/PROTOCOL.md, and none that is gone.
func TestEveryFieldIsLiedIn(t *testing.T) {
	protocol, err := os.ReadFile(filepath.Join(root, "docs", "PROTOCOL.md"))
	if err != nil {
		t.Fatal(err)
	}
	lies, err := os.ReadFile(filepath.Join(root, "docs", "LIES.md"))
	if err != nil {
		t.Fatal(err)
	}
	lied := map[string]bool{} // "section name" → found in PROTOCOL
	section := ""
	for line := range strings.Lines(string(lies)) {
		if m := heading.FindStringSubmatch(line); m != nil {
			section = m[1]
		}
		if !strings.HasPrefix(line, "| `") {
			continue
		}
		first, _, _ := strings.Cut(strings.TrimPrefix(line, "|"), "|")
		for _, m := range inBackticks.FindAllStringSubmatch(first, -1) {
			lied[section+" "+m[1]] = false
		}
	}

	for _, f := range fieldsOf(string(protocol)) {
		name := f.section + " " + f.name
		if _, ok := lied[name]; !ok {
			t.Errorf("docs/PROTOCOL.md:%d: section %s of docs/LIES.md has no row for `%s`: who chooses it, and which test lies in it?", f.line, f.section, f.name)
			continue
		}
		lied[name] = true
	}
	for name, found := range lied {
		if !found {
			t.Errorf("docs/LIES.md has %q, which is no field of docs/PROTOCOL.md any more", name)
		}
	}
}

func TestFieldsOf(t *testing.T) {
	text := "## 7.1 A\n\n| offset | size | |\n|---|---|---|\n| 0 | 1 | version 1 |\n| 1 | 4 | time, seconds |\n| … | … | zeros |\n\n" +
		"    reason 1 ‖ link 3 ‖ zeros\n\n## 8 B\n| field | value |\n|---|---|\n| 1 name | UTF-8 |\n\n| other | table |\n|---|---|\n| x | y |\n"
	var got []string
	for _, f := range fieldsOf(text) {
		got = append(got, f.section+" "+f.name)
	}
	if want := "7.1 version,7.1 time,7.1 reason,7.1 link,8 name"; strings.Join(got, ",") != want {
		t.Errorf("got %v, want %s", got, want)
	}
}
