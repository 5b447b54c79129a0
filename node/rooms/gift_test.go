package rooms

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"
	"time"

	"starling/node/api"
	"starling/node/chat"
	"starling/node/store"
	"starling/session"
)

// TestGiftLies: who lets a newcomer in makes up what was said: no message of the newcomer's own, no
// garbage, no picture or file that is none or too large, and no more than a hundred.
func TestGiftLies(t *testing.T) {
	text := func(s string) []byte { return (&chat.Content{Kind: chat.Text, Text: s}).Encode() }
	field := func(number byte, value []byte) []byte {
		return append(binary.BigEndian.AppendUint16([]byte{number}, uint16(len(value))), value...)
	}
	raw := func(kind chat.Kind, fields ...[]byte) []byte {
		return slices.Concat([]byte{byte(kind)}, slices.Concat(fields...))
	}
	me, other := store.MemberID{1}, store.MemberID{2}
	gift := func(author store.MemberID, name byte, content []byte) []byte {
		return slices.Concat([]byte{1}, author[:], slices.Repeat([]byte{name}, 16), content)
	}
	for what, blob := range map[string][]byte{
		"nothing": {}, "another version": append([]byte{2}, gift(other, 1, text("x"))[1:]...), "cut off": gift(other, 1, nil),
		"ours": gift(me, 1, text("x")), "nobody's": gift(store.MemberID{}, 1, text("x")), "garbage": gift(other, 1, []byte{0}),
		"a picture of nothing":      gift(other, 1, raw(chat.Picture, field(10, []byte("no picture")))),
		"no picture":                gift(other, 1, raw(chat.Picture)),
		"a file without a name":     gift(other, 1, raw(chat.File, field(12, []byte("x")))),
		"a file that is too large":  gift(other, 1, raw(chat.File, field(12, make([]byte, api.MaxFile+1)), field(13, []byte("x")))),
		"more than a content holds": gift(other, 1, raw(chat.File, field(12, make([]byte, api.MaxFile)), field(13, []byte("x")), field(200, make([]byte, 1<<14)))),
		"no message":                gift(other, 1, (&chat.Content{Kind: chat.Delete, IDs: []chat.ID{{1}}}).Encode()),
	} {
		if _, _, _, ok := ParseGift(blob, me); ok {
			t.Errorf("%s is taken", what)
		}
	}
	author, name, c, ok := ParseGift(gift(other, 3, text("hi")), me)
	if !ok || author != other || name != store.ContentID(slices.Repeat([]byte{3}, 16)) || c.Text != "hi" {
		t.Error("a gift is refused")
	}

	_, _, c, ok = ParseGift(gift(other, 3, raw(chat.File, field(12, []byte("x")), field(13, []byte("../../\u202egpj.exe")))), me)
	if m := (store.Message{}); !ok {
		t.Error("a file is refused")
	} else if attach(&m, c); strings.ContainsAny(m.File, "/\u202e") || m.Size != 1 {
		t.Errorf("a file %q of %d bytes", m.File, m.Size)
	}
}

// TestGiftNamesNothingBefore: what the author of a gift wrote before it is not named: it may not be given.
func TestGiftNamesNothingBefore(t *testing.T) {
	m := store.Message{Member: store.MemberID{2}, Content: store.ContentID{3}, Previous: store.ContentID{4}, Text: "hi", Time: time.Unix(1_800_000_000, 0)}
	b, err := (&Tx{}).gift(m)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, c, ok := ParseGift(b, store.MemberID{1}); !ok || c.Text != "hi" || c.Previous != (chat.ID{}) {
		t.Errorf("%v, %+v", ok, c)
	}
}

func FuzzParseGift(f *testing.F) {
	f.Add([]byte{1})
	f.Fuzz(func(t *testing.T, b []byte) {
		if author, _, c, ok := ParseGift(b, store.MemberID{1}); ok && (author.IsZero() || !c.Kind.Message()) {
			t.Error(author, c.Kind)
		}
	})
}

// FuzzParseAside: an offer is the link of an invite that can still be used, and nothing else.
func FuzzParseAside(f *testing.F) {
	now := time.Unix(1_800_000_000, 0)
	for _, left := range []time.Duration{time.Hour, -time.Hour, maxAsideLife + time.Hour} {
		i, err := session.NewInvite(now.Add(left), [][]byte{{1}})
		if err != nil {
			f.Fatal(err)
		}
		f.Add([]byte(i.Link()))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		a, ok := ParseAside(b, now)
		if !ok {
			return
		}
		if v, err := session.ParseLink(a.Link); err != nil || v.ID() != a.Invite || !a.Expires.After(now) || a.Expires.Sub(now) > maxAsideLife {
			t.Errorf("%+v, %v", a, err)
		}
	})
}
