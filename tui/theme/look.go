package theme

import (
	"image/color"

	"charm.land/lipgloss/v2"

	"starling/tui/term"
)

// The names of the looks, as the settings have them.
const (
	Auto    = "auto"  // the terminal's 16 colours, for its own background
	Dark    = "dark"  // colours of its own, for dark screens
	Light   = "light" // and for light ones
	Sixteen = "16"    // Auto without faint text, which consoles draw illegibly
)

// A look is the colours of a theme.
type look struct {
	muted, border                       lipgloss.Style
	accent, peer, good, warn, bad, code color.Color
	authors                             []color.Color
}

// New returns the look [Auto] for a dark or light background.
func New(dark bool, cells term.Cells) *Theme { return Named(Auto, dark, cells) }

// Named returns a look. dark is the background that the terminal tells of; a look for
// dark or light screens does not ask. An unknown name is [Auto].
func Named(name string, dark bool, cells term.Cells) *Theme {
	var l look
	switch name {
	case Dark:
		l = own("#9aa5b4", "#7d8896", "#7cc7ff", "#d6a6ff", "#7ee787", "#f2cc60", "#ff9a90", "#f0b37e")
		l.authors = inks("#ff9e64", "#98c379", "#56d4c0", "#b4a7ff", "#ff9ac1", "#e5c07b", "#8fd6e8", "#d6a6ff", "#f7a3a3", "#c3e88d", "#9db9ff", "#e6b8e0")
	case Light:
		l = own("#5a6270", "#757b85", "#0550ae", "#7536c9", "#116329", "#7d4e00", "#b3131b", "#953800")
		l.authors = inks("#9a3412", "#3f6212", "#0f6b64", "#5b21b6", "#9d174d", "#7d4e00", "#155e75", "#86198f", "#8a1c2b", "#166534", "#1e40af", "#5f370e")
	default:
		l = sixteen(dark)
		if name == Sixteen {
			l.muted, l.border = lipgloss.NewStyle(), lipgloss.NewStyle()
		} else {
			name = Auto
		}
	}
	return l.theme(name, dark, cells)
}

// own is a look of colours of its own.
func own(muted, border, accent, peer, good, warn, bad, code string) look {
	ink := func(c string) lipgloss.Style { return lipgloss.NewStyle().Foreground(lipgloss.Color(c)) }
	return look{muted: ink(muted), border: ink(border), accent: lipgloss.Color(accent), peer: lipgloss.Color(peer),
		good: lipgloss.Color(good), warn: lipgloss.Color(warn), bad: lipgloss.Color(bad), code: lipgloss.Color(code)}
}

// inks are colours by their names.
func inks(names ...string) []color.Color {
	out := make([]color.Color, len(names))
	for i, n := range names {
		out[i] = lipgloss.Color(n)
	}
	return out
}

// sixteen is the look of the terminal's 16 colours.
func sixteen(dark bool) look {
	pick := func(onDark, onLight color.Color) color.Color {
		if dark {
			return onDark
		}
		return onLight
	}
	authors := []color.Color{lipgloss.Blue, lipgloss.Magenta, lipgloss.Red, lipgloss.NoColor{}}
	if dark {
		authors = []color.Color{lipgloss.BrightBlue, lipgloss.BrightMagenta, lipgloss.BrightRed, lipgloss.BrightGreen, lipgloss.BrightYellow, lipgloss.NoColor{}}
	}
	return look{
		authors: authors,
		muted:   lipgloss.NewStyle().Faint(true), border: lipgloss.NewStyle().Foreground(lipgloss.BrightBlack),
		accent: pick(lipgloss.Cyan, lipgloss.Blue), peer: lipgloss.Magenta, good: lipgloss.Green,
		warn: pick(lipgloss.Yellow, lipgloss.Magenta), bad: pick(lipgloss.BrightRed, lipgloss.Red), code: pick(lipgloss.Yellow, lipgloss.Blue),
	}
}

func (l look) theme(name string, dark bool, cells term.Cells) *Theme {
	plain := lipgloss.NewStyle()
	ink := func(c color.Color) lipgloss.Style { return plain.Foreground(c) }
	accent := ink(l.accent)
	var authors []Role
	for _, c := range l.authors {
		authors = append(authors, role(ink(c).Bold(true)))
	}
	return &Theme{
		authors:  authors,
		Cells:    cells,
		Dark:     dark,
		Name:     name,
		Text:     role(plain),
		Muted:    role(l.muted),
		Border:   role(l.border),
		Focus:    role(accent),
		Title:    role(plain.Bold(true)),
		Accent:   role(accent),
		Own:      role(accent.Bold(true)),
		Peer:     role(ink(l.peer).Bold(true)),
		Good:     role(ink(l.good)),
		Warn:     role(ink(l.warn)),
		Bad:      role(ink(l.bad)),
		Selected: role(plain.Reverse(true)),
		Badge:    role(accent.Bold(true).Reverse(true)),
		Code:     role(ink(l.code)),
		Link:     role(accent.Underline(true)),

		CodeKeyword: role(ink(l.peer)),
		CodeString:  role(ink(l.good)),
		CodeNumber:  role(accent),

		Strong:   role(plain.Bold(true)),
		Emphasis: role(plain.Italic(true)),

		StrongEmphasis: role(plain.Bold(true).Italic(true)),
		Struck:         role(plain.Strikethrough(true)),

		Button:  role(plain),
		Primary: role(accent.Bold(true).Reverse(true)),
		Named:   role(accent.Bold(true)),
		Us:      role(accent.Bold(true).Reverse(true)),
		Found:   role(plain.Reverse(true)),
		Ink:     role(plain.Foreground(lipgloss.Black).Background(lipgloss.BrightWhite)),
	}
}
