package mailbox

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"starling/p2p/outfox"
	"starling/p2p/wire"
)

// client makes reply blocks over hops that all have one key, and is the Sender that
// carries answers back to itself.
type client struct {
	t   *testing.T
	key *outfox.PrivateKey

	mu      sync.Mutex
	open    map[outfox.ReplyID]*outfox.Keys
	answers []*Answer
	ahead   time.Duration  // of its clock
	flood   outfox.ReplyID // of a block that is used without end
}

func newClient(t *testing.T) *client {
	key, err := outfox.NewPrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	return &client{t: t, key: key, open: make(map[outfox.ReplyID]*outfox.Keys)}
}

func (c *client) block() *outfox.Block {
	c.t.Helper()
	hop := outfox.Hop{Key: c.key.Public()}
	b, k, err := outfox.NewReplyBlock(outfox.SlotAt(time.Now().Add(c.ahead))+outfox.MaxAhead, [3]outfox.Hop{hop, hop, hop}, hop)
	if err != nil {
		c.t.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open[k.ID()] = k
	return b
}

func (c *client) blocks(n int) (blocks []*outfox.Block) {
	for range n {
		blocks = append(blocks, c.block())
	}
	return blocks
}

// Send implements Sender.
func (c *client) Send(_ wire.NodeID, p *outfox.Packet) {
	c.mu.Lock()
	key := c.key
	c.mu.Unlock()
	for {
		got, err := key.Peel(p)
		if err != nil {
			c.t.Errorf("answer does not open: %v", err)
			return
		}
		if got.Command == outfox.Forward {
			p = got.Packet
			continue
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		if got.ReplyID == c.flood {
			return
		}
		keys := c.open[got.ReplyID]
		delete(c.open, got.ReplyID)
		if keys == nil {
			c.t.Error("a reply block was used twice")
			return
		}
		m, err := keys.Open(got)
		if err != nil {
			c.t.Errorf("answer: %v", err)
			return
		}
		a, err := ParseAnswer(m)
		if err != nil {
			c.t.Errorf("answer: %v", err)
			return
		}
		c.answers = append(c.answers, a)
		return
	}
}

// take waits for the server to be idle and returns the answers since the last call.
func (c *client) take() []*Answer {
	synctest.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	out := c.answers
	c.answers = nil
	return out
}

func (c *client) want(kinds ...Kind) []*Answer {
	c.t.Helper()
	answers := c.take()
	var got []Kind
	for _, a := range answers {
		got = append(got, a.Kind)
	}
	if !slices.Equal(got, kinds) {
		c.t.Fatalf("answers %v, want %v", got, kinds)
	}
	return answers
}

// bubble runs test with a client and a running server in virtual time.
func bubble(t *testing.T, cfg ServerConfig, test func(*testing.T, *client, *Server)) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t)
		cfg := cfg
		cfg.Sender = c
		if cfg.Store == nil {
			cfg.Store = NewMemory(100)
		}
		s := NewServer(cfg)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- s.Run(ctx) }()
		synctest.Wait()
		test(t, c, s)
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
}

func deliverPut(t *testing.T, c *client, s *Server, tag Tag, box Box) {
	t.Helper()
	s.Deliver((&Put{Tag: tag, Box: box, Block: c.block()}).Message())
}

func deliverFetch(t *testing.T, s *Server, f Fetch) {
	t.Helper()
	if f.Watch && f.Lease == (LeaseID{}) {
		f.Lease = testLease()
	}
	m, err := f.Message()
	if err != nil {
		t.Fatal(err)
	}
	s.Deliver(m)
}

func TestPutAnswers(t *testing.T) {
	bubble(t, ServerConfig{Store: NewMemory(1)}, func(t *testing.T, c *client, s *Server) {
		tags, box := testTags(2), testBox()
		deliverPut(t, c, s, tags[0], box)
		c.want(Stored)
		deliverPut(t, c, s, tags[0], box)
		c.want(Stored)
		deliverPut(t, c, s, tags[0], testBox())
		c.want(Taken)
		deliverPut(t, c, s, tags[1], testBox()) // takes the place of the first
		c.want(Stored)
		deliverPut(t, c, s, tags[0], testBox())
		c.want(Full)
		if st := s.Stats(); st.Stored != 3 || st.Taken != 1 || st.Full != 1 || st.Boxes != 1 || st.Evicted != 1 || st.Failed != 0 {
			t.Errorf("stats: %v", st)
		}
	})
}

