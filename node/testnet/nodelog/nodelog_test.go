package nodelog

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFiles(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "logs")
	log := New(dir, slog.LevelInfo)
	relay, user := log.With("relay", 3), log.With("user", 0).With("relay", 9).WithGroup("g")
	log.Warn("of all")
	relay.Info("of a relay", "user", "../../x")
	relay.Debug("nobody asked")
	user.Error("of a user")
	user.Error("again")
	for node, want := range map[string]int{"mesh": 1, "r3": 1, "u0": 2} {
		got, err := os.ReadFile(File(dir, node))
		if err != nil || strings.Count(string(got), "\n") != want {
			t.Errorf("%s: %q, %v", node, got, err)
		}
	}
	if all, _ := os.ReadDir(dir); len(all) != 3 {
		t.Errorf("%d files", len(all))
	}
}
