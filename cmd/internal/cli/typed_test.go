package cli

import (
	"errors"
	"strings"
	"testing"

	"starling/node/api"
)

// A passphrase is one passphrase, whatever program wrote its file.
func TestFirstLine(t *testing.T) {
	for name, c := range map[string]struct{ file, want string }{
		"alone":         {"Zoë geht", "Zoë geht"},
		"with a line":   {"Zoë geht\nmore", "Zoë geht"},
		"Windows":       {"\ufeffZoë geht\r\n\xff", "Zoë geht"},
		"decomposed":    {"Zoe\u0308 geht\n", "Zoë geht"},
		"UTF-16":        {"\xff\xfeZ\x00o\x00\xeb\x00\r\x00\n\x00x\x00", "Zoë"},
		"UTF-16 turned": {"\xfe\xff\x00Z\x00o\x00\xeb\x00\n", "Zoë"},
		"empty":         {"", ""},
	} {
		line, err := firstLine(strings.NewReader(c.file), 100)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := decode(line, "it"); err != nil || got != c.want {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if _, err := decode([]byte("Zo\xeb"), "it"); api.CodeOf(err) != api.CodeBadText {
		t.Errorf("Latin-1: %v", err)
	}
	if _, err := firstLine(strings.NewReader(strings.Repeat("a", 101)), 100); !errors.Is(err, errLongLine) {
		t.Errorf("a long line: %v", err)
	}
	// What follows the line is not waited for.
	if line, err := firstLine(strings.NewReader("here\n"+strings.Repeat("\x00", 1<<20)), 100); err != nil || string(line) != "here" {
		t.Errorf("%q, %v", line, err)
	}
}
