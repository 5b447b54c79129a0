// Package export writes the messages of a conversation to a file that people and other
// programs read: text, an object a line, or a page.
//
// Others have written most of it. Every text is a safetext.Text, so no control character
// drives a terminal that shows the file, and further lines of a message are indented, so
// that none looks like two. In the page everything is escaped; it has no script and loads
// nothing, and its Content-Security-Policy says so to the browser as well, by the digest
// of its one style. Pictures are in it as they came, of three known types; a file
// is behind a link that saves it, and of no type, so that no browser opens it.
package export

import (
	"bufio"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"strings"
	"time"

	"starling/node/api"
	"starling/node/api/filename"
	"starling/node/api/safetext"
)

// A Writer writes one export. Errors of the writer below come out of Close.
type Writer struct {
	format api.ExportFormat
	out    *bufio.Writer
	json   *json.Encoder
	zone   *time.Location
	// members are the names that wrote in a room so far, by ID.
	members map[string]string
}

// maxMembers bounds the names of a room's members, of all times, that an export remembers.
const maxMembers = 10_000

// Known reports whether there is such a format.
func Known(f api.ExportFormat) bool {
	return f == api.ExportText || f == api.ExportJSON || f == api.ExportHTML
}

// New begins an export of the conversation with a contact. Times are those of a zone.
func New(w io.Writer, format api.ExportFormat, name safetext.Text, now time.Time, zone *time.Location) *Writer {
	e := &Writer{format: format, out: bufio.NewWriter(w), zone: zone, members: map[string]string{}}
	switch format {
	case api.ExportJSON:
		e.json = json.NewEncoder(e.out)
		e.json.SetEscapeHTML(false)
	case api.ExportHTML:
		title := escape(safetext.Line(name.String()).String())
		fmt.Fprintf(e.out, page, policy, title, style, title, escape(e.time(now)))
	default:
		fmt.Fprintf(e.out, "Conversation: %s\nExported: %s\n\n", safetext.Line(name.String()), e.time(now))
	}
	return e
}

// Message writes the next message.
func (e *Writer) Message(m api.Message) {
	if m.Member != "" && len(e.members) < maxMembers {
		e.members[m.Member] = safetext.Line(m.From.String()).String()
	}
	switch e.format {
	case api.ExportJSON:
		_ = e.json.Encode(m) // the buffer below keeps the error
	case api.ExportHTML:
		e.article(&m)
	default:
		e.lines(&m)
	}
}

// Close ends the export and returns the fault, if there was one.
func (e *Writer) Close() error {
	if e.format == api.ExportHTML {
		e.out.WriteString("</main>\n</body>\n</html>\n")
	}
	return e.out.Flush()
}

func (e *Writer) time(t time.Time) string { return t.In(e.zone).Format("2006-01-02 15:04:05 -0700") }

// said is the text of a message, or a word instead of it.
func said(m *api.Message) string {
	switch {
	case m.Deleted:
		return "(taken back)"
	case m.Picture != nil && m.Text.IsZero():
		return fmt.Sprintf("(picture, %d bytes)", m.Picture.Size)
	case m.Picture != nil:
		return fmt.Sprintf("(picture, %d bytes) %s", m.Picture.Size, m.Text)
	case m.File != nil:
		return strings.TrimSpace(fmt.Sprintf("(file %s, %d bytes) %s", safetext.Line(m.File.Name.String()), m.File.Size, m.Text))
	}
	return m.Text.String()
}

// remarks are the other things known of a message.
func remarks(m *api.Message) (out []string) {
	if m.Forwarded {
		out = append(out, "forwarded")
	}
	if !m.Edited.IsZero() {
		out = append(out, "edited")
	}
	inRoom := m.Room != "" && m.State == api.StateSent // the last state there
	if m.Outgoing && !inRoom && m.State != api.StateDelivered && m.State != api.StateStored && m.State != api.StateNotice {
		out = append(out, safetext.Line(string(m.State)).String())
	}
	if m.Gap != "" {
		out = append(out, "something before it is not here")
	}
	return out
}

