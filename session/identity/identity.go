// Package identity holds the long-term keys of one side of one session.
//
// An identity is two keys, because the analysis of PQXDH assumes that one key
// does not both sign and agree: Ed25519 signs prekeys, X25519 takes part in
// the handshake. The first signs the second, so that nobody can pair someone
// else's signing key with a DH key of their own. A fresh identity is made for
// every contact; two contacts cannot compare notes.
//
// Public identity, 130 bytes:
//
//	EncodeEd(signing key)  33
//	EncodeEC(DH key)       33
//	signature              64  by the signing key over SignDH ‖ EncodeEC(DH key)
//
// Private identity, 64 bytes: Ed25519 seed 32 ‖ X25519 scalar 32.
package identity

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/subtle"
	"errors"

	"starling/session/internal/kdf"
	"starling/session/internal/key"
	"starling/session/internal/secret"
)

// Sizes in bytes.
const (
	PublicSize  = key.SizeEd + key.SizeEC + ed25519.SignatureSize
	PrivateSize = ed25519.SeedSize + 32
)

// ErrInvalid is returned for every public identity that is refused.
var ErrInvalid = errors.New("invalid identity")

// Public is the identity of a peer.
type Public struct {
	Sign [ed25519.PublicKeySize]byte
	DH   key.Public
	// Sig proves that the holder of Sign named DH.
	Sig [ed25519.SignatureSize]byte
}

// Private is an identity of our own.
type Private struct {
	secret.Hidden

	sign   ed25519.PrivateKey
	dh     key.Private
	public Public
}

// New makes a fresh identity.
func New() *Private {
	_, sign, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic("identity: " + err.Error()) // the system's randomness never fails
	}
	return assemble(sign, key.Generate())
}

// ParsePrivate reads the encoding of Bytes.
func ParsePrivate(b []byte) (*Private, error) {
	if len(b) != PrivateSize {
		return nil, ErrInvalid
	}
	dh, err := key.ParsePrivate(b[ed25519.SeedSize:])
	if err != nil {
		return nil, ErrInvalid
	}
	return assemble(ed25519.NewKeyFromSeed(b[:ed25519.SeedSize]), dh), nil
}

func assemble(sign ed25519.PrivateKey, dh key.Private) *Private {
	p := &Private{sign: sign, dh: dh}
	copy(p.public.Sign[:], sign.Public().(ed25519.PublicKey))
	p.public.DH = dh.Public()
	p.public.Sig = p.SignKey(kdf.SignDH, p.public.DH.AppendEC(nil))
	return p
}

// Public returns the public half.
func (p *Private) Public() Public { return p.public }

// Agree is X25519 with the DH key.
func (p *Private) Agree(peer key.Public) ([32]byte, error) { return p.dh.Agree(peer) }

// SignKey signs an encoded key for the role that label names.
func (p *Private) SignKey(label kdf.Label, encoded []byte) (sig [ed25519.SignatureSize]byte) {
	copy(sig[:], ed25519.Sign(p.sign, append([]byte(label), encoded...)))
	return sig
}

// Bytes returns the private identity, 64 bytes.
func (p *Private) Bytes() []byte { return append(p.sign.Seed(), p.dh.Bytes()...) }

// Parse reads a public identity and checks its signature.
func Parse(b []byte) (Public, error) {
	if len(b) != PublicSize || b[0] != key.TypeEd25519 {
		return Public{}, ErrInvalid
	}
	var p Public
	copy(p.Sign[:], b[1:key.SizeEd])
	dh, err := key.DecodeEC(b[key.SizeEd : key.SizeEd+key.SizeEC])
	if err != nil {
		return Public{}, ErrInvalid
	}
	p.DH = dh
	copy(p.Sig[:], b[key.SizeEd+key.SizeEC:])
	if !p.VerifyKey(kdf.SignDH, dh.AppendEC(nil), p.Sig[:]) {
		return Public{}, ErrInvalid
	}
	return p, nil
}

// Append appends the 130 bytes of the identity.
func (p Public) Append(b []byte) []byte {
	b = p.AppendEd(b)
	b = p.DH.AppendEC(b)
	return append(b, p.Sig[:]...)
}

// AppendEd appends EncodeEd of the signing key.
func (p Public) AppendEd(b []byte) []byte {
	return append(append(b, key.TypeEd25519), p.Sign[:]...)
}

// VerifyKey checks a signature of SignKey.
func (p Public) VerifyKey(label kdf.Label, encoded, sig []byte) bool {
	return ed25519.Verify(p.Sign[:], append([]byte(label), encoded...), sig)
}

// Shares reports whether p and q have a key in common. Two sides of a session
// never do.
func (p Public) Shares(q Public) bool {
	return subtle.ConstantTimeCompare(p.Sign[:], q.Sign[:])|subtle.ConstantTimeCompare(p.DH[:], q.DH[:]) == 1
}
