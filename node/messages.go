package node

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"starling/node/api"
	"starling/node/api/filename"
	"starling/node/api/picture"
	"starling/node/api/query"
	"starling/node/api/safetext"
	"starling/node/chat"
	"starling/node/outbox"
	"starling/node/store"
)

// Limits of History and Search.
const (
	defaultHistory = 100
	defaultSearch  = 50
	maxHistory     = 1000
)

// told is the time as contacts are told it: by the clock of the relays, and in whole
// seconds. Two contacts could else recognise a person by how wrong a computer's clock
// is.
func (n *Node) told() time.Time {
	now, _ := n.now()
	return now.Truncate(time.Second)
}

// now is the time of day by the clock of the relays, and whether they have told it.
// After a day without a word of theirs this computer is believed: nothing waits for ever.
func (n *Node) now() (now time.Time, told bool) {
	s := n.net.Status()
	if s.ClockKnown {
		return time.Now().Add(-s.ClockAhead), true
	}
	return time.Now(), time.Since(n.started) >= believeOwnClock
}

// believeOwnClock is how long relays have to tell the time.
const believeOwnClock = 24 * time.Hour

// Send puts a message in the outbox and returns once it is on disk.
func (n *Node) Send(ctx context.Context, req api.SendRequest) (out api.Message, err error) {
	id := store.NewID()
	if req.ID != "" {
		if id, err = store.ParseID(req.ID); err != nil || id.IsZero() || id == store.Self {
			return out, &api.Error{Code: api.CodeUsage, Message: "a message ID has 32 hex digits", Hint: "leave it out to have one made"}
		}
	}

	// The time that the recipient sees is the relays': the own clock may be wrong, and would tell people apart.
	now := time.Now()
	m := store.Message{ID: id, Content: id.Content(), Outgoing: true, Text: req.Text, Time: n.told(), State: api.StateQueued, Data: req.Picture}
	m.Text = safetext.Normal(m.Text)
	if req.File != nil {
		m.File, m.Data = filename.Clean(req.File.Name), append([]byte{}, req.File.Data...)
	}

	switch {
	case req.File != nil && (req.Picture != nil || req.Forward != ""):
		err = &api.Error{Code: api.CodeUsage, Message: "a message has one picture or one file", Hint: "send two messages"}
	case req.Forward == "":
		err = checkMessage(&m)
	case req.Text != "" || req.Picture != nil:
		err = &api.Error{Code: api.CodeUsage, Message: "what is forwarded has its own text and picture"}
	}

	if err != nil {
		return out, err
	}

	var queued []outbox.Queued
	err = n.update(ctx, func(tx *store.Tx) error {
		queued = nil
		m := m // the transaction may run twice
		c, err := find(tx, req.Contact)
		if err != nil {
			return err
		}

		if c.Blocked {
			return blockedError
		}
		m.Contact, m.Timer, m.Previous = c.ID, c.Timer, c.LastSent
		// In a room the ID of the content binds its author: two members may choose the same one.
		if c.State == api.ContactRoom {
			room, err := mayWrite(tx, c.ID)
			if err != nil {
				return err
			}
			m.Member, m.Content = room.Me, store.RoomContent(room.Me, id)
		}
		if c.ID == store.Self {
			m.State = api.StateStored
		}
		if req.Forward != "" {
			if err := forward(tx, &m, req.Forward); err != nil {
				return err
			}
		}

		// A reply across conversations would show one contact that another one exists.
		if req.ReplyTo != "" {
			to, err := findMessage(tx, req.ReplyTo)
			if err == nil && (to.Contact != c.ID || to.State == api.StateNotice) {
				err = noMessage
			}
			if err != nil {
				return err
			}
			m.Ref = to.Content
		}

		// The caller chose the id so that a repeated call sends once. A contact may have used the same
		// one before, and must not be able to stop ours.
		if err := tx.Claim(id, now); err != nil {
			return err
		}
		there, err := tx.Message(id)
		if errors.Is(err, store.ErrNotFound) {
			there, err = tx.MessageOf(c.ID, m.Content)
		}
		switch {
		// A repeated call after a lost answer: the same message, not another one.
		case err == nil && sameRequest(there, m):
			out, err = n.message(tx, there)
			return err
		case err == nil:
			return &api.Error{Code: api.CodeUsage, Message: "the message ID is taken", Hint: "leave it out to have one made"}
		case !errors.Is(err, store.ErrNotFound):
			return err
		}

		// The row is there before its item: the outbox reads the text from it.
		if m.Seq, err = tx.AddMessage(m, now); err != nil {
			return err
		}
		if c.ID == store.Self {
			out, err = n.keep(tx, m, now)
			return err
		}
		if c.State == api.ContactRoom {
			if err := sayRoom(tx, c.ID, id, outbox.Message(m), now); err != nil {
				return err
			}
			out, err = n.message(tx, m)
			return err
		}
		q, err := outbox.Queue(tx, c.ID, id, outbox.Message(m), now)
		if err != nil {
			return err
		}

		queued = append(queued, q)
		if out, err = n.message(tx, m); err != nil {
			return err
		}

		// Without a session it waits, and gives the reason.
		if !q.Sealed() {
			return q.Wait(tx, m, now)
		}
		return tx.SetState(m, api.StateSealed, "", now)
	})

	if err != nil {
		return api.Message{}, err
	}

	n.sendOff(queued...)
	return out, nil
}

