package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"time"

	"starling/node/testnet/plot"
)

// A report is a page and its figures.
type report struct {
	text  bytes.Buffer
	files map[string][]byte
}

func (r *report) say(format string, args ...any) { fmt.Fprintf(&r.text, format+"\n", args...) }

// figure keeps a chart and shows it on the page.
func (r *report) figure(name, alt string, svg []byte) {
	if r.files == nil {
		r.files = map[string][]byte{}
	}
	r.files[name] = svg
	r.say("\n![%s](%s)\n", alt, name)
}

// typical is the year of the issue: 10 outages a day, and relays that stay.
var typical = life{outages: 10, told: .85, leave: .0002, away: .02}

// guards reports which relays see a laptop's address.
func (r *report) guards(runs int) {
	r.say(`# What adversaries learn: simulations

Written by `+"`make anonymity`"+`, with the program's own guards and routes. Each simulator is held
against a closed form before it is used. Models, and what they leave out, stand with each figure.

## Guards and Sybils over a year

A laptop with ten outages a day: 60 %% of 10 to 120 s, 30 %% of 2 to 30 min, 10 %% of up to 8 h. Where the system
tells of an outage (85 %%) it tells of its end, too; of the others a dead link is noticed after 20 s. 1,000 relays;
each day 2 %% of them are away for 1 to 12 hours, and refuse or are silent; those that leave for good are replaced.
*Seen by* are the machines that got a packet from the laptop, connected or not. *Met a bad one* is the chance that one
of them is bad, for a part f of all relays. %d laptops of each kind.
`, runs)
	r.say("| year | seen by: median | 95th percentile | met a bad one, f = 5 %% | 10 %% | 20 %% | with a guard |\n|---|---|---|---|---|---|---|")
	var first []year
	for _, k := range []struct {
		name string
		life life
	}{
		{"relays stay (0.02 % leave a day)", typical},
		{"the same without outages", life{told: 1, leave: .0002, away: .02}},
		{"the system tells of no outage", life{outages: 10, leave: .0002, away: .02}},
		{"0.2 % leave a day", life{outages: 10, told: .85, leave: .002, away: .02}},
		{"2 % leave a day", life{outages: 10, told: .85, leave: .02, away: .02}},
	} {
		years := k.life.many(runs)
		if first == nil {
			first = years
		}
		r.say("| %s | %d | %d | %.0f %% | %.0f %% | %.0f %% | %.2f %% of the time |", k.name, quantile(years, .5), quantile(years, .95),
			100*bad(years, months, .05), 100*bad(years, months, .1), 100*bad(years, months, .2), 100*covered(years))
	}
	r.say("\nBefore these rules a laptop showed its address to every guard of a list of 60, and met about 250 in such a year.")

	count := map[int]int{}
	most := 0
	for _, y := range first {
		count[y.seen[months]]++
		most = max(most, y.seen[months])
	}
	var bars []plot.Bar
	for n := 1; n <= most; n++ {
		bars = append(bars, plot.Bar{Name: fmt.Sprint(n), Parts: []float64{float64(count[n])}})
	}
	r.figure("guards.svg", "Relays that have seen a laptop's address after a year",
		plot.Bars(fmt.Sprintf("Relays that have seen the address of a laptop after a year: %d laptops", len(first)),
			plot.Axis{Label: "laptops"}, []string{"by so many relays"}, bars))

	var curves []plot.Series
	for _, f := range []float64{.05, .1, .2} {
		s := plot.Series{Name: fmt.Sprintf("f = %.0f %%", 100*f)}
		for m := 1; m <= months; m++ {
			s.X = append(s.X, float64(m))
			s.Y = append(s.Y, 100*bad(first, m, f))
		}
		curves = append(curves, s)
	}
	r.figure("sybils.svg", "Laptops that have met a bad relay, by month",
		plot.Curves("Laptops that have met a bad relay", plot.Axis{Label: "months"}, plot.Axis{Label: "laptops", Unit: "%"}, curves, "", nil))
}

