package node

import (
	"context"
	"errors"
	"time"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/node/chat"
	"starling/node/inbox"
	"starling/node/outbox"
	"starling/node/store"
)

const (
	// typingPause is the least time between two typings to one contact.
	typingPause = 5 * time.Second
	// maxReceived is how many of the newest messages MarkRead tells a contact of.
	maxReceived = 1 << 10
	// expireBatch is how many messages disappear in one transaction.
	expireBatch = 256
)

// Whose messages can be changed, and taken back.
var (
	onlyOwnChanged   = &api.Error{Code: api.CodeUsage, Message: "only messages of your own can be changed"}
	onlyOwnTakenBack = &api.Error{Code: api.CodeUsage, Message: "only messages of your own can be taken back",
		Hint: "starling delete ID erases it on this device alone"}
)

// own refuses what is for our own messages alone, by an error that says so.
func own(m store.Message, others *api.Error) error {
	switch {
	case !m.Outgoing || m.State == api.StateNotice:
		return others
	case m.Deleted:
		return noMessage
	}
	return nil
}

// Edit replaces the text of an own message, here and at the contact.
func (n *Node) Edit(ctx context.Context, req api.EditRequest) (out api.Message, err error) {
	req.Text = safetext.Normal(req.Text)
	if err := textError(chat.CheckText(req.Text)); err != nil {
		return out, err
	}

	// Two clocks: ours for our own order, the relays' for the contact.
	now, told := time.Now(), n.told()
	return changed(ctx, n, func(tx *store.Tx) (m store.Message, queued []outbox.Queued, err error) {
		m, err = findMessage(tx, req.Message)
		if err == nil {
			err = own(m, onlyOwnChanged)
		}

		switch {
		case err != nil:
			return m, nil, err
		case (m.Picture != "" || m.File != "") && len(req.Text) > api.MaxCaption:
			return m, nil, captionError(chat.ErrTooLong)
		case m.Forwarded:
			return m, nil, &api.Error{Code: api.CodeUsage, Message: "what is forwarded stays as it is"}
		case m.State == api.StateFailed:
			return m, nil, &api.Error{Code: api.CodeUsage, Message: "this message was not delivered", Hint: "discard it and send another"}

		// The same text is no edit: the contact is not told that it was looked at.
		case m.Text != req.Text:
			if err := tx.SetText(m, req.Text, told, m.Place, now); err != nil {
				return m, nil, err
			}
			if queued, err = tell(tx, m.Contact, &chat.Content{Kind: chat.Edit, Ref: chat.ID(m.Content), Text: req.Text, Time: told}, now); err != nil {
				return m, nil, err
			}
			m.Text, m.Edited = req.Text, told
		}

		return m, queued, nil
	})
}

// changed changes a message in one transaction, sends off the contents that tell of it, and
// returns it as it is then.
func changed(ctx context.Context, n *Node, work func(tx *store.Tx) (store.Message, []outbox.Queued, error)) (out api.Message, err error) {
	var queued []outbox.Queued
	// Sent off after the commit: a crash would forget contents that have left already.
	err = n.update(ctx, func(tx *store.Tx) error {
		var m store.Message
		if m, queued, err = work(tx); err != nil {
			return err
		}
		out, err = n.message(tx, m)
		return err
	})
	if err != nil {
		return api.Message{}, err
	}

	n.sendOff(queued...)
	return out, nil
}

// tell puts a content for a contact in the outbox, within a transaction. Nobody is told of
// the note to self.
func tell(tx *store.Tx, contact store.ID, c *chat.Content, now time.Time) ([]outbox.Queued, error) {
	if contact == store.Self {
		return nil, nil
	}
	if _, err := tx.Room(contact); err == nil {
		if _, err := mayWrite(tx, contact); err != nil {
			return nil, err
		}
		return nil, sayRoom(tx, contact, store.NewID(), c, now)
	} else if !errors.Is(err, store.ErrNotFound) {
		return nil, err
	}
	q, err := outbox.Queue(tx, contact, store.NewID(), c, now)
	return []outbox.Queued{q}, err
}

