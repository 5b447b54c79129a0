package preferences

import (
	"slices"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/tui/dialog"
	"starling/tui/term"
	"starling/tui/theme"
)

var th = theme.New(true, term.Cells{})

// submit presses keys and enter until the form hands something over.
func submit(t *testing.T, f *dialog.Form, keys ...rune) {
	t.Helper()
	for _, k := range keys {
		f.Key(tea.KeyPressMsg{Code: k})
	}
	for range len(f.Fields) + 1 {
		if a := f.Key(tea.KeyPressMsg{Code: tea.KeyEnter}); a.Do != nil {
			a.Do()
			return
		}
	}
	t.Fatalf("nothing is handed over: %s", f.Error)
}

// saved returns a place for a request, and the function that puts it there.
func saved() (*api.ConversationRequest, SaveConversation) {
	r := &api.ConversationRequest{}
	return r, func(_ *dialog.Form, req api.ConversationRequest) tea.Cmd { *r = req; return nil }
}

func TestSettingsAreHandedBackAsTheyWere(t *testing.T) {
	for _, s := range []api.Settings{
		{Notify: api.NotifyHidden},
		{Typing: true, ReadReceipts: true, Notify: api.NotifyNone, LockAfter: 3600},
		{Notify: api.NotifyText, LockAfter: 77}, // set by another client
	} {
		var c api.SettingsChange
		submit(t, Settings(th, s, func(_ *dialog.Form, change api.SettingsChange) tea.Cmd { c = change; return nil }))
		if got := (api.Settings{Typing: *c.Typing, ReadReceipts: *c.ReadReceipts, Notify: *c.Notify, LockAfter: *c.LockAfter}); got != s {
			t.Errorf("%+v came back as %+v", s, got)
		}
	}
}

func TestConversationIsHandedBackAsItWas(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for _, conv := range []api.Conversation{
		{},
		{Pinned: true, Archived: true, MutedUntil: api.Forever, Notify: api.NotifyName},
		{MutedUntil: now.Add(90 * time.Minute)},
	} {
		r, save := saved()
		submit(t, Conversation(th, &api.Contact{ID: "c1", Conversation: conv}, "alice", now, save))
		if r.Contact != "c1" || *r.Pinned != conv.Pinned || *r.Archived != conv.Archived || !r.MutedUntil.Equal(conv.MutedUntil) || *r.Notify != conv.Notify || r.Timer != nil {
			t.Errorf("%+v came back as pinned %v archived %v muted %v notify %q", conv, *r.Pinned, *r.Archived, *r.MutedUntil, *r.Notify)
		}
	}
	// A mute that is over is none.
	f := Conversation(th, &api.Contact{Conversation: api.Conversation{MutedUntil: now.Add(-time.Hour)}}, "alice", now, nil)
	if f.Fields[1].Chosen != 0 {
		t.Error("still muted")
	}
}

func TestTimerAgrees(t *testing.T) {
	c := &api.Contact{Conversation: api.Conversation{TimerTheirs: 12345}}
	r, save := saved()
	f := Timer(th, c, "alice", save)
	if f.Label != "Agree" || !slices.Contains(f.Fields[0].Choices, "12345 seconds") {
		t.Errorf("%q of %q", f.Label, f.Fields[0].Choices)
	}
	if submit(t, f); *r.Timer != 12345 {
		t.Errorf("agrees on %d", *r.Timer)
	}
	f = Timer(th, c, "alice", save)
	if submit(t, f, tea.KeyLeft); *r.Timer == 12345 {
		t.Error("another choice is not taken")
	}
}
