// Package linktext is the text form of links: a prefix, then base32 (RFC 4648, lower case,
// no padding) of the bytes inside. White space and case do not matter to a reader, so that
// a link survives a mail's line breaks and a QR code's capitals.
package linktext

import (
	"encoding/base32"
	"errors"
	"strings"
)

// Why a text is refused.
var (
	// ErrForeign: it has another prefix, or is longer than any such link.
	ErrForeign = errors.New("no such link")
	// ErrLetter: a character that base32 does not have.
	ErrLetter = errors.New("a link with a letter that no link has")
)

var encoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// Encode returns the text of a link.
func Encode(prefix string, b []byte) string { return prefix + encoding.EncodeToString(b) }

// Decode returns the bytes of a link of at most so many bytes of text. exact is false of a
// text that Encode does not return for them: it was cut within a byte, or has bits set after
// the last one. Its bytes may still tell more of what is wrong with it.
func Decode(prefix, text string, most int) (b []byte, exact bool, err error) {
	if len(text) > most {
		return nil, false, ErrForeign
	}
	text, ok := strings.CutPrefix(strings.ToLower(strings.Join(strings.Fields(text), "")), prefix)
	if !ok {
		return nil, false, ErrForeign
	}

	// A cut may leave a group that base32 never has: drop its tail.
	whole := text
	switch len(text) % 8 {
	case 1, 3, 6:
		whole = text[:len(text)-1]
	}
	if b, err = encoding.DecodeString(whole); err != nil {
		return nil, false, ErrLetter
	}
	return b, encoding.EncodeToString(b) == text, nil
}
