package catalogue_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"starling/tui/catalogue"
)

// speakers are the files with texts that reach the screen: errors with their hints, the
// reasons for waiting and giving up, and notices in conversations.
var speakers = []string{
	"../../node/*.go", "../../node/inbox/*.go", "../../node/outbox/*.go", "../../node/rooms/[^s]*.go", "../../node/rooms/say.go", "../../node/rooms/sender.go",
	"../../node/control/client.go", "../../node/control/control.go", "../../node/control/server.go", "../../node/control/doors.go",
	"../../p2p/client/status.go", "../../p2p/proxy/faults.go", "../../node/api/query/query.go",
}

// unheard are functions with texts that no person reads on the screen.
var unheard = []string{"ContainsAny", "ReplaceAll", "Join", "New", "Errorf", "panic", "Debug", "Info", "Warn", "Error", "With", "count", "Append"}

// unspoken are texts of the speakers that are not translated, each with its reason.
var unspoken = map[string]string{
	"malformed request: ":                    "told to programs on the socket",
	"malformed request: more than one value": "told to programs on the socket",
	"this request is a POST":                 "told to programs on the socket",
	"starling/rendezvous/2 ":                 "a label of keys",
	"cannot use %s: %v":                      "names a path and what the system says of it",
	"bundle ":                                "the owner of what is asked for, as the watch knows it",
	"contact ":                               "the name of the nameless, with a part of its id",

	"cell of an older state":      "a name of a count in starling status",
	" (%s)":                       "a number behind a name that two contacts have",
	"member ":                     "the name of the nameless in a room, with a part of its id",
	" ":                           "what stands between an invite and a bridge",
	"cell of a newer state":       "a name of a count in starling status",
	"change of another's message": "a name of a count in starling status",
	"box size":                    "a name of a count in starling status",
	"mailbox hint":                "a name of a count in starling status",
	"taken without proof":         "a name of a count in starling status",
	"request to a room":           "a name of a count in starling status",
	"content of a room":           "a name of a count in starling status",
	"offer of a member":           "a name of a count in starling status",
	"entry of a room":             "a name of a count in starling status",
	"history of a room":           "a name of a count in starling status",
	"tag taken in a room":         "a name of a count in starling status",

	"You offered that new messages ":         "the beginning of a sentence: TestNoticesOfTimers",
	"Your contact offers that new messages ": "the beginning of a sentence: TestNoticesOfTimers",
	"From now on new messages ":              "the beginning of a sentence: TestNoticesOfTimers",
	", as you both want.":                    "the end of a sentence: TestNoticesOfTimers",
	"disappear %d %s after they were read":   "the middle of a sentence: TestNoticesOfTimers",
	"do not disappear":                       "the middle of a sentence: TestNoticesOfTimers",
}

// spoken reads the source of the node for its texts.
func spoken(t *testing.T) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, pattern := range speakers {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(names), err)
		}
		for _, name := range names {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			fset := token.NewFileSet()
			file, err := parser.ParseFile(fset, name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(file, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.ImportSpec:
					return false
				case *ast.Field:
					return false
				case *ast.CallExpr:
					return !slices.Contains(unheard, called(n))
				case ast.Expr:
					if s := literal(n); strings.Contains(s, " ") {
						out[s] = fset.Position(n.Pos()).String()
						return false
					}
				}
				return true
			})
		}
	}
	return out
}

// called returns the name of the function of a call.
func called(n *ast.CallExpr) string {
	switch f := n.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}

func TestEveryTextOfTheNodeIsTranslated(t *testing.T) {
	all := spoken(t)
	for text := range unspoken {
		if all[text] == "" {
			t.Errorf("nobody says %q any more", text)
		}
	}

	numbered := map[string]bool{} // the texts with %d for each number
	for text := range all {
		numbered[digits.ReplaceAllString(text, "%d")] = true
	}

	for _, language := range catalogue.Languages {
		have := entries(t, language+"-node.po")
		translated := func(text string) bool { return have[text].Text != "" }
		for text, where := range all {
			// A text with a number of its own beside others is looked up with %d for each.
			if unspoken[text] == "" && !translated(text) && !translated(digits.ReplaceAllString(text, "%d")) {
				t.Errorf("%s: %s: %q is missing", language, where, text)
				if *list {
					fmt.Printf("msgid %q\n\n", text)
				}
			}
		}

		for text, e := range have {
			if all[text] == "" && !strings.Contains(text, "new messages d") && !numbered[text] {
				t.Errorf("%s:%d: the node does not say %q any more", language, e.Line, text)
			}
		}
	}
}

var digits = regexp.MustCompile(`\b[0-9]+\b`)

// TestNoticesOfTimers: the node puts these together out of parts.
func TestNoticesOfTimers(t *testing.T) {
	spans := []string{"do not disappear"}
	for _, unit := range []string{"second", "minute", "hour", "day", "week"} {
		spans = append(spans, "disappear 1 "+unit+" after they were read", "disappear 2 "+unit+"s after they were read")
	}
	for _, language := range catalogue.Languages {
		c := catalogue.New(language)
		for _, span := range spans {
			for _, text := range []string{
				"You offered that new messages " + span + ".",
				"Your contact offers that new messages " + span + ".",
				"From now on new messages " + span + ", as you both want.",
			} {
				if c.Text(text) == text {
					t.Errorf("%s: %q is missing", language, text)
				}
			}
		}
	}

	loss := "3 messages of your contact could not be delivered to you within 14 days, and were given up. They know, and can send them again."
	if got := catalogue.New("de").Text(loss); !strings.HasPrefix(got, "3 Nachrichten deines Kontakts konnten dir in 14 Tagen") {
		t.Error(got)
	}
}
