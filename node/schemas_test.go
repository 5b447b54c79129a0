package node

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"starling/node/api"
	"starling/node/config"
	"starling/node/nettest"
	"starling/node/store"
	"starling/p2p"
	"starling/p2p/mailbox"
	"starling/p2p/recall"
)

var update = flag.Bool("update", false, "write testdata/schemas for the schema of today")

// The folders of a schema: two profiles that know each other, and a relay's state with
// one box. docs/UPGRADING.md has the rule.
const (
	schemas     = "testdata/schemas"
	said        = "kept from the version that wrote this"
	keptTexts   = 3
	mailboxFile = "mailbox.db"
)

var keptBox = mailbox.Box{0: 7, 1000: 9}

// TestProfilesOfEachSchema opens the profiles that each schema since the first release
// has left: their texts are there, and the two people go on to talk.
func TestProfilesOfEachSchema(t *testing.T) {
	if *update {
		writeSchema(t)
	}
	for _, name := range schemaFolders(t) {
		t.Run(name, func(t *testing.T) {
			net := nettest.New(5)
			ada, bob := keptUser(t, net, name, "Ada"), keptUser(t, net, name, "Bob")
			if got := bob.texts(ada); len(got) != keptTexts || got[0] != said {
				t.Errorf("texts of before: %q", got)
			}

			ids := []string{ada.send(bob, "and we go on").ID, bob.send(ada, "so we do").ID}
			ada.waitState(ids[0], api.StateDelivered)
			bob.waitState(ids[1], api.StateDelivered)
		})
	}
}

// TestRelaysOfEachSchema starts a relay on the state that each release has left.
func TestRelaysOfEachSchema(t *testing.T) {
	for _, name := range schemaFolders(t) {
		dir := t.TempDir()
		copyFiles(t, filepath.Join(schemas, name, "relay"), dir)

		var log strings.Builder
		r, err := p2p.NewRelay(p2p.RelayConfig{StateDir: dir, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := r.Close(); err != nil || log.Len() > 0 {
			t.Errorf("%s: %v; said %s", name, err, &log)
		}

		boxes, err := mailbox.OpenSQLite(filepath.Join(dir, mailboxFile), 0)
		if err != nil {
			t.Fatal(err)
		}
		defer boxes.Close()
		got, err := boxes.Get(t.Context(), []mailbox.Tag{{1}}, time.Now())
		if err != nil || len(got) != 1 || got[0].Box != keptBox {
			t.Errorf("%s: %d boxes, %v", name, len(got), err)
		}
	}
}

// schemaFolders returns the folders, today's among them.
func schemaFolders(t *testing.T) (names []string) {
	t.Helper()
	todays := fmt.Sprint("schema-", store.Schema)
	all, err := os.ReadDir(schemas)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	for _, e := range all {
		names = append(names, e.Name())
	}
	if !slices.Contains(names, todays) {
		t.Fatalf("%s has no %s: go test ./node -run TestProfilesOfEachSchema -update", schemas, todays)
	}
	return names
}

// keptUser starts a node on a copy of a kept profile.
func keptUser(t *testing.T, net *nettest.Net, schema, name string) *user {
	t.Helper()
	u := &user{t: t, name: name, net: net, dir: config.Profile{Dir: filepath.Join(t.TempDir(), name)}}
	if err := u.dir.Make(); err != nil {
		t.Fatal(err)
	}
	copyFiles(t, filepath.Join(schemas, schema, strings.ToLower(name)), u.dir.Dir)
	u.start()
	return u
}

// writeSchema writes the folders of the schema of today.
func writeSchema(t *testing.T) {
	t.Helper()
	dir := filepath.Join(schemas, fmt.Sprint("schema-", store.Schema))
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}

	net := nettest.New(5)
	ada, bob := newUser(t, net, "Ada"), newUser(t, net, "Bob")
	befriend(t, ada, bob)
	for i := range keptTexts {
		text := said
		if i > 0 {
			text = fmt.Sprint(said, ", ", i+1)
		}
		ada.waitState(ada.send(bob, text).ID, api.StateDelivered)
	}
	bob.waitState(bob.send(ada, "heard").ID, api.StateDelivered)
	for _, u := range []*user{ada, bob} {
		u.shutdown()
		copyFiles(t, u.dir.Dir, filepath.Join(dir, strings.ToLower(u.name)))
	}

	relay := t.TempDir()
	r, err := p2p.NewRelay(p2p.RelayConfig{StateDir: relay})
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	boxes, err := mailbox.OpenSQLite(filepath.Join(relay, mailboxFile), 0)
	if err != nil {
		t.Fatal(err)
	}
	never := time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
	if err := errors.Join(boxes.Put(context.Background(), mailbox.Tag{1}, &keptBox, never, true), boxes.Close()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(relay, "relays"), new(recall.Relay).Append(nil), 0o600); err != nil {
		t.Fatal(err)
	}
	copyFiles(t, relay, filepath.Join(dir, "relay"))
}

// copyFiles copies the files of a folder that hold something.
func copyFiles(t *testing.T, from, to string) {
	t.Helper()
	files, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(to, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(from, f.Name()))
		if f.IsDir() || err == nil && len(b) == 0 {
			continue
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(to, f.Name()), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
