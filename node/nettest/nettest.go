// Package nettest is a network in memory for tests of the node: mailboxes that
// keep boxes under tags, and everything that can go wrong on the way there.
package nettest

import (
	"bytes"
	"cmp"
	"context"
	crand "crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"starling/p2p"
	"starling/p2p/mailbox"
	"starling/p2p/watch"
)

// A Net is a set of mailboxes. The zero value of its settings is a network
// without delay or fault; they may be changed between calls of Set.
type Net struct {
	mu      sync.Mutex
	set     Settings
	stores  map[p2p.NodeID]mailbox.Store
	down    map[p2p.NodeID]bool
	mute    map[p2p.NodeID]bool // of those that have never answered
	clients map[*Client]bool
	puts    int
	everPut map[p2p.Tag][]byte
	clashes int
	asked   map[p2p.Tag]bool
	unasked int
	liars   map[p2p.NodeID]bool
	trials  bool
	mailbox []p2p.NodeID
}

// Settings are the faults of the network.
type Settings struct {
	// Delay is the mean time of a box or answer on its way.
	Delay time.Duration
	// LosePut is the share of puts that never arrive, LoseAnswer of those that
	// arrive without the sender learning of it, LosePush of boxes that are not
	// handed over at the first try.
	LosePut, LoseAnswer, LosePush float64
	// Duplicate is the share of boxes that are handed over twice.
	Duplicate float64
	// Forget is the share of boxes that a mailbox says it keeps, and does not.
	Forget float64
	// Timeout is how long a lost put takes to fail; 0 means 50 ms.
	Timeout time.Duration
	// Again is after how long a box that was not acknowledged is handed over
	// again; 0 means 100 ms.
	Again time.Duration
	// Older is for how long the entries of a log wait, from when the client saw it first, but for the newest five
	// of those that were there: mailboxes hand these over first.
	Older time.Duration
}

func (s *Settings) again() time.Duration {
	if s.Again == 0 {
		return 100 * time.Millisecond
	}
	return s.Again
}

// room is how many boxes a mailbox in memory takes.
const room = 100_000

// New makes a network with that many mailboxes.
func New(mailboxes int) *Net {
	n := &Net{stores: make(map[p2p.NodeID]mailbox.Store),
		down: make(map[p2p.NodeID]bool), mute: make(map[p2p.NodeID]bool), clients: make(map[*Client]bool), everPut: make(map[p2p.Tag][]byte),
		asked: make(map[p2p.Tag]bool), liars: make(map[p2p.NodeID]bool)}
	for i := range mailboxes {
		var id p2p.NodeID
		binary.BigEndian.PutUint64(id[:], uint64(i+1))
		n.mailbox = append(n.mailbox, id)
		n.stores[id] = mailbox.NewMemory(room)
	}
	return n
}

// Set changes the faults.
func (n *Net) Set(s Settings) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.set = s
}

// Mailboxes returns all mailboxes.
func (n *Net) Mailboxes() []p2p.NodeID { return n.mailbox }

// SetDown takes a mailbox away or brings it back.
func (n *Net) SetDown(id p2p.NodeID, down bool) {
	n.mu.Lock()
	n.down[id] = down
	n.mu.Unlock()
	n.pushAll()
}

// SetMute takes a mailbox away that has never answered anybody.
func (n *Net) SetMute(id p2p.NodeID) {
	n.mu.Lock()
	n.mute[id] = true
	n.mu.Unlock()
	n.SetDown(id, true)
}

// SetLiar makes a mailbox say of every put that the tag is taken, and hand over
// rubbish under every tag that it is asked for; or makes it honest again.
func (n *Net) SetLiar(id p2p.NodeID, liar bool) {
	n.mu.Lock()
	n.liars[id] = liar
	n.mu.Unlock()
	n.pushAll()
}

// Wipe makes a mailbox forget all boxes, and which tags were used.
func (n *Net) Wipe(id p2p.NodeID) { n.SetStore(id, mailbox.NewMemory(room)) }

