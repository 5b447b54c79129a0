// Command anonymity simulates the knowledge of adversaries, and writes a report with
// figures into docs/anonymity. Every simulator is first held against a closed form
// (check). It uses the program's own guards (p2p/guard) and routes (p2p/mix); lines,
// relays and people are models, said with each figure.
//
//	go run ./cmd/internal/anonymity [-runs 12] [-o docs/anonymity]
package main

import (
	"flag"
	"fmt"
	"log"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"
)

func main() {
	log.SetFlags(0)
	runs := flag.Int("runs", 12, "how many laptops live through a year of each kind")
	messages := flag.Int("messages", 3_000, "how many messages are drawn for each capture")
	out := flag.String("o", "docs/anonymity", "the folder of the report")
	flag.Parse()
	if err := write(*out, *runs, *messages); err != nil {
		log.Fatal(err)
	}
}

// write makes the whole report.
func write(out string, runs, messages int) error {
	began := time.Now()
	if err := check(); err != nil {
		return fmt.Errorf("a simulator is wrong: %w", err)
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}

	var r report
	r.guards(runs)
	if err := r.captures(messages); err != nil {
		return err
	}
	r.intersections()
	if err := r.timing(); err != nil {
		return err
	}

	for name, data := range r.files {
		if err := os.WriteFile(filepath.Join(out, name), data, 0o644); err != nil {
			return err
		}
	}
	log.Printf("%s in %v", out, time.Since(began).Round(time.Second))
	return os.WriteFile(filepath.Join(out, "README.md"), r.text.Bytes(), 0o644)
}

// check holds the simulators against closed forms.
func check() error {
	// Without outages and absences only the ends of lives, the larger of two draws from
	// 240 to 480 days, show the address to others.
	seen := func(f life) (mean float64) {
		const runs = 20
		for _, y := range f.many(runs) {
			mean += float64(y.seen[months]) / runs
		}
		return mean
	}
	const ends = 2 * (125. / 240) * (125. / 240)
	if got, want := seen(life{}), 2+ends; math.Abs(got-want) > .5 {
		return fmt.Errorf("a quiet year: seen by %.2f, want %.2f", got, want)
	}
	// Where guards leave for good with chance q a day, two places see 2·365·q more; the
	// budget of 24 does not bind.
	const q = 0.005
	if got, want := seen(life{leave: q}), 2+2*365*q; math.Abs(got-want) > 1 {
		return fmt.Errorf("relays that leave: seen by %.2f, want %.2f", got, want)
	}

	r := rand.New(rand.NewPCG(1, 2))
	for _, chance := range []float64{.3, .5, .9} {
		if got, want := intersects(1000, chance, 400, r), intersectsExactly(1000, chance); math.Abs(got-want) > .05*want {
			return fmt.Errorf("intersection at %.1f: %.2f messages, want %.2f", chance, got, want)
		}
	}
	m, err := newMesh(200, .3)
	if err != nil {
		return err
	}
	const n = 2000
	c, err := m.capture(n)
	if err != nil {
		return err
	}
	for _, x := range []struct {
		what      string
		got, want float64
	}{
		{"guard and mailbox", c.guardMailbox, .09}, {"both guards", c.guards, .09},
		{"guard, second, third", c.all, .027}, {"first spy", c.firstSpy, .3},
	} {
		if sigma := math.Sqrt(x.want * (1 - x.want) / n); math.Abs(x.got-x.want) > 4*sigma+.004 {
			return fmt.Errorf("%s: %.4f, want %.4f", x.what, x.got, x.want)
		}
	}
	return nil
}
