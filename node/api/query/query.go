// Package query reads the line that people type to find messages: words, and filters among them.
//
//	invoice from:Bob after:2026-11-01 kind:picture
//
// A filter is a key, a colon and a value, with quotes around one that has blanks
// (from:"Bob Smith"). Keys and kinds are known in English, German and Russian in
// every language of the screen. A word in quotes is never a filter ("from:x"), and neither
// is one with another key.
//
//	from:    a contact, or me
//	in:      the conversation with a contact
//	on:      a day, a month or a year
//	before:  earlier than that
//	after:   later than that, not in it
//	kind:    text, picture, file, link
//
// A day is written 2026-11-22, 22.11.2026, today or yesterday; a month 2026-11; a year
// 2026; and 7d is so long ago. It begins and ends where the person is.
package query

import (
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"starling/node/api"
)

// Me is the sender of own messages.
const Me = "me"

// The keys.
const (
	From   = "from"
	In     = "in"
	On     = "on"
	Before = "before"
	After  = "after"
	Kind   = "kind"
)

// keys are the names of the keys in every language.
var keys = map[string]string{
	"from": From, "in": In, "on": On, "before": Before, "after": After, "kind": Kind,
	"von": From, "am": On, "vor": Before, "nach": After, "art": Kind,
	"от": From, "в": In, "дата": On, "до": Before, "после": After, "вид": Kind,
}

// kinds are the names of the kinds in every language.
var kinds = map[string]api.MessageKind{
	"text": api.KindText, "picture": api.KindPicture, "file": api.KindFile, "link": api.KindLink,
	"image": api.KindPicture, "photo": api.KindPicture, "url": api.KindLink,
	"bild": api.KindPicture, "foto": api.KindPicture, "datei": api.KindFile,
	"текст": api.KindText, "фото": api.KindPicture, "картинка": api.KindPicture, "файл": api.KindFile, "ссылка": api.KindLink,
}

// The faults of a line.
var (
	errEmpty  = fault("a filter has no value", "Write one behind the colon, as in from:me.")
	errTwice  = fault("a filter is there twice", "Leave one of them out.")
	errOn     = fault("the date of on: cannot be read", HintDate)
	errBefore = fault("the date of before: cannot be read", HintDate)
	errAfter  = fault("the date of after: cannot be read", HintDate)
	errKind   = fault("there is no such kind of message", "The kinds are text, picture, file and link.")
	errQuote  = fault("a quotation mark has no end", "Close it, or leave it out.")
)

// HintDate says how a date is written.
const HintDate = "Write 2026-11-22, 22.11.2026, 2026-11, 2026, today, yesterday, or 7d for so long ago."

func fault(message, hint string) error {
	return &api.Error{Code: api.CodeUsage, Message: message, Hint: hint}
}

// ErrDate is the error of [ParseDate].
var ErrDate = errors.New("not a date")

// Parse reads a query. now is the time of the person, at their place.
func Parse(text string, now time.Time) (api.SearchRequest, error) {
	var req api.SearchRequest
	var words []string
	seen := map[string]bool{}
	for text = strings.TrimSpace(text); text != ""; text = strings.TrimSpace(text) {
		word, rest, quoted, err := next(text)
		if err != nil {
			return req, err
		}
		text = rest

		name, value, isFilter := strings.Cut(word, ":")
		key := keys[strings.ToLower(name)]
		if quoted || !isFilter || key == "" {
			words = append(words, word)
			continue
		}
		value = strings.Trim(value, `"`)
		switch {
		case value == "":
			return req, errEmpty
		case seen[key]:
			return req, errTwice
		}
		seen[key] = true
		if err := set(&req, key, value, now); err != nil {
			return req, err
		}
	}
	req.Words = strings.Join(words, " ")
	return req, nil
}

