package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"starling/node/testnet/scenario"
)

const ms = time.Millisecond

func TestLedger(t *testing.T) {
	l := NewLedger()
	w := Way{0, 1}
	for i := range 4 {
		if got := l.Sent(w, time.Duration(i)*ms); got != i {
			t.Fatalf("index %d, want %d", got, i)
		}
	}
	if took, first := l.Shown(w, 0, 10*ms); took != 10*ms || !first {
		t.Errorf("shown after %v, first %v", took, first)
	}
	if n := l.Pending(1); n != 3 {
		t.Errorf("%d pending", n)
	}
	l.Shown(w, 2, 11*ms)
	l.Shown(w, 1, 12*ms) // late
	l.Shown(w, 2, 13*ms) // again
	l.Shown(w, 9, 13*ms) // never sent
	l.Shown(Way{1, 0}, 0, 13*ms)
	l.Delivered(w, 0, 20*ms)
	if _, first := l.Delivered(w, 0, 21*ms); first {
		t.Error("delivered twice")
	}
	want := Counts{Sent: 4, Shown: 3, Delivered: 1, Duplicates: 1, OutOfOrder: 1, Strange: 2}
	if got := l.Counts(); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
	_, _, _, toShown, toDelivered := l.Times()
	if len(toShown) != 3 || toShown[0] != 9*ms || toShown[2] != 11*ms || len(toDelivered) != 1 {
		t.Errorf("until shown %v, delivered %v", toShown, toDelivered)
	}
}

func TestStored(t *testing.T) {
	for _, tt := range []struct {
		stored                      []int
		shown, duplicate, unordered int
	}{
		{[]int{0, 1, 2}, 3, 0, 0},
		{[]int{0, 2}, 2, 0, 0},
		{[]int{0, 1, 1, 2}, 3, 1, 0},
		{[]int{1, 0, 2}, 3, 0, 1},
		{nil, 0, 0, 0},
	} {
		l := NewLedger()
		w := Way{0, 1}
		for i := range 3 {
			l.Sent(w, 0)
			l.Shown(w, i, ms)
		}
		l.Stored(w, tt.stored)
		if c := l.Counts(); c.Shown != tt.shown || c.Duplicates != tt.duplicate || c.OutOfOrder != tt.unordered {
			t.Errorf("%v: %+v", tt.stored, c)
		}
	}
}

func TestPercentile(t *testing.T) {
	var hundred []time.Duration
	for i := range 100 {
		hundred = append(hundred, time.Duration(i+1))
	}
	for _, tt := range []struct {
		values []time.Duration
		p      float64
		want   time.Duration
	}{
		{nil, 0.5, 0}, {hundred[:1], 0.5, 1}, {hundred[:2], 0.5, 1}, {hundred[:3], 0.5, 2},
		{hundred, 0.5, 50}, {hundred, 0.99, 99}, {hundred, 1, 100}, {hundred, 0, 1},
	} {
		if got := Percentile(tt.values, tt.p); got != tt.want {
			t.Errorf("p%v of %d values is %d, want %d", 100*tt.p, len(tt.values), got, tt.want)
		}
	}
}

func TestPassed(t *testing.T) {
	good := Summary{Planned: 3, Counts: Counts{Sent: 3, Shown: 3}}
	if !good.Passed() || !strings.Contains(good.Verdict(), "All 3") {
		t.Errorf("a good run: %s", good.Verdict())
	}
	for name, spoil := range map[string]func(*Summary){
		"interrupted":       func(s *Summary) { s.Interrupted = true },
		"1 not shown":       func(s *Summary) { s.Shown, s.Lost = 2, 1 },
		"1 not written":     func(s *Summary) { s.Sent, s.Shown = 2, 2 },
		"1 shown twice":     func(s *Summary) { s.Duplicates = 1 },
		"1 out of order":    func(s *Summary) { s.OutOfOrder = 1 },
		"that nobody wrote": func(s *Summary) { s.Strange = 1 },
	} {
		s := good
		spoil(&s)
		if s.Passed() || !strings.Contains(s.Verdict(), name) {
			t.Errorf("%s: passed %v, %s", name, s.Passed(), s.Verdict())
		}
	}
}

// TestBars: an upper bar, a lower one, and one of none at all.
func TestBars(t *testing.T) {
	for _, tt := range []struct {
		did, strays int64
		words       string
	}{
		{9000, 0, ""},
		{8999, 0, "delays, packets sent is 8999, at least 9000."},
		{9000, 1, "dials of strange addresses is 1, at most 0."},
	} {
		r := &Report{Summary: Summary{Planned: 1, Counts: Counts{Sent: 1, Shown: 1}, StrayDials: tt.strays,
			Attacks: []Attack{{Do: "delays", Did: tt.did, What: "packets sent", Least: 9000}, {Do: "idle"}}}}
		r.Finish(scenario.Bar{NoStrays: true})
		s := r.Summary
		if s.Passed() != (tt.words == "") || !strings.Contains(s.Verdict(), tt.words) || len(s.Bars) != 2 {
			t.Errorf("%d did, %d strays: passed %v, %s", tt.did, tt.strays, s.Passed(), s.Verdict())
		}
	}
}

func sample() *Report {
	l := NewLedger()
	for i := range 50 {
		l.Sent(Way{0, 1}, time.Duration(i)*100*ms)
		l.Shown(Way{0, 1}, i, time.Duration(i)*100*ms+time.Duration(200+i)*ms)
	}
	return &Report{
		Summary: Summary{Event: "summary", Name: "x", Engine: "process", Planned: 50, Counts: l.Counts()},
		About:   `<script>alert(1)</script>`,
		Ledger:  l,
		Traffic: []Traffic{{"u0", 1 << 20, 2 << 20}, {"r0", 5 << 20, 5 << 20}},
		Marks:   []Mark{{time.Second, "relay 1 <stops>"}},
		Events:  [][]byte{[]byte(`{"event":"sent"}`), []byte(`{"event":"shown"}`)},
	}
}

func TestWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "reports", "x")
	for range 2 { // the second replaces the first
		if err := sample().Write(dir); err != nil {
			t.Fatal(err)
		}
	}
	read := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	var s Summary
	if err := json.Unmarshal(read("summary.json"), &s); err != nil || !reflect.DeepEqual(s, sample().Summary) {
		t.Errorf("summary %+v, %v", s, err)
	}
	if lines := strings.Count(string(read("events.jsonl")), "\n"); lines != 2 {
		t.Errorf("%d events", lines)
	}
	for _, name := range []string{"latency.svg", "delivery.svg", "traffic.svg"} {
		if err := xml.Unmarshal(read(name), new(struct{})); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	html := read("index.html")
	for _, bad := range []string{"<script", "<link", "src=", "@import", "url("} {
		if bytes.Contains(html, []byte(bad)) {
			t.Errorf("the page has %q", bad)
		}
	}
	left, err := os.ReadDir(filepath.Dir(dir))
	if err != nil || len(left) != 1 {
		t.Errorf("%d entries beside the report, %v", len(left)-1, err)
	}
}

func TestWriteSparesOtherFolders(t *testing.T) {
	dir := t.TempDir()
	precious := filepath.Join(dir, "thesis.tex")
	if err := os.WriteFile(precious, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if Check(dir) == nil || sample().Write(dir) == nil {
		t.Error("a report replaced a folder of something else")
	}
	if _, err := os.Stat(precious); err != nil {
		t.Error(err)
	}
}