func TestFetchAnswersWithBoxes(t *testing.T) {
	bubble(t, ServerConfig{}, func(t *testing.T, c *client, s *Server) {
		tags := testTags(6)
		boxes := make(map[Tag]Box)
		for _, tag := range tags[:5] {
			boxes[tag] = testBox()
			deliverPut(t, c, s, tag, boxes[tag])
		}
		c.want(Stored, Stored, Stored, Stored, Stored)

		deliverFetch(t, s, Fetch{Tags: tags, Blocks: c.blocks(2)})
		for i, a := range c.want(Found, Found) {
			if a.Tag != tags[i] || a.Box != boxes[tags[i]] || a.Pending != 3 || a.Standing != 0 {
				t.Errorf("answer %d: tag %v, pending %d, standing %d", i, a.Tag, a.Pending, a.Standing)
			}
		}
		// Boxes stay until they are acknowledged.
		deliverFetch(t, s, Fetch{Tags: tags[:1], Acks: tags[1:3], Blocks: c.blocks(3)})
		if a := c.want(Found)[0]; a.Pending != 0 {
			t.Errorf("pending %d", a.Pending)
		}
		deliverFetch(t, s, Fetch{Tags: tags[:4], Acks: tags[:1], Blocks: c.blocks(4)})
		if a := c.want(Found)[0]; a.Tag != tags[3] {
			t.Errorf("an acknowledged box was sent")
		}
		deliverFetch(t, s, Fetch{Tags: tags[5:], Blocks: c.blocks(2)})
		c.want(None)
		deliverFetch(t, s, Fetch{Acks: tags, Blocks: c.blocks(1)})
		c.want(None)
		if st := s.Stats(); st.Boxes != 0 || st.Subscriptions != 0 {
			t.Errorf("stats: %v", st)
		}
	})
}

// TestFetchSameTagTwice: a tag that is named twice gets one answer.
func TestFetchSameTagTwice(t *testing.T) {
	bubble(t, ServerConfig{}, func(t *testing.T, c *client, s *Server) {
		tag := testTags(1)[0]
		deliverPut(t, c, s, tag, testBox())
		c.want(Stored)
		deliverFetch(t, s, Fetch{Tags: []Tag{tag, tag}, Blocks: c.blocks(3), Watch: true})
		if a := c.want(Found)[0]; a.Pending != 0 || a.Standing != 2 {
			t.Errorf("pending %d, standing %d", a.Pending, a.Standing)
		}
	})
}

// TestUnacknowledgedIsPushedAgain: a box that nobody acknowledges goes out over one
// block after the other: the relays of some may lose it.
func TestUnacknowledgedIsPushedAgain(t *testing.T) {
	bubble(t, ServerConfig{}, func(t *testing.T, c *client, s *Server) {
		tags, box := testTags(3), testBox()
		deliverPut(t, c, s, tags[0], box)
		c.want(Stored)
		deliverFetch(t, s, Fetch{Tags: tags, Blocks: c.blocks(5), Watch: true})
		c.want(Found)
		deliverPut(t, c, s, tags[1], box)
		c.want(Stored, Found)
		time.Sleep(againAfter - time.Second)
		c.want()
		time.Sleep(2 * time.Second)
		for i, a := range c.want(Found, Found) { // what was fetched, and what was pushed
			if a.Tag != tags[i] || a.Box != box {
				t.Errorf("pushed again: tag %v", a.Tag)
			}
		}
		// One is acknowledged; the other takes the last block.
		deliverFetch(t, s, Fetch{Acks: tags[:1], Blocks: c.blocks(1)})
		c.want(None)
		time.Sleep(againAfter)
		if a := c.want(Found)[0]; a.Tag != tags[1] || a.Standing != 0 {
			t.Errorf("pushed again: tag %v, standing %d", a.Tag, a.Standing)
		}
		time.Sleep(3 * againAfter)
		c.want()
		if st, owed := s.Stats(), subsOf(s).owed; st.Again != 3 || st.Subscriptions != 0 || owed != 0 {
			t.Errorf("stats: %v, %d owed", st, owed)
		}
		// Nothing goes out again when all is acknowledged in time.
		deliverFetch(t, s, Fetch{Tags: tags[1:], Blocks: c.blocks(5), Watch: true})
		c.want(Found)
		deliverFetch(t, s, Fetch{Acks: tags[1:2], Blocks: c.blocks(1)})
		c.want(None)
		time.Sleep(3 * againAfter)
		c.want()
	})
}