// SetStore lets a mailbox keep its boxes elsewhere than in memory. A request on which
// the store fails is not answered.
func (n *Net) SetStore(id p2p.NodeID, s mailbox.Store) {
	n.mu.Lock()
	n.stores[id] = s
	n.mu.Unlock()
	n.pushAll()
}

// Boxes returns how many boxes lie in some mailboxes; without one, in all.
func (n *Net) Boxes(at ...p2p.NodeID) (count int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for id, s := range n.stores {
		if len(at) == 0 || slices.Contains(at, id) {
			count += s.Len()
		}
	}
	return count
}

// Puts returns how many boxes were tried to be stored, and under how many tags.
func (n *Net) Puts() (puts, tags int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.puts, len(n.everPut)
}

// Clashes returns how often a box was tried to be stored under a tag that was
// used for another before.
func (n *Net) Clashes() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.clashes
}

// Unasked returns how many boxes were tried to be stored before anybody looked
// for them: those are the first that a full mailbox drops.
func (n *Net) Unasked() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.unasked
}

// A Client is one user of the network.
type Client struct {
	net     *Net
	cfg     p2p.ClientConfig
	found   chan found
	mu      sync.Mutex
	offline bool
	few     bool
	watches map[string]watchAt
	follows map[followID]*follow
	told    chan func()    // calls of OnEntry and OnEnd
	trials  *watch.Watches // nil: mailboxes are not tried
	ahead   time.Duration
	untold  bool
	lost    bool
	ctx     context.Context
	cancel  context.CancelFunc
	workMu  sync.Mutex // nothing is added to work once Run waits
	work    sync.WaitGroup
	bridges atomic.Pointer[Bridges]
	proxy   atomic.Pointer[string]
	tried   atomic.Int64 // calls of TryOthers
}

type watchAt struct {
	node p2p.NodeID
	tags []p2p.Tag
}

type found struct {
	node p2p.NodeID
	tag  p2p.Tag
	box  []byte
}

// Client makes a client. Its callbacks are called while Run runs.
func (n *Net) Client(cfg p2p.ClientConfig) *Client {
	c := &Client{net: n, cfg: cfg, found: make(chan found, 1024), watches: make(map[string]watchAt),
		follows: make(map[followID]*follow), told: make(chan func(), 1024)}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.trials {
		c.trials = c.tryOut()
	}
	return c
}

// Run hands over boxes until ctx ends.
func (c *Client) Run(ctx context.Context) error {
	c.net.mu.Lock()
	c.net.clients[c] = true
	again := c.net.set.again()
	c.net.mu.Unlock()

	defer func() {
		c.net.mu.Lock()
		delete(c.net.clients, c)
		c.net.mu.Unlock()
		c.workMu.Lock()
		c.cancel()
		c.workMu.Unlock()
		c.work.Wait()
		if c.cfg.SaveState != nil {
			c.cfg.SaveState([]byte("guards"))
		}
	}()

	if c.trials != nil {
		c.work.Go(func() { c.trials.Run(c.ctx) })
	}
	c.work.Go(c.tell)
	if c.cfg.OnChange != nil {
		c.cfg.OnChange()
	}
	tick := time.NewTicker(again)
	defer tick.Stop()
	c.push()

	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case f := <-c.found:
			if c.cfg.OnBox != nil {
				c.cfg.OnBox(f.node, f.tag, f.box)
			}
		case <-tick.C:
			c.push()
		}
	}
}

// begin runs work that Run waits for, unless Run is over.
func (c *Client) begin(f func()) {
	c.workMu.Lock()
	defer c.workMu.Unlock()
	if c.ctx.Err() == nil {
		c.work.Go(f)
	}
}

// SetOffline cuts the client off, or lets it back.
func (c *Client) SetOffline(offline bool) {
	c.mu.Lock()
	c.offline = offline
	c.mu.Unlock()
	if c.cfg.OnChange != nil {
		c.cfg.OnChange()
	}
	c.push()
}

