package conversation

import (
	"context"
	"time"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/node/api/query"
	"starling/tui/desk"
	"starling/tui/people"
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

// SearchFor searches for words in the conversation with a contact, in all for nil.
func (b *Book) SearchFor(c *api.Contact, words string) tea.Cmd {
	if c == nil {
		b.searched[""] = words
		return b.SearchAll()
	}
	b.searched[c.ID] = words
	return b.SearchIn(c)
}

// search opens the panel, with the last words of the place.
func (b *Book) search(contact, title string) tea.Cmd {
	p := search.New(title, b.desk.T("type words"), b.searched[contact])
	p.Contact = contact
	p.Mask = b.desk.Mask
	p.Read = func(text string) (api.SearchRequest, error) {
		meant := b.people
		if c := b.people.Get(contact); c != nil && c.Room != nil {
			meant = people.New() // a sender is one of its members
		}
		return asked(meant, text, b.desk.Now())
	}
	p.Wrong = b.desk.Describe
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

// asked reads the words of a search. The beginning of a name will do for a contact.
func asked(all *people.List, text string, now time.Time) (api.SearchRequest, error) {
	req, err := query.Parse(text, now.Local())
	for _, who := range []*string{&req.From, &req.Contact} {
		if *who != "" && *who != query.Me {
			*who = all.Meant(*who)
		}
	}
	return req, err
}

// whose names the sender of a message, and the recipient if that is not plain.
func (b *Book) whose(m api.Message, everywhere bool) string {
	name := "?"
	c := b.people.Get(m.Conversation)
	if c != nil {
		name = b.desk.Name(c)
	}
	switch {
	case c != nil && c.Room != nil && !m.Outgoing:
		who := b.Rooms.Roster(c.ID).Name(m.Member, m.From)
		if everywhere {
			return b.desk.T("%s in %s", who, name)
		}
		return who
	case c != nil && c.Room != nil && everywhere:
		return b.desk.T("you in %s", name)
	case m.Outgoing && everywhere:
		return b.desk.T("you to %s", name)
	case m.Outgoing:
		return b.desk.T("you")
	}
	return name
}