func TestPush(t *testing.T) {
	bubble(t, ServerConfig{}, func(t *testing.T, c *client, s *Server) {
		tags, box := testTags(6), testBox()
		deliverPut(t, c, s, tags[0], box)
		c.want(Stored)
		deliverFetch(t, s, Fetch{Tags: tags, Blocks: c.blocks(4), Watch: true})
		if a := c.want(Found)[0]; a.Standing != 3 {
			t.Errorf("standing %d, want 3", a.Standing)
		}
		for i, standing := range []int{2, 1, 0} {
			box := testBox()
			deliverPut(t, c, s, tags[i+1], box)
			if a := c.want(Stored, Found)[1]; a.Tag != tags[i+1] || a.Box != box || a.Standing != standing {
				t.Errorf("push %d: tag %v, standing %d", i, a.Tag, a.Standing)
			}
		}
		if n := s.Stats().Subscriptions; n != 0 {
			t.Errorf("%d subscriptions without blocks", n)
		}
		deliverPut(t, c, s, tags[4], testBox())
		c.want(Stored) // no block left
		if st := s.Stats(); st.Pushed != 3 || st.Boxes != 5 {
			t.Errorf("stats: %v", st)
		}
	})
}

// TestRepairIsPushedAgain: a sender that repairs thinks that the box was lost, and
// it may have been on the way to the recipient: it is pushed once more, but no more
// than that.
func TestRepairIsPushedAgain(t *testing.T) {
	bubble(t, ServerConfig{}, func(t *testing.T, c *client, s *Server) {
		tags, box := testTags(2), testBox()
		deliverFetch(t, s, Fetch{Tags: tags, Blocks: c.blocks(5), Watch: true})
		if a := c.want(None)[0]; a.Standing != 4 {
			t.Errorf("standing %d, want 4", a.Standing)
		}
		deliverPut(t, c, s, tags[0], box)
		c.want(Stored, Found)
		deliverPut(t, c, s, tags[0], box)
		if a := c.want(Stored, Found)[1]; a.Tag != tags[0] || a.Box != box || a.Standing != 2 {
			t.Errorf("pushed again: tag %v, standing %d", a.Tag, a.Standing)
		}
		deliverPut(t, c, s, tags[0], box)
		c.want(Stored)
		// A box found by a fetch is as good as pushed.
		deliverPut(t, c, s, tags[1], box)
		c.want(Stored, Found)
		deliverPut(t, c, s, tags[1], box)
		c.want(Stored) // it was the last tag
	})
}

// TestNoRepairAfterRenewal: nothing is pushed again that was acknowledged, or that
// a newer subscription has not asked for.
func TestNoRepairAfterRenewal(t *testing.T) {
	bubble(t, ServerConfig{}, func(t *testing.T, c *client, s *Server) {
		tags, box := testTags(3), testBox()
		deliverFetch(t, s, Fetch{Tags: tags[:2], Blocks: c.blocks(5), Watch: true})
		c.want(None)
		deliverPut(t, c, s, tags[0], box)
		c.want(Stored, Found)
		deliverFetch(t, s, Fetch{Tags: tags[1:], Blocks: c.blocks(5), Watch: true})
		c.want(None)
		if n := subsOf(s).tags; n != 2 {
			t.Errorf("%d tags stand, want 2", n)
		}
		deliverPut(t, c, s, tags[0], box)
		c.want(Stored)
		if n := subsOf(s).tags; n != 2 || s.Stats().Subscriptions != 1 {
			t.Errorf("%d tags in %d subscriptions", n, s.Stats().Subscriptions)
		}
	})
}

// TestNewSubscriptionTakesOver: a client that comes back gets the boxes, not its
// former self.
func TestNewSubscriptionTakesOver(t *testing.T) {
	bubble(t, ServerConfig{}, func(t *testing.T, c *client, s *Server) {
		tags := testTags(3)
		deliverFetch(t, s, Fetch{Tags: tags[:2], Blocks: c.blocks(5), Watch: true})
		c.want(None)
		later := newClient(t)
		deliverFetch(t, s, Fetch{Tags: tags[1:], Blocks: later.blocks(2), Watch: true})
		c.mu.Lock()
		for id, k := range later.open { // the one Sender carries for both
			c.open[id] = k
		}
		c.key, later.key = later.key, c.key
		c.mu.Unlock()
		c.want(None)
		deliverPut(t, c, s, tags[1], testBox())
		if a := c.want(Stored, Found)[1]; a.Standing != 0 {
			t.Errorf("pushed through the older subscription, which has %d blocks", a.Standing)
		}
		if n := s.Stats().Subscriptions; n != 1 {
			t.Errorf("%d subscriptions, want the older with its other tag", n)
		}
		// One that is left without a tag ends.
		deliverFetch(t, s, Fetch{Tags: tags[:1], Blocks: c.blocks(3), Watch: true})
		c.want(None)
		if n := s.Stats().Subscriptions; n != 1 {
			t.Errorf("%d subscriptions, want only the newest", n)
		}
	})
}

