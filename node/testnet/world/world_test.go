package world

import (
	"math"
	"strings"
	"testing"
	"time"
)

func TestBuiltIn(t *testing.T) {
	b := BuiltIn()
	if len(b.Regions) != 10 || b.Source == "" || b.RTT("london", "frankfurt") != 13*ms || b.RTT("frankfurt", "london") != 13*ms || b.RTT("sao-paulo", "sydney") != 328*ms {
		t.Errorf("%+v", b)
	}
}

func TestParseTable(t *testing.T) {
	got, err := ParseTable([]byte("regions=['a','b']\nrtt=[[1,20],[20,1.5]]\nsource='x'\n"))
	if err != nil || got.RTT("b", "a") != 20*ms || got.RTT("b", "b") != 1500*time.Microsecond {
		t.Errorf("%+v, %v", got, err)
	}
	for src, want := range map[string]string{
		"":                                     "there are 0 regions",
		"regions=['a']":                        "there are 1 regions and 0 rows",
		"regions=['a','a']\nrtt=[[1],[1,2]]":   "is there once",
		"regions=['A']\nrtt=[[1]]":             "small letters",
		"regions=['a']\nrtt=[[-1]]":            "is -1; it is 0 to 10000",
		"regions=['a']\nrtt=[[nan]]":           "is NaN",
		"regions=['a']\nrtt=[[1e9]]":           "it is 0 to 10000",
		"regions=['a','b']\nrtt=[[1,2,3],[1]]": "row 0 of rtt has 3 values",
		"regions=['a','b']\nrtt=[[1,2],[3,1]]": "is 3, and back 2",
		"regions=['a']\nrtt=[[1]]\nrrt=1":      `there is no key "rrt"`,
		"regions=1":                            "toml",
		"x=" + strings.Repeat("1", MaxTable):   "larger than 1 MiB",
	} {
		if _, err := ParseTable([]byte(src)); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.40q: %v, want %s", src, err, want)
		}
	}
}

func FuzzParseTable(f *testing.F) {
	f.Add([]byte("regions=['a','b']\nrtt=[[1,20],[20,1.5]]\nsource='x'\n"))
	f.Fuzz(func(t *testing.T, src []byte) {
		table, err := ParseTable(src)
		if err != nil {
			return
		}
		for _, a := range table.Regions {
			for _, b := range table.Regions {
				if d := table.RTT(a, b); d < 0 || d > maxRTT*ms || d != table.RTT(b, a) {
					t.Errorf("%s to %s: %v", a, b, d)
				}
			}
		}
	})
}

func mean(w *World, from, to int) (d time.Duration, lost float64) {
	const n = 20_000
	for i := range n {
		one, gone := w.Delay(from, to, time.Duration(i)*ms)
		if d += one; gone {
			lost++
		}
	}
	return d / n, lost / n
}

// TestDelay: a packet takes half of the round trip, and the two links.
func TestDelay(t *testing.T) {
	w := New(BuiltIn(), []Machine{{Region: "london", Link: Datacentre}, {Region: "tokyo", Link: DSL, Up: 3}, {Region: "tokyo", Link: Datacentre}}, 0, Bursts{}, 1)
	if d := w.Usual(0, 2, 0); d != 122*ms+ms {
		t.Errorf("London to Tokyo takes %v", d)
	}
	d, lost := mean(w, 0, 1)
	if want := 122*ms + ms/2 + 12*ms; d < want || d > want+3*ms || lost != 0 {
		t.Errorf("London to a home in Tokyo takes %v, want %v and jitter; lost %v", d, want, lost)
	}
	if up, down := w.Rate(1, true, 0), w.Rate(1, false, 0); up != 3e6 || down != 50e6 {
		t.Errorf("rates %v, %v", up, down)
	}
	if d, _ := w.Delay(-1, 5, 0); d < 0 || w.Rate(99, true, 0) <= 0 {
		t.Error("an outsider has no link")
	}
}

// TestBursts: losses are as many as the two states make them, and come together.
func TestBursts(t *testing.T) {
	w := New(BuiltIn(), []Machine{{Region: "london"}, {Region: "london"}}, 0, Bursts{Enter: 0.01, Leave: 0.2, Loss: 0.5}, 1)
	const n = 200_000
	losses, pairs, before := 0, 0, false
	for range n {
		_, lost := w.Delay(0, 1, 0)
		if lost {
			losses++
			if before {
				pairs++
			}
		}
		before = lost
	}
	share, again := float64(losses)/n, float64(pairs)/float64(losses)
	one := 0.01 / 0.21 * 0.5 // of each of the two links
	if math.Abs(share-2*one) > 0.2*one || again < 3*share {
		t.Errorf("%.3f of all packets lost, %.3f behind a lost one", share, again)
	}
}

// TestChangingLinks: links of phones and satellites change, have holes, and are the same
// for the same seed.
func TestChangingLinks(t *testing.T) {
	for _, link := range []string{Mobile, Commuter, Satellite} {
		w := New(BuiltIn(), []Machine{{Region: "london", Link: link}, {Region: "london", Link: link}}, 0, Bursts{}, 7)
		again := New(BuiltIn(), w.machines, 0, Bursts{}, 7)
		latencies, gone, apart := map[time.Duration]bool{}, 0, 0
		const n = 60_000
		for i := range n {
			at := time.Duration(i) * 50 * ms
			s := w.state(0, at)
			if s != again.state(0, at) {
				t.Fatalf("%s: the same seed has another state", link)
			}
			latencies[s.latency] = true
			if s.gone {
				gone++
			}
			if s.gone != w.state(1, at).gone {
				apart++
			}
			if s.latency < ms || s.latency > 100*ms || s.up < 1 || s.down > 200 {
				t.Fatalf("%s: %+v", link, s)
			}
		}
		if len(latencies) < 20 || gone == 0 || gone > n/20 || apart == 0 {
			t.Errorf("%s: %d latencies, gone for %d of %d, apart %d", link, len(latencies), gone, n, apart)
		}
	}
}
