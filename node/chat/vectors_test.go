package chat

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"starling/docs/vectors"
)

type contentVectors struct {
	Contents []contentVector  `json:"contents"`
	Refused  []refusedContent `json:"refused"`
}

type contentVector struct {
	Kind    Kind          `json:"kind"`
	Fields  []fieldVector `json:"fields"`
	Content vectors.Hex   `json:"content"`
}

type fieldVector struct {
	Number uint8       `json:"number"`
	Value  vectors.Hex `json:"value"`
}

type refusedContent struct {
	Why     string      `json:"why"`
	Content vectors.Hex `json:"content"`
}

// fields are a content's, as the format has them.
func (c *Content) fields() []fieldVector {
	f := []fieldVector{}
	add := func(number uint8, value []byte) { f = append(f, fieldVector{number, value}) }
	if c.Name != "" {
		add(fieldName, []byte(c.Name))
	}
	for _, m := range c.Mailboxes {
		add(fieldMailbox, m)
	}
	if c.Text != "" {
		add(fieldText, []byte(c.Text))
	}
	if !c.Time.IsZero() {
		ms := c.Time.UnixMilli()
		add(fieldTime, []byte{byte(ms >> 56), byte(ms >> 48), byte(ms >> 40), byte(ms >> 32), byte(ms >> 24), byte(ms >> 16), byte(ms >> 8), byte(ms)})
	}
	if len(c.IDs) > 0 {
		var ids []byte
		for _, id := range c.IDs {
			ids = append(ids, id[:]...)
		}
		add(fieldIDs, ids)
	}
	if c.Ref != (ID{}) {
		add(fieldRef, c.Ref[:])
	}
	if c.Forwarded {
		add(fieldForwarded, nil)
	}
	if t := c.Timer; t != 0 {
		add(fieldTimer, []byte{byte(t >> 24), byte(t >> 16), byte(t >> 8), byte(t)})
	}
	if c.Emoji != "" {
		add(fieldEmoji, []byte(c.Emoji))
	}
	if len(c.Picture) > 0 {
		add(fieldPicture, c.Picture)
	}
	if c.Previous != (ID{}) {
		add(fieldPrevious, c.Previous[:])
	}
	if c.File != nil {
		add(fieldFile, c.File)
	}
	if c.FileName != "" {
		add(fieldFileName, []byte(c.FileName))
	}
	if len(c.Sealed) > 0 {
		add(fieldSealed, c.Sealed)
	}
	if len(c.Cells) > 0 {
		var runs []byte
		for _, r := range c.Cells {
			runs = append(runs, byte(r.First>>24), byte(r.First>>16), byte(r.First>>8), byte(r.First), byte(r.Count>>24), byte(r.Count>>16), byte(r.Count>>8), byte(r.Count))
		}
		add(fieldCells, runs)
	}
	for _, u := range c.Unknown {
		add(u.Number, u.Value)
	}
	return f
}

