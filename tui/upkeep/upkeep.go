// Package upkeep is the room for clearing conversations, for writing them to files, and
// for the list of blocked people.
package upkeep

import (
	"context"
	"path/filepath"
	"strings"
	"unicode"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/tui/catalogue"
	"starling/tui/desk"
	"starling/tui/dialog"
	"starling/tui/people"
	"starling/tui/words"
)

// Upkeep is the room. It belongs to the goroutine of the screen.
type Upkeep struct {
	// Meant is the conversation that an action is about, nil for none.
	Meant func() *api.Contact
	// Cleared drops the messages of a conversation from the screen; Put takes a contact
	// as it is now.
	Cleared func(id string) tea.Cmd
	Put     func(api.Contact)
	// Folder is where a file is offered to go; empty: nowhere.
	Folder string

	desk   *desk.Desk
	people *people.List
}

// New returns the room.
func New(d *desk.Desk, p *people.List) *Upkeep { return &Upkeep{desk: d, people: p} }

// about does something with the conversation that is meant.
func (u *Upkeep) about(do func(*api.Contact)) tea.Cmd {
	c := u.Meant()
	if c == nil {
		return u.desk.Say("There is no contact yet.")
	}
	do(c)
	return nil
}

// Clear asks before all messages of a conversation are erased.
func (u *Upkeep) Clear() tea.Cmd {
	return u.about(func(c *api.Contact) {
		id, text := c.ID, u.desk.T("All messages of this conversation are erased here, and its draft. The contact and the keys stay. Your contact keeps what they have. It cannot be undone.")
		if id == api.Self {
			text = u.desk.T("All your notes are erased, and the draft. It cannot be undone.")
		}
		if c.Room != nil {
			text = u.desk.T("All messages of this room are erased here, and its draft. You stay in it, and the others keep what they have. It cannot be undone.")
		}
		u.desk.Confirm(desk.Confirmation{
			Title: u.desk.T("Clear the conversation with %s?", u.desk.Name(c)),
			Text:  text,
			Label: catalogue.Mark("Clear it"),
			Then: func() tea.Cmd {
				return u.desk.Do(func(ctx context.Context) error {
					return u.desk.Node.ClearConversation(ctx, id)
				}, func() tea.Cmd { return tea.Batch(u.Cleared(id), u.desk.Say("Cleared.")) })
			},
		})
	})
}

// formats are those of an export, with the ends of their files.
var formats = []struct {
	api.ExportFormat
	label, end string
}{
	{api.ExportText, catalogue.Mark("text"), ".txt"},
	{api.ExportHTML, catalogue.Mark("a page"), ".html"},
	{api.ExportJSON, "JSON", ".json"},
}

// Export asks for the file that a conversation is written to.
func (u *Upkeep) Export() tea.Cmd {
	return u.about(func(c *api.Contact) {
		id := c.ID
		f := &dialog.Form{Title: "Write the conversation to a file", Label: "Write it", Width: 60,
			Intro: "Everybody who has the file can read it: it is not encrypted. It is a new one, which only you may open on this computer."}
		file := &dialog.Field{Label: catalogue.Mark("New file"), Hint: catalogue.Mark("Without an end to its name it gets that of the format.")}
		file.Text.OneLine, file.Text.Limit, file.Text.Masked = true, 1024, u.desk.Hidden
		file.Text.SetValue(u.path(c))
		format := &dialog.Field{Label: "Format"}
		for _, x := range formats {
			format.Choices = append(format.Choices, x.label)
		}
		f.Fields = []*dialog.Field{file, format}

		f.Submit = func() dialog.Action {
			path := strings.TrimSpace(file.Text.Value())
			if path == "" {
				f.Error = u.desk.T("Type the name of a new file.")
				return dialog.Action{}
			}
			x := formats[format.Chosen]
			if filepath.Ext(path) == "" {
				path += x.end
			}
			return dialog.Keeping(func() tea.Cmd {
				return u.export(f, api.ExportRequest{Contact: id, Path: words.Absolute(path), Format: x.ExportFormat})
			})
		}
		u.desk.Dialogs.Open(f)
	})
}

