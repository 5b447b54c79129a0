package chain

import (
	"encoding/binary"
	"errors"
	"math"
)

// A stored State, integers big-endian; E is the latest epoch:
//
//	32  RK
//	4   E
//	4   epoch of the latest message sent, E or E-1
//	4   its number
//	4   length of the sending chain before
//	36  sending chain of E:    number of its last message (4) ‖ CK
//	36  receiving chain of E
//	36  sending chain of E-1,  present if that is still the one in use
//	36  receiving chain of E-1, present while nothing has come on that of E
//	2   keys put aside, 0 … 2,000; each:
//	    epoch (4) ‖ number (4) ‖ key (32), in ascending order of the first two
//
// The presence of a field follows from the fields before it, so there is one encoding
// of a state. A receiving chain of E-2 is closed by the time there is an E: the
// messages that agreed on E came on the chain of E-1.
const (
	fixedSize = KeySize + 4*4 + 2*linkSize + 2
	linkSize  = 4 + KeySize
	asideSize = 8 + KeySize

	// MaxSize bounds a stored State, in bytes.
	MaxSize = fixedSize + 2*linkSize + MaxSkipped*asideSize
)

// ErrState is returned for bytes that are not a stored State.
var ErrState = errors.New("chain: not a stored state")

// AppendBinary appends the stored form of s to b. It never fails. It is for
// states that were given to Receive and not to ReceiveUnsealed.
func (s *State) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, s.root[:]...)
	b = binary.BigEndian.AppendUint32(b, uint32(s.epoch))
	b = binary.BigEndian.AppendUint32(b, uint32(s.sending))
	b = binary.BigEndian.AppendUint32(b, s.sent)
	b = binary.BigEndian.AppendUint32(b, s.previous)

	// Chains that can be told from the rest are left out, and are found again by the same conditions.
	latest := s.at(s.epoch)
	b = latest.send.append(b)
	b = latest.receive.append(b)

	// The epoch before has only the chains that are still in use.
	if old := s.at(s.epoch - 1); s.epoch > 0 {
		if s.sending != s.epoch {
			b = old.send.append(b)
		}
		if latest.receive.n == 0 {
			b = old.receive.append(b)
		}
	}

	b = binary.BigEndian.AppendUint16(b, uint16(len(s.aside)))
	for i := range s.aside {
		b = binary.BigEndian.AppendUint32(b, uint32(s.aside[i].epoch))
		b = binary.BigEndian.AppendUint32(b, s.aside[i].n)
		b = append(b, s.aside[i].key[:]...)
	}
	return b, nil
}

func (l *link) append(b []byte) []byte {
	return append(binary.BigEndian.AppendUint32(b, l.n), l.key[:]...)
}

// Unmarshal reads a stored State from the beginning of data and returns the rest.
func Unmarshal(labels *Labels, initiator bool, data []byte) (State, []byte, error) {
	if len(data) < fixedSize {
		return State{}, nil, ErrState
	}
	s := State{labels: labels, initiator: initiator, root: Key(data[:KeySize])}

	data = data[KeySize:]
	s.epoch = uint64(binary.BigEndian.Uint32(data))
	s.sending = uint64(binary.BigEndian.Uint32(data[4:]))
	s.sent = binary.BigEndian.Uint32(data[8:])
	s.previous = binary.BigEndian.Uint32(data[12:])
	data = data[16:]
	// Numbers that a run of ours never has are refused, since later ones are counted from them.
	if s.epoch == math.MaxUint32 || s.sending != s.epoch && s.sending+1 != s.epoch ||
		s.previous > MaxNumber || s.sending == 0 && s.previous != 0 {
		return State{}, nil, ErrState
	}

	// The conditions are those of AppendBinary.
	ok := true
	latest := s.at(s.epoch)
	data = latest.send.parse(data, &ok)
	data = latest.receive.parse(data, &ok)
	using := &latest.send
	if s.epoch > 0 {
		old := s.at(s.epoch - 1)
		if s.sending != s.epoch {
			using = &old.send
			ok = ok && latest.send.n == 0
			data = old.send.parse(data, &ok)
		}
		if latest.receive.n == 0 {
			data = old.receive.parse(data, &ok)
		}
	}
	if !ok || using.n != s.sent || len(data) < 2 {
		return State{}, nil, ErrState
	}

	count := int(binary.BigEndian.Uint16(data))
	data = data[2:]
	if count > MaxSkipped || len(data) < count*asideSize {
		return State{}, nil, ErrState
	}

	s.aside = make([]asideKey, count)
	for i := range s.aside {
		k := asideKey{uint64(binary.BigEndian.Uint32(data)), binary.BigEndian.Uint32(data[4:]), Key(data[8:asideSize])}
		data = data[asideSize:]
		// In order and each only once: a key that is there twice could open twice.
		if i > 0 && !s.aside[i-1].before(&k) || !s.possible(&k) {
			return State{}, nil, ErrState
		}
		s.aside[i] = k
	}
	return s, data, nil
}

func (l *link) parse(data []byte, ok *bool) []byte {
	if len(data) < linkSize {
		return nil // and so nothing is left for the fields that must follow
	}
	*l = link{true, binary.BigEndian.Uint32(data), Key(data[4:linkSize])}
	if l.n > MaxNumber {
		*ok = false
	}
	return data[linkSize:]
}

func (k *asideKey) before(other *asideKey) bool {
	return k.epoch < other.epoch || k.epoch == other.epoch && k.n < other.n
}

// possible reports whether the message of k can be missing: it is not too old,
// and its chain has moved past it.
func (s *State) possible(k *asideKey) bool {
	if k.n == 0 || k.n > MaxNumber || k.epoch > s.epoch || k.epoch+MaxAge <= s.epoch {
		return false
	}
	c := s.at(k.epoch)
	return c == nil || !c.receive.live || k.n < c.receive.n
}
