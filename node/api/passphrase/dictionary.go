package passphrase

import (
	_ "embed"
	"sort"
	"strconv"
	"strings"
)

// known are the words of the judge, one a line and in order, each with its place among the most common: in the list in
// which it comes first. They are read where they lie in the program, so that a node that asks nobody for a
// passphrase has none of them in memory. TestWords makes the file of the lists of zxcvbn, under its licence, which is known.LICENSE.
//
//go:embed known.txt
var known string

// wordsAt calls found with the length and the place of each known word that a text begins with.
func wordsAt(text string, found func(n, rank int)) {
	from := 0
	for n := 1; n <= len(text); n++ {
		prefix := text[:n]
		from += lineFrom(known[from:], prefix)
		line := known[from:]
		if !strings.HasPrefix(line, prefix) {
			return
		}
		if line[n] != ' ' {
			continue
		}
		end := strings.IndexByte(line, '\n')
		if rank, err := strconv.Atoi(line[n+1 : end]); err == nil {
			found(n, rank)
		}
	}
}

// lineFrom is where the first line begins that is not before a word.
func lineFrom(lines, word string) int {
	// A place stands for the first line that begins at it or behind it.
	at := sort.Search(len(lines), func(i int) bool {
		i = lineAt(lines, i)
		end := strings.IndexByte(lines[i:], ' ')
		return end < 0 || lines[i:i+end] >= word
	})
	return lineAt(lines, at)
}

func lineAt(lines string, i int) int {
	if i == 0 || i >= len(lines) {
		return min(i, len(lines))
	}
	next := strings.IndexByte(lines[i-1:], '\n')
	if next < 0 {
		return len(lines)
	}
	return i + next
}
