package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Summary is the last line of a run and the file summary.json. Times are in
// milliseconds.
type Summary struct {
	Event  string `json:"event"` // "summary"
	Name   string `json:"name"`
	Engine string `json:"engine"`
	Seed   uint64 `json:"seed"`
	Relays int    `json:"relays"`
	Users  int    `json:"users"`
	Counts
	Lost        int  `json:"lost"` // sent and not shown at the end
	Planned     int  `json:"planned"`
	Interrupted bool `json:"interrupted"`

	P50 int64 `json:"p50_ms"` // from writing to shown
	P90 int64 `json:"p90_ms"`
	P99 int64 `json:"p99_ms"`
	Max int64 `json:"max_ms"`

	DeliveredP50 int64 `json:"delivered_p50_ms"` // from writing to the sender's tick
	DeliveredP99 int64 `json:"delivered_p99_ms"`

	Puts    int64 `json:"puts"`    // boxes handed to mailboxes
	Resends int64 `json:"resends"` // those that had been handed to the same mailbox before
	Failed  int64 `json:"failed_puts"`

	UserBytesIn   int64 `json:"user_bytes_in"` // mean per user
	UserBytesOut  int64 `json:"user_bytes_out"`
	RelayBytesIn  int64 `json:"relay_bytes_in"` // mean per relay
	RelayBytesOut int64 `json:"relay_bytes_out"`

	RelayStops int   `json:"relay_stops"`
	Reopens    int   `json:"reopens"` // nodes opened during the traffic
	StartMS    int64 `json:"start_ms"`
	TrafficMS  int64 `json:"traffic_ms"`
	LateMS     int64 `json:"late_ms"` // the most that a step came after its time
	Goroutines int   `json:"goroutines"`
	RSSMiB     int64 `json:"rss_mib,omitempty"` // where the system tells it
}

// Passed reports whether all that was planned was shown once and in order.
func (s Summary) Passed() bool {
	return !s.Interrupted && s.Sent == s.Planned && s.Shown == s.Sent && s.Duplicates == 0 && s.OutOfOrder == 0 && s.Strange == 0
}

// Traffic is what one node received and sent.
type Traffic struct {
	Name    string // "u0", "r12"
	In, Out int64  // bytes
}

// Mark is something that happened to the mesh.
type Mark struct {
	At    time.Duration
	Label string
}

// A Report is all there is to say of a run.
type Report struct {
	Summary Summary
	About   string
	Ledger  *Ledger
	Traffic []Traffic
	Marks   []Mark
	Events  [][]byte // JSON without line feeds
}

// Check returns why a report cannot be written to dir: it is a folder with
// something else in it.
func Check(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(dir, "summary.json")); err != nil {
		return fmt.Errorf("%s is not empty and no report", dir)
	}
	return nil
}

// Write makes the folder or replaces an older report there. A reader finds all
// of one report or of the other.
func (r *Report) Write(dir string) (err error) {
	if err := Check(dir); err != nil {
		return err
	}
	summary, err := json.MarshalIndent(r.Summary, "", "  ")
	if err != nil {
		return err
	}
	charts := r.charts()
	files := map[string][]byte{
		"index.html":   r.page(charts),
		"summary.json": append(summary, '\n'),
		"events.jsonl": append(bytes.Join(r.Events, []byte("\n")), '\n'),
	}
	for _, c := range charts {
		files[c.file] = c.svg
	}
	dir = filepath.Clean(dir)
	parent := filepath.Dir(dir)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return err
	}
	made, err := os.MkdirTemp(parent, ".report-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(made)
	fresh, old := filepath.Join(made, "new"), filepath.Join(made, "old")
	if err := os.Mkdir(fresh, 0o755); err != nil {
		return err
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(fresh, name), data, 0o644); err != nil {
			return err
		}
	}
	if err := os.Rename(dir, old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(fresh, dir); err != nil {
		return errors.Join(err, os.Rename(old, dir))
	}
	return nil
}
