package inbox

import (
	"context"
	"errors"
	"slices"
	"time"

	"starling/node/inbox/watch"
	"starling/node/store"
	"starling/session"
)

// An owner is the owner of tags: a contact's session or an invite.
type owner struct {
	contact store.ID
	invite  string
}

func (o owner) bytes() []byte {
	if o.invite != "" {
		return []byte(o.invite)
	}
	return o.contact[:]
}

// RefreshContact takes up a contact that is new, changed or gone.
func (in *Inbox) RefreshContact(ctx context.Context, id store.ID) error {
	return in.watch(ctx, owner{contact: id})
}

// RefreshInvite takes up an invite that is new or gone.
func (in *Inbox) RefreshInvite(ctx context.Context, id string) error {
	in.signal()
	return in.watch(ctx, owner{invite: id})
}

// watch makes the plans of owners anew.
func (in *Inbox) watch(ctx context.Context, owners ...owner) error {
	in.writing.Lock()
	defer in.writing.Unlock()
	plans := make(map[owner]watch.Plan)
	for _, some := range stretches(owners) {
		err := in.cfg.Store.View(ctx, func(tx *store.Tx) error {
			for _, o := range some {
				w, err := in.plan(tx, o)
				if err != nil {
					return err
				}
				plans[o] = w
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	in.setWatches(plans, nil)
	return nil
}

// plan returns the plan of an owner: an empty one if it is gone.
func (in *Inbox) plan(tx *store.Tx, o owner) (w watch.Plan, err error) {
	var tags []session.Tag
	if o.invite != "" {
		var i *session.Invite
		if i, _, err = loadInvite(tx, o.invite); err == nil {
			tags = i.Window()
		}
	} else {
		var c store.Contact
		if c, err = tx.Contact(o.contact); err == nil {
			var s *session.Session
			if s, _, err = loadSession(tx, o.contact); err == nil {
				return in.planContact(tx, c, s)
			}
		}
	}

	// An empty plan ends the watches of an owner that was removed.
	if errors.Is(err, store.ErrNotFound) {
		return watch.Plan{}, nil
	}
	if err != nil {
		return watch.Plan{}, err
	}

	w.Tags = toTags(tags)
	w.Nodes, err = nodes(tx, o)
	return w, err
}

// planContact returns the plan of a contact: the tags of its session, even one that was
// given up, and of its end.
func (in *Inbox) planContact(tx *store.Tx, c store.Contact, s *session.Session) (w watch.Plan, err error) {
	o := owner{contact: c.ID}
	if w.Tags, err = resetTags(tx, c.ID, s); err != nil {
		return w, err
	}
	w.Tags = slices.DeleteFunc(w.Tags, in.isEarly)
	w.Session, w.Spare = true, len(w.Tags)+len(s.Calls())
	w.Tags = append(w.Tags, toTags(s.Window())...)
	w.Muted = c.Blocked
	w.Nodes, err = nodes(tx, o)
	places := in.meetingPlaces(c.ID, w.Nodes, s)
	w.Places = len(places)
	w.Nodes = append(w.Nodes, places...)
	return w, err
}

// nodes returns the mailboxes where we fetch on behalf of an owner.
func nodes(tx *store.Tx, o owner) (out []store.Node, err error) {
	mine, err := tx.Mailboxes(o.bytes(), true)
	for _, m := range mine {
		out = append(out, m.Node)
	}
	return out, err
}

func toTags(in []session.Tag) []store.Tag {
	out := make([]store.Tag, len(in))
	for i, t := range in {
		out[i] = store.Tag(t)
	}
	return out
}

// setWatches replaces the plans of owners, here and at the mailboxes.
func (in *Inbox) setWatches(plans map[owner]watch.Plan, came map[owner][]watch.Arrival) {
	in.mu.Lock()
	defer in.mu.Unlock()
	elsewhere := false
	for o, p := range plans {
		ask, drop, others := in.table.Set(o, p, came[o], time.Now())
		for _, r := range ask {
			in.cfg.Network.Watch(watchKey(o, r.Node), r.Node, r.Tags)
		}
		for _, c := range drop {
			in.cfg.Network.Ack(watchKey(o, c.Node), c.Node, c.Tag)
		}
		elsewhere = elsewhere || others
	}
	if elsewhere {
		in.cfg.Rewatched()
	}
}

// dropLate lets mailboxes delete copies that were perhaps stored when nobody asked for
// them any more, those of an owner at a mailbox together.
func (in *Inbox) dropLate(context.Context) (next time.Time, err error) {
	now := time.Now()
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, c := range in.table.DropLate(now) {
		in.cfg.Network.Ack(watchKey(c.Owner, c.Node), c.Node, c.Tag)
	}
	return now.Add(lateEvery), nil
}

// handedOver notes that mailboxes have no copy of some cells any more.
func (in *Inbox) handedOver(copies []ack) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, c := range copies {
		in.table.HandedOver(watch.Copy{Node: c.node, Tag: c.tag})
	}
}

func watchKey(o owner, n store.Node) string { return string(o.bytes()) + "/" + string(n[:]) }