// next takes the first word off a text: up to a blank that stands in no quotes. A word
// that is in quotes as a whole comes without them.
func next(text string) (word, rest string, quoted bool, err error) {
	in := false
	end := len(text)
	for i, r := range text {
		if r == '"' {
			in = !in
		} else if !in && (r == ' ' || r == '\n' || r == '\t') {
			end = i
			break
		}
	}
	word, rest = text[:end], text[end:]
	switch {
	case in && filter(word):
		return "", "", false, errQuote
	case strings.HasPrefix(word, `"`) && !in:
		return strings.ReplaceAll(word, `"`, " "), rest, true, nil
	}
	return word, rest, false, nil
}

// filter reports whether a word begins as a filter.
func filter(word string) bool {
	name, _, ok := strings.Cut(word, ":")
	return ok && keys[strings.ToLower(name)] != ""
}

// Quoted returns an argument of the command line as one word: a filter with a value that
// has blanks keeps it whole.
func Quoted(arg string) string {
	name, value, _ := strings.Cut(arg, ":")
	if !filter(arg) || !strings.ContainsAny(value, " \t\n") || strings.Contains(value, `"`) {
		return arg
	}
	return name + `:"` + value + `"`
}

// set puts one filter into a request.
func set(req *api.SearchRequest, key, value string, now time.Time) error {
	switch key {
	case From:
		req.From = value
		if v := strings.ToLower(value); v == Me || v == "mir" || v == "ich" || v == "меня" || v == "я" {
			req.From = Me
		}
	case In:
		req.Contact = value
	case Kind:
		kind, err := ParseKind(value)
		req.Kind = kind
		return err
	default:
		return Narrow(req, key, value, now)
	}
	return nil
}

// Narrow narrows the time of a request by a date: [On], [Before] or [After] it.
func Narrow(req *api.SearchRequest, key, value string, now time.Time) error {
	from, to, err := ParseDate(value, now)
	switch key {
	case On:
		if err != nil || from.Equal(to) { // a moment is no day
			return errOn
		}
		cut(req, from, to)
	case Before:
		if err != nil {
			return errBefore
		}
		cut(req, time.Time{}, from)
	case After:
		if err != nil {
			return errAfter
		}
		cut(req, to, time.Time{})
	}
	return nil
}

// cut leaves of the time of a request the part that is in another, too.
func cut(req *api.SearchRequest, since, until time.Time) {
	if since.After(req.Since) {
		req.Since = since
	}
	if !until.IsZero() && (req.Until.IsZero() || until.Before(req.Until)) {
		req.Until = until
	}
}

// ParseKind reads the name of a kind.
func ParseKind(s string) (api.MessageKind, error) {
	kind := kinds[strings.ToLower(strings.TrimSpace(s))]
	if kind == "" {
		return "", errKind
	}
	return kind, nil
}

// The first and the last year that are read.
const (
	firstYear = 1970
	lastYear  = 9999
)

// ParseDate reads a day, a month, a year, or a moment that is so long ago: from when and up
// to when it is.
func ParseDate(s string, now time.Time) (from, to time.Time, err error) {
	s = strings.ToLower(strings.TrimSpace(s))
	if len(s) > 32 || !utf8.ValidString(s) {
		return from, to, ErrDate
	}
	year, month, day := now.Date()
	at := func(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, now.Location()) }
	switch s {
	case "today", "heute", "сегодня":
		return at(year, month, day), at(year, month, day+1), nil
	case "yesterday", "gestern", "вчера":
		return at(year, month, day-1), at(year, month, day), nil
	}
	if ago, err := api.ParseDuration(s); err == nil && ago > 0 {
		return now.Add(-ago), now.Add(-ago), nil
	}

	for _, form := range []struct {
		layout string
		years  int
		months int
		days   int
	}{{"2006-1-2", 0, 0, 1}, {"2.1.2006", 0, 0, 1}, {"2006-1", 0, 1, 0}, {"2006", 1, 0, 0}} {
		t, err := time.ParseInLocation(form.layout, s, time.UTC)
		if err != nil || t.Year() < firstYear || t.Year() > lastYear {
			continue
		}
		y, m, d := t.Date()
		return at(y, m, d), at(y+form.years, m+time.Month(form.months), d+form.days), nil
	}
	return from, to, ErrDate
}
