package ratchet

import (
	"errors"

	"golang.org/x/crypto/cryptobyte"

	"starling/session/internal/kdf"
	"starling/session/internal/key"
	"starling/session/ratchet/spqr"
)

// ErrState is returned for bytes that are not a marshalled state.
var ErrState = errors.New("invalid ratchet state")

// stateVersion is the first byte of a marshalled state. Layout, integers
// big-endian:
//
//	version 1 ‖ AD 32 ‖ flags 1 (1 can send, 2 can receive) ‖ RK 32 ‖
//	DHs 32 ‖ its public key 32 ‖ DHr 32 ‖ CKs 32 ‖ CKr 32 ‖ HKs 64 ‖ HKr 64 ‖ NHKs 64 ‖ NHKr 64 ‖
//	Ns 4 ‖ Nr 4 ‖ PN 4 ‖ steps 4 ‖
//	chains 2, each: header key 64 ‖ step 4 ‖ keys 2, each: n 4 ‖ key 32;
//	the rest: state of the post-quantum ratchet
const stateVersion = 1

// MarshalBinary returns the state. It holds every key of the conversation.
func (s *State) MarshalBinary() ([]byte, error) {
	b := cryptobyte.NewBuilder(make([]byte, 0, 640))
	b.AddUint8(stateVersion)
	b.AddBytes(s.ad[:])
	var flags byte
	if s.canSend {
		flags |= 1
	}
	if s.canReceive {
		flags |= 2
	}
	b.AddUint8(flags)
	b.AddBytes(s.rk[:])
	b.AddBytes(s.dhs.Bytes())
	public := s.dhs.Public()
	b.AddBytes(public[:])
	b.AddBytes(s.dhr[:])
	b.AddBytes(s.cks[:])
	b.AddBytes(s.ckr[:])
	for _, hk := range []*headerKey{&s.hks, &s.hkr, &s.nhks, &s.nhkr} {
		b.AddBytes(hk[:])
	}
	for _, n := range []uint32{s.ns, s.nr, s.pn, s.steps} {
		b.AddUint32(n)
	}
	b.AddUint16(uint16(len(s.skipped.chains)))
	for i := range s.skipped.chains {
		c := &s.skipped.chains[i]
		b.AddBytes(c.hk[:])
		b.AddUint32(c.step)
		b.AddUint16(uint16(len(c.keys)))
		for j := range c.keys {
			b.AddUint32(c.keys[j].n)
			b.AddBytes(c.keys[j].mk[:])
		}
	}
	out, err := b.Bytes()
	if err != nil {
		return nil, err
	}
	return s.pq.AppendBinary(out)
}

// Unmarshal reads what MarshalBinary returned.
func Unmarshal(data []byte) (*State, error) {
	in := cryptobyte.String(data)
	s := new(State)
	var version, flags uint8
	var dhs [32]byte
	var public key.Public
	ok := in.ReadUint8(&version) && version == stateVersion &&
		in.CopyBytes(s.ad[:]) && in.ReadUint8(&flags) && flags <= 3 &&
		in.CopyBytes(s.rk[:]) && in.CopyBytes(dhs[:]) && in.CopyBytes(public[:]) && in.CopyBytes(s.dhr[:]) &&
		in.CopyBytes(s.cks[:]) && in.CopyBytes(s.ckr[:]) &&
		in.CopyBytes(s.hks[:]) && in.CopyBytes(s.hkr[:]) &&
		in.CopyBytes(s.nhks[:]) && in.CopyBytes(s.nhkr[:]) &&
		in.ReadUint32(&s.ns) && in.ReadUint32(&s.nr) && in.ReadUint32(&s.pn) && in.ReadUint32(&s.steps)
	if !ok {
		return nil, ErrState
	}
	s.canSend, s.canReceive = flags&1 != 0, flags&2 != 0
	s.dhs = key.Restore(dhs, public)
	if _, err := key.ParsePublic(s.dhr[:]); err != nil {
		return nil, ErrState
	}
	if !s.skipped.read(&in, s.steps) {
		return nil, ErrState
	}
	var err error
	if s.pq, err = spqr.Unmarshal(in); err != nil {
		return nil, ErrState
	}
	return s, nil
}

// read reads the skipped keys and checks what the rest of the package relies
// on: chains and keys in order, no empty chain, no limit passed.
func (s *skipped) read(in *cryptobyte.String, steps uint32) bool {
	var chains uint16
	if !in.ReadUint16(&chains) || chains > MaxOldChains+1 {
		return false
	}
	for i := range int(chains) {
		var c skippedChain
		var keys uint16
		if !in.CopyBytes(c.hk[:]) || !in.ReadUint32(&c.step) || !in.ReadUint16(&keys) {
			return false
		}
		s.total += int(keys)
		if c.step > steps || steps-c.step > MaxOldChains || i > 0 && c.step <= s.chains[i-1].step ||
			keys == 0 || s.total > MaxSkipped || len(*in) < int(keys)*(4+kdf.Size) {
			return false
		}
		c.keys = make([]skippedKey, keys)
		for j := range c.keys {
			k := &c.keys[j]
			if !in.ReadUint32(&k.n) || !in.CopyBytes(k.mk[:]) || k.n == maxCounter || j > 0 && k.n <= c.keys[j-1].n {
				return false
			}
		}
		s.chains = append(s.chains, c)
	}
	return true
}
