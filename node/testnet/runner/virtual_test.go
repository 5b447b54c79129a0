package runner

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"starling/node/testnet/report"
	"starling/node/testnet/scenario"
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
		if s.TrafficMS < (16*time.Minute).Milliseconds() || report.Value(s.Packets) == 0 || report.Value(s.PacketsLost) == 0 || s.Reopens != 6 {
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
	if s.Passed() || s.Shown != 5 || len(s.Bars) != 3 || s.Bars[0].What != "wall" || !s.Bars[0].Held || s.Bars[1].Held || s.MiBPerNode <= 0 || s.Growth <= 0 || s.MiBPerRelay <= 0 || s.MiBPerUser <= 0 || s.RelayLinks < int(s.RelayLinksMean) || s.RelayLinksMean <= 0 {
		t.Errorf("%+v", s)
	}
}

// ours returns a scenario of the repository.
func ours(t *testing.T, name string) *scenario.Scenario {
	t.Helper()
	file := filepath.Join("..", "scenarios", name+".toml")
	src, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s, err := scenario.Parse(file, src)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestRooms runs the small scenario with rooms: everybody is shown everything once, after its causes,
// and whoever is removed opens nothing later.
func TestRooms(t *testing.T) {
	got, err := Run(t.Context(), ours(t, "rooms"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := got.Summary.Rooms
	t.Logf("%+v", *r)
	if !got.Summary.Passed() || r.Said != 40 || r.In != 9 || r.Out != 1 || r.Due < 100 || r.P50 <= 0 || r.P50 > 1000 {
		t.Error(got.Summary.Verdict())
	}
	all := ""
	for _, e := range got.Events {
		all += string(e) + "\n"
	}
	for what, n := range map[string]int{"said": 40, "join": 1, "remove": 1, "undone": 0} {
		if got := strings.Count(all, `{"event":"`+what+`"`); got != n {
			t.Errorf("%d events %q, want %d", got, what, n)
		}
	}
}

// TestSaying: the text of a message in a room is read whole or not at all.
func TestSaying(t *testing.T) {
	s := saying(29, 1999, 99_999, 40)
	room, user, index, ok := readSaying(s)
	if len(s) != 40 || room != 29 || user != 1999 || index != 99_999 || !ok {
		t.Errorf("%q has %d bytes: %d, %d, %d, %v", s, len(s), room, user, index, ok)
	}
	for _, other := range []string{"", "hello", s[:39], s + ".", strings.Replace(s, "#9", "#8 ", 1)} {
		if _, _, _, ok := readSaying(other); ok {
			t.Errorf("%q was read", other)
		}
	}
}

// TestDrill runs the small drill: behind a curtain, and then a police, everything is shown once.
// When is another matter: docs/drill has it.
func TestDrill(t *testing.T) {
	got, err := Run(t.Context(), ours(t, "drill-small"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	sum := got.Summary
	t.Logf("%s median %d ms, back after %d ms", sum.Verdict(), sum.P50, sum.BackMS)
	if sum.Shown != 40 || sum.Sent != 40 || sum.Duplicates != 0 || sum.Strange != 0 || len(got.Online) == 0 {
		t.Error(sum.Verdict())
	}
}

// TestHarvest: a newcomer of the censor's learns all relays, and a fraction of them is blocked; with first,
// those that people were told of. What is left carries everything.
func TestHarvest(t *testing.T) {
	got, err := Run(t.Context(), parse(t, "name='s'\nengine='virtual'\nrelays=12\nusers=2\nduration='5m'\nsettle='30m'\nmessages={count=10}\n"+
		"[[event]]\nat='10s'\ndo='harvest'\nfraction=0.25\n[[event]]\nat='3m'\ndo='harvest'\nfirst=true\n"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	var blocked [][]int
	for _, e := range got.Events {
		var h meshEvent
		if err := json.Unmarshal(e, &h); err == nil && h.Event == scenario.Harvest {
			blocked = append(blocked, h.Relays)
		}
	}
	if sum := got.Summary; !sum.Passed() || len(blocked) != 2 || len(blocked[0]) != 3 || !slices.Equal(blocked[1], []int{0, 1, 2, 3}) {
		t.Errorf("%s blocked: %v", sum.Verdict(), blocked)
	}
}

// TestReaders: with everybody's connections read, reset where they are no web, and probed, all
// messages arrive, and nothing is cut or found. In namespaces; without root it is skipped.
func TestReaders(t *testing.T) {
	s := ours(t, "drill-readers")
	if err := Missing(s); err != nil {
		t.Skip(err)
	}
	program := filepath.Join(t.TempDir(), "starling")
	if out, err := exec.Command("go", "build", "-o", program, "starling/cmd/starling").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	got, err := Run(t.Context(), s, Options{Program: program})
	if err != nil {
		if strings.Contains(err.Error(), "not permitted") {
			t.Skip("this machine makes no network namespaces: ", err)
		}
		t.Fatal(err)
	}
	sum := got.Summary
	t.Logf("%s %+v, back after %d ms", sum.Verdict(), sum.Censor, sum.BackMS)
	d := sum.Censor
	if !sum.Passed() || d == nil || d.Read < 1 || d.Kinds["TLS"] != d.Read || len(d.Cut) > 0 || d.Probed < 1 || d.Asked < 14*d.Probed || len(d.Blocked) > 0 || len(got.Online) == 0 {
		t.Errorf("%s %+v", sum.Verdict(), d)
	}
}
