package relay

import (
	"bytes"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"starling/p2p/mailbox"
	"starling/p2p/wire"
)

// TestStrain: a disk is low before it is full, has room again only when there is clearly
// more, and the claim to the network follows.
func TestStrain(t *testing.T) {
	r := new(Relay)
	r.cfg.Bandwidth = 1000 * wire.FrameSize
	r.sizes.Clients = 5
	r.newTuning()
	for i, step := range []struct {
		free     uint64
		state    DiskState
		capacity uint16
	}{
		{1 << 30, DiskEnough, 1000}, {lowFree - 1, DiskLow, 250}, {lowFree + 1, DiskLow, 250}, {mailbox.LeastFree - 1, DiskFull, 62},
		{mailbox.LeastFree, DiskLow, 250}, {lowAgain, DiskEnough, 1000}, {lowFree + 1, DiskEnough, 1000}, {0, DiskFull, 62},
	} {
		if d, _ := r.strain.see(step.free); d.State != step.state || r.capacity() != step.capacity {
			t.Errorf("step %d: %v, %d packets a second", i, d.State, r.capacity())
		}
	}
	r.tuning.set(Tuning{Bandwidth: 1})
	if r.capacity() != 1 {
		t.Errorf("%d packets a second: 0 would say that it leaves", r.capacity())
	}
}

// TestSmallerMailbox: a relay whose mailbox is to be smaller than the mail in it keeps
// all of it, and its owner is told at the start, and at a change while it runs.
func TestSmallerMailbox(t *testing.T) {
	dir := t.TempDir()
	store, err := mailbox.OpenSQLite(filepath.Join(dir, mailFile), 0)
	if err != nil {
		t.Fatal(err)
	}
	const boxes = 30
	for n := range boxes {
		if err := store.Put(t.Context(), mailbox.Tag{byte(n)}, new(mailbox.Box), time.Now().Add(mailbox.TTL), true); err != nil {
			t.Fatal(err)
		}
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}

	var log bytes.Buffer
	r, err := New(Config{StateDir: dir, Listen: []string{"/ip4/127.0.0.1/tcp/0"}, AllowPrivate: true, MaxBoxes: 10, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	told := func() int { return strings.Count(log.String(), "nothing is deleted") }
	if s := r.Status(); s.Boxes != boxes || s.BoxPlaces != 10 || told() != 1 {
		t.Errorf("%d boxes of %d, told %d times", s.Boxes, s.BoxPlaces, told())
	}
	for _, step := range []struct{ most, told int }{{40, 1}, {29, 2}} {
		if err := r.Tune(t.Context(), Tuning{MaxBoxes: step.most}); err != nil {
			t.Fatal(err)
		}
		if s := r.Status(); s.Boxes != boxes || s.BoxPlaces != step.most || told() != step.told {
			t.Errorf("%d boxes of %d, told %d times", s.Boxes, s.BoxPlaces, told())
		}
	}
}
