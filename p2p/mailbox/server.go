package mailbox

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"starling/p2p/limits"
	"starling/p2p/outfox"
	"starling/p2p/wire"
)

// Defaults of ServerConfig.
const (
	DefaultMaxRequests = 256     // of each kind, about 8 KiB each
	DefaultMaxInterest = 1 << 18 // about 25 bytes each
	DefaultPutRate     = 1000    // a second
	DefaultFetchRate   = 500     // a second
	DefaultAppendRate  = 500     // a second
	burstSeconds       = 10      // of PutRate, FetchRate and AppendRate
)

// namedShare is the part of MaxInterest for logs that were followed.
const namedShare = 16

// lineShare is the part of MaxRequests for each kind of requests of logs.
const lineShare = 8

// maxOfLog is how many followed logs have a remembered rate: twice the rate of new entries,
// since old ones come beside them.
const maxOfLog = 4096

// expireEvery is the pause between two searches for expired boxes, seats and interest.
const expireEvery = 10 * time.Minute

// Sender sends a packet to a relay. It must not block: a packet that cannot be sent is
// dropped.
type Sender interface {
	Send(first wire.NodeID, p *outfox.Packet)
}

// ServerConfig configures a Server.
type ServerConfig struct {
	Store  Store
	Sender Sender
	// Self is the mailbox's relay, for stamps.
	Self wire.NodeID
	// Directory is asked by questions; without it they have no answer.
	Directory Directory
	// MaxSeats and SeatBytes bound watches; see Room in the package comment. Zero is
	// DefaultMaxSeats, DefaultSeatBytes.
	MaxSeats, SeatBytes int
	// MaxReaders and ReaderBytes bound the follows of logs in the same way. Zero is
	// DefaultMaxReaders, DefaultReaderBytes.
	MaxReaders, ReaderBytes int
	// Price is how many bits the stamp of a newcomer has; zero is StampBits.
	Price int
	// Now is the clock for stamps, lists and the epochs of reply blocks; nil is
	// time.Now.
	Now func() time.Time
	// MaxRequests caps the requests of a kind worked on at a time: puts, fetches with a
	// seat, and other fetches; appends, follows with a seat and others an eighth of it
	// each. Above it they are dropped. Puts that wait at the same
	// time share a commit. Zero is DefaultMaxRequests.
	MaxRequests int
	// MaxInterest caps the tags remembered that fetches have named. Zero is
	// DefaultMaxInterest.
	MaxInterest int
	// PutRate caps puts a second, of those asked for and of the others each; above
	// it the answer is full. Zero is DefaultPutRate.
	PutRate int
	// FetchRate caps the fetches without a seat, and the questions; above it they are
	// dropped. Zero is DefaultFetchRate.
	FetchRate int
	// AppendRate caps the appends to logs that somebody follows just now, those to others,
	// and the follows without a seat, each; above it they are
	// dropped. Zero is DefaultAppendRate.
	AppendRate int
	Logger     *slog.Logger // nil: none
}

// Directory is the relays that a mailbox's relay knows.
type Directory interface {
	// List returns the relays with node ids that begin with a byte, as in an answer.
	List(first byte) *List
}

// line is a kind of requests that do not keep others waiting.
type line int

const (
	puts line = iota
	seated
	others
	appends
	heard // appends to logs that somebody follows just now
	reading
	looks
	lines
)

// Server answers requests. It is pure logic over a Store and a Sender.
type Server struct {
	cfg   ServerConfig
	slots [lines]chan struct{}
	owing chan struct{} // something went out that may have to again
	began time.Time
	time  time.Time // when it began, see now
	work  sync.WaitGroup

	mu   sync.Mutex // guards the fields below
	subs *subscriptions
	// interest holds the tags that fetches named. puts limits incoming boxes, by
	// class.
	interest *interest
	puts     [classes]*rate.Limiter
	others   *rate.Limiter // of that line
	// readers are the follows of logs, named the logs that were followed. writes and looks
	// limit appends and follows without a seat; heard those to logs that are followed now,
	// and ofLog each of these logs.
	readers       *readers
	named         *interest
	writes, looks *rate.Limiter
	heard         *rate.Limiter
	ofLog         *limits.Rates[LogName]
	// running is set while Run runs; a goroutine is started only under mu and with
	// running set, so that Run can wait for all.
	running bool

	stats struct {
		stored, taken, full, found, none, pushed, again, malformed, overloaded, failed, listed, noSeat, appended, entries, ended atomic.Int64
	}
}

