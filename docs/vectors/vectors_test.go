package vectors

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestStored has the Python check every section that is stored here.
func TestStored(t *testing.T) {
	out := python(t)
	files, err := filepath.Glob(filepath.Join(folder(t), "*.json"))
	if err != nil || len(files) < 10 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		section := strings.TrimSuffix(filepath.Base(file), ".json")
		if !strings.Contains("\n"+out, "\n"+section+": ") {
			t.Errorf("the Python says nothing about %s", section)
		}
	}
}

// TestChangedByte: a wrong byte in any section is found, so agreement means
// something.
func TestChangedByte(t *testing.T) {
	for _, section := range []string{"content", "frame", "handshake", "invite", "mailbox", "ratchet", "packet"} {
		b, err := os.ReadFile(filepath.Join(folder(t), section+".json"))
		if err != nil {
			t.Fatal(err)
		}
		text := `{"` + section + `": ` + string(b) + "}"
		at := 0 // of the longest value, in its middle
		longest := 0
		for i, part := range strings.Split(text, `"`) {
			if i%2 == 1 && len(part) > longest {
				longest = len(part)
				at = strings.Index(text, part) + longest/2
			}
		}
		digit := byte('0')
		if text[at] == digit {
			digit = '1'
		}
		file := filepath.Join(t.TempDir(), "changed.json")
		if err := os.WriteFile(file, []byte(text[:at]+string(digit)+text[at+1:]), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := Python(t, "--check", file).CombinedOutput(); err == nil {
			t.Errorf("%s: a changed byte is not found: %s", section, out)
		}
	}
}
