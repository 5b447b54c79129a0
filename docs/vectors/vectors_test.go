package vectors

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func sections(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder(t), "*.json"))
	if err != nil || len(files) != 16 {
		t.Fatal(files, err)
	}
	return files
}

func name(file string) string { return strings.TrimSuffix(filepath.Base(file), ".json") }

// TestStored has the Python check every section that is stored here.
func TestStored(t *testing.T) {
	out := python(t)
	for _, file := range sections(t) {
		if !strings.Contains("\n"+out, "\n"+name(file)+": ") {
			t.Errorf("the Python says nothing about %s", name(file))
		}
	}
}

// TestChangedByte: a wrong byte in any section is found, so agreement means
// something.
func TestChangedByte(t *testing.T) {
	changed := map[string]json.RawMessage{}
	for _, file := range sections(t) {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		// In the first half of the longest value: what follows d of a seed d ‖ z
		// shows only when a ciphertext is wrong. What is refused is so with another byte, too.
		at, longest := 0, 0
		taken, _, _ := bytes.Cut(b, []byte(`"refused": [`))
		for i, n := 0, 0; i < len(taken); i++ {
			if n++; b[i] == '"' {
				if n > longest {
					at, longest = i-n*3/4, n
				}
				n = 0
			}
		}
		digit := byte('0')
		if b[at] == digit {
			digit = '1'
		}
		b[at] = digit
		changed[name(file)] = b
	}
	b, err := json.Marshal(changed)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "changed.json")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := Python(t, "--check", file).CombinedOutput()
	if err == nil {
		t.Error("no error")
	}
	for section := range changed {
		if !strings.Contains("\n"+string(out), "\n"+section+" is wrong: ") {
			t.Errorf("%s: a changed byte is not found\n%s", section, out)
		}
	}
}
