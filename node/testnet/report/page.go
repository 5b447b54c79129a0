package report

import (
	"bytes"
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"
	"time"

	"starling/node/testnet/plot"
)

type chart struct {
	file string
	svg  []byte
}

func (r *Report) charts() []chart {
	sent, shown, delivered, toShown, _ := r.Ledger.Times()
	var marks []plot.Mark
	for _, m := range r.Marks {
		marks = append(marks, plot.Mark{At: m.At.Seconds(), Label: fmt.Sprintf("%.1f s: %s", m.At.Seconds(), m.Label)})
	}

	var took []float64
	for _, d := range toShown {
		took = append(took, float64(d.Microseconds())/1000)
	}
	percentile := func(name string, p float64) plot.Mark {
		v := Percentile(toShown, p)
		return plot.Mark{At: float64(v.Microseconds()) / 1000, Label: fmt.Sprintf("%s %d ms", name, v.Milliseconds())}
	}

	unit, per := byteUnit(r.Traffic)
	var bars []plot.Bar
	for _, t := range r.Traffic {
		bars = append(bars, plot.Bar{Name: t.Name, Parts: []float64{float64(t.In) / per, float64(t.Out) / per}})
	}

	charts := []chart{
		{"latency.svg", plot.Distribution("From writing to shown", plot.Axis{Label: "time", Unit: "ms"}, took,
			percentile("median", 0.5), percentile("p99", 0.99))},
		{"delivery.svg", plot.Curves("Delivery over time", plot.Axis{Label: "time", Unit: "s"}, plot.Axis{Label: "messages"},
			[]plot.Series{curve("written", sent), curve("shown", shown), curve("delivered", delivered)}, "what happened to the mesh", marks)},
		{"activity.svg", r.activity()},
		{"traffic.svg", plot.Bars("Bytes per node", plot.Axis{Label: "traffic", Unit: unit}, []string{"received", "sent"}, bars)},
	}
	if len(r.Online) > 0 {
		people := plot.Series{Name: "users connected to a relay"}
		for _, o := range r.Online {
			people.X, people.Y = append(people.X, o.At.Seconds()), append(people.Y, float64(o.Users))
		}
		charts = append(charts, chart{"online.svg", plot.Curves("Users online over time", plot.Axis{Label: "time", Unit: "s"}, plot.Axis{Label: "users"},
			[]plot.Series{people}, "what happened to the mesh", marks)})
	}
	if s := r.Summary.Rooms; s != nil && r.Rooms != nil {
		took = nil
		for _, d := range r.Rooms.Times() {
			took = append(took, float64(d.Microseconds())/1000)
		}
		charts = append(charts, chart{"rooms.svg", plot.Distribution("In rooms, from saying to shown at the others", plot.Axis{Label: "time", Unit: "ms"}, took,
			plot.Mark{At: float64(s.P50), Label: fmt.Sprintf("median %d ms", s.P50)}, plot.Mark{At: float64(s.P99), Label: fmt.Sprintf("p99 %d ms", s.P99)})})
	}
	return charts
}

// curve counts up at each time.
func curve(name string, times []time.Duration) plot.Series {
	s := plot.Series{Name: name}
	for i, t := range times {
		s.X, s.Y = append(s.X, t.Seconds()), append(s.Y, float64(i+1))
	}
	return s
}

func byteUnit(all []Traffic) (name string, per float64) {
	var most int64
	for _, t := range all {
		most = max(most, t.In+t.Out)
	}
	switch {
	case most >= 10<<20:
		return "MiB", 1 << 20
	case most >= 10<<10:
		return "KiB", 1 << 10
	}
	return "bytes", 1
}

