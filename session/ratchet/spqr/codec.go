package spqr

import (
	"starling/session/ratchet/spqr/braid"
	"starling/session/ratchet/spqr/chain"
)

const stateVersion = 2

// MaxStateSize bounds a stored state, in bytes.
const MaxStateSize = 2 + chain.MaxSize + braid.MaxSize

// MarshalBinary returns the stored form of s. It never fails.
func (s *State) MarshalBinary() ([]byte, error) { return s.AppendBinary(nil) }

// AppendBinary appends the stored form of s to b. It never fails.
func (s *State) AppendBinary(b []byte) ([]byte, error) {
	b = append(b, stateVersion, byte(s.role))
	b, _ = s.chain.AppendBinary(b)
	return s.braid.AppendBinary(b)
}

// Unmarshal reads the whole of data as a stored state. There is one encoding of
// a state, and nothing else is accepted.
func Unmarshal(data []byte) (*State, error) {
	if len(data) < 2 || len(data) > MaxStateSize || data[0] != stateVersion || data[1] > byte(Responder) {
		return nil, ErrState
	}
	s := &State{suite: &starling, role: Role(data[1])}
	var err error
	s.chain, data, err = chain.Unmarshal(&starling.Chain, s.role == Initiator, data[2:])
	if err != nil {
		return nil, ErrState
	}
	s.braid, err = braid.Unmarshal(&starling.Braid, data)
	if err != nil || s.braid.Agreed() != s.chain.Epoch() {
		return nil, ErrState
	}
	// The initiator is the key side in odd epochs.
	if s.braid.KeySide() != ((s.role == Initiator) == (s.braid.Epoch()%2 == 1)) {
		return nil, ErrState
	}
	return s, nil
}
