// Package censor learns the habits of the network around a client, as to connections, and
// remembers them for each network.
//
//	seen                                              learned          used
//	connections silent after alike numbers of KB, at
//	  two moments, while a new one to the same relay
//	  works at once                                   the budget       the next connection is made before
//	nothing passes after two handshakes in a minute
//	  with a relay that was there a moment ago        the ban          two handshakes a minute, no more
//	TLS with two relays that fails with the hello of
//	  one browser                                     the disguise     that of another
//	a bridge, or a relay at its door, leads in        the best way     it is tried first
//
// A relay may be silent when it likes, or refuse. So the budget, the ban and the disguise of a network take two
// relays, if another one is there; budget and ban of one hold for connections to it, and are not kept.
//
// A network is named after the things that this computer knows without asking (package wake).
// Of the name only a keyed hash is kept: 32 networks at most, the one not seen for
// longest goes. Now and then a connection goes on beyond the budget, to see whether it
// still holds.
package censor

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"starling/p2p/wire"
)

const (
	// PerMinute is how many handshakes with one relay are made in a minute, and
	// PerMinuteFrozen how many where connections are frozen and nobody was banned;
	// PerMinuteDoubt how many while one connection has gone silent.
	PerMinute, PerMinuteDoubt, PerMinuteFrozen = 2, 5, 20
	// MaxNetworks is how many networks are remembered.
	MaxNetworks = 32

	minute     = 61 * time.Second // no clock is exact
	patience   = 10 * time.Second // that an attempt may take until it counts as silent
	maxTries   = 64               // handshakes of one relay that are remembered
	maxRelays  = 256              // relays with remembered handshakes
	maxFreezes = 64               // that are remembered
	leastTried = PerMinute        // handshakes in a minute before one that silence follows, if that is a ban

	leastBudget, mostBudget = 11 << 10, 64 << 10
	freezes                 = 2                // so many moments make a budget
	apart                   = 30 * time.Second // those of one moment are less
	within                  = 10 * time.Minute
	bannedFor               = 6 * time.Hour // a ban of one relay is remembered
	trialEach               = 32            // connections, one of them without a budget
	keptFor                 = 60 * 24 * time.Hour
	strikes                 = 2 // failures of one disguise
)

// ErrDamaged means that bytes are no memory.
var ErrDamaged = errors.New("censor: damaged memory")

// Habits are those of a network.
type Habits struct {
	// Budget is how many bytes come on a connection before it is frozen; 0 if it is
	// not.
	Budget int64
	// Bans: too many handshakes with one relay end in silence.
	Bans bool
	// Disguise is the last one that passed, counted from 1; 0 if none did.
	Disguise byte
	ways     [MaxWays]name // in that led to relays, the last first; zero: no more
	seen     time.Time
}

type name [8]byte

// A Memory remembers networks. Its methods may be called from any goroutine.
type Memory struct {
	now       func() time.Time // of day
	disguises int

	mu     sync.Mutex
	salt   [16]byte
	known  map[name]*Habits
	here   name
	habits *Habits // of the network that we are in
	made   int     // connections since it was entered

	frozen   []freeze
	own      map[wire.NodeID]int64     // budgets of relays that froze alone
	silent   map[wire.NodeID]time.Time // relays that may have been banned
	met      map[wire.NodeID]bool      // guards with a connection, at the last attempt
	tries    map[wire.NodeID][]time.Time
	disguise byte                // of the next handshake
	failed   map[wire.NodeID]int // handshakes with it, by relay
}

// A freeze is a connection that went silent.
type freeze struct {
	relay wire.NodeID
	at    time.Time
	bytes int64
}

// New makes an empty memory. disguises is how many there are, first the one to begin with,
// counted from 1. now is the time of day; nil is time.Now.
func New(disguises int, first byte, now func() time.Time) *Memory {
	if now == nil {
		now = time.Now
	}
	m := &Memory{now: now, disguises: disguises, known: map[name]*Habits{}, tries: map[wire.NodeID][]time.Time{}, disguise: first,
		own: map[wire.NodeID]int64{}, silent: map[wire.NodeID]time.Time{}, met: map[wire.NodeID]bool{}, failed: map[wire.NodeID]int{}}
	rand.Read(m.salt[:])
	m.habits = &Habits{}
	return m
}

