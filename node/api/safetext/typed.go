package safetext

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// ErrEncoding says that bytes are no text: neither UTF-8, nor UTF-16 that says so.
var ErrEncoding = errors.New("it is not UTF-8 text")

// Marks of byte order, with which some programs begin a text.
var (
	markUTF8 = []byte{0xef, 0xbb, 0xbf}
	markLE   = []byte{0xff, 0xfe}
	markBE   = []byte{0xfe, 0xff}
)

// Decode returns the text in bytes from a keyboard or a file: UTF-8 with or without a
// mark, or UTF-16 with one, as [Normal] has it. It is the one door for names, messages
// and passphrases: a passphrase from here opens with a file from there.
func Decode(b []byte) (string, error) {
	switch {
	case bytes.HasPrefix(b, markUTF8):
		b = b[len(markUTF8):]
	case bytes.HasPrefix(b, markLE):
		return decode16(b[len(markLE):], binary.LittleEndian)
	case bytes.HasPrefix(b, markBE):
		return decode16(b[len(markBE):], binary.BigEndian)
	}
	if !utf8.Valid(b) {
		return "", ErrEncoding
	}
	return Normal(string(b)), nil
}

func decode16(b []byte, order binary.ByteOrder) (string, error) {
	if len(b)%2 != 0 {
		return "", ErrEncoding
	}
	var out strings.Builder
	for i := 0; i < len(b); i += 2 {
		r := rune(order.Uint16(b[i:]))
		if utf16.IsSurrogate(r) {
			if i+4 > len(b) {
				return "", ErrEncoding
			}
			if r = utf16.DecodeRune(r, rune(order.Uint16(b[i+2:]))); r == utf8.RuneError {
				return "", ErrEncoding
			}
			i += 2
		}
		out.WriteRune(r)
	}
	return Normal(out.String()), nil
}

// Normal returns a text of the owner as it is kept and compared: composed (NFC), with
// line feeds at the ends of lines, and without invisible characters: controls but for the
// tab, and those that [Clean] removes. A text that is not UTF-8 is left as it is.
func Normal(s string) string {
	if !utf8.ValidString(s) {
		return s
	}
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u0085", "\n", "\u2028", "\n", "\u2029", "\n").Replace(s)
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\t', r == joiner, r == nonJoiner, r == utf8.RuneError:
			return r
		case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co), nonCharacter(r):
			return -1
		}
		return r
	}, s)
	return norm.NFC.String(s)
}
