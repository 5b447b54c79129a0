package node

import (
	"context"
	"errors"
	"sync"
	"time"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/node/chat"
	"starling/node/inbox"
	"starling/node/outbox"
	"starling/node/store"
	"starling/p2p"
	"starling/p2p/bridge"
	"starling/session"
)

// Lifetimes of invites.
const (
	defaultExpiry = 24 * time.Hour
	minExpiry     = api.MinInviteLife
	maxExpiry     = api.MaxInviteLife
)

// How long Invite and AddContact try to reach a mailbox, and how.
const (
	reachMailbox = 30 * time.Second
	oneTry       = 8 * time.Second
	nextTry      = 1500 * time.Millisecond // from one try to the next
)

// invites are the calls of a first contact: invites of ours, and those of others.
type invites struct{ n *Node }

// Invite makes a one-time invite, and returns once a mailbox keeps the bundle of its
// link. If none does, nothing of it is left.
func (i invites) Invite(ctx context.Context, req api.InviteRequest) (out api.Invite, err error) {
	return i.inviteAs(ctx, req, "")
}

// inviteAs is Invite under another name than that of the profile, unless it is empty.
func (i invites) inviteAs(ctx context.Context, req api.InviteRequest, alias string) (out api.Invite, err error) {
	if req.Expires == 0 {
		req.Expires = defaultExpiry
	}
	if req.Expires < minExpiry || req.Expires > maxExpiry {
		return out, &api.Error{Code: api.CodeUsage, Message: "an invite lives for a minute at least and 7 days at most",
			Hint: "for example --expires 24h"}
	}
	// Both mailboxes may be down. By the second time it is known that they are
	// doubtful, and others are drawn.
	for range 2 {
		if out, err = i.invite(ctx, req, alias); api.CodeOf(err) != api.CodeTimeout {
			break
		}
	}
	return out, err
}

func (i invites) invite(ctx context.Context, req api.InviteRequest, alias string) (out api.Invite, err error) {
	if req.Name != "" {
		if req.Name, err = chat.CleanName(req.Name); err != nil {
			return out, nameError(err)
		}
	}

	// Mailboxes before the row: without any there is nothing to undo.
	boxes, err := i.chooseMailboxes()
	if err != nil {
		return out, err
	}

	now, _ := i.n.now()
	invite, err := session.NewInvite(now.Add(req.Expires), inbox.Hints(boxes))
	if err != nil {
		return out, apiError(err)
	}
	secret, err := invite.MarshalBinary()
	if err != nil {
		return out, apiError(err)
	}

	// On disk before it is in a mailbox: a hello to an invite that a crash has forgotten could
	// never be answered.
	row := store.Invite{ID: invite.ID(), Name: req.Name, Created: now, Expires: invite.Expires().UTC(), State: store.InviteOpen, Alias: alias}
	err = i.n.update(ctx, func(tx *store.Tx) error {
		if req.Name != "" {
			if err := freeName(tx, req.Name, store.ID{}); err != nil {
				return err
			}
		}
		if err := tx.AddInvite(row, secret); err != nil {
			return err
		}
		return tx.SetMailboxes([]byte(row.ID), true, now, boxes)
	})

	if err != nil {
		return out, err
	}

	// The link is given out only when somebody can follow it.
	if err := i.storeBundle(ctx, row.ID, invite.Bundle(), boxes); err != nil {
		i.n.inbox.Forget(context.WithoutCancel(ctx), row.ID)
		return out, err
	}

	if err := i.n.inbox.RefreshInvite(ctx, row.ID); err != nil {
		return out, apiError(err)
	}
	link := invite.Link()
	// A bridge is named on request alone: each person that knows one is a way to find it.
	if req.WithBridge {
		doors, err := i.n.ListBridges(ctx)
		if err != nil {
			return out, err
		}
		for _, d := range doors[:min(len(doors), maxInviteBridges)] {
			link += " " + d.Link
		}
	}
	return api.Invite{ID: row.ID, Link: link, Expires: row.Expires, Name: safetext.Line(row.Name)}, nil
}

// maxInviteBridges is how many bridges an invite carries: more do not fit into a QR code
// that a phone reads.
const maxInviteBridges = 3

