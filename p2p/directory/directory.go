// Package directory keeps the known relays: one signed descriptor each.
//
// Descriptors spread between relays by gossip (package directory/gossip) and are
// fetched in pages by clients and by relays that come back. Everybody keeps all of
// them: a client that looks up nothing tells nobody its wishes.
//
// # Descriptor
//
//	offset  size
//	0       1     version = 2
//	1       32    node id, the Ed25519 key that signs
//	33      8     sequence
//	41      8     issued, Unix seconds
//	49      8     expires, Unix seconds, at most 48 h later
//	57      2     capacity in packets a second; 0: leaving
//	59      2     features; bit 0: mailbox
//	61      4     epoch e, days since 1970: that of 8 h before issued
//	65      96    mix keys of epochs e, e+1 and e+2
//	161     16    salt of the window of issued
//	177     32    commitment to the salt of the next window
//	209     1     size of the family, 0–8
//	210     8·n   first bytes of the node ids of its other members
//	…       1     number of addresses, 1–4
//	…       …     each: length (1) ‖ kind (1) ‖ fields of the kind
//	…       64    Ed25519 over "starling/relay-descriptor/2" ‖ 0 ‖ all before
//
//	kind 1  TCP over IPv4: IP (4) ‖ port (2)
//	kind 2  TCP over IPv6: IP (16) ‖ port (2)
//	kind 3  web over IPv4: as 1, then a host name of up to 63 bytes, or none
//	kind 4  web over IPv6: as 2, then the same
//	kind 5  onion: key (32) ‖ port (2)
//
// All numbers are big endian. 283 to 640 bytes; more is refused, as are other
// versions, keys that no exchange can be made with and anything behind the
// signature. An address of another kind is passed over, but a relay that has none
// of kind 1 or 2 is not taken: nobody here can dial it.
//
// A descriptor that only renews another one is told in a third of its size, see Renewals.
//
// # Limits
//
// At most MaxRelays descriptors are held. Unless private addresses are
// admitted, every address must be public, and a network has only so much room, see
// MaxPerNetwork. A descriptor that is not newer than the one held, expired, or issued
// more than MaxSkew ahead of our clock is refused.
package directory

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"sort"
	"sync"
	"time"

	"starling/p2p/wire"
)

const (
	// MaxRelays bounds a directory.
	MaxRelays = 10_000
	// MaxLiars bounds the memory of relays with two faces.
	MaxLiars = 1024
	// convicted is for how long such a relay stays out.
	convicted = 2 * WindowLength
	// MaxSkew is how far a relay's clock may be ahead of ours.
	MaxSkew = 10 * time.Minute
)

// Why a descriptor was not taken. None of them is the fault of the neighbour that
// passed it on.
var (
	ErrStale   = errors.New("directory: not newer than what is known")
	ErrExpired = errors.New("directory: expired descriptor")
	ErrFuture  = errors.New("directory: descriptor from the future")
	ErrPrivate = errors.New("directory: private address")
	ErrCrowded = errors.New("directory: too many relays of one network")
	ErrFull    = errors.New("directory: full")
	// ErrOften: the relay has had its news, see NewsEvery.
	ErrOften = errors.New("directory: too much news of one relay")
	// ErrUndialled: no address is of a kind that is dialled.
	ErrUndialled = errors.New("directory: no address that can be dialled")
	// ErrTwoFaced: the relay has signed two things of which one is a lie.
	ErrTwoFaced = errors.New("directory: relay with two faces")
)

// Config is how a Directory is made.
type Config struct {
	// AllowPrivate admits loopback and LAN addresses and any number of relays
	// of one network.
	AllowPrivate bool
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// News bounds how often a relay may have news, other than Self.
	News bool
	Self wire.NodeID
	// MaxRelays overrides the bound of that name, if not 0.
	MaxRelays int
}

// A Directory is a bounded set of descriptors. It may be used from any
// goroutine.
type Directory struct {
	cfg Config

	mu       sync.Mutex
	relays   map[wire.NodeID]*entry
	order    []*entry // the same by id, so that a snapshot need not sort
	networks map[netip.Prefix]int
	liars    map[wire.NodeID]time.Time // relays with two faces, and until when they are out
	named    map[wire.NodeID]named     // of relays that are held
	// log holds the entries in the order they came; a page counts in it. An entry that
	// was replaced or removed is dead.
	log      []*entry
	stamp    uint64
	instance [8]byte
	moved    uint64 // stamp of the last entry that is no other, but reached now
	changed  chan struct{}
	snap     *Snapshot
}

