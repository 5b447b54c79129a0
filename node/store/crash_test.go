package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	"starling/node/api"
	"starling/p2p/virtualdisk"
)

// A store killed at any write, or on a machine that loses its power then, holds, when
// it is opened again, exactly the changes that were reported as written.
// STARLING_CRASH=all tries every write, not one in eleven.
func TestKilledAtEveryWrite(t *testing.T) {
	for _, power := range []bool{false, true} {
		t.Run(fmt.Sprintf("power fails=%v", power), func(t *testing.T) { killAtEveryWrite(t, power) })
	}
}

func killAtEveryWrite(t *testing.T, power bool) {
	stride := 11
	if os.Getenv("STARLING_CRASH") == "all" {
		stride = 1
	}
	for kill := 0; ; kill += stride {
		name := fmt.Sprintf("kill-%v-%d", power, kill)
		fs := virtualdisk.Register(name)
		p := newProfile(t)
		s, err := Open(p, secret, Options{VFS: name})
		if err != nil {
			t.Fatal(err)
		}
		c := addContact(t, s, "A", []byte("0"))
		if power {
			fs.FailPowerAfter(kill)
		} else {
			fs.KillAfter(kill)
		}
		done := 0
		for step := 1; step <= 12; step++ {
			err := s.Update(t.Context(), func(tx *Tx) error {
				state, version, err := tx.Session(c.ID)
				if err != nil {
					return err
				}
				if string(state) != fmt.Sprint(step-1) {
					t.Fatalf("state %s at step %d", state, step)
				}
				_, err = tx.AddMessage(Message{ID: ID{byte(step)}, Contact: c.ID, Text: fmt.Sprint(step), State: api.StateReceived}, now)
				return errors.Join(err, tx.SetSession(c.ID, version, []byte(fmt.Sprint(step))))
			})
			if err != nil {
				break
			}
			done = step
			if step%4 == 0 {
				if s.Checkpoint() != nil {
					break
				}
			}
			if step == 6 && s.Rotate(t.Context()) != nil {
				break
			}
		}
		killed := false
		select {
		case <-fs.Killed():
			killed = true
		default:
		}
		s.Close()

		s, err = Open(p, secret, Options{})
		if err != nil {
			t.Fatalf("killed at write %d: %v", kill, err)
		}
		err = s.View(t.Context(), func(tx *Tx) error {
			state, _, err := tx.Session(c.ID)
			if err != nil {
				return err
			}
			messages, err := tx.History(c.ID, 1<<60, 100)
			// The commit that was cut may have taken effect: nobody was told.
			if n := len(messages); n < done || n > done+1 || string(state) != fmt.Sprint(n) {
				t.Errorf("killed at write %d after %d steps: %d messages, state %s", kill, done, n, state)
			}
			return err
		})
		if err != nil {
			t.Fatalf("killed at write %d: %v", kill, err)
		}
		s.Close()
		if !killed {
			t.Logf("%d writes, every %d. tried", kill, stride)
			if kill < 40 {
				t.Errorf("only %d writes: the test sees nothing", kill)
			}
			return
		}
	}
}

// A full disk is reported as such, leaves nothing half written, and once there
// is room everything goes on.
func TestDiskFull(t *testing.T) {
	fs := virtualdisk.Register("full")
	p := newProfile(t)
	s, err := Open(p, secret, Options{VFS: "full"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c := addContact(t, s, "A", nil)
	add := func(n int) error {
		return s.Update(t.Context(), func(tx *Tx) error {
			for i := range 50 {
				_, err := tx.AddMessage(Message{ID: ID{byte(n), byte(i)}, Contact: c.ID, State: api.StateReceived,
					Text: string(make([]byte, 2000))}, now)
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := add(1); err != nil {
		t.Fatal(err)
	}
	fs.SetFull(true)
	for range 3 {
		if err := add(2); !errors.Is(err, ErrFull) {
			t.Errorf("got %v", err)
		}
	}
	count := func() int { return view(t, s, func(tx *Tx) (int, error) { return tx.Unread(c.ID, 0) }) }
	if n := count(); n != 50 {
		t.Errorf("%d messages on a full disk", n)
	}
	fs.SetFull(false)
	if err := add(2); err != nil {
		t.Fatal(err)
	}
	if n := count(); n != 100 {
		t.Errorf("%d messages", n)
	}
}

// Only changes that must outlive a crash of the machine wait for the disk.
func TestNote(t *testing.T) {
	fs := virtualdisk.Register("note")
	s, err := Open(newProfile(t), secret, Options{VFS: "note"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for i, step := range []struct {
		do    func(context.Context, func(*Tx) error) error
		waits bool
	}{{s.Update, true}, {s.Note, false}, {s.Update, true}, {s.Note, false}} {
		before := fs.Syncs()
		if err := step.do(t.Context(), func(tx *Tx) error { return tx.SetOwner(fmt.Sprint(i)) }); err != nil {
			t.Fatal(err)
		}
		if waits := fs.Syncs() > before; waits != step.waits {
			t.Errorf("waits for the disk: %v, want %v", waits, step.waits)
		}
	}
}
