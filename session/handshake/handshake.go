// Package handshake is PQXDH revision 3 with X25519, ML-KEM-1024 and SHA-256:
// the invitee is its Alice, the inviter its Bob, and every prekey is used once.
//
// Initial message (Hello), 1,732 bytes:
//
//	identity of the initiator  130
//	EncodeEC(EK)                33
//	ciphertext               1,569
//
// Key:
//
//	DH1 = X25519(IKA, SPKB)   DH2 = X25519(EKA, IKB)
//	DH3 = X25519(EKA, SPKB)   DH4 = X25519(EKA, OPKB)
//	SK  = HKDF(salt 32 × 0x00, 32 × 0xff ‖ DH1 ‖ DH2 ‖ DH3 ‖ DH4 ‖ SS, PQXDH)
//
// SK is only ever the input of the Split derivations, one per purpose; see
// [Secrets].
//
// Associated data (PQXDH sections 3.3, 4.10, 4.12), 1,718 bytes, of which the
// session keeps the SHA-256:
//
//	EncodeEC(IKA) ‖ EncodeEC(IKB) ‖ EncodeEd(A) ‖ EncodeEd(B) ‖
//	EncodeKEM(PQPKB) ‖ suite 1 ‖ invite id 16
//
// The caller deletes the private prekeys after the first message that
// authenticates, and not before: a Hello that Respond accepts proves nothing
// yet, because implicit rejection of ML-KEM gives a key to any ciphertext.
package handshake

import (
	"crypto/mlkem"
	"errors"

	"starling/session/identity"
	"starling/session/internal/cbchmac"
	"starling/session/internal/kdf"
	"starling/session/internal/key"
	"starling/session/internal/secret"
	"starling/session/prekey"
)

// Suite names the algorithms; it is part of the associated data.
const Suite = 1

// InviteIDSize is the length of an invite id in bytes.
const InviteIDSize = 16

// HelloSize is the length of an initial message in bytes.
const HelloSize = identity.PublicSize + key.SizeEC + key.SizeCiphertext

// ErrInvalid is returned for everything that is refused.
var ErrInvalid = errors.New("invalid handshake")

// Hello is the initial message.
type Hello struct {
	Identity   identity.Public
	Ephemeral  key.Public
	Ciphertext [mlkem.CiphertextSize1024]byte
}

// Secrets are the secrets of both sides after the handshake. A is the initiator, B the
// responder.
type Secrets struct {
	secret.Hidden

	AD       [kdf.Size]byte // hash of the associated data
	EC       [kdf.Size]byte // root key of the Double Ratchet
	PQ       [kdf.Size]byte // secret of the post-quantum ratchet
	HeaderA  [cbchmac.KeySize]byte
	HeaderB  [cbchmac.KeySize]byte
	TagsA    [kdf.Size]byte // tag chain of A's cells
	TagsB    [kdf.Size]byte
	Exporter [kdf.Size]byte
}

// Initiate runs Alice's side against a bundle with checked signatures.
func Initiate(self *identity.Private, bundle *prekey.Bundle, invite [InviteIDSize]byte) (*Hello, *Secrets, error) {
	if bundle.Identity.Shares(self.Public()) {
		return nil, nil, ErrInvalid
	}
	ephemeral := key.Generate()
	dh1, err1 := self.Agree(bundle.Signed)
	dh2, err2 := ephemeral.Agree(bundle.Identity.DH)
	dh3, err3 := ephemeral.Agree(bundle.Signed)
	dh4, err4 := ephemeral.Agree(bundle.OneTime)
	if errors.Join(err1, err2, err3, err4) != nil {
		return nil, nil, ErrInvalid
	}
	ss, ciphertext := bundle.KEM.Encapsulate()
	h := &Hello{Identity: self.Public(), Ephemeral: ephemeral.Public()}
	copy(h.Ciphertext[:], ciphertext)
	ad := associatedData(h.Identity, bundle.Identity, bundle.AppendKEM(nil), invite)
	return h, split(ad, &dh1, &dh2, &dh3, &dh4, ss), nil
}

