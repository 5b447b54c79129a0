package scenario

import (
	"fmt"
	"strings"
)

// lines is where each key of a file stands: "messages.count", "event[2]",
// "event[2].at". The TOML package has read the file before and returns only its values,
// not their lines.
type lines map[string]int

// of returns the line of a key, or of the closest table around it, or 0.
func (l lines) of(path string) int {
	for {
		if n := l[path]; n > 0 {
			return n
		}
		i := strings.LastIndexByte(path, '.')
		if i < 0 {
			return 0
		}
		path = path[:i]
	}
}

// index finds tables and keys in a file that is valid TOML. Dotted keys and tables
// within tables are not ours: they get the line of the text around them.
func index(src string) lines {
	found := lines{}
	count := map[string]int{}
	prefix, open, n := "", "", 0

	for line := range strings.Lines(src) {
		n++
		line = strings.TrimSpace(line)
		if open != "" { // inside of a text over several lines
			if strings.Contains(line, open) {
				open = ""
			}
			continue
		}

		for _, quotes := range []string{`"""`, `'''`} {
			if strings.Count(line, quotes) == 1 {
				open = quotes
			}
		}

		name, isArray := strings.CutPrefix(line, "[[")
		name, isTable := strings.CutPrefix(name, "[")
		switch {
		case isArray:
			name, _, _ = strings.Cut(name, "]")
			name = strings.TrimSpace(name)
			prefix = fmt.Sprintf("%s[%d]", name, count[name])
			count[name]++
		// A line of a list may begin with a bracket, but only in a text over several lines.
		case isTable && open == "":
			name, _, _ = strings.Cut(name, "]")
			prefix = strings.TrimSpace(name)
		default:
			key, _, ok := strings.Cut(line, "=")
			key = strings.Trim(strings.TrimSpace(key), `"'`)
			if !ok || key == "" || strings.HasPrefix(key, "#") {
				continue
			}
			if prefix != "" {
				key = prefix + "." + key
			}
			found.add(key, n)
			continue
		}

		found.add(prefix, n)
	}

	return found
}

// add keeps the first line of a key.
func (l lines) add(key string, n int) {
	if l[key] == 0 {
		l[key] = n
	}
}
