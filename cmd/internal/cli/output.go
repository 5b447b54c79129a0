package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"rsc.io/qr"

	"starling/node/api"
	"starling/node/api/safetext"
)

// printJSON writes v as one line with one write, so that a reader of a pipe
// never waits for the rest of a line.
func (c *console) printJSON(v any) error {
	var line bytes.Buffer
	enc := json.NewEncoder(&line)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	_, err := c.out.Write(line.Bytes())
	return err
}

// print writes v as JSON with --json and as words otherwise.
func (c *console) print(v any, words func(w io.Writer)) error {
	if c.json {
		return c.printJSON(v)
	}
	var text bytes.Buffer
	words(&text)
	_, err := c.out.Write(text.Bytes())
	return err
}

// own makes text that no contact chose but a stranger may have, an address of
// a relay for instance, fit for a terminal.
func own(s string) safetext.Text { return safetext.Line(s) }

// cleanOwn is [own] for text of several lines.
func cleanOwn(s string) safetext.Text { return safetext.Clean(s) }

// oneLine puts a name on one line: a Text may have several.
func oneLine(t safetext.Text) safetext.Text { return safetext.Line(t.String()) }

// block writes a text with its lines after the first indented, so that a message cannot
// pose as the next one.
func block(w io.Writer, t safetext.Text) {
	for i, line := range strings.Split(t.String(), "\n") {
		if i > 0 {
			fmt.Fprint(w, "    ")
		}
		fmt.Fprintln(w, line)
	}
}

func clock(t time.Time) string { return t.Local().Format("2006-01-02 15:04") }

// message writes one message as a person reads it, with its id if asked.
func (c *console) message(w io.Writer, m api.Message) {
	if c.ids {
		fmt.Fprintf(w, "%s  ", own(m.ID))
	}
	message(w, m, c.names)
}

// idsFlag gives a command that prints messages --ids.
func (c *console) idsFlag(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&c.ids, "ids", false, "print each message's id before it")
}

// message writes one message as a person reads it. Details of it are on indented lines
// below, where no text of a contact can be mistaken for them: a text's own further
// lines have four spaces, these have two and a sign.
func message(w io.Writer, m api.Message, names *roomNames) {
	if m.Room != "" && m.State == api.StateNotice {
		fmt.Fprintf(w, "%s  * %s\n", clock(m.Time), oneLine(m.Text))
		return
	}

	from := oneLine(m.From)
	if m.Outgoing {
		from = safetext.Line("you")
	}
	fmt.Fprintf(w, "%s  %s: ", clock(m.Time), from)
	switch {
	case m.Deleted:
		fmt.Fprintln(w, "(taken back)")
	case enclosed(m) != "" && m.Text.String() == "":
		fmt.Fprintln(w, enclosed(m))
	default:
		block(w, m.Text)
		if with := enclosed(m); with != "" {
			fmt.Fprintf(w, "  + %s\n", with)
		}
	}
	for _, about := range aboutMessage(m, names) {
		fmt.Fprintf(w, "  + %s\n", about)
	}
	if m.Outgoing && m.State != api.StateDelivered && m.State != api.StateStored && (m.Room == "" || m.State != api.StateSent) {
		fmt.Fprintf(w, "    (%s)\n", stateWords(m))
	}
}

// enclosed names what came with a message beside its text, "" if nothing did.
func enclosed(m api.Message) string {
	switch {
	case m.Picture != nil:
		return fmt.Sprintf("[picture: %s, %d bytes]", own(m.Picture.Type), m.Picture.Size)
	case m.File != nil:
		return fmt.Sprintf("[file: %s, %d bytes]", oneLine(m.File.Name), m.File.Size)
	}
	return ""
}

// aboutMessage returns the details beside a message's text.
func aboutMessage(m api.Message, names *roomNames) []string {
	var about []string
	if m.Mention && !m.Outgoing {
		about = append(about, "names you")
	}
	switch m.Gap {
	case api.GapMissing:
		about = append(about, "something written before this has not arrived yet")
	case api.GapLost:
		about = append(about, "something written before this never arrived")
	}

	if q := m.Late; q != nil {
		words := "came late, written before: " + oneLine(q.Text).String()
		if q.Text.String() == "" {
			words = "came late, written before a message that is above"
		}
		about = append(about, words)
	}

	if q := m.Reply; q != nil {
		who := oneLine(q.From).String()
		if q.Outgoing {
			who = "you"
		}
		words := "answers " + who + ": " + oneLine(q.Text).String()
		if q.Text.String() == "" {
			words = "answers a message that is not here"
		}
		about = append(about, words)
	}

	if m.Forwarded {
		about = append(about, "forwarded")
	}
	if m.Given {
		about = append(about, "as told by the member who let you in")
	}
	if !m.Edited.IsZero() && !m.Deleted {
		about = append(about, "changed "+clock(m.Edited))
	}

	for _, r := range m.Reactions {
		who := "they"
		switch {
		case r.Outgoing:
			who = "you"
		case r.Member != "":
			who = names.member(m.Room, r.Member)
		}
		about = append(about, who+": "+oneLine(r.Emoji).String())
	}
	if !m.Read.IsZero() {
		about = append(about, "read "+clock(m.Read))
	}

	switch {
	case !m.Expires.IsZero():
		about = append(about, "disappears "+clock(m.Expires))
	case m.Timer > 0:
		about = append(about, "disappears "+lasting(m.Timer)+" after it was read")
	}
	return about
}

func stateWords(m api.Message) string {
	words := map[api.State]string{
		api.StateQueued:    "queued: on disk, not sent yet",
		api.StateSealed:    "sealed: on its way to a mailbox",
		api.StateSent:      "sent: waiting in a mailbox",
		api.StateDelivered: "delivered",
		api.StateFailed:    "failed",
		api.StateReceived:  "received",
		api.StateStored:    "stored: here, and nowhere else",
	}[m.State]
	if words == "" {
		words = string(m.State)
	}
	if m.Room != "" && m.State == api.StateSent {
		words = "sent: in both mailboxes of the room"
	}
	if m.Reason != "" {
		words += ": " + own(m.Reason).String()
	}
	return words
}

// qrCode draws a link with half blocks, with the quiet zone of two modules that
// phone cameras still accept. In colour it is black on white, on any background of the
// terminal; without, it is right on a dark one.
func qrCode(w io.Writer, link string, colour bool) error {
	// Upper case lets the code use its alphanumeric mode; links are
	// case-insensitive.
	code, err := qr.Encode(strings.ToUpper(link), qr.L)
	if err != nil {
		return fmt.Errorf("draw QR code: %w", err)
	}

	const quiet = 2
	begin, end := "", "\n"
	if colour {
		begin, end = "\x1b[38;5;231;48;5;16m", "\x1b[0m\n"
	}

	// One row of text is two rows of modules.
	for y := -quiet; y < code.Size+quiet; y += 2 {
		fmt.Fprint(w, begin)
		for x := -quiet; x < code.Size+quiet; x++ {
			top, bottom := code.Black(x, y), code.Black(x, y+1)
			switch {
			case top && bottom:
				fmt.Fprint(w, " ")
			case top:
				fmt.Fprint(w, "▄")
			case bottom:
				fmt.Fprint(w, "▀")
			default:
				fmt.Fprint(w, "█")
			}
		}
		fmt.Fprint(w, end)
	}
	return nil
}
