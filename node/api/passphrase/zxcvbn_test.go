package passphrase

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/trustelem/zxcvbn"
	"github.com/trustelem/zxcvbn/frequency"
)

var update = flag.Bool("update", false, "write known.txt")

// TestWords: known.txt has the words of zxcvbn.
func TestWords(t *testing.T) {
	ranks := map[string]int{}
	for _, list := range frequency.FrequencyLists {
		for i, w := range list {
			w = strings.ToLower(w)
			if had := ranks[w]; had == 0 || i+1 < had {
				ranks[w] = i + 1
			}
		}
	}
	var lines []string
	for w, rank := range ranks {
		if strings.ContainsAny(w, " \n") {
			t.Fatalf("%q", w)
		}
		lines = append(lines, fmt.Sprintf("%s %d\n", w, rank))
	}
	slices.SortFunc(lines, func(a, b string) int {
		a, _, _ = strings.Cut(a, " ")
		b, _, _ = strings.Cut(b, " ")
		return strings.Compare(a, b)
	})
	if *update {
		if err := os.WriteFile("known.txt", []byte(strings.Join(lines, "")), 0o666); err != nil {
			t.Fatal(err)
		}
	} else if known != strings.Join(lines, "") {
		t.Error("known.txt is another one: go test ./node/api/passphrase -run TestWords -update")
	}
}

// TestGuessesOfZxcvbn: a text costs as many guesses as zxcvbn says. Of several characters that may each be one of two letters zxcvbn
// leaves out some readings.
func TestGuessesOfZxcvbn(t *testing.T) {
	var more []string
	for w := range words() {
		more = append(more, w)
	}
	slices.SortFunc(more, func(a, b string) int { return words()[a] - words()[b] })
	// As many places as there are: one word may stand at two.
	list := make([]string, words()[more[len(more)-1]])
	for i := range list {
		list[i] = "\x00"
	}
	for _, w := range more {
		list[words()[w]-1] = w
	}

	compare := func(text string) {
		t.Helper()
		got, _ := guess(text, words())
		fewer := len(text)-len(strings.NewReplacer("1", "", "|", "", "7", "").Replace(text)) > 1
		if want := zxcvbn.PasswordStrength(text, list).Guesses; got < want*0.999999 && !fewer || got > want*1.000001 {
			t.Errorf("%q: %g guesses, zxcvbn says %g", text, got, want)
		}
	}
	for _, text := range strings.Fields(`a ab abc password P4ssw0rd pa$$word drowssap qwertyuiop zxcvbn 1qaz2wsx 7410 aaaaaa abababab aabaab aabaabaabaab
		13/2/1984 1.1.91 1191 19841304 04131984 1990 2015_06_04 111504 987654 acegik zyx correcthorsebatterystaple Tr0ub4dour&3 l33t |1|1|1 p@55w0rd`) {
		compare(text)
	}
	compare("")

	// Pieces of all kinds, one behind the other.
	r := rand.New(rand.NewPCG(1, 2))
	pieces := []string{"dragon", "Monkey", "tr0ub4", "1984", "12.4.77", "qwe", "ASDF", "xyz", "86420", "aa", "zaqzaq", "$$", " ", "-", "Q7", "x", "1l|", "kx", "letmein", "0", "()", "7+"}
	for range 400 {
		var b strings.Builder
		for range 1 + r.IntN(4) {
			if r.IntN(3) == 0 {
				b.WriteByte(byte(' ' + r.IntN('~'-' ')))
				continue
			}
			b.WriteString(pieces[r.IntN(len(pieces))])
		}
		compare(b.String())
	}
}
