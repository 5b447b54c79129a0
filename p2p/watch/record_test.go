package watch

import (
	"bytes"
	"math/rand/v2"
	"testing"
	"time"

	"starling/p2p/mailbox"
	"starling/p2p/wire"
)

// read is the record in bytes that were kept.
func read(t *testing.T, b []byte) (r Record) {
	if rest, err := r.Cut(b); err != nil || len(rest) > 0 {
		t.Errorf("cannot read what was kept: %v", err)
	}
	return r
}

// ended returns the last of some records; crashed the one before, as if the last start
// had ended without a word.
func ended(t *testing.T) func([][]byte) Record {
	return func(records [][]byte) Record { return read(t, records[len(records)-1]) }
}

func crashed(t *testing.T) func([][]byte) Record {
	return func(records [][]byte) Record { return read(t, records[max(0, len(records)-2)]) }
}

// A client that runs for three hours at a time finds out a mailbox that keeps nothing
// beyond the moment, and knows it at every later start.
func TestTrialsOutliveRestarts(t *testing.T) {
	k := &keeper{push: true, drops: func(wire.NodeID, time.Duration) bool { return true }}
	lied := k.live(t, 60*24*time.Hour, 3*time.Hour, ended(t))
	if len(lied) != 2 {
		t.Errorf("found out: %v", lied)
	}
	t.Logf("after %v", lied)
}

// Nobody honest is blamed by a client that is started again and again, crashes between,
// or has an older copy of its record put back.
func TestRestartsBlameNobody(t *testing.T) {
	for name, start := range map[string]func([][]byte) Record{
		"ended": ended(t),
		"crashed": func(records [][]byte) Record {
			if rand.IntN(2) == 0 {
				return ended(t)(records)
			}
			return crashed(t)(records)
		},
		"old": func(records [][]byte) Record { return read(t, records[rand.IntN(len(records))]).WithoutBoxes() },
	} {
		k := &keeper{drops: func(wire.NodeID, time.Duration) bool { return false }}
		if lied := k.live(t, 60*24*time.Hour, 5*time.Hour, start); len(lied) > 0 || k.acked < 30 {
			t.Errorf("%s: %v; %d trials passed", name, lied, k.acked)
		}
	}
}

// A computer that sleeps for weeks, or has its clock put right, finds its boxes gone,
// and blames nobody.
func TestSleepBlamesNobody(t *testing.T) {
	const awake, asleep = 40 * time.Hour, 20 * 24 * time.Hour
	var k *keeper
	k = &keeper{
		drops: func(_ wire.NodeID, stored time.Duration) bool { return time.Since(k.began)%awake < stored },
		now:   func() time.Time { return time.Now().Add(time.Since(k.began) / awake * asleep) },
	}
	for range 2 {
		if lied := k.run(t, 60*24*time.Hour); len(lied) > 0 {
			t.Errorf("blamed: %v", lied)
		}
	}
}

func record() Record {
	return Record{lived: 3 * time.Hour,
		verdicts: []verdict{{wire.NodeID{1}, time.Hour, 0}, {wire.NodeID{2}, 2 * time.Hour, time.Hour}},
		layaways: []layaway{{wire.NodeID{1}, watchID{1}, mailbox.Tag{2}, [32]byte{3}, 4, 5}}}
}

func TestRecordDamaged(t *testing.T) {
	r := record()
	b := r.Append(nil)
	for n := range b {
		if _, err := new(Record).Cut(b[:n]); err == nil {
			t.Errorf("cut at %d is accepted", n)
		}
	}
	again := new(Record)
	if rest, err := again.Cut(append(b, 7)); err != nil || !bytes.Equal(rest, []byte{7}) || !bytes.Equal(again.Append(nil), b) {
		t.Errorf("%+v, rest %x: %v", again, rest, err)
	}
	for _, at := range []int{0, 8 + 2 + 32, len(b) - 8} { // times beyond all measure
		bad := bytes.Clone(b)
		bad[at] = 1
		if _, err := again.Cut(bad); err == nil {
			t.Errorf("a time at %d is accepted", at)
		}
	}
	if r := r.WithoutBoxes(); len(r.layaways) > 0 || len(r.verdicts) != 2 {
		t.Errorf("%+v", r)
	}
}

// The record is bounded, however many mailboxes fail.
func TestRecordIsBounded(t *testing.T) {
	ws := New(Config{})
	for i := range 2 * maxKept {
		at := wire.NodeID{byte(i), byte(i >> 8), 1}
		ws.verdicts[at] = verdict{at: at, failed: time.Duration(i+1) * time.Millisecond, lied: time.Second}
		ws.layaways[watchID(at[:16])] = layaway{at: at, stored: time.Now().Unix()}
	}
	r, _ := ws.Record()
	if len(r.verdicts) != maxKept || len(r.layaways) != maxKept || len(ws.verdicts) != maxKept {
		t.Errorf("%d mailboxes and %d boxes are kept", len(r.verdicts), len(r.layaways))
	}
}

func FuzzRecord(f *testing.F) {
	r := record()
	f.Add(r.Append(nil))
	f.Add(new(Record).Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		var r Record
		rest, err := r.Cut(b)
		if err == nil && !bytes.Equal(append(r.Append(nil), rest...), b) {
			t.Fatalf("%x is not written as it was read", b)
		}
	})
}