// blockedError refuses to write to a blocked contact, who would learn that somebody is
// there.
var blockedError = &api.Error{Code: api.CodeUsage, Message: "this contact is blocked: nothing is sent to them",
	Hint: "unblock them first: starling contact unblock CONTACT"}

// keep keeps a message of the note to self. Its time, if it has one, counts from now.
func (n *Node) keep(tx *store.Tx, m store.Message, now time.Time) (api.Message, error) {
	if err := tx.CountDown(m, now); err != nil {
		return api.Message{}, err
	}
	m, err := tx.Message(m.ID)
	if err != nil {
		return api.Message{}, err
	}
	return n.message(tx, m)
}

// checkMessage refuses a message that cannot be sent. Of a picture its pixels are left, of
// a file all.
func checkMessage(m *store.Message) (err error) {
	if m.Data == nil {
		return textError(chat.CheckText(m.Text))
	}
	if err := chat.CheckCaption(m.Text); err != nil {
		return captionError(err)
	}

	if m.File != "" {
		m.Size = len(m.Data)
		if m.Size > api.MaxFile {
			return &api.Error{Code: api.CodeTooLong, Message: "the file is larger than 48 KiB (49,152 bytes)", Hint: "pack it, or send it by other means"}
		}
		return nil
	}
	if m.Data, err = picture.Clean(m.Data); err != nil {
		return pictureError(err)
	}
	m.Picture, m.Size = picture.Type(m.Data), len(m.Data)
	return nil
}

// forward gives a message the text of another one, and its picture or file.
func forward(tx *store.Tx, m *store.Message, id string) error {
	from, err := findMessage(tx, id)
	if err != nil {
		return err
	}
	if from.Deleted || from.State == api.StateNotice {
		return &api.Error{Code: api.CodeUsage, Message: "there is nothing to forward: the message was taken back, or nobody sent it"}
	}
	m.Text, m.File, m.Forwarded = from.Text, from.File, true
	if from.Picture != "" || from.File != "" {
		if m.Data, err = tx.Attachment(from.ID); err != nil {
			return err
		}
	}
	return checkMessage(m)
}

// sameRequest reports whether a stored message came of a request like this one.
func sameRequest(there, m store.Message) bool {
	same := there.Text == m.Text && there.Size == m.Size && there.File == m.File && there.Ref == m.Ref && there.Forwarded == m.Forwarded
	return there.Outgoing && there.Contact == m.Contact && (same || there.Deleted || !there.Edited.IsZero())
}

// message returns a message as it is shown.
func (n *Node) message(tx *store.Tx, m store.Message) (api.Message, error) {
	return n.newViewer(tx).message(m)
}

// A viewer turns messages into their form for a screen, within a transaction.
type viewer struct {
	tx      *store.Tx
	holding bool
	delayed func(*store.Tx, store.ID, store.ContentID) (string, error)
	names   map[store.ID]string // of contacts
	own     map[store.ID]string // ours, to them
	rooms   map[store.ID]*roomViewer
}

func (n *Node) newViewer(tx *store.Tx) *viewer {
	return &viewer{tx: tx, holding: n.outbox.Holding(), delayed: n.rooms.Delayed, names: make(map[store.ID]string), own: make(map[store.ID]string), rooms: make(map[store.ID]*roomViewer)}
}

