package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestWhatAnotherMachineRefuses: a constant too large for 32 bits and a file of another system
// are found where they are wrong, and only there.
func TestWhatAnotherMachineRefuses(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":          "module example\n\ngo 1.26\n",
		"wide.go":         "package example\n\nimport \"strconv\"\n\nvar Wide, Text = 1 << 40, strconv.Itoa(1)\n",
		"old_windows.go":  "package example\n\nimport \"os\"\n\nvar Old = os.Gone\n",
		"wide_test.go":    "package example\n\nvar unseen int = nothing\n",
		"sub/sub.go":      "package sub\n\nimport \"example\"\n\nfunc Text() string { return example.Text }\n",
		"sub/sub_plan.go": "//go:build plan9\n\npackage sub\n\nvar X int = \"\"\n",
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	for platform, want := range map[string]string{
		"linux/amd64":   "",
		"linux/arm":     "overflows",
		"windows/amd64": "Gone",
		"plan9/amd64":   "constant",
		"linux/abacus":  "no machine",
		"linux":         "no platform",
	} {
		t.Run(platform, func(t *testing.T) {
			err := check(dir, platform, "./...")
			if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("%v, want %q", err, want)
			}
		})
	}
}
