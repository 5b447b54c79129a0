package metrics

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"math"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// seed returns another source of randomness for each number.
func seed(n int) (s [32]byte) {
	binary.LittleEndian.PutUint64(s[:], uint64(n))
	return s
}

// published is what a board shows after some periods, as a text.
func published(b *Board, periods ...Counts) string {
	for _, c := range periods {
		b.Turn(c)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return fmt.Sprint(b.shown)
}

// TestOneClient: of two runs that differ by one client, nobody can tell by what is
// published which is which. With all randomness the same, the values differ in few of many
// runs; and each value comes about as often in one as in the other.
func TestOneClient(t *testing.T) {
	const runs = 4000
	others := Counts{Clients: 37, Links: 41, Forwarded: 100_000, Delivered: 9000, Boxes: 500, MailStored: 700, BytesIn: 1 << 30}
	with := others
	with.Clients, with.Links = 38, 42
	with.Forwarded, with.Delivered = others.Forwarded+1024, others.Delivered+1024
	with.Boxes, with.MailStored, with.BytesIn = others.Boxes+64, others.MailStored+64, others.BytesIn+1024*2400

	names := []string{"clients", "links", "packets_forwarded_total", "packets_delivered_total", "mailbox_boxes", "mail_stored_total"}
	values := func(c Counts) map[string]map[float64]int {
		count := map[string]map[float64]int{}
		for _, name := range names {
			count[name] = map[float64]int{}
		}
		for n := range runs {
			b := newBoard(seed(n))
			b.Turn(c)
			b.Turn(c)
			for _, name := range names {
				count[name][b.Shown(name)]++
			}
		}
		return count
	}
	without, beside := values(others), values(with)
	for _, name := range names {
		a, z := without[name], beside[name]
		for v := range maps.Keys(a) {
			// The rule is a factor of e^½; chance adds its part to rare ones.
			x, y := float64(a[v]), float64(z[v])
			if slack := 5 * math.Sqrt(max(x, y)); x > math.Sqrt(math.E)*y+slack || y > math.Sqrt(math.E)*x+slack {
				t.Errorf("%s: %v is shown %v times without one client, and %v times with it", name, v, x, y)
			}
		}
	}
	// Ten clients more are seen: the figures are of use.
	many := others
	many.Clients += 40
	a, z := without["clients"], values(many)["clients"]
	both := 0
	for v := range a {
		both += min(a[v], z[v])
	}
	if both > runs/100 {
		t.Errorf("40 clients more look alike in %d of %d runs", both, runs)
	}
}

// TestDelayed: nothing of a period is published before the end of the next, and the clock
// says when.
func TestDelayed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBoard(seed(1))
		ctx, stop := context.WithCancel(t.Context())
		var clients atomic.Int64
		clients.Store(800)
		done := make(chan struct{})
		time.Sleep(3 * time.Minute) // not at a round time
		go func() { defer close(done); b.Run(ctx, func() Counts { return Counts{Clients: int(clients.Load())} }) }()

		for minute := range 16 {
			if got := b.Shown("clients"); got != 0 {
				t.Errorf("after %d minutes: %v clients", minute, got)
			}
			time.Sleep(time.Minute)
			if minute == 5 {
				clients.Store(80) // the first period has not ended
			}
		}
		time.Sleep(90 * time.Second)
		if got := b.Shown("clients"); math.Abs(got-80) > 40 {
			t.Errorf("%v clients", got)
		}
		clients.Store(8000)
		time.Sleep(2*Period - time.Minute)
		if got := b.Shown("clients"); math.Abs(got-80) > 40 {
			t.Errorf("a period early: %v clients", got)
		}
		stop()
		<-done
	})
}

// TestRounded: every value is a multiple of its step and none is negative; counters never
// fall, also when the relay begins anew, and stay near the truth.
func TestRounded(t *testing.T) {
	b := newBoard(seed(2))
	var last float64
	c := Counts{Refused: map[string]int64{"replayed": 5000}}
	for n := range 500 {
		c.Forwarded += 50_000
		if n == 250 {
			c.Forwarded = 0
		}
		b.Turn(c)
		for s, v := range b.shown {
			for _, g := range gauges {
				if g.name == s.name && (v < 0 || math.Mod(v, g.unit.step) != 0) {
					t.Fatalf("%v is %v", s, v)
				}
			}
		}
		now := b.Shown("packets_forwarded_total")
		if now < last || math.Mod(now, packets.step) != 0 {
			t.Fatalf("%v after %v", now, last)
		}
		last = now
	}
	if want := 248*50_000.0 + 250*50_000; math.Abs(last-want) > 0.02*want {
		t.Errorf("%v packets, not about %v", last, want)
	}
}

// TestReasonsAreBounded: no neighbour makes more series than there is room for.
func TestReasonsAreBounded(t *testing.T) {
	many := map[string]int64{}
	for n := range 10 * maxReasons {
		many[fmt.Sprint("reason ", n)] = 1
	}
	got := refusals(Counts{Refused: many})
	if len(got) != maxReasons+1 || got["other"] != 9*maxReasons {
		t.Errorf("%d reasons, others %v", len(got), got["other"])
	}
}

// TestServe: every metric is there in Prometheus' text, facts are those of now, and health
// is a status code with its reason. Nothing of the process, Go or libp2p is.
func TestServe(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := newBoard(seed(3))
	published(b, Counts{}, Counts{Refused: map[string]int64{"a \"b\"\n": 1 << 20}, BytesIn: 1 << 40, BytesOut: 1}, Counts{})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	healthy := false
	go func() {
		defer close(done)
		b.Serve(ctx, l, func() Facts { return Facts{Listed: true, Version: "v9", Relays: 12} }, func() Health {
			if healthy {
				return Health{Healthy: true, Listed: true, Reachable: true}
			}
			return Health{Reason: "nobody reaches it"}
		})
	}()
	get := func(path string) (int, string) {
		resp, err := http.Get("http://" + l.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(body)
	}

	_, text := get("/metrics")
	for _, name := range Names() {
		if !strings.Contains(text, "\n"+name) {
			t.Errorf("no %s", name)
		}
	}
	for _, want := range []string{"starling_relay_listed 1\n", "starling_relay_relays_known 12\n", `version="v9"`, `reason="a \"b\"\n"`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in %s", want, text)
		}
	}
	for _, no := range []string{"\ngo_", "\nprocess_", "\nlibp2p_", "\npromhttp_"} {
		if strings.Contains(text, no) {
			t.Errorf("it shows %q", no)
		}
	}
	if code, body := get("/health"); code != 503 || !strings.Contains(body, "nobody reaches it") {
		t.Errorf("%d %s", code, body)
	}
	healthy = true
	if code, _ := get("/health"); code != 200 {
		t.Errorf("%d", code)
	}
	if code, _ := get("/"); code != 404 {
		t.Errorf("%d", code)
	}
	stop()
	<-done
}
