package chat

import (
	"errors"
	"strings"
	"unicode/utf8"

	"starling/node/api"
	"starling/node/api/safetext"
)

// The faults of a text or a name.
var (
	ErrEmpty   = errors.New("it is empty")
	ErrTooLong = errors.New("it is too long")
	ErrNotUTF8 = errors.New("it is not UTF-8")
)

// CheckText reports the fault that keeps a text from being sent: it is never cut.
func CheckText(s string) error {
	switch {
	case strings.TrimSpace(s) == "":
		return ErrEmpty
	case len(s) > api.MaxText:
		return ErrTooLong
	case !utf8.ValidString(s):
		return ErrNotUTF8
	}
	return nil
}

// CleanName returns the name that the owner chose, for themselves or for a
// contact, as one safe line.
func CleanName(s string) (string, error) {
	if !utf8.ValidString(s) {
		return "", ErrNotUTF8
	}
	s = legible(safetext.Normal(s))
	switch {
	case s == "":
		return "", ErrEmpty
	case len(s) > api.MaxName:
		return "", ErrTooLong
	}
	return s, nil
}

// PeerName returns a name that a contact gave themselves as one safe line,
// shortened if need be, and "" if nothing is left of it.
func PeerName(s string) string {
	return legible(ShortName(legible(s), api.MaxName))
}

// Fits reports whether a text may stand in place of that of a message, which has a picture or a file or has none.
func Fits(text string, attached bool) bool { return !attached || len(text) <= api.MaxCaption }

// CheckCaption reports the fault that keeps a text from being sent beside a picture or a file.
func CheckCaption(s string) error {
	switch {
	case len(s) > api.MaxCaption:
		return ErrTooLong
	case !utf8.ValidString(s):
		return ErrNotUTF8
	}
	return nil
}