// Delete erases messages here, and takes own ones back if asked.
func (n *Node) Delete(ctx context.Context, req api.DeleteRequest) error {
	if len(req.Messages) == 0 || len(req.Messages) > chat.MaxIDs {
		return &api.Error{Code: api.CodeUsage, Message: "name from 1 to 64 messages to delete"}
	}

	now := time.Now()
	var queued []outbox.Queued
	var gone []store.ID
	err := n.update(ctx, func(tx *store.Tx) error {
		// The transaction may run twice.
		queued, gone = nil, nil

		// All are checked before the first is erased: the answer is for all or for none.
		var all []store.Message
		named := make(map[store.ID]bool)
		for _, id := range req.Messages {
			m, err := findMessage(tx, id)
			if err == nil && req.Both {
				err = own(m, onlyOwnTakenBack)
			}
			if err != nil {
				return err
			}
			if !named[m.ID] {
				named[m.ID], all = true, append(all, m)
			}

			// One content tells of all of them, and it goes to one contact.
			if m.Contact != all[0].Contact {
				return &api.Error{Code: api.CodeUsage, Message: "these messages are of more than one conversation"}
			}
		}

		taken := &chat.Content{Kind: chat.Delete}
		for _, m := range all {
			if !req.Both || m.Contact == store.Self {
				if err := tx.Erase(m, now); err != nil {
					return err
				}
			} else {
				if err := tx.TakeBack(m, now); err != nil {
					return err
				}
				taken.IDs = append(taken.IDs, chat.ID(m.Content))
			}

			// It was kept in the outbox for a retry, and nobody can ask for one any more.
			if m.State == api.StateFailed {
				if err := tx.RemoveItem(m.ID); err != nil && !errors.Is(err, store.ErrNotFound) {
					return err
				}
				gone = append(gone, m.ID)
			}
		}

		if !req.Both {
			return nil
		}
		var err error
		queued, err = tell(tx, all[0].Contact, taken, now)
		return err
	})

	if err != nil {
		return err
	}

	n.outbox.Remove(gone...)
	n.sendOff(queued...)
	// Erased rows are gone from disk when we say so.
	return apiError(n.store.Checkpoint())
}

// React sets our one reaction to a message, or takes it back.
func (n *Node) React(ctx context.Context, req api.ReactRequest) (out api.Message, err error) {
	emoji := safetext.Emoji(req.Emoji)
	if req.Emoji != "" && emoji == "" {
		return out, &api.Error{Code: api.CodeUsage, Message: "a reaction is one emoji", Hint: "for example 👍"}
	}

	now, told := time.Now(), n.told()
	return changed(ctx, n, func(tx *store.Tx) (m store.Message, queued []outbox.Queued, err error) {
		m, err = findMessage(tx, req.Message)
		if err == nil && m.Deleted {
			err = noMessage
		}
		if err == nil && m.State == api.StateNotice {
			err = &api.Error{Code: api.CodeUsage, Message: "nobody sent this: there is nobody to react to"}
		}
		if err != nil {
			return m, nil, err
		}

		// In a room each member has a reaction of their own, and the place says which of two is later.
		me, place, err := ourselves(tx, m.Contact, told)
		if err != nil {
			return m, nil, err
		}
		old, err := tx.Reaction(m.ID, true, me)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return m, nil, err
		}

		// Nothing is sent for a reaction that stands already.
		if old.Emoji != emoji {
			if err := tx.SetReaction(m, store.Reaction{Message: m.ID, Outgoing: true, Member: me, Emoji: emoji, Place: place}, now); err != nil {
				return m, nil, err
			}
			c := &chat.Content{Kind: chat.Reaction, Ref: chat.ID(m.Content), Emoji: emoji}
			if !me.IsZero() {
				c.Time = time.UnixMilli(place) // says which of two is later
			}
			if queued, err = tell(tx, m.Contact, c, now); err != nil {
				return m, nil, err
			}
		}

		return m, queued, nil
	})
}

// Typing tells a contact that we are writing, if that is wanted, it can be sent
// at once, and it was not told just now.
func (n *Node) Typing(ctx context.Context, who string) error {
	now := time.Now()
	// It goes at once or not at all: later it would be a lie.
	ready := n.net.Status().Ready && !n.outbox.Holding()

	var c store.Contact
	err := n.view(ctx, func(tx *store.Tx) (err error) {
		if c, err = find(tx, who); err != nil {
			return err
		}
		set, err := tx.Settings()
		ready = ready && set.Typing && c.State == api.ContactReady && !c.Blocked
		return err
	})

	// The pause is asked about last, since asking begins it.
	if err != nil || !ready || !n.mayType(c.ID, now) {
		return err
	}

	var queued outbox.Queued
	typing := &chat.Content{Kind: chat.Typing, Time: n.told()}
	err = n.update(ctx, func(tx *store.Tx) (err error) {
		queued, err = outbox.Queue(tx, c.ID, store.NewID(), typing, now)
		return err
	})

	if err != nil {
		return err
	}
	n.outbox.Add(queued)
	return nil
}

