package mailbox

import (
	"container/heap"
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"
)

// flood is a mailbox under attack: honest people store boxes that are fetched
// after a while, and somebody stores many times as many that nobody fetches.
type flood struct {
	room     int           // boxes
	users    int           // honest
	perDay   int           // boxes each gets a day
	factor   int           // how many boxes of the attacker for each of theirs
	away     time.Duration // mean time until a box is fetched
	expected float64       // share of honest boxes whose tag was asked for before
	asks     bool          // whether the attacker asks for his boxes
	days     int
	after    time.Duration // for so long it is quiet before the attack
}

// fate counts the fates of honest boxes that were due during the attack.
type fate struct {
	expected, unexpected struct{ sent, refused, lost, found int }
}

func share(n, of int) float64 { return float64(n) / float64(max(1, of)) }

type pickup struct {
	at       time.Time
	tag      Tag
	expected bool
}

type pickups []pickup

func (p pickups) Len() int           { return len(p) }
func (p pickups) Less(i, j int) bool { return p[i].at.Before(p[j].at) }
func (p pickups) Swap(i, j int)      { p[i], p[j] = p[j], p[i] }
func (p *pickups) Push(x any)        { *p = append(*p, x.(pickup)) }
func (p *pickups) Pop() any {
	old := *p
	x := old[len(old)-1]
	*p = old[:len(old)-1]
	return x
}

// run plays the attack in virtual time over the rules of the server.
func (f flood) run(t testing.TB) (out fate) {
	rnd := rand.New(rand.NewPCG(1, 2))
	store, named := NewMemory(f.room), newInterest(f.room)
	var waiting pickups
	box := new(Box)
	next := uint64(0)
	tag := func() (t Tag) {
		next++
		binary.BigEndian.PutUint64(t[:], next*0x9e3779b97f4a7c15)
		return t
	}
	put := func(t Tag) error {
		now := time.Now()
		return store.Put(context.Background(), t, box, now.Add(TTL), named.has(t))
	}
	began := time.Now()
	attack := began.Add(f.after)
	end := attack.Add(time.Duration(f.days) * 24 * time.Hour)
	every := 24 * time.Hour / time.Duration(f.users*f.perDay)
	// The reader of a box has asked for it a day ago.
	var ahead []pickup
	name := func() {
		it := pickup{tag: tag(), expected: rnd.Float64() < f.expected}
		if it.expected {
			named.add([]Tag{it.tag}, time.Now())
		}
		ahead = append(ahead, it)
	}
	for range f.users * f.perDay {
		name()
	}
	honest := func(now time.Time) {
		it := ahead[0]
		ahead = ahead[1:]
		name()
		it.at = now.Add(time.Duration(rnd.ExpFloat64() * float64(f.away)))
		of := &out.unexpected
		if it.expected {
			of = &out.expected
		}
		err := put(it.tag)
		if now.After(attack) {
			of.sent++
			if err != nil {
				of.refused++
			}
		}
		if err == nil {
			heap.Push(&waiting, it)
		}
	}
	for time.Now().Before(end) {
		now := time.Now()
		attackers := 0
		if now.After(attack) {
			attackers = f.factor
		}
		turn := rnd.IntN(attackers + 1)
		for i := range attackers + 1 {
			if i == turn {
				honest(now)
				continue
			}
			t := tag()
			if f.asks {
				named.add([]Tag{t}, now)
			}
			put(t)
		}
		for len(waiting) > 0 && waiting[0].at.Before(now) {
			it := heap.Pop(&waiting).(pickup)
			named.add([]Tag{it.tag}, now)
			items, _ := store.Get(context.Background(), []Tag{it.tag}, now)
			of := &out.unexpected
			if it.expected {
				of = &out.expected
			}
			if it.at.After(attack) {
				if of.found += len(items); len(items) == 0 {
					of.lost++
				}
			}
			store.Delete(context.Background(), []Tag{it.tag})
			named.forget([]Tag{it.tag})
		}
		time.Sleep(every)
	}
	return out
}

func (f fate) String() string {
	e, u := f.expected, f.unexpected
	return fmt.Sprintf("asked for: %.1f %% taken, of those %.1f %% found; others: %.1f %% taken, of those %.1f %% found",
		100-100*share(e.refused, e.sent), 100*share(e.found, e.found+e.lost),
		100-100*share(u.refused, u.sent), 100*share(u.found, u.found+u.lost))
}

