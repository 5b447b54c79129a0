// Package recall is a node's memory of the network from one start to the next: a
// client's guards, pinned relays, results of trials at mailboxes, and known relays; a
// relay's is at Relay.
//
//	offset  size
//	0       1     version = 3
//	1       …     guards, see guard.Guards
//	…       1     number of pins
//	…       40·n  each: node id (32) ‖ until (8, Unix seconds)
//	…       …     trials of mailboxes, see watch.Record
//	…       2     length of
//	…       …     networks and what they do to connections, see censor.Memory
//	…       …     signed descriptors, each length (2) ‖ bytes, to the end
//
// Numbers are big endian. Keep it secret: it tells which relays this client talks to.
package recall

import (
	"bytes"
	"encoding/binary"
	"errors"
	"time"

	"starling/p2p/censor"
	"starling/p2p/directory"
	"starling/p2p/guard"
	"starling/p2p/mix"
	"starling/p2p/watch"
	"starling/p2p/wire"
)

const (
	version    = 3
	pinSize    = wire.NodeIDSize + 8
	lastSecond = 1 << 40 // times beyond do not compare as numbers do
)

// ErrDamaged means that bytes are not a state, ErrNewer that they are whole and of a
// later version of the program.
var (
	ErrDamaged = errors.New("recall: damaged state")
	ErrNewer   = errors.New("recall: state of a newer version")
)

// MaxDescriptors is how many relays are kept from one start to the next.
const MaxDescriptors = 512

// State is the memory of a client. Descriptors are as they were signed; Parse does not
// verify them.
type State struct {
	Guards      *guard.Guards
	Pins        []mix.Pin
	Trials      watch.Record
	Networks    []byte
	Descriptors [][]byte
}

// Append appends the encoding.
func (s *State) Append(b []byte) []byte {
	b = s.Guards.Append(append(b, version))
	b = append(b, byte(len(s.Pins)))
	for _, p := range s.Pins {
		b = append(b, p.ID[:]...)
		b = binary.BigEndian.AppendUint64(b, uint64(p.Until.Unix()))
	}
	b = s.Trials.Append(b)
	b = binary.BigEndian.AppendUint16(b, uint16(len(s.Networks)))
	b = append(b, s.Networks...)
	return AppendDescriptors(b, s.Descriptors)
}

// AppendDescriptors appends signed descriptors, each length (2) ‖ bytes.
func AppendDescriptors(b []byte, raws [][]byte) []byte {
	for _, raw := range raws {
		b = binary.BigEndian.AppendUint16(b, uint16(len(raw)))
		b = append(b, raw...)
	}
	return b
}

// ParseDescriptors reads descriptors to the end of b.
func ParseDescriptors(b []byte) (raws [][]byte, err error) {
	for len(b) > 0 {
		if len(b) < 2 {
			return nil, ErrDamaged
		}
		n := int(binary.BigEndian.Uint16(b))
		if b = b[2:]; n == 0 || n > directory.MaxDescriptor || n > len(b) {
			return nil, ErrDamaged
		}
		raws = append(raws, bytes.Clone(b[:n]))
		b = b[n:]
	}
	return raws, nil
}

// Parse reads exactly one state. Nothing in it points into b.
func Parse(b []byte, cfg guard.Config) (*State, error) {
	if len(b) == 0 || b[0] != version {
		return nil, ErrDamaged
	}
	guards := guard.New(cfg)
	b, err := guards.Cut(b[1:])
	if err != nil {
		return nil, ErrDamaged
	}

	// Counts are checked against the bytes before anything is made.
	if len(b) == 0 || len(b) < 1+int(b[0])*pinSize {
		return nil, ErrDamaged
	}
	s := &State{Guards: guards, Pins: make([]mix.Pin, b[0])}

	b = b[1:]
	for i := range s.Pins {
		until := binary.BigEndian.Uint64(b[wire.NodeIDSize:])
		if until > lastSecond {
			return nil, ErrDamaged
		}
		s.Pins[i] = mix.Pin{ID: wire.NodeID(b[:wire.NodeIDSize]), Until: time.Unix(int64(until), 0)}
		b = b[pinSize:]
	}

	if b, err = s.Trials.Cut(b); err != nil {
		return nil, ErrDamaged
	}
	if len(b) < 2 {
		return nil, ErrDamaged
	}
	n := int(binary.BigEndian.Uint16(b))
	// A length that is a lie would keep a file of any size in memory.
	if b = b[2:]; n > len(b) || n > censor.MaxSize {
		return nil, ErrDamaged
	}
	s.Networks, b = bytes.Clone(b[:n]), b[n:]
	if s.Descriptors, err = ParseDescriptors(b); err != nil {
		return nil, err
	}
	return s, nil
}
