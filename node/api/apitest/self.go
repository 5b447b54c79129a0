package apitest

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"starling/node/api"
)

func init() {
	for name, test := range map[string]func(*testing.T, *Pair){
		"note to self":         noteToSelf,
		"names of the self":    namesOfSelf,
		"blocked is not there": blockedIsNotThere,
		"clear":                cleared,
		"export":               exported,
		"own name, and a look": ownNameAndLook,
	} {
		suite[name] = test
	}
}

// self returns the note to self as the list of conversations has it: first.
func self(t *testing.T, n api.Node) api.Contact {
	t.Helper()
	all, err := n.Conversations(t.Context())
	if err != nil || len(all) == 0 || all[0].ID != api.Self || all[0].State != api.ContactSelf {
		t.Fatalf("conversations %.300v, %v", all, err)
	}
	return all[0]
}

func noteToSelf(t *testing.T, p *Pair) {
	p.befriend(t)
	ctx := t.Context()
	self(t, p.Ada)

	m, err := p.Ada.Send(ctx, api.SendRequest{Contact: api.Self, Text: "the key is under the mat"})
	if err != nil || m.State != api.StateStored || m.Conversation != api.Self || !m.Outgoing || m.From.String() != "Ada" {
		t.Fatalf("%+v, %v", m, err)
	}
	if s, err := p.Ada.Status(ctx); err != nil || s.Outbox != (api.Outbox{}) || s.Contacts != 1 {
		t.Errorf("%+v, %d contacts, %v", s.Outbox, s.Contacts, err)
	}
	if c := self(t, p.Ada); c.Unsent != 0 || c.Unread != 0 || c.Last == nil || c.Last.ID != m.ID {
		t.Errorf("%+v", c)
	}
	if all, err := p.Ada.Contacts(ctx); err != nil || len(all) != 1 || all[0].ID == api.Self {
		t.Errorf("it is a contact: %v, %v", all, err)
	}

	// Everything that is done with a message, but for what needs somebody else.
	again, err := p.Ada.Send(ctx, api.SendRequest{Contact: api.Self, Text: "under the pot", ReplyTo: m.ID})
	if err != nil || again.Reply == nil || again.Reply.ID != m.ID {
		t.Errorf("%+v, %v", again, err)
	}
	if e, err := p.Ada.Edit(ctx, api.EditRequest{Message: m.ID, Text: "the key is gone"}); err != nil || e.State != api.StateStored || e.Edited.IsZero() {
		t.Errorf("%+v, %v", e, err)
	}
	if r, err := p.Ada.React(ctx, api.ReactRequest{Message: m.ID, Emoji: "👍"}); err != nil || len(r.Reactions) != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	if found, err := p.Ada.Search(ctx, api.SearchRequest{Words: "gone", Contact: api.Self}); err != nil || len(found) != 1 {
		t.Errorf("%v, %v", found, err)
	}
	if err := p.Ada.Delete(ctx, api.DeleteRequest{Messages: []string{again.ID}, Both: true}); err != nil {
		t.Error(err)
	}
	if h, err := p.Ada.History(ctx, api.HistoryRequest{Contact: api.Self}); err != nil || len(h) != 1 || h[0].ID != m.ID {
		t.Errorf("%v, %v", h, err)
	}

	yes, hour := true, 3600
	c, err := p.Ada.ChangeConversation(ctx, api.ConversationRequest{Contact: api.Self, Pinned: &yes, Timer: &hour})
	if err != nil || !c.Pinned || c.Timer != hour {
		t.Errorf("%+v, %v", c, err)
	}
	if timed, err := p.Ada.Send(ctx, api.SendRequest{Contact: api.Self, Text: "soon gone"}); err != nil || timed.Timer != hour {
		t.Errorf("%+v, %v", timed, err)
	}
	for what, err := range map[string]error{
		"draft": p.Ada.SaveDraft(ctx, api.Draft{Contact: api.Self, Text: "half a thought"}),
		"read":  p.Ada.MarkRead(ctx, api.Self),
		"type":  p.Ada.Typing(ctx, api.Self),
	} {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}

	// Nothing of it is on its way to anybody.
	if s, err := p.Ada.Status(ctx); err != nil || s.Outbox != (api.Outbox{}) {
		t.Errorf("%+v, %v", s.Outbox, err)
	}
	if h, err := p.Bob.History(ctx, api.HistoryRequest{Contact: "Ada"}); err != nil || len(h) != 0 {
		t.Errorf("Bob has %v, %v", h, err)
	}

	// There is nobody behind it.
	for what, err := range map[string]error{
		"rename": changeErr(p.Ada.RenameContact(ctx, api.Self, "Me")),
		"block":  changeErr(p.Ada.BlockContact(ctx, api.Self, true)),
		"verify": changeErr(p.Ada.SetVerified(ctx, api.Self, "")),
		"number": func() error { _, err := p.Ada.Verification(ctx, api.Self); return err }(),
		"remove": p.Ada.RemoveContact(ctx, api.Self),
	} {
		wantCode(t, what, err, api.CodeUsage)
	}
	self(t, p.Ada)
}