// SetFewRelays makes routes impossible.
func (c *Client) SetFewRelays(few bool) {
	c.mu.Lock()
	c.few = few
	c.mu.Unlock()
	if c.cfg.OnChange != nil {
		c.cfg.OnChange()
	}
}

func (c *Client) state() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.offline:
		return p2p.ErrOffline
	case c.few:
		return p2p.ErrFewRelays
	}
	return nil
}

// AwaitQuota is at once: nobody here reads slowly.
func (c *Client) AwaitQuota(ctx context.Context) error { return ctx.Err() }

// Put stores a box.
func (c *Client) Put(ctx context.Context, node p2p.NodeID, tag p2p.Tag, box []byte) error {
	if len(box) != p2p.BoxSize {
		return p2p.ErrSize
	}

	if err := c.state(); err != nil {
		return err
	}

	n := c.net
	n.mu.Lock()
	s := n.set
	n.puts++
	if !n.asked[tag] {
		n.unasked++
	}
	if first, ok := n.everPut[tag]; !ok {
		n.everPut[tag] = bytes.Clone(box)
	} else if !bytes.Equal(first, box) {
		n.clashes++
	}
	n.mu.Unlock()
	if err := c.wait(ctx, s.Delay); err != nil {
		return err
	}

	// The mailbox stores, unless it is down, forgets, or says that the tag is taken.
	n.mu.Lock()
	disk, known := n.stores[node]
	lost := n.down[node] || rand.Float64() < s.LosePut
	liar := n.liars[node]
	taken := liar
	n.mu.Unlock()
	if known && !taken && !lost && rand.Float64() >= s.Forget {
		err := disk.Put(ctx, tag, (*mailbox.Box)(box), time.Now().Add(mailbox.TTL), false)
		taken = errors.Is(err, mailbox.ErrTaken)
		lost = err != nil && !taken && !errors.Is(err, mailbox.ErrAcknowledged)
	}

	switch {
	case !known:
		return p2p.ErrUnknownRelay
	case lost || rand.Float64() < s.LoseAnswer:
		if !lost {
			n.pushAll()
		}
		return c.unanswered(ctx, s)
	case taken:
		return n.showTaken(ctx, disk, tag, liar)
	}

	n.pushAll()
	return c.wait(ctx, s.Delay)
}

// showTaken shows the box under a tag; a liar shows noise.
func (n *Net) showTaken(ctx context.Context, disk mailbox.Store, tag p2p.Tag, liar bool) error {
	if liar {
		noise := make([]byte, p2p.BoxSize)
		crand.Read(noise)
		return &p2p.TakenError{Box: noise}
	}
	items, err := disk.Get(ctx, []p2p.Tag{tag}, time.Now())
	if err != nil || len(items) == 0 {
		return p2p.ErrTaken
	}
	return &p2p.TakenError{Box: items[0].Box[:]}
}

// unanswered waits as long as somebody waits for an answer that does not come.
func (c *Client) unanswered(ctx context.Context, s Settings) error {
	if err := c.wait(ctx, cmp.Or(s.Timeout, 50*time.Millisecond)); err != nil {
		return err
	}
	return p2p.ErrTimeout
}

// wait takes about d; less or more, so that things overtake each other.
func (c *Client) wait(ctx context.Context, d time.Duration) error {
	if d == 0 {
		return ctx.Err()
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Duration(rand.ExpFloat64() * float64(d))):
		return nil
	}
}