type entry struct {
	*Descriptor
	raw     []byte
	stamp   uint64
	reached time.Time // first, by us at these addresses; zero if only others say so
	news    time.Time // until then the relay has had its news
	late    []byte    // the last descriptor that came too often
	dead    bool

	before uint64 // stamp of the descriptor that it renews
	short  int    // bytes of the renewal, or 0
}

// A Snapshot is a directory at one moment. It is never changed.
type Snapshot struct {
	// Relays are ordered by node id. Those that are leaving are not among them.
	Relays []*Descriptor
	// Digest is the same for equal sets of descriptors.
	Digest [32]byte
	// Sketch is a part of it for each first byte of the node ids.
	Sketch Sketch

	since   []time.Time // of each of Relays, when it was reached first
	now     time.Time
	stamp   uint64    // of the last change in it
	moved   uint64    // Directory.moved
	until   time.Time // a descriptor expires then
	private bool      // Config.AllowPrivate
}

// Find returns a relay's descriptor.
func (s *Snapshot) Find(id wire.NodeID) (*Descriptor, bool) {
	if i, ok := slices.BinarySearchFunc(s.Relays, id, compareID); ok {
		return s.Relays[i], true
	}
	return nil, false
}

func compareID(d *Descriptor, id wire.NodeID) int { return bytes.Compare(d.ID[:], id[:]) }

// New makes an empty directory.
func New(cfg Config) *Directory {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.MaxRelays == 0 {
		cfg.MaxRelays = MaxRelays
	}
	d := &Directory{
		cfg:      cfg,
		relays:   map[wire.NodeID]*entry{},
		networks: map[netip.Prefix]int{},
		liars:    map[wire.NodeID]time.Time{},
		named:    map[wire.NodeID]named{},
		changed:  make(chan struct{}),
	}
	rand.Read(d.instance[:])
	return d
}

// Parse is [Parse] without the cost of the signature where raw is, byte for byte, the
// descriptor that is held. Lists of neighbours are mostly such ones.
func (d *Directory) Parse(raw []byte) (*Descriptor, error) {
	if len(raw) > 1+wire.NodeIDSize {
		d.mu.Lock()
		held := d.relays[wire.NodeID(raw[1:1+wire.NodeIDSize])]
		d.mu.Unlock()
		if held != nil && bytes.Equal(held.raw, raw) {
			return held.Descriptor, nil
		}
	}
	return Parse(raw)
}

// Add takes a signed descriptor, or says why not. raw is not kept on error.
func (d *Directory) Add(raw []byte) error {
	desc, err := parse(raw)
	if err != nil {
		return err
	}

	// Everything cheap comes before the signature, and again after it: the
	// lock is not held while verifying.
	d.mu.Lock()
	err = d.admit(desc)
	d.mu.Unlock()
	if err != nil && err != ErrTwoFaced && err != ErrOften {
		return err
	}
	if err := verify(desc.ID, raw); err != nil {
		return err
	}
	return d.AddParsed(desc, raw)
}

// AddParsed is Add of a descriptor that Parse has made of raw: a signature is verified
// once.
func (d *Directory) AddParsed(desc *Descriptor, raw []byte) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	// Another descriptor of the relay may have come meanwhile.
	switch err := d.admit(desc); {
	case err == ErrTwoFaced:
		d.convict(desc.ID, convicted)
		return err
	case err == ErrOften:
		// The last word is taken when its time has come.
		d.relays[desc.ID].late = bytes.Clone(raw)
		return err
	case err != nil:
		return err
	}

	// Room is made only for a signature that holds: a forger evicts nobody.
	if d.relays[desc.ID] == nil && len(d.relays) >= d.cfg.MaxRelays && !d.makeRoom(d.cfg.Now()) {
		return ErrFull
	}
	d.put(desc, bytes.Clone(raw))
	return nil
}

// put adds a descriptor that was verified and admitted.
func (d *Directory) put(desc *Descriptor, raw []byte) {
	old, later := d.relays[desc.ID], d.named[desc.ID]
	d.remove(old)
	if later.sequence > desc.Sequence {
		d.named[desc.ID] = later
	}
	d.stamp++

	e := &entry{Descriptor: desc, raw: raw, stamp: d.stamp}
	e.news, _ = d.often(old, desc, d.cfg.Now())
	if old != nil && slices.Equal(old.Addresses, desc.Addresses) {
		e.reached = old.reached
		// One that has run out is forgotten, and nothing is made from it.
		if old.Expires.After(d.cfg.Now()) {
			e.before, e.short = old.stamp, renewalOf(old.raw, raw)
		}
	}

	d.relays[desc.ID] = e
	i, held := slices.BinarySearchFunc(d.order, desc.ID, func(e *entry, id wire.NodeID) int { return compareID(e.Descriptor, id) })
	if !held {
		d.order = slices.Insert(d.order, i, nil)
	}
	d.order[i] = e
	d.log = append(d.log, e)
	for _, n := range networksOf(desc) {
		d.networks[n]++
	}
	d.compact()
	d.touch()
}

