package tuitest

import (
	"strings"

	"starling/node/api"
	"starling/node/api/safetext"
)

// Hostile is text that tries to drive the terminal of its reader. Each has the word
// PWNED where it would show that it worked.
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
	"\U0010EEEE\u0305\u0305PWNED",                               // a place for one of kitty's pictures
	"\x1b]9;PWNED\x07\x1b]777;notify;PWNED;PWNED\x07",           // notifications
	"\x1b]99;i=1:d=0;PWNED\x1b\\\x1b]9;4;1;50\x07",              // and progress
	"\x1b]1337;File=inline=1:UFdORUQ=\x07\x1bP0;1qPWNED\x1b\\",  // pictures
	"\x1b[?2026h\x1b[?1047h\x1b[3J\x1b[22;0tPWNED",              // hold the screen, forget the scrollback
	"\x1b[>1u\x1b[=5;1u\x1b[?9001hPWNED",                        // other keys
	"\x1b]4;1;rgb:00/00/00\x07\x1b]104\x07\x1b]12;red\x07PWNED", // colours
	"\u0085\u2028\u2029PWNED\v\fPWNED",                          // lines that are none
	strings.Repeat("\u202e", 3000) + "PWNED",                    // a tower of overrides
	strings.Repeat("*_`[", 4000),                                // marks without an end
	strings.Repeat("https://", 3000),                            //
	strings.Repeat("क\u094d\u200d", 3000),                       // a conjunct of 9,000 code points
	"🏴" + strings.Repeat("\U000e0067", 2000) + "\U000e007f",     // a flag of tags
	strings.Repeat("🇩", 999) + strings.Repeat("\ufe0f", 999),    // half a flag, and selectors
	"```\n" + strings.Repeat("\t", 5000) + "PWNED\n```",         // code of tabs
	"✓ verified\n✓✓ read\n──────── 3 new ────────\n! Notice: PWNED", // what only we say
}

// Attack adds contacts with hostile names and messages.
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
	attackFields(n, id)
	n.mu.Lock()
	defer n.mu.Unlock()
	// A name of more than one line, as JSON would decode it.
	for i := range n.contacts {
		if n.contacts[i].ID == id {
			n.contacts[i].Name = safetext.Clean("mallory\n\n✓ verified")
		}
	}
}

// attackFields sends everything else that a contact can choose.
func attackFields(n *Node, id string) {
	for i, h := range Hostile {
		bad := safetext.Clean(h)
		own := "ab" + strings.Repeat("0", 28) + string(rune('a'+i/10%6)) + string(rune('0'+i%10))
		n.Seed(id, api.Message{ID: own, Text: safetext.Line("what did you say?"), Outgoing: true, Time: n.now(), Reactions: []api.Reaction{{Emoji: bad}, {Outgoing: true, Emoji: safetext.Line("👍")}}})
		n.ReceiveMessage(id, api.Message{
			Text: bad, From: bad, Forwarded: i%2 == 0, Edited: n.now(),
			Reply:     &api.Quote{ID: own, From: bad, Text: bad},
			Reactions: []api.Reaction{{Emoji: bad}},
			Picture:   &api.Picture{Type: "image/" + h, Data: []byte(h), Size: len(h)},
			Timer:     1 << 30,
		})
		n.Writes(id)
	}
	n.Offer(id, 1<<30)
}