func TestSubscriptionEnds(t *testing.T) {
	bubble(t, ServerConfig{}, func(t *testing.T, c *client, s *Server) {
		tags := testTags(3)
		time.Sleep(time.Minute) // so that it ends between two looks
		deliverFetch(t, s, Fetch{Tags: tags, Blocks: c.blocks(4), Watch: true})
		c.want(None)
		time.Sleep(SubscriptionLife - time.Second)
		deliverPut(t, c, s, tags[0], testBox())
		c.want(Stored, Found)
		time.Sleep(time.Second)
		deliverPut(t, c, s, tags[1], testBox())
		c.want(Stored)
		time.Sleep(expireEvery)
		synctest.Wait()
		if n := s.Stats().Subscriptions; n != 0 {
			t.Errorf("%d subscriptions after their time", n)
		}
	})
}

// TestStaleBlocksAreSkipped: blocks with expired keys are not wasted on an answer that
// cannot arrive.
func TestStaleBlocksAreSkipped(t *testing.T) {
	bubble(t, ServerConfig{}, func(t *testing.T, c *client, s *Server) {
		tag := testTags(1)[0]
		fresh := c.block()
		stale := testBlock(t, outfox.EpochAt(time.Now()).Byte()-2)
		deliverFetch(t, s, Fetch{Tags: []Tag{tag}, Blocks: []*outfox.Block{stale, fresh, stale}, Watch: true})
		c.want(None)
		deliverPut(t, c, s, tag, testBox())
		c.want(Stored) // nothing fresh is left
		deliverFetch(t, s, Fetch{Tags: []Tag{tag}, Blocks: []*outfox.Block{stale}})
		c.want()
	})
}

func TestBoxesExpire(t *testing.T) {
	bubble(t, ServerConfig{}, func(t *testing.T, c *client, s *Server) {
		tag := testTags(1)[0]
		deliverPut(t, c, s, tag, testBox())
		c.want(Stored)
		time.Sleep(TTL - time.Minute)
		deliverFetch(t, s, Fetch{Tags: []Tag{tag}, Blocks: c.blocks(1)})
		c.want(Found)
		time.Sleep(time.Minute + expireEvery)
		synctest.Wait()
		if n := s.Stats().Boxes; n != 0 {
			t.Errorf("%d boxes after their time", n)
		}
	})
}

// A mailbox keeps a stored box for its time, by any clock at the next start: years
// ahead of the one by which the box came, or years behind it.
func TestClocksExpireNoBoxes(t *testing.T) {
	for _, ahead := range []time.Duration{-20 * 365 * 24 * time.Hour, -15 * 24 * time.Hour, 0, 15 * 24 * time.Hour, 20 * 365 * 24 * time.Hour} {
		store := NewMemory(100)
		tag, box := testTags(1)[0], testBox()
		put := func(t *testing.T, came time.Time) {
			if err := store.Put(t.Context(), tag, &box, came.Add(TTL), true); err != nil {
				t.Fatal(err)
			}
		}
		// The clock of a bubble begins at the turn of the millennium.
		put(t, time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Add(-ahead))
		bubble(t, ServerConfig{Store: store}, func(t *testing.T, c *client, s *Server) {
			time.Sleep(TTL - expireEvery - time.Minute)
			deliverFetch(t, s, Fetch{Tags: []Tag{tag}, Blocks: c.blocks(1)})
			c.want(Found)
			time.Sleep(2*expireEvery + time.Hour + 2*time.Minute)
			synctest.Wait()
			if n := s.Stats().Boxes; n != 0 {
				t.Errorf("with a clock %v ahead a box stays beyond its time", ahead)
			}
		})
	}
}