// Enter tells the name of the network that the computer is in. An empty one is that of
// all networks of which nothing is known.
func (m *Memory) Enter(network string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	h := hmac.New(sha256.New, m.salt[:])
	h.Write([]byte(network))
	here := name(h.Sum(nil)[:len(name{})])
	if here == m.here && m.known[here] != nil {
		return
	}

	m.here, m.made, m.frozen = here, 0, nil
	clear(m.failed)
	clear(m.tries)
	clear(m.own)
	clear(m.silent)
	clear(m.met)
	if m.habits = m.known[here]; m.habits == nil {
		m.habits = &Habits{}
		m.makeRoom()
		m.known[here] = m.habits
	}
	m.habits.seen = m.now()
	if m.habits.Disguise != 0 {
		m.disguise = m.habits.Disguise
	}
}

// makeRoom forgets the network that was not seen for longest, if there are too many.
func (m *Memory) makeRoom() {
	for len(m.known) >= MaxNetworks {
		var out name
		for n, h := range m.known {
			if old := m.known[out]; old == nil || h.seen.Before(old.seen) {
				out = n
			}
		}
		delete(m.known, out)
	}
}

// Habits returns those that are known of the network.
func (m *Memory) Habits() Habits {
	m.mu.Lock()
	defer m.mu.Unlock()
	return *m.habits
}

// Allowance implements link.Network.
func (m *Memory) Allowance(relay wire.NodeID) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.made++; m.made%trialEach == 0 {
		return 0
	}
	return m.budget(relay)
}

// Budget returns after how many bytes a connection to a relay freezes, 0 for never.
func (m *Memory) Budget(relay wire.NodeID) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.budget(relay)
}

// budget is that of connections to a relay: its own, or that of the network, whichever is
// smaller; 0 is none. The caller holds the lock.
func (m *Memory) budget(relay wire.NodeID) int64 {
	own, all := m.own[relay], m.habits.Budget
	if own == 0 || all == 0 {
		return max(own, all)
	}
	return min(own, all)
}

// Frozen implements link.Network.
func (m *Memory) Frozen(relay wire.NodeID, bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if bytes < leastBudget || bytes > mostBudget {
		return
	}
	now := time.Now()
	m.frozen = slices.DeleteFunc(append(m.frozen, freeze{relay, now, bytes}), func(f freeze) bool { return now.Sub(f.at) > within })
	m.frozen = m.frozen[max(0, len(m.frozen)-maxFreezes):]
	if n := m.ofOne(relay); n > 0 && (m.own[relay] > 0 || len(m.own) < maxRelays) {
		m.own[relay] = n
	}
	if n := m.agreed(); n > 0 && (m.habits.Budget == 0 || n < m.habits.Budget) {
		m.habits.Budget = n
	}
}

// agreed returns the number of bytes after which connections freeze, by those that did of
// late: the smaller ones of two relays, the smallest where no other relay is met; 0 if
// they do not suffice. One relay may be silent when it likes. The caller holds the lock.
func (m *Memory) agreed() int64 {
	least := map[wire.NodeID]int64{}
	for _, f := range m.frozen {
		if n := least[f.relay]; n == 0 || f.bytes < n {
			least[f.relay] = f.bytes
		}
	}
	all := slices.Sorted(maps.Values(least))
	switch {
	case !curtain(m.frozen):
		return 0
	case len(all) >= 2 && alike(all[0], all[1]):
		return all[1]
	case len(all) == 1 && m.alone(m.frozen[0].relay):
		return all[0]
	}
	return 0
}

// ofOne returns the number of bytes after which connections to a relay froze the last two
// times, 0 if that is no budget. The caller holds the lock.
func (m *Memory) ofOne(relay wire.NodeID) int64 {
	of := slices.DeleteFunc(slices.Clone(m.frozen), func(f freeze) bool { return f.relay != relay })
	if !curtain(of) {
		return 0
	}
	return min(of[len(of)-1].bytes, of[len(of)-2].bytes)
}

// curtain reports whether connections froze at several moments, and the last two after alike
// numbers of bytes. A network that is away for a moment freezes all that there are, whatever
// has come on them.
func curtain(all []freeze) bool {
	moments := 0
	var last time.Time
	for _, f := range all {
		if moments == 0 || f.at.Sub(last) >= apart {
			moments++
			last = f.at
		}
	}
	n := len(all)
	return moments >= freezes && alike(all[n-1].bytes, all[n-2].bytes)
}

