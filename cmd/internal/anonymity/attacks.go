package main

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"time"

	"starling/p2p/mix"
	"starling/p2p/outfox"
	"starling/p2p/wire"
)

// A mesh is relays of which some are bad, as mix.Routes sees them.
type mesh struct {
	list []mix.Relay
	bad  map[wire.NodeID]bool
	r    *rand.Rand // by which people choose, so that the report is the same each time
}

// noon is when messages are sent.
var noon = time.Unix(1_800_014_400, 0)

func newMesh(n int, f float64) (*mesh, error) {
	key, err := outfox.NewPrivateKey() // nobody opens a packet here: one will do
	if err != nil {
		return nil, err
	}
	today := outfox.EpochAt(noon)
	m := &mesh{bad: map[wire.NodeID]bool{}, r: rand.New(rand.NewPCG(uint64(n), math.Float64bits(f)))}
	for i := range n {
		r := mix.Relay{Keys: []mix.Key{{Epoch: today - 1, Public: key.Public()}, {Epoch: today, Public: key.Public()}}, Addrs: []netip.Addr{netip.AddrFrom4([4]byte{byte(11 + i/250), byte(i % 250), 0, 1})}}
		binary.BigEndian.PutUint32(r.ID[:], uint32(i+1))
		m.list = append(m.list, r)
		m.bad[r.ID] = float64(i) < f*float64(n)
	}
	return m, nil
}

// A path is the way of one message: there and back between two people, each with
// guards, pins and mailboxes of their own.
type path struct {
	way                   [outfox.Layers]wire.NodeID
	guard, mailbox, other wire.NodeID // of the sender; and the recipient's guard
	delay                 time.Duration
}

// message draws a message between two new people.
func (m *mesh) message() (p path, err error) {
	cfg := mix.RoutesConfig{Now: func() time.Time { return noon }, Rand: m.r}
	from, to := mix.NewRoutes(cfg), mix.NewRoutes(cfg)
	from.Update(m.list)
	to.Update(m.list)
	ids, err := from.Pick(2)
	if err != nil {
		return p, err
	}
	other, err := to.Pick(1, ids[1])
	if err != nil {
		return p, err
	}

	p.guard, p.mailbox, p.other = ids[0], ids[1], other[0]
	_, there, err := from.Forward(p.guard, p.mailbox)
	if err != nil {
		return p, err
	}
	_, back, err := to.Back(p.mailbox, p.other)
	if err != nil {
		return p, err
	}

	for i, h := range there {
		p.way[i] = h.ID
		p.delay += h.Delay
	}
	for _, h := range back {
		p.delay += h.Delay
	}
	return p, nil
}

// captures are how often relays that work together hold the places they need.
type captures struct {
	guardMailbox float64 // the sender's guard and the mailbox
	guards       float64 // the guards of both
	all          float64 // guard, second and third
	firstSpy     float64 // the first of them on the way is handed the packet by the sender
}

func (m *mesh) capture(messages int) (c captures, err error) {
	one := 1 / float64(messages)
	for range messages {
		p, err := m.message()
		if err != nil {
			return c, err
		}
		if m.bad[p.guard] && m.bad[p.mailbox] {
			c.guardMailbox += one
		}
		if m.bad[p.guard] && m.bad[p.other] {
			c.guards += one
		}
		if m.bad[p.way[0]] && m.bad[p.way[1]] && m.bad[p.way[2]] {
			c.all += one
		}
		if i := slices.IndexFunc(p.way[:], func(id wire.NodeID) bool { return m.bad[id] }); i == 0 {
			c.firstSpy += one
		}
	}
	return c, nil
}

// intersect returns how many messages it takes until only one of so many users was
// there each time, when each of the others is there with a chance of its own.
func intersect(users int, chance float64, r *rand.Rand) (messages int) {
	left := users - 1
	for left > 0 {
		messages++
		stay := 0
		for range left {
			if r.Float64() < chance {
				stay++
			}
		}
		left = stay
	}
	return messages
}

// intersects is the mean of many.
func intersects(users int, chance float64, runs int, r *rand.Rand) (mean float64) {
	for range runs {
		mean += float64(intersect(users, chance, r)) / float64(runs)
	}
	return mean
}

// intersectsExactly is the mean in closed form: that of the largest of users − 1
// geometric draws.
func intersectsExactly(users int, chance float64) (mean float64) {
	for k := 0; ; k++ {
		more := 1 - math.Pow(1-math.Pow(chance, float64(k)), float64(users-1))
		if more < 1e-9 {
			return mean
		}
		mean += more
	}
}

// Links between neighbours, and the frames that an idle client receives in a day:
// polls, the list, messages and receipts. See client.TestTimings.
const (
	linkMin, linkMax = 50 * time.Millisecond, 100 * time.Millisecond
	links            = 8 // sender to mailbox, mailbox to recipient
	framesIn         = 700
)

// delays draws how long messages take from one client's line to the other's.
func (m *mesh) delays(n int, r *rand.Rand) ([]time.Duration, error) {
	all := make([]time.Duration, n)
	for i := range all {
		p, err := m.message()
		if err != nil {
			return nil, err
		}
		all[i] = p.delay
		for range links {
			all[i] += linkMin + time.Duration(r.Int64N(int64(linkMax-linkMin)))
		}
	}
	slices.Sort(all)
	return all, nil
}

// chanceInWindow is how likely somebody else receives a frame in the window in which
// nearly all messages arrive.
func chanceInWindow(delays []time.Duration) (window time.Duration, chance float64) {
	window = delays[len(delays)*995/1000] - delays[len(delays)*5/1000]
	return window, 1 - math.Exp(-framesIn*window.Seconds()/day.Seconds())
}
