package term

import (
	"os"

	"golang.org/x/term"
)

// Dumb reports whether the standard streams are not a terminal that a screen
// can be drawn on; the linear mode is for those.
func Dumb() bool {
	if t := os.Getenv("TERM"); t == "dumb" {
		return true
	}
	return !term.IsTerminal(int(os.Stdin.Fd())) || !term.IsTerminal(int(os.Stdout.Fd()))
}