// alike reports whether two numbers of bytes may be of one budget: the rest is less than a
// few frames.
func alike(a, b int64) bool { return 2*max(a, b) <= 3*min(a, b) }

// alone reports whether no other relay is met. The caller holds the lock.
func (m *Memory) alone(relay wire.NodeID) bool {
	return len(m.met) == 0 || len(m.met) == 1 && m.met[relay]
}

// Met tells whether an attempt to connect to a guard led to it.
func (m *Memory) Met(relay wire.NodeID, met bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case !met:
		delete(m.met, relay)
	case len(m.met) < maxRelays:
		m.met[relay] = true
	}
}

// Carried implements link.Network: a connection with twice the budget shows that there is
// none any more.
func (m *Memory) Carried(relay wire.NodeID, bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if bytes > 2*m.own[relay] {
		delete(m.own, relay)
	}
	if m.habits.Budget > 0 && bytes > 2*m.habits.Budget {
		m.habits.Budget = 0
	}
}

// limit is how many handshakes a minute a relay gets.
func (m *Memory) limit(relay wire.NodeID) int {
	switch {
	case m.habits.Bans || m.banned():
		return PerMinute
	case m.budget(relay) > 0:
		return PerMinuteFrozen
	case len(m.frozen) > 0 && time.Since(m.frozen[len(m.frozen)-1].at) < minute:
		return PerMinuteDoubt
	}
	return PerMinute
}

// banned reports whether a relay seems to have been banned. The network is the same for all
// relays: none is tried so often then. The caller holds the lock.
func (m *Memory) banned() bool {
	for _, at := range m.silent {
		if time.Since(at) < bannedFor {
			return true
		}
	}
	return false
}

// Freezes reports whether connections to a relay freeze, or did of late.
func (m *Memory) Freezes(relay wire.NodeID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.budget(relay) > 0 || len(m.frozen) > 0 && time.Since(m.frozen[len(m.frozen)-1].at) < within
}

// Sparing implements link.Network.
func (m *Memory) Sparing(relay wire.NodeID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.budget(relay) > 0 && m.limit(relay) == PerMinute
}

// Scarce reports whether connections freeze here, those to some relay at least, and the next ones are few.
func (m *Memory) Scarce() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return (m.habits.Budget > 0 || len(m.own) > 0) && (m.habits.Bans || m.banned())
}

// Wait implements link.Network.
func (m *Memory) Wait(relay wire.NodeID) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	tries, most := m.tries[relay], m.limit(relay)
	if len(tries) < most {
		return 0
	}
	return max(0, minute-time.Since(tries[len(tries)-most]))
}

// Began notes that a handshake with a relay begins.
func (m *Memory) Began(relay wire.NodeID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	if len(m.tries) >= maxRelays {
		for id, at := range m.tries {
			if now.Sub(at[len(at)-1]) > minute {
				delete(m.tries, id)
			}
		}
	}
	if tries := m.tries[relay]; len(tries) > 0 || len(m.tries) < maxRelays {
		tries = append(tries, now)
		m.tries[relay] = tries[max(0, len(tries)-maxTries):]
	}
}

// Made notes when the last handshake was: an address may have answered long after the attempt
// began, and counts as connected to from then.
func (m *Memory) Made(relay wire.NodeID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if tries := m.tries[relay]; len(tries) > 0 {
		tries[len(tries)-1] = time.Now()
	}
}

// Untried takes the last handshake back: there was none, since nobody answered.
func (m *Memory) Untried(relay wire.NodeID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if tries := m.tries[relay]; len(tries) > 1 {
		m.tries[relay] = tries[:len(tries)-1]
	} else {
		delete(m.tries, relay)
	}
}

// Silent notes that nothing came back of an attempt to reach a relay that was there a
// moment ago; counted, if it is among the handshakes. After many of them that is a ban.
func (m *Memory) Silent(relay wire.NodeID, counted bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := 0
	for _, at := range m.tries[relay] {
		if time.Since(at) < minute+patience {
			n++
		}
	}
	if counted {
		n--
	}
	if n < leastTried {
		return
	}
	now := time.Now()
	maps.DeleteFunc(m.silent, func(_ wire.NodeID, at time.Time) bool { return now.Sub(at) > bannedFor })
	if len(m.silent) < maxRelays {
		m.silent[relay] = now
	}
	m.habits.Bans = m.habits.Bans || len(m.silent) >= 2 || m.alone(relay)
}

