package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"starling/node/api"
	"starling/node/config"
	"starling/node/store"
	"starling/node/testnet"
	"starling/p2p/mailbox"
	"starling/session/group"
)

// roomsIdle is how many rooms an idle client is in.
const roomsIdle = 10

// inRooms makes rooms of a profile, and fills them. The others are there for no longer than it takes them to come in.
func inRooms(ctx context.Context, mesh *testnet.Mesh, p config.Profile) error {
	n, err := open(p, mesh, usual)
	if err != nil {
		return err
	}
	if err := n.ready(ctx); err != nil {
		return errors.Join(err, n.Close())
	}
	for i := range roomsIdle {
		if _, err := n.CreateRoom(ctx, api.CreateRoomRequest{Name: fmt.Sprint("Room ", i)}); err != nil {
			return errors.Join(err, n.Close())
		}
	}
	if err := n.Close(); err != nil {
		return err
	}
	<-n.ended

	s, err := store.Open(p, passphrase, store.Options{})
	if err != nil {
		return err
	}
	defer s.Close()
	return s.Update(ctx, func(tx *store.Tx) error {
		all, err := tx.Rooms()
		if err != nil {
			return err
		}

		for _, r := range all {
			secrets, version, err := tx.RoomSecrets(r.ID)
			if err != nil {
				return err
			}
			rows, err := tx.Entries(r.ID)
			if err != nil {
				return err
			}

			room, err := group.Open(secrets, rows)
			if err != nil {
				return err
			}
			fresh, err := crowd(room, group.Limit-1)
			if err != nil {
				return err
			}
			if err := errors.Join(tx.AddEntries(r.ID, fresh), tx.SetRoomSecrets(r.ID, version, room.State())); err != nil {
				return err
			}
		}
		return nil
	})
}

// crowd lets people into a room by a link of its owner, and returns the rows that are new.
func crowd(owner *group.Room, people int) (rows [][]byte, err error) {
	now := time.Now()
	link, err := owner.MakeLink(people, false, now.Add(time.Hour), now)
	if err != nil {
		return nil, err
	}
	logs := map[mailbox.LogName][]group.Entry{}
	put := func(c group.Changes) {
		for _, a := range c.Appends {
			name := mailbox.NameOf(a.Log)
			logs[name] = append(logs[name], group.Entry{Name: name, Position: uint32(len(logs[name]) + 1), Tag: a.Tag, Signature: a.Signature, Box: a.Box})
		}
	}
	own := func() {
		c := owner.Changes()
		rows = append(rows, c.NewEntries...)
		put(c)
	}

	own()
	for i := range people {
		guest, err := group.Ask(link.Text, fmt.Sprint("member ", i), now)
		if err != nil {
			return nil, err
		}

		in, read := false, map[mailbox.LogName]int{}
		for range 4 {
			for _, e := range entries(logs, guest.Logs(), read) {
				answer, _ := guest.Take(e, now)
				in = in || answer != nil && answer.Room != nil
				put(guest.Changes())
			}
			for _, e := range entries(logs, owner.Logs(), map[mailbox.LogName]int{}) {
				events, _ := owner.Take(e, now)
				for _, event := range events {
					if asked, is := event.(group.Asked); is {
						err = errors.Join(err, owner.Approve(asked.Request.ID, true, nil, now))
					}
				}
			}
			own()
		}
		if err != nil || !in {
			return nil, errors.Join(err, errors.New("a guest is not let in"))
		}
	}
	return rows, nil
}

// entries returns the entries of some logs that were not read yet.
func entries(logs map[mailbox.LogName][]group.Entry, places []group.Place, read map[mailbox.LogName]int) (fresh []group.Entry) {
	for _, place := range places {
		for _, name := range place.Names {
			fresh = append(fresh, logs[name][read[name]:]...)
			read[name] = len(logs[name])
		}
	}
	return fresh
}
