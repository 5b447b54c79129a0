package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"starling/node/api"
	"starling/node/config"
)

const secret = "correct horse"

func newProfile(t testing.TB) config.Profile {
	p := config.Profile{Dir: filepath.Join(t.TempDir(), "profile")}
	if err := Create(p, secret, "Ada", Options{KDF: CheapKDF}); err != nil {
		t.Fatal(err)
	}
	return p
}

func open(t testing.TB, p config.Profile) *Store {
	t.Helper()
	s, err := Open(p, secret, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func update(t testing.TB, s *Store, fn func(*Tx) error) {
	t.Helper()
	if err := s.Update(t.Context(), fn); err != nil {
		t.Fatal(err)
	}
}

func view[T any](t testing.TB, s *Store, fn func(*Tx) (T, error)) (v T) {
	t.Helper()
	if err := s.View(t.Context(), func(tx *Tx) (err error) { v, err = fn(tx); return err }); err != nil {
		t.Fatal(err)
	}
	return v
}

var now = time.UnixMicro(1_700_000_000_123_456).UTC()

func addContact(t testing.TB, s *Store, name string, session []byte) Contact {
	t.Helper()
	c := Contact{ID: NewID(), Name: name, State: api.ContactReady, Created: now, Invite: "i-" + name}
	update(t, s, func(tx *Tx) error { return tx.AddContact(c, session) })
	return c
}

func TestCreateOpen(t *testing.T) {
	p := newProfile(t)
	if err := Create(p, secret, "Eve", Options{KDF: CheapKDF}); !errors.Is(err, ErrExists) {
		t.Errorf("second Create: %v", err)
	}
	s := open(t, p)
	if owner := view(t, s, (*Tx).Owner); owner != "Ada" {
		t.Errorf("owner %q", owner)
	}
	if _, err := Open(p, secret, Options{}); !errors.Is(err, ErrInUse) {
		t.Errorf("second Open: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("second Close: %v", err)
	}
	if err := s.Update(t.Context(), func(*Tx) error { return nil }); !errors.Is(err, ErrClosed) {
		t.Errorf("Update after Close: %v", err)
	}
	if _, err := Open(p, "wrong", Options{}); !errors.Is(err, ErrWrongPassphrase) {
		t.Errorf("wrong passphrase: %v", err)
	}
	open(t, p)
	if _, err := Open(config.Profile{Dir: t.TempDir()}, secret, Options{}); !errors.Is(err, ErrNoProfile) {
		t.Errorf("empty folder: %v", err)
	}
}

func TestFilesArePrivate(t *testing.T) {
	p := newProfile(t)
	s := open(t, p)
	addContact(t, s, "Bob", nil)
	files, _ := filepath.Glob(filepath.Join(p.Dir, "*"))
	if len(files) < 4 { // key, database, log, lock
		t.Errorf("files: %v", files)
	}
	for _, f := range files {
		if info, _ := os.Stat(f); info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v", f, info.Mode().Perm())
		}
	}
}

func TestChangePassphrase(t *testing.T) {
	p := newProfile(t)
	if err := ChangePassphrase(p, "wrong", "new", CheapKDF); !errors.Is(err, ErrWrongPassphrase) {
		t.Errorf("wrong passphrase: %v", err)
	}
	if err := ChangePassphrase(p, secret, "new", CheapKDF); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(p, secret, Options{}); !errors.Is(err, ErrWrongPassphrase) {
		t.Errorf("old passphrase: %v", err)
	}
	s, err := Open(p, "new", Options{})
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
}

// A damaged file is told from a wrong passphrase, whichever file and wherever.
func TestDamaged(t *testing.T) {
	fresh := func(t *testing.T) config.Profile {
		p := newProfile(t)
		s := open(t, p)
		for i := range 50 {
			addContact(t, s, fmt.Sprint("contact ", i), bytes.Repeat([]byte{1}, 4000))
		}
		s.Close()
		return p
	}
	garbage := bytes.Repeat([]byte("garbage!"), 4096)
	for _, tt := range []struct {
		name string
		file string
		harm func(path string) error
	}{
		{"key file missing", "profile.key", os.Remove},
		{"key file empty", "profile.key", func(p string) error { return os.Truncate(p, 0) }},
		{"key file cut", "profile.key", func(p string) error { return os.Truncate(p, keyFileSize-1) }},
		{"key file is something else", "profile.key", func(p string) error { return os.WriteFile(p, garbage, 0o600) }},
		{"database missing", "profile.db", os.Remove},
		{"database empty", "profile.db", func(p string) error { return os.Truncate(p, 0) }},
		{"database cut to a page", "profile.db", func(p string) error { return os.Truncate(p, 4096) }},
		{"database is something else", "profile.db", func(p string) error { return os.WriteFile(p, garbage, 0o600) }},
		{"first page flipped", "profile.db", func(p string) error { return flip(p, 100) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := fresh(t)
			if err := tt.harm(filepath.Join(p.Dir, tt.file)); err != nil {
				t.Fatal(err)
			}
			s, err := Open(p, secret, Options{})
			var damaged *DamagedError
			if !errors.As(err, &damaged) || damaged.File != tt.file {
				t.Errorf("got %v", err)
			}
			if err == nil {
				s.Close()
			}
		})
	}
	t.Run("another profile's database", func(t *testing.T) {
		p, other := fresh(t), fresh(t)
		b, _ := os.ReadFile(other.Database())
		os.WriteFile(p.Database(), b, 0o600)
		_, err := Open(p, secret, Options{})
		if damaged := (*DamagedError)(nil); !errors.As(err, &damaged) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a later page", func(t *testing.T) {
		p := fresh(t)
		for page := int64(1); page < 30; page++ {
			flip(p.Database(), page*4096+50)
		}
		s, err := Open(p, secret, Options{})
		if err == nil {
			err = s.View(t.Context(), func(tx *Tx) error {
				contacts, err := tx.Contacts()
				for _, c := range contacts {
					if err == nil {
						_, _, err = tx.Session(c.ID)
					}
				}
				return err
			})
			s.Close()
		}
		if damaged := (*DamagedError)(nil); !errors.As(err, &damaged) {
			t.Errorf("got %v", err)
		}
	})
}

func flip(path string, off int64) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	var b [1]byte
	if _, err := f.ReadAt(b[:], off); err != nil {
		return err
	}
	b[0] ^= 0x10
	_, err = f.WriteAt(b[:], off)
	return err
}

// No name, text or key is on disk in clear, not in the log either.
func TestNothingInClear(t *testing.T) {
	p := newProfile(t)
	s := open(t, p)
	canary := []byte("canary-canary-canary-canary")
	c := addContact(t, s, string(canary), canary)
	update(t, s, func(tx *Tx) error {
		_, err := tx.AddMessage(Message{ID: NewID(), Contact: c.ID, Text: string(canary), State: api.StateReceived}, now)
		return err
	})
	check := func() {
		t.Helper()
		files, _ := filepath.Glob(filepath.Join(p.Dir, "*"))
		for _, f := range files {
			if b, _ := os.ReadFile(f); bytes.Contains(b, canary[:12]) {
				t.Errorf("%s holds the canary", filepath.Base(f))
			}
		}
	}
	check()
	s.Checkpoint()
	check()
}

// A deleted row is in no page after a checkpoint, even for a holder of the database
// key. The pages are read back through the same cipher.
func TestDeletedIsGone(t *testing.T) {
	p := newProfile(t)
	s := open(t, p)
	canary := "deleted-text-deleted-text"
	c := addContact(t, s, "Bob", nil)
	m := Message{ID: NewID(), Contact: c.ID, Text: canary, State: api.StateReceived}
	update(t, s, func(tx *Tx) error { _, err := tx.AddMessage(m, now); return err })
	s.Checkpoint()
	if !pagesContain(t, p, s, canary) {
		t.Fatal("the test cannot see what is there")
	}
	update(t, s, func(tx *Tx) error { return tx.Erase(m, now) })
	if err := s.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	if pagesContain(t, p, s, canary) {
		t.Error("deleted text is still in the database file")
	}
	if info, err := os.Stat(p.Database() + "-wal"); err == nil && info.Size() > 0 {
		t.Errorf("log of %d bytes after a checkpoint", info.Size())
	}
}

func TestSealedRows(t *testing.T) {
	s := open(t, newProfile(t))
	state := []byte("ratchet state")
	a, b := addContact(t, s, "A", state), addContact(t, s, "B", []byte("other"))
	read := func(id ID) ([]byte, int64, error) {
		var state []byte
		var version int64
		err := s.View(t.Context(), func(tx *Tx) (err error) { state, version, err = tx.Session(id); return err })
		return state, version, err
	}
	got, version, err := read(a.ID)
	if err != nil || !bytes.Equal(got, state) {
		t.Fatalf("got %q, %v", got, err)
	}
	update(t, s, func(tx *Tx) error { return tx.SetSession(a.ID, version, []byte("next")) })
	if err := s.Update(t.Context(), func(tx *Tx) error {
		return tx.SetSession(a.ID, version, []byte("from an old copy"))
	}); !errors.Is(err, ErrStale) {
		t.Errorf("write from an old copy: %v", err)
	}

	// A value moved to another row, or put back from before, does not open.
	for name, sql := range map[string]string{
		"another row":   `UPDATE contacts SET session = (SELECT session FROM contacts WHERE id = ?1) WHERE id = ?2`,
		"older version": `UPDATE contacts SET version = version - 1 WHERE id = ?1 AND ?2 IS NOT NULL`,
	} {
		rollback := errors.New("rollback")
		err := s.Update(t.Context(), func(tx *Tx) error {
			if err := tx.exec(sql, a.ID, b.ID); err != nil {
				return err
			}
			for _, id := range []ID{a.ID, b.ID} {
				if _, _, err := tx.Session(id); err != nil {
					return rollback
				}
			}
			return nil
		})
		if err != rollback {
			t.Errorf("%s: opened, %v", name, err)
		}
	}
}

func TestRotate(t *testing.T) {
	p := newProfile(t)
	s := open(t, p)
	c := addContact(t, s, "A", []byte("state"))
	tag := Tag{7}
	item, room := Item{ID: NewID(), Contact: c.ID, Created: now, State: api.StateQueued}, ID{1, 0, 255}
	update(t, s, func(tx *Tx) error {
		return errors.Join(
			tx.SetNetworkState([]byte("guards")),
			tx.AddInvite(Invite{ID: "inv", Created: now, Expires: now, State: InviteOpen}, []byte("invite")),
			tx.AddItem(item),
			tx.SealItem(item.ID, 0, []Cell{{Tag: tag, Box: []byte("box")}}, false),
			tx.AddRoom(Room{ID: room}, "room", now, map[string][]byte{"": []byte("first"), "p\x00\xff": []byte("second")}))
	})
	check := func(s *Store) {
		t.Helper()
		err := s.View(t.Context(), func(tx *Tx) error {
			session, _, err1 := tx.Session(c.ID)
			network, err2 := tx.NetworkState()
			invite, _, err3 := tx.InviteSecret("inv")
			box, err4 := tx.Box(item.ID, tag)
			secrets, _, err5 := tx.RoomSecrets(room)
			if got := fmt.Sprintf("%s %s %s %s %s", session, network, invite, box, secrets); got != "state guards invite box map[:first p\x00\xff:second]" {
				t.Errorf("got %q", got)
			}
			return errors.Join(err1, err2, err3, err4, err5)
		})
		if err != nil {
			t.Error(err)
		}
	}
	check(s)
	before := s.keys.current
	if err := s.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.keys.current.epoch != before.epoch+1 || s.keys.rotating() {
		t.Errorf("epoch %d after %d, rotating %v", s.keys.current.epoch, before.epoch, s.keys.rotating())
	}
	check(s)
	// Nothing is left that the old key opens.
	sealed := view(t, s, func(tx *Tx) ([][]byte, error) {
		return collect(tx, func(r Row) []byte { return r.Blob(0) }, `SELECT session FROM contacts WHERE session IS NOT NULL UNION ALL
			SELECT sealed FROM meta WHERE sealed IS NOT NULL UNION ALL SELECT secret FROM invites UNION ALL SELECT box FROM cells
			UNION ALL SELECT sealed FROM secrets`)
	})
	if len(sealed) != 6 {
		t.Errorf("%d sealed values", len(sealed))
	}
	for _, b := range sealed {
		if b[7] != byte(s.keys.current.epoch) {
			t.Errorf("value of epoch %d", b[7])
		}
	}

	// A rotation cut short after its first step is finished by the next Open.
	next := *s.keys
	next.previous = next.current
	next.current.epoch++
	next.current.key = [32]byte{1, 2, 3}
	s.Close()
	if err := config.WriteFile(p.KeyFile(), next.marshal()); err != nil {
		t.Fatal(err)
	}
	s = open(t, p)
	check(s)
	if s.keys.rotating() || s.keys.current.epoch != next.current.epoch {
		t.Error("rotation not finished")
	}
	s.Close()
	check(open(t, p))
}

func TestUpdateIsAllOrNothing(t *testing.T) {
	s := open(t, newProfile(t))
	fail := errors.New("fail")
	err := s.Update(t.Context(), func(tx *Tx) error {
		if err := tx.SetOwner("half"); err != nil {
			return err
		}
		return fail
	})
	if err != fail {
		t.Errorf("got %v", err)
	}
	if owner := view(t, s, (*Tx).Owner); owner != "Ada" {
		t.Errorf("owner %q", owner)
	}
	if err := s.Update(canceled(), func(*Tx) error { t.Error("ran"); return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("ended context: %v", err)
	}
}

func canceled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// Callers that come together share commits, and one that fails takes no other
// down with it.
func TestConcurrentUpdates(t *testing.T) {
	s := open(t, newProfile(t))
	c := addContact(t, s, "A", nil)
	fail := errors.New("fail")
	var wg sync.WaitGroup
	const n = 200
	for i := range n {
		wg.Go(func() {
			err := s.Update(t.Context(), func(tx *Tx) error {
				_, err := tx.AddMessage(Message{ID: NewID(), Contact: c.ID, State: api.StateReceived}, now)
				if err == nil && i%4 == 0 {
					return fail
				}
				return err
			})
			if want := map[bool]error{true: fail}[i%4 == 0]; err != want {
				t.Errorf("update %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if n := view(t, s, func(tx *Tx) (int, error) { return tx.Unread(c.ID, 0) }); n != 150 {
		t.Errorf("%d messages, want 150", n)
	}
}

func TestEventLog(t *testing.T) {
	s := open(t, newProfile(t))
	c := addContact(t, s, "A", nil)
	changed := s.Changed()
	m := Message{ID: NewID(), Contact: c.ID, Outgoing: true, State: api.StateQueued, Text: "hi", Time: now}
	update(t, s, func(tx *Tx) (err error) { m.Seq, err = tx.AddMessage(m, now); return err })
	select {
	case <-changed:
	default:
		t.Error("nobody was woken")
	}
	update(t, s, func(tx *Tx) error { return tx.SetState(m, api.StateSent, "", now) })
	events := view(t, s, func(tx *Tx) ([]Event, error) { return tx.Events(0, 10) })
	want := []Event{
		{Seq: 1, Kind: api.EventMessage, Contact: c.ID, Message: m.ID, State: api.StateQueued, Time: now},
		{Seq: 2, Kind: api.EventState, Contact: c.ID, Message: m.ID, State: api.StateSent, Time: now},
	}
	if fmt.Sprint(events) != fmt.Sprint(want) || m.Seq != 1 {
		t.Errorf("got %v, want %v", events, want)
	}
	if got := view(t, s, func(tx *Tx) ([]Event, error) { return tx.Events(1, 10) }); len(got) != 1 {
		t.Errorf("after 1: %v", got)
	}
	update(t, s, func(tx *Tx) error { return tx.RemoveContact(c.ID) })
	if got := view(t, s, func(tx *Tx) ([]Event, error) { return tx.Events(0, 10) }); len(got) != 0 {
		t.Errorf("after removal: %v", got)
	}
	// Numbers are never used again.
	update(t, s, func(tx *Tx) error {
		seq, err := tx.Append(Event{Kind: api.EventRemoved, Time: now})
		if seq != 3 {
			t.Errorf("next number %d", seq)
		}
		return err
	})
}

func TestHistory(t *testing.T) {
	s := open(t, newProfile(t))
	a, b := addContact(t, s, "A", nil), addContact(t, s, "B", nil)
	for i := range 10 {
		for _, c := range []Contact{a, b} {
			update(t, s, func(tx *Tx) error {
				_, err := tx.AddMessage(Message{ID: NewID(), Contact: c.ID, Text: fmt.Sprint(i), State: api.StateReceived}, now)
				return err
			})
		}
	}
	last := view(t, s, func(tx *Tx) (Message, error) { return tx.LastMessage(a.ID) })
	page := view(t, s, func(tx *Tx) ([]Message, error) { return tx.History(a.ID, last.Seq, 3) })
	if len(page) != 3 || page[0].Text != "6" || page[2].Text != "8" {
		t.Errorf("got %v", page)
	}
}

func BenchmarkOpen(b *testing.B) {
	p := newProfile(b)
	for b.Loop() {
		s, err := Open(p, secret, Options{})
		if err != nil {
			b.Fatal(err)
		}
		s.Close()
	}
}

// One message as the outbox writes it: session, message, item, cell, events.
func benchmarkSend(b *testing.B, parallel int) {
	s := open(b, newProfile(b))
	c := addContact(b, s, "A", make([]byte, 4000))
	send := func() {
		err := s.Update(b.Context(), func(tx *Tx) error {
			state, v, err := tx.Session(c.ID)
			if err != nil {
				return err
			}
			id := NewID()
			m := Message{ID: id, Contact: c.ID, Outgoing: true, Text: "hello", Time: now, State: api.StateQueued}
			_, err = tx.AddMessage(m, now)
			return errors.Join(err, tx.SetSession(c.ID, v, state),
				tx.AddItem(Item{ID: id, Contact: c.ID, Created: now, State: api.StateQueued}),
				tx.SealItem(id, 0, []Cell{{Tag: Tag(id), Box: make([]byte, 1536)}}, false),
				tx.SetState(m, api.StateSealed, "", now))
		})
		if err != nil {
			b.Error(err)
		}
	}
	if parallel == 1 {
		for b.Loop() {
			send()
		}
		return
	}
	b.SetParallelism(parallel)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			send()
		}
	})
}

func BenchmarkSend(b *testing.B)         { benchmarkSend(b, 1) }
func BenchmarkSendParallel(b *testing.B) { benchmarkSend(b, 16) }

// TestTimerOfAClockAhead: a message began to count down by a clock that was a year ahead. By the clock that was put right it begins
// anew, and others go on.
func TestTimerOfAClockAhead(t *testing.T) {
	s := open(t, newProfile(t))
	c := addContact(t, s, "Bob", []byte("state"))
	now := time.UnixMicro(1_800_000_000_000_000)
	add := func(timer int, began time.Time) (m Message) {
		m = Message{ID: NewID(), Contact: c.ID, Outgoing: true, Text: "x", State: api.StateDelivered, Time: now, Timer: timer}
		m.Content = m.ID.Content()
		update(t, s, func(tx *Tx) error {
			if _, err := tx.AddMessage(m, now); err != nil {
				return err
			}
			return tx.CountDown(m, began)
		})
		return m
	}
	expires := func(m Message) (at time.Time) {
		update(t, s, func(tx *Tx) error {
			got, err := tx.Message(m.ID)
			at = got.Expires
			return err
		})
		return at
	}
	recount := func() (long bool) {
		update(t, s, func(tx *Tx) (err error) {
			if long, err = tx.CountsTooLong(now); err != nil {
				return err
			}
			return tx.Recount(now)
		})
		return long
	}

	goes := add(60, now.Add(-30*time.Second))
	if add(4*7*24*3600, now); recount() {
		t.Error("a long timer counts too long")
	}
	wrong := add(3600, now.Add(365*24*time.Hour))
	if !recount() || recount() {
		t.Error("a message counts down for a year")
	}
	if at := expires(wrong); !at.Equal(now.Add(time.Hour)) {
		t.Errorf("it goes at %v", at)
	}
	if at := expires(goes); !at.Equal(now.Add(30 * time.Second)) {
		t.Errorf("another goes at %v", at)
	}
}
