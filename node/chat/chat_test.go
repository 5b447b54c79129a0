package chat

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"starling/node/api"
	"starling/node/api/filename"
)

// Layouts that must never change.
func TestVectors(t *testing.T) {
	at := time.UnixMilli(1_700_000_000_123).UTC()
	for _, tt := range []struct {
		name string
		c    Content
		hex  string
	}{
		{"profile", Content{Kind: Profile, Name: "Ada", Mailboxes: [][]byte{{1, 2}, {3}}},
			"01" + "010003416461" + "0200020102" + "02000103"},
		{"text", Content{Kind: Text, Text: "hé", Time: at},
			"02" + "03000368c3a9" + "0400080000018bcfe5687b"},
		{"receipt", Content{Kind: Receipt, IDs: []ID{{1}, {2}}},
			"03" + "050020" + "01000000000000000000000000000000" + "02000000000000000000000000000000"},
		{"mailboxes", Content{Kind: Mailboxes, Mailboxes: [][]byte{{9}}}, "04" + "02000109"},
		{"ask", Content{Kind: Ask, IDs: []ID{{1}}}, "05" + "050010" + "01000000000000000000000000000000"},
		{"answer", Content{Kind: Text, Text: "a", Ref: ID{1}, Forwarded: true, Timer: 60},
			"02" + "03000161" + "060010" + "01000000000000000000000000000000" + "070000" + "0800040000003c"},
		{"edit", Content{Kind: Edit, Ref: ID{1}, Text: "b", Time: at},
			"06" + "03000162" + "0400080000018bcfe5687b" + "060010" + "01000000000000000000000000000000"},
		{"delete", Content{Kind: Delete, IDs: []ID{{1}}}, "07" + "050010" + "01000000000000000000000000000000"},
		{"reaction", Content{Kind: Reaction, Ref: ID{1}, Emoji: "é"}, "08" + "060010" + "01000000000000000000000000000000" + "090002c3a9"},
		{"reaction taken back", Content{Kind: Reaction, Ref: ID{1}}, "08" + "060010" + "01000000000000000000000000000000"},
		{"picture", Content{Kind: Picture, Picture: []byte("GIF87a!")}, "09" + "0a0007" + "47494638376121"},
		{"timer", Content{Kind: Timer, Timer: api.MaxTimer}, "0a" + "0800040024ea00"},
		{"no timer", Content{Kind: Timer}, "0a"},
		{"read", Content{Kind: Read, IDs: []ID{{1}}, Time: at}, "0b" + "0400080000018bcfe5687b" + "050010" + "01000000000000000000000000000000"},
		{"typing", Content{Kind: Typing, Time: at}, "0c" + "0400080000018bcfe5687b"},
		{"later text", Content{Kind: Text, Text: "a", Previous: ID{1}}, "02" + "03000161" + "0b0010" + "01000000000000000000000000000000"},
		{"file", Content{Kind: File, Text: "b", File: []byte{0, 255}, FileName: "é.x"}, "0d" + "03000162" + "0c000200ff" + "0d0004c3a92e78"},
		{"empty file", Content{Kind: File, File: []byte{}, FileName: "a"}, "0d" + "0c0000" + "0d000161"},
		{"unknown field", Content{Kind: Text, Text: "a", Unknown: []Field{{200, []byte{7}}}},
			"02" + "03000161" + "c8000107"},
		{"unknown kind", Content{Kind: 99}, "63"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := hex.EncodeToString(tt.c.Encode()); got != tt.hex {
				t.Errorf("encoded %s\nwant    %s", got, tt.hex)
			}
			b, _ := hex.DecodeString(tt.hex)
			got, err := Decode(b)
			if err != nil || !reflect.DeepEqual(*got, tt.c) {
				t.Errorf("decoded %+v, %v", got, err)
			}
		})
	}
}