func makeContents(*testing.T) (v contentVectors) {
	drawn := func(n int) []byte {
		b := make([]byte, n)
		rand.Read(b)
		return b
	}
	ids := []ID{ID(drawn(16)), ID(drawn(16))}
	at := time.UnixMilli(1_800_000_000_123).UTC()
	for _, c := range []Content{
		{Kind: Profile, Name: "Ada ✨", Mailboxes: [][]byte{drawn(39), drawn(51)}},
		{Kind: Text, Text: "How are you?\n", Time: at},
		{Kind: Text, Text: "from later", Unknown: []Field{{200, drawn(3)}, {255, nil}}},
		{Kind: Receipt, IDs: ids},
		{Kind: Mailboxes, Mailboxes: [][]byte{drawn(64), drawn(1), drawn(39), drawn(39)}},
		{Kind: Ask, IDs: ids[:1], Time: time.UnixMilli(maxMillis).UTC()},
		{Kind: 99},
		{Kind: Text, Text: "an answer that disappears", Time: at, Ref: ids[0], Timer: 3600},
		{Kind: Text, Text: "somebody else's", Forwarded: true},
		{Kind: Edit, Ref: ids[1], Text: "How are you today?", Time: at},
		{Kind: Delete, IDs: ids},
		{Kind: Reaction, Ref: ids[0], Emoji: "👍🏽"},
		{Kind: Reaction, Ref: ids[0]},
		{Kind: Picture, Picture: append([]byte("\x89PNG\r\n\x1a\n"), drawn(20)...), Text: "caption", Time: at},
		{Kind: Picture, Picture: append([]byte("\xff\xd8\xff"), drawn(5)...), Ref: ids[0], Forwarded: true, Timer: 5},
		{Kind: Picture, Picture: []byte("GIF89a")},
		{Kind: Timer, Timer: 2_419_200},
		{Kind: Timer},
		{Kind: Read, IDs: ids, Time: at},
		{Kind: Typing, Time: at},
		{Kind: Text, Text: "and then", Time: at, Previous: ids[0]},
		{Kind: Timer, Timer: 60, Previous: ids[1]},
		{Kind: File, File: drawn(40), FileName: "notes ✨.txt", Text: "caption", Time: at, Previous: ids[0]},
		{Kind: File, File: []byte{}, FileName: "../../x", Forwarded: true, Timer: 5},
		{Kind: Lost, IDs: ids[:2]},
		{Kind: Aside, Sealed: drawn(20)},
		{Kind: Missed, Cells: []Cells{{0, 1}, {2, 700}, {MaxCell, 1}}},
	} {
		v.Contents = append(v.Contents, contentVector{c.Kind, c.fields(), c.Encode()})
	}
	v.Refused = []refusedContent{
		{"empty", nil},
		{"kind 0", []byte{0}},
		{"text without a text", []byte{2}},
		{"field 0", []byte{99, 0, 0, 0}},
		{"descending", []byte{99, 7, 0, 0, 6, 0, 0}},
		{"twice", []byte{99, 7, 0, 0, 7, 0, 0}},
		{"empty text", []byte{2, 3, 0, 0}},
		{"not UTF-8", []byte{2, 3, 0, 1, 0xff}},
		{"time of 7 bytes", []byte{99, 4, 0, 7, 0, 0, 0, 0, 0, 0, 0}},
		{"time after the year 9999", []byte{99, 4, 0, 8, 1, 0, 0, 0, 0, 0, 0, 0}},
		{"edit without a text", append([]byte{6, 6, 0, 16}, drawn(16)...)},
		{"edit of nothing", []byte{6, 3, 0, 1, 'a'}},
		{"delete of nothing", []byte{7}},
		{"reaction to nothing", []byte{8, 9, 0, 1, '!'}},
		{"picture without one", []byte{9, 3, 0, 1, 'a'}},
		{"picture of another type", append([]byte{9, 10, 0, 4}, "RIFF"...)},
		{"file without a name", []byte{13, 12, 0, 1, 'a'}},
		{"name without a file", []byte{13, 13, 0, 1, 'a'}},
		{"file of 49,153 bytes", append(append([]byte{13, 12, 0xc0, 1}, make([]byte, 49153)...), 13, 0, 1, 'a')},
		{"empty name of a file", []byte{13, 12, 0, 0, 13, 0, 0}},
		{"name of a file, 201 bytes", append([]byte{13, 12, 0, 0, 13, 0, 201}, bytes.Repeat([]byte{'a'}, 201)...)},
		{"name of a file not UTF-8", []byte{13, 12, 0, 0, 13, 0, 1, 0xff}},
		{"read nothing", []byte{11}},
		{"typing at no time", []byte{12}},
		{"nothing lost", []byte{15}},
		{"aside without a sealed part", []byte{20}},
		{"profile without a mailbox", []byte{1}},
		{"receipt of nothing", []byte{3}},
		{"mailboxes without one", []byte{4}},
		{"ask of nothing", []byte{5}},
		{"edit without its fields", []byte{6}},
		{"reaction without its fields", []byte{8}},
		{"picture without its fields", []byte{9}},
		{"file without its fields", []byte{13}},
		{"ref of zeros", append([]byte{99, 6, 0, 16}, make([]byte, 16)...)},
		{"ref of 15 bytes", append([]byte{99, 6, 0, 15}, drawn(15)...)},
		{"forwarded with a value", []byte{99, 7, 0, 1, 1}},
		{"timer of 4 seconds", []byte{99, 8, 0, 4, 0, 0, 0, 4}},
		{"timer of more than four weeks", []byte{99, 8, 0, 4, 0, 0x24, 0xea, 1}},
		{"timer of 3 bytes", []byte{99, 8, 0, 3, 0, 0, 60}},
		{"empty emoji", []byte{99, 9, 0, 0}},
		{"emoji of 33 bytes", append([]byte{99, 9, 0, 33}, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"...)},
		{"emoji not UTF-8", []byte{99, 9, 0, 1, 0xff}},
		{"half an id", []byte{99, 5, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8}},
		{"five mailboxes", []byte{4, 2, 0, 1, 1, 2, 0, 1, 1, 2, 0, 1, 1, 2, 0, 1, 1, 2, 0, 1, 1}},
		{"previous of zeros", append([]byte{99, 11, 0, 16}, make([]byte, 16)...)},
		{"previous of 17 bytes", append([]byte{99, 11, 0, 17}, drawn(17)...)},
		{"cut", []byte{99, 7, 0, 2, 1}},
		{"missed nothing", []byte{16}},
		{"no cells", []byte{99, 32, 0, 0}},
		{"half a run of cells", []byte{99, 32, 0, 4, 0, 0, 0, 1}},
		{"an empty run of cells", []byte{99, 32, 0, 8, 0, 0, 0, 1, 0, 0, 0, 0}},
		{"runs of cells that meet", []byte{99, 32, 0, 16, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 1}},
		{"runs of cells that descend", []byte{99, 32, 0, 16, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1}},
		{"a cell beyond the last", []byte{99, 32, 0, 8, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 2}},
		{"very many cells", []byte{99, 32, 0, 8, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
		{"65 runs of cells", append([]byte{99, 32, 2, 8}, runs(65)...)},
	}
	return v
}

// runs are n runs of one cell each.
func runs(n int) (b []byte) {
	for i := range n {
		b = append(b, 0, 0, 0, byte(2*i), 0, 0, 0, 1)
	}
	return b
}

func TestSecondImplementation(t *testing.T) {
	check := func(t *testing.T, v contentVectors) {
		for i, want := range v.Contents {
			c, err := Decode(want.Content)
			if err != nil || c.Kind != want.Kind || !bytes.Equal(c.Encode(), want.Content) {
				t.Fatalf("content %d: %v", i, err)
			}
			fields := c.fields()
			if len(fields) != len(want.Fields) {
				t.Fatalf("content %d: %d fields, want %d", i, len(fields), len(want.Fields))
			}
			for j, f := range fields {
				if f.Number != want.Fields[j].Number || !bytes.Equal(f.Value, want.Fields[j].Value) {
					t.Errorf("content %d, field %d: %d %x", i, j, f.Number, []byte(f.Value))
				}
			}
		}
		for _, r := range v.Refused {
			if _, err := Decode(r.Content); err == nil {
				t.Errorf("%s: taken", r.Why)
			}
		}
	}
	vectors.Made(t, "content", makeContents, check)
	vectors.Produced(t, "content", check)
}

// TestEveryKindHasVectors goes through the kinds of docs/PROTOCOL.md: each is among the
// contents, and one that needs fields is among the refused as well, without any.
func TestEveryKindHasVectors(t *testing.T) {
	var v contentVectors
	b, err := os.ReadFile("../../docs/vectors/content.json")
	if err := errors.Join(err, json.Unmarshal(b, &v)); err != nil {
		t.Fatal(err)
	}
	protocol, err := os.ReadFile("../../docs/PROTOCOL.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(protocol), "\n## 4. Contents\n")
	section, _, _ = strings.Cut(section, "\n| field |")

	rows := regexp.MustCompile(`(?m)^\| (\d+) \w+ \| ([^|]*)\|`).FindAllStringSubmatch(section, -1)
	if len(rows) < 16 {
		t.Fatalf("%d kinds", len(rows))
	}
	for _, row := range rows {
		kind, err := strconv.ParseUint(row[1], 10, 8)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(v.Contents, func(c contentVector) bool { return c.Kind == Kind(kind) }) {
			t.Errorf("no content is of this kind: %s", row[0])
		}
		bare := slices.ContainsFunc(v.Refused, func(r refusedContent) bool { return bytes.Equal(r.Content, []byte{byte(kind)}) })
		if needs := strings.TrimSpace(row[2]) != ""; bare != needs {
			t.Errorf("refused without fields: %v, in: %s", bare, row[0])
		}
	}
}
