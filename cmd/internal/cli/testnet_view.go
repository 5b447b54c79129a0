package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"starling/node/testnet/report"
	"starling/node/testnet/runner"
	"starling/node/testnet/scenario"
)

const (
	redraw   = 200 * time.Millisecond // of the live view
	lineEach = 10 * time.Second       // where it cannot be redrawn
)

// meshView shows a testnet while it runs: in place on a terminal, as a line now
// and then elsewhere. It draws by the real clock, even beside an engine in virtual
// time.
type meshView struct {
	out   io.Writer
	s     *scenario.Scenario
	tty   bool
	width int
	began time.Time
	stop  chan struct{}
	done  chan struct{}

	mu    sync.Mutex
	now   runner.Progress
	fresh bool
	drawn int // lines that stand on the terminal
}

func watchMesh(out io.Writer, tty bool, s *scenario.Scenario) *meshView {
	v := &meshView{out: out, s: s, tty: tty, width: 80, began: time.Now(), stop: make(chan struct{}), done: make(chan struct{})}
	every := lineEach
	if tty {
		every = redraw
		if w, _, err := term.GetSize(int(os.Stderr.Fd())); err == nil && w > 0 {
			v.width = w
		}
	}
	go func() {
		defer close(v.done)
		t := time.NewTicker(every)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				v.draw()
			case <-v.stop:
				return
			}
		}
	}()
	return v
}

// end draws for the last time.
func (v *meshView) end() {
	close(v.stop)
	<-v.done
	if v.tty {
		v.draw()
	}
}

func (v *meshView) show(p runner.Progress) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.now, v.fresh = p, true
}

// say writes a line that stays, above the redrawn part.
func (v *meshView) say(words string) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.erase()
	fmt.Fprintf(v.out, "%s: %s\n", v.s.Name, words)
}

func (v *meshView) erase() {
	for ; v.drawn > 0; v.drawn-- {
		fmt.Fprint(v.out, "\x1b[1A\r\x1b[2K")
	}
}

func (v *meshView) draw() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !v.fresh {
		return
	}
	v.fresh = false

	p := v.now
	at := time.Duration(p.MS) * time.Millisecond
	if !v.tty {
		fmt.Fprintf(v.out, "%s: %v  written %d of %d, shown %d, in flight %d, delivered %d  relays %d/%d, users %d/%d\n",
			v.s.Name, at.Round(time.Second), p.Sent, p.Planned, p.Shown, p.InFlight, p.Delivered, p.Relays, v.s.Relays, p.Users, v.s.Users)
		return
	}

	clock := fmt.Sprintf("%v of %v", at.Round(time.Second), v.s.Duration)
	if real := time.Since(v.began); v.s.Engine == scenario.Virtual && real > time.Second {
		clock += fmt.Sprintf(", in %v of real time", real.Round(time.Second))
	}

	lines := []string{
		fmt.Sprintf("%s  %s", v.s.Name, clock),
		fmt.Sprintf("relays    %s %d of %d", dots(v.s.Relays, p.Down, v.width-30), p.Relays, v.s.Relays),
		fmt.Sprintf("users     %s %d of %d", dots(v.s.Users, p.Away, v.width-30), p.Users, v.s.Users),
		fmt.Sprintf("messages  %s %d written of %d, %d in flight, %d shown, %d delivered", bar(p.Shown, p.Planned, 20), p.Sent, p.Planned, p.InFlight, p.Shown, p.Delivered),
		losses(p),
		fmt.Sprintf("wrong     %d shown twice, %d out of order", p.Duplicates, p.OutOfOrder),
	}

	// The lines are drawn over those of before.
	v.erase()
	for _, line := range lines {
		// A line that wraps would be one more to erase.
		if r := []rune(line); len(r) >= v.width {
			line = string(r[:v.width-1])
		}
		fmt.Fprintln(v.out, line)
	}
	v.drawn = len(lines)
}

// losses says what was lost, as far as the engine sees it.
func losses(p runner.Progress) string {
	line := "losses    not seen by this engine"
	if p.Puts != nil {
		line = fmt.Sprintf("losses    %d boxes stored again, %d tries failed of %d", report.Value(p.Resends), report.Value(p.Failed), *p.Puts)
	}
	if p.Packets != nil {
		line += fmt.Sprintf("; %d packets lost of %d", report.Value(p.Lost), *p.Packets)
	}
	return line
}

// dots draws machines, or as many as fit: those that are there and those that
// are not.
func dots(n int, gone []int, room int) string {
	room = max(10, room)
	if n <= room {
		row := []rune(strings.Repeat("●", n))
		for _, i := range gone {
			row[i] = '·'
		}
		return string(row)
	}
	there := (n - len(gone)) * room / n
	return strings.Repeat("●", there) + strings.Repeat("·", room-there)
}

// bar draws how much of something is done.
func bar(done, of, width int) string {
	full := 0
	if of > 0 {
		full = min(width, done*width/of)
	}
	return strings.Repeat("█", full) + strings.Repeat("░", width-full)
}
