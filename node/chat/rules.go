package chat

import (
	"errors"
	"strings"
	"unicode/utf8"

	"starling/node/api"
)

// The faults of a text, a name or a picture.
var (
	ErrEmpty   = errors.New("it is empty")
	ErrTooLong = errors.New("it is too long")
	ErrNotUTF8 = errors.New("it is not UTF-8")

	ErrTooLarge  = errors.New("the picture is too large")
	ErrNoPicture = errors.New("it is not a picture")
)

// CheckText reports the fault that keeps a text from being sent: it is never cut or
// changed.
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
	s = legible(s)
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

// PictureType returns the type of a picture by its first bytes, "image/png",
// "image/jpeg" or "image/gif", and "" for anything else. Nobody looks further here.
func PictureType(b []byte) string {
	for _, t := range []struct{ magic, name string }{
		{"\x89PNG\r\n\x1a\n", "image/png"},
		{"\xff\xd8\xff", "image/jpeg"},
		{"GIF87a", "image/gif"},
		{"GIF89a", "image/gif"},
	} {
		if strings.HasPrefix(string(b[:min(len(b), len(t.magic))]), t.magic) {
			return t.name
		}
	}
	return ""
}

// CheckPicture reports the fault that keeps a picture, with its caption, from being
// sent.
func CheckPicture(data []byte, caption string) error {
	switch {
	case len(data) > api.MaxPicture:
		return ErrTooLarge
	case PictureType(data) == "":
		return ErrNoPicture
	case len(caption) > api.MaxCaption:
		return ErrTooLong
	case !utf8.ValidString(caption):
		return ErrNotUTF8
	}
	return nil
}