// A contact cannot have a name of the note to self: what is meant for that would be sent.
func namesOfSelf(t *testing.T, p *Pair) {
	p.befriend(t)
	ctx := t.Context()
	for _, name := range append(slices.Clone(api.SelfNames), "SELF", "note to self") {
		wantCode(t, name, changeErr(p.Ada.RenameContact(ctx, "Bob", name)), api.CodeContactExists)
	}
	m, err := p.Ada.Send(ctx, api.SendRequest{Contact: api.Self, Text: "mine"})
	if err != nil || m.State != api.StateStored {
		t.Errorf("%+v, %v", m, err)
	}
}

func blockedIsNotThere(t *testing.T, p *Pair) {
	p.befriend(t)
	ctx := t.Context()
	if _, err := p.Ada.BlockContact(ctx, "Bob", true); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "text to a blocked contact", p.sends("Bob", "an answer")(), api.CodeUsage)
	if h, err := p.Ada.History(ctx, api.HistoryRequest{Contact: "Bob"}); err != nil || len(h) != 0 {
		t.Errorf("%v, %v", h, err)
	}
	if _, err := p.Ada.BlockContact(ctx, "Bob", false); err != nil {
		t.Fatal(err)
	}
	if err := p.sends("Bob", "an answer")(); err != nil {
		t.Error(err)
	}
}

