// Package files is the room of files: it attaches them to messages, saves those that came,
// and has them opened by a program of the system.
//
// Nothing is sent before the person has seen a preview, the size and the fate of the
// metadata. Nothing that came is opened by itself: a person asks for it, is asked back,
// and programs, scripts and the like are refused ([attach.Refusal]). An opened file lies in
// a private folder (package scratch) until the app ends or locks.
package files

import (
	"context"
	"encoding/base64"
	"image"
	"strings"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/tui/attach"
	"starling/tui/catalogue"
	"starling/tui/composer"
	"starling/tui/desk"
	"starling/tui/dialog"
	"starling/tui/gallery"
	"starling/tui/opener"
	"starling/tui/picture"
	"starling/tui/scratch"
	"starling/tui/theme"
	"starling/tui/words"
)

// Files belongs to the goroutine of the screen.
type Files struct {
	// Contact is the one to write to, nil if there is none.
	Contact func() *api.Contact
	// Send hands an item to the node.
	Send func(contact string, it *attach.Item, caption string) tea.Cmd
	// Replace puts one unsent text in the place of another, if that is still there.
	Replace func(contact, old, text string) tea.Cmd
	// Put puts a text into the open conversation.
	Put func(text string) tea.Cmd
	// Meant is the message with a file that an action is about.
	Meant func() (api.Message, bool)
	// Texts is the private folder of files that are opened; empty: there is none.
	Texts string
	// OpenFile opens a file in the system's program for it.
	OpenFile func(ctx context.Context, path string) error

	desk    *desk.Desk
	gallery *gallery.Gallery
	folder  string           // where the last one was found, or saved
	opened  []*scratch.Sheet // by programs that may still read them
}

// New returns it.
func New(d *desk.Desk, g *gallery.Gallery) *Files {
	return &Files{desk: d, gallery: g, OpenFile: opener.File}
}

// A parcel is some files that wait for the person's word.
type parcel struct {
	items   []*attach.Item
	preview *image.RGBA // of a single picture
	path    string      // of a single file that could go whole, too
}

// load reads files away from the screen.
func load(ctx context.Context, paths []string, kind attach.Kind) (p parcel, err error) {
	for _, path := range paths {
		it, err := attach.Load(ctx, path, kind)
		if err != nil {
			return p, err
		}
		p.items = append(p.items, it)
	}
	return p.look(paths), nil
}

// look decodes the preview of a single picture.
func (p parcel) look(paths []string) parcel {
	if len(p.items) != 1 || p.items[0].Picture == nil {
		return p
	}
	if img, err := picture.Decode(p.items[0].Picture.Data); err == nil {
		p.preview = img
	}
	if len(paths) == 1 {
		p.path = paths[0]
	}
	return p
}

// Attach asks for the path of a file, which tab completes.
func (f *Files) Attach() tea.Cmd { return f.AttachNamed(f.folder) }

// AttachNamed is Attach with a path, or the beginning of one, in the field.
func (f *Files) AttachNamed(path string) tea.Cmd {
	c := f.Contact()
	if c == nil {
		return f.desk.Say("Choose a conversation first.")
	}

	field := &dialog.Field{Label: "File", Hint: "Tab completes a name, ~ is your home. You can drop a file here, too."}
	form := &dialog.Form{
		Title: "Attach a file or a picture", Label: "Look", Width: 64,
		Intro: "Pictures are made small enough; other files may have 48 KiB. Nothing is sent yet.",
	}
	f.askPath(form, field, path, func(typed string) tea.Cmd {
		return desk.Submit(f.desk, form, f.desk.T("Reading…"), func(ctx context.Context) (parcel, error) {
			paths := attach.Paths(typed)
			if len(paths) == 0 {
				paths = []string{attach.Resolve(typed)}
			}
			return load(ctx, paths, attach.Either)
		}, func(p parcel) tea.Cmd {
			f.folder = folderOf(typed)
			return f.ask(c.ID, p, nil)
		})
	})
	return nil
}

// askPath opens a form with one field, for a path. It stays open while then works with the
// path that was typed.
func (f *Files) askPath(form *dialog.Form, field *dialog.Field, path string, then func(typed string) tea.Cmd) {
	field.Complete = attach.Complete
	field.Text.SetValue(path)
	form.Fields = []*dialog.Field{field}
	form.Submit = func() dialog.Action {
		typed := strings.TrimSpace(field.Text.Value())
		if typed == "" {
			form.Error = f.desk.T("Type the name of a file first.")
			return dialog.Action{}
		}
		return dialog.Keeping(func() tea.Cmd { return then(typed) })
	}
	f.desk.Dialogs.Open(form)
}