// Reply blocks are good or stale by the time that the relay has learned, not by its
// computer's clock.
func TestBlocksGoByLearnedTime(t *testing.T) {
	const ahead = 30 * 24 * time.Hour
	bubble(t, ServerConfig{Now: func() time.Time { return time.Now().Add(ahead) }}, func(t *testing.T, c *client, s *Server) {
		c.ahead = ahead
		tag := testTags(1)[0]
		deliverFetch(t, s, Fetch{Tags: []Tag{tag}, Blocks: c.blocks(3), Watch: true})
		c.want(None)
		deliverPut(t, c, s, tag, testBox())
		c.want(Stored, Found)
	})
}

func TestMalformedIsDropped(t *testing.T) {
	bubble(t, ServerConfig{}, func(t *testing.T, c *client, s *Server) {
		s.Deliver(new(outfox.Message))
		m := (&Put{Tag: testTags(1)[0], Block: c.block()}).Message()
		m[outfox.MessageSize-1] = 1
		s.Deliver(m)
		c.want()
		if st := s.Stats(); st.Malformed != 2 || st.Boxes != 0 {
			t.Errorf("stats: %v", st)
		}
	})
}

// slowStore blocks until it is released, and then fails if told so.
type slowStore struct {
	*Memory
	release chan struct{}
	err     error
}

func (s *slowStore) Put(ctx context.Context, tag Tag, box *Box, expires time.Time, asked bool) error {
	<-s.release
	if s.err != nil {
		return s.err
	}
	return s.Memory.Put(ctx, tag, box, expires, asked)
}

func TestOverload(t *testing.T) {
	slow := &slowStore{Memory: NewMemory(10), release: make(chan struct{})}
	bubble(t, ServerConfig{Store: slow, MaxRequests: 2}, func(t *testing.T, c *client, s *Server) {
		slow.release = make(chan struct{}) // of this bubble
		for _, tag := range testTags(3) {
			deliverPut(t, c, s, tag, testBox())
		}
		c.want() // nothing is answered before it is on disk
		close(slow.release)
		c.want(Stored, Stored)
		if st := s.Stats(); st.Overloaded != 1 {
			t.Errorf("stats: %v", st)
		}
	})
}

func TestStoreFails(t *testing.T) {
	slow := &slowStore{Memory: NewMemory(10), release: make(chan struct{}), err: errors.New("disk on fire")}
	close(slow.release)
	bubble(t, ServerConfig{Store: slow}, func(t *testing.T, c *client, s *Server) {
		tag := testTags(1)[0]
		deliverFetch(t, s, Fetch{Tags: []Tag{tag}, Blocks: c.blocks(2), Watch: true})
		c.want(None)
		deliverPut(t, c, s, tag, testBox())
		c.want(Full) // and nothing is pushed that was not kept
		if st := s.Stats(); st.Failed != 1 {
			t.Errorf("stats: %v", st)
		}
	})
}

// TestShutdown: after Run no request is taken on, and those taken on are finished.
func TestShutdown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newClient(t)
		slow := &slowStore{Memory: NewMemory(10), release: make(chan struct{})}
		s := NewServer(ServerConfig{Store: slow, Sender: c})
		deliverPut(t, c, s, testTags(1)[0], testBox()) // too early
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		synctest.Wait()
		deliverPut(t, c, s, testTags(1)[0], testBox())
		cancel()
		synctest.Wait()
		select {
		case <-done:
			t.Fatal("Run returned before its requests")
		default:
		}
		deliverPut(t, c, s, testTags(1)[0], testBox()) // too late
		close(slow.release)
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		c.want(Stored)
		if st := s.Stats(); st.Overloaded != 2 {
			t.Errorf("stats: %v", st)
		}
	})
}

// TestPutAndFetchRace: however a put and the fetch that waits for it interleave,
// the box arrives once.
func TestPutAndFetchRace(t *testing.T) {
	bubble(t, ServerConfig{}, func(t *testing.T, c *client, s *Server) {
		for range 100 {
			tag := testTags(1)[0]
			put := (&Put{Tag: tag, Box: testBox(), Block: c.block()}).Message()
			fetch, err := (&Fetch{Tags: []Tag{tag}, Blocks: c.blocks(3), Watch: true, Lease: testLease()}).Message()
			if err != nil {
				t.Fatal(err)
			}
			go s.Deliver(put)
			go s.Deliver(fetch)
			found := 0
			for _, a := range c.take() {
				if a.Kind == Found {
					found++
				}
			}
			if found != 1 {
				t.Fatalf("box arrived %d times", found)
			}
		}
	})
}