// Take adds an entry of a page and believes its word about how long the relay was
// reached.
func (d *Directory) Take(e Entry) error {
	err := d.Add(e.Raw)
	if err == ErrStale && d.holds(e) {
		err = nil
	}
	if err == nil && e.Known != VouchedOnly {
		d.Reached(e.ID(), e.Since(d.cfg.Now()))
	}
	return err
}

// holds reports whether an entry has the very descriptor that is held, and says more of
// it than is known here.
func (d *Directory) holds(e Entry) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	held := d.relays[e.ID()]
	return held != nil && held.reached.IsZero() && e.Known != VouchedOnly && bytes.Equal(held.raw, e.Raw)
}

// Reached notes since when a relay was reached at the addresses that are held.
func (d *Directory) Reached(id wire.NodeID, since time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	old := d.relays[id]
	if old == nil || old.reached.Equal(since) {
		return
	}
	if !old.reached.IsZero() {
		old.reached, d.snap = since, nil
		return
	}
	// The holder of the entry is to hear that more is known of it, which no renewal says.
	e := *old
	e.reached, e.short = since, 0
	old.dead = true
	d.stamp++
	e.stamp, d.moved = d.stamp, d.stamp
	d.relays[id] = &e
	i, _ := slices.BinarySearchFunc(d.order, id, func(e *entry, id wire.NodeID) int { return compareID(e.Descriptor, id) })
	d.order[i] = &e
	d.log = append(d.log, &e)
	d.compact()
	d.touch()
}

// Since returns the time since which a relay was reached; the zero time if it was not.
func (d *Directory) Since(id wire.NodeID) time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	if e := d.relays[id]; e != nil {
		return e.reached
	}
	return time.Time{}
}

func (d *Directory) admit(desc *Descriptor) error {
	now := d.cfg.Now()
	if !desc.Expires.After(now) {
		return ErrExpired
	}
	if desc.Issued.After(now.Add(MaxSkew)) {
		return ErrFuture
	}

	old := d.relays[desc.ID]
	// Two descriptors of one number prove two faces, whichever is right.
	if now.Before(d.liars[desc.ID]) || old != nil && twoFaced(old.Descriptor, desc) {
		return ErrTwoFaced
	}
	if old != nil && desc.Sequence <= old.Sequence {
		return ErrStale
	}

	// A relay that nobody can dial is of no use, and costs a place.
	if !slices.ContainsFunc(desc.Addresses, Address.Dialable) {
		return ErrUndialled
	}
	if !d.cfg.AllowPrivate {
		for _, a := range desc.Addresses {
			if !a.Public() {
				return ErrPrivate
			}
		}

		// An owner of one network must not fill the list.
		if d.crowded(old, desc) {
			return ErrCrowded
		}
	}

	if _, often := d.often(old, desc, now); often {
		return ErrOften
	}
	return nil
}

// convict takes out a relay that has signed two things of which one is a lie, for
// as long as either could be shown again.
func (d *Directory) convict(id wire.NodeID, left time.Duration) {
	now := d.cfg.Now()
	if len(d.liars) >= MaxLiars {
		for other, until := range d.liars { // any: their descriptors expire, too
			if delete(d.liars, other); now.Before(until) {
				break
			}
		}
	}
	d.liars[id] = now.Add(left)
	if old := d.relays[id]; old != nil {
		d.remove(old)
		d.order = slices.DeleteFunc(d.order, func(e *entry) bool { return e.dead })
		d.compact()
		d.touch()
	}
}

// A Liar is a relay with two faces, and for how much longer it stays out.
type Liar struct {
	ID   wire.NodeID
	Left time.Duration
}

// Liars returns the relays with two faces, to keep on disk.
func (d *Directory) Liars() (all []Liar) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.cfg.Now()
	for id, until := range d.liars {
		if left := until.Sub(now); left > 0 {
			all = append(all, Liar{id, left})
		}
	}
	return all
}

// Convict takes over relays with two faces from before this start. The time in between
// is not counted: no clock is needed to go on.
func (d *Directory) Convict(all []Liar) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, l := range all[:min(len(all), MaxLiars)] {
		d.convict(l.ID, min(l.Left, convicted))
	}
}

func (d *Directory) remove(e *entry) {
	if e == nil {
		return
	}
	e.dead = true
	delete(d.relays, e.ID)
	delete(d.named, e.ID)
	for _, n := range networksOf(e.Descriptor) {
		if d.networks[n]--; d.networks[n] == 0 {
			delete(d.networks, n)
		}
	}
}