// Fetch looks once.
func (c *Client) Fetch(ctx context.Context, node p2p.NodeID, tags []p2p.Tag) (map[p2p.Tag][]byte, error) {
	if err := c.state(); err != nil {
		return nil, err
	}

	n := c.net
	n.mu.Lock()
	delay, down, liar := n.set.Delay, n.down[node], n.liars[node]
	for _, t := range tags {
		n.asked[t] = true
	}
	disk, known := n.stores[node]
	n.mu.Unlock()

	out := make(map[p2p.Tag][]byte)
	if liar { // at once, so as to be the first
		for _, t := range tags {
			out[t] = make([]byte, p2p.BoxSize)
			crand.Read(out[t])
		}
		return out, nil
	}
	if known {
		items, err := disk.Get(ctx, tags, time.Now())
		down = down || err != nil
		for i := range items {
			out[items[i].Tag] = items[i].Box[:]
		}
	}

	if err := c.wait(ctx, 2*delay); err != nil {
		return nil, err
	}
	switch {
	case !known:
		return nil, p2p.ErrUnknownRelay
	case down:
		return nil, p2p.ErrTimeout
	}
	return out, nil
}

// Watch subscribes.
func (c *Client) Watch(key string, node p2p.NodeID, tags []p2p.Tag) {
	c.mu.Lock()
	if len(tags) == 0 {
		delete(c.watches, key)
	} else {
		c.watches[key] = watchAt{node, slices.Clone(tags)}
	}
	c.mu.Unlock()
	c.net.mu.Lock()
	for _, t := range tags {
		c.net.asked[t] = true
	}
	c.net.mu.Unlock()
	if c.trials != nil {
		c.trials.Watch(key, node, tags)
	}
	c.push()
}

// Ack deletes. The tag stays taken by the former box.
func (c *Client) Ack(_ string, node p2p.NodeID, tags ...p2p.Tag) {
	c.net.mu.Lock()
	disk, known := c.net.stores[node]
	c.net.mu.Unlock()
	if known {
		disk.Delete(context.Background(), tags)
	}
}

func (n *Net) pushAll() {
	n.mu.Lock()
	clients := make([]*Client, 0, len(n.clients))
	for c := range n.clients {
		clients = append(clients, c)
	}
	n.mu.Unlock()
	for _, c := range clients {
		c.push()
	}
}

// push hands over the boxes under watched tags.
func (c *Client) push() {
	if c.state() != nil || c.ctx.Err() != nil {
		return
	}

	c.pushEntries()
	c.mu.Lock()
	var all []found
	c.net.mu.Lock()
	s := c.net.set
	for _, w := range c.watches {
		disk, known := c.net.stores[w.node]
		if c.net.down[w.node] || !known {
			continue
		}
		items, _ := disk.Get(context.Background(), w.tags, time.Now())
		if c.net.liars[w.node] {
			items = make([]mailbox.Item, len(w.tags))
			for i, t := range w.tags {
				items[i].Tag = t
			}
		}
		for i := range items {
			all = append(all, found{w.node, items[i].Tag, items[i].Box[:]})
		}
	}
	c.net.mu.Unlock()
	c.mu.Unlock()

	// Pushes may be lost, and come twice.
	for _, f := range all {
		if rand.Float64() < s.LosePush {
			continue
		}
		hand(c, s, c.found, f)
	}
}

// ChooseMailboxes draws n.
func (c *Client) ChooseMailboxes(n int, avoid ...p2p.NodeID) ([]p2p.NodeID, error) {
	c.mu.Lock()
	few := c.few
	c.mu.Unlock()
	if few {
		return nil, p2p.ErrFewRelays
	}
	avoid = append(slices.Clone(avoid), c.liars()...)
	var out []p2p.NodeID
	for _, i := range rand.Perm(len(c.net.mailbox)) {
		if id := c.net.mailbox[i]; len(out) < n && !slices.Contains(avoid, id) {
			out = append(out, id)
		}
	}
	if len(out) < n {
		return nil, p2p.ErrFewRelays
	}
	return out, nil
}

// Missing returns the mailboxes that are down, or were found out.
func (c *Client) Missing(ids []p2p.NodeID) (missing []p2p.NodeID, err error) {
	if err := c.state(); err != nil {
		return nil, err
	}
	liars := c.liars()
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	for _, id := range ids {
		if c.net.down[id] || slices.Contains(liars, id) {
			missing = append(missing, id)
		}
	}
	return missing, nil
}

