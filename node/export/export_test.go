package export

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"starling/node/api"
	"starling/node/api/safetext"
)

var at = time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)

// hostile are texts that try to be more than text in a file or a page.
var hostile = []string{
	"<script>alert(1)</script>", `"><img src=x onerror=alert(1)>`, "</p></article><h1>", "<!--", "]]>", "&lt;script&gt;", "'\"`",
	"javascript:alert(1)", "</style><style>*{background:url(//evil.example)}", "\x1b]0;PWNED\x07", "photo\u202egpj.exe",
	"first line\n2030-01-02 03:04:05 +0000  Bob: a line that Bob never wrote", "{\"id\":\"forged\"}\n{\"id\":\"forged\"}",
}

func write(t testing.TB, format api.ExportFormat, name string, messages ...api.Message) string {
	t.Helper()
	var b bytes.Buffer
	w := New(&b, format, safetext.Line(name), at, time.UTC)
	for _, m := range messages {
		w.Message(m)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// said of everything that a contact chooses.
func by(text string) api.Message {
	return api.Message{ID: "1d", From: safetext.Line(text), Text: safetext.Clean(text), Time: at, State: api.StateReceived,
		Reply:     &api.Quote{ID: "2", Text: safetext.Line(text), From: safetext.Line(text)},
		Reactions: []api.Reaction{{Emoji: safetext.Line(text)}},
		Picture:   &api.Picture{Type: text, Data: []byte(text), Size: len(text)},
		File:      &api.File{Name: safetext.Line(text), Data: []byte(text), Size: len(text)}}
}

// tags returns the elements of a page, and the attributes that each has.
func tags(t testing.TB, page string) (out []xml.StartElement) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(page))
	d.Strict = false
	d.AutoClose, d.Entity = []string{"meta", "img"}, xml.HTMLEntity
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatalf("%v in %.2000s", err, page)
		}
		if e, ok := token.(xml.StartElement); ok {
			out = append(out, e.Copy())
		}
	}
}

// checkPage holds that a page has the elements and attributes of this package alone.
func checkPage(t testing.TB, page string) {
	t.Helper()
	known := " html head meta title style body h1 header main article b time blockquote img p a "
	for _, e := range tags(t, page) {
		if !strings.Contains(known, " "+e.Name.Local+" ") {
			t.Errorf("element %s", e.Name.Local)
		}
		for _, a := range e.Attr {
			switch name := a.Name.Local; {
			case name == "href" && !strings.HasPrefix(a.Value, "data:application/octet-stream;base64,"):
				t.Errorf("leads to %q", a.Value)
			case strings.HasPrefix(name, "on"), name == "style":
				t.Errorf("<%s %s=%q>", e.Name.Local, name, a.Value)
			case name == "src" && !strings.HasPrefix(a.Value, "data:image/"):
				t.Errorf("loads %q", a.Value)
			}
		}
	}
	if strings.Count(page, "<style>") != 1 || strings.Count(page, "Content-Security-Policy") != 1 || !strings.Contains(page, "default-src 'none'") {
		t.Error("not the page of this package")
	}
	for _, r := range page {
		if r < ' ' && r != '\n' || r == 0x9b || r == 0x202e {
			t.Errorf("control character %U", r)
		}
	}
}

func TestPage(t *testing.T) {
	for _, text := range hostile {
		page := write(t, api.ExportHTML, text, by(text))
		checkPage(t, page)
		if n := len(tags(t, page)); n != len(tags(t, write(t, api.ExportHTML, "Bob", by("x")))) {
			t.Errorf("%q makes another page: %d elements", text, n)
		}
	}
	page := write(t, api.ExportHTML, "Bob", api.Message{Time: at, Picture: &api.Picture{Type: "image/png", Data: []byte("pixels"), Size: 6}})
	checkPage(t, page)
	if !strings.Contains(page, `src="data:image/png;base64,cGl4ZWxz"`) {
		t.Error("the picture is not there")
	}
}

