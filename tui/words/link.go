package words

import (
	"strings"

	"starling/tui/link"
	"starling/tui/theme"
)

// Note is the short form of [Findings], to stand behind an address: its true host. It is
// empty for an address that is as it looks.
func Note(th *theme.Theme, l *link.Link) string {
	var parts []string
	add := func(f link.Finding, text string) {
		if l.Has(f) {
			parts = append(parts, text)
		}
	}
	if l.Has(link.UserInfo) || l.Has(link.Letters) || l.Has(link.Encoded) || l.Has(link.Digits) && !strings.Contains(l.Target, "["+l.Host) {
		text := th.T("leads to %s", l.Host)
		if l.Spelled != "" {
			text += " = " + th.Cells.Steady(l.Spelled)
		}
		parts = append(parts, text)
	}
	add(link.Mixed, th.T("mixed scripts"))
	add(link.Backwards, th.T("written backwards"))
	add(link.Invisible, th.T("invisible characters"))
	add(link.Local, th.T("this computer or its network"))
	return strings.Join(parts, ", ")
}

// Findings are the deceits of an address in whole sentences.
func Findings(th *theme.Theme, l *link.Link) []string {
	var out []string
	add := func(f link.Finding, text string) {
		if l.Has(f) {
			out = append(out, text)
		}
	}
	add(link.UserInfo, th.T("What stands before the @ is a name to log in with. It is not where the address leads."))
	if l.Spelled != "" {
		out = append(out, th.T("Its name is written in other letters, %s: it may only look like one that you know.", th.Cells.Steady(l.Spelled)))
	} else {
		add(link.Letters, th.T("Its name is written in letters that stand for others."))
	}
	add(link.Mixed, th.T("Letters of several scripts are mixed in one word, as look-alikes do."))
	add(link.Encoded, th.T("Letters of its name were hidden behind percent signs."))
	add(link.Digits, th.T("It is an address in digits and has no name."))
	add(link.Local, th.T("It leads to this computer or to your own network, where it may do something in your name."))
	add(link.Backwards, th.T("A part of it is written from right to left: what you read is not the order of its letters."))
	add(link.Invisible, th.T("It holds characters that cannot be seen."))
	return out
}