func TestDecodeRefuses(t *testing.T) {
	field := func(n byte, v []byte) []byte {
		return append([]byte{n, byte(len(v) >> 8), byte(len(v))}, v...)
	}
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	text := field(3, []byte("a"))
	for name, b := range map[string][]byte{
		"nothing":              {},
		"kind 0":               {0},
		"too long":             join([]byte{99}, field(200, make([]byte, 0xFFFF)), field(201, make([]byte, 100))),
		"junk after":           join([]byte{2}, text, []byte{4}),
		"value cut":            join([]byte{2}, []byte{3, 0, 2, 'a'}),
		"field 0":              join([]byte{2}, field(0, nil), text),
		"fields out of order":  join([]byte{2}, field(4, make([]byte, 8)), text),
		"text twice":           join([]byte{2}, text, text),
		"unknown twice":        join([]byte{2}, text, field(200, nil), field(200, nil)),
		"text without text":    {2},
		"empty text":           join([]byte{2}, field(3, nil)),
		"text not UTF-8":       join([]byte{2}, field(3, []byte{0xFF})),
		"text too long":        join([]byte{2}, field(3, bytes.Repeat([]byte{'a'}, api.MaxText+1))),
		"time of 7 bytes":      join([]byte{2}, text, field(4, make([]byte, 7))),
		"year 10000":           join([]byte{2}, text, field(4, []byte{0, 0, 0xE6, 0x77, 0xD2, 0x1F, 0xDC, 0})),
		"time negative":        join([]byte{2}, text, field(4, bytes.Repeat([]byte{0xFF}, 8))),
		"receipt for nothing":  {3},
		"ids empty":            join([]byte{3}, field(5, nil)),
		"ids cut":              join([]byte{3}, field(5, make([]byte, 17))),
		"too many ids":         join([]byte{3}, field(5, make([]byte, 16*(MaxIDs+1)))),
		"profile, no mailbox":  join([]byte{1}, field(1, []byte("Ada"))),
		"empty name":           join([]byte{1}, field(1, nil), field(2, []byte{1})),
		"name too long":        join([]byte{1}, field(1, bytes.Repeat([]byte{'a'}, api.MaxName+1)), field(2, []byte{1})),
		"empty hint":           join([]byte{4}, field(2, nil)),
		"hint too long":        join([]byte{4}, field(2, make([]byte, MaxHint+1))),
		"too many mailboxes":   join([]byte{4}, bytes.Repeat(field(2, []byte{1}), MaxMailboxes+1)),
		"edit without text":    join([]byte{6}, field(6, []byte("0123456789abcdef"))),
		"edit of nothing":      join([]byte{6}, text),
		"delete of nothing":    {7},
		"reaction to nothing":  join([]byte{8}, field(9, []byte("!"))),
		"picture, none":        join([]byte{9}, text),
		"picture of no type":   join([]byte{9}, field(10, []byte("BM...."))),
		"picture too large":    join([]byte{9}, field(10, append([]byte("GIF89a"), make([]byte, api.MaxPicture)...))),
		"empty picture":        join([]byte{9}, field(10, nil)),
		"file without a name":  join([]byte{13}, field(12, []byte("a"))),
		"name without a file":  join([]byte{13}, field(13, []byte("a"))),
		"file too large":       join([]byte{13}, field(12, make([]byte, api.MaxFile+1)), field(13, []byte("a"))),
		"file twice":           join([]byte{13}, field(12, nil), field(12, nil), field(13, []byte("a"))),
		"empty file name":      join([]byte{13}, field(12, nil), field(13, nil)),
		"file name too long":   join([]byte{13}, field(12, nil), field(13, bytes.Repeat([]byte{'a'}, api.MaxFileName+1))),
		"file name of 4 KiB":   join([]byte{13}, field(12, nil), field(13, bytes.Repeat([]byte{'a'}, 4096))),
		"file name not UTF-8":  join([]byte{13}, field(12, nil), field(13, []byte("a\xff"))),
		"read nothing":         {11},
		"typing without time":  {12},
		"missed nothing":       {16},
		"cells empty":          join([]byte{16}, field(32, nil)),
		"cells cut":            join([]byte{16}, field(32, make([]byte, 12))),
		"no cell in a run":     join([]byte{16}, field(32, make([]byte, 8))),
		"runs that meet":       join([]byte{16}, field(32, []byte{0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 1})),
		"runs that descend":    join([]byte{16}, field(32, []byte{0, 0, 0, 4, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 1})),
		"too many runs":        join([]byte{16}, field(32, runs(MaxCells+1))),
		"beyond the last cell": join([]byte{16}, field(32, []byte{0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 2})),
		"ref of zeros":         join([]byte{2}, text, field(6, make([]byte, 16))),
		"ref too long":         join([]byte{2}, text, field(6, make([]byte, 17))),
		"previous of zeros":    join([]byte{2}, text, field(11, make([]byte, 16))),
		"previous too short":   join([]byte{2}, text, field(11, []byte("0123456789abcde"))),
		"previous empty":       join([]byte{2}, text, field(11, nil)),
		"forwarded is full":    join([]byte{2}, text, field(7, []byte{0})),
		"timer of 4 s":         join([]byte{2}, text, field(8, []byte{0, 0, 0, 4})),
		"timer too long":       join([]byte{2}, text, field(8, []byte{0, 0x24, 0xea, 1})),
		"timer never":          join([]byte{10}, field(8, make([]byte, 4))),
		"empty emoji":          join([]byte{2}, text, field(9, nil)),
		"emoji too long":       join([]byte{2}, text, field(9, make([]byte, api.MaxEmoji+1))),
		"field 3 in a profile": join([]byte{1}, field(2, []byte{1}), field(3, nil)),
	} {
		if c, err := Decode(b); err != ErrMalformed {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
	many := []byte{99}
	for i := range MaxFields + 1 {
		many = append(many, field(byte(100+i), nil)...)
	}
	if _, err := Decode(many[:len(many)-3]); err != nil {
		t.Errorf("%d fields: %v", MaxFields, err)
	}
	if _, err := Decode(many); err == nil {
		t.Error("too many fields accepted")
	}
}

func FuzzDecode(f *testing.F) {
	f.Add((&Content{Kind: Text, Text: "a", Time: time.UnixMilli(1)}).Encode())
	f.Add((&Content{Kind: Profile, Name: "n", Mailboxes: [][]byte{{1}, {1}}}).Encode())
	f.Add((&Content{Kind: Receipt, IDs: []ID{{}}, Unknown: []Field{{99, []byte{}}}}).Encode())
	f.Add((&Content{Kind: Edit, Ref: ID{1}, Text: "b", Forwarded: true, Timer: MinTimer}).Encode())
	f.Add((&Content{Kind: Reaction, Ref: ID{1}, Emoji: "👍"}).Encode())
	f.Add((&Content{Kind: Missed, Cells: []Cells{{1, 2}}, Unknown: []Field{{14, []byte{}}, {33, []byte{}}}}).Encode())
	f.Add((&Content{Kind: Picture, Picture: []byte("GIF89a")}).Encode())
	f.Add((&Content{Kind: File, File: []byte{}, FileName: "../../x", Unknown: []Field{{14, []byte{}}}}).Encode())
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Decode(b)
		if err != nil {
			return
		}
		if got := c.Encode(); !bytes.Equal(got, b) {
			t.Errorf("decoded %x, encoded again %x", b, got)
		}
	})
}