// TestPageHasFiles: a file is saved from the page under its own name, and opened by nothing.
func TestPageHasFiles(t *testing.T) {
	page := write(t, api.ExportHTML, "Bob", api.Message{Time: at, File: &api.File{Name: safetext.Line("a <b>\".html"), Data: []byte("<script>"), Size: 8}})
	checkPage(t, page)
	if !strings.Contains(page, `href="data:application/octet-stream;base64,PHNjcmlwdD4="`) || !strings.Contains(page, "<a download=\"") {
		t.Errorf("the file is not there: %s", page[strings.Index(page, "<main>"):])
	}
	var m api.Message
	line := write(t, api.ExportJSON, "Bob", api.Message{Time: at, File: &api.File{Data: []byte("bytes"), Size: 5}})
	if err := json.Unmarshal([]byte(line), &m); err != nil || string(m.File.Data) != "bytes" {
		t.Errorf("%v in %s", err, line)
	}
}

func FuzzPage(f *testing.F) {
	for _, text := range hostile {
		f.Add(text, text)
	}
	want := len(tags(f, write(f, api.ExportHTML, "Bob", by("x"))))
	f.Fuzz(func(t *testing.T, name, text string) {
		m := by(text)
		if m.Reply.Text.IsZero() {
			t.Skip("nothing is quoted")
		}
		page := write(t, api.ExportHTML, name, m)
		checkPage(t, page)
		if n := len(tags(t, page)); n != want {
			t.Errorf("%d elements, want %d", n, want)
		}
	})
}

// No text of a contact begins a line that looks like a message.
func TestText(t *testing.T) {
	for _, text := range hostile {
		for i, line := range strings.Split(strings.TrimSuffix(write(t, api.ExportText, text, by(text)), "\n"), "\n") {
			if strings.HasPrefix(line, "2030-") && i != 3 {
				t.Errorf("%q forges line %d: %s", text, i, line)
			}
			if strings.ContainsAny(line, "\x1b\x07\x00") {
				t.Errorf("control character in %q", line)
			}
		}
	}
	for _, tt := range []struct {
		m    api.Message
		want string
	}{
		{api.Message{Deleted: true}, "(taken back)"},
		{api.Message{Picture: &api.Picture{Size: 5}}, "(picture, 5 bytes)"},
		{api.Message{Forwarded: true, Edited: at, Text: safetext.Clean("x")}, "[forwarded, edited] x"},
		{api.Message{Outgoing: true, State: api.StateFailed, Text: safetext.Clean("x")}, "[failed] x"},
		{api.Message{Outgoing: true, State: api.StateStored, Text: safetext.Clean("x")}, ": x"},
		{api.Message{Gap: api.GapLost, Text: safetext.Clean("x")}, "[something before it is not here] x"},
	} {
		if got := write(t, api.ExportText, "Bob", tt.m); !strings.HasSuffix(got, tt.want+"\n") {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}

// An export in JSON is what History gives, an object a line.
func TestJSON(t *testing.T) {
	for _, text := range hostile {
		lines := strings.Split(strings.TrimSuffix(write(t, api.ExportJSON, text, by(text), by("x")), "\n"), "\n")
		if len(lines) != 2 {
			t.Fatalf("%d lines", len(lines))
		}
		var m api.Message
		if err := json.Unmarshal([]byte(lines[0]), &m); err != nil || m.Text != safetext.Clean(text) || m.ID != "1d" {
			t.Errorf("%+v, %v", m, err)
		}
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no room") }

// A file that cannot be written is told of, in every format.
func TestFull(t *testing.T) {
	for _, format := range []api.ExportFormat{api.ExportText, api.ExportJSON, api.ExportHTML} {
		w := New(full{}, format, safetext.Line("Bob"), at, time.UTC)
		w.Message(by("x"))
		if w.Close() == nil {
			t.Error(format)
		}
	}
	if Known("pdf") {
		t.Error("pdf")
	}
}