// attack is a hundred boxes for each of 1,000 people's, at a sixteenth of the
// default room and of their mail, for three days after a quiet one.
var attack = flood{
	room: DefaultMaxBoxes / 16, users: 1000, perDay: 50 / 16, factor: 100,
	away: 8 * time.Hour, expected: 0.95, days: 3, after: 24 * time.Hour,
}

// TestFlood: a flood of boxes that nobody asks for does not cost one box that
// somebody does.
func TestFlood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := attack.run(t)
		t.Log(got)
		if e := got.expected; e.refused > 0 || e.lost > 0 || e.found < 5000 {
			t.Errorf("of boxes asked for %d were refused, %d lost, %d found", e.refused, e.lost, e.found)
		}
		// The others are told that there is no room, or stay.
		u := got.unexpected
		if kept := share(u.found, u.found+u.lost); kept < 0.6 {
			t.Errorf("of the others %.2f are found", kept)
		}
		if u.refused == u.sent {
			t.Error("of the others none gets in")
		}
	})
}

// TestFloodThatAsks: an attacker that asks for its boxes, too, is like anybody else.
// Stored boxes stay for a while, others are refused openly, and nobody is shut out.
func TestFloodThatAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := attack
		f.asks = true
		got := f.run(t)
		t.Log(got)
		e := got.expected
		if kept := share(e.found, e.found+e.lost); kept < 0.6 {
			t.Errorf("of what was stored %.2f is found", kept)
		}
		if in := 1 - share(e.refused, e.sent); in < 0.004 {
			t.Errorf("%.4f get in", in)
		}
	})
}

// TestAfterFlood: when the flood is over mail gets in at once, and not after TTL.
func TestAfterFlood(t *testing.T) {
	for _, asks := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			store := NewMemory(1600)
			box := new(Box)
			for n := range 100_000 {
				store.Put(context.Background(), Tag{1, byte(n >> 16), byte(n >> 8), byte(n)}, box, time.Now().Add(TTL), asks)
			}
			time.Sleep(time.Hour)
			for n := range 100 {
				for _, asked := range []bool{false, true} {
					err := store.Put(context.Background(), Tag{2, byte(n)}, box, time.Now().Add(TTL), asked)
					if err != nil {
						t.Fatalf("flood that asks %v: box %d, asked for %v: %v", asks, n, asked, err)
					}
				}
				time.Sleep(5 * time.Minute)
			}
		})
	}
}

// TestEvictionIsFair: every box is as likely as any other of its class to make
// room.
func TestEvictionIsFair(t *testing.T) {
	const room, rounds = 64, 4000
	q := newQuota(room)
	now := time.Now()
	for range room {
		q.place(unasked, now)
	}
	var hits [room]int
	for range rounds {
		now = now.Add(TurnoverTime) // so that the ration never binds
		row, replaces, ok := q.place(unasked, now)
		if !ok || !replaces {
			t.Fatal("no row is replaced")
		}
		hits[row]++
	}
	mean := float64(rounds) / room
	for row, n := range hits {
		if math.Abs(float64(n)-mean) > 5*math.Sqrt(mean) {
			t.Errorf("row %d was replaced %d times, want about %.0f", row, n, mean)
		}
	}
}

// BenchmarkFlood prints the fates of honest boxes under several attacks.
func BenchmarkFlood(b *testing.B) {
	for _, asks := range []bool{false, true} {
		for _, factor := range []int{1, 10, 100} {
			b.Run(fmt.Sprintf("asks=%v/factor=%d", asks, factor), func(b *testing.B) {
				for range b.N {
					f := attack
					f.asks, f.factor = asks, factor
					var got fate
					synctest.Test(&testing.T{}, func(*testing.T) { got = f.run(b) })
					e, u := got.expected, got.unexpected
					b.ReportMetric(100-100*share(e.refused, e.sent), "%in-asked")
					b.ReportMetric(100*share(e.found, e.found+e.lost), "%kept-asked")
					b.ReportMetric(100-100*share(u.refused, u.sent), "%in-other")
					b.ReportMetric(100*share(u.found, u.found+u.lost), "%kept-other")
				}
			})
		}
	}
}
