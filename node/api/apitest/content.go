package apitest

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/color"
	"image/gif"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"starling/node/api"
	"starling/node/api/safetext"
)

// The part of the suite about the contents of conversations.
func init() {
	for name, test := range map[string]func(*testing.T, *Pair){
		"reply, forward, picture":           replyForwardPicture,
		"file":                              smallFile,
		"edit, react, delete":               editReactDelete,
		"errors of changes":                 errorsOfChanges,
		"search":                            searchMessages,
		"search with filters":               searchFilters,
		"history after":                     historyAfter,
		"drafts":                            drafts,
		"settings, typing, read":            settingsTypingRead,
		"conversation":                      conversationKept,
		"timer":                             timerAgreed,
		"unlock, backup, wipe":              unlockBackupWipe,
		"events of changes hold no old one": eventsOfChanges,
	} {
		suite[name] = test
	}
}

// exchange has Ada send a text to Bob and returns it as Bob has it.
func (p *Pair) exchange(t *testing.T, req api.SendRequest) (sent, got api.Message) {
	t.Helper()
	req.Contact = "Bob"
	sent, err := p.Ada.Send(t.Context(), req)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the message", func() bool { got, err = p.Bob.Message(t.Context(), sent.ID); return err == nil })
	return sent, got
}

func (p *Pair) bobSees(t *testing.T, id, what string, want func(api.Message) bool) {
	t.Helper()
	eventually(t, what, func() bool { m, err := p.Bob.Message(t.Context(), id); return err == nil && want(m) })
}

func wantCode(t *testing.T, what string, err error, want api.Code) {
	t.Helper()
	var e *api.Error
	if !errors.As(err, &e) || e.Code != want || e.Message == "" {
		t.Errorf("%s: %#v, want %s", what, err, want)
	}
}

func replyForwardPicture(t *testing.T, p *Pair) {
	p.befriend(t)
	ctx := t.Context()
	long := strings.Repeat("ä\n", 300)
	_, first := p.exchange(t, api.SendRequest{Text: long})
	back, err := p.Bob.Send(ctx, api.SendRequest{Contact: "Ada", Text: "yes", ReplyTo: first.ID})
	if err != nil || back.Reply == nil || back.Reply.Outgoing || back.Reply.From.String() != "Ada" ||
		back.Reply.ID != first.ID || len(back.Reply.Text.String()) > api.MaxQuote || !strings.HasPrefix(back.Reply.Text.String(), "ä ä") {
		t.Fatalf("%+v, %v", back.Reply, err)
	}

	gif := drawn(t)
	sent, got := p.exchange(t, api.SendRequest{Picture: gif})
	for _, m := range []api.Message{sent, got} {
		if m.Picture == nil || m.Picture.Type != "image/gif" || m.Picture.Size != len(m.Picture.Data) || !samePixels(t, m.Picture.Data, gif) || !m.Text.IsZero() {
			t.Errorf("%.300v", m)
		}
	}

	sent, got = p.exchange(t, api.SendRequest{Forward: sent.ID, ID: strings.Repeat("cd", 16)})
	if !got.Forwarded || !samePixels(t, got.Picture.Data, gif) {
		t.Errorf("%.300v", got)
	}
	if again, err := p.Ada.Send(ctx, api.SendRequest{Contact: "Bob", Forward: sent.ID, ID: sent.ID}); err != nil || again.ID != sent.ID {
		t.Errorf("the same again: %.300v, %v", again, err)
	}
}

