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
		r := &Report{Summary: Summary{Planned: 1, Counts: Counts{Sent: 1, Shown: 1}, StrayDials: &tt.strays,
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
		Samples: []Sample{{MS: 0, Nodes: map[string]Node{"u0": {In: 1}, "r0": {Off: true}}}, {At: time.Second, MS: 1000, Nodes: map[string]Node{"u0": {In: 5000}, "r0": {In: 9, RSS: 7}}}},
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
	for _, name := range []string{"latency.svg", "delivery.svg", "traffic.svg", "activity.svg"} {
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

// TestUnknown: figures that an engine does not see are left out, and a 0 that it sees is
// not.
func TestUnknown(t *testing.T) {
	blind, err := json.Marshal(Summary{})
	if err != nil {
		t.Fatal(err)
	}
	seen, err := json.Marshal(Summary{Puts: Known(0, true), Resends: Known(0, true), RelayBoxes: Known(0, true), PacketsLost: Known(0, true), StrayDials: Known(0, true)})
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"puts", "resends", "failed_puts", "packets", "packets_lost", "relay_boxes", "stray_dials", "relay_bytes_in", "user_bytes_day", "p50_ms", "delivered_p99_ms"} {
		if strings.Contains(string(blind), `"`+key+`"`) {
			t.Errorf("%s is told, and nobody knows it", key)
		}
	}
	for _, key := range []string{"puts", "resends", "packets_lost", "relay_boxes", "stray_dials"} {
		if !strings.Contains(string(seen), `"`+key+`":0`) {
			t.Errorf("%s is 0, and not told: %s", key, seen)
		}
	}
	for _, c := range (Summary{}).cards() {
		if strings.Contains(c.Name, "boxes") || strings.Contains(c.Name, "traffic") || strings.Contains(c.Name, "median") {
			t.Errorf("a card says %s: %s", c.Name, c.Value)
		}
	}
	r := &Report{}
	r.Finish(scenario.Bar{NoStrays: true})
	if r.Summary.Passed() {
		t.Error("a bar is held of which nobody knows")
	}
}

// TestSampled: a long run keeps all its time, in fewer moments.
func TestSampled(t *testing.T) {
	var all []Sample
	for i := range 50_000 {
		all = Sampled(all, Sample{At: time.Duration(i) * time.Second})
	}
	last := all[len(all)-1].At
	if len(all) > maxSamples || len(all) < maxSamples/4 || all[0].At != 0 || last < 49_000*time.Second {
		t.Errorf("%d samples, up to %v", len(all), last)
	}
	for i := 2; i < len(all); i++ {
		if d := all[i].At - all[i-1].At; d <= 0 || d > 4*(all[1].At-all[0].At) {
			t.Fatalf("from %v to %v", all[i-1].At, all[i].At)
		}
	}
}

func TestJUnit(t *testing.T) {
	good := Summary{Name: "g", Engine: "virtual", Seed: 3, WallMS: 1500, Planned: 1, Counts: Counts{Sent: 1, Shown: 1}}
	bad := Summary{Name: `b<">`, Planned: 2}
	text := JUnit([]Case{{Summary: good}, {Summary: bad}, {Summary: bad, Failed: "no \x1b mesh"}})
	var got suites
	if err := xml.Unmarshal(text, &got); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	s := got.Suite
	if s.Tests != 3 || s.Failures != 1 || s.Errors != 1 || s.Time != "1.500" || len(s.Cases) != 3 {
		t.Errorf("%+v", s)
	}
	if s.Cases[0].Failure != nil || s.Cases[0].Error != nil || s.Cases[0].Name != "g, engine virtual, seed 3" || s.Cases[1].Failure == nil || s.Cases[2].Error == nil || s.Cases[1].Class != bad.Name {
		t.Errorf("%+v", s.Cases)
	}
}

// TestSpread: a bar on p99 is held over the messages of all runs, not of each.
func TestSpread(t *testing.T) {
	spread := func(limit time.Duration) *Spread {
		s := NewSpread(scenario.Bar{P99: limit})
		for seed := range uint64(20) {
			r := sample()
			r.Summary.Seed, r.Summary.P99 = seed, 200+int64(seed)
			s.Add(r)
		}
		return s
	}
	s := spread(249 * ms)
	if !s.OK() || s.Runs != 20 || s.Passed != 20 || s.Sent != 1000 || s.P99 != 249 || len(s.Bars) != 1 {
		t.Errorf("%+v", s)
	}
	p99 := s.Ranges["p99_ms"]
	if p99.Least != 200 || p99.Median != 209 || p99.Most != 219 || p99.Low == nil || *p99.Low != 205 || *p99.High != 214 {
		t.Errorf("%+v", p99)
	}
	if s := spread(248 * ms); s.OK() || !strings.Contains(s.Verdict(), "Missed: p99 of 1000 messages") {
		t.Error(s.Verdict())
	}
	for n, want := range map[int]int{1: 0, 5: 0, 6: 1, 10: 2, 20: 6, 100: 40} { // of tables of the sign test
		if got := rank(n); got != want {
			t.Errorf("rank(%d) = %d, want %d", n, got, want)
		}
	}

	logs := t.TempDir()
	if err := os.WriteFile(filepath.Join(logs, "r0.log"), []byte("x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := sample()
	r.Logs = logs
	dir := filepath.Join(t.TempDir(), "x")
	for range 2 {
		if err := s.Write(dir, []*Report{r}); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"index.html", "summary.json", "seeds.svg", "latency.svg", "seed-0/index.html", "seed-0/metrics.jsonl", "seed-0/logs/r0.log"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
}