// Unheard returns the mailboxes that are mute.
func (c *Client) Unheard(ids []p2p.NodeID) []p2p.NodeID {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(ids), func(id p2p.NodeID) bool { return !c.net.mute[id] })
}

// Rendezvous ranks the mailboxes that are not down.
func (c *Client) Rendezvous(secret [32]byte, n int) ([]p2p.NodeID, error) {
	c.net.mu.Lock()
	defer c.net.mu.Unlock()
	ids := slices.DeleteFunc(slices.Clone(c.net.mailbox), func(id p2p.NodeID) bool { return c.net.down[id] })
	score := func(id p2p.NodeID) string {
		sum := sha256.Sum256(append(secret[:], id[:]...))
		return string(sum[:])
	}
	slices.SortFunc(ids, func(a, b p2p.NodeID) int { return strings.Compare(score(a), score(b)) })
	return ids[:min(n, len(ids))], nil
}

// Hint returns the node's id.
func (c *Client) Hint(id p2p.NodeID) ([]byte, error) { return id[:], nil }

// AddHint reads a hint of Hint.
func (c *Client) AddHint(b []byte) (id p2p.NodeID, err error) {
	if len(b) != len(id) {
		return id, p2p.ErrUnknownRelay
	}
	return p2p.NodeID(b), nil
}

// AddPasted and AddBootstrap are AddHint: all nodes are known.
func (c *Client) AddPasted(b []byte) (p2p.NodeID, error) { return c.AddHint(b) }

// AddBootstrap is AddHint.
func (c *Client) AddBootstrap(b []byte) (p2p.NodeID, error) { return c.AddHint(b) }

// TryOthers has nobody else to try, and counts.
func (c *Client) TryOthers() { c.tried.Add(1) }

// SetBridges keeps them: everybody is reached here.
func (c *Client) SetBridges(links []string, only bool) error {
	c.bridges.Store(&Bridges{links, only})
	return nil
}

// SetProxy keeps it: nobody dials here.
func (c *Client) SetProxy(text string) error {
	c.proxy.Store(&text)
	return nil
}

// Proxy is that of the last SetProxy.
func (c *Client) Proxy() string {
	if text := c.proxy.Load(); text != nil {
		return *text
	}
	return c.cfg.Proxy
}

// Bridges are those of the last SetBridges.
func (c *Client) Bridges() Bridges {
	if b := c.bridges.Load(); b != nil {
		return *b
	}
	return Bridges{c.cfg.Bridges, c.cfg.OnlyBridges}
}

// Bridges are links, and whether nothing else may be dialled.
type Bridges struct {
	Links []string
	Only  bool
}

// Tried returns how often TryOthers was called.
func (c *Client) Tried() int { return int(c.tried.Load()) }

// SetAhead says by how much the computer's clock is ahead of that of the relays.
func (c *Client) SetAhead(ahead time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead, c.untold = ahead, false
}

// SetUntold says that no relay has told the time, until SetAhead.
func (c *Client) SetUntold() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.untold = true
}

// SetLost has the status say that nothing comes back, though it would.
func (c *Client) SetLost() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lost = true
}

// Status says whether the client is cut off.
func (c *Client) Status() p2p.Status {
	s := p2p.Status{Ready: true, PeerID: "test", Relays: len(c.net.mailbox), EnoughRelays: true, Hops: 3, AllowPrivate: true,
		Guards: []p2p.GuardStatus{{ID: c.net.mailbox[0], Addr: "/memory", Connected: true}}}
	c.mu.Lock()
	if !c.untold {
		s.ClockKnown, s.ClockAhead = true, c.ahead
	}
	if c.lost {
		s.Ready, s.Reason = false, "messages go out, but nothing comes back"
	}
	c.mu.Unlock()
	switch c.state() {
	case p2p.ErrOffline:
		s.Ready, s.Reason, s.Guards[0].Connected = false, "no guard answers", false
	case p2p.ErrFewRelays:
		s.Ready, s.Reason, s.EnoughRelays = false, "too few relays", false
	}
	return s
}
