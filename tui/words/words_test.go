package words_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/tui/catalogue"
	"starling/tui/words"
)

// TestNameHasNoMark: a name comes from the contact, and a contact would like to look
// verified.
func TestNameHasNoMark(t *testing.T) {
	for name, want := range map[string]string{
		"alice":         "alice",
		"alice ✓":       "alice ·",
		"✅ ☑ ✔ 🗸":       "· · · ·",
		"two\nlines":    "two lines",
		"\x1b[31mred":   "",
		"\u202eesrever": "",
	} {
		got := words.Name(&api.Contact{Name: safetext.Line(name)})
		if want != "" && got != want || strings.ContainsAny(got, "✓✔✅☑🗸\n\x1b\u202e") {
			t.Errorf("%q is shown as %q", name, got)
		}
	}
}

func TestError(t *testing.T) {
	var w *catalogue.Catalogue
	hinted := &api.Error{Code: api.CodeUsage, Message: "that is no time.", Hint: "Type it as 30s."}
	for _, tt := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{fmt.Errorf("load: %w", context.Canceled), ""},
		{errors.New("no\nroute"), "No route"},
		{hinted, "That is no time. Type it as 30s."},
	} {
		if got := words.Error(w, tt.err); got != tt.want {
			t.Errorf("%v: %q, want %q", tt.err, got, tt.want)
		}
	}
}

func TestDigits(t *testing.T) {
	if got := words.Digits("12345 67890\n12"); !slices.Equal(got, []string{"12345", "67890", "12"}) {
		t.Errorf("%q", got)
	}
}

func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1536: "1.5 KiB", 5 << 19: "2.5 MiB"} {
		if got := words.Bytes(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

func TestNewIDsDiffer(t *testing.T) {
	if a, b := words.NewID(), words.NewID(); a == b || len(a) != 32 {
		t.Errorf("%q and %q", a, b)
	}
}
