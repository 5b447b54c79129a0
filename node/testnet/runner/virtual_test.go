package runner

import (
	"context"
	"reflect"
	"testing"
	"time"

	"starling/node/testnet/report"
)

// troubled has everything in it that can go wrong in virtual time.
const troubled = `name = "troubled"
engine = "virtual"
relays = 10
users = 4
duration = "16m"
settle = "30m"
[messages]
count = 40
size = [40, 3000]
pairs = "couples"
[churn]
per_minute = 0.02
away = "1m"
until = "12m"
kill = true
[link]
latency = ["20ms", "60ms"]
bandwidth = 20
loss = 0.02
[[bad]]
relays = [3]
drop = 1.0
[[bad]]
relays = [4, 5]
replay = 0.5
tamper = 0.1
delay = "500ms"
[[skew]]
relays = [6]
by = "-2m"
[[event]]
at = "1m"
do = "crash"
users = [1]
[[event]]
at = "2m"
do = "partition"
relays = [0, 7, 8]
[[event]]
at = "4m"
do = "heal"
[[event]]
at = "5m"
do = "block"
relays = [1, 2, 9]
[[event]]
at = "7m"
do = "unblock"
[[event]]
at = "7m"
do = "fill"
relays = [1, 2]
users = [2]
[[event]]
at = "9m"
do = "free"
[[event]]
at = "10m"
do = "offline"
users = [0]
drain = true
[[event]]
at = "12m"
do = "online"
[[event]]
at = "14m"
do = "crash"
`

// TestVirtual: two runs of a seed end alike: everything is shown once. A message
// missing for more than some minutes is shown after later ones, as people see it
// (inbox.DefaultHold), so the order is not asked for here.
func TestVirtual(t *testing.T) {
	var ends []report.Counts
	var mesh [][2]int
	for range 2 {
		began := time.Now()
		got, err := Run(t.Context(), parse(t, troubled), Options{})
		if err != nil {
			t.Fatal(err)
		}
		s := got.Summary
		t.Logf("%v: %+v", time.Since(began).Round(time.Millisecond), s)
		if s.Shown != 40 || s.Sent != 40 || s.Duplicates != 0 || s.Strange != 0 {
			t.Error(s.Verdict())
		}
		if s.TrafficMS < (16*time.Minute).Milliseconds() || s.Packets == 0 || s.PacketsLost == 0 || s.Reopens != 6 {
			t.Errorf("%+v", s)
		}
		s.Counts.Delivered, s.Counts.OutOfOrder = 0, 0 // a matter of milliseconds
		ends, mesh = append(ends, s.Counts), append(mesh, [2]int{s.RelayStops, s.Reopens})
	}
	if !reflect.DeepEqual(ends[0], ends[1]) || mesh[0] != mesh[1] {
		t.Errorf("the same seed ended otherwise: %+v, %+v; %v", ends[0], ends[1], mesh)
	}
}

// TestVirtualShifts: mail for users that are never there together.
func TestVirtualShifts(t *testing.T) {
	got, err := Run(t.Context(), parse(t, "name='s'\nengine='virtual'\nrelays=8\nusers=4\nduration='2h'\nsettle='20m'\n[messages]\ncount=40\npairs='couples'\n[shifts]\nevery='15m'\n[bar]\np99='16m'\n"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if s := got.Summary; !s.Passed() || s.Shown != 40 || s.Reopens != 18 || s.P50 < 1000 || len(s.Bars) != 1 {
		t.Errorf("%s %+v", s.Verdict(), s)
	}
}

// TestVirtualInterrupted: a run in virtual time ends soon after its context
// and reports.
func TestVirtualInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	got, err := Run(ctx, parse(t, troubled), Options{Progress: func(p Progress) {
		if p.Sent > 0 {
			cancel()
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if s := got.Summary; !s.Interrupted || s.Passed() || s.Sent == 0 || s.Sent == s.Planned {
		t.Errorf("%+v", s)
	}
}

// TestBar: a bar that is missed fails a run in which all is shown.
func TestBar(t *testing.T) {
	got, err := Run(t.Context(), parse(t, "name='s'\nengine='virtual'\nrelays=6\nusers=2\nduration='1m'\nmessages={count=5}\nbar={p99='1ms', wall='1h', growth=50}\n"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := got.Summary
	if s.Passed() || s.Shown != 5 || len(s.Bars) != 3 || s.Bars[0].What != "wall" || !s.Bars[0].Held || s.Bars[1].Held || s.MiBPerNode <= 0 || s.Growth <= 0 {
		t.Errorf("%+v", s)
	}
}