// lines writes a message as text.
func (e *Writer) lines(m *api.Message) {
	if m.Change != nil {
		fmt.Fprintf(e.out, "%s  * %s\n", e.time(m.Time), safetext.Line(m.Text.String()))
		return
	}
	fmt.Fprintf(e.out, "%s  %s: ", e.time(m.Time), safetext.Line(m.From.String()))
	if r := remarks(m); len(r) > 0 {
		fmt.Fprintf(e.out, "[%s] ", strings.Join(r, ", "))
	}
	if m.Reply != nil && !m.Reply.Text.IsZero() {
		fmt.Fprintf(e.out, "> %s\n    ", safetext.Line(m.Reply.Text.String()))
	}
	fmt.Fprintln(e.out, strings.ReplaceAll(said(m), "\n", "\n    "))
	for _, r := range m.Reactions {
		fmt.Fprintf(e.out, "    %s %s\n", safetext.Line(r.Emoji.String()), e.side(&r))
	}
}

// side names the author of a reaction. Members of a room are known by what they wrote
// before.
func (e *Writer) side(r *api.Reaction) string {
	switch {
	case r.Outgoing:
		return "(you)"
	case r.Member == "":
		return "(they)"
	case e.members[r.Member] == "":
		return "(a member)"
	}
	return "(" + e.members[r.Member] + ")"
}

const style = `body{margin:2em auto;max-width:44em;padding:0 1em;font:16px/1.45 sans-serif;color:#222;background:#fff}
article{margin:0 0 1em;padding:.4em .8em;border-left:3px solid #bbb}
article.own{border-color:#06c}
article.notice{border-style:dotted;color:#555}
header{font-size:.85em;color:#555}
p,blockquote{margin:.2em 0;white-space:pre-wrap;overflow-wrap:anywhere}
blockquote{padding-left:.6em;border-left:2px solid #ddd;color:#555}
img{max-width:100%;height:auto}
@media(prefers-color-scheme:dark){body{color:#ddd;background:#111}header,blockquote,article.notice{color:#aaa}}`

const page = `<!DOCTYPE html>
<html lang="und">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="%s">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width">
<title>%s</title>
<style>%s</style>
</head>
<body>
<h1 dir="auto">%s</h1>
<header>Exported %s</header>
<main>
`

// policy lets the page load nothing but the pictures in it, and draw by its own style.
var policy = func() string {
	sum := sha256.Sum256([]byte(style))
	return "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; style-src 'sha256-" +
		base64.StdEncoding.EncodeToString(sum[:]) + "'"
}()

func escape(s string) string { return html.EscapeString(s) }

// pictureTypes are those that a page may name.
var pictureTypes = map[string]bool{"image/png": true, "image/jpeg": true, "image/gif": true}

// article writes a message into the page.
func (e *Writer) article(m *api.Message) {
	class := "theirs"
	switch {
	case m.State == api.StateNotice:
		class = "notice"
	case m.Outgoing:
		class = "own"
	}
	fmt.Fprintf(e.out, "<article class=\"%s\">\n<header><b dir=\"auto\">%s</b> <time datetime=\"%s\">%s</time>",
		class, escape(safetext.Line(m.From.String()).String()), m.Time.UTC().Format(time.RFC3339), escape(e.time(m.Time)))
	for _, r := range remarks(m) {
		fmt.Fprintf(e.out, " · %s", escape(r))
	}
	e.out.WriteString("</header>\n")

	if m.Reply != nil && !m.Reply.Text.IsZero() {
		fmt.Fprintf(e.out, "<blockquote dir=\"auto\">%s</blockquote>\n", escape(m.Reply.Text.String()))
	}
	if p := m.Picture; p != nil && len(p.Data) > 0 && pictureTypes[p.Type] {
		fmt.Fprintf(e.out, "<img alt=\"\" src=\"data:%s;base64,%s\">\n", p.Type, base64.StdEncoding.EncodeToString(p.Data))
	}
	fmt.Fprintf(e.out, "<p dir=\"auto\">%s</p>\n", escape(said(m)))
	if f := m.File; f != nil && len(f.Data) > 0 {
		name := escape(filename.Clean(f.Name.String()))
		fmt.Fprintf(e.out, "<p><a download=\"%s\" href=\"data:application/octet-stream;base64,%s\" dir=\"auto\">%s</a></p>\n",
			name, base64.StdEncoding.EncodeToString(f.Data), name)
	}
	for _, r := range m.Reactions {
		fmt.Fprintf(e.out, "<header>%s %s</header>\n", escape(safetext.Line(r.Emoji.String()).String()), escape(e.side(&r)))
	}
	e.out.WriteString("</article>\n")
}
