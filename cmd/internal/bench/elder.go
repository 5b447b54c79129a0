package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"starling/node/api"
	"starling/node/store"
)

// elder measures the cold start of somebody who has met 5,000 people: the node in the app, and
// everybody on disk, with a session that was made by two nodes.
func elder(ctx context.Context, binary string) error {
	_, profile, end, err := acquainted(ctx)
	if err != nil {
		return err
	}
	defer end()
	if err := meet(ctx, profile.Dir); err != nil {
		return err
	}

	var begun, cpu []time.Duration
	for range starts {
		begin := time.Now()
		t, err := openTerminal(ctx, binary, "--profile", profile.Dir, "--allow-private")
		if err != nil {
			return err
		}
		err = t.await(ctx, seenBy(gathered-1))
		begun = append(begun, time.Since(begin))
		t.close()
		if err != nil {
			return err
		}
		cpu = append(cpu, t.cmd.ProcessState.UserTime()+t.cmd.ProcessState.SystemTime())
	}
	atMost(fmt.Sprintf("%d conversations on disk: cold start to a usable screen, median", gathered), ms(quantile(begun, 0.5)), 300, "ms",
		fmt.Sprintf("without the key derivation; %.0f ms of processor time", ms(quantile(cpu, 0.5))))
	return nil
}

// meet fills a profile with people who have written something. Their sessions are copies of that
// of the only contact.
func meet(ctx context.Context, dir string) error {
	s, err := store.Open(profileAt(dir), passphrase, store.Options{NoSync: true})
	if err != nil {
		return err
	}

	now := time.Now()
	err = s.Update(ctx, func(tx *store.Tx) error {
		contacts, err := tx.Contacts()
		if err != nil || len(contacts) != 1 {
			return fmt.Errorf("%d contacts: %w", len(contacts), err)
		}

		// A thousand handshakes would take longer than the bench, and the node does not tell the difference.
		session, _, err := tx.Session(contacts[0].ID)
		if err != nil {
			return err
		}
		boxes, err := tx.Mailboxes(contacts[0].ID[:], false)
		if err != nil {
			return err
		}

		for i := range gathered {
			at := now.Add(time.Duration(i-gathered) * time.Minute)
			c := store.Contact{ID: store.NewID(), Name: seenBy(i) + " " + soughtBy(i), State: api.ContactReady, Created: at}
			m := store.Message{ID: store.NewID(), Contact: c.ID, Text: "hello there", Time: at, State: api.StateReceived}
			err := tx.AddContact(c, session)
			if err == nil {
				err = tx.SetMailboxes(c.ID[:], false, now, boxes)
			}
			if err == nil {
				_, err = tx.AddMessage(m, at)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	return errors.Join(err, s.Close())
}
