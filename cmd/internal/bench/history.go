package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"time"

	"starling/node/api"
	"starling/node/config"
	"starling/node/store"
	"starling/node/testnet"
)

// stored is how many messages the conversation has, and batch how many are
// written at a time.
const (
	stored = 100_000
	batch  = 2_000
	looks  = 20
)

// acquainted makes the profile of somebody who knows one other person, on a mesh. Nobody runs it.
func acquainted(ctx context.Context) (mesh *testnet.Mesh, profile config.Profile, end func(), err error) {
	mesh, dir, end, err := stage(ctx)
	if err != nil {
		return nil, profile, nil, err
	}
	defer func() {
		if err != nil {
			end()
		}
	}()

	var people []*person
	for _, name := range []string{"alice", "bob"} {
		if profile, err = newProfile(filepath.Join(dir, name), store.CheapKDF); err != nil {
			return nil, profile, nil, err
		}
		p, err := open(profile, mesh, none)
		if err != nil {
			return nil, profile, nil, err
		}
		defer func() { err = errors.Join(err, p.Close()) }()
		people = append(people, p)
	}
	err = acquaint(ctx, people[0], people[1])
	return mesh, profileAt(filepath.Join(dir, "alice")), end, err
}

// histories measures a profile in which somebody has lived for years.
func histories(ctx context.Context, _ string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	mesh, profile, end, err := acquainted(ctx)
	if err != nil {
		return err
	}
	defer end()

	begin := time.Now()
	if err := live(ctx, profile.Dir); err != nil {
		return err
	}
	watch("write 100,000 messages to the store", time.Since(begin).Seconds(), "s", "with their index, in batches")

	// Opened anew: a store that has just written has everything in memory.
	begin = time.Now()
	alice, err := open(profile, mesh, none)
	if err != nil {
		return err
	}
	defer alice.Close()
	watch("open a profile of 100,000 messages", ms(time.Since(begin)), "ms", "without the key derivation")

	look := func(name string, bar float64, note string, f func() (int, error)) error {
		var times []time.Duration
		// None is left out as a warm-up: people look once.
		for range looks {
			begin := time.Now()
			if n, err := f(); err != nil || n == 0 {
				return fmt.Errorf("%s: found %d: %w", name, n, err)
			}
			times = append(times, time.Since(begin))
		}
		atMost(name+", median", ms(quantile(times, 0.5)), bar, "ms", strings.TrimPrefix(note+fmt.Sprintf("; p95 %.1f ms", ms(quantile(times, 0.95))), "; "))
		return nil
	}
	err = look("newest messages of a conversation of 100,000", 50, "a page of 100", func() (int, error) {
		page, err := alice.History(ctx, api.HistoryRequest{Contact: "bob", Limit: 100})
		return len(page), err
	})
	for _, q := range []struct{ name, words string }{
		{"a common word", common}, {"a rare word", rare}, {"a common and a rare word", common + " " + rare}, {"one letter", common[:1]},
	} {
		err = errors.Join(err, look("search in 100,000 messages for "+q.name+", first 50", 100, "", func() (int, error) {
			page, err := alice.Search(ctx, api.SearchRequest{Words: q.words, Limit: 50})
			return len(page), err
		}))
	}
	return err
}

// Words of the messages: nearly every one has a common word, a few the rare one.
const (
	common = "network"
	rare   = "zanzibar"
)

// live fills the only conversation of a profile.
func live(ctx context.Context, dir string) error {
	s, err := store.Open(profileAt(dir), passphrase, store.Options{NoSync: true})
	if err != nil {
		return err
	}

	words := strings.Fields("the relay carries what it cannot read to a mailbox that does not know whose it is and forgets it when it was fetched")
	rng := rand.New(rand.NewPCG(1, 2))
	now := time.Now()

	for from := 0; from < stored && err == nil; from += batch {
		err = s.Update(ctx, func(tx *store.Tx) error {
			contacts, err := tx.Contacts()
			if err != nil || len(contacts) != 1 {
				return fmt.Errorf("%d contacts: %w", len(contacts), err)
			}
			for i := from; i < from+batch; i++ {
				text := []string{fmt.Sprint(i), common}
				for range 4 + rng.IntN(16) {
					text = append(text, words[rng.IntN(len(words))])
				}
				if i%2500 == 0 {
					text = append(text, rare)
				}

				at := now.Add(time.Duration(i-stored) * time.Minute)
				m := store.Message{ID: store.NewID(), Contact: contacts[0].ID, Outgoing: i%3 == 0, Text: strings.Join(text, " "), Time: at, State: api.StateReceived}
				if m.Outgoing {
					m.State = api.StateDelivered
				}
				if _, err := tx.AddMessage(m, at); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return errors.Join(err, s.Close())
}
