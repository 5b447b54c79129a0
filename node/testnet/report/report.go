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

	"starling/node/testnet/censor"
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
	// Bridges are some of the relays.
	Bridges int `json:"bridges,omitempty"`
	Counts
	Lost        int  `json:"lost"` // sent and not shown at the end
	Planned     int  `json:"planned"`
	Interrupted bool `json:"interrupted"`

	P50 int64 `json:"p50_ms,omitempty"` // from writing to shown
	P90 int64 `json:"p90_ms,omitempty"`
	P99 int64 `json:"p99_ms,omitempty"`
	Max int64 `json:"max_ms,omitempty"`

	DeliveredP50 int64 `json:"delivered_p50_ms,omitempty"` // from writing to the sender's tick
	DeliveredP99 int64 `json:"delivered_p99_ms,omitempty"`

	// Figures that not every engine sees are nil where they are not known.
	Puts    *int64 `json:"puts,omitempty"`    // boxes handed to mailboxes
	Resends *int64 `json:"resends,omitempty"` // those that had been handed to the same mailbox before
	Failed  *int64 `json:"failed_puts,omitempty"`

	// On all links.
	Packets     *int64 `json:"packets,omitempty"`
	PacketsLost *int64 `json:"packets_lost,omitempty"`

	// Nobody has a traffic of 0: it is not known then.
	UserBytesIn   int64 `json:"user_bytes_in,omitempty"` // mean per user
	UserBytesOut  int64 `json:"user_bytes_out,omitempty"`
	RelayBytesIn  int64 `json:"relay_bytes_in,omitempty"` // mean per relay
	RelayBytesOut int64 `json:"relay_bytes_out,omitempty"`
	UserBytesDay  int64 `json:"user_bytes_day,omitempty"` // both ways, at the rate since the traffic began
	RelayBytesDay int64 `json:"relay_bytes_day,omitempty"`

	Rooms *RoomSummary `json:"rooms,omitempty"`

	// BackMS is the longest that somebody online was connected to no relay, while there was a
	// censor, or a cut.
	BackMS int64 `json:"back_ms,omitempty"`
	// Censor is the work of a censor that reads.
	Censor *censor.Deeds `json:"censor,omitempty"`

	NewcomerMS int64 `json:"newcomer_ms,omitempty"` // until the slowest newcomer was ready

	Attacks []Attack `json:"attacks,omitempty"`
	// StrayDials were for addresses that no machine has.
	StrayDials *int64 `json:"stray_dials,omitempty"`

	RelayStops int    `json:"relay_stops"`
	Reopens    int    `json:"reopens"`               // nodes opened during the traffic
	ReadyMS    int64  `json:"ready_ms"`              // real time until everybody runs
	StartMS    int64  `json:"start_ms"`              // real time until all are contacts
	TrafficMS  int64  `json:"traffic_ms"`            // in the engine's time
	WallMS     int64  `json:"wall_ms"`               // real time of the whole run
	LateMS     int64  `json:"late_ms"`               // the most that a step came after its time
	RelayBoxes *int64 `json:"relay_boxes,omitempty"` // in all mailboxes at the end
	// RelayLinks is the most links, to relays and to clients, of a relay at the end;
	// RelayLinksMean the mean of all relays.
	RelayLinks     int     `json:"relay_links,omitempty"`
	RelayLinksMean float64 `json:"relay_links_mean,omitempty"`
	Goroutines     int     `json:"goroutines"`
	RSSMiB         int64   `json:"rss_mib,omitempty"` // where the system tells it

	// What each node adds to the process that has them all: a relay, when all relays know
	// each other, and a user, when all are contacts.
	MiBPerRelay float64 `json:"mib_per_relay,omitempty"`
	MiBPerUser  float64 `json:"mib_per_user,omitempty"`

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

// Known returns a figure that an engine may not see.
func Known(v int64, seen bool) *int64 {
	if !seen {
		return nil
	}
	return &v
}

// Value returns a figure, 0 if it is not known.
func Value(v *int64) int64 {
	if v == nil {
		return 0
	}
	return *v
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
	return !s.Interrupted && s.Sent == s.Planned && s.Shown == s.Sent && s.Duplicates == 0 && s.OutOfOrder == 0 && s.Strange == 0 && s.Rooms.fine()
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
	check("p50", "s", float64(s.P50)/1000, bar.P50.Seconds())
	check("p99", "s", float64(s.P99)/1000, bar.P99.Seconds())
	if s.Rooms != nil {
		check("p50 in rooms", "s", float64(s.Rooms.P50)/1000, bar.RoomP50.Seconds())
		check("p99 in rooms", "s", float64(s.Rooms.P99)/1000, bar.RoomP99.Seconds())
	}
	check("users back", "s", float64(s.BackMS)/1000, bar.Back.Seconds())
	check("newcomers ready", "s", float64(s.NewcomerMS)/1000, bar.Newcomer.Seconds())
	check("memory of a user", "MiB", s.UserRSSMiB, bar.UserRSS)
	check("a user's bytes a day", "B", float64(s.UserBytesDay), bar.UserBytesDay)
	check("growth of cost", "", s.Growth, bar.Growth)

	if bar.NoStrays {
		strays := Value(s.StrayDials)
		s.Bars = append(s.Bars, Bar{"dials of strange addresses", "", float64(strays), 0, false, strays == 0 && s.StrayDials != nil})
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

// Online is how many users were connected to a relay at a moment.
type Online struct {
	At    time.Duration
	Users int
}

// A Report is all there is to say of a run.
type Report struct {
	Summary Summary
	About   string
	Ledger  *Ledger
	Rooms   *Rooms // nil if there are none
	Traffic []Traffic
	Marks   []Mark
	Online  []Online // users with a way in; nil if nobody looked
	Events  [][]byte // JSON without line feeds
	Samples []Sample
	// Logs is a folder with a log for each node; "" if they were not kept.
	Logs string
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
func (r *Report) Write(dir string) error {
	return replace(dir, r.fill)
}

// fill writes the files of a report into a folder.
func (r *Report) fill(dir string) error {
	summary, err := json.MarshalIndent(r.Summary, "", "  ")
	if err != nil {
		return err
	}
	charts := r.charts()
	files := map[string][]byte{
		"index.html":    r.page(charts),
		"summary.json":  append(summary, '\n'),
		"events.jsonl":  append(bytes.Join(r.Events, []byte("\n")), '\n'),
		"metrics.jsonl": r.metrics(),
	}
	for _, c := range charts {
		files[c.file] = c.svg
	}

	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			return err
		}
	}
	if r.Logs == "" {
		return nil
	}
	return os.CopyFS(filepath.Join(dir, "logs"), os.DirFS(r.Logs))
}

// replace makes a folder anew, or in the place of an older report: it is made beside its
// place and moved there whole.
func replace(dir string, fill func(dir string) error) error {
	if err := Check(dir); err != nil {
		return err
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
	if err := fill(fresh); err != nil {
		return err
	}
	if err := os.Rename(dir, old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Rename(fresh, dir); err != nil {
		return errors.Join(err, os.Rename(old, dir))
	}
	return nil
}
