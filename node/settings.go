package node

import (
	"context"
	"errors"
	"slices"
	"time"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/node/chat"
	"starling/node/outbox"
	"starling/node/store"
)

// Settings returns the owner's choices.
func (n *Node) Settings(ctx context.Context) (set api.Settings, err error) {
	err = n.view(ctx, func(tx *store.Tx) error { set, err = tx.Settings(); return err })
	return set, err
}

// checkLook refuses a language or a theme that is not there.
func checkLook(change api.SettingsChange) error {
	if l := change.Language; l != nil && *l != "" && !slices.Contains(api.Languages, *l) {
		return &api.Error{Code: api.CodeUsage, Message: "the app does not speak this language", Hint: "there are en, de and ru"}
	}
	if t := change.Theme; t != nil && !slices.Contains(api.Themes, *t) {
		return &api.Error{Code: api.CodeUsage, Message: "there is no such theme", Hint: "there are auto, dark, light and 16"}
	}
	return nil
}

// ChangeSettings changes some of the settings. A new name is told to contacts.
func (n *Node) ChangeSettings(ctx context.Context, change api.SettingsChange) (set api.Settings, err error) {
	if change.Notify != nil && !validNotify(*change.Notify) {
		return set, badNotify
	}
	if change.LockAfter != nil && *change.LockAfter < 0 {
		return set, &api.Error{Code: api.CodeUsage, Message: "the screen locks after some seconds, or never with 0"}
	}
	if id := change.Open; id != nil && *id != "" {
		if _, err := store.ParseID(*id); err != nil {
			return set, &api.Error{Code: api.CodeUsage, Message: "the open conversation is named by the ID of a contact"}
		}
	}

	// All that can be refused is looked at before something is done.
	if err := checkLook(change); err != nil {
		return set, err
	}
	door, err := newDoor(n, change)
	if err != nil {
		return set, err
	}
	if change.Name != nil {
		name, err := chat.CleanName(*change.Name)
		if err != nil {
			return set, nameError(err)
		}
		change.Name = &name
	}

	if change.Proxy != nil {
		if err := CheckProxy(*change.Proxy); err != nil {
			return set, err
		}
	}
	if change.Proxy != nil && *change.Proxy != "" {
		n.own.hold() // it dials by itself
		defer n.own.release()
		// Before it is on disk: with another one nothing goes on beside it.
		if err := useProxy(n, *change.Proxy); err != nil {
			return set, err
		}
	}

	var queued []outbox.Queued
	var doors []store.Bridge
	err = n.update(ctx, func(tx *store.Tx) error {
		if set, err = tx.Settings(); err != nil {
			return err
		}
		change.Apply(&set)
		if err := door.set(&set, n.cfg.Proxy); err != nil {
			return err
		}
		if doors, err = tx.Bridges(); err != nil {
			return err
		}
		if queued = nil; change.Name != nil && *change.Name != set.Name.String() {
			set.Name = safetext.Line(*change.Name)
			queued, err = setOwner(tx, *change.Name)
		}
		return errors.Join(err, tx.SetSettings(set))
	})
	if err != nil {
		return api.Settings{}, err
	}

	// Behind the commit: a change that fails leaves no connection without the proxy.
	if change.Proxy != nil && *change.Proxy == "" {
		err = useProxy(n, "")
	}

	n.sendOff(queued...)
	n.own.take(set)
	if change.Bridge != nil || set.BridgesOnly {
		n.own.settle()
	}
	if change.BridgesOnly != nil {
		useBridges(n, doors, set.BridgesOnly)
	}
	if change.Name != nil {
		n.tellStatus()
	}
	return set, err
}

// setOwner gives the owner another name, within a transaction, and tells it to those who
// are not blocked.
func setOwner(tx *store.Tx, name string) (queued []outbox.Queued, err error) {
	if err := tx.SetOwner(name); err != nil {
		return nil, err
	}
	contacts, err := tx.Contacts()
	for _, c := range contacts {
		if err != nil {
			return nil, err
		}

		// They are sent nothing, and would learn from this that we are still there.
		if c.Blocked {
			continue
		}
		var q []outbox.Queued
		q, err = tellOwner(tx, c.ID, name)
		queued = append(queued, q...)
	}
	return queued, err
}

// tellOwner tells a contact the name of the owner, with our mailboxes for them: the two
// are one content.
func tellOwner(tx *store.Tx, contact store.ID, name string) ([]outbox.Queued, error) {
	c := &chat.Content{Kind: chat.Profile, Name: name}
	mine, err := tx.Mailboxes(contact[:], true)
	for _, m := range mine {
		if m.Retired.IsZero() && len(c.Mailboxes) < chat.MaxMailboxes {
			c.Mailboxes = append(c.Mailboxes, m.Hint)
		}
	}
	if err != nil || len(c.Mailboxes) == 0 {
		return nil, err
	}
	return tell(tx, contact, c, time.Now())
}
