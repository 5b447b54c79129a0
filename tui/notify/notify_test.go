package notify

import (
	"strings"
	"testing"
	"unicode"

	"starling/node/api"
	"starling/node/api/safetext"
)

func TestDetect(t *testing.T) {
	for _, c := range []struct {
		env  map[string]string
		want Kind
	}{
		{map[string]string{"TERM": "xterm-256color"}, Bell},
		{map[string]string{"TERM": "xterm-kitty", "KITTY_WINDOW_ID": "1"}, OSC99},
		{map[string]string{"TERM": "tmux-256color", "TMUX": "/tmp/x", "KITTY_WINDOW_ID": "1"}, Bell},
		{map[string]string{"TERM": "xterm-256color", "TERM_PROGRAM": "WezTerm"}, OSC9},
		{map[string]string{"TERM": "foot"}, OSC777},
		{map[string]string{"TERM": "xterm-256color", "VTE_VERSION": "7600"}, OSC777},
	} {
		if got := Detect(func(k string) string { return c.env[k] }); got != c.want {
			t.Errorf("%v: %d, want %d", c.env, got, c.want)
		}
	}
}

func TestLevels(t *testing.T) {
	from, text := safetext.Line("alice"), safetext.Clean("come\nat nine")
	for _, c := range []struct {
		level api.NotifyLevel
		want  string
		ok    bool
	}{
		{api.NotifyNone, "", false},
		{api.NotifyHidden, "new message", true},
		{"", "new message", true},
		{"loud", "new message", true},
		{api.NotifyName, "alice", true},
		{api.NotifyText, "alice: come at nine", true},
	} {
		if got, ok := Words(c.level, from, text, "new message", "a picture"); got != c.want || ok != c.ok {
			t.Errorf("%q: %q, %v", c.level, got, ok)
		}
	}
	if got, _ := Words(api.NotifyText, from, safetext.Text{}, "", "a picture"); got != "alice: a picture" {
		t.Errorf("a picture is %q", got)
	}
}

func FuzzSequence(f *testing.F) {
	f.Add("alice", "\x1b]52;c;UFdORUQ=\x07")
	f.Add("a;b", "4;1;50")
	f.Add("\u009d52;c;x\u009c", "\u202egpj.exe")
	f.Fuzz(func(t *testing.T, from, text string) {
		body, _ := Words(api.NotifyText, safetext.Clean(from), safetext.Clean(text), "new", "a picture")
		if n := len([]rune(body)); n > 2*maxText+8 {
			t.Errorf("%d characters", n)
		}
		for kind := Bell; kind <= OSC99; kind++ {
			s := Sequence(kind, "Starling", body)
			inner := strings.TrimSuffix(s, "\a")
			for rest := inner; rest != ""; {
				rest = strings.TrimPrefix(rest, "\x1b]")
				payload, after, ok := strings.Cut(rest, "\x1b\\")
				if !ok {
					t.Fatalf("%q has no end", s)
				}
				for _, r := range payload {
					if !unicode.IsPrint(r) {
						t.Fatalf("%q holds %U", s, r)
					}
				}
				rest = after
			}
			if kind == OSC777 && strings.Count(s, ";") != 3 {
				t.Errorf("%q has other fields", s)
			}
			if kind == OSC9 && !strings.HasPrefix(s, "\x1b]9;Starling: ") {
				t.Errorf("%q may mean progress", s)
			}
		}
	})
}