// TestRepairAfterAcknowledgement: a repair that comes after the acknowledgement is
// answered and goes no further.
func TestRepairAfterAcknowledgement(t *testing.T) {
	bubble(t, ServerConfig{}, func(t *testing.T, c *client, s *Server) {
		tags, box := testTags(2), testBox()
		deliverPut(t, c, s, tags[0], box)
		c.want(Stored)
		deliverFetch(t, s, Fetch{Tags: tags, Acks: tags[:1], Blocks: c.blocks(4), Watch: true})
		c.want(None)
		deliverPut(t, c, s, tags[0], box)
		c.want(Stored)
		deliverPut(t, c, s, tags[0], testBox())
		c.want(Taken)
		if st := s.Stats(); st.Pushed != 0 || st.Boxes != 0 || st.Acknowledged != 1 {
			t.Errorf("stats: %v", st)
		}
	})
}

// TestAskedFor: a box named by a fetch counts as asked for: before the put, long before
// it, and after it, until the tag is used up.
func TestAskedFor(t *testing.T) {
	bubble(t, ServerConfig{}, func(t *testing.T, c *client, s *Server) {
		tags := testTags(5)
		asked := func(want int) {
			t.Helper()
			c.take()
			if got := s.Stats().Asked; got != want {
				t.Errorf("%d boxes asked for, want %d", got, want)
			}
		}
		deliverFetch(t, s, Fetch{Tags: tags[:2], Blocks: c.blocks(1)}) // and no subscription
		asked(0)
		deliverPut(t, c, s, tags[2], testBox())
		asked(0)
		deliverPut(t, c, s, tags[0], testBox())
		asked(1)
		time.Sleep(TTL - time.Hour)
		deliverPut(t, c, s, tags[1], testBox())
		asked(2)
		deliverPut(t, c, s, tags[3], testBox())
		asked(2)
		deliverFetch(t, s, Fetch{Tags: tags[3:4], Blocks: c.blocks(1)})
		asked(3)
		deliverFetch(t, s, Fetch{Tags: tags[4:], Blocks: c.blocks(1)})
		asked(3)
		deliverFetch(t, s, Fetch{Acks: tags[4:], Blocks: c.blocks(1)})
		asked(3)
		deliverPut(t, c, s, tags[4], testBox())
		asked(3)
	})
}

// TestInterestEnds: interest does not last longer than boxes do.
func TestInterestEnds(t *testing.T) {
	bubble(t, ServerConfig{}, func(t *testing.T, c *client, s *Server) {
		tags := testTags(1)
		deliverFetch(t, s, Fetch{Tags: tags, Blocks: c.blocks(1)})
		time.Sleep(TTL + 2*time.Hour)
		deliverPut(t, c, s, tags[0], testBox())
		c.take()
		if st := s.Stats(); st.Asked != 0 || st.Boxes != 1 {
			t.Errorf("stats: %v", st)
		}
	})
}

// TestInterestCap: a flood of fetches makes the mailbox forget slowly.
func TestInterestCap(t *testing.T) {
	now := time.Now()
	i := newInterest(32)
	first := testTags(32)
	i.add(first, now)
	i.add(first, now)
	for range 100 {
		i.add(testTags(32), now)
	}
	known := 0
	for _, tag := range first {
		if i.has(tag) {
			known++
		}
	}
	if len(i.last) != 32 || known < 32-3 || known == 32 {
		t.Errorf("%d tags are remembered, %d of the first 32", len(i.last), known)
	}
	i.expire(now.Add(TTL + 2*time.Hour))
	if len(i.last) != 0 {
		t.Errorf("%d tags after their time", len(i.last))
	}
}

// TestPutRate: too many puts a second are answered, and those nobody asked for do
// not cost the others their turn.
func TestPutRate(t *testing.T) {
	bubble(t, ServerConfig{Store: NewMemory(1000), PutRate: 2}, func(t *testing.T, c *client, s *Server) {
		wanted := testTags(1)
		deliverFetch(t, s, Fetch{Tags: wanted, Blocks: c.blocks(1)})
		c.take()
		for range 30 {
			deliverPut(t, c, s, testTags(1)[0], testBox())
		}
		deliverPut(t, c, s, wanted[0], testBox())
		c.take()
		if st := s.Stats(); st.Stored != 21 || st.Full != 10 || st.Asked != 1 {
			t.Errorf("stats: %v", st)
		}
		time.Sleep(time.Second)
		for range 3 {
			deliverPut(t, c, s, testTags(1)[0], testBox())
		}
		c.take()
		if st := s.Stats(); st.Stored != 23 {
			t.Errorf("stats: %v", st)
		}
	})
}
