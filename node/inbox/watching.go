package inbox

import (
	"context"
	"errors"
	"slices"
	"time"

	"starling/node/store"
	"starling/session"
)

// An owner is what a tag belongs to: a contact's session or an invite.
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

// watching is what is waited for on behalf of an owner.
type watching struct {
	nodes []store.Node
	tags  []store.Tag // with those of cells that were passed over first
	// session: tags end with those ahead in a session, and spare other ones
	// come before those of the session's cells.
	session bool
	spare   int
	came    []arrival // what came lately, oldest first, and lies elsewhere too
	places  int       // how many of the nodes, the last, are meeting places
	muted   bool      // boxes are neither opened nor deleted
}

// arrival is a tag whose cell has come.
type arrival struct {
	tag   store.Tag
	at    time.Time
	nodes []store.Node // first who handed it over, then who should have a copy
}

// asked returns the tags to ask a mailbox for. In quiet times they fit into one
// request (mailbox.MaxTags): the last of the tags ahead are only needed when
// many cells come at once.
func (w *watching) asked(node store.Node) []store.Tag {
	var second []store.Tag
	for _, a := range w.came {
		if slices.Contains(a.nodes, node) {
			second = append(second, a.tag)
		}
	}
	n := len(w.tags)
	if w.session && len(second) <= keptBack {
		n = max(0, n-w.spare-len(second))
	}
	return append(w.tags[:n:n], second...)
}

// settle takes out arrivals of which no mailbox has a copy any more, and
// returns those of which the second copy should have come, but for the last
// few, which cost nothing.
func (w *watching) settle(now time.Time) (late []arrival) {
	w.came = slices.DeleteFunc(w.came, func(a arrival) bool { return len(a.nodes) == 0 })
	n := 0
	for n < len(w.came)-keptBack && (now.Sub(w.came[n].at) > secondCopy || n < len(w.came)-maxSecond) {
		n++
	}
	late, w.came = w.came[:n:n], w.came[n:]
	return late
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

// watch works out anew what is waited for on behalf of owners.
func (in *Inbox) watch(ctx context.Context, owners ...owner) error {
	in.turn.Lock()
	defer in.turn.Unlock()
	plans := make(map[owner]watching)
	err := in.cfg.Store.View(ctx, func(tx *store.Tx) error {
		for _, o := range owners {
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
	in.setWatches(plans)
	return nil
}

// plan returns what is to be waited for on behalf of an owner: nothing if it
// is gone.
func (in *Inbox) plan(tx *store.Tx, o owner) (w watching, err error) {
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
			if s, _, err = loadSession(tx, o.contact); err == nil || errors.Is(err, store.ErrNoSession) {
				return in.planContact(tx, c, s)
			}
		}
	}
	if errors.Is(err, store.ErrNotFound) {
		return watching{}, nil
	}
	if err != nil {
		return watching{}, err
	}
	w.tags = toTags(tags)
	w.nodes, err = nodes(tx, o)
	return w, err
}

// planContact returns what is to be waited for on behalf of a contact, with
// its session or with none: the cells of the session, and its end.
func (in *Inbox) planContact(tx *store.Tx, c store.Contact, s *session.Session) (w watching, err error) {
	o := owner{contact: c.ID}
	if w.tags, err = resetTags(tx, c.ID, s); err != nil {
		return w, err
	}
	if s != nil {
		w.session, w.spare = true, len(w.tags)+len(s.Calls())
		w.tags = append(w.tags, toTags(s.Window())...)
	}
	w.muted = c.Blocked
	w.nodes, err = nodes(tx, o)
	places := in.meetingPlaces(c.ID, w.nodes, s)
	w.places = len(places)
	w.nodes = append(w.nodes, places...)
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

// setWatches replaces what is waited for, here and at the mailboxes.
func (in *Inbox) setWatches(plans map[owner]watching) {
	in.mu.Lock()
	defer in.mu.Unlock()
	moved := false
	for o, w := range plans {
		old := in.watches[o]
		moved = moved || !slices.Equal(w.nodes, old.nodes)
		for _, t := range old.tags {
			if in.tags[t] == o {
				delete(in.tags, t)
			}
		}
		delete(in.watches, o)
		for _, a := range w.came {
			a.nodes = slices.DeleteFunc(slices.Clone(w.nodes), func(n store.Node) bool { return n == a.nodes[0] })
			if len(a.nodes) > 0 {
				old.came = append(old.came, a)
				in.second[a.tag] = o
			}
		}
		w.came = old.came
		in.letGo(&w)
		if len(w.tags) > 0 {
			in.watches[o] = w
		} else {
			for _, a := range w.came {
				delete(in.second, a.tag)
			}
		}
		for _, t := range w.tags {
			in.tags[t] = o
		}
		keep := make(map[store.Node]bool)
		if !w.muted {
			for _, n := range w.nodes {
				keep[n] = true
				in.cfg.Network.Watch(watchKey(o, n), n, w.asked(n))
			}
		}
		for _, n := range old.nodes {
			if !keep[n] {
				in.cfg.Network.Watch(watchKey(o, n), n, nil)
			}
		}
	}
	if moved {
		in.cfg.Moved()
	}
}

// letGo lets mailboxes delete copies that should have come long ago: the cells
// came from elsewhere, and what is stored later nobody waits for.
func (in *Inbox) letGo(w *watching) {
	for _, a := range w.settle(time.Now()) {
		delete(in.second, a.tag)
		for _, n := range a.nodes {
			in.cfg.Network.Ack(n, a.tag)
		}
	}
}

// handedOver notes that mailboxes have no copy of some cells any more.
func (in *Inbox) handedOver(copies []ack) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for _, c := range copies {
		came := in.watches[in.second[c.tag]].came
		for i := range came {
			if a := &came[i]; a.tag == c.tag {
				a.nodes = slices.DeleteFunc(a.nodes, func(n store.Node) bool { return n == c.node })
				if len(a.nodes) == 0 {
					delete(in.second, a.tag)
				}
			}
		}
	}
}

func watchKey(o owner, n store.Node) string { return string(o.bytes()) + "/" + string(n[:]) }