// compact drops dead entries once they are the larger part of the log.
func (d *Directory) compact() {
	if len(d.log) > 2*len(d.relays)+64 {
		d.log = slices.DeleteFunc(d.log, func(e *entry) bool { return e.dead })
	}
}

func (d *Directory) touch() {
	d.snap = nil
	close(d.changed)
	d.changed = make(chan struct{})
}

func (d *Directory) prune(now time.Time) {
	d.drop(func(e *entry) bool { return !e.Expires.After(now) })
}

// drop removes entries.
func (d *Directory) drop(which func(*entry) bool) {
	gone := false
	for _, e := range d.relays {
		if which(e) {
			d.remove(e)
			gone = true
		}
	}
	if gone {
		d.order = slices.DeleteFunc(d.order, func(e *entry) bool { return e.dead })
		d.compact()
		d.touch()
	}
}

// Changed returns a channel that is closed at the next change. Several changes may be
// one: it says only that there is something new.
func (d *Directory) Changed() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.changed
}

// Find returns the descriptor held for a node, leaving or not.
func (d *Directory) Find(id wire.NodeID) (*Descriptor, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.relays[id]
	if e == nil || !e.Expires.After(d.cfg.Now()) {
		return nil, false
	}
	return e.Descriptor, true
}

// Snapshot returns the relays that are valid now.
func (d *Directory) Snapshot() *Snapshot {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.cfg.Now()
	// Shared by all callers until something changes: it is never written to.
	if d.snap != nil && now.Before(d.snap.until) {
		return d.snap
	}

	d.prune(now)
	s := &Snapshot{stamp: d.stamp, moved: d.moved, until: now.Add(MaxLifetime), private: d.cfg.AllowPrivate}
	s.now = now

	all := make([]*Descriptor, len(d.order))
	for i, e := range d.order {
		all[i] = e.Descriptor
		if !e.Leaving() {
			s.since = append(s.since, e.reached)
		}
		if e.Expires.Before(s.until) {
			s.until = e.Expires
		}
	}

	// Leaving ones are in the digest, since lists are compared by it, and in no draw.
	s.digest(all, d.said)
	s.Relays = slices.DeleteFunc(all, (*Descriptor).Leaving)
	d.snap = s
	return s
}

// digest fills Digest and Sketch from descriptors in order, and their sequences.
func (s *Snapshot) digest(all []*Descriptor, sequence func(*Descriptor) uint64) {
	whole := sha256.New()
	var bucket []byte
	for i, desc := range all {
		bucket = append(bucket, desc.ID[:]...)
		bucket = binary.BigEndian.AppendUint64(bucket, sequence(desc))
		if first := desc.ID[0]; i+1 == len(all) || all[i+1].ID[0] != first {
			whole.Write(bucket)
			sum := sha256.Sum256(bucket)
			copy(s.Sketch[first][:], sum[:])
			bucket = bucket[:0]
		}
	}
	whole.Sum(s.Digest[:0])
}

// Raw returns up to limit signed descriptors as they were received, the newest
// first, to keep on disk.
func (d *Directory) Raw(limit int) [][]byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.cfg.Now()
	var all [][]byte
	for _, e := range slices.Backward(d.log) {
		if len(all) == limit {
			break
		}
		if !e.dead && e.Expires.After(now) {
			all = append(all, e.raw)
		}
	}
	return all
}

// since returns the first descriptors that are wanted after a stamp in the order
// they came, as many as fit into size bytes with the header of each, the
// stamp of the last, and whether there are more. Of descriptors that renew one that the
// asker had at the stamp Whole it returns renewals or names.
func (d *Directory) since(after uint64, r *Request, size int, wanted func(*Descriptor) bool) (entries []Entry, last uint64, more bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.cfg.Now()
	last = after

	i := sort.Search(len(d.log), func(i int) bool { return d.log[i].stamp > after })
	for _, e := range d.log[i:] {
		if e.dead || !e.Expires.After(now) || !wanted(e.Descriptor) {
			continue
		}
		told := Entry{knownSince(e.reached, now), e.raw}
		if e.short > 0 && e.before <= r.Whole {
			short := Entry{VouchedOnly, cutRenewal(e.raw, e.short)}
			switch {
			case !r.Names || !nameable(e.raw):
				told = short
			case !e.restarted():
				told = Entry{VouchedOnly, short.Raw[:nameSize]}
			}
		}
		if size -= told.size(); size < 0 {
			return entries, last, true
		}
		entries = append(entries, told)
		last = e.stamp
	}
	return entries, d.stamp, false
}