// head is the beginning of every page.
const head = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{{.Title}} – starling testnet</title>
<style>
:root{--ink:#1d2430;--dim:#667085;--paper:#fff;--card:#f6f7f9;--good:#1f7a4d;--bad:#b3261e}
@media(prefers-color-scheme:dark){:root{--ink:#e6e9ef;--dim:#98a2b3;--paper:#14181f;--card:#1c222c;--good:#5fce9b;--bad:#ff8a80}}
body{margin:0 auto;padding:28px 20px 48px;max-width:860px;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
h1{margin:0;font-size:24px}p{margin:4px 0 18px;color:var(--dim)}
.verdict{margin:0 0 18px;font-weight:600}.good{color:var(--good)}.bad{color:var(--bad)}
dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(180px,1fr));gap:10px;margin:0 0 26px}
dl div{background:var(--card);border-radius:8px;padding:10px 14px}dt{color:var(--dim);font-size:13px}dd{margin:0;font-size:19px;font-variant-numeric:tabular-nums}
figure{margin:0 0 30px}svg{width:100%;height:auto;display:block}
</style>
`

var page = template.Must(template.New("page").Parse(head + `<h1>{{.S.Name}}</h1>
<p>{{.About}} {{.S.Relays}} relays and {{.S.Users}} users, engine {{.S.Engine}}, seed {{.S.Seed}}.</p>
<p class="verdict {{if .S.Passed}}good{{else}}bad{{end}}">{{.Verdict}}</p>
<dl>
{{range .Cards}}<div><dt>{{.Name}}</dt><dd>{{.Value}}</dd></div>
{{end}}</dl>
{{range .Charts}}<figure>{{.}}</figure>
{{end}}</html>
`))

type card struct{ Name, Value string }

func (r *Report) page(charts []chart) []byte {
	var svg []template.HTML
	for _, c := range charts {
		svg = append(svg, template.HTML(c.svg)) // package plot has escaped every text in it
	}
	var out bytes.Buffer
	err := page.Execute(&out, map[string]any{
		"S": r.Summary, "About": r.About, "Verdict": r.Summary.Verdict(), "Cards": r.Summary.cards(), "Charts": svg, "Title": r.Summary.Name,
	})
	if err != nil {
		panic(err) // the template and its data are both here
	}
	return out.Bytes()
}

// Verdict says in one sentence how the run went.
func (s Summary) Verdict() string {
	var missed string
	for _, b := range s.Bars {
		if !b.Held {
			missed += fmt.Sprintf(" Missed: %s is %s, %s.", b.What, b.amount(b.Got), b.bound())
		}
	}

	if s.delivered() {
		switch {
		case s.Rooms != nil && s.Planned == 0:
			return s.Rooms.verdict() + missed
		case s.Rooms != nil:
			return fmt.Sprintf("All %d messages were shown exactly once and in order. %s%s", s.Shown, s.Rooms.verdict(), missed)
		case s.Planned == 0:
			return strings.TrimSpace("Everybody ran to the end." + missed)
		}
		return fmt.Sprintf("All %d messages were shown exactly once and in order.%s", s.Shown, missed)
	}

	var wrong []string
	if s.Interrupted {
		wrong = append(wrong, "interrupted")
	}
	for _, w := range []struct {
		n    int
		word string
	}{{s.Planned - s.Sent, "not written"}, {s.Lost, "not shown"}, {s.Duplicates, "shown twice"}, {s.OutOfOrder, "out of order"}, {s.Strange, "that nobody wrote"}} {
		if w.n > 0 {
			wrong = append(wrong, fmt.Sprintf("%d %s", w.n, w.word))
		}
	}
	if s.Rooms != nil {
		if !s.Rooms.fine() {
			missed = " " + s.Rooms.verdict() + missed
		}
		if len(wrong) == 0 {
			return strings.TrimSpace(missed)
		}
	}

	return fmt.Sprintf("%d of %d messages were shown: %s.%s", s.Shown, s.Planned, strings.Join(wrong, ", "), missed)
}

// bound says where the limit is.
func (b Bar) bound() string {
	if b.Least {
		return "at least " + b.amount(b.Limit)
	}
	return "at most " + b.amount(b.Limit)
}

func (b Bar) amount(v float64) string {
	return strings.TrimSpace(strconv.FormatFloat(math.Round(v*100)/100, 'f', -1, 64) + " " + b.Unit)
}

func (s Summary) cards() []card {
	// Figures that are not known are left out.
	var cards []card
	add := func(known bool, name, format string, args ...any) {
		if known {
			cards = append(cards, card{name, fmt.Sprintf(format, args...)})
		}
	}

	add(true, "written", "%d", s.Sent)
	add(true, "shown", "%d", s.Shown)
	add(true, "twice / out of order", "%d / %d", s.Duplicates, s.OutOfOrder)
	add(true, "delivered, with a receipt", "%d", s.Delivered)
	add(s.Shown > 0, "until shown, median", "%d ms", s.P50)
	add(s.Shown > 0, "until shown, p99", "%d ms", s.P99)
	add(s.Delivered > 0, "until delivered, median", "%d ms", s.DeliveredP50)
	add(s.Puts != nil, "boxes sent / again", "%d / %d", Value(s.Puts), Value(s.Resends))
	add(true, "relays stopped", "%d", s.RelayStops)
	add(true, "nodes opened again", "%d", s.Reopens)
	add(s.UserBytesIn+s.UserBytesOut > 0, "a user's traffic", "%s", size(s.UserBytesIn+s.UserBytesOut))
	add(s.RelayBytesIn+s.RelayBytesOut > 0, "a relay's traffic", "%s", size(s.RelayBytesIn+s.RelayBytesOut))
	add(s.UserBytesDay > 0, "of it, a user's a day", "%s", size(s.UserBytesDay))
	add(s.BackMS > 0, "longest without a relay", "%.1f s", float64(s.BackMS)/1000)
	if c := s.Censor; c != nil {
		add(true, "connections read", "%d", c.Read)
		add(true, "of them cut", "%d", c.Cut.Total())
		add(c.Probed > 0, "addresses probed, blocked", "%d, %d", c.Probed, c.Blocked.Total())
	}
	add(true, "real time", "%.1f s", float64(s.WallMS)/1000)
	add(s.Packets != nil, "packets sent / lost", "%d / %d", Value(s.Packets), Value(s.PacketsLost))
	add(s.RelayLinks > 0, "a relay's links, mean / most", "%.0f / %d", s.RelayLinksMean, s.RelayLinks)
	add(s.MiBPerRelay > 0, "memory of a relay, a user", "%.1f, %.1f MiB", s.MiBPerRelay, s.MiBPerUser)
	add(s.MiBPerNode > 0, "a node's memory, goroutines", "%.2f MiB, %.0f", s.MiBPerNode, s.GoroutinesPerNode)
	add(s.UserRSSMiB > 0, "largest user, relay", "%.1f, %.1f MiB", s.UserRSSMiB, s.RelayRSSMiB)

	if r := s.Rooms; r != nil {
		add(true, "rooms, people in them", "%d, %d", r.Rooms, r.In)
		add(true, "said in rooms", "%d", r.Said)
		add(true, "shown of due, at the others", "%d / %d", r.Shown, r.Due)
		add(true, "in rooms, twice / out of order", "%d / %d", r.Duplicates, r.OutOfOrder)
		add(true, "removed or gone, opened by them", "%d, %d", r.Out, r.Opened)
		add(r.Shown > 0, "in rooms until shown, median", "%d ms", r.P50)
		add(r.Shown > 0, "in rooms until shown, p99", "%d ms", r.P99)
	}

	for _, b := range s.Bars {
		cards = append(cards, card{b.What + ", " + b.bound(), b.amount(b.Got)})
	}

	return cards
}

// verdict says in a sentence how the rooms went.
func (s *RoomSummary) verdict() string {
	if s.fine() {
		return fmt.Sprintf("All %d messages in rooms were shown once and in causal order at the others, %d times; nobody of %d that were removed or left opened a later one.", s.Said, s.Shown, s.Out)
	}
	var wrong []string
	for _, w := range []struct {
		n    int
		word string
	}{{s.Planned - s.Said, "not said"}, {s.Due - s.Shown, "not shown"}, {s.Duplicates, "shown twice"}, {s.OutOfOrder, "before their cause"}, {s.Strange, "that nobody said"}, {s.Opened, "opened by the removed"}, {s.Undone, "joins, removals or roles that failed"}} {
		if w.n > 0 {
			wrong = append(wrong, fmt.Sprintf("%d %s", w.n, w.word))
		}
	}
	return fmt.Sprintf("In rooms %d messages of %d were said, and %d of %d showings came: %s.", s.Said, s.Planned, s.Shown, s.Due, strings.Join(wrong, ", "))
}

func size(n int64) string {
	if n >= 1<<20 {
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.0f KiB", float64(n)/(1<<10))
}