// knows notes a contact that was read, so that its name is not read again for each message.
func (v *viewer) knows(c store.Contact) {
	if c.State == api.ContactRoom {
		return
	}
	v.rooms[c.ID] = nil
	v.names[c.ID] = c.Name
	if c.Alias != "" {
		v.own[c.ID] = c.Alias
	}
}

// messages returns messages of all kinds of conversations, or a part of one
// without gaps, which is faster.
func (v *viewer) messages(rows []store.Message, page bool) ([]api.Message, error) {
	out := make([]api.Message, 0, len(rows))

	if len(rows) == 0 {
		return out, nil
	}

	// A page has no gaps, so that one query over its range finds the reactions of all of it, in order.
	var reactions []store.Reaction
	for i, m := range rows {
		var err error
		switch {
		case !page:
			reactions, err = v.tx.Reactions(m.Contact, m.Seq, m.Seq)
		case i == 0:
			reactions, err = v.tx.Reactions(m.Contact, m.Seq, rows[len(rows)-1].Seq)
		}
		if err != nil {
			return nil, err
		}

		a, err := v.outline(m)
		if err == nil && m.Picture != "" {
			a.Picture.Data, err = v.tx.Attachment(m.ID)
		}
		if err != nil {
			return nil, err
		}

		for len(reactions) > 0 && reactions[0].Message == m.ID {
			r := api.Reaction{Outgoing: reactions[0].Outgoing, Emoji: safetext.Line(reactions[0].Emoji)}
			if !reactions[0].Member.IsZero() {
				r.Member = reactions[0].Member.String()
			}
			a.Reactions = append(a.Reactions, r)
			reactions = reactions[1:]
		}
		out = append(out, a)
	}

	return out, nil
}

func (v *viewer) message(m store.Message) (api.Message, error) {
	all, err := v.messages([]store.Message{m}, false)
	if err != nil {
		return api.Message{}, err
	}
	return all[0], nil
}

// outline returns a message without its reactions and the data of its picture or file.
func (v *viewer) outline(m store.Message) (out api.Message, err error) {
	out = api.Message{ID: m.ID.String(), Conversation: m.Contact.String(), Outgoing: m.Outgoing,
		Text: safetext.Clean(m.Text), Time: m.Time, State: m.State, Reason: m.Reason, Sequence: m.Seq,
		Forwarded: m.Forwarded, Given: !m.Outgoing && m.Written == store.Given, Edited: m.Edited, Deleted: m.Deleted, Read: m.Read, Timer: m.Timer, Expires: m.Expires}

	if m.Picture != "" {
		out.Picture = &api.Picture{Type: m.Picture, Size: m.Size}
	}
	if m.File != "" {
		out.File = &api.File{Name: safetext.Line(m.File), Size: m.Size}
	}

	if out.Reason == "" && (m.State == api.StateQueued || m.State == api.StateSealed) {
		if out.Reason, err = v.waits(m); err != nil {
			return out, err
		}
	}

	// In a room the author is a member, with a name of their own there.
	if err := v.inRoom(m, &out); err != nil {
		return out, err
	}
	switch {
	case m.Gap.IsZero():
	case m.Lost:
		out.Gap = api.GapLost
	default:
		out.Gap = api.GapMissing
	}

	if out.From, err = v.author(m); err == nil && !m.Ref.IsZero() {
		to, missing := v.tx.MessageOf(m.Contact, m.Ref)
		out.Reply, err = v.quote(to, missing)
	}

	if err == nil && !m.Late.IsZero() {
		to, missing := v.tx.Message(m.Late)
		out.Late, err = v.quote(to, missing)
	}

	return out, err
}

func (v *viewer) author(m store.Message) (safetext.Text, error) {
	if m.State == api.StateNotice {
		return safetext.Line("Starling"), nil
	}

	if room, err := v.room(m.Contact); err != nil || room != nil && !m.Member.IsZero() {
		return room.name(v.tx, m.Member), err
	}

	// Two maps, since we may have another name to each contact.
	names := v.names
	if m.Outgoing {
		names = v.own
	}
	name, ok := names[m.Contact]
	if !ok {
		var err error
		if m.Outgoing {
			name, err = v.tx.NameTo(m.Contact)
		} else {
			var c store.Contact
			c, err = v.tx.Contact(m.Contact)
			name = c.Name
		}
		if err != nil {
			return safetext.Text{}, err
		}
		names[m.Contact] = name
	}

	return safetext.Line(name), nil
}