// Disguise returns the disguise of the next handshake, counted from 1.
func (m *Memory) Disguise() byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.disguise
}

// Passed tells whether a handshake with a relay came through in a disguise. After one with each of two relays that did
// not, or some with the only one that is met, another one has its turn.
func (m *Memory) Passed(relay wire.NodeID, disguise byte, passed bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case passed:
		m.habits.Disguise, m.disguise = disguise, disguise
		clear(m.failed)
	case disguise != m.disguise:
	default:
		if len(m.failed) < maxRelays {
			m.failed[relay]++
		}
		if m.disguises > 0 && (len(m.failed) >= strikes || m.failed[relay] >= strikes && m.alone(relay)) {
			m.disguise = byte(int(m.disguise)%m.disguises) + 1
			clear(m.failed)
		}
	}
}

const (
	habitsSize = len(name{}) + 4 + 1 + 1 + 8
	flagBans   = 1
	withWays   = 0x80 // beside the number of networks
	lastSecond = 1 << 40
)

// MaxSize is the largest encoding of a Memory.
const MaxSize = 16 + 1 + MaxNetworks*(habitsSize+1+MaxWays*len(name{}))

// Append appends the encoding:
//
//	offset  size
//	0       16    salt
//	16      1     number n of networks, and 128
//	17      …     each: hash of the name (8) ‖ budget (4) ‖ flags: 1 bans (1) ‖
//	              disguise (1) ‖ last seen (8, Unix seconds) ‖
//	              number of ways in (1) ‖ hash of each (8), the best first
//
// Without the 128 it is one of an earlier program, without the ways.
func (m *Memory) Append(b []byte) []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.habits.seen = m.now()
	var names []name
	for n, h := range m.known {
		if *h != (Habits{seen: h.seen}) && m.now().Sub(h.seen) < keptFor {
			names = append(names, n)
		}
	}
	slices.SortFunc(names, func(a, b name) int { return slices.Compare(a[:], b[:]) })

	b = append(append(b, m.salt[:]...), withWays|byte(len(names)))
	for _, n := range names {
		h := m.known[n]
		b = append(b, n[:]...)
		b = binary.BigEndian.AppendUint32(b, uint32(h.Budget))
		var flags byte
		if h.Bans {
			flags |= flagBans
		}
		b = append(b, flags, h.Disguise)
		b = binary.BigEndian.AppendUint64(b, uint64(max(0, h.seen.Unix())))
		b = h.appendWays(b)
	}
	return b
}

// Restore takes over the encoding of another, and nothing if it is damaged.
func (m *Memory) Restore(b []byte) error {
	if len(b) < 17 {
		return ErrDamaged
	}
	n, ways := b[16]&^withWays, b[16]&withWays != 0
	if n > MaxNetworks {
		return ErrDamaged
	}

	// One network after the other; a value that no network has is damage.
	known := map[name]*Habits{}
	rest := b[17:]
	for range n {
		if len(rest) < habitsSize {
			return ErrDamaged
		}
		at := rest[:habitsSize]
		h := &Habits{Budget: int64(binary.BigEndian.Uint32(at[8:])), Bans: at[12] == flagBans, Disguise: at[13]}
		seen := binary.BigEndian.Uint64(at[14:])
		if h.Budget != 0 && (h.Budget < leastBudget || h.Budget > mostBudget) || at[12] > flagBans || seen > lastSecond {
			return ErrDamaged
		}
		h.seen = time.Unix(int64(seen), 0)
		rest = rest[habitsSize:]
		if ways {
			var err error
			if rest, err = h.cutWays(rest); err != nil {
				return err
			}
		}
		known[name(at)] = h
	}
	if len(rest) > 0 {
		return ErrDamaged
	}

	// Read as a whole before anything of ours is replaced.
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, h := range known {
		// A later version may have had more of them.
		if int(h.Disguise) > m.disguises {
			h.Disguise = 0
		}
	}
	copy(m.salt[:], b)
	m.known, m.here, m.habits = known, name{}, &Habits{}
	return nil
}