// captures tells how often relays that work together hold the ends of a path.
func (r *report) captures(messages int) error {
	r.say(`## Path capture, and the first spy

%d messages for each f between new people, over routes that the program chose among 200 relays: how often relays that work together hold
the sender's guard and the mailbox, both guards, all three mixes of the sender; and how often the first of them on the way
gets the packet from the sender. One person keeps the same guards for most of a year: these are parts of all people, not
chances that grow with each message.
`, messages)
	r.say("| f | guard and mailbox | f² | both guards | all three mixes | f³ | first spy is the guard | f |\n|---|---|---|---|---|---|---|---|")
	var got, want plot.Series
	got.Name, want.Name = "guard and mailbox", "f²"
	for _, f := range []float64{.05, .1, .15, .2, .3} {
		m, err := newMesh(200, f)
		if err != nil {
			return err
		}
		c, err := m.capture(messages)
		if err != nil {
			return err
		}
		r.say("| %.0f %% | %.2f %% | %.2f %% | %.2f %% | %.2f %% | %.2f %% | %.1f %% | %.0f %% |", 100*f,
			100*c.guardMailbox, 100*f*f, 100*c.guards, 100*c.all, 100*f*f*f, 100*c.firstSpy, 100*f)
		got.X, got.Y = append(got.X, 100*f), append(got.Y, 100*c.guardMailbox)
		want.X, want.Y = append(want.X, 100*f), append(want.Y, 100*f*f)
	}
	r.figure("capture.svg", "Guard and mailbox are bad, against f squared",
		plot.Curves("Messages whose guard and mailbox are bad", plot.Axis{Label: "relays that are bad, f", Unit: "%"},
			plot.Axis{Label: "messages", Unit: "%"}, []plot.Series{got, want}, "", nil))
	return nil
}

// intersections tells how long a habit takes to give somebody away.
func (r *report) intersections() {
	r.say(`## Intersection over days

Somebody who sees when a certain person writes, and who is online, strikes out everybody who was not. Each of the others is
online with the same chance, each time anew; real people have habits, and are struck out later or never when they share them.
Messages until one is left, in the mean of 200 runs:
`)
	r.say("| online | 100 users | 1,000 | 10,000 |\n|---|---|---|---|")
	rnd := rand.New(rand.NewPCG(3, 4))
	curve := plot.Series{Name: "1,000 users"}
	for _, chance := range []float64{.3, .5, .7, .9, .95} {
		var means [3]float64
		for i, users := range []int{100, 1000, 10_000} {
			means[i] = intersects(users, chance, 200, rnd)
		}
		r.say("| %.0f %% | %.1f | %.1f | %.1f |", 100*chance, means[0], means[1], means[2])
		curve.X, curve.Y = append(curve.X, 100*chance), append(curve.Y, means[1])
	}
	r.figure("intersection.svg", "Messages until one of 1,000 users is left",
		plot.Curves("Messages until one of 1,000 users is left", plot.Axis{Label: "online", Unit: "% of the time"},
			plot.Axis{Label: "messages"}, []plot.Series{curve}, "", nil))
}

// timing reports how soon a watcher of both ends links them.
func (r *report) timing() error {
	m, err := newMesh(200, 0)
	if err != nil {
		return err
	}
	rnd := rand.New(rand.NewPCG(5, 6))
	delays, err := m.delays(4000, rnd)
	if err != nil {
		return err
	}
	window, chance := chanceInWindow(delays)
	at := func(q float64) time.Duration { return delays[int(q*float64(len(delays)))].Round(time.Millisecond) }

	r.say(`## Both ends watched, in the fast profile

Expected to succeed, and does. Somebody sees the lines of all users, and frames of one size on them. A message takes %v in the
median, and 99 %% of all take between %v and %v (the mixes' own delays, drawn by the program, and eight links of 50 to 100 ms). The
recipient's line gets a frame in that window of %v each time; somebody else's with a chance of %.2f %% (%d frames a day that come
in: polls, answers, the list, messages). Messages until one recipient is left, in the mean of 400 runs:
`, at(.5), at(.005), at(.995), window.Round(time.Millisecond), 100*chance, framesIn)

	r.say("| users | messages |\n|---|---|")
	curve := plot.Series{Name: "messages"}
	for _, users := range []int{10, 100, 1000, 10_000, 100_000} {
		runs := 400
		if users > 10_000 {
			runs = 40
		}
		mean := intersects(users, chance, runs, rnd)
		r.say("| %d | %.1f |", users, mean)
		curve.X, curve.Y = append(curve.X, float64(len(curve.X)+1)), append(curve.Y, mean)
	}
	r.say("\nSo `fast` hides nothing from who sees both lines. Nothing here counts how often two people answer each other, which makes it sooner.")
	r.figure("timing.svg", "Messages until the recipient is known to who watches all lines",
		plot.Curves("Messages until the recipient is known to who watches all lines", plot.Axis{Label: "users, as a power of ten"},
			plot.Axis{Label: "messages"}, []plot.Series{curve}, "", nil))
	return nil
}
