package tuitest

import (
	"strings"

	"starling/node/api/safetext"
)

// Hostile is text that tries to drive the terminal of whoever reads it. Each
// has the word PWNED where it would show that it worked.
var Hostile = []string{
	"\x1b]0;PWNED\x07",                  // window title
	"\x1b]52;c;UFdORUQ=\x07",            // clipboard
	"\u009d52;c;UFdORUQ=\u009c",         // the same with C1 as UTF-8
	"\x9d52;c;UFdORUQ=\x9c",             // and as bytes
	"\u009b2J\u009b31mPWNED",            // clear the screen
	"\x1b[2J\x1b[H\x1b[31mPWNED\x1b[0m", //
	"\x1b]8;;http://evil.example/PWNED\x07bank.example\x1b]8;;\x07",
	"\x1bP+q544e\x1b\\PWNED",              // DCS
	"\x1b_Gf=100,a=T;PWNED\x1b\\",         // APC
	"\x1b^PWNED\x1b\\\x1bXPWNED\x1b\\",    // PM, SOS
	"\x1b[6n\x1b[c\x1b]11;?\x07",          // make it type
	"\x1b[?1049l\x1b[?2004l\x1b[?1000h",   // leave the screen
	"safe\rPWNED",                         // overwrite the name
	"photo\u202egpj.exe",                  // reversed
	"\u2066\u2067\u2068PWNED\u2069\u061c", // isolates
	"a" + strings.Repeat("\u0301", 5000),  // a tower of marks
	strings.Repeat("👩\u200d", 3000) + "👩", // one character of 21 kB
	strings.Repeat("\x1b[", 1<<14),        // slow to draw
	"\x00\x01\x02\a\b\v\f\x0e\x0f\x7f",    // controls
	"bad utf-8: \xff\xfe\xc0\x80\xed\xa0\x80",
	strings.Repeat("x", 20000), // no place to break
	strings.Repeat("\n", 3000), // lines of nothing
	"\U000e0041\U000e0042tags",
	"\ufff9anno\ufffatation\ufffb",
	"zero\u200bwidth\u2060\ufeffjoin",
}

// Attack adds contacts whose names and messages are hostile.
func Attack(n *Node) {
	id := n.Meet("mallory")
	for _, h := range Hostile {
		n.Receive(id, h)
	}
	for i, h := range Hostile {
		if i > 5 {
			break
		}
		other := n.Meet(h)
		n.Receive(other, "my name is the attack")
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	// A name of more than one line, as JSON would decode it.
	for i := range n.contacts {
		if n.contacts[i].ID == id {
			n.contacts[i].Name = safetext.Clean("mallory\n\n✓ verified")
		}
	}
}
