package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html/template"
	"math"
	"os"
	"path/filepath"
	"slices"
	"time"

	"starling/node/testnet/plot"
	"starling/node/testnet/scenario"
)

// A Spread is what many runs of one scenario have in common, and how they differ.
type Spread struct {
	Event  string   `json:"event"` // "spread"
	Name   string   `json:"name"`
	Engine string   `json:"engine"`
	Runs   int      `json:"runs"`
	Passed int      `json:"passed"` // every message shown once and in order, and each run's own bars held
	Sent   int      `json:"sent"`   // in all runs
	Shown  int      `json:"shown"`
	Failed []uint64 `json:"failed_seeds,omitempty"`

	// Over the messages of all runs together.
	P50 int64 `json:"p50_ms,omitempty"`
	P90 int64 `json:"p90_ms,omitempty"`
	P99 int64 `json:"p99_ms,omitempty"`
	Max int64 `json:"max_ms,omitempty"`

	// Over the runs.
	Ranges map[string]Range `json:"ranges"`

	Bars []Bar `json:"bars,omitempty"`

	took []time.Duration // of all messages, in order
	runs []Summary
	bar  scenario.Bar
}

// A Range is a figure of each run: the least, the middle one and the largest, and an
// interval that holds the median of all possible runs with 95 % confidence, where there
// are enough runs for one.
type Range struct {
	Least  float64  `json:"least"`
	Median float64  `json:"median"`
	Most   float64  `json:"most"`
	Low    *float64 `json:"low95,omitempty"`
	High   *float64 `json:"high95,omitempty"`
}

// NewSpread returns the spread of no runs yet, for the bars of the scenario. That on p99
// is held over all runs together: a run alone has too few messages for one.
func NewSpread(bar scenario.Bar) *Spread {
	return &Spread{Event: "spread", bar: scenario.Bar{P99: bar.P99}, Ranges: map[string]Range{}}
}

// Add adds a run.
func (s *Spread) Add(r *Report) {
	sum := r.Summary
	s.Name, s.Engine = sum.Name, sum.Engine
	s.Runs, s.Sent, s.Shown = s.Runs+1, s.Sent+sum.Sent, s.Shown+sum.Shown
	if sum.Passed() {
		s.Passed++
	} else {
		s.Failed = append(s.Failed, sum.Seed)
	}
	s.runs = append(s.runs, sum)
	_, _, _, took, _ := r.Ledger.Times()
	s.took = append(s.took, took...)
	slices.Sort(s.took)

	s.P50, s.P90 = Percentile(s.took, 0.5).Milliseconds(), Percentile(s.took, 0.9).Milliseconds()
	s.P99, s.Max = Percentile(s.took, 0.99).Milliseconds(), Percentile(s.took, 1).Milliseconds()
	for name, of := range map[string]func(Summary) float64{
		"p50_ms": func(s Summary) float64 { return float64(s.P50) }, "p99_ms": func(s Summary) float64 { return float64(s.P99) },
		"max_ms": func(s Summary) float64 { return float64(s.Max) }, "delivered_p99_ms": func(s Summary) float64 { return float64(s.DeliveredP99) },
		"user_bytes_day": func(s Summary) float64 { return float64(s.UserBytesDay) }, "wall_ms": func(s Summary) float64 { return float64(s.WallMS) },
		"resends": func(s Summary) float64 { return float64(Value(s.Resends)) },
	} {
		s.Ranges[name] = rangeOf(s.runs, of)
	}
	s.Bars = nil
	if s.bar.P99 > 0 {
		got, limit := float64(s.P99)/1000, s.bar.P99.Seconds()
		s.Bars = []Bar{{fmt.Sprintf("p99 of %d messages", len(s.took)), "s", got, limit, false, got <= limit}}
	}
}

// rangeOf orders a figure of all runs.
func rangeOf(runs []Summary, of func(Summary) float64) Range {
	var all []float64
	for _, s := range runs {
		all = append(all, of(s))
	}
	slices.Sort(all)
	n := len(all)
	r := Range{Least: all[0], Median: all[(n-1)/2], Most: all[n-1]}
	if k := rank(n); k > 0 {
		r.Low, r.High = &all[k-1], &all[n-k]
	}
	return r
}

// rank returns the k for which the median lies between the k-th and the k-th last of n
// draws with 95 %, 0 if n is too small (below 6).
func rank(n int) (k int) {
	below := 0.0 // the chance that fewer than k draws are below the median
	for choose := 1.0; k < n/2; k++ {
		if below += choose / math.Pow(2, float64(n)); 2*below > 0.05 {
			break
		}
		choose *= float64(n-k) / float64(k+1)
	}
	return k
}

