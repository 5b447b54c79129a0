package relay

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"
	"time"

	"starling/node/config"
)

// quotaFile holds the bytes of this month, so that a restart begins no new one.
const quotaFile = "relay.quota"

const (
	saveEvery = time.Minute
	maxQuota  = 4 << 10 // bytes of the file
)

// A ledger counts the bytes of a calendar month, UTC.
type ledger struct {
	path string
	time func() time.Time

	mu    sync.Mutex
	page  page
	saved time.Time
	dirty bool
}

// page is the file.
type page struct {
	Month string `json:"month"` // 2026-11
	Bytes int64  `json:"bytes"`
}

const monthly = "2006-01"

// openLedger reads the file, or begins one. A damaged one would let a relay carry more
// than its owner pays for: it is told. now is the time of day.
func openLedger(path string, now func() time.Time) (*ledger, error) {
	l := &ledger{path: path, time: now, saved: now()}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		l.turn()
		return l, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxQuota))
	if err == nil {
		err = json.Unmarshal(b, &l.page)
	}
	if _, bad := time.Parse(monthly, l.page.Month); err == nil && (bad != nil || l.page.Bytes < 0) {
		err = errors.New("no month, or no bytes")
	}
	if err != nil {
		return nil, &damagedError{fmt.Sprintf("the count of this month's bytes is damaged: %s: %v", path, err), "remove the file: the month's count begins anew"}
	}
	l.turn()
	return l, nil
}

// turn begins a new month. A clock that was set back ends none: the bytes count for the
// month of now.
func (l *ledger) turn() {
	month := l.time().UTC().Format(monthly)
	if month > l.page.Month {
		l.page.Bytes = 0
	}
	if month != l.page.Month {
		l.page.Month, l.dirty = month, true
	}
}

// add counts bytes, and writes them down now and then.
func (l *ledger) add(n int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.turn()
	if n > 0 {
		l.page.Bytes += n
		l.dirty = true
	}
	if now := l.time(); now.Sub(l.saved).Abs() >= saveEvery {
		l.write()
	}
}

// now returns the bytes of this month, and the beginning of the next.
func (l *ledger) now() (bytes int64, next time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.turn()
	t := l.time().UTC()
	return l.page.Bytes, time.Date(t.Year(), t.Month()+1, 1, 0, 0, 0, 0, time.UTC)
}

// save writes the page if it has changed.
func (l *ledger) save() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.write()
}

func (l *ledger) write() {
	l.saved = l.time()
	if !l.dirty {
		return
	}
	if b, err := json.Marshal(l.page); err == nil && config.WriteFile(l.path, append(b, '\n')) == nil {
		l.dirty = false // a full disk is told elsewhere; the next time will do
	}
}
