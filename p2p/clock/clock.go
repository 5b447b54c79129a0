// Package clock learns the time of day from relays, because a computer's own clock may
// be wrong by minutes or years, and packets and lists depend on it.
//
// A relay says its time in every page of its list, which is half of a round trip
// old when it is here. Nobody is believed alone:
//
//	readings  the time is
//	0, 1      that of this computer; or, if that cannot be, of the one reading
//	2         the middle of both, if they are two minutes apart at most
//	3, 4…     the median, if another one is two minutes from it at most
//
// "Cannot be" is judged by signed times. Each relay of a list has signed its descriptor
// at the time of issue, and issues another one after a while. So the time is not
// earlier than the median of those times, and hardly later than their upper quartile
// and that while. A quarter of liars cannot push either end. Of relays in one /16 one
// counts. A time outside of that is not learned, from any source.
//
// The learned time runs on by the monotonic clock, so it is still right when this
// computer's time is set. When the computer slept, the monotonic clock stood still: a
// jump forward is a sleep, unless it leads to the time that was learned.
//
// The package is pure: it reads two clocks that it is given, and starts nothing.
package clock

import (
	"slices"
	"sync"
	"time"

	"starling/p2p/wire"
)

const (
	// Together is how far two readings that agree may be apart.
	Together = 2 * time.Minute
	// Notable is an error of this computer's clock that people should be told.
	Notable = 5 * time.Minute

	// small is a difference not worth a correction.
	small = 2 * time.Second
	// slack is how far from each other clocks of relays may be.
	slack = 10 * time.Minute
	// jump is how far the two clocks part when one was set or the machine slept.
	jump = 2 * time.Second
	// exact is how near to the time a person sets a clock.
	exact = 10 * time.Second
	// fresh is how long a reading has a voice.
	fresh = 24 * time.Hour

	maxReadings = 16
)

// Times that a source may say at all.
var (
	earliest = time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC)
	latest   = time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC)
)

// Config is how a Clock is made.
type Config struct {
	// Wall is this computer's time of day; nil is time.Now.
	Wall func() time.Time
	// Mono never jumps, and may stand still while the computer sleeps; nil is the
	// monotonic clock.
	Mono func() time.Duration
}

// A Clock is the known time. It may be used from any goroutine.
type Clock struct {
	wall func() time.Time
	mono func() time.Duration

	mu       sync.Mutex
	readings map[wire.NodeID]reading
	offset   time.Duration // of the time from the wall clock
	sure     bool          // two sources agreed
	guess    bool          // the offset is one reading's
	jumps    int
	seenWall time.Time // at the last look
	seenMono time.Duration
}

// A reading is the time by a source: the difference of its clock from mono, as a time.
type reading struct {
	zero  time.Time // its time when mono was 0
	error time.Duration
	at    time.Duration // mono
}

// A Bound is between which two times it must be, by signed times. The zero value is
// no bound.
type Bound struct{ From, To time.Time }

// Holds reports whether a time is in it.
func (b Bound) Holds(t time.Time) bool {
	return b == Bound{} || !t.Before(b.From.Add(-slack)) && !t.After(b.To)
}

// A Signed is when a relay issued its descriptor, and when it will issue another.
type Signed struct{ Issued, Next time.Time }

// BoundOf returns the bound of the signed times of relays, one of each network.
func BoundOf(all []Signed) Bound {
	if len(all) == 0 {
		return Bound{}
	}
	var issued []time.Time
	var pauses []time.Duration
	for _, s := range all {
		issued = append(issued, s.Issued)
		pauses = append(pauses, min(max(s.Next.Sub(s.Issued), 0), 48*time.Hour))
	}
	slices.SortFunc(issued, time.Time.Compare)
	slices.Sort(pauses)
	n := len(all)
	return Bound{issued[(n-1)/2], issued[(3*n-1)/4].Add(pauses[n/2] + slack)}
}

// New makes a Clock that believes this computer.
func New(cfg Config) *Clock {
	if cfg.Wall == nil {
		cfg.Wall = time.Now
	}
	if cfg.Mono == nil {
		began := time.Now()
		cfg.Mono = func() time.Duration { return time.Since(began) }
	}
	c := &Clock{wall: cfg.Wall, mono: cfg.Mono, readings: map[wire.NodeID]reading{}}
	c.seenWall, c.seenMono = c.local(), c.mono()
	return c
}