// chooseMailboxes draws mailboxes, or says why there are none.
func (i invites) chooseMailboxes() ([]store.Mailbox, error) {
	status := i.n.net.Status()
	if status.EnoughRelays && !worthATry(status) {
		return nil, apiError(p2p.ErrOffline)
	}
	boxes, err := i.n.net.ChooseMailboxes(outbox.Copies)
	if errors.Is(err, p2p.ErrFewRelays) && !connected(status) {
		err = p2p.ErrOffline // the reason behind the reason
	}
	return boxes, apiError(err)
}

// worthATry reports whether a request has a way to go. Only an answer lifts a status of
// nothing coming back, and without contacts an invite may be the only request.
func worthATry(s p2p.Status) bool { return s.Ready || s.EnoughRelays && connected(s) }

func connected(s p2p.Status) bool {
	for _, g := range s.Guards {
		if g.Connected {
			return true
		}
	}
	return false
}

// storeBundle stores an invite's bundle and returns once one mailbox has all of
// it; the others go on in the background.
func (i invites) storeBundle(ctx context.Context, id string, bundle []session.Cell, boxes []store.Mailbox) error {
	results := make(chan error, len(boxes))
	for _, m := range boxes {
		i.n.later(func(ctx context.Context) { results <- i.putBundle(ctx, id, m.Node, bundle) })
	}

	var last error
	// Half: inviteAs may have to try two other mailboxes in the time of one.
	over := time.After(reachMailbox / 2)
	for range boxes {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-over:
			return apiError(p2p.ErrTimeout)
		case <-i.n.ctx.Done():
			return closedError
		case err := <-results:
			if err == nil {
				return nil
			}
			last = err
		}
	}
	return apiError(last)
}

// putBundle stores a bundle in a mailbox, trying again for a while. It asks for the
// cells first: a mailbox that has no room drops boxes that are not asked for. If the
// invite was used or withdrawn meanwhile, the mailbox may delete them.
func (i invites) putBundle(ctx context.Context, id string, node store.Node, cells []session.Cell) error {
	ctx, cancel := context.WithTimeout(ctx, reachMailbox)
	defer cancel()

	tags := make([]store.Tag, len(cells))
	for k := range cells {
		tags[k] = store.Tag(cells[k].Tag)
	}

	ask, end := context.WithTimeout(ctx, oneTry)
	i.n.net.Fetch(ask, node, tags) // without it the bundle is only easier to drop
	end()

	// Each cell has a route of its own; together they take as long as the slowest.
	errs := make([]error, len(cells))
	var wg sync.WaitGroup
	for k := range cells {
		wg.Go(func() {
			_, errs[k] = try(ctx, func(ctx context.Context) (struct{}, error) {
				return struct{}{}, i.n.net.Put(ctx, node, tags[k], cells[k].Box[:])
			})
		})
	}
	wg.Wait()

	// An invite that was withdrawn meanwhile leaves nothing behind.
	var row store.Invite
	err := i.n.store.View(ctx, func(tx *store.Tx) (err error) { row, err = tx.Invite(id); return err })
	if errors.Is(err, store.ErrNotFound) || err == nil && row.State != store.InviteOpen {
		i.n.net.Ack("bundle "+id, node, tags...)
	}

	return errors.Join(errs...)
}

// try does something until it works or ctx ends, and returns why it last
// failed. A permanent error ends the tries. A person waits here, so the next try does
// not wait until one has failed: most that work do so in less than nextTry, and each
// has a route of its own.
func try[T any](ctx context.Context, do func(context.Context) (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}

	results := make(chan result)
	// Deferred in this order, the context ends before the tries are waited for.
	var tries sync.WaitGroup
	defer tries.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	tick := time.NewTicker(nextTry)
	defer tick.Stop()
	var none T
	last := p2p.ErrTimeout

	for {
		tries.Go(func() {
			one, end := context.WithTimeout(ctx, oneTry)
			defer end()
			value, err := do(one)
			// Somebody else may have succeeded, and nobody is left to hear it.
			select {
			case results <- result{value, err}:
			case <-ctx.Done():
			}
		})

		for next := false; !next; {
			select {
			case r := <-results:
				switch {
				// Another try changes nothing about these.
				case r.err == nil, errors.Is(r.err, p2p.ErrTaken), errors.Is(r.err, p2p.ErrFewRelays), errors.Is(r.err, p2p.ErrOffline):
					return r.value, r.err
				// A try that ran out of time says less than the error of another one.
				case !errors.Is(r.err, context.DeadlineExceeded) && !errors.Is(r.err, context.Canceled):
					last = r.err
				}
			case <-tick.C:
				next = true
			case <-ctx.Done():
				return none, last
			}
		}
	}
}

