package cli

import (
	"context"
	"os"
	"strings"
	"time"

	"starling/node/api"
	"starling/node/api/safetext"
)

func (n *fakeNode) find(id string) (*api.Message, error) {
	for i := range n.messages {
		if n.messages[i].ID == id {
			return &n.messages[i], nil
		}
	}
	return nil, &api.Error{Code: api.CodeNoMessage, Message: "no such message"}
}

func (n *fakeNode) Edit(_ context.Context, req api.EditRequest) (api.Message, error) {
	m, err := n.find(req.Message)
	if err != nil {
		return api.Message{}, err
	}
	m.Text, m.Edited = safetext.Clean(req.Text), time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	return *m, nil
}

func (n *fakeNode) Delete(_ context.Context, req api.DeleteRequest) error {
	for _, id := range req.Messages {
		if _, err := n.find(id); err != nil {
			return err
		}
	}
	n.deleted = append(n.deleted, req)
	return nil
}

func (n *fakeNode) React(_ context.Context, req api.ReactRequest) (api.Message, error) {
	m, err := n.find(req.Message)
	if err != nil {
		return api.Message{}, err
	}
	m.Reactions = nil
	if req.Emoji != "" {
		m.Reactions = []api.Reaction{{Outgoing: true, Emoji: safetext.Line(req.Emoji)}}
	}
	return *m, nil
}

func (n *fakeNode) Retry(_ context.Context, id string) (api.Message, error) {
	m, err := n.find(id)
	if err != nil {
		return api.Message{}, err
	}
	m.State = api.StateQueued
	return *m, nil
}

func (n *fakeNode) Discard(_ context.Context, id string) error {
	_, err := n.find(id)
	return err
}

func (n *fakeNode) MarkRead(_ context.Context, contact string) error {
	c, err := n.contact(contact)
	if err == nil {
		c.Unread = 0
	}
	return err
}

func (n *fakeNode) Search(_ context.Context, req api.SearchRequest) ([]api.Message, error) {
	n.searches = append(n.searches, req)
	var found []api.Message
	for i := len(n.messages) - 1; i >= 0; i-- {
		m := n.messages[i]
		if (req.Before == 0 || m.Sequence < req.Before) && strings.Contains(m.Text.String(), req.Words) && len(found) < req.Limit {
			found = append(found, m)
		}
	}
	return found, nil
}

func (n *fakeNode) ChangeConversation(_ context.Context, req api.ConversationRequest) (api.Contact, error) {
	c, err := n.contact(req.Contact)
	if err != nil {
		return api.Contact{}, err
	}
	if req.Pinned != nil {
		c.Pinned = *req.Pinned
	}
	if req.Archived != nil {
		c.Archived = *req.Archived
	}
	if req.MutedUntil != nil {
		c.MutedUntil = *req.MutedUntil
	}
	if req.Notify != nil {
		c.Notify = *req.Notify
	}
	if req.Timer != nil {
		c.TimerMine = *req.Timer
	}
	return *c, nil
}

func (n *fakeNode) ListRooms(context.Context) ([]api.Room, error) { return nil, nil }

func (n *fakeNode) Drafts(context.Context) ([]api.Draft, error) { return n.drafts, nil }

func (n *fakeNode) SaveDraft(_ context.Context, d api.Draft) error {
	c, err := n.contact(d.Contact)
	if err != nil {
		return err
	}
	d.Contact, n.drafts = c.ID, nil
	if d.Text != "" {
		n.drafts = []api.Draft{d}
	}
	return nil
}

func (n *fakeNode) Settings(context.Context) (api.Settings, error) { return n.settings, nil }

func (n *fakeNode) ChangeSettings(_ context.Context, c api.SettingsChange) (api.Settings, error) {
	c.Apply(&n.settings)
	if c.Name != nil {
		n.settings.Name = safetext.Line(*c.Name)
	}
	if c.Bridge != nil {
		n.settings.Bridge = *c.Bridge
	}
	return n.settings, nil
}

func (n *fakeNode) Conversations(ctx context.Context) ([]api.Contact, error) {
	all, err := n.Contacts(ctx)
	return append([]api.Contact{n.self}, all...), err
}

func (n *fakeNode) ClearConversation(_ context.Context, contact string) error {
	c, err := n.contact(contact)
	if err == nil {
		n.cleared = append(n.cleared, c.ID)
	}
	return err
}

func (n *fakeNode) Export(_ context.Context, req api.ExportRequest) error {
	n.exports = append(n.exports, req)
	return nil
}

func (n *fakeNode) Backup(_ context.Context, req api.BackupRequest) error {
	n.backups = append(n.backups, req)
	return nil
}

func (n *fakeNode) Wipe(context.Context) error {
	n.wiped = true
	return nil
}

func (n *fakeNode) Invites(context.Context) ([]api.Invite, error) {
	return []api.Invite{{ID: "1d", Link: "starling:abcdefgh", Expires: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)}}, nil
}

func (n *fakeNode) RevokeInvite(_ context.Context, id string) error {
	if id != "1d" {
		return &api.Error{Code: api.CodeNoInvite, Message: "there is no such invite"}
	}
	return nil
}

func (e *fakeEngine) Restore(_ context.Context, profile, file, passphrase string) error {
	if _, err := os.Stat(file); err != nil {
		return err
	}
	if passphrase != fakePassphrase {
		return &api.Error{Code: api.CodeWrongPassphrase, Message: "wrong passphrase"}
	}
	e.restored = append(e.restored, profile)
	return nil
}

func (e *fakeEngine) ChangePassphrase(_ context.Context, _, old, new string) error {
	if old != fakePassphrase {
		return &api.Error{Code: api.CodeWrongPassphrase, Message: "wrong passphrase"}
	}
	e.passphrases = append(e.passphrases, new)
	return nil
}

func (n *fakeNode) TryOthers(context.Context) error { n.tried++; return nil }

func (n *fakeNode) ChangePassphrase(_ context.Context, req api.PassphraseRequest) error {
	if req.Old != fakePassphrase {
		return &api.Error{Code: api.CodeWrongPassphrase, Message: "wrong passphrase"}
	}
	n.passphrases = append(n.passphrases, req.New)
	return nil
}

func (e *fakeEngine) Wipe(_ context.Context, profile string) error {
	e.wiped = append(e.wiped, profile)
	return nil
}

func (n *fakeNode) Join(context.Context, string) error { return nil }

func (e *fakeEngine) Nearby(context.Context) ([]string, error) { return nil, nil }
