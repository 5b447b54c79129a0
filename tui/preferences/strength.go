package preferences

import (
	"starling/node/api/passphrase"
	"starling/tui/catalogue"
	"starling/tui/theme"
)

// Strength returns the judge of a new passphrase: it says how hard it is to guess while it
// is typed. A text is judged once, however often it is drawn.
func Strength() func(*theme.Theme, string) string {
	var last, said string
	return func(th *theme.Theme, text string) string {
		if text == "" {
			return ""
		}
		if text != last || said == "" {
			last, said = text, judge(th, text)
		}
		return said
	}
}

// reasons say why a passphrase is no better.
var reasons = map[passphrase.Reason]string{
	passphrase.Short:  catalogue.Mark("it is short"),
	passphrase.Common: catalogue.Mark("words, names and passwords that many use are tried first"),
	passphrase.Repeat: catalogue.Mark("it repeats itself, or counts up"),
	passphrase.Row:    catalogue.Mark("its letters lie beside each other on the keyboard"),
	passphrase.Date:   catalogue.Mark("dates and years are tried first"),
}

func judge(th *theme.Theme, text string) string {
	strength, why := passphrase.Judge(text)
	reason := ""
	if why != passphrase.None {
		reason = th.T(reasons[why])
	}
	switch strength {
	case passphrase.Refused:
		return th.Bad.Render(theme.GlyphFailed + " " + th.T("too easy to guess: %s", reason))
	case passphrase.Weak:
		return th.Warn.Render(theme.GlyphQueued + " " + th.T("weak: %s", reason))
	case passphrase.Good:
		return th.Good.Render(theme.GlyphSealed + " " + th.T("good"))
	}
	return th.Good.Render(theme.GlyphSent + " " + th.T("strong"))
}

// Refused reports whether a new passphrase is too easy to guess to be taken.
func Refused(text string) bool {
	strength, _ := passphrase.Judge(text)
	return strength == passphrase.Refused
}
