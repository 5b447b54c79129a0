// Command steps counts the functions that one key press enters before the screen is
// drawn. Some find its action and carry it out; others lay out text on the way, to know
// how far to scroll. It has to be built with counters:
//
//	go run -cover -covermode atomic -coverpkg ./tui/... ./tui/tuitest/cmd/steps
package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime/coverage"
	"slices"
	"strings"
	"time"

	"starling/tui"
	"starling/tui/tuitest"
)

// A press is one key, and the keys that lead to where it is pressed.
type press struct {
	name   string
	before []string
	key    string
}

var presses = []press{
	{"a letter in the text", nil, "x"},
	{"enter sends the text", []string{"x"}, "enter"},
	{"up in the messages", []string{"esc"}, "up"},
	{"down in the list", []string{"esc", "esc"}, "down"},
	{"enter opens from the list", []string{"esc", "esc", "down"}, "enter"},
	{"the next conversation", nil, "alt+down"},
	{"the menu of a message", []string{"esc"}, "enter"},
	{"the actions open", nil, "f2"},
	{"a letter in the actions", []string{"f2"}, "x"},
	{"esc closes the actions", []string{"f2"}, "esc"},
	{"the screen is hidden", nil, "f5"},
	{"the screen is locked", nil, "f6"},
}

// laying are the packages that lay out text.
var laying = []string{"chatview", "list", "term", "theme", "catalogue"}

// maxSteps is how many steps a key press may take.
const maxSteps = 40

func main() {
	failed := false
	for _, p := range presses {
		entered, err := count(p)
		if err != nil {
			fmt.Fprintln(os.Stderr, "steps:", err)
			os.Exit(1)
		}
		var steps, layout []string
		for _, f := range entered {
			if pkg, _, _ := strings.Cut(f, "/"); slices.Contains(laying, pkg) {
				layout = append(layout, f)
			} else {
				steps = append(steps, f)
			}
		}
		fmt.Printf("%d steps, %d of layout\t%s\t%s\n", len(steps), len(layout), p.name, strings.Join(steps, " "))
		failed = failed || len(steps) == 0 || len(steps) >= maxSteps
	}
	if failed {
		fmt.Fprintf(os.Stderr, "steps: a key press takes 1 to %d steps\n", maxSteps-1)
		os.Exit(1)
	}
}

// count presses the key in a new app and returns the functions it enters.
func count(p press) ([]string, error) {
	app := open()
	for _, k := range p.before {
		app.Update(tuitest.Key(k))
		app.View()
	}

	if err := coverage.ClearCounters(); err != nil {
		return nil, err
	}
	app.Update(tuitest.Key(p.key))
	return entered()
}

// open returns the app with people in it and its first commands done.
func open() *tui.App {
	now := func() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }
	node := tuitest.NewNode(now)
	tuitest.People(node)
	return tuitest.Open(node, tui.Options{Now: now, Language: "en"}, 120, 40)
}

// entered returns the functions with counters that are not zero.
func entered() ([]string, error) {
	dir, err := os.MkdirTemp("", "steps-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := coverage.WriteMetaDir(dir); err != nil {
		return nil, err
	}
	if err := coverage.WriteCountersDir(dir); err != nil {
		return nil, err
	}
	out, err := exec.Command("go", "tool", "covdata", "func", "-i="+dir).CombinedOutput()
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, out)
	}

	// A line is the place, the name and the share of the function that ran.
	var names []string
	for line := range strings.Lines(string(out)) {
		f := strings.Fields(line)
		if len(f) != 3 || f[0] == "total" || f[2] == "0.0%" || strings.Contains(f[0], "/tuitest/") {
			continue
		}
		path, _, _ := strings.Cut(f[0], ":")
		path = strings.TrimPrefix(path, "starling/tui/")
		names = append(names, strings.TrimSuffix(path, ".go")+"."+f[1])
	}
	slices.Sort(names)
	return names, nil
}
