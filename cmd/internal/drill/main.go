// Command drill writes what came of the drill into docs/drill: a table into its README, and of each
// report the summary and the charts of messages and people over time.
//
//	go run ./cmd/internal/drill -reports bin/drill
//
// A report that is not there leaves its row and its files as they were.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"starling/node/testnet/report"
)

func main() {
	reports := flag.String("reports", "bin/drill", "the folder with the reports of starling testnet")
	out := flag.String("out", "docs/drill", "the folder to write to")
	flag.Parse()
	if err := write(*reports, *out); err != nil {
		fmt.Fprintln(os.Stderr, "drill:", err)
		os.Exit(1)
	}
}

// charts are those that are kept of a report.
var charts = []string{"delivery.svg", "online.svg"}

// write takes over the reports there are and makes the table anew of all that are kept.
func write(reports, out string) error {
	found, err := filepath.Glob(filepath.Join(reports, "*", "summary.json"))
	if err != nil {
		return err
	}
	for _, file := range found {
		if err := keep(filepath.Dir(file), out); err != nil {
			return err
		}
	}

	kept, err := filepath.Glob(filepath.Join(out, "*.json"))
	if err != nil {
		return err
	}
	var rows []string
	for _, file := range kept {
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		var k record
		if err := json.Unmarshal(data, &k); err != nil || k.Event != "summary" {
			continue // of something else
		}
		rows = append(rows, k.row())
	}
	return tabulate(filepath.Join(out, "README.md"), rows)
}

// record is what is kept of a run.
type record struct {
	report.Summary
	Island *island `json:"island,omitempty"`
}

// keep takes over one report.
func keep(dir, out string) error {
	data, err := os.ReadFile(filepath.Join(dir, "summary.json"))
	if err != nil {
		return err
	}
	var k record
	if err := json.Unmarshal(data, &k); err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	events, err := os.ReadFile(filepath.Join(dir, "events.jsonl"))
	if err != nil {
		return err
	}
	k.Island = cutOff(events)
	name := strings.TrimPrefix(k.Name, "drill-")
	if data, err = json.MarshalIndent(k, "", "  "); err != nil {
		return err
	}

	files := map[string][]byte{name + ".json": append(data, '\n')}
	for _, c := range charts {
		svg, err := os.ReadFile(filepath.Join(dir, c))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		files[name+"-"+c] = svg
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(out, name), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// island is the fate of messages written while a country was cut off.
type island struct {
	Inside   int   `json:"inside"`     // between people in it
	InTime   int   `json:"in_time"`    // of them, shown before the reopening
	P50      int64 `json:"p50_ms"`     // until shown
	Across   int   `json:"across"`     // over the border
	Arrived  int   `json:"arrived"`    // of them, in the end
	Latest   int64 `json:"latest_ms"`  // after the reopening, until the last of them was shown
	Abroad   int   `json:"abroad"`     // between people elsewhere
	ShownOut int   `json:"shown_away"` // of them, shown before the reopening
}

// event is a line of events.jsonl.
type event struct {
	Event string `json:"event"`
	MS    int64  `json:"ms"`
	From  int    `json:"from"`
	To    int    `json:"to"`
	Index int    `json:"index"`
	Users []int  `json:"users"`
}

// cutOff reads the events of a run; nil without a country.
func cutOff(events []byte) *island {
	var all []event
	lines := bufio.NewScanner(bytes.NewReader(events))
	lines.Buffer(nil, 1<<20)
	var country []int
	from, until := int64(-1), int64(-1)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			continue
		}
		switch {
		case e.Event == "partition" && len(e.Users) > 0:
			country, from = e.Users, e.MS
		case e.Event == "heal":
			until = e.MS
		}
		all = append(all, e)
	}
	if from < 0 || until < from {
		return nil
	}

	shown := map[[3]int]int64{}
	for _, e := range all {
		if e.Event == "shown" {
			shown[[3]int{e.From, e.To, e.Index}] = e.MS
		}
	}

	// Each text counts by the sides that it was between while the country was cut off.
	var i island
	var took []time.Duration
	for _, e := range all {
		if e.Event != "sent" || e.MS < from || e.MS > until {
			continue
		}
		at, ok := shown[[3]int{e.From, e.To, e.Index}]
		in := ok && at <= until
		switch a, b := slices.Contains(country, e.From), slices.Contains(country, e.To); {
		case a && b:
			i.Inside++
			if in {
				i.InTime++
				took = append(took, time.Duration(at-e.MS)*time.Millisecond)
			}
		case a != b:
			i.Across++
			if ok {
				i.Arrived++
				i.Latest = max(i.Latest, at-until)
			}
		default:
			i.Abroad++
			if in {
				i.ShownOut++
			}
		}
	}
	slices.Sort(took)
	i.P50 = report.Percentile(took, 0.5).Milliseconds()
	return &i
}

func seconds(ms int64) string { return fmt.Sprintf("%.1f s", float64(ms)/1000) }

// row is a line of the table.
func (k record) row() string {
	name := strings.TrimPrefix(k.Name, "drill-")
	back := seconds(k.BackMS)
	if k.BackMS == 0 {
		back = "never away for two looks"
	}
	var did []string
	if c := k.Censor; c != nil {
		did = append(did, fmt.Sprintf("%d connections read, %d cut", c.Read, c.Cut.Total()))
		if c.Probed > 0 {
			did = append(did, fmt.Sprintf("%d addresses asked %d questions, %d blocked", c.Probed, c.Asked, c.Blocked.Total()))
		}
	}
	if i := k.Island; i != nil {
		did = append(did, fmt.Sprintf("while cut off %d of %d messages inside were shown, median %s; %d of %d over the border, the last %s after the reopening; %d of %d abroad",
			i.InTime, i.Inside, seconds(i.P50), i.Arrived, i.Across, seconds(i.Latest), i.ShownOut, i.Abroad))
	}
	relays := fmt.Sprint(k.Relays)
	if k.Bridges > 0 {
		relays += fmt.Sprintf(" (%d bridges)", k.Bridges)
	}
	return fmt.Sprintf("| [%s](%s.json) | %s | %s, %d | %d of %d | %s | %s | %s | %s | [messages](%s-delivery.svg), [people](%s-online.svg) |",
		name, name, k.Engine, relays, k.Users, k.Shown, k.Planned, seconds(k.P50)+", "+seconds(k.P99), seconds(k.Max), back, strings.Join(did, "; "), name, name)
}

const (
	head = "| censor | engine | relays, users | shown | median, p99 | longest | longest without a relay | beside | over time |\n|---|---|---|---|---|---|---|---|---|\n"
	from = "<!-- table -->\n"
	to   = "<!-- end of table -->\n"
)

// tabulate puts the table into a page, between its marks.
func tabulate(file string, rows []string) error {
	page, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(page), from)
	_, after, closed := strings.Cut(rest, to)
	if !ok || !closed {
		return fmt.Errorf("%s has no marks of a table", file)
	}
	return os.WriteFile(file, []byte(before+from+head+strings.Join(rows, "\n")+"\n"+to+after), 0o644)
}