func (n *Node) mayType(contact store.ID, now time.Time) bool {
	n.typingMu.Lock()
	defer n.typingMu.Unlock()
	if now.Sub(n.typing[contact]) < typingPause {
		return false
	}
	n.typing[contact] = now
	return true
}

func (n *Node) onTyping(contact store.ID) {
	n.live.tell(api.Event{Kind: api.EventTyping, Conversation: contact.String()})
}

// MarkRead sets the unread line of a conversation behind its last message,
// tells the contact if that is wanted, and begins to count down.
func (n *Node) MarkRead(ctx context.Context, who string) error {
	now, told := time.Now(), n.told()
	var queued []outbox.Queued
	err := n.update(ctx, func(tx *store.Tx) error {
		queued = nil
		c, err := find(tx, who)
		if err != nil {
			return err
		}

		// Nothing is new: no event, and above all no second countdown.
		last, err := tx.LastMessage(c.ID)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		if err != nil || last.Seq <= c.ReadSeq {
			return err
		}

		// Messages disappear some time after they were read, which is now.
		timed, err := tx.Timed(c.ID, c.ReadSeq)
		for _, m := range timed {
			if err == nil {
				err = tx.CountDown(m, now)
			}
		}
		if err != nil {
			return err
		}

		// Before ReadSeq moves: it says which messages are told of.
		set, err := tx.Settings()
		if err == nil && set.ReadReceipts && !c.Blocked && c.State != api.ContactRoom {
			queued, err = tellRead(tx, c, told, now)
		}
		if err != nil {
			return err
		}

		c.ReadSeq = last.Seq
		if err := tx.SetContact(c); err != nil {
			return err
		}
		_, err = tx.Append(store.Event{Kind: api.EventContact, Contact: c.ID, Time: now})
		return err
	})

	if err != nil {
		return err
	}
	n.sendOff(queued...)
	return nil
}

// tellRead tells a contact of the messages read since the last time.
func tellRead(tx *store.Tx, c store.Contact, told, now time.Time) (queued []outbox.Queued, err error) {
	fresh, err := tx.Received(c.ID, c.ReadSeq, maxReceived)
	if err != nil {
		return nil, err
	}

	// A content names 64 messages at most.
	for len(fresh) > 0 {
		read := &chat.Content{Kind: chat.Read, Time: told}
		for _, m := range fresh[:min(len(fresh), chat.MaxIDs)] {
			read.IDs = append(read.IDs, chat.ID(m.Content))
		}
		fresh = fresh[len(read.IDs):]
		q, err := outbox.Queue(tx, c.ID, store.NewID(), read, now)
		if err != nil {
			return nil, err
		}
		queued = append(queued, q)
	}
	return queued, nil
}

// expire erases messages at the end of their time.
func (n *Node) expire(ctx context.Context) error {
	for {
		// Taken before the look: a message that begins to count down meanwhile would be slept through.
		changed := n.store.Changed()
		now := time.Now()
		var next time.Time
		var long bool
		err := n.store.View(ctx, func(tx *store.Tx) (err error) {
			if next, err = tx.NextExpiry(); err == nil {
				long, err = tx.CountsTooLong(now)
			}
			return err
		})

		// Messages that are due go, and the next is looked for at once.
		// A clock that was set back would keep messages for longer than their timer.
		if err == nil && long {
			if err = n.store.Update(ctx, func(tx *store.Tx) error { return tx.Recount(now) }); err == nil {
				continue
			}
		}
		if err == nil && !next.IsZero() && !next.After(time.Now()) {
			if err = n.eraseExpired(ctx); err == nil {
				continue
			}
		}
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			n.log.Warn("messages cannot disappear", "err", err)
			// Without the pause a full disk would be tried without end.
			next, changed = time.Now().Add(housekeeping), nil
		}

		var due <-chan time.Time
		if !next.IsZero() {
			due = time.After(min(time.Until(next), clockLook))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		case <-due:
		}
	}
}

// clockLook is how often the clock is looked at while a message counts down: it may be set, and stands still for the
// program while the computer sleeps.
const clockLook = time.Minute

