package runner

import (
	"context"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"starling/node/testnet/report"
	"starling/node/testnet/scenario"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func parse(t *testing.T, src string) *scenario.Scenario {
	t.Helper()
	s, err := scenario.Parse("test.toml", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// short has one of everything that this engine does.
const short = `name = "short"
relays = 6
users = 2
duration = "4s"
mean_delay = "0s"
[messages]
count = 20
size = [40, 3000]
[[event]]
at = "1s"
do = "stop"
relays = [5]
[[event]]
at = "2s"
do = "restart"
[[event]]
at = "1s"
do = "reopen"
users = [1]
[[event]]
at = "2s"
do = "offline"
users = [0]
drain = true
[[event]]
at = "3s"
do = "online"
`

func TestRun(t *testing.T) {
	s := parse(t, short)
	progress := 0
	got, err := Run(t.Context(), s, Options{Progress: func(Progress) { progress++ }})
	if err != nil {
		t.Fatal(err)
	}
	sum := got.Summary
	if !sum.Passed() || sum.Sent != 20 || sum.RelayStops != 1 || sum.Reopens != 2 {
		t.Errorf("%s %+v", sum.Verdict(), sum)
	}
	if sum.P50 <= 0 || sum.P50 > sum.P99 || report.Value(sum.Puts) < 40 || sum.UserBytesOut == 0 || sum.RelayBytesIn == 0 || sum.Goroutines == 0 {
		t.Errorf("numbers that cannot be: %+v", sum)
	}
	if len(got.Traffic) != 8 || len(got.Marks) != 5 || progress == 0 {
		t.Errorf("%d nodes, %d marks, %d lines of progress", len(got.Traffic), len(got.Marks), progress)
	}
	all := ""
	for _, e := range got.Events {
		all += string(e) + "\n"
	}
	for what, n := range map[string]int{"sent": 20, "shown": 20, "stop": 1, "restart": 1, "reopen": 1, "offline": 1, "online": 1, "summary": 1} {
		if got := strings.Count(all, `{"event":"`+what+`"`); got != n {
			t.Errorf("%d events %q, want %d", got, what, n)
		}
	}
}

func TestInterruptedRunReports(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	got, err := Run(ctx, parse(t, strings.Replace(short, `"4s"`, `"10m"`, 1)), Options{Progress: func(p Progress) {
		if p.Sent > 0 || p.MS > 60_000 {
			cancel()
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if s := got.Summary; !s.Interrupted || s.Passed() || s.Sent == 0 || s.Sent == s.Planned || len(got.Events) < 2 {
		t.Errorf("%+v", s)
	}

	// Also before there is anything to tell.
	if got, err = Run(ctx, parse(t, short), Options{}); err != nil || !got.Summary.Interrupted || got.Summary.Sent != 0 {
		t.Errorf("%v, %+v", err, got)
	}
}

func TestRunRefuses(t *testing.T) {
	for _, more := range []string{"[link]\nloss = 0.5\n", "[[event]]\nat = '1s'\ndo = 'stop'\nrelays = [5]\n"} {
		if _, err := Run(t.Context(), parse(t, short+more), Options{}); err == nil || !strings.HasPrefix(err.Error(), "test.toml:") {
			t.Errorf("%s: %v", more, err)
		}
	}
}

func TestText(t *testing.T) {
	m := scenario.Message{From: 1, To: 2, Index: 3, Size: 100}
	s := text(m)
	if index, ok := read(s, 1, 2); index != 3 || !ok || len(s) != 100 {
		t.Errorf("%q is message %d, %v", s, index, ok)
	}
	most := scenario.Message{From: 999, To: 998, Index: 999_999, Size: scenario.MinSize}
	if s := text(most); len(s) != scenario.MinSize {
		t.Errorf("%q has %d bytes", s, len(s))
	}
	for _, other := range []string{"", "hello", s[:99], s + ".", strings.Replace(s, "#3", "#4 ", 1), "x" + s} {
		if _, ok := read(other, 1, 2); ok {
			t.Errorf("%q was read", other)
		}
	}
	if _, ok := read(s, 2, 1); ok {
		t.Error("a message of somebody else was read")
	}
}
