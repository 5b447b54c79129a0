package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestWrite: a report becomes a row; one that is kept already stays when there is no new one.
func TestWrite(t *testing.T) {
	reports, out := t.TempDir(), t.TempDir()
	put := func(data string, path ...string) {
		t.Helper()
		file := filepath.Join(path...)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	page := "# The drill\n\n" + from + "old\n" + to + "the end\n"
	put(page, out, "README.md")
	put(`{"event":"summary","name":"drill-old","engine":"virtual","relays":9,"users":4,"planned":10,"shown":9}`, out, "old.json")
	put(`{"event":"summary","name":"drill-island","engine":"virtual","relays":60,"users":30,"bridges":6,"planned":4,"shown":4,"p50_ms":200,"back_ms":1500}`, reports, "island", "summary.json")
	put("<svg/>", reports, "island", "delivery.svg")
	put(strings.Join([]string{
		`{"event":"partition","ms":100,"relays":[0],"users":[0,1,2]}`,
		`{"event":"sent","ms":110,"from":0,"to":1,"index":0}`,
		`{"event":"shown","ms":150,"from":0,"to":1,"index":0}`,
		`{"event":"sent","ms":120,"from":0,"to":1,"index":1}`,
		`{"event":"sent","ms":130,"from":2,"to":3,"index":0}`,
		`{"event":"heal","ms":200}`,
		`{"event":"shown","ms":260,"from":2,"to":3,"index":0}`,
		`{"event":"shown","ms":270,"from":0,"to":1,"index":1}`,
	}, "\n"), reports, "island", "events.jsonl")

	if err := write(reports, out); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(out, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"# The drill", "the end", "| 9 of 10 |", "| 60 (6 bridges), 30 | 4 of 4 |", "1 of 2 messages inside were shown, median 0.0 s; 1 of 1 over the border, the last 0.1 s after"} {
		if !strings.Contains(string(got), want) {
			t.Errorf("%q is missing in\n%s", want, got)
		}
	}
	if strings.Contains(string(got), "\nold\n") {
		t.Error("the old table stays")
	}
	if _, err := os.Stat(filepath.Join(out, "island-delivery.svg")); err != nil {
		t.Error(err)
	}

	put("no table", out, "README.md")
	if err := write(reports, out); err == nil {
		t.Error("a page without a place for the table was taken")
	}
}
