package ratchet

import (
	"crypto/subtle"

	"starling/session/internal/cbchmac"
	"starling/session/internal/doubleratchet"
	"starling/session/internal/kdf"
)

// MaxPast is how many header keys of earlier sending chains are kept, for Twin.
const MaxPast = 8

// Twin reports whether found was sealed by another copy of this state, or one of
// its past, at the place at which this state sealed own. A stranger, such as a mailbox,
// cannot make that up of any of our messages.
//
// The evidence is the header. The other copy has sealed it as the same number of the
// same chain or, after a DH step, as the first of the next chain. No message of
// ours but own has the one, and none at all the other.
func (s *State) Twin(own, found []byte) bool {
	if !s.ec.CanSend || len(own) < HeaderSize || len(found) != len(own) {
		return false
	}

	own, found = own[:HeaderSize], found[:HeaderSize]
	if subtle.ConstantTimeCompare(own, found) == 1 {
		return false // our own header, before any body
	}

	// From the newest chain back. The key after belongs to the chain that follows.
	hk, after := &s.ec.HKs, &s.ec.NHKs
	for i := 0; ; i++ {
		if ours, ok := openHeader(hk, own); ok {
			if theirs, ok := openHeader(hk, found); ok {
				return theirs.n == ours.n && theirs.dh == ours.dh
			}
			theirs, ok := openHeader(after, found)
			return ok && theirs.n == 0 && theirs.pn == ours.n
		}
		if i == len(s.past) {
			return false
		}
		hk, after = &s.past[i], hk
	}
}

// openHeader opens a sealed header with one key.
func openHeader(hk *doubleratchet.HeaderKey, sealed []byte) (h header, ok bool) {
	iv := (*[cbchmac.IVSize]byte)(sealed)
	var plain [headerPlain + 16]byte
	p, ok := cbchmac.Open(plain[:0], hk, iv, sealed[cbchmac.IVSize:], iv[:])
	if !ok {
		return h, false
	}
	return parseHeader(p)
}

// Proof is a secret of both sides that shows how far a state has come: it changes with
// each DH step, and the holder of an old state does not have it.
type Proof = [kdf.Size]byte

// SendingProof returns the proof of our sending chain.
func (s *State) SendingProof() (p Proof) { return proof(&s.ec.HKs) }

// ReceivingProofs returns the possible values of SendingProof at the peer: of the chain
// that we receive on, or of the next.
func (s *State) ReceivingProofs() [2]Proof {
	next := proof(&s.ec.NHKr)
	if !s.ec.CanReceive {
		return [2]Proof{next, next}
	}
	return [2]Proof{proof(&s.ec.HKr), next}
}

func proof(hk *doubleratchet.HeaderKey) (p Proof) {
	kdf.Derive(kdf.ResetProof, nil, hk[:], p[:])
	return p
}