func (u *Upkeep) export(f *dialog.Form, req api.ExportRequest) tea.Cmd {
	note := u.desk.T("The conversation is in %s.", u.desk.Mask(u.desk.Theme.Cells.Truncate(safetext.Line(req.Path).String(), 60)))
	return desk.Submit(u.desk, f, u.desk.T("Writing…"), func(ctx context.Context) (struct{}, error) {
		return struct{}{}, u.desk.Node.Export(ctx, req)
	}, func(struct{}) tea.Cmd { return u.desk.Note(note, false) })
}

// path is where the file is offered to go. Of a name only letters and digits go into it:
// the contact may have chosen it.
func (u *Upkeep) path(c *api.Contact) string {
	if u.Folder == "" {
		return ""
	}
	name := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, words.Name(c))
	if name == "" || u.desk.Hidden {
		name = "conversation"
	}
	return filepath.Join(u.Folder, "starling-"+name+"-"+u.desk.Now().Local().Format("2006-01-02"))
}

// Blocked lists the blocked people, to unblock one or to block another.
func (u *Upkeep) Blocked() tea.Cmd {
	var choices []dialog.Choice
	others := false
	for _, c := range u.people.All() {
		switch {
		case c.Blocked:
			choices = append(choices, dialog.Choice{
				Label: u.desk.Name(&c), Find: u.desk.OpenName(&c), Detail: u.desk.T("enter unblocks"),
				Action: dialog.Closing(func() tea.Cmd { return u.set(c.ID, false) }),
			})
		case c.ID != api.Self:
			others = true
		}
	}

	if others {
		choices = append(choices, dialog.Choice{Label: u.desk.T("Block somebody…"), Find: u.desk.T("Block somebody…"), Action: dialog.Closing(u.choose)})
	}
	if len(choices) == 0 {
		return u.desk.Say("Nobody is blocked.")
	}
	u.desk.Dialogs.Open(dialog.NewPicker("Blocked people", u.desk.T("type a name"), u.desk.T("Nobody of that name."), choices))
	return nil
}

// choose asks for a name, to block its bearer.
func (u *Upkeep) choose() tea.Cmd {
	var choices []dialog.Choice
	for _, c := range u.people.All() {
		if c.Blocked || c.ID == api.Self {
			continue
		}
		choices = append(choices, dialog.Choice{
			Label: u.desk.Name(&c), Find: u.desk.OpenName(&c),
			Action: dialog.Closing(func() tea.Cmd { u.Ask(&c); return nil }),
		})
	}
	u.desk.Dialogs.Open(dialog.NewPicker("Block somebody", u.desk.T("type a name"), u.desk.T("Nobody of that name."), choices))
	return nil
}

// Toggle asks before the contact that is meant is blocked, and unblocks at once.
func (u *Upkeep) Toggle() tea.Cmd {
	c := u.Meant()
	switch {
	case c == nil:
		return u.desk.Say("There is no contact yet.")
	case c.ID == api.Self:
		return u.desk.Say("There is nobody behind the note to self.")
	case c.Blocked:
		return u.set(c.ID, false)
	}
	u.Ask(c)
	return nil
}

// Ask asks before a contact is blocked.
func (u *Upkeep) Ask(c *api.Contact) {
	id := c.ID
	u.desk.Confirm(desk.Confirmation{
		Title: u.desk.T("Block %s?", u.desk.Name(c)),
		Text:  u.desk.T("Nothing of theirs is fetched or shown, and nothing is sent to them. They are not told: they see what they see while you are offline. You can unblock them in the same way."),
		Label: catalogue.Mark("Block"),
		Then:  func() tea.Cmd { return u.set(id, true) },
	})
}

func (u *Upkeep) set(id string, blocked bool) tea.Cmd {
	return desk.Submit(u.desk, nil, "", func(ctx context.Context) (api.Contact, error) {
		return u.desk.Node.BlockContact(ctx, id, blocked)
	}, func(c api.Contact) tea.Cmd {
		u.Put(c)
		if blocked {
			return u.desk.Say("Blocked.")
		}
		return u.desk.Say("Unblocked.")
	})
}
