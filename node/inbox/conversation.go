package inbox

import (
	"errors"
	"fmt"
	"time"

	"starling/node/api"
	"starling/node/api/filename"
	"starling/node/api/picture"
	"starling/node/chat"
	"starling/node/inbox/order"
	"starling/node/store"
)

// freshTyping is how old a typing may be, by its time, to be told of.
const freshTyping = 15 * time.Second

// place returns the place of a cell among all cells of a peer. Each new session begins
// another chain.
func (p *peer) place(seq int64) int64 { return p.Chain<<40 | seq }

// past returns a peer's time, and now instead of none or of a later one.
func (b *batch) past(t time.Time) time.Time {
	now := b.relays()
	if t.IsZero() || t.After(now) {
		return now
	}
	return t
}

// relays is the time of day as the relays say it, which contacts go by.
func (b *batch) relays() time.Time {
	now, _ := b.in.cfg.Now()
	return now
}

// message shows a text, a picture or a file. Edits and reactions of the peer that came before
// it are applied at once.
func (b *batch) message(p *peer, id store.ContentID, place int64, c *chat.Content) error {
	_, err := b.tx.MessageOf(p.ID, id)
	if err == nil {
		return nil // shown before, or made up to look like another message of theirs or ours
	}
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}

	// A copy of an erased message must not bring it back.
	if erased, err := b.tx.HasSeen(p.ID, id); err != nil || erased {
		return err
	}

	// They came before it, by another way through the mix.
	changes, err := b.tx.TakeChanges(p.ID, id)
	if err != nil {
		return err
	}

	m := store.Message{Content: id, Contact: p.ID, Text: c.Text, Time: b.past(c.Time), State: api.StateReceived,
		Ref: store.ContentID(c.Ref), Forwarded: c.Forwarded, Timer: c.Timer, Previous: store.ContentID(c.Previous), Written: place}
	if m.Late, err = b.tx.Later(p.ID, id, place); err != nil {
		return err
	}

	// Previous is their word: it marks a gap and asks for nothing else.
	if there, err := b.there(p, m.Previous); err != nil {
		return err
	} else if !there {
		m.Gap = b.now
	}

	switch c.Kind {
	case chat.Picture:
		m.Picture, m.Size, m.Data = picture.Type(c.Picture), len(c.Picture), c.Picture
	case chat.File:
		m.File, m.Size, m.Data = filename.Clean(c.FileName), len(c.File), c.File
	}

	for _, change := range changes {
		if chat.Kind(change.Kind) == chat.Delete {
			m.Text, m.Ref, m.Forwarded, m.Picture, m.File, m.Size, m.Data, m.Deleted = "", store.ContentID{}, false, "", "", 0, nil, true
			changes = nil
			break
		}
	}

	if _, err := b.tx.AddMessage(m, b.now); err != nil {
		return err
	}

	// They may have said before that the one in between was lost.
	if !m.Gap.IsZero() {
		if lost, err := b.tx.HasChange(p.ID, m.Previous, int(chat.Lost)); err != nil {
			return err
		} else if lost {
			if err := b.tx.LoseNow(p.ID, m.Previous, b.now); err != nil {
				return err
			}
		}
	}

	for _, change := range changes {
		if chat.Kind(change.Kind) == chat.Lost {
			continue // and yet it came
		}
		if err := b.change(p, change); err != nil {
			return err
		}
	}

	// Those that wait behind this one have their turn now.
	p.line.Came(keeper{b, p}, order.ID(id))
	if err := b.tx.Fill(p.ID, id, b.now); err != nil {
		return err
	}

	// A conversation put away comes back with news, and only with that.
	if p.Archived {
		p.Archived, p.changed = false, true
		return b.tellContact(p.ID)
	}
	return nil
}

// change takes a peer's edit, deletion or reaction: it edits or deletes only its own
// messages and reacts to those of both sides, in its own conversation. A change to a
// message that has not come is kept for it.
func (b *batch) change(p *peer, c store.Change) error {
	// Looked up in this conversation alone: the contact chooses the id.
	m, err := b.tx.MessageOf(p.ID, c.Content)
	if errors.Is(err, store.ErrNotFound) {
		if erased, err := b.tx.HasSeen(p.ID, c.Content); err != nil || erased {
			return err
		}
		return b.keepChange(p, c)
	}
	if err != nil {
		return err
	}

	kind := chat.Kind(c.Kind)
	switch {
	// Our messages are ours.
	case m.Outgoing && kind != chat.Reaction:
		b.refused = append(b.refused, "change of another's message")
		return nil
	case m.Deleted:
		return nil
	case kind == chat.Delete:
		return b.tx.TakeBack(m, b.now)
	case kind == chat.Edit && !chat.Fits(c.Text, m.Picture != "" || m.File != ""):
		b.refused = append(b.refused, "edit of a caption")
		return nil
	case kind == chat.Edit:
		if c.Place <= m.Place {
			return nil // an older one that comes late
		}
		return b.tx.SetText(m, c.Text, c.Time, c.Place, b.now)
	}

	// The place in their chain decides, as cells come in any order.
	old, err := b.tx.Reaction(m.ID, false, store.MemberID{})
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}

	if err == nil && c.Place <= old.Place {
		return nil
	}
	return b.tx.SetReaction(m, store.Reaction{Message: m.ID, Emoji: c.Text, Place: c.Place}, b.now)
}