func (n *Node) eraseExpired(ctx context.Context) error {
	now := time.Now()
	err := n.store.Update(ctx, func(tx *store.Tx) error {
		over, err := tx.Expired(now, expireBatch)
		for _, m := range over {
			if err == nil {
				err = tx.Erase(m, now)
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	return n.store.Checkpoint()
}

// ChangeConversation changes how a conversation is kept. A timer is an offer
// to the contact; the rest stays here.
func (n *Node) ChangeConversation(ctx context.Context, req api.ConversationRequest) (api.Contact, error) {
	if t := req.Timer; t != nil && *t != 0 && (*t < chat.MinTimer || *t > api.MaxTimer) {
		return api.Contact{}, badTimer
	}

	if req.Notify != nil && *req.Notify != "" && !validNotify(*req.Notify) {
		return api.Contact{}, badNotify
	}

	var queued []outbox.Queued
	c, _, err := n.changeContact(ctx, req.Contact, func(tx *store.Tx, c *store.Contact) (err error) {
		replace(&c.Pinned, req.Pinned)
		replace(&c.Archived, req.Archived)
		replace(&c.Muted, req.MutedUntil)
		replace(&c.Notify, req.Notify)
		if req.Timer != nil && c.State == api.ContactRoom {
			return &api.Error{Code: api.CodeUsage, Message: "when messages of a room disappear is a setting of the room", Hint: "starling room settings ROOM --timer TIME"}
		}

		// The transaction may run twice.
		if queued = nil; req.Timer != nil && *req.Timer != c.TimerMine {
			queued, err = offerTimer(tx, c, *req.Timer)
		}
		return err
	})

	if err != nil {
		return api.Contact{}, err
	}
	n.sendOff(queued...)
	return c, nil
}

var badTimer = &api.Error{Code: api.CodeUsage, Message: "messages disappear after 5 seconds at least and 4 weeks at most", Hint: "0 lets them stay"}

// replace sets a field that a request sets.
func replace[T any](old, set *T) {
	if set != nil {
		*old = *set
	}
}

func offerTimer(tx *store.Tx, c *store.Contact, seconds int) ([]outbox.Queued, error) {
	now := time.Now()
	c.TimerMine = seconds
	if c.ID == store.Self {
		c.Timer, c.TimerTheirs = seconds, seconds // nobody has to agree
		return nil, nil
	}
	text := "You offered that new messages " + inbox.TimerText(seconds) + "."
	if c.TimerTheirs == seconds {
		c.Timer = seconds
		text = "From now on new messages " + inbox.TimerText(seconds) + ", as you both want."
	}
	// Outgoing: it is not news to the owner.
	err := tx.AddNotice(store.Message{ID: store.NewID(), Contact: c.ID, Outgoing: true, Text: text, Time: now}, now)
	if err != nil {
		return nil, err
	}
	return tell(tx, c.ID, &chat.Content{Kind: chat.Timer, Timer: seconds, Previous: chat.ID(c.LastSent)}, now)
}

var badNotify = &api.Error{Code: api.CodeUsage, Message: "a notification says none, hidden, name or text"}

func validNotify(l api.NotifyLevel) bool {
	switch l {
	case api.NotifyNone, api.NotifyHidden, api.NotifyName, api.NotifyText:
		return true
	}
	return false
}

// Drafts returns all unsent texts.
func (n *Node) Drafts(ctx context.Context) (out []api.Draft, err error) {
	err = n.view(ctx, func(tx *store.Tx) error {
		all, err := tx.Drafts()
		out = make([]api.Draft, 0, len(all))
		for _, d := range all {
			a := api.Draft{Contact: d.Contact.String(), Text: d.Text}
			if !d.Ref.IsZero() {
				a.ReplyTo = d.Ref.String()
			}
			out = append(out, a)
		}
		return err
	})
	return out, err
}

// SaveDraft replaces the unsent text of a conversation.
func (n *Node) SaveDraft(ctx context.Context, draft api.Draft) (err error) {
	d := store.Draft{Text: draft.Text}
	if err := chat.CheckText(draft.Text); err != nil && !errors.Is(err, chat.ErrEmpty) {
		return textError(err)
	}

	if draft.ReplyTo != "" {
		if d.Ref, err = store.ParseID(draft.ReplyTo); err != nil {
			return noMessage
		}
	}

	if n.ctx.Err() != nil {
		return closedError
	}

	// It comes with every key, and is not worth waiting for the disk.
	err = apiError(n.store.Note(ctx, func(tx *store.Tx) error {
		c, err := find(tx, draft.Contact)
		if err != nil {
			return err
		}
		d.Contact = c.ID
		return tx.SetDraft(d)
	}))

	// Other screens of this profile show the draft, too.
	if err == nil {
		n.live.tell(api.Event{Kind: api.EventDraft, Conversation: d.Contact.String()})
	}
	return err
}