func TestCheckText(t *testing.T) {
	for s, want := range map[string]error{
		"":                                   ErrEmpty,
		" \n\t":                              ErrEmpty,
		"a":                                  nil,
		strings.Repeat("a", api.MaxText):     nil,
		strings.Repeat("a", api.MaxText+1):   ErrTooLong,
		"a\xff":                              ErrNotUTF8,
		strings.Repeat("é", api.MaxText/2+1): ErrTooLong,
	} {
		if err := CheckText(s); !errors.Is(err, want) {
			t.Errorf("%.10q (%d bytes): %v, want %v", s, len(s), err, want)
		}
	}
}

func TestNames(t *testing.T) {
	if got, err := CleanName("  Ada\nLovelace "); got != "Ada Lovelace" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	for s, want := range map[string]error{"": ErrEmpty, "\u202e": ErrEmpty, "\xff": ErrNotUTF8, strings.Repeat("é", 33): ErrTooLong} {
		if _, err := CleanName(s); err != want {
			t.Errorf("%q: %v, want %v", s, err, want)
		}
	}
	if got := PeerName(strings.Repeat("é", 40)); got != strings.Repeat("é", 32) {
		t.Errorf("got %q", got)
	}
	if got := PeerName("\x1b]0;title\x07"); strings.ContainsAny(got, "\x1b\x07") {
		t.Errorf("got %q", got)
	}
}

