package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"starling/node/testnet/scenario"
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

	// On all links, where the engine sees them.
	Packets     int64 `json:"packets,omitempty"`
	PacketsLost int64 `json:"packets_lost,omitempty"`

	UserBytesIn   int64 `json:"user_bytes_in"` // mean per user
	UserBytesOut  int64 `json:"user_bytes_out"`
	RelayBytesIn  int64 `json:"relay_bytes_in"` // mean per relay
	RelayBytesOut int64 `json:"relay_bytes_out"`
	UserBytesDay  int64 `json:"user_bytes_day"` // both ways, at the rate since the traffic began
	RelayBytesDay int64 `json:"relay_bytes_day"`

	NewcomerMS int64 `json:"newcomer_ms,omitempty"` // until the slowest newcomer was ready

	Attacks []Attack `json:"attacks,omitempty"`
	// StrayDials were for addresses that no machine has, where the engine sees them.
	StrayDials int64 `json:"stray_dials,omitempty"`

	RelayStops int   `json:"relay_stops"`
	Reopens    int   `json:"reopens"`     // nodes opened during the traffic
	ReadyMS    int64 `json:"ready_ms"`    // real time until everybody runs
	StartMS    int64 `json:"start_ms"`    // real time until all are contacts
	TrafficMS  int64 `json:"traffic_ms"`  // in the engine's time
	WallMS     int64 `json:"wall_ms"`     // real time of the whole run
	LateMS     int64 `json:"late_ms"`     // the most that a step came after its time
	RelayBoxes int64 `json:"relay_boxes"` // in all mailboxes at the end
	// RelayLinks is the most links, to relays and to clients, of a relay at the end;
	// RelayLinksMean the mean of all relays.
	RelayLinks     int     `json:"relay_links,omitempty"`
	RelayLinksMean float64 `json:"relay_links_mean,omitempty"`
	Goroutines     int     `json:"goroutines"`
	RSSMiB         int64   `json:"rss_mib,omitempty"` // where the system tells it

	// Of one process, where each node has its own.
	UserRSSMiB  float64 `json:"user_rss_mib,omitempty"`
	RelayRSSMiB float64 `json:"relay_rss_mib,omitempty"`

	// Where the cost of a node was measured: in this mesh, in one of a quarter of
	// the size, and the larger of the two quotients.
	MiBPerNode             float64 `json:"mib_per_node,omitempty"`
	GoroutinesPerNode      float64 `json:"goroutines_per_node,omitempty"`
	SmallMiBPerNode        float64 `json:"small_mib_per_node,omitempty"`
	SmallGoroutinesPerNode float64 `json:"small_goroutines_per_node,omitempty"`
	Growth                 float64 `json:"growth,omitempty"`

	Bars []Bar `json:"bars,omitempty"`
}

// An Attack is the work of hostile machines.
type Attack struct {
	Do       string `json:"do"`
	Machines int    `json:"machines"`
	Did      int64  `json:"did"`  // all of them, by their own count
	What     string `json:"what"` // they count
	Least    int64  `json:"least"`
}

// A Bar is something that must hold beside every message being shown once and
// in order.
type Bar struct {
	What  string  `json:"what"`
	Unit  string  `json:"unit,omitempty"`
	Got   float64 `json:"got"`
	Limit float64 `json:"limit"`
	Least bool    `json:"least,omitempty"` // the limit is a lower one
	Held  bool    `json:"held"`
}

// Passed reports whether all that was planned was shown once and in order, and
// every bar held.
func (s Summary) Passed() bool {
	return s.delivered() && !slices.ContainsFunc(s.Bars, func(b Bar) bool { return !b.Held })
}

func (s Summary) delivered() bool {
	return !s.Interrupted && s.Sent == s.Planned && s.Shown == s.Sent && s.Duplicates == 0 && s.OutOfOrder == 0 && s.Strange == 0
}

// Finish holds the summary against the bars and makes it the last event.
func (r *Report) Finish(bar scenario.Bar) {
	s := &r.Summary
	check := func(what, unit string, got, limit float64) {
		if limit > 0 {
			s.Bars = append(s.Bars, Bar{what, unit, got, limit, false, got <= limit && !s.Interrupted})
		}
	}

	check("start", "s", float64(s.ReadyMS)/1000, bar.Start.Seconds())
	check("wall", "s", float64(s.WallMS)/1000, bar.Wall.Seconds())
	check("p99", "s", float64(s.P99)/1000, bar.P99.Seconds())
	check("newcomers ready", "s", float64(s.NewcomerMS)/1000, bar.Newcomer.Seconds())
	check("memory of a user", "MiB", s.UserRSSMiB, bar.UserRSS)
	check("a user's bytes a day", "B", float64(s.UserBytesDay), bar.UserBytesDay)
	check("growth of cost", "", s.Growth, bar.Growth)

	if bar.NoStrays {
		s.Bars = append(s.Bars, Bar{"dials of strange addresses", "", float64(s.StrayDials), 0, false, s.StrayDials == 0})
	}
	for _, a := range s.Attacks {
		if a.Least > 0 { // an attack that did nothing shows nothing
			s.Bars = append(s.Bars, Bar{a.Do + ", " + a.What, "", float64(a.Did), float64(a.Least), true, a.Did >= a.Least && !s.Interrupted})
		}
	}

	line, err := json.Marshal(s)
	if err != nil {
		panic(err) // all of it is our own
	}
	r.Events = append(r.Events, line)
}

// Traffic is the bytes that one node received and sent.
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

	// A report is made beside its place and moved there whole.
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
