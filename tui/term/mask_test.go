package term

import "testing"

func TestMaskKeepsTheWidth(t *testing.T) {
	c := Cells{}
	for _, s := range []string{"", "alice", "a b\nc", "日本 e\u0301 👍", "שלום"} {
		m := c.Mask(s)
		if c.Width(m) != c.Width(s) || c.Mask(m) != m {
			t.Errorf("%q is masked as %q", s, m)
		}
	}
	if got := c.Mask("a b\nc日"); got != "▒ ▒\n▒▒▒" {
		t.Errorf("got %q", got)
	}
}
