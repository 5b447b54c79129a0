package cli

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"starling/node/testnet/report"
	"starling/node/testnet/runner"
	"starling/node/testnet/scenario"
)

func TestMeshView(t *testing.T) {
	s := &scenario.Scenario{Name: "storm", Relays: 6, Users: 200, Duration: time.Minute, Engine: scenario.Virtual}
	p := runner.Progress{MS: 30_000, Counts: report.Counts{Sent: 12, Shown: 9}, InFlight: 3, Planned: 20, Relays: 4, Users: 100, Down: []int{1, 5}, Packets: report.Known(70, true), Lost: report.Known(7, true)}
	for i := range 100 {
		p.Away = append(p.Away, i)
	}
	var out bytes.Buffer
	v := watchMesh(&out, true, s)
	v.say("Messages flow…")
	v.show(p)
	v.draw()
	first := out.String()
	for _, want := range []string{"storm: Messages flow…\n", "storm  30s of 1m0s", "●·●●●· 4 of 6\n", "100 of 200\n", "12 written of 20, 3 in flight, 9", "7 packets"} {
		if !strings.Contains(first, want) {
			t.Errorf("no %q in %q", want, first)
		}
	}
	for line := range strings.Lines(first) {
		if n := len([]rune(line)); n > 80 {
			t.Errorf("%d columns: %q", n, line)
		}
	}
	v.show(p)
	v.end()
	if again := out.String()[len(first):]; strings.Count(again, "\x1b[1A") != 6 || strings.Count(again, "\n") != 6 {
		t.Errorf("not redrawn in place: %q", again)
	}

	out.Reset()
	v = watchMesh(&out, false, s)
	v.show(p)
	v.draw()
	v.draw() // nothing new
	v.end()
	if got := out.String(); strings.Count(got, "\n") != 1 || strings.Contains(got, "\x1b") || !strings.Contains(got, "storm: 30s  written 12 of 20, shown 9, in flight 3") {
		t.Errorf("a line of progress: %q", got)
	}
}
