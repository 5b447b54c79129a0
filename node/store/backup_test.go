package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"filippo.io/age"

	"starling/node/config"
)

const backupSecret = "another secret"

func backupOf(t testing.TB, s *Store) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "backup.age")
	if err := s.Backup(t.Context(), path, backupSecret); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestBackup(t *testing.T) {
	p := newProfile(t)
	s := open(t, p)
	bob := addContact(t, s, "Bob", []byte("ratchet state"))
	for i := range 300 {
		say(t, s, bob, fmt.Sprintf("text %d %01000d", i, i))
	}
	// Others write while it is made.
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	update(t, s, func(tx *Tx) error { return tx.SetNetworkState([]byte("Ada")) })
	go func() {
		defer close(ended)
		for i := 0; ctx.Err() == nil; i++ {
			s.Update(ctx, func(tx *Tx) error {
				// Both or none.
				return errors.Join(tx.SetOwner(fmt.Sprint(i)), tx.SetNetworkState([]byte(fmt.Sprint(i))))
			})
		}
	}()
	path := backupOf(t, s)
	cancel()
	<-ended
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := s.Backup(t.Context(), path, backupSecret); !errors.Is(err, ErrFileExists) {
		t.Errorf("over an existing file: %v", err)
	}
	if err := s.Backup(t.Context(), path+"2", ""); !errors.Is(err, ErrNoSecret) {
		t.Errorf("without a passphrase: %v", err)
	}
	if err := s.Backup(ctx, path+"2", backupSecret); !errors.Is(err, context.Canceled) {
		t.Errorf("ended: %v", err)
	}
	if inside, _ := os.ReadDir(filepath.Dir(path)); len(inside) != 1 {
		t.Errorf("left %v", inside)
	}
	if snapshots, _ := filepath.Glob(filepath.Join(p.Unfinished(), "*")); len(snapshots) != 0 {
		t.Errorf("left %v", snapshots)
	}
	if s.Restored() {
		t.Error("the profile itself takes itself for a copy")
	}

	to := config.Profile{Dir: filepath.Join(t.TempDir(), "restored")}
	if err := Restore(t.Context(), to, path, backupSecret); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(to, backupSecret, Options{}); !errors.Is(err, ErrWrongPassphrase) {
		t.Errorf("opens with the backup's passphrase: %v", err)
	}
	r := open(t, to)
	if !r.Restored() {
		t.Error("does not know that it is a copy")
	}
	if got := view(t, r, func(tx *Tx) ([]Message, error) { return tx.History(bob.ID, 1<<60, 1000) }); len(got) != 300 {
		t.Errorf("%d messages", len(got))
	}
	if got := found(t, r, "299", ID{}); len(got) != 1 {
		t.Errorf("found %q", got)
	}
	state := view(t, r, func(tx *Tx) ([]byte, error) { state, _, err := tx.Session(bob.ID); return state, err })
	owner, network := view(t, r, (*Tx).Owner), view(t, r, (*Tx).NetworkState)
	if string(state) != "ratchet state" || owner != string(network) {
		t.Errorf("session %q, owner %q, network %q", state, owner, network)
	}
	if bytes.Equal(r.keys.database[:], s.keys.database[:]) {
		t.Error("the copy has the profile's database key")
	}
	update(t, r, func(tx *Tx) error { tx.NewLineage(); return nil })
	if r.Restored() {
		t.Error("still a copy after its sessions were given up")
	}
	r.Close()
	if r = open(t, to); r.Restored() {
		t.Error("a copy again")
	}
	if files, _ := filepath.Glob(filepath.Join(to.Dir, "*")); len(files) < 3 {
		t.Errorf("files %v", files)
	}
	for _, name := range []string{to.KeyFile(), to.Database()} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	if info, err := os.Stat(to.Dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
}

// A copy that is put beside the living profile does not take over its marker.
func TestRestoredBesideLivingProfile(t *testing.T) {
	p := newProfile(t)
	opt := Options{Markers: filepath.Join(t.TempDir(), "markers")}
	s, err := Open(p, secret, opt)
	if err != nil {
		t.Fatal(err)
	}
	addContact(t, s, "Bob", []byte("state"))
	path := backupOf(t, s)
	s.Close()
	to := config.Profile{Dir: filepath.Join(t.TempDir(), "restored")}
	if err := Restore(t.Context(), to, path, backupSecret); err != nil {
		t.Fatal(err)
	}
	r, err := Open(to, secret, opt)
	if err != nil || !r.Restored() {
		t.Fatalf("restored %v, %v", r.Restored(), err)
	}
	r.Close() // without having given up anything
	if s, err = Open(p, secret, opt); err != nil || s.Restored() {
		t.Fatalf("the first: %v", err)
	}
	s.Close()
	if r, err = Open(to, secret, opt); err != nil || !r.Restored() {
		t.Fatal(err)
	}
	update(t, r, func(tx *Tx) error { tx.NewLineage(); return nil })
	r.Close()
	if s, err = Open(p, secret, opt); err != nil || !s.Restored() {
		t.Errorf("the first does not notice the second: %v", err)
	}
	s.Close()
}

// An incomplete backup leaves nothing behind.
func TestRestoreRefuses(t *testing.T) {
	s := open(t, newProfile(t))
	path := backupOf(t, s)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	parent := t.TempDir()
	to := config.Profile{Dir: filepath.Join(parent, "p")}
	refuse := func(name string, b []byte, passphrase string, want error) {
		t.Helper()
		file := filepath.Join(t.TempDir(), "b")
		os.WriteFile(file, b, 0o600)
		if err := Restore(t.Context(), to, file, passphrase); !errors.Is(err, want) {
			t.Errorf("%s: %v", name, err)
		}
		if inside, _ := os.ReadDir(parent); len(inside) != 0 {
			t.Fatalf("%s: left %v", name, inside)
		}
	}
	refuse("wrong passphrase", whole, "wrong", ErrWrongPassphrase)
	refuse("no passphrase", whole, "", ErrNoSecret)
	for _, n := range []int{0, 1, 100, 200, 300, 1000, len(whole) / 2, len(whole) - 1} {
		refuse(fmt.Sprint("cut at ", n), whole[:n], backupSecret, ErrNoBackup)
	}
	for _, n := range []int{200, 300, 1000, len(whole) / 2, len(whole) - 1} {
		b := bytes.Clone(whole)
		b[n] ^= 1
		refuse(fmt.Sprint("flipped at ", n), b, backupSecret, ErrNoBackup)
	}
	refuse("junk after", append(bytes.Clone(whole), 0), backupSecret, ErrNoBackup)
	refuse("long header", append([]byte("age-encryption.org/v1\n-> scrypt "), bytes.Repeat([]byte{'a'}, 1<<20)...), backupSecret, ErrNoBackup)
	refuse("dear", bytes.Replace(whole, []byte(" 10\n"), []byte(" 22\n"), 1), backupSecret, ErrNoBackup)

	_, keys, db := content(t, whole)
	refuse("other magic", seal(t, "STARLBAX", keys, uint64(len(db)), db), backupSecret, ErrNoBackup)
	refuse("damaged keys", seal(t, backupMagic, make([]byte, keyFileSize), uint64(len(db)), db), backupSecret, ErrNoBackup)
	refuse("no database", seal(t, backupMagic, keys, 0, nil), backupSecret, ErrNoBackup)
	refuse("half a page", seal(t, backupMagic, keys, 100, db[:100]), backupSecret, ErrNoBackup)
	refuse("more than there is", seal(t, backupMagic, keys, uint64(len(db))+pageSize, db), backupSecret, ErrNoBackup)
	refuse("a size past all", seal(t, backupMagic, keys, 1<<63, db), backupSecret, ErrNoBackup)
	refuse("less than there is", seal(t, backupMagic, keys, uint64(len(db))-pageSize, db), backupSecret, ErrNoBackup)

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Restore(ctx, to, path, backupSecret); !errors.Is(err, context.Canceled) || left(to) != nil {
		t.Errorf("ended: %v, left %v", err, left(to))
	}
	if err := Restore(t.Context(), newProfile(t), path, backupSecret); !errors.Is(err, ErrExists) {
		t.Errorf("over a profile: %v", err)
	}
	full := config.Profile{Dir: t.TempDir()}
	os.WriteFile(filepath.Join(full.Dir, "letter.txt"), []byte("dear"), 0o600)
	if err := Restore(t.Context(), full, path, backupSecret); !errors.Is(err, ErrNotEmpty) || len(left(full)) != 1 {
		t.Errorf("into a folder with a letter: %v, left %v", err, left(full))
	}
	if err := Restore(t.Context(), config.Profile{Dir: t.TempDir()}, path, backupSecret); err != nil {
		t.Errorf("into an empty folder: %v", err)
	}
}

// content opens a backup with the library alone.
func content(t testing.TB, b []byte) (magic string, keys, db []byte) {
	t.Helper()
	identity, _ := age.NewScryptIdentity(backupSecret)
	r, err := age.Decrypt(bytes.NewReader(b), identity)
	if err != nil {
		t.Fatal(err)
	}
	var plain bytes.Buffer
	if _, err := plain.ReadFrom(r); err != nil {
		t.Fatal(err)
	}
	all := plain.Bytes()
	if n := binary.BigEndian.Uint64(all[9+keyFileSize:]); all[8] != backupVersion || int(n) != len(all)-backupHead {
		t.Fatalf("version %d, size %d of %d", all[8], n, len(all))
	}
	return string(all[:8]), all[9 : 9+keyFileSize], all[backupHead:]
}

func seal(t testing.TB, magic string, keys []byte, size uint64, db []byte) []byte {
	t.Helper()
	recipient, _ := age.NewScryptRecipient(backupSecret)
	recipient.SetWorkFactor(cheapBackupWork)
	var b bytes.Buffer
	w, err := age.Encrypt(&b, recipient)
	if err != nil {
		t.Fatal(err)
	}
	w.Write([]byte(magic + "\x02"))
	w.Write(keys)
	w.Write(binary.BigEndian.AppendUint64(nil, size))
	w.Write(db)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// FuzzRestore takes anything for a backup, and anything for its content.
func FuzzRestore(f *testing.F) {
	s := open(f, newProfile(f))
	whole, err := os.ReadFile(backupOf(f, s))
	if err != nil {
		f.Fatal(err)
	}
	_, keys, db := content(f, whole)
	plain := append([]byte(backupMagic+"\x02"), keys...)
	plain = append(binary.BigEndian.AppendUint64(plain, pageSize), db[:pageSize]...)
	f.Add(whole[:2000])
	f.Add(plain)
	f.Add(plain[:len(plain)-1])
	f.Fuzz(func(t *testing.T, b []byte) {
		openBackup(bytes.NewReader(b), backupSecret, 1)
		dir := t.TempDir()
		p := config.Profile{Dir: dir}
		if err := unpack(bytes.NewReader(b), p, int64(len(b))); err != nil {
			if !errors.Is(err, ErrNoBackup) && !errors.Is(err, ErrNewerBackup) {
				t.Errorf("%v", err)
			}
			return
		}
		if !bytes.HasPrefix(b, []byte(backupMagic)) || len(b) < backupHead+pageSize {
			t.Errorf("took %x", b)
		}
	})
}
