package keymap

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var printTable = flag.Bool("table", false, "print the table of docs/COMMANDS.md")

// rows are the actions as docs/COMMANDS.md lists them.
func rows() []string {
	m := Default()
	var out []string
	seen := map[ID]bool{}
	for _, a := range m.All() {
		if seen[a.ID] {
			continue
		}
		seen[a.ID] = true
		row := fmt.Sprintf("| `%s` | %s |", a.ID, a.Name)
		for _, place := range []Place{Composer, Messages, List} {
			var keys []string
			for _, b := range m.In(place) {
				if b.ID == a.ID {
					keys = append(keys, b.Keys...)
				}
			}
			row += " " + strings.Join(keys, " ")
			row = strings.TrimRight(row, " ") + " |"
		}
		out = append(out, row)
	}
	return out
}

// TestDocsListEveryKey holds docs/COMMANDS.md to the table.
func TestDocsListEveryKey(t *testing.T) {
	b, err := os.ReadFile("../../docs/COMMANDS.md")
	if err != nil {
		t.Fatal(err)
	}
	doc := string(b)
	for _, row := range rows() {
		if *printTable {
			fmt.Println(row)
		}
		if !strings.Contains(doc, row+"\n") {
			t.Errorf("docs/COMMANDS.md has not: %s", row)
		}
	}
	for _, line := range strings.Split(doc, "\n") {
		if id, _, ok := strings.Cut(strings.TrimPrefix(line, "| `"), "` |"); ok && strings.Count(line, "|") == 6 && strings.HasPrefix(line, "| `") && !strings.Contains(id, " ") {
			if !strings.Contains(strings.Join(rows(), "\n"), "| `"+id+"` |") {
				t.Errorf("docs/COMMANDS.md has an action that is not there: %s", id)
			}
		}
	}
}
