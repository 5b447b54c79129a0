package linktext

import (
	"bytes"
	"strings"
	"testing"
)

const prefix = "starling-test:"

func TestReadable(t *testing.T) {
	b := []byte("every byte of this comes back")
	text := Encode(prefix, b)
	for name, said := range map[string]string{
		"as it is": text, "in capitals": strings.ToUpper(text), "broken by a mail": " " + text[:20] + "\r\n\t" + text[20:] + "\n",
	} {
		if got, exact, err := Decode(prefix, said, 200); err != nil || !exact || !bytes.Equal(got, b) {
			t.Errorf("%s: %q, %v, %v", name, got, exact, err)
		}
	}
}

func TestRefused(t *testing.T) {
	text := Encode(prefix, []byte("abc"))
	for name, c := range map[string]struct {
		text string
		most int
		err  error
	}{
		"no prefix":          {strings.TrimPrefix(text, prefix), 100, ErrForeign},
		"another prefix":     {"starling:" + text, 100, ErrForeign},
		"too long":           {text, len(text) - 1, ErrForeign},
		"a digit of no link": {text[:len(text)-1] + "1", 100, ErrLetter},
		"a letter of no one": {text[:len(text)-1] + "é", 100, ErrLetter},
	} {
		if b, exact, err := Decode(prefix, c.text, c.most); err != c.err || b != nil || exact {
			t.Errorf("%s: %q, %v, %v", name, b, exact, err)
		}
	}
	if _, _, err := Decode(prefix, text, len(text)); err != nil {
		t.Error("as long as may be:", err)
	}
}

// TestOneText: of all texts only one says some bytes exactly.
func TestOneText(t *testing.T) {
	b := []byte{1, 2, 3, 4, 5, 6, 7, 8, 9}
	text := Encode(prefix, b)
	for cut := len(prefix); cut < len(text); cut++ {
		got, exact, err := Decode(prefix, text[:cut], 100)
		if err != nil || !bytes.HasPrefix(b, got) || len(got) != (cut-len(prefix))*5/8 || exact && Encode(prefix, got) != text[:cut] {
			t.Errorf("cut to %d: %x, %v, %v", cut, got, exact, err)
		}
	}
	for _, last := range "abcdefghijklmnopqrstuvwxyz234567" {
		said := text[:len(text)-1] + string(last)
		if got, exact, err := Decode(prefix, said, 100); err != nil || exact != (Encode(prefix, got) == said) {
			t.Errorf("%s: %x, %v, %v", said, got, exact, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(Encode(prefix, []byte("bytes")))
	f.Add("STARLING-TEST:mfrgg zdf")
	f.Fuzz(func(t *testing.T, text string) {
		b, exact, err := Decode(prefix, text, 100)
		if err != nil && (b != nil || exact) || err == nil && len(text) > 100 {
			t.Fatalf("%q: %x, %v, %v", text, b, exact, err)
		}
		if !exact {
			return
		}
		if again, exact, err := Decode(prefix, Encode(prefix, b), 100); err != nil || !exact || !bytes.Equal(again, b) {
			t.Fatalf("%q: %x becomes %x, %v, %v", text, b, again, exact, err)
		}
	})
}
