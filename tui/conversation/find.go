package conversation

import (
	"context"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/tui/desk"
	"starling/tui/search"
)

// SearchIn searches in the conversation with a contact, nil for none.
func (b *Book) SearchIn(c *api.Contact) tea.Cmd {
	if c == nil {
		return b.desk.Say("There is no contact yet.")
	}
	return b.search(c.ID, b.desk.T("Search in %s", b.desk.Name(c)))
}

// SearchAll searches in all conversations.
func (b *Book) SearchAll() tea.Cmd {
	return b.search("", b.desk.T("Search in all conversations"))
}

// search opens the panel, with the last words of the place.
func (b *Book) search(contact, title string) tea.Cmd {
	p := search.New(title, b.desk.T("type words"), b.searched[contact])
	p.Contact = contact
	p.Mask = b.desk.Mask
	p.When = func(m api.Message) string { return b.desk.Ago(m.Time) }
	p.Name = func(m api.Message) string { return b.whose(m, contact == "") }
	p.Go = b.GoTo
	p.Find = func(q search.Ask) tea.Cmd {
		b.searched[contact] = q.Words
		return desk.Ask(b.desk, func(ctx context.Context) ([]api.Message, error) {
			return b.desk.Node.Search(ctx, q.SearchRequest)
		}, func(hits []api.Message, err error) tea.Cmd {
			p.Show(q.N, hits, b.desk.Describe(err))
			return nil
		})
	}

	b.desk.Dialogs.Open(p)
	return b.desk.Act(p.Question())
}

// whose names the sender of a message, and the recipient if that is not plain.
func (b *Book) whose(m api.Message, everywhere bool) string {
	name := "?"
	if c := b.people.Get(m.Conversation); c != nil {
		name = b.desk.Name(c)
	}
	switch {
	case m.Outgoing && everywhere:
		return b.desk.T("you to %s", name)
	case m.Outgoing:
		return b.desk.T("you")
	}
	return name
}