// keepChange keeps a change to a message that has not come. Beside a delete nothing is
// kept.
func (b *batch) keepChange(p *peer, c store.Change) error {
	kept, err := b.tx.TakeChanges(p.ID, c.Content)
	if err != nil {
		return err
	}
	kept = append(kept, c)
	for _, c := range kept {
		if chat.Kind(c.Kind) == chat.Delete {
			kept = []store.Change{c}
			break
		}
	}
	for _, c := range kept {
		if err := b.tx.AddChange(p.ID, c); err != nil {
			return err
		}
	}
	return nil
}

// timer takes a peer's offer of after how many seconds messages disappear.
func (b *batch) timer(p *peer, place int64, seconds int) error {
	if place <= p.TimerPlace {
		return nil
	}
	before := p.TimerTheirs
	p.TimerTheirs, p.TimerPlace, p.changed = seconds, place, true
	if seconds == before && seconds == p.Timer {
		return nil
	}
	text := "Your contact offers that new messages " + TimerText(seconds) + "."
	if p.TimerMine == seconds {
		p.Timer = seconds
		text = "From now on new messages " + TimerText(seconds) + ", as you both want."
	}
	if err := b.tellContact(p.ID); err != nil {
		return err
	}
	return b.tx.AddNotice(store.Message{ID: store.NewID(), Contact: p.ID, Text: text, Time: b.now}, b.now)
}

// TimerText names the effect of a timer on messages: they "disappear 1 hour after they
// were read", or they "do not disappear".
func TimerText(seconds int) string {
	if seconds == 0 {
		return "do not disappear"
	}
	for _, u := range []struct {
		seconds int
		name    string
	}{{7 * 24 * 3600, "week"}, {24 * 3600, "day"}, {3600, "hour"}, {60, "minute"}, {1, "second"}} {
		if n := seconds / u.seconds; seconds%u.seconds == 0 {
			if n > 1 {
				u.name += "s"
			}
			return fmt.Sprintf("disappear %d %s after they were read", n, u.name)
		}
	}
	panic("unreachable")
}

// lost marks messages that their sender has given up. One that came stays as it is.
func (b *batch) lost(p *peer, ids []chat.ID) error {
	n := 0
	for _, raw := range ids {
		id := store.ContentID(raw)
		there, err := b.there(p, id)
		if err == nil && !there {
			n++
			err = errors.Join(b.tx.LoseNow(p.ID, id, b.now),
				b.tx.AddChange(p.ID, store.Change{Content: id, Kind: int(chat.Lost)}))
		}
		if err != nil {
			return err
		}
	}
	if n == 0 {
		return nil
	}
	text := "A message of your contact could not be delivered to you within 14 days, and was given up. They know, and can send it again."
	if n > 1 {
		text = fmt.Sprintf("%d messages of your contact could not be delivered to you within 14 days, and were given up. They know, and can send them again.", n)
	}
	return b.tx.AddNotice(store.Message{ID: store.NewID(), Contact: p.ID, Text: text, Time: b.now}, b.now)
}

// tellLosses tells a peer that answers again which messages of ours were given up.
func (b *batch) tellLosses(p *peer) error {
	if p.session.Room() < maxLossCells {
		return nil // when they have answered
	}
	ids, err := b.tx.TakeLosses(p.ID, chat.MaxIDs)
	if err != nil || len(ids) == 0 {
		return err
	}
	c := &chat.Content{Kind: chat.Lost}
	for _, id := range ids {
		c.IDs = append(c.IDs, chat.ID(id))
	}
	p.stepped = true
	return b.seal(p, c)
}

// maxLossCells is more than the cells of a content that names chat.MaxIDs others.
const maxLossCells = 4

// read notes that a peer has read messages of ours.
func (b *batch) read(p *peer, ids []chat.ID, at time.Time) error {
	for _, id := range ids {
		m, err := b.tx.MessageOf(p.ID, store.ContentID(id))
		if errors.Is(err, store.ErrNotFound) || err == nil && (!m.Outgoing || m.Deleted || !m.Read.IsZero()) {
			continue
		}
		if err == nil {
			err = b.tx.SetRead(m, at, b.now)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
