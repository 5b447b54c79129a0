// Package directory keeps what is known of the relays: one signed descriptor
// each.
//
// Descriptors spread between relays by gossip (package directory/gossip) and
// are fetched in pages by clients and by relays that come back. Everybody
// keeps all of them: who looks up nothing tells nobody what it looks for.
//
// # Descriptor
//
//	offset  size
//	0       1     version = 1
//	1       32    node id, the Ed25519 key that signs
//	33      8     sequence
//	41      8     issued, Unix seconds
//	49      8     expires, Unix seconds, at most 25 h later
//	57      2     capacity in packets a second; 0: leaving
//	59      4     epoch e of the first mix key, days since 1970
//	63      32    mix key of epoch e
//	95      32    mix key of epoch e+1
//	127     1     number of addresses, 1–4
//	128     7|19  each: kind (1: TCP over IPv4, 2: TCP over IPv6) ‖ IP ‖ port (2)
//	…       64    Ed25519 over "starling/relay-descriptor/1" ‖ 0 ‖ all before
//
// All numbers are big endian. 199 to 268 bytes; more than 512 is refused, as
// are other versions, kinds and anything behind the signature.
//
// # Limits
//
// At most MaxRelays descriptors are held. Unless private addresses are
// admitted, every address must be public and no more than MaxPerNetwork relays
// share a /24 (IPv4) or /48 (IPv6). A descriptor that is not newer than the
// one held, expired, or issued more than MaxSkew ahead of our clock is
// refused. A full directory takes nobody new until somebody expires.
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
	// MaxPerNetwork bounds the relays of one /24 or /48.
	MaxPerNetwork = 8
	// MaxSkew is how far a relay's clock may be ahead of ours.
	MaxSkew = 10 * time.Minute
)

// Why a descriptor was not taken. None of them is the fault of who passed it on.
var (
	ErrStale   = errors.New("directory: not newer than what is known")
	ErrExpired = errors.New("directory: expired descriptor")
	ErrFuture  = errors.New("directory: descriptor from the future")
	ErrPrivate = errors.New("directory: private address")
	ErrCrowded = errors.New("directory: too many relays of one network")
	ErrFull    = errors.New("directory: full")
)

// Config is how a Directory is made.
type Config struct {
	// AllowPrivate admits loopback and LAN addresses and any number of relays
	// of one network.
	AllowPrivate bool
	// Now is the clock; nil is time.Now.
	Now func() time.Time
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
	// log holds the entries in the order they came, which is what a page
	// counts in; an entry that was replaced or removed is dead.
	log      []*entry
	stamp    uint64
	instance [8]byte
	changed  chan struct{}
	urgent   chan struct{}
	snap     *Snapshot
}

type entry struct {
	*Descriptor
	raw   []byte
	stamp uint64
	dead  bool
}

// A Snapshot is a directory at one moment. It is never changed.
type Snapshot struct {
	// Relays are ordered by node id. Those that are leaving are not among them.
	Relays []*Descriptor
	// Digest is the same for equal sets of descriptors.
	Digest [32]byte
	// Sketch is a part of it for each first byte of the node ids.
	Sketch Sketch

	stamp   uint64    // of the last change in it
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
		changed:  make(chan struct{}),
		urgent:   make(chan struct{}),
	}
	rand.Read(d.instance[:])
	return d
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
	if err != nil {
		return err
	}
	if err := verify(desc.ID, raw); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.admit(desc); err != nil {
		return err
	}
	old := d.relays[desc.ID]
	d.remove(old)
	d.stamp++
	e := &entry{Descriptor: desc, raw: bytes.Clone(raw), stamp: d.stamp}
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
	if old != nil && desc.breaks(old.Descriptor) {
		close(d.urgent)
		d.urgent = make(chan struct{})
	}
	return nil
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
	if old != nil && desc.Sequence <= old.Sequence {
		return ErrStale
	}
	if !d.cfg.AllowPrivate {
		for _, a := range desc.Addresses {
			if !a.Public() {
				return ErrPrivate
			}
		}
		var held []netip.Prefix
		if old != nil {
			held = networksOf(old.Descriptor)
		}
		for _, n := range networksOf(desc) {
			if d.networks[n] >= MaxPerNetwork && !slices.Contains(held, n) {
				return ErrCrowded
			}
		}
	}
	if old == nil && len(d.relays) >= d.cfg.MaxRelays {
		d.prune(now)
		if len(d.relays) >= d.cfg.MaxRelays {
			return ErrFull
		}
	}
	return nil
}

func networksOf(desc *Descriptor) []netip.Prefix {
	var all []netip.Prefix
	for _, a := range desc.Addresses {
		if n := a.Network(); !slices.Contains(all, n) {
			all = append(all, n)
		}
	}
	return all
}

func (d *Directory) remove(e *entry) {
	if e == nil {
		return
	}
	e.dead = true
	delete(d.relays, e.ID)
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
	gone := false
	for _, e := range d.relays {
		if !e.Expires.After(now) {
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

// Changed returns a channel that is closed at the next change. Several changes
// may be one: it says that there is something new, not what.
func (d *Directory) Changed() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.changed
}

// Urgent returns a channel that is closed when a relay says that packets made
// for its last descriptor will not arrive: it leaves, or has other keys.
func (d *Directory) Urgent() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.urgent
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
	if d.snap != nil && now.Before(d.snap.until) {
		return d.snap
	}
	d.prune(now)
	s := &Snapshot{stamp: d.stamp, until: now.Add(MaxLifetime), private: d.cfg.AllowPrivate}
	all := make([]*Descriptor, len(d.order))
	for i, e := range d.order {
		all[i] = e.Descriptor
		if e.Expires.Before(s.until) {
			s.until = e.Expires
		}
	}
	s.digest(all)
	s.Relays = slices.DeleteFunc(all, (*Descriptor).Leaving)
	d.snap = s
	return s
}

// digest fills Digest and Sketch from descriptors in order.
func (s *Snapshot) digest(all []*Descriptor) {
	whole := sha256.New()
	var bucket []byte
	for i, desc := range all {
		bucket = append(bucket, desc.ID[:]...)
		bucket = binary.BigEndian.AppendUint64(bucket, desc.Sequence)
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
// they came, as many as fit into size bytes with two bytes of length each, the
// stamp of the last, and whether there are more.
func (d *Directory) since(after uint64, size int, wanted func(*Descriptor) bool) (raws [][]byte, last uint64, more bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.cfg.Now()
	last = after
	i := sort.Search(len(d.log), func(i int) bool { return d.log[i].stamp > after })
	for _, e := range d.log[i:] {
		if e.dead || !e.Expires.After(now) || !wanted(e.Descriptor) {
			continue
		}
		if size -= 2 + len(e.raw); size < 0 {
			return raws, last, true
		}
		raws = append(raws, e.raw)
		last = e.stamp
	}
	return raws, d.stamp, false
}
