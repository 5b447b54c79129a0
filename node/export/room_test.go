package export

import (
	"strings"
	"testing"
	"time"

	"starling/node/api"
	"starling/node/api/safetext"
)

// TestRoom: an export of a room names the authors of reactions, marks notices, and does not
// call a message unfinished that is in the mailboxes.
func TestRoom(t *testing.T) {
	at := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	for format, want := range map[api.ExportFormat][]string{
		api.ExportText: {"  * Bob joined.\n", "  Bob: hello\n", "    👍 (Bob)\n", "    🎉 (a member)\n", "  Ada: hi\n"},
		api.ExportHTML: {`class="notice"`, "<header>👍 (Bob)</header>", "<header>🎉 (a member)</header>"},
	} {
		var b strings.Builder
		w := New(&b, format, safetext.Line("the pier"), at, time.UTC)
		w.Message(api.Message{Room: "r", State: api.StateNotice, Text: safetext.Line("Bob joined."), Time: at, Change: &api.RoomChange{Kind: api.ChangeJoined}})
		w.Message(api.Message{Room: "r", Member: "b0", From: safetext.Line("Bob"), Text: safetext.Line("hello"), State: api.StateReceived, Time: at})
		w.Message(api.Message{Room: "r", Member: "ad", From: safetext.Line("Ada"), Text: safetext.Line("hi"), Outgoing: true, State: api.StateSent, Time: at,
			Reactions: []api.Reaction{{Member: "b0", Emoji: safetext.Line("👍")}, {Member: "c1", Emoji: safetext.Line("🎉")}}})
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		for _, text := range want {
			if !strings.Contains(b.String(), text) {
				t.Errorf("%s: no %q in\n%s", format, text, b.String())
			}
		}
		if strings.Contains(b.String(), "[sent]") || strings.Contains(b.String(), "· sent") {
			t.Errorf("%s: unfinished:\n%s", format, b.String())
		}
	}
}