// folderOf is the folder in a path, as it was typed.
func folderOf(typed string) string {
	return typed[:strings.LastIndexAny(typed, `/\`)+1]
}

// ask shows a parcel as it would be sent, and asks for a text to go with it. left is done if the
// person does not send it, nil for nothing.
func (f *Files) ask(contact string, p parcel, left func() tea.Cmd) tea.Cmd {
	caption := &dialog.Field{Label: "Text (may be empty)"}
	caption.Text = composer.Editor{Limit: api.MaxCaption, Masked: f.desk.Hidden}
	form := &dialog.Form{Title: f.title(p), Label: "Send", Width: 64, Fields: []*dialog.Field{caption}, Leave: left}
	form.Above = func(th *theme.Theme, width, height int) []string { return f.above(th, p, width, height) }
	form.Submit = func() dialog.Action {
		return dialog.Closing(func() tea.Cmd {
			var cmds []tea.Cmd
			for i, it := range p.items {
				text := ""
				if i == 0 {
					text = caption.Text.Value()
				}
				cmds = append(cmds, f.Send(contact, it, text))
			}
			return tea.Batch(cmds...)
		})
	}

	if p.path != "" && p.items[0].Whole() {
		form.More = []dialog.Button{{Label: "As a file, with all that is in it", Key: "alt+f", Action: dialog.Closing(func() tea.Cmd {
			return f.whole(contact, p.path, left)
		})}}
	}
	f.desk.Dialogs.Open(form)
	return nil
}

// whole shows the same again as a file.
func (f *Files) whole(contact, path string, left func() tea.Cmd) tea.Cmd {
	return desk.Ask(f.desk, func(ctx context.Context) (parcel, error) {
		return load(ctx, []string{path}, attach.AsFile)
	}, func(p parcel, err error) tea.Cmd {
		if err != nil {
			return f.desk.Fail(err)
		}
		return f.ask(contact, p, left)
	})
}

func (f *Files) title(p parcel) string {
	switch {
	case len(p.items) > 1:
		return f.desk.N(len(p.items), "Send %d file?", "Send %d files?")
	case p.items[0].Picture != nil:
		return catalogue.Mark("Send this picture?")
	}
	return catalogue.Mark("Send this file?")
}

// above is the preview and the notes of a parcel. The notes are never left out.
func (f *Files) above(th *theme.Theme, p parcel, width, height int) []string {
	var notes []string
	for _, it := range p.items {
		all := it.Notes(th.T)
		if len(p.items) > 1 {
			all = all[:1]
		}
		for _, note := range all {
			notes = append(notes, th.Cells.Wrap(f.desk.Mask(th.Cells.Steady(attach.Shown(note).String())), width)...)
		}
	}
	if len(p.items) > 1 {
		notes = append(notes, th.Cells.Wrap(th.T("Of pictures only the pixels are sent; other files go as they are."), width)...)
		notes = shortened(th, notes, height)
	}

	const least = 4                 // rows of a picture that shows something
	rows := height - len(notes) - 3 // a margin of the screen stays
	if rows < least {
		return notes
	}
	drawn := f.gallery.Blocks(p.preview, min(width, 48), rows)
	if len(drawn) == 0 {
		return notes
	}
	return append(append(drawn, ""), notes...)
}

// shortened is a list of lines in a height, with its last line.
func shortened(th *theme.Theme, lines []string, height int) []string {
	if len(lines) <= height || height < 3 {
		return lines
	}
	left := len(lines) - 1 - (height - 2)
	out := append([]string(nil), lines[:height-2]...)
	return append(out, th.N(left, "and %d more", "and %d more"), lines[len(lines)-1])
}

// Dropped offers to attach the files that a pasted text names. The text is in the
// conversation already, as after; before is the unsent text without it. It stays there
// unless the files are attached in its place.
func (f *Files) Dropped(pasted, before, after string) tea.Cmd {
	c := f.Contact()
	if c == nil || !attach.Looks(pasted) {
		return nil
	}
	return desk.Ask(f.desk, func(context.Context) ([]string, error) {
		return attach.Paths(pasted), nil
	}, func(paths []string, _ error) tea.Cmd {
		if len(paths) == 0 || f.desk.Private() || f.Contact() == nil || f.Contact().ID != c.ID {
			return nil
		}
		f.offer(c.ID, paths, func() tea.Cmd { return f.Replace(c.ID, after, before) })
		return nil
	})
}

// offer asks whether pasted paths are meant as files.
func (f *Files) offer(contact string, paths []string, taken func() tea.Cmd) {
	attached := func() tea.Cmd {
		return desk.Ask(f.desk, func(ctx context.Context) (parcel, error) {
			return load(ctx, paths, attach.Either)
		}, func(p parcel, err error) tea.Cmd {
			if err != nil {
				return f.desk.Fail(err)
			}
			return tea.Batch(taken(), f.ask(contact, p, nil))
		})
	}

	f.desk.Dialogs.Open(&dialog.Card{
		Title: "Attach it?", Width: 60,
		Body: func(th *theme.Theme, width, height int) []string {
			out := th.Cells.Wrap(th.N(len(paths), "You pasted the name of a file on this computer.", "You pasted the names of %d files on this computer."), width)
			out = append(out, "")
			for _, path := range paths {
				out = append(out, th.Cells.Wrap(f.desk.Mask(th.Cells.Steady(attach.Shown(path).String())), width)...)
			}
			return out
		},
		Buttons: []dialog.Button{
			{Label: "Attach", Key: "enter", Action: dialog.Closing(attached)},
			{Label: "Keep as text", Key: "esc", Action: dialog.Close},
		},
	})
}

// maxURI is the longest picture that is taken out of a text, in bytes of the text.
const maxURI = 16 << 20

// Picture takes a pasted picture, in the one form that a paste can have: a data URI. It is
// false if the text is none.
func (f *Files) Picture(pasted string) (tea.Cmd, bool) {
	head, data, ok := strings.Cut(strings.TrimSpace(pasted), ";base64,")
	c := f.Contact()
	if !ok || c == nil || len(pasted) > maxURI || !strings.HasPrefix(head, "data:image/") || strings.ContainsAny(head, " \n") {
		return nil, false
	}
	return desk.Ask(f.desk, func(ctx context.Context) (parcel, error) {
		data, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(data), ""))
		if err != nil {
			data = nil // no picture either
		}
		it, err := attach.Make(ctx, "picture", data, attach.AsPicture)
		if err != nil {
			return parcel{}, err
		}
		return parcel{items: []*attach.Item{it}}.look(nil), nil
	}, func(p parcel, err error) tea.Cmd {
		if err != nil {
			return f.desk.Fail(err)
		}
		return f.ask(c.ID, p, nil)
	}), true
}

// longName is the name of a long text that goes as a file.
const longName = "paste.txt"

// Long asks for the fate of a pasted text that is too long for a message. Whatever the
// answer, the text is somewhere.
func (f *Files) Long(pasted string, most int) tea.Cmd {
	c := f.Contact()
	size := words.Bytes(int64(len(pasted)))
	keep := func() tea.Cmd { return f.Put(pasted) }
	card := &dialog.Card{Title: "A long text", Width: 60}
	fits, takes := len(pasted) <= api.MaxFile, len(pasted) <= most
	if fits {
		card.Buttons = append(card.Buttons, dialog.Button{Label: "Send it as a file", Key: "enter", Action: dialog.Closing(func() tea.Cmd {
			it := &attach.Item{Name: longName, From: len(pasted), File: []byte(pasted)}
			return f.ask(c.ID, parcel{items: []*attach.Item{it}}, keep)
		})})
	}
	card.Buttons = append(card.Buttons, dialog.Button{Label: "Save it here", Key: "s", Action: dialog.Closing(func() tea.Cmd {
		left := keep
		if !takes {
			left = func() tea.Cmd { return f.Long(pasted, most) }
		}
		return f.askWhere(longName, []byte(pasted), left)
	})})
	if takes {
		card.Leave = keep
		card.Buttons = append(card.Buttons, dialog.Button{Label: "Put it into the text", Key: "esc", Action: dialog.Closing(keep)})
	} else {
		card.Buttons = append(card.Buttons, dialog.Button{Label: "Drop it", Key: "esc", Action: dialog.Close})
	}

	card.Body = func(th *theme.Theme, width, _ int) []string {
		text := th.T("You pasted %s. A message takes 32 KiB of text, a file 48 KiB.", size)
		if !fits {
			text = th.T("You pasted %s: more than a message (32 KiB) or a file (48 KiB) takes. You can save it on this computer, and send it by other means.", size)
		}
		return th.Cells.Wrap(text, width)
	}
	f.desk.Dialogs.Open(card)
	return nil
}
