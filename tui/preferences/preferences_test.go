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
func submit(t *testing.T, f *dialog.Form, keys ...rune) any {
	t.Helper()
	for _, k := range keys {
		f.Key(tea.KeyPressMsg{Code: k})
	}
	for range len(f.Fields) + 1 {
		if a := dialog.Act(f, f.Key(tea.KeyPressMsg{Code: tea.KeyEnter})); a != nil {
			return a
		}
	}
	t.Fatalf("nothing is handed over: %s", f.Error)
	return nil
}

func TestSettingsAreHandedBackAsTheyWere(t *testing.T) {
	for _, s := range []api.Settings{
		{Notify: api.NotifyHidden},
		{Typing: true, ReadReceipts: true, Notify: api.NotifyNone, LockAfter: 3600},
		{Notify: api.NotifyText, LockAfter: 77}, // set by another client
	} {
		c := submit(t, Settings(th, s)).(SettingsAction).Change
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
		r := submit(t, Conversation(th, &api.Contact{ID: "c1", Conversation: conv}, "alice", now)).(ConversationAction).ConversationRequest
		if r.Contact != "c1" || *r.Pinned != conv.Pinned || *r.Archived != conv.Archived || !r.MutedUntil.Equal(conv.MutedUntil) || *r.Notify != conv.Notify || r.Timer != nil {
			t.Errorf("%+v came back as pinned %v archived %v muted %v notify %q", conv, *r.Pinned, *r.Archived, *r.MutedUntil, *r.Notify)
		}
	}
	// A mute that is over is none.
	f := Conversation(th, &api.Contact{Conversation: api.Conversation{MutedUntil: now.Add(-time.Hour)}}, "alice", now)
	if f.Fields[1].Chosen != 0 {
		t.Error("still muted")
	}
}

func TestTimerAgrees(t *testing.T) {
	c := &api.Contact{Conversation: api.Conversation{TimerTheirs: 12345}}
	f := Timer(th, c, "alice")
	if f.Label != "Agree" || !slices.Contains(f.Fields[0].Choices, "12345 seconds") {
		t.Errorf("%q of %q", f.Label, f.Fields[0].Choices)
	}
	if got := submit(t, f).(ConversationAction).Timer; *got != 12345 {
		t.Errorf("agrees on %d", *got)
	}
	f = Timer(th, c, "alice")
	if got := submit(t, f, tea.KeyLeft).(ConversationAction).Timer; *got == 12345 {
		t.Error("another choice is not taken")
	}
}