// Respond runs Bob's side. Any ciphertext gives some secrets; only the first message
// shows whether they are the initiator's.
func Respond(self *prekey.Private, h *Hello, invite [InviteIDSize]byte) (*Secrets, error) {
	own := self.Identity.Public()
	if h.Identity.Shares(own) {
		return nil, ErrInvalid
	}
	dh1, err1 := self.Signed.Agree(h.Identity.DH)
	dh2, err2 := self.Identity.Agree(h.Ephemeral)
	dh3, err3 := self.Signed.Agree(h.Ephemeral)
	dh4, err4 := self.OneTime.Agree(h.Ephemeral)
	if errors.Join(err1, err2, err3, err4) != nil {
		return nil, ErrInvalid
	}
	ss, err := self.KEM.Decapsulate(h.Ciphertext[:])
	if err != nil {
		return nil, ErrInvalid
	}
	kem := append([]byte{key.TypeKEM}, self.KEM.EncapsulationKey().Bytes()...)
	return split(associatedData(h.Identity, own, kem, invite), &dh1, &dh2, &dh3, &dh4, ss), nil
}

func associatedData(a, b identity.Public, kem []byte, invite [InviteIDSize]byte) [kdf.Size]byte {
	ad := a.DH.AppendEC(nil)
	ad = b.DH.AppendEC(ad)
	ad = a.AppendEd(ad)
	ad = b.AppendEd(ad)
	ad = append(ad, kem...)
	ad = append(ad, Suite)
	ad = append(ad, invite[:]...)
	return kdf.Hash(kdf.AssociatedData, ad)
}

// split derives SK and everything from it, and erases the inputs of SK.
func split(ad [kdf.Size]byte, dh1, dh2, dh3, dh4 *[32]byte, ss []byte) *Secrets {
	ikm := make([]byte, 32, 6*32)
	for i := range ikm {
		// 32 bytes of 0xff in front, as in X3DH: the input begins with no encoding of a point.
		ikm[i] = 0xff
	}
	for _, dh := range []*[32]byte{dh1, dh2, dh3, dh4} {
		ikm = append(ikm, dh[:]...)
		clear(dh[:])
	}
	ikm = append(ikm, ss...)
	clear(ss)
	var sk [kdf.Size]byte
	kdf.Derive(kdf.PQXDH, nil, ikm, sk[:])
	clear(ikm)

	// A label for each use: no two parts of the session share a key.
	s := &Secrets{AD: ad}
	kdf.Derive(kdf.SplitEC, nil, sk[:], s.EC[:])
	kdf.Derive(kdf.SplitPQ, nil, sk[:], s.PQ[:])
	kdf.Derive(kdf.SplitHeaderA, nil, sk[:], s.HeaderA[:])
	kdf.Derive(kdf.SplitHeaderB, nil, sk[:], s.HeaderB[:])
	kdf.Derive(kdf.SplitTagsA, nil, sk[:], s.TagsA[:])
	kdf.Derive(kdf.SplitTagsB, nil, sk[:], s.TagsB[:])
	kdf.Derive(kdf.SplitExporter, nil, sk[:], s.Exporter[:])
	clear(sk[:])
	return s
}

// Append appends the 1,732 bytes of the initial message.
func (h *Hello) Append(b []byte) []byte {
	b = h.Identity.Append(b)
	b = h.Ephemeral.AppendEC(b)
	b = append(b, key.TypeCiphertext)
	return append(b, h.Ciphertext[:]...)
}

// ParseHello reads an initial message and checks the identity in it.
func ParseHello(b []byte) (*Hello, error) {
	if len(b) != HelloSize {
		return nil, ErrInvalid
	}
	id, err := identity.Parse(b[:identity.PublicSize])
	if err != nil {
		return nil, ErrInvalid
	}
	b = b[identity.PublicSize:]
	ephemeral, err := key.DecodeEC(b[:key.SizeEC])
	if err != nil {
		return nil, ErrInvalid
	}
	b = b[key.SizeEC:]
	if b[0] != key.TypeCiphertext {
		return nil, ErrInvalid
	}
	return &Hello{Identity: id, Ephemeral: ephemeral, Ciphertext: [mlkem.CiphertextSize1024]byte(b[1:])}, nil
}