func cleared(t *testing.T, p *Pair) {
	p.befriend(t)
	ctx := t.Context()
	mine, _ := p.exchange(t, api.SendRequest{Text: "forget this"})
	p.waitState(t, p.Ada, mine.ID, api.StateDelivered)
	if err := p.Ada.SaveDraft(ctx, api.Draft{Contact: "Bob", Text: "and this"}); err != nil {
		t.Fatal(err)
	}
	before, err := p.Ada.Status(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Ada.ClearConversation(ctx, "Bob"); err != nil {
		t.Fatal(err)
	}

	if h, err := p.Ada.History(ctx, api.HistoryRequest{Contact: "Bob"}); err != nil || len(h) != 0 {
		t.Errorf("%v, %v", h, err)
	}
	if found, err := p.Ada.Search(ctx, api.SearchRequest{Words: "forget"}); err != nil || len(found) != 0 {
		t.Errorf("%v, %v", found, err)
	}
	if d, err := p.Ada.Drafts(ctx); err != nil || len(d) != 0 {
		t.Errorf("%v, %v", d, err)
	}
	stop := &api.Error{Code: api.CodeClosed}
	err = p.Ada.Events(ctx, before.LastEvent, func(e api.Event) error {
		if e.Kind == api.EventCleared && e.Conversation != "" {
			return stop
		}
		return nil
	})
	if err != stop {
		t.Error(err)
	}

	// The contact stays, and the session goes on, both ways.
	again, _ := p.exchange(t, api.SendRequest{Text: "good morning"})
	p.waitState(t, p.Ada, again.ID, api.StateDelivered)
	theirs, err := p.Bob.Send(ctx, api.SendRequest{Contact: "Ada", Text: "hello again"})
	if err != nil {
		t.Fatal(err)
	}
	p.waitState(t, p.Bob, theirs.ID, api.StateDelivered)
	h, err := p.Ada.History(ctx, api.HistoryRequest{Contact: "Bob"})
	if err != nil || len(h) != 2 {
		t.Errorf("%v, %v", h, err)
	}
	wantCode(t, "nobody", p.Ada.ClearConversation(ctx, "Nobody"), api.CodeNoContact)
}

func exported(t *testing.T, p *Pair) {
	p.befriend(t)
	ctx := t.Context()
	p.exchange(t, api.SendRequest{Text: "<script>alert(1)</script>"})
	dir := t.TempDir()
	for _, format := range []api.ExportFormat{api.ExportText, api.ExportJSON, api.ExportHTML} {
		req := api.ExportRequest{Contact: "Bob", Path: filepath.Join(dir, string(format)), Format: format}
		if err := p.Ada.Export(ctx, req); err != nil {
			t.Fatalf("%s: %v", format, err)
		}
		if b, err := p.ReadFile(req.Path); err != nil || !strings.Contains(string(b), "alert(1)") {
			t.Errorf("%s: %q, %v", format, b, err)
		}
		wantCode(t, "over another", p.Ada.Export(ctx, req), api.CodeUsage)
	}

	for what, req := range map[string]api.ExportRequest{
		"of no format":    {Contact: "Bob", Path: filepath.Join(dir, "x"), Format: "pdf"},
		"without a path":  {Contact: "Bob", Format: api.ExportText},
		"into nowhere":    {Contact: "Bob", Path: "/nowhere/at/all", Format: api.ExportText},
		"beside the node": {Contact: "Bob", Path: "here.txt", Format: api.ExportText},
	} {
		wantCode(t, what, p.Ada.Export(ctx, req), api.CodeUsage)
	}
	wantCode(t, "of nobody", p.Ada.Export(ctx, api.ExportRequest{Contact: "Nobody", Path: filepath.Join(dir, "y"), Format: api.ExportText}), api.CodeNoContact)
}

func ownNameAndLook(t *testing.T, p *Pair) {
	p.befriend(t)
	ctx := t.Context()
	s, err := p.Ada.Settings(ctx)
	if err != nil || s.Name.String() != "Ada" || s.Theme != "auto" || s.Language != "" || s.UnreadTitle {
		t.Errorf("%+v, %v", s, err)
	}

	name, language, theme, yes := "Ada Lovelace", "de", "light", true
	s, err = p.Ada.ChangeSettings(ctx, api.SettingsChange{Name: &name, Language: &language, Theme: &theme, UnreadTitle: &yes})
	if err != nil || s.Name.String() != name || s.Language != language || s.Theme != theme || !s.UnreadTitle {
		t.Errorf("%+v, %v", s, err)
	}
	if again, err := p.Ada.Settings(ctx); err != nil || again != s {
		t.Errorf("%+v, %v", again, err)
	}
	if now, err := p.Ada.Status(ctx); err != nil || now.Name.String() != name {
		t.Errorf("%q, %v", now.Name, err)
	}

	empty, unknown := " ", "klingon"
	for what, change := range map[string]api.SettingsChange{
		"no name": {Name: &empty}, "no language": {Language: &unknown}, "no theme": {Theme: &unknown},
	} {
		wantCode(t, what, settingsErr(p.Ada.ChangeSettings(ctx, change)), api.CodeUsage)
	}
}