// storeBundles stores the bundles of open invites again: the node may have
// ended before all mailboxes had them, and a mailbox may have lost its own.
func (i invites) storeBundles(ctx context.Context) error {
	// Without a way to go each try would last its whole time for nothing.
	for {
		changed := i.n.statusChanged()
		if worthATry(i.n.net.Status()) {
			break
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-changed:
		}
	}

	// Collected first: no transaction stays open while the network is asked.
	type work struct {
		id    string
		cells []session.Cell
		boxes []store.Mailbox
	}
	var all []work

	err := i.n.store.View(ctx, func(tx *store.Tx) error {
		return openInvites(tx, func(row store.Invite, invite *session.Invite) error {
			// Those of this run are under way in storeBundle.
			if !row.Created.Before(i.n.started) {
				return nil
			}
			boxes, err := tx.Mailboxes([]byte(row.ID), true)
			all = append(all, work{row.ID, invite.Bundle(), boxes})
			return err
		})
	})

	if err != nil {
		return err
	}

	for _, w := range all {
		for _, m := range w.boxes {
			i.n.net.AddHint(m.Hint)
			if err := i.putBundle(ctx, w.id, m.Node, w.cells); err != nil && ctx.Err() == nil {
				i.n.log.Warn("invite not stored again", "err", err)
			}
		}
	}

	return nil
}

// openInvites reads the invites that nobody has used or withdrawn.
func openInvites(tx *store.Tx, each func(store.Invite, *session.Invite) error) error {
	rows, err := tx.Invites()
	if err != nil {
		return err
	}
	for _, row := range rows {
		if row.State != store.InviteOpen {
			continue
		}
		secret, _, err := tx.InviteSecret(row.ID)
		if err != nil {
			return err
		}
		invite, err := session.UnmarshalInvite(secret)
		if err != nil {
			return &store.DamagedError{File: "profile.db", Err: err}
		}
		if err := each(row, invite); err != nil {
			return err
		}
	}
	return nil
}

// Invites lists the invites that are still open.
func (i invites) Invites(ctx context.Context) (out []api.Invite, err error) {
	out = []api.Invite{}

	now, _ := i.n.now()
	err = i.n.view(ctx, func(tx *store.Tx) error {
		return openInvites(tx, func(row store.Invite, invite *session.Invite) error {
			if row.Expires.After(now) {
				out = append(out, api.Invite{ID: row.ID, Link: invite.Link(), Expires: row.Expires, Name: safetext.Line(row.Name)})
			}
			return nil
		})
	})

	return out, err
}

// RevokeInvite withdraws an open invite.
func (i invites) RevokeInvite(ctx context.Context, id string) error {
	err := i.n.inbox.Revoke(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return &api.Error{Code: api.CodeNoInvite, Message: "there is no open invite with this ID",
			Hint: "it may have been used or have expired"}
	}
	return apiError(err)
}

// AddContact accepts an invite. The network is asked first: when that fails,
// nothing has changed.
func (i invites) AddContact(ctx context.Context, req api.AddContactRequest) (out api.Contact, err error) {
	return i.addContactAs(ctx, req, "")
}