// Stats counts the work of a Server.
type Stats struct {
	Stored, Taken, Full int64 // answers to put
	Found, None         int64 // answers to fetch
	Pushed              int64 // boxes sent to standing subscriptions
	Again               int64 // boxes sent again, because nobody acknowledged them
	Malformed           int64 // malformed requests
	Overloaded          int64 // requests dropped for want of room
	Failed              int64 // requests on which the store failed
	Listed              int64 // answers to questions
	NoSeat              int64 // fetches that asked for a subscription and got none
	Appended            int64 // answers to append
	Logged, Ended       int64 // answers to follow
	Subscriptions       int   // standing now
	Seats, SeatBytes    int   // taken now
	Readers             int   // follows that stand now
	Counts
}

// NewServer returns a server that works while Run runs.
func NewServer(cfg ServerConfig) *Server {
	cfg = cfg.withDefaults()
	s := &Server{
		cfg:      cfg,
		owing:    make(chan struct{}, 1),
		began:    time.Now(),
		time:     cfg.Now(),
		subs:     newSubscriptions(newSeats(cfg.MaxSeats, cfg.SeatBytes), cfg.Now),
		interest: newInterest(cfg.MaxInterest),
		others:   rate.NewLimiter(rate.Limit(cfg.FetchRate), burstSeconds*cfg.FetchRate),
		readers:  newReaders(newSeats(cfg.MaxReaders, cfg.ReaderBytes), cfg.Now),
		named:    newInterest(cfg.MaxInterest / namedShare),
		writes:   rate.NewLimiter(rate.Limit(cfg.AppendRate), burstSeconds*cfg.AppendRate),
		looks:    rate.NewLimiter(rate.Limit(cfg.AppendRate), burstSeconds*cfg.AppendRate),
		heard:    rate.NewLimiter(rate.Limit(cfg.AppendRate), burstSeconds*cfg.AppendRate),
		ofLog:    limits.NewRates[LogName](2*appendRate, appendBurst, maxOfLog),
	}

	// The newest box came TTL before it expires (now); the hour is that of rounding.
	if latest := cfg.Store.Latest(); !latest.IsZero() {
		s.time = latest.Add(-TTL - time.Hour)
	}

	// Each line has slots of its own, so that a flood in one leaves the others alone.
	for l := range s.slots {
		n := cfg.MaxRequests
		if l >= int(appends) {
			n = max(1, n/lineShare)
		}
		s.slots[l] = make(chan struct{}, n)
	}
	for c := unasked; c < classes; c++ {
		s.puts[c] = rate.NewLimiter(rate.Limit(cfg.PutRate), burstSeconds*cfg.PutRate)
	}
	return s
}

// now is the time by which boxes grow old, seats are kept and rates counted: the time
// of the last box at the start, and the time since then. It follows no clock, which
// could be wrong or be set: so no clock makes a mailbox lose boxes that it promised to
// keep.
func (s *Server) now() time.Time { return s.time.Add(time.Since(s.began)) }

