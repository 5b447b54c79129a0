package tuitest

import (
	"bytes"
	"encoding/hex"
	"image"
	_ "image/gif"
	_ "image/jpeg"
	_ "image/png"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"starling/node/api"
	"starling/node/api/safetext"
)

// refused is an error with a code; the words are those of a test.
func refused(code api.Code, message string) error { return &api.Error{Code: code, Message: message} }

// checkText refuses a text of a message that is empty or longer than most.
func checkText(text string, most int) error {
	switch {
	case safetext.Clean(strings.TrimSpace(text)).IsZero():
		return refused(api.CodeEmpty, "the message is empty")
	case len(text) > most:
		return refused(api.CodeTooLong, "the message is too long")
	}
	return nil
}

// checkSend refuses a request that no node takes.
func checkSend(req api.SendRequest) error {
	if b, err := hex.DecodeString(req.ID); req.ID != "" && (err != nil || len(b) != 16) {
		return refused(api.CodeUsage, "this is no message ID")
	}

	switch {
	case req.Forward != "":
		if req.Text != "" || req.Picture != nil || req.File != nil {
			return refused(api.CodeUsage, "what is forwarded has its own text")
		}
		return nil
	case req.File != nil:
		if req.Picture != nil {
			return refused(api.CodeUsage, "a message has one picture or one file")
		}
		if len(req.File.Data) > api.MaxFile || len(req.Text) > api.MaxCaption {
			return refused(api.CodeTooLong, "the file is too large")
		}
		return nil
	case req.Picture == nil:
		return checkText(req.Text, api.MaxText)
	case len(req.Picture) > api.MaxPicture || len(req.Text) > api.MaxCaption:
		return refused(api.CodeTooLong, "the picture is too large")
	case pictureType(req.Picture) == "":
		return refused(api.CodeUsage, "this is no picture")
	}
	if _, _, err := image.Decode(bytes.NewReader(req.Picture)); err != nil {
		return refused(api.CodeUsage, "the picture is broken")
	}
	return nil
}

// pictureType is the type of a picture by its first bytes, "" if it is none.
func pictureType(b []byte) string {
	for magic, kind := range map[string]string{"\x89PNG": "image/png", "\xff\xd8\xff": "image/jpeg", "GIF8": "image/gif"} {
		if bytes.HasPrefix(b, []byte(magic)) {
			return kind
		}
	}
	return ""
}

func checkEmoji(s string) error {
	if s != "" && safetext.Emoji(s) == "" {
		return refused(api.CodeUsage, "a reaction is one emoji")
	}
	return nil
}

func checkExpiry(d time.Duration) error {
	if d != 0 && (d < time.Minute || d > 7*24*time.Hour) {
		return refused(api.CodeUsage, "an invite lives for a minute at least and 7 days at most")
	}
	return nil
}

func checkNotify(level *api.NotifyLevel, more ...api.NotifyLevel) error {
	if level == nil {
		return nil
	}
	for _, known := range append(more, api.NotifyNone, api.NotifyHidden, api.NotifyName, api.NotifyText) {
		if *level == known {
			return nil
		}
	}
	return refused(api.CodeUsage, "a notification says none, hidden, name or text")
}

// fold is a text as the search compares it: in lower case and without marks.
func fold(s string) string {
	s = strings.ReplaceAll(strings.ToLower(s), "ß", "ss")
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return r
	}, norm.NFKD.String(s))
}