// local is the wall clock's time, without Go's monotonic part.
func (c *Clock) local() time.Time { return c.wall().Round(0) }

// Now returns the time of day as it is best known.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.look()
	return c.local().Add(c.offset)
}

// Jumps counts how often the clock was set, or the computer slept. After that it is
// time to ask again.
func (c *Clock) Jumps() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.look()
	return c.jumps
}

// look compares the two clocks.
func (c *Clock) look() {
	wall, mono := c.local(), c.mono()
	by := wall.Sub(c.seenWall) - (mono - c.seenMono)
	c.seenWall, c.seenMono = wall, mono
	if by > -jump && by < jump {
		return
	}
	c.jumps++
	learned := c.sure || c.guess
	switch after := c.offset - by; {
	case learned && (by < 0 || c.offset.Abs() > Together && after.Abs() <= exact):
		c.offset = after // the wall clock was set
	default: // the computer slept; or it was set, and nobody knows better yet
		clear(c.readings)
		c.sure = false
	}
}

// Hear takes the time by a source, and how long before it was asked.
func (c *Clock) Hear(source wire.NodeID, at time.Time, asked time.Duration) {
	if at.Before(earliest) || at.After(latest) || asked < 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.look()
	now := c.mono()
	r := reading{zero: at.Round(0).Add(asked/2 - now), error: asked / 2, at: now}
	// A page that waited for others says less than one that came at once.
	if old, ok := c.readings[source]; ok && now-old.at < time.Minute && old.error < r.error {
		return
	}
	c.readings[source] = r
	for len(c.readings) > maxReadings {
		oldest := source
		for id, r := range c.readings {
			if r.at < c.readings[oldest].at {
				oldest = id
			}
		}
		delete(c.readings, oldest)
	}
}

// Forget takes back the reading of a source.
func (c *Clock) Forget(source wire.NodeID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.readings, source)
}

// Judge learns from the readings, within a bound. It reports whether the time has
// changed by more than a little.
func (c *Clock) Judge(bound Bound) (changed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.look()
	local, mono := c.local(), c.mono()

	// By the monotonic clock, since the wall clock is the one in doubt.
	var says []time.Time
	for id, r := range c.readings {
		if mono-r.at > fresh {
			delete(c.readings, id)
			continue
		}
		says = append(says, r.zero.Add(mono))
	}
	slices.SortFunc(says, time.Time.Compare)
	t, agreed := agree(says)

	switch {
	// Enough relays agree, and signed times do not contradict them.
	case agreed && bound.Holds(t):
		c.sure, c.guess = true, false
	case len(says) == 1 && !c.sure && !bound.Holds(local.Add(c.offset)) && bound.Holds(says[0]):
		t, c.guess = says[0], true
	default:
		return false
	}

	offset := t.Sub(local)
	// Small changes are latencies: each would have everything asked for anew.
	if (offset - c.offset).Abs() < small {
		return false
	}
	c.offset = offset
	return true
}

// Backed reports whether a source agrees with the clock.
func (c *Clock) Backed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.look()
	now, mono := c.local().Add(c.offset), c.mono()
	for _, r := range c.readings {
		if mono-r.at <= fresh && r.zero.Add(mono).Sub(now).Abs() < Together {
			return true
		}
	}
	return false
}

// agree returns the time that readings in order agree on.
func agree(says []time.Time) (t time.Time, ok bool) {
	n := len(says)
	if n < 2 {
		return t, false
	}
	if n == 2 {
		apart := says[1].Sub(says[0])
		return says[0].Add(apart / 2), apart <= Together
	}
	t = says[n/2]
	if n%2 == 0 {
		t = says[n/2-1].Add(says[n/2].Sub(says[n/2-1]) / 2)
	}
	near := 0
	for _, s := range says {
		if s.Sub(t).Abs() <= Together {
			near++
		}
	}
	return t, near >= 2
}

// Off returns by how much this computer's clock is ahead of the time, and whether
// two sources agree on that.
func (c *Clock) Off() (ahead time.Duration, sure bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.look()
	return -c.offset, c.sure
}