// quote returns the quote of a message that another one names. The ID of one that is
// not here is zero: a contact's name for it is no ID of ours.
func (v *viewer) quote(to store.Message, err error) (*api.Quote, error) {
	q := &api.Quote{ID: to.ID.String()}
	if errors.Is(err, store.ErrNotFound) {
		return q, nil
	}
	if err != nil {
		return nil, err
	}
	q.Outgoing = to.Outgoing
	q.Text = safetext.Line(cut(safetext.Line(to.Text).String(), api.MaxQuote))
	q.From, err = v.author(to)
	return q, err
}

// cut returns the first bytes of a text, at most size, without half a letter.
func cut(s string, size int) string {
	if len(s) <= size {
		return s
	}
	for !utf8.RuneStart(s[size]) {
		size--
	}
	return s[:size]
}

var noMessage = &api.Error{Code: api.CodeNoMessage, Message: "there is no such message", Hint: "see starling history CONTACT --json"}

// findMessage returns the message with an ID.
func findMessage(tx *store.Tx, s string) (store.Message, error) {
	id, err := store.ParseID(s)
	if err != nil {
		return store.Message{}, noMessage
	}
	m, err := tx.Message(id)
	if errors.Is(err, store.ErrNotFound) {
		return m, noMessage
	}
	return m, err
}

// Message returns one message, with its file.
func (n *Node) Message(ctx context.Context, id string) (out api.Message, err error) {
	err = n.view(ctx, func(tx *store.Tx) error {
		m, err := findMessage(tx, id)
		if err == nil {
			out, err = n.message(tx, m)
		}
		if err == nil && out.File != nil {
			out.File.Data, err = tx.Attachment(m.ID)
		}
		return err
	})
	return out, err
}

// History returns messages of one conversation, oldest first.
func (n *Node) History(ctx context.Context, req api.HistoryRequest) (out []api.Message, err error) {
	err = n.view(ctx, func(tx *store.Tx) error {
		c, err := find(tx, req.Contact)
		if err != nil {
			return err
		}
		var rows []store.Message
		if req.Ahead {
			out, err = ahead(n, tx, c.ID)
			return err
		}
		if req.After > 0 {
			rows, err = tx.HistoryAfter(c.ID, req.After, limit(req.Limit, defaultHistory))
		} else {
			rows, err = tx.History(c.ID, before(req.Before), limit(req.Limit, defaultHistory))
		}
		if err == nil {
			out, err = n.newViewer(tx).messages(rows, true)
		}
		return err
	})
	return out, err
}

// ahead returns the messages of a room that came ahead, causes first.
func ahead(n *Node, tx *store.Tx, room store.ID) ([]api.Message, error) {
	rows, err := n.rooms.Ahead(tx, room)
	out := make([]api.Message, 0, len(rows))
	v := n.newViewer(tx)
	for _, m := range rows {
		var one api.Message
		if err == nil {
			one, err = v.outline(m)
		}
		one.Ahead = true
		out = append(out, one)
	}
	return out, err
}

func before(seq int64) int64 {
	if seq <= 0 {
		return math.MaxInt64
	}
	return seq
}

func limit(n, most int) int {
	if n <= 0 {
		return most
	}
	return min(n, maxHistory)
}

// Search returns messages that hold all words and pass the rest of the request, newest
// first.
func (n *Node) Search(ctx context.Context, req api.SearchRequest) (out []api.Message, err error) {
	narrow := req.From != "" || req.Kind != "" || !req.Since.IsZero() || !req.Until.IsZero()
	switch {
	case strings.TrimSpace(req.Words) == "" && !narrow:
		return nil, &api.Error{Code: api.CodeEmpty, Message: "there is nothing to search for", Hint: "give a word, or its beginning"}
	case len(req.Words) > store.MaxWords:
		return nil, &api.Error{Code: api.CodeTooLong, Message: "these are too many words to search for"}
	case !utf8.ValidString(req.Words):
		return nil, textError(chat.ErrNotUTF8)
	case !slices.Contains([]api.MessageKind{"", api.KindText, api.KindPicture, api.KindFile, api.KindLink}, req.Kind):
		return nil, &api.Error{Code: api.CodeUsage, Message: "there is no such kind of message", Hint: "The kinds are text, picture, file and link."}
	case narrow:
		return n.find(ctx, req)
	}

	// Words alone are found by the index; all other requests look at the rows.
	err = n.view(ctx, func(tx *store.Tx) error {
		f, err := filter(tx, req)
		if err != nil {
			return err
		}
		rows, err := tx.Search(req.Words, f.Contact, before(req.Before), limit(req.Limit, defaultSearch))
		if err == nil {
			out, err = n.newViewer(tx).messages(rows, false)
		}
		return err
	})

	return out, err
}

