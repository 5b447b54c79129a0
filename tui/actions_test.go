package tui_test

import (
	"testing"

	"starling/tui"
	"starling/tui/keymap"
	"starling/tui/tuitest"
)

// TestEveryActionIsDone: an action that no room does would be a key, and a line
// of the help, for nothing.
func TestEveryActionIsDone(t *testing.T) {
	app := tui.New(t.Context(), tuitest.NewNode(clock), tui.Options{Now: clock})
	for _, x := range keymap.Default().All() {
		if !app.Does(x.ID) {
			t.Errorf("nothing is done for %s", x.ID)
		}
	}
}
