package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	"starling/node/config"
)

// A disk is the files of a profile at one time.
type disk struct {
	key, db, log []byte
	step         int // of what was written last
}

func readDisk(t *testing.T, p config.Profile, step int) (d disk) {
	t.Helper()
	for name, to := range map[string]*[]byte{p.KeyFile(): &d.key, p.Database(): &d.db, p.Database() + "-wal": &d.log} {
		b, err := os.ReadFile(name)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		*to = b
	}
	d.step = step
	return d
}

func writeDisk(t *testing.T, d disk) config.Profile {
	t.Helper()
	p := config.Profile{Dir: t.TempDir()}
	for name, b := range map[string][]byte{p.KeyFile(): d.key, p.Database(): d.db, p.Database() + "-wal": d.log} {
		if err := os.WriteFile(name, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// stepOf opens a profile and returns the last step that is in it.
func stepOf(p config.Profile) (step int, err error) {
	s, err := Open(p, secret, Options{NoSync: true})
	if err != nil {
		return 0, err
	}
	defer s.Close()
	err = s.View(context.Background(), func(tx *Tx) error {
		owner, err := tx.Owner()
		fmt.Sscan(owner, &step)
		return err
	})
	return step, err
}

// A writer of the disk mixes files of any times: a profile that opens is no older than
// the key file, and the files of one time always open.
func TestOldFilesAreRefused(t *testing.T) {
	p := newProfile(t)
	s := open(t, p)
	var disks []disk
	var since []int // by disk: the step that was in the database when its key file was written
	checkpointed := 0
	for step := 1; step <= 8; step++ {
		update(t, s, func(tx *Tx) error {
			err := tx.AddContact(Contact{ID: NewID(), Name: fmt.Sprint(step), Created: now}, bytes.Repeat([]byte{1}, 3000))
			return errors.Join(err, tx.SetOwner(fmt.Sprint(step)))
		})
		if step%3 == 0 {
			if err := s.Checkpoint(); err != nil {
				t.Fatal(err)
			}
			checkpointed = step
		}
		disks, since = append(disks, readDisk(t, p, step)), append(since, checkpointed)
	}
	s.Close()
	disks, since = append(disks, readDisk(t, p, 8)), append(since, 8)

	refused := 0
	for k, key := range disks {
		for d, db := range disks {
			for l, log := range disks {
				step, err := stepOf(writeDisk(t, disk{key: key.key, db: db.db, log: log.log}))
				damaged := (*DamagedError)(nil)
				switch {
				case k == d && d == l && (err != nil || step != key.step):
					t.Errorf("files of one time, %d: step %d, %v", k, step, err)
				case err == nil && step < since[k]:
					t.Errorf("key file %d, database %d, log %d: went back from step %d to %d", k, d, l, since[k], step)
				case err != nil && !errors.As(err, &damaged):
					t.Errorf("key file %d, database %d, log %d: %v", k, d, l, err)
				case err != nil:
					refused++
				}
			}
		}
	}
	if refused < len(disks) {
		t.Errorf("%d of the mixtures were refused", refused)
	}
}

// A page that is put back, at any place, is refused at the start.
func TestOldPagesAreRefused(t *testing.T) {
	p := newProfile(t)
	s := open(t, p)
	c := addContact(t, s, "Bob", []byte("ratchet state, old"))
	for range 20 {
		addContact(t, s, "X", bytes.Repeat([]byte("y"), 3000))
	}
	s.Close()
	before := readDisk(t, p, 0)
	s = open(t, p)
	update(t, s, func(tx *Tx) error { return tx.SetSession(c.ID, 1, []byte("ratchet state, new")) })
	s.Close()
	after, changed := readDisk(t, p, 1), 0
	for at := 0; at+pageSize <= len(before.db); at += pageSize {
		if bytes.Equal(before.db[at:at+pageSize], after.db[at:at+pageSize]) {
			continue
		}
		changed++
		mixed := disk{key: after.key, db: bytes.Clone(after.db)}
		copy(mixed.db[at:], before.db[at:at+pageSize])
		damaged := (*DamagedError)(nil)
		if _, err := Open(writeDisk(t, mixed), secret, Options{}); !errors.As(err, &damaged) {
			t.Errorf("page %d: %v", at/pageSize, err)
		}
	}
	if changed == 0 {
		t.Error("no page was tried")
	}
	for name, db := range map[string][]byte{"a page more": append(bytes.Clone(after.db), make([]byte, pageSize)...),
		"half a page more": append(bytes.Clone(after.db), 1), "a page less": after.db[:len(after.db)-pageSize]} {
		damaged := (*DamagedError)(nil)
		if _, err := Open(writeDisk(t, disk{key: after.key, db: db}), secret, Options{}); !errors.As(err, &damaged) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Nor is a page read that is put back while the store is open.
func TestPagesAreComparedWhenRead(t *testing.T) {
	p := newProfile(t)
	s := open(t, p)
	update(t, s, func(tx *Tx) error { return tx.SetNetworkState(bytes.Repeat([]byte("old"), 1<<20)) })
	if err := s.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	before := readDisk(t, p, 0)
	update(t, s, func(tx *Tx) error { return tx.SetNetworkState(bytes.Repeat([]byte("new"), 1<<20)) })
	if err := s.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p.Database(), before.db, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.conn.Exec("PRAGMA shrink_memory"); err != nil {
		t.Fatal(err)
	}
	damaged := (*DamagedError)(nil)
	err := s.View(t.Context(), func(tx *Tx) error { _, err := tx.NetworkState(); return err })
	if !errors.As(err, &damaged) {
		t.Errorf("read: %v", err)
	}
}

// A key file that cannot be written ends a checkpoint and nothing else.
func TestCheckpointWithoutKeyFile(t *testing.T) {
	p := newProfile(t)
	s := open(t, p)
	commit := s.fresh.commit
	s.fresh.commit = func(sum, next [32]byte) error { return errors.New("no") }
	for step := 1; step <= 3; step++ {
		update(t, s, func(tx *Tx) error { return tx.SetOwner(fmt.Sprint(step)) })
		if err := s.Checkpoint(); err == nil {
			t.Fatal("checkpointed")
		}
		if got, err := stepOf(writeDisk(t, readDisk(t, p, step))); err != nil || got != step {
			t.Fatalf("step %d: a crash then leaves %d, %v", step, got, err)
		}
	}
	s.fresh.commit = commit
	if err := s.Checkpoint(); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if got, err := stepOf(p); err != nil || got != 3 {
		t.Errorf("%d, %v", got, err)
	}
}

// A database that shrinks and grows keeps its sums.
func TestShrinkAndGrow(t *testing.T) {
	p := newProfile(t)
	s := open(t, p)
	for round := range 3 {
		update(t, s, func(tx *Tx) error { return tx.SetNetworkState(bytes.Repeat([]byte{byte(round)}, 1<<20)) })
		if err := s.Checkpoint(); err != nil {
			t.Fatal(err)
		}
		update(t, s, func(tx *Tx) error { return tx.SetNetworkState(nil) })
		if err := s.conn.Exec("VACUUM"); err != nil {
			t.Fatal(err)
		}
		s.dirty = true
		if err := s.Checkpoint(); err != nil {
			t.Fatal(err)
		}
		sums := newPages(&s.keys.database)
		if err := sums.read(p.Database()); err != nil || sums.sum != s.keys.sum || len(sums.each) != len(s.fresh.each) {
			t.Fatalf("round %d: the sum is wrong: %v", round, err)
		}
	}
	s.Close()
	open(t, p)
}