// withDefaults replaces zeros by the defaults.
func (cfg ServerConfig) withDefaults() ServerConfig {
	for _, n := range []struct {
		field *int
		value int
	}{
		{&cfg.MaxSeats, DefaultMaxSeats}, {&cfg.SeatBytes, DefaultSeatBytes}, {&cfg.Price, StampBits},
		{&cfg.MaxRequests, DefaultMaxRequests}, {&cfg.MaxInterest, DefaultMaxInterest},
		{&cfg.PutRate, DefaultPutRate}, {&cfg.FetchRate, DefaultFetchRate},
		{&cfg.MaxReaders, DefaultMaxReaders}, {&cfg.ReaderBytes, DefaultReaderBytes}, {&cfg.AppendRate, DefaultAppendRate},
	} {
		if *n.field == 0 {
			*n.field = n.value
		}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return cfg
}

// Run lets the server work until ctx ends, then waits for the requests under way.
// It must be called once.
func (s *Server) Run(ctx context.Context) error {
	s.mu.Lock()
	s.running = true
	s.mu.Unlock()

	tick := time.NewTicker(expireEvery)
	defer tick.Stop()
	s.expire(ctx)

	// A nil channel while nothing is owed: an idle mailbox does not wake up.
	var again <-chan time.Time
	for {
		select {
		case <-tick.C:
			s.expire(ctx)
		case <-s.owing:
			if again == nil {
				again = time.After(againAfter)
			}
		case <-again:
			again = s.pushAgain(ctx)
		case <-ctx.Done():
			s.mu.Lock()
			// Under the lock that Deliver takes: no request begins after Wait.
			s.running = false
			s.mu.Unlock()
			s.work.Wait()
			return nil
		}
	}
}

func (s *Server) expire(ctx context.Context) {
	now := s.now()
	s.mu.Lock()
	s.subs.expire(now)
	s.interest.expire(now)
	s.readers.expire(now)
	s.named.expire(now)
	s.mu.Unlock()
	if n, err := s.cfg.Store.Expire(ctx, now); err != nil && ctx.Err() == nil {
		s.cfg.Logger.Error("mailbox: expiring boxes", "err", err)
	} else if n > 0 {
		s.cfg.Logger.Debug("mailbox: boxes expired", "count", n)
	}
}

// Deliver takes the message of a packet that ended here. It does not block: above
// MaxRequests, and while Run does not run, the message is dropped.
func (s *Server) Deliver(m *outfox.Message) {
	req, err := ParseRequest(m)
	if err != nil {
		s.stats.malformed.Add(1)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	// The packet is anonymous: rates and slots are by kind of request, and not by sender.
	line := s.lineOf(req)
	slots := s.slots[line]
	if !s.running || !s.allow(line, req) {
		s.stats.overloaded.Add(1)
		return
	}
	select {
	case slots <- struct{}{}:
	// Dropped, and not queued: the sender tries again, and a queue would only make all of them late.
	default:
		s.stats.overloaded.Add(1)
		return
	}

	s.work.Go(func() {
		defer func() { <-slots }()
		ctx := context.Background() // requests taken on are finished
		switch r := req.(type) {
		case *Put:
			s.put(ctx, r)
		case *Fetch:
			s.fetch(ctx, r)
		case *Question:
			s.list(r)
		case *Append:
			s.append(ctx, r)
		case *Follow:
			s.follow(ctx, r)
		}
	})
}

// allow reports whether the rate of a line lets another request through.
func (s *Server) allow(l line, req any) bool {
	switch l {
	case others:
		return s.others.Allow()
	case appends:
		return s.writes.Allow()
	case heard:
		return s.ofLog.Of(NameOf(req.(*Append).Key)).AllowN(s.now(), 1) && s.heard.Allow()
	case looks:
		return s.looks.Allow()
	case reading:
		return s.readers.seats.byID[req.(*Follow).Lease].asks.take(s.now())
	}
	return true
}

// lineOf returns where a request waits.
func (s *Server) lineOf(req any) line {
	switch r := req.(type) {
	case *Put:
		return puts
	case *Fetch:
		if r.Watch && s.subs.seatOf(r.Lease, newSubscription(r, time.Time{})) != nil {
			return seated
		}
	case *Append:
		if s.readers.follows(NameOf(r.Key)) {
			return heard
		}
		return appends
	case *Follow:
		if s.readers.seats.byID[r.Lease] != nil {
			return reading
		}
		return looks
	}
	return others
}

func (s *Server) put(ctx context.Context, p *Put) {
	now := s.now()
	s.mu.Lock()
	askedFor := s.subs.byTag[p.Tag] != nil || s.interest.has(p.Tag)
	s.mu.Unlock()

	err := ErrFull
	if s.puts[classOf(askedFor)].AllowN(now, 1) {
		err = s.cfg.Store.Put(ctx, p.Tag, &p.Box, now.Add(TTL), askedFor)
	}

	kind := s.outcome(err, &s.stats.stored, "storing")
	s.answer(p.Block, refusal(kind, err))
	if err == nil {
		s.push(&p.Tag, &p.Box, now)
	}
}

func (s *Server) list(q *Question) {
	if s.cfg.Directory == nil {
		return
	}
	s.stats.listed.Add(1)
	list := s.cfg.Directory.List(q.First)
	// Not all may fit: a second question gets others.
	rand.Shuffle(len(list.Entries), func(i, j int) {
		list.Entries[i], list.Entries[j] = list.Entries[j], list.Entries[i]
	})
	s.answer(q.Block, &Answer{Kind: Listed, List: list})
}

// push sends a box that arrived to the subscription that waits for it.
func (s *Server) push(tag *Tag, box *Box, now time.Time) {
	s.mu.Lock()
	block, standing := s.subs.take(*tag, now)
	s.mu.Unlock()
	if block == nil {
		return
	}
	s.stats.pushed.Add(1)
	s.answer(block, &Answer{Kind: Found, Standing: standing, Tag: *tag, Box: *box})
	s.owe()
}

// owe has the boxes that went out looked at later.
func (s *Server) owe() {
	select {
	case s.owing <- struct{}{}:
	default:
	}
}

// pushAgain sends the boxes again that nobody has acknowledged: the relays of the
// first block may have lost them. It returns when to do so the next time.
func (s *Server) pushAgain(ctx context.Context) <-chan time.Time {
	for {
		now := s.now()
		s.mu.Lock()
		// The store is read without the lock; again looks whether the box is still owed.
		tags, next := s.subs.due(now)
		s.mu.Unlock()

		if len(tags) == 0 {
			if next.IsZero() {
				return nil
			}
			return time.After(next.Sub(now))
		}

		items, err := s.cfg.Store.Get(ctx, tags, now)
		if err != nil && ctx.Err() == nil {
			s.failed("reading", err)
		}

		for _, it := range items {
			s.mu.Lock()
			block, standing := s.subs.again(it.Tag, now)
			s.mu.Unlock()
			if block == nil {
				continue
			}
			s.stats.again.Add(1)
			s.answer(block, &Answer{Kind: Found, Standing: standing, Tag: it.Tag, Box: it.Box})
		}
	}
}

func (s *Server) fetch(ctx context.Context, f *Fetch) {
	now := s.now()
	// Acknowledged boxes go before anything is looked for: they must not be found again.
	if len(f.Acks) > 0 {
		if err := s.cfg.Store.Delete(ctx, f.Acks); err != nil {
			s.failed("deleting", err)
			return // no answer: the client will acknowledge again
		}
	}

	s.mu.Lock()
	s.subs.acknowledged(f.Acks)
	s.interest.forget(f.Acks)
	s.interest.add(f.Tags, now)
	s.mu.Unlock()

	// Subscribe before looking: a box that is stored meanwhile is either found or
	// pushed, and the goroutine that takes the tag out of the subscription sends it.
	sub := newSubscription(f, now)
	verdict := stands
	if f.Watch && len(f.Tags) > 0 {
		clock := s.cfg.Now()
		s.mu.Lock()
		paid := stamped(s.cfg.Self, f.Lease, f.Stamp, clock, s.cfg.Price)
		if verdict = s.subs.add(f.Lease, sub, paid, now); verdict != stands {
			s.stats.noSeat.Add(1)
		}
		s.mu.Unlock()
	}

	items, err := s.cfg.Store.Get(ctx, f.Tags, now)
	if err != nil {
		s.failed("reading", err)
		return
	}

	// Answers are sent without the lock: a link may be slow.
	type reply struct {
		block  *outfox.Block
		answer Answer
	}
	var replies []reply

	// Each box takes a block of the lease, as far as they go.
	pending := 0
	s.mu.Lock()
	for _, it := range items {
		if _, ok := sub.tags[it.Tag]; !ok {
			continue // pushed meanwhile
		}
		block := s.subs.takeFrom(sub, it.Tag, now)
		if block == nil {
			pending++
			continue
		}
		replies = append(replies, reply{block, Answer{Kind: Found, Tag: it.Tag, Box: it.Box}})
	}

	// Nothing is there: one block says so, and the client knows that we live.
	if len(items) == 0 {
		if block := s.subs.spend(sub); block != nil {
			replies = append(replies, reply{block, Answer{Kind: None}})
		}
	}
	standing := 0
	if f.Watch {
		standing = s.subs.standing(sub)
	}
	s.mu.Unlock()

	for _, r := range replies {
		r.answer.Standing = standing
		r.answer.NoSeat = verdict != stands
		if verdict == unpaid {
			r.answer.Price = s.cfg.Price
		}
		if r.answer.Kind == Found {
			r.answer.Pending = pending
			s.stats.found.Add(1)
		} else {
			s.stats.none.Add(1)
		}
		s.answer(r.block, &r.answer)
	}

	if standing > 0 {
		s.owe()
	}
}

func (s *Server) answer(b *outfox.Block, a *Answer) {
	first, p, err := b.Reply(a.Message())
	if err != nil {
		s.cfg.Logger.Error("mailbox: making an answer", "err", err)
		return
	}
	s.cfg.Sender.Send(first, p)
}

func (s *Server) failed(doing string, err error) {
	s.stats.failed.Add(1)
	s.cfg.Logger.Error("mailbox: "+doing, "err", err)
}

// Stats returns the counts.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	subs, seats, bytes := s.subs.len(), len(s.subs.seats.byID), s.subs.seats.bytes
	readers := s.readers.len()
	s.mu.Unlock()
	c := &s.stats
	return Stats{
		Stored: c.stored.Load(), Taken: c.taken.Load(), Full: c.full.Load(),
		Found: c.found.Load(), None: c.none.Load(), Pushed: c.pushed.Load(), Again: c.again.Load(),
		Malformed: c.malformed.Load(), Overloaded: c.overloaded.Load(), Failed: c.failed.Load(),
		Listed: c.listed.Load(), NoSeat: c.noSeat.Load(),
		Appended: c.appended.Load(), Logged: c.entries.Load(), Ended: c.ended.Load(), Readers: readers,
		Subscriptions: subs, Seats: seats, SeatBytes: bytes, Counts: s.cfg.Store.Counts(),
	}
}

// String sums up the counts.
func (s Stats) String() string {
	return fmt.Sprintf("stored %d, taken %d, full %d, found %d, none %d, pushed %d, again %d, malformed %d, overloaded %d, failed %d; %d subscriptions, %d boxes, %d of them asked for, %d acknowledged, %d evicted",
		s.Stored, s.Taken, s.Full, s.Found, s.None, s.Pushed, s.Again, s.Malformed, s.Overloaded, s.Failed, s.Subscriptions, s.Boxes, s.Asked, s.Acknowledged, s.Evicted)
}