// addContactAs is AddContact under another name than that of the profile, unless it is empty.
func (i invites) addContactAs(ctx context.Context, req api.AddContactRequest, alias string) (out api.Contact, err error) {
	// pasted looks at every letter, which a text longer than any link is not worth.
	text := req.Link
	if len(text) <= api.MaxInviteText {
		text = pasted(text)
	}
	doors := bridge.Find(text)
	invitation, err := session.ParseLink(bridge.Cut(text))
	if err != nil {
		return out, linkError(req.Link, err)
	}

	if req.Name != "" {
		if req.Name, err = chat.CleanName(req.Name); err != nil {
			return out, nameError(err)
		}
	}

	expired := func() bool { now, told := i.n.now(); return told && !invitation.Expires().After(now) }
	if expired() {
		return out, apiError(session.ErrExpired)
	}

	// Asked here for a quick answer, and again in the transaction of join, where it counts.
	if err := i.n.view(ctx, func(tx *store.Tx) error { return i.mayAdd(tx, invitation.ID(), req.Name) }); err != nil {
		return out, err
	}

	add := i.n.net.AddPasted
	if alias != "" { // a member of a room has sent it: nobody's address in it is dialled
		add, doors = i.n.net.AddHint, nil
	}
	if err := takeBridges(ctx, i.n, doors); err != nil {
		return out, err
	}

	// The hints are the inviter's word: one that is private or malformed is dropped, not dialled.
	var theirs []store.Mailbox
	for _, hint := range invitation.Hints() {
		if node, err := add(hint); err == nil {
			theirs = append(theirs, store.Mailbox{Node: node, Hint: hint})
		}
	}
	if len(theirs) == 0 {
		return out, &api.Error{Code: api.CodeBadInvite, Message: "the invite names no mailbox that can be used here",
			Hint: "if it is from a mesh of your own, use --allow-private"}
	}

	if err := i.ready(ctx); err != nil {
		return out, err
	}
	if expired() { // the relays may have told the time meanwhile
		return out, apiError(session.ErrExpired)
	}
	bundle, err := i.fetchBundle(ctx, invitation, theirs)
	if err != nil {
		return out, err
	}

	// Ours are drawn last: until here nothing of ours was told to anybody.
	mine, err := i.chooseMailboxes()
	if err != nil {
		return out, err
	}
	return i.join(ctx, invitation, bundle, store.Contact{Name: req.Name, Alias: alias}, mine, theirs)
}

// takeBridges takes the bridges of an invite, if the profile knows no relay and has no
// bridge: to paste a link is to begin with it, as with its relays. Otherwise the owner
// adds one, or none.
func takeBridges(ctx context.Context, n *Node, doors []*bridge.Link) error {
	s := n.net.Status()
	if len(doors) == 0 || s.Relays > 0 || len(s.Guards) > 0 || len(s.Bridges) > 0 {
		return nil
	}
	for _, l := range doors[:min(len(doors), maxInviteBridges)] {
		if _, err := l.Usable(n.cfg.AllowPrivate); err != nil {
			continue
		}
		if _, err := n.AddBridge(ctx, api.BridgeRequest{Link: l.String()}); err != nil {
			return err
		}
	}
	return nil
}

