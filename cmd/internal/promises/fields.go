package main

import (
	"regexp"
	"strings"
)

// A field is one place in a layout of docs/PROTOCOL.md, by the section that shows
// it and the first words of its line.
type field struct {
	section, name string
	line          int
}

var (
	heading = regexp.MustCompile(`^#{2,3} (\d+(?:\.\d+)?)\.? `)
	// part is one member of a layout on one line: "expiry 4", "bundle 1,957".
	part = regexp.MustCompile(`^([a-z][a-z-]*(?: [a-z-]+){0,3}) [\d,]+(?: = \d+)?$`)
	// member is one of a layout in a table: "delay in ms 2, at most 1,000".
	member = regexp.MustCompile(`^([a-z][a-z-]*(?: [a-z-]+){0,3}) \d`)
	stop   = regexp.MustCompile(`[,;:(=–‖]| \d`)
)

// fieldsOf finds the fields of a protocol: the rows of tables with an offset, a number
// of a field or a kind in the first column, and the members of layouts on one line.
func fieldsOf(text string) (all []field) {
	section, columns, inRows := "", 0, false
	seen := map[string]bool{}
	note := func(line int, name string) {
		if at := stop.FindStringIndex(name); at != nil {
			name = name[:at[0]]
		}
		name = strings.ToLower(strings.Trim(name, " *."))
		if name == "" || name == "zeros" || name == "…" || seen[section+" "+name] {
			return
		}
		seen[section+" "+name] = true
		all = append(all, field{section, name, line})
	}

	for n, line := range strings.Split(text, "\n") {
		if m := heading.FindStringSubmatch(line); m != nil {
			section, columns = m[1], 0
		}

		// The first cell of a table's head names its columns.
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		switch {
		case strings.HasPrefix(line, "    ") && strings.Contains(line, "‖"):
			for _, p := range strings.Split(line, "‖") {
				if m := part.FindStringSubmatch(strings.TrimSpace(p)); m != nil {
					note(n+1, m[1])
				}
			}
		case !strings.HasPrefix(line, "|"):
			columns, inRows = 0, false
		case cells[0] == "offset" || cells[0] == "put" || cells[0] == "append" || cells[0] == "request":
			columns = len(cells)
		case cells[0] == "field" || cells[0] == "kind" || cells[0] == "answer":
			columns = -1
		case cells[0] == "layer":
			columns = 2
			inRows = true
		case strings.HasPrefix(cells[0], "-"):
		case inRows && columns > 0:
			for _, p := range strings.Split(cells[len(cells)-1], "‖") {
				if m := member.FindStringSubmatch(strings.TrimSpace(p)); m != nil {
					note(n+1, m[1])
				}
			}
		case columns < 0:
			note(n+1, strings.TrimLeft(cells[0], "0123456789 "))
		case columns > 0:
			for i := 2; i < len(cells) && i < columns; i += 3 {
				note(n+1, cells[i])
			}
		}
	}
	return all
}
