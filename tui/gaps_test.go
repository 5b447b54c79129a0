package tui_test

import (
	"strings"
	"testing"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/tui"
	"starling/tui/tuitest"
)

// A message that is shown without the one before it says so, above it and not among the
// contact's words, until that one has come.
func TestGapIsShown(t *testing.T) {
	const missing, never = "something written before this has not arrived yet", "something written before this never arrived"
	node, ids, u := seeded(t)
	id := ids["alice"]
	later := node.ReceiveMessage(id, api.Message{Text: safetext.Line("No, at six."), Gap: api.GapMissing})
	u.Expect().Sees(missing, "No, at six.")
	lines := strings.Split(u.Screen(), "\n")
	for i, l := range lines {
		if strings.Contains(l, missing) && !strings.Contains(strings.Join(lines[i:min(i+3, len(lines))], " "), "No, at six.") {
			t.Errorf("the sign stands elsewhere:\n%s", u.Screen())
		}
	}
	node.Change(later, func(m *api.Message) { m.Gap = api.GapLost })
	u.Expect().Sees(never).SeesNot(missing)
	node.ReceiveMessage(id, api.Message{Text: safetext.Line("At five?"), Late: &api.Quote{ID: later, From: safetext.Line("alice"), Text: safetext.Line("No, at six.")}})
	node.Change(later, func(m *api.Message) { m.Gap = "" })
	u.Expect().Sees("came late, written before: No, at six.", "At five?").SeesNot(never)
	u.Press("f5").Expect().SeesNot("No, at six.").SeesNot("At five?") // incognito hides what is named too
}

func TestGoldenGaps(t *testing.T) {
	for _, lang := range []string{"en", "de", "ru"} {
		for _, size := range []struct {
			name string
			w, h int
		}{{"80x24", 80, 24}, {"40x10", 40, 10}} {
			t.Run(lang+"_"+size.name, func(t *testing.T) {
				node := tuitest.NewNode(clock)
				tuitest.Gaps(node)
				u := tuitest.NewUserAt(t, node, tui.Options{Now: clock, Language: lang}, size.w, size.h)
				u.Expect().Sees("dave")
				if size.w < 60 {
					u.Enter()
				}
				u.Expect().Sees("See you there.")
				checkFrame(t, u, size.w, size.h, "gaps")
				golden(t, "gaps_"+lang+"_"+size.name, u.Screen())
			})
		}
	}
}