// ready waits for a route, a while: a profile that knew no relay begins with those of
// the link.
func (i invites) ready(ctx context.Context) error {
	over := time.After(reachMailbox)
	for {
		changed := i.n.statusChanged()
		s := i.n.net.Status()
		if worthATry(s) {
			return nil
		}
		select {
		case <-changed:
		case <-over:
			return nil // the step after this says why
		case <-i.n.ctx.Done():
			return closedError
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// mayAdd refuses an invite of our own, one that was accepted before, and a
// name that is taken.
func (i invites) mayAdd(tx *store.Tx, invite, name string) error {
	switch _, err := tx.Invite(invite); {
	case err == nil:
		return &api.Error{Code: api.CodeOwnInvite, Message: "this is an invite of your own", Hint: "give it to the person you want to talk to"}
	case !errors.Is(err, store.ErrNotFound):
		return err
	}

	// A second hello to the same invite would look like a stranger with the same link.
	switch _, err := tx.ContactOfInvite(invite); {
	case err == nil:
		return &api.Error{Code: api.CodeContactExists, Message: "this invite has already been accepted here", Hint: "see starling contact list"}
	case !errors.Is(err, store.ErrNotFound):
		return err
	}
	if name == "" {
		return nil
	}
	return freeName(tx, name, store.ID{})
}

// fetchBundle asks all mailboxes of an invite at once, and returns with the first bundle
// that is genuine. It is gone when all of them say so.
func (i invites) fetchBundle(ctx context.Context, v *session.Invitation, boxes []store.Mailbox) ([]session.Cell, error) {
	ctx, cancel := context.WithTimeout(ctx, reachMailbox)
	defer cancel()

	type result struct {
		found map[store.Tag][]byte
		err   error
	}

	// Room for all: a mailbox that answers after our return must not keep its goroutine.
	results := make(chan result, len(boxes))

	var tags []store.Tag
	for _, t := range v.BundleTags() {
		tags = append(tags, store.Tag(t))
	}

	for _, m := range boxes {
		go func() {
			var r result
			r.found, r.err = try(ctx, func(ctx context.Context) (map[store.Tag][]byte, error) {
				return i.n.net.Fetch(ctx, m.Node, tags)
			})
			results <- r
		}()
	}

	var cells []session.Cell
	var failure error
	for range boxes {
		select {
		case <-i.n.ctx.Done():
			return nil, closedError
		case r := <-results:
			if r.err != nil {
				failure = r.err
			}
			for tag, box := range r.found {
				c := session.Cell{Tag: session.Tag(tag)}
				if len(box) == len(c.Box) {
					copy(c.Box[:], box)
					cells = append(cells, c)
				}
			}
		}

		// Noise under the right tags ends nothing: the other mailbox may have the bundle.
		if v.Complete(cells) {
			return cells, nil
		}
	}

	// All have answered, and none has it.
	if failure == nil {
		failure = session.ErrBundle
	}
	return nil, apiError(failure)
}

// join makes the session and the contact and queues the hello, in one
// transaction.
func (i invites) join(ctx context.Context, v *session.Invitation, bundle []session.Cell, c store.Contact, mine, theirs []store.Mailbox) (out api.Contact, err error) {
	now, _ := i.n.now()
	name := c.Name
	c.ID, c.Named, c.State, c.Created, c.Invite = store.NewID(), name != "", api.ContactPending, now, v.ID()
	if name == "" {
		c.Name = inbox.NamelessName(c.ID)
	}
	var queued outbox.Queued

	// One transaction: a session without its hello could never begin, and a hello without its
	// session could never go on.
	err = i.n.update(ctx, func(tx *store.Tx) error {
		if err := i.mayAdd(tx, v.ID(), name); err != nil {
			return err
		}

		// A contact that merely calls itself so gives the name up.
		if err := inbox.MakeWay(tx, c.Name, c.ID); err != nil {
			return err
		}
		ours := c.Alias
		if ours == "" {
			if ours, err = tx.Owner(); err != nil {
				return err
			}
		}

		id := store.NewID()
		hello := &chat.Content{Kind: chat.Profile, Name: ours, Mailboxes: inbox.Hints(mine)}
		s, cells, err := v.Join(now, bundle, session.ID(id), hello.Encode())
		if err != nil {
			return err
		}
		state, err := s.MarshalBinary()
		if err != nil {
			return err
		}

		if err := tx.AddContact(c, state); err != nil {
			return err
		}
		if err := tx.SetMailboxes(c.ID[:], true, now, mine); err != nil {
			return err
		}
		if err := tx.SetMailboxes(c.ID[:], false, now, theirs); err != nil {
			return err
		}

		if queued, err = outbox.QueueSealed(tx, c.ID, id, chat.Profile, cells, now); err != nil {
			return err
		}
		if _, err := tx.Append(store.Event{Kind: api.EventContact, Contact: c.ID, Time: now}); err != nil {
			return err
		}

		out, err = i.n.contact(tx, c)
		return err
	})

	if err != nil {
		return api.Contact{}, err
	}

	// The outbox has to know where before it knows of something to send there.
	var nodes []store.Node
	for _, m := range theirs {
		nodes = append(nodes, m.Node)
	}
	i.n.outbox.SetMailboxes(c.ID, nodes)
	i.n.outbox.Add(queued)
	return out, apiError(i.n.inbox.RefreshContact(ctx, c.ID))
}
