package ratchet

import (
	"errors"

	"golang.org/x/crypto/cryptobyte"

	"starling/session/internal/doubleratchet"
	"starling/session/internal/key"
	"starling/session/ratchet/spqr"
)

// ErrState is returned for bytes that are not a marshalled state.
var ErrState = errors.New("invalid ratchet state")

// stateVersion is the first byte of a marshalled state. Layout, integers
// big-endian:
//
//	version 3 ‖ AD 32 ‖ flags 1 (1 can send, 2 can receive) ‖ RK 32 ‖
//	DHs 32 ‖ its public key 32 ‖ DHr 32 ‖ CKs 32 ‖ CKr 32 ‖ HKs 64 ‖ HKr 64 ‖ NHKs 64 ‖ NHKr 64 ‖
//	Ns 4 ‖ Nr 4 ‖ PN 4 ‖ steps 4 ‖
//	past header keys 1, each: 64 ‖
//	chains 2, each: header key 64 ‖ step 4 ‖ keys 2, each: n 4 ‖ key 32;
//	the rest: state of the post-quantum ratchet
const stateVersion = 3

// MarshalBinary returns the state. It holds every key of the conversation.
func (s *State) MarshalBinary() ([]byte, error) {
	b := cryptobyte.NewBuilder(make([]byte, 0, 640))
	b.AddUint8(stateVersion)
	b.AddBytes(s.ad[:])

	var flags byte
	if s.ec.CanSend {
		flags |= 1
	}
	if s.ec.CanReceive {
		flags |= 2
	}
	b.AddUint8(flags)

	b.AddBytes(s.ec.RK[:])
	b.AddBytes(s.ec.DHs.Bytes())
	// With its public half: a start with a thousand sessions would derive all of them.
	public := s.ec.DHs.Public()
	b.AddBytes(public[:])
	b.AddBytes(s.ec.DHr[:])
	b.AddBytes(s.ec.CKs[:])
	b.AddBytes(s.ec.CKr[:])
	for _, hk := range []*doubleratchet.HeaderKey{&s.ec.HKs, &s.ec.HKr, &s.ec.NHKs, &s.ec.NHKr} {
		b.AddBytes(hk[:])
	}
	for _, n := range []uint32{s.ec.Ns, s.ec.Nr, s.ec.PN, s.ec.Steps} {
		b.AddUint32(n)
	}

	b.AddUint8(uint8(len(s.past)))
	for i := range s.past {
		b.AddBytes(s.past[i][:])
	}

	b.AddUint16(uint16(len(s.skipped.chains)))
	for i := range s.skipped.chains {
		c := &s.skipped.chains[i]
		b.AddBytes(c.hk[:])
		b.AddUint32(c.step)
		b.AddUint16(uint16(len(c.keys)))
		for j := range c.keys {
			b.AddUint32(c.keys[j].N)
			b.AddBytes(c.keys[j].MK[:])
		}
	}

	// It has no length before it, and goes to the end.
	return s.pq.AppendBinary(b.BytesOrPanic())
}

// Unmarshal reads the encoding of MarshalBinary.
func Unmarshal(data []byte) (*State, error) {
	in := cryptobyte.String(data)
	s := new(State)
	var version, flags uint8
	var dhs [32]byte
	var public key.Public
	ok := in.ReadUint8(&version) && version == stateVersion &&
		in.CopyBytes(s.ad[:]) && in.ReadUint8(&flags) && flags <= 3 &&
		in.CopyBytes(s.ec.RK[:]) && in.CopyBytes(dhs[:]) && in.CopyBytes(public[:]) && in.CopyBytes(s.ec.DHr[:]) &&
		in.CopyBytes(s.ec.CKs[:]) && in.CopyBytes(s.ec.CKr[:]) &&
		in.CopyBytes(s.ec.HKs[:]) && in.CopyBytes(s.ec.HKr[:]) &&
		in.CopyBytes(s.ec.NHKs[:]) && in.CopyBytes(s.ec.NHKr[:]) &&
		in.ReadUint32(&s.ec.Ns) && in.ReadUint32(&s.ec.Nr) && in.ReadUint32(&s.ec.PN) && in.ReadUint32(&s.ec.Steps)
	if !ok {
		return nil, ErrState
	}

	// Chain keys are there in any case, zero where the flag is not set: the size does not tell.
	s.ec.CanSend, s.ec.CanReceive = flags&1 != 0, flags&2 != 0
	s.ec.DHs = key.Restore(dhs, public)
	if _, err := key.ParsePublic(s.ec.DHr[:]); err != nil && s.ec.DHr != (key.Public{}) {
		return nil, ErrState // zero: the peer has not said one yet
	}

	var past uint8
	if !in.ReadUint8(&past) || past > MaxPast {
		return nil, ErrState
	}
	s.past = make([]doubleratchet.HeaderKey, past)
	for i := range s.past {
		if !in.CopyBytes(s.past[i][:]) {
			return nil, ErrState
		}
	}

	// Checked like a peer's bytes: a state that breaks a limit would go on breaking it.
	if !s.skipped.read(&in, s.ec.Steps) {
		return nil, ErrState
	}
	var err error
	if s.pq, err = spqr.Unmarshal(in); err != nil {
		return nil, ErrState
	}
	return s, nil
}

// read reads the skipped keys and checks the conditions of the rest of the package:
// chains and keys in order, no empty chain, no limit passed.
func (s *skipped) read(in *cryptobyte.String, steps uint32) bool {
	var chains uint16
	if !in.ReadUint16(&chains) {
		return false
	}

	for i := range int(chains) {
		var c skippedChain
		var keys uint16
		if !in.CopyBytes(c.hk[:]) || !in.ReadUint32(&c.step) || !in.ReadUint16(&keys) {
			return false
		}

		s.total += int(keys)
		// In order and without empty ones: the rest of the package goes by that.
		if c.step > steps || steps-c.step > MaxOldChains || i > 0 && c.step <= s.chains[i-1].step ||
			keys == 0 || s.total > MaxSkipped {
			return false
		}

		c.keys = make([]doubleratchet.Skipped, keys)
		for j := range c.keys {
			k := &c.keys[j]
			if !in.ReadUint32(&k.N) || !in.CopyBytes(k.MK[:]) || k.N == doubleratchet.MaxCounter || j > 0 && k.N <= c.keys[j-1].N {
				return false
			}
		}
		s.chains = append(s.chains, c)
	}

	return true
}