// smallFile: a file of any kind comes as it is, under a name that is none of a path. Message
// alone returns its bytes.
func smallFile(t *testing.T, p *Pair) {
	p.befriend(t)
	ctx := t.Context()
	data := []byte("\x7fELF\x00\xff no picture")
	sent, got := p.exchange(t, api.SendRequest{Text: "the plan", File: &api.SendFile{Name: "../../plan\u202e.txt", Data: data}})
	if sent.File == nil || sent.File.Name.String() != "plan.txt" || sent.File.Size != len(data) {
		t.Fatalf("%.300v", sent)
	}
	if got.File == nil || got.File.Name.String() != "plan.txt" || !bytes.Equal(got.File.Data, data) || got.Text.String() != "the plan" || got.Picture != nil {
		t.Errorf("%.300v", got)
	}
	all, err := p.Bob.History(ctx, api.HistoryRequest{Contact: "Ada", Limit: 1})
	if err != nil || len(all) != 1 || all[0].File == nil || all[0].File.Data != nil || all[0].File.Size != len(data) {
		t.Errorf("%.300v, %v", all, err)
	}

	sent, got = p.exchange(t, api.SendRequest{Forward: sent.ID})
	if !got.Forwarded || got.File == nil || !bytes.Equal(got.File.Data, data) {
		t.Errorf("%.300v", got)
	}
	sent, got = p.exchange(t, api.SendRequest{File: &api.SendFile{Name: "empty", Data: []byte{}}})
	if sent.File == nil || got.File == nil || got.File.Size != 0 {
		t.Errorf("an empty one: %.300v, %.300v", sent, got)
	}

	file := func(n int) *api.SendFile { return &api.SendFile{Name: "a", Data: make([]byte, n)} }
	for name, c := range map[string]struct {
		req  api.SendRequest
		want api.Code
	}{
		"too large":        {api.SendRequest{File: file(api.MaxFile + 1)}, api.CodeTooLong},
		"with a picture":   {api.SendRequest{File: file(1), Picture: drawn(t)}, api.CodeUsage},
		"caption too long": {api.SendRequest{File: file(1), Text: strings.Repeat("a", api.MaxCaption+1)}, api.CodeTooLong},
	} {
		c.req.Contact = "Bob"
		_, err := p.Ada.Send(ctx, c.req)
		wantCode(t, name, err, c.want)
	}
}