// find looks through all messages for those that pass a filter, a stretch at a time:
// others read and write meanwhile.
func (n *Node) find(ctx context.Context, req api.SearchRequest) (out []api.Message, err error) {
	most := limit(req.Limit, defaultSearch)
	for next := before(req.Before); next > 0 && len(out) < most && err == nil; {
		err = n.view(ctx, func(tx *store.Tx) error {
			f, err := filter(tx, req)
			if err != nil {
				return err
			}
			var rows []store.Message
			if rows, next, err = tx.Find(f, next, most-len(out)); err != nil {
				return err
			}
			found, err := n.newViewer(tx).messages(rows, false)
			out = append(out, found...)
			return err
		})
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	return out, err
}

// filter puts a request into the terms of the store.
func filter(tx *store.Tx, req api.SearchRequest) (store.Filter, error) {
	f := store.Filter{Words: req.Words, Since: req.Since, Until: req.Until, Kind: req.Kind}
	if req.Contact != "" {
		c, err := find(tx, req.Contact)
		if err != nil {
			return f, err
		}
		f.Contact = c.ID
	}

	// FROM names a member in a room and a contact elsewhere, and the two may have the same name.
	room := false
	if !f.Contact.IsZero() {
		_, err := tx.Room(f.Contact)
		if room = err == nil; err != nil && !errors.Is(err, store.ErrNotFound) {
			return f, err
		}
	}

	switch {
	case req.From == "":
	case req.From == query.Me:
		f.Side = store.Ours
	case room:
		m, err := findMember(tx, f.Contact, req.From)
		if err != nil {
			return f, err
		}
		f.Member = m.ID
	default:
		c, err := find(tx, req.From)
		if err != nil {
			return f, err
		}
		f.Side = store.Theirs
		if !f.Contact.IsZero() && f.Contact != c.ID {
			f.Until, f.Since = time.Unix(0, 0), time.Unix(1, 0) // nobody writes in the conversation of others
		}
		f.Contact = c.ID
	}
	return f, nil
}

// Retry gives a failed message its whole lifetime again.
func (n *Node) Retry(ctx context.Context, id string) (out api.Message, err error) {
	now := time.Now()
	var again []outbox.Queued
	err = n.update(ctx, func(tx *store.Tx) error {
		m, err := findMessage(tx, id)
		if err != nil {
			return err
		}

		// One that is still on its way would be sent twice.
		if m.State != api.StateFailed || m.Deleted {
			return &api.Error{Code: api.CodeUsage, Message: "only a failed message can be tried again"}
		}

		// A message to a room has no item in the outbox.
		if !m.Member.IsZero() {
			out, err = n.retryInRoom(tx, m, now)
			return err
		}
		q, state, err := outbox.Restart(tx, m.ID, now)
		if err != nil {
			return err
		}
		again = []outbox.Queued{q}
		if err := tx.SetState(m, state, "", now); err != nil {
			return err
		}

		m.State, m.Reason = state, ""
		out, err = n.message(tx, m)
		return err
	})

	if err != nil {
		return api.Message{}, err
	}

	n.sendOff(again...)
	return out, nil
}

// Discard erases a failed message.
func (n *Node) Discard(ctx context.Context, id string) error {
	var gone store.ID
	err := n.update(ctx, func(tx *store.Tx) error {
		m, err := findMessage(tx, id)
		if err != nil {
			return err
		}

		// Any other may have arrived: erasing it here would say that it has not.
		if m.State != api.StateFailed {
			return &api.Error{Code: api.CodeUsage, Message: "only a failed message can be discarded"}
		}
		gone = m.ID
		if err := tx.RemoveItem(m.ID); err != nil && !errors.Is(err, store.ErrNotFound) {
			return err
		}
		return tx.Erase(m, time.Now())
	})
	if err != nil {
		return err
	}
	n.outbox.Remove(gone)
	return nil
}
