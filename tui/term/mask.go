package term

import "strings"

// Mask replaces the characters of a text by blocks of the same width. Spaces and line
// feeds stay, so that it is laid out as before.
func (c Cells) Mask(s string) string {
	var b strings.Builder
	for s != "" {
		cluster, n := c.Next(s)
		s = s[len(cluster):]
		if cluster == " " || cluster == "\n" {
			b.WriteString(cluster)
			continue
		}
		for range n {
			b.WriteString("▒")
		}
	}
	return b.String()
}