// OK reports whether all runs passed and all bars held.
func (s *Spread) OK() bool {
	return s.Passed == s.Runs && !slices.ContainsFunc(s.Bars, func(b Bar) bool { return !b.Held })
}

// Verdict says in one sentence how the runs went.
func (s *Spread) Verdict() string {
	said := fmt.Sprintf("%d of %d runs passed; %d of %d messages were shown, median %d ms, p99 %d ms over all of them.", s.Passed, s.Runs, s.Shown, s.Sent, s.P50, s.P99)
	if r, ok := s.Ranges["p99_ms"]; ok {
		said += fmt.Sprintf(" The p99 of a run is %.0f to %.0f ms, median %.0f.", r.Least, r.Most, r.Median)
	}
	for _, b := range s.Bars {
		if !b.Held {
			said += fmt.Sprintf(" Missed: %s is %s, %s.", b.What, b.amount(b.Got), b.bound())
		}
	}
	return said
}

// Write writes a folder with a report for each seed and a page about all of them.
func (s *Spread) Write(dir string, reports []*Report) error {
	return replace(dir, func(dir string) error {
		for _, r := range reports {
			sub := filepath.Join(dir, seedDir(r.Summary.Seed))
			if err := os.Mkdir(sub, 0o755); err != nil {
				return err
			}
			if err := r.fill(sub); err != nil {
				return err
			}
		}

		summary, err := json.MarshalIndent(s, "", "  ")
		if err != nil {
			return err
		}
		charts := s.charts()
		files := map[string][]byte{"summary.json": append(summary, '\n'), "index.html": s.page(charts)}
		for _, c := range charts {
			files[c.file] = c.svg
		}
		for name, data := range files {
			if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
				return err
			}
		}
		return nil
	})
}

func seedDir(seed uint64) string { return fmt.Sprintf("seed-%d", seed) }

func (s *Spread) charts() []chart {
	var took []float64
	for _, d := range s.took {
		took = append(took, float64(d.Microseconds())/1000)
	}
	var bars []plot.Bar
	for _, r := range s.runs {
		bars = append(bars, plot.Bar{Name: fmt.Sprint(r.Seed), Parts: []float64{float64(r.P50), float64(r.P99 - r.P50), float64(r.Max - r.P99)}})
	}
	return []chart{
		{"latency.svg", plot.Distribution("From writing to shown, all runs", plot.Axis{Label: "time", Unit: "ms"}, took,
			plot.Mark{At: float64(s.P50), Label: fmt.Sprintf("median %d ms", s.P50)}, plot.Mark{At: float64(s.P99), Label: fmt.Sprintf("p99 %d ms", s.P99)})},
		{"seeds.svg", plot.Bars("Each run, by its seed", plot.Axis{Label: "until shown", Unit: "ms"}, []string{"median", "up to p99", "up to the slowest"}, bars)},
	}
}

var spreadPage = template.Must(template.New("spread").Parse(head + `<h1>{{.S.Name}}, {{.S.Runs}} seeds</h1>
<p>Engine {{.S.Engine}}.</p>
<p class="verdict {{if .S.OK}}good{{else}}bad{{end}}">{{.S.Verdict}}</p>
<dl>
{{range $name, $r := .S.Ranges}}<div><dt>{{$name}}</dt><dd>{{printf "%.0f" $r.Median}}</dd><dt>{{printf "%.0f to %.0f" $r.Least $r.Most}}</dt></div>
{{end}}</dl>
{{range .Charts}}<figure>{{.}}</figure>
{{end}}<p>{{range .Seeds}}<a href="{{.}}/index.html">{{.}}</a> {{end}}</p>
</html>
`))

func (s *Spread) page(charts []chart) []byte {
	var svg []template.HTML
	for _, c := range charts {
		svg = append(svg, template.HTML(c.svg)) // package plot has escaped every text in it
	}
	var seeds []string
	for _, r := range s.runs {
		seeds = append(seeds, seedDir(r.Seed))
	}
	var out bytes.Buffer
	if err := spreadPage.Execute(&out, map[string]any{"S": s, "Charts": svg, "Seeds": seeds, "Title": s.Name}); err != nil {
		panic(err) // the template and its data are both here
	}
	return out.Bytes()
}