// drawn is a picture.
func drawn(t *testing.T) []byte {
	t.Helper()
	img := image.NewPaletted(image.Rect(0, 0, 30, 20), color.Palette{color.Black, color.White})
	for i := range img.Pix {
		img.Pix[i] = uint8(i / 7 % 2)
	}
	var b bytes.Buffer
	if err := gif.Encode(&b, img, nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// samePixels reports whether two pictures show the same: their bytes may differ.
func samePixels(t *testing.T, a, b []byte) bool {
	t.Helper()
	x, _, err := image.Decode(bytes.NewReader(a))
	if err != nil {
		t.Errorf("what came is no picture: %v", err)
		return false
	}
	y, _, err := image.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 30 * 20 {
		if x.Bounds() != y.Bounds() || x.At(i%30, i/30) != y.At(i%30, i/30) {
			return false
		}
	}
	return true
}

func editReactDelete(t *testing.T, p *Pair) {
	p.befriend(t)
	ctx := t.Context()
	m, _ := p.exchange(t, api.SendRequest{Text: "frist"})
	before := time.Now().Add(-time.Second)
	edited, err := p.Ada.Edit(ctx, api.EditRequest{Message: m.ID, Text: "first"})
	if err != nil || edited.Text.String() != "first" || edited.Edited.Before(before) || edited.Sequence != m.Sequence {
		t.Fatalf("%+v, %v", edited, err)
	}
	p.bobSees(t, m.ID, "the edit", func(m api.Message) bool { return m.Text.String() == "first" && !m.Edited.IsZero() })

	reacted, err := p.Ada.React(ctx, api.ReactRequest{Message: m.ID, Emoji: "👍🏽"})
	if err != nil || len(reacted.Reactions) != 1 || !reacted.Reactions[0].Outgoing || reacted.Reactions[0].Emoji.String() != "👍🏽" {
		t.Fatalf("%+v, %v", reacted, err)
	}
	p.bobSees(t, m.ID, "the reaction", func(m api.Message) bool { return len(m.Reactions) == 1 && !m.Reactions[0].Outgoing })
	if reacted, err = p.Ada.React(ctx, api.ReactRequest{Message: m.ID}); err != nil || reacted.Reactions != nil {
		t.Fatalf("%+v, %v", reacted, err)
	}
	p.bobSees(t, m.ID, "it gone", func(m api.Message) bool { return len(m.Reactions) == 0 })

	if err := p.Ada.Delete(ctx, api.DeleteRequest{Messages: []string{m.ID, m.ID}, Both: true}); err != nil {
		t.Fatal(err)
	}
	p.bobSees(t, m.ID, "the delete", isDeleted)
	if m, err := p.Ada.Message(ctx, m.ID); err != nil || !isDeleted(m) {
		t.Errorf("%+v, %v", m, err)
	}
	if err := p.Bob.Delete(ctx, api.DeleteRequest{Messages: []string{m.ID}}); err != nil {
		t.Fatal(err)
	}
	_, err = p.Bob.Message(ctx, m.ID)
	wantCode(t, "erased", err, api.CodeNoMessage)
}

func errorsOfChanges(t *testing.T, p *Pair) {
	p.befriend(t)
	ctx := t.Context()
	mine, _ := p.exchange(t, api.SendRequest{Text: "mine"})
	gone, _ := p.exchange(t, api.SendRequest{Text: "gone"})
	if err := p.Ada.Delete(ctx, api.DeleteRequest{Messages: []string{gone.ID}, Both: true}); err != nil {
		t.Fatal(err)
	}
	forwarded, _ := p.exchange(t, api.SendRequest{Forward: mine.ID})

	send := func(n api.Node, req api.SendRequest) error { _, err := n.Send(ctx, req); return err }
	edit := func(n api.Node, id, text string) error {
		_, err := n.Edit(ctx, api.EditRequest{Message: id, Text: text})
		return err
	}
	react := func(id, emoji string) error {
		_, err := p.Ada.React(ctx, api.ReactRequest{Message: id, Emoji: emoji})
		return err
	}
	timer, level := 4, api.NotifyLevel("loud")
	search := func(words, contact string) error {
		_, err := p.Ada.Search(ctx, api.SearchRequest{Words: words, Contact: contact})
		return err
	}

	negative := -1
	for what, tt := range map[string]struct {
		err  error
		want api.Code
	}{
		"edit of another's":        {edit(p.Bob, mine.ID, "x"), api.CodeUsage},
		"edit of what is gone":     {edit(p.Ada, gone.ID, "x"), api.CodeNoMessage},
		"edit of nothing":          {edit(p.Ada, "00", "x"), api.CodeNoMessage},
		"edit to nothing":          {edit(p.Ada, mine.ID, " "), api.CodeEmpty},
		"edit to too much":         {edit(p.Ada, mine.ID, strings.Repeat("a", api.MaxText+1)), api.CodeTooLong},
		"edit of what is not ours": {edit(p.Ada, forwarded.ID, "x"), api.CodeUsage},
		"delete of another's":      {p.Bob.Delete(ctx, api.DeleteRequest{Messages: []string{mine.ID}, Both: true}), api.CodeUsage},
		"delete of nothing":        {p.Ada.Delete(ctx, api.DeleteRequest{}), api.CodeUsage},
		"delete of too many":       {p.Ada.Delete(ctx, api.DeleteRequest{Messages: make([]string, 65)}), api.CodeUsage},
		"delete of the unknown":    {p.Ada.Delete(ctx, api.DeleteRequest{Messages: []string{mine.ID, "00"}}), api.CodeNoMessage},
		"react with words":         {react(mine.ID, "not an emoji"), api.CodeUsage},
		"react with an escape":     {react(mine.ID, "\x1b"), api.CodeUsage},
		"react to what is gone":    {react(gone.ID, "👍"), api.CodeNoMessage},
		"picture of nothing":       {send(p.Ada, api.SendRequest{Contact: "Bob", Picture: []byte("BM")}), api.CodeUsage},
		"picture too large":        {send(p.Ada, api.SendRequest{Contact: "Bob", Picture: append([]byte("GIF89a"), make([]byte, api.MaxPicture)...)}), api.CodeTooLong},
		"picture that is broken":   {send(p.Ada, api.SendRequest{Contact: "Bob", Picture: drawn(t)[:20]}), api.CodeUsage},
		"caption too long":         {send(p.Ada, api.SendRequest{Contact: "Bob", Picture: drawn(t), Text: strings.Repeat("a", api.MaxCaption+1)}), api.CodeTooLong},
		"reply to nothing":         {send(p.Ada, api.SendRequest{Contact: "Bob", Text: "x", ReplyTo: "00"}), api.CodeNoMessage},
		"forward of nothing":       {send(p.Ada, api.SendRequest{Contact: "Bob", Forward: "00"}), api.CodeNoMessage},
		"forward of what is gone":  {send(p.Ada, api.SendRequest{Contact: "Bob", Forward: gone.ID}), api.CodeUsage},
		"forward and text":         {send(p.Ada, api.SendRequest{Contact: "Bob", Forward: mine.ID, Text: "x"}), api.CodeUsage},
		"search for nothing":       {search(" ", ""), api.CodeEmpty},
		"search for too much":      {search(strings.Repeat("a ", 1000), ""), api.CodeTooLong},
		"search at nobody":         {search("x", "Nobody"), api.CodeNoContact},
		"typing to nobody":         {p.Ada.Typing(ctx, "Nobody"), api.CodeNoContact},
		"draft for nobody":         {p.Ada.SaveDraft(ctx, api.Draft{Contact: "Nobody", Text: "x"}), api.CodeNoContact},
		"draft too long":           {p.Ada.SaveDraft(ctx, api.Draft{Contact: "Bob", Text: strings.Repeat("a", api.MaxText+1)}), api.CodeTooLong},
		"draft of an answer to ?":  {p.Ada.SaveDraft(ctx, api.Draft{Contact: "Bob", Text: "x", ReplyTo: "?"}), api.CodeNoMessage},
		"timer too short":          {changeErr(p.Ada.ChangeConversation(ctx, api.ConversationRequest{Contact: "Bob", Timer: &timer})), api.CodeUsage},
		"loud notifications":       {changeErr(p.Ada.ChangeConversation(ctx, api.ConversationRequest{Contact: "Bob", Notify: &level})), api.CodeUsage},
		"loud by default":          {settingsErr(p.Ada.ChangeSettings(ctx, api.SettingsChange{Notify: &level})), api.CodeUsage},
		"lock before now":          {settingsErr(p.Ada.ChangeSettings(ctx, api.SettingsChange{LockAfter: &negative})), api.CodeUsage},
		"conversation with nobody": {changeErr(p.Ada.ChangeConversation(ctx, api.ConversationRequest{Contact: "Nobody"})), api.CodeNoContact},
		"backup to a folder":       {p.Ada.Backup(ctx, api.BackupRequest{Path: t.TempDir(), Passphrase: "x"}), api.CodeUsage},
		"backup into nowhere":      {p.Ada.Backup(ctx, api.BackupRequest{Path: "/nowhere/at/all", Passphrase: "x"}), api.CodeUsage},
		"backup without a lock":    {p.Ada.Backup(ctx, api.BackupRequest{Path: filepath.Join(t.TempDir(), "b")}), api.CodeUsage},
		"wrong passphrase":         {p.Ada.Unlock(ctx, "wrong"), api.CodeWrongPassphrase},
	} {
		wantCode(t, what, tt.err, tt.want)
	}

	if m, err := p.Ada.Message(ctx, mine.ID); err != nil || m.Text.String() != "mine" || m.Reactions != nil {
		t.Errorf("%+v, %v", m, err)
	}
}

func isDeleted(m api.Message) bool { return m.Deleted && m.Text.IsZero() && m.Reactions == nil }

func changeErr(_ api.Contact, err error) error    { return err }
func settingsErr(_ api.Settings, err error) error { return err }

func searchMessages(t *testing.T, p *Pair) {
	p.befriend(t)
	for _, text := range []string{"Grüße aus Köln", "grusse zurück", "nothing"} {
		p.exchange(t, api.SendRequest{Text: text})
	}
	for words, want := range map[string]int{"grus": 2, "KOLN gruße": 1, "absent": 0, "!": 0} {
		got, err := p.Bob.Search(t.Context(), api.SearchRequest{Words: words, Contact: "Ada"})
		if err != nil || len(got) != want {
			t.Errorf("%q: %v, %v", words, got, err)
		}
		if want == 2 && (got[0].Text.String() != "grusse zurück" || got[0].From.String() != "Ada") {
			t.Errorf("%q: %+v", words, got)
		}
		if want == 2 {
			page, err := p.Bob.Search(t.Context(), api.SearchRequest{Words: words, Before: got[0].Sequence, Limit: 1})
			if err != nil || len(page) != 1 || page[0].ID != got[1].ID {
				t.Errorf("page %v, %v", page, err)
			}
		}
	}
}

func searchFilters(t *testing.T, p *Pair) {
	p.befriend(t)
	_, theirs := p.exchange(t, api.SendRequest{Text: "see https://a.example and more"})
	at := theirs.Time
	day := 24 * time.Hour
	for what, c := range map[string]struct {
		req  api.SearchRequest
		want int
	}{
		"from the contact":     {api.SearchRequest{From: "Ada"}, 1},
		"from me":              {api.SearchRequest{From: "me"}, 0},
		"since the day before": {api.SearchRequest{Since: at.Add(-day)}, 1},
		"since the day after":  {api.SearchRequest{Since: at.Add(day)}, 0},
		"until the day before": {api.SearchRequest{Until: at.Add(-day)}, 0},
		"links with a word":    {api.SearchRequest{Kind: api.KindLink, Words: "mor", Contact: "Ada"}, 1},
		"pictures":             {api.SearchRequest{Kind: api.KindPicture}, 0},
	} {
		got, err := p.Bob.Search(t.Context(), c.req)
		if err != nil || len(got) != c.want {
			t.Errorf("%s: %v, %v", what, got, err)
		}
	}

	_, err := p.Bob.Search(t.Context(), api.SearchRequest{From: "nobody"})
	wantCode(t, "from nobody", err, api.CodeNoContact)
	_, err = p.Bob.Search(t.Context(), api.SearchRequest{Kind: "song"})
	wantCode(t, "of no kind", err, api.CodeUsage)
}

func historyAfter(t *testing.T, p *Pair) {
	p.befriend(t)
	for _, text := range []string{"0", "1", "2", "3"} {
		p.exchange(t, api.SendRequest{Text: text})
	}
	all, err := p.Bob.History(t.Context(), api.HistoryRequest{Contact: "Ada"})
	if err != nil || len(all) != 4 {
		t.Fatal(all, err)
	}
	page, err := p.Bob.History(t.Context(), api.HistoryRequest{Contact: "Ada", After: all[0].Sequence, Limit: 2})
	if err != nil || len(page) != 2 || page[0].ID != all[1].ID || page[1].ID != all[2].ID {
		t.Errorf("%v, %v", page, err)
	}
}

func drafts(t *testing.T, p *Pair) {
	p.befriend(t)
	ctx := t.Context()
	m, _ := p.exchange(t, api.SendRequest{Text: "x"})
	told := make(chan api.Event, 100)
	go p.Ada.Events(ctx, -1, func(e api.Event) error { told <- e; return nil })
	draft := api.Draft{Contact: "Bob", Text: "half a\n\x1b thought ", ReplyTo: m.ID}
	eventually(t, "the event", func() bool {
		if err := p.Ada.SaveDraft(ctx, draft); err != nil {
			t.Fatal(err)
		}
		select {
		case e := <-told:
			return e.Kind == api.EventDraft && e.Seq == 0 && e.Conversation == m.Conversation
		default:
			return false
		}
	})

	all, err := p.Ada.Drafts(ctx)
	if err != nil || len(all) != 1 || all[0] != (api.Draft{Contact: m.Conversation, Text: draft.Text, ReplyTo: m.ID}) {
		t.Errorf("%+v, %v", all, err)
	}

	if err := p.Ada.Delete(ctx, api.DeleteRequest{Messages: []string{m.ID}}); err != nil {
		t.Fatal(err)
	}
	if all, _ = p.Ada.Drafts(ctx); len(all) != 1 || all[0].ReplyTo != "" {
		t.Errorf("answers what is gone: %+v", all)
	}
	if err := p.Ada.SaveDraft(ctx, api.Draft{Contact: m.Conversation}); err != nil {
		t.Fatal(err)
	}
	if all, err = p.Ada.Drafts(ctx); err != nil || all == nil || len(all) != 0 {
		t.Errorf("%+v, %v", all, err)
	}
}

func settingsTypingRead(t *testing.T, p *Pair) {
	p.befriend(t)
	ctx := t.Context()
	if set, err := p.Ada.Settings(ctx); err != nil || set != (api.Settings{Notify: api.NotifyHidden, Name: safetext.Line("Ada"), Theme: "auto"}) {
		t.Errorf("%+v, %v", set, err)
	}
	yes, none, lock := true, api.NotifyNone, 300
	for _, n := range []api.Node{p.Ada, p.Bob} {
		set, err := n.ChangeSettings(ctx, api.SettingsChange{Typing: &yes, ReadReceipts: &yes, LockAfter: &lock})
		set.Name = safetext.Text{}
		if err != nil || set != (api.Settings{Typing: true, ReadReceipts: true, Notify: api.NotifyHidden, LockAfter: 300, Theme: "auto"}) {
			t.Fatalf("%+v, %v", set, err)
		}
	}
	if set, err := p.Ada.ChangeSettings(ctx, api.SettingsChange{Notify: &none}); err != nil || set.Notify != none || !set.Typing {
		t.Errorf("%+v, %v", set, err)
	}

	told := make(chan api.Event, 1000)
	go p.Bob.Events(ctx, 0, func(e api.Event) error { told <- e; return nil })
	eventually(t, "a stored event", func() bool { return len(told) > 0 }) // it is watched by now
	if err := p.Ada.Typing(ctx, "Bob"); err != nil {
		t.Fatal(err)
	}
	for e := range told {
		if e.Kind == api.EventTyping {
			if contacts, _ := p.Bob.Contacts(ctx); e.Conversation != contacts[0].ID || e.Seq != 0 {
				t.Errorf("%+v", e)
			}
			break
		}
	}

	m, _ := p.exchange(t, api.SendRequest{Text: "read this"})
	if err := p.Bob.MarkRead(ctx, "Ada"); err != nil {
		t.Fatal(err)
	}
	eventually(t, "that it was read", func() bool { m, _ := p.Ada.Message(ctx, m.ID); return !m.Read.IsZero() })
}

func conversationKept(t *testing.T, p *Pair) {
	p.befriend(t)
	ctx := t.Context()
	yes, no, until, level := true, false, api.Forever, api.NotifyText
	c, err := p.Ada.ChangeConversation(ctx, api.ConversationRequest{Contact: "Bob", Pinned: &yes, Archived: &yes, MutedUntil: &until, Notify: &level})
	if err != nil || !c.Pinned || !c.Archived || !c.MutedUntil.Equal(until) || c.Notify != level {
		t.Fatalf("%+v, %v", c, err)
	}
	until, level = time.Time{}, ""
	if c, err = p.Ada.ChangeConversation(ctx, api.ConversationRequest{Contact: c.ID, Pinned: &no, MutedUntil: &until, Notify: &level}); err != nil ||
		c.Pinned || !c.Archived || !c.MutedUntil.IsZero() || c.Notify != "" {
		t.Fatalf("%+v, %v", c, err)
	}
	if all, _ := p.Ada.Contacts(ctx); !all[0].Archived {
		t.Errorf("%+v", all)
	}
}

func timerAgreed(t *testing.T, p *Pair) {
	p.befriend(t)
	ctx := t.Context()
	seconds := 5
	for _, who := range []struct {
		n  api.Node
		to string
	}{{p.Ada, "Bob"}, {p.Bob, "Ada"}} {
		if _, err := who.n.ChangeConversation(ctx, api.ConversationRequest{Contact: who.to, Timer: &seconds}); err != nil {
			t.Fatal(err)
		}
	}

	eventually(t, "that both want it", func() bool {
		a, _ := p.Ada.Contacts(ctx)
		b, _ := p.Bob.Contacts(ctx)
		return a[0].Timer == 5 && b[0].Timer == 5
	})
	if c, _ := p.Ada.Contacts(ctx); c[0].TimerMine != 5 || c[0].TimerTheirs != 5 || c[0].Last == nil || c[0].Last.State != api.StateNotice {
		t.Errorf("%+v", c)
	}

	sent, got := p.exchange(t, api.SendRequest{Text: "soon gone"})
	if sent.Timer != 5 || got.Timer != 5 || !got.Expires.IsZero() {
		t.Errorf("%+v, %+v", sent, got)
	}
	if err := p.Bob.MarkRead(ctx, "Ada"); err != nil {
		t.Fatal(err)
	}
	if m, err := p.Bob.Message(ctx, sent.ID); err != nil || m.Expires.IsZero() {
		t.Errorf("%+v, %v", m, err)
	}
	for _, n := range []api.Node{p.Ada, p.Bob} {
		eventually(t, "the end", func() bool { _, err := n.Message(ctx, sent.ID); return api.CodeOf(err) == api.CodeNoMessage })
	}
}

func unlockBackupWipe(t *testing.T, p *Pair) {
	ctx := t.Context()
	if err := p.Ada.Unlock(ctx, p.Passphrase); err != nil {
		t.Error(err)
	}
	path := filepath.Join(t.TempDir(), "backup.age")
	if err := p.Ada.Backup(ctx, api.BackupRequest{Path: path, Passphrase: "b"}); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "over the first", p.Ada.Backup(ctx, api.BackupRequest{Path: path, Passphrase: "b"}), api.CodeUsage)
	if b, err := p.ReadFile(path); err != nil || !bytes.HasPrefix(b, []byte("age-encryption.org/v1\n-> scrypt ")) {
		t.Errorf("%.100q, %v", b, err)
	}
	ended := make(chan error)
	go func() { ended <- p.Ada.Events(context.Background(), 0, func(api.Event) error { return nil }) }()
	if err := p.Ada.Wipe(ctx); err != nil {
		t.Errorf("wipe: %v", err)
	}
	if err := <-ended; api.CodeOf(err) != api.CodeClosed {
		t.Errorf("events end with %v", err)
	}
	wantCode(t, "afterwards", p.Ada.Wipe(ctx), api.CodeClosed)
}

func eventsOfChanges(t *testing.T, p *Pair) {
	p.befriend(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	m, _ := p.exchange(t, api.SendRequest{Text: "an old text"})
	if _, err := p.Ada.Edit(ctx, api.EditRequest{Message: m.ID, Text: "a new text"}); err != nil {
		t.Fatal(err)
	}
	p.bobSees(t, m.ID, "the edit", func(m api.Message) bool { return m.Text.String() == "a new text" })

	stop := errors.New("stop")
	read := func() (kinds []api.EventKind) {
		err := p.Bob.Events(ctx, 0, func(e api.Event) error {
			if e.ID != m.ID {
				return nil
			}
			kinds = append(kinds, e.Kind)
			if e.Kind == api.EventRemoved {
				return stop
			}
			if e.Message == nil || e.Message.Text.String() == "an old text" || *e.Text != e.Message.Text || e.Conversation != e.Message.Conversation {
				t.Errorf("%+v", e)
			}
			if e.Kind == api.EventChanged {
				return stop
			}
			return nil
		})
		if err != stop {
			t.Error(err)
		}
		return kinds
	}

	if got := read(); len(got) != 2 || got[0] != api.EventMessage || got[1] != api.EventChanged {
		t.Errorf("told %v", got)
	}
	if err := p.Bob.Delete(ctx, api.DeleteRequest{Messages: []string{m.ID}}); err != nil {
		t.Fatal(err)
	}
	if got := read(); len(got) != 1 || got[0] != api.EventRemoved {
		t.Errorf("told %v", got)
	}
}
