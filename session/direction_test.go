package session

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"
)

// TestTagChain checks the tags against layout.py, and that a receiver expects
// those that a sender takes.
func TestTagChain(t *testing.T) {
	b, err := os.ReadFile("internal/vectors/testdata/layout.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Tags struct {
			Key  string
			Tags []string
		}
	}
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	key, err := hex.DecodeString(file.Tags.Key)
	if err != nil {
		t.Fatal(err)
	}
	r := newReceiver([32]byte(key))
	s := sender{key: [32]byte(key)}
	var box [1536]byte
	for i, want := range file.Tags.Tags {
		tag := s.next(&box)
		if hex.EncodeToString(tag[:]) != want {
			t.Fatalf("tag %d: %x, want %s", i, tag, want)
		}
		if i < Ahead && r.ahead[i] != tag {
			t.Fatalf("the receiver expects %x as tag %d", r.ahead[i], i)
		}
	}
}