// TestNamesThatLookAlike: nothing stands in a name that nobody sees, and names that
// differ by that, by case or by how they are encoded are the same.
func TestNamesThatLookAlike(t *testing.T) {
	for _, s := range []string{
		"B\u200bob", "B\u200cob", "Bo\u200db", "Bob\u2060", "\ufeffBob", "Bob\u3164", "\u115fBob", "B\u1160ob", "Bob\uffa0", "Bob\u2800", "B\u034fob",
		"Bob\ufe0f", "B\ufe00ob", "\u0301Bob", "Bob\U000e0042", "Bob\U000e0101", "\u202eBob", "Bo\u00adb", "  Bob\u00a0", "\u2066Bob\u2069", "Bob\u061c", "B\u180eob",
	} {
		if got := PeerName(s); got != "Bob" {
			t.Errorf("%q is called %q", s, got)
		}
		if got, err := CleanName(s); got != "Bob" || err != nil {
			t.Errorf("%q is %q by its owner, %v", s, got, err)
		}
	}
	for _, s := range []string{"\u3164", "\u200d\u200d", "\u2800\u2800", "\u0301\u0302", " \u115f ", "\ufe0f", "\u2003"} {
		if got := PeerName(s); got != "" {
			t.Errorf("%q is called %q", s, got)
		}
		if _, err := CleanName(s); err != ErrEmpty {
			t.Errorf("%q: %v", s, err)
		}
	}
	// Characters that scripts and emoji need stay.
	for _, s := range []string{"می\u200cخواهم", "क्\u200dष", "👩\u200d👩\u200d👧", "❤\ufe0f", "1\ufe0f⃣", "José", "Łukasz O'Brien", "王小明", "김철수"} {
		if got := PeerName(s); got != s {
			t.Errorf("%q is called %q", s, got)
		}
	}
	for _, pair := range [][2]string{{"Bob", "BOB"}, {"Bob Smith", "BobSmith"}, {"José", "Jose\u0301"}, {"Bob", "Ｂｏｂ"}, {"a❤", "a❤\ufe0f"}, {"Bob", "𝐁𝐨𝐛"}} {
		if !SameName(pair[0], pair[1]) {
			t.Errorf("%q and %q are two names", pair[0], pair[1])
		}
	}
	if SameName("Bob", "Rob") || SameName("José", "Jose") {
		t.Error("all names are one")
	}
}

func TestCheckCaption(t *testing.T) {
	for caption, want := range map[string]error{
		"": nil, strings.Repeat("a", api.MaxCaption): nil, strings.Repeat("a", api.MaxCaption+1): ErrTooLong, "\xff": ErrNotUTF8,
	} {
		if err := CheckCaption(caption); err != want {
			t.Errorf("%d bytes: %v, want %v", len(caption), err, want)
		}
	}
	if api.MaxFileName != filename.Max {
		t.Error("a clean name of a file does not fit")
	}
	// The largest of all fits.
	gif := append([]byte("GIF89a"), make([]byte, api.MaxPicture-6)...)
	c := Content{Kind: Picture, Picture: gif, Text: strings.Repeat("a", api.MaxCaption), Time: time.UnixMilli(1),
		Ref: ID{1}, Forwarded: true, Timer: api.MaxTimer, Previous: ID{1}}
	if _, err := Decode(c.Encode()); err != nil {
		t.Error(err)
	}
	c.Kind, c.Picture, c.File, c.FileName = File, nil, make([]byte, api.MaxFile), strings.Repeat("a", api.MaxFileName)
	if _, err := Decode(c.Encode()); err != nil {
		t.Error(err)
	}
}
