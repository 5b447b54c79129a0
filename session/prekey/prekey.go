// Package prekey holds the keys an inviter leaves for the first message:
// PQXDH's signed prekey, one-time prekey and one-time KEM prekey, under a fresh
// identity, each used for at most one handshake.
//
// Bundle, 1,957 bytes:
//
//	identity               130
//	EncodeEC(signed)        33
//	signature               64  over SignSigned ‖ EncodeEC(signed)
//	EncodeEC(one-time)      33
//	signature               64  over SignOneTime ‖ EncodeEC(one-time)
//	EncodeKEM(KEM)       1,569
//	signature               64  over SignKEM ‖ EncodeKEM(KEM)
//
// Private form, 192 bytes: identity 64 ‖ signed 32 ‖ one-time 32 ‖ ML-KEM seed 64.
package prekey

import (
	"crypto/ed25519"
	"crypto/mlkem"
	"errors"

	"starling/session/identity"
	"starling/session/internal/kdf"
	"starling/session/internal/key"
	"starling/session/internal/secret"
)

// Sizes in bytes.
const (
	BundleSize  = identity.PublicSize + 2*(key.SizeEC+ed25519.SignatureSize) + key.SizeKEM + ed25519.SignatureSize
	PrivateSize = identity.PrivateSize + 2*32 + mlkem.SeedSize
)

// ErrInvalid is returned for every bundle that is refused.
var ErrInvalid = errors.New("invalid prekey bundle")

// Bundle is the public half. One that Parse returned has all its signatures
// checked.
type Bundle struct {
	Identity identity.Public
	Signed   key.Public
	OneTime  key.Public
	KEM      *mlkem.EncapsulationKey1024

	signedSig, oneTimeSig, kemSig [ed25519.SignatureSize]byte
}

// Private is the secret half.
type Private struct {
	secret.Hidden

	Identity *identity.Private
	Signed   key.Private
	OneTime  key.Private
	KEM      *mlkem.DecapsulationKey1024
}

// New makes a fresh identity and fresh prekeys.
func New() *Private {
	kem, err := mlkem.GenerateKey1024()
	if err != nil {
		panic("prekey: " + err.Error()) // the system's randomness never fails
	}
	return &Private{Identity: identity.New(), Signed: key.Generate(), OneTime: key.Generate(), KEM: kem}
}

// Bundle returns the public half, signed.
func (p *Private) Bundle() *Bundle {
	b := &Bundle{
		Identity: p.Identity.Public(),
		Signed:   p.Signed.Public(),
		OneTime:  p.OneTime.Public(),
		KEM:      p.KEM.EncapsulationKey(),
	}
	b.signedSig = p.Identity.SignKey(kdf.SignSigned, b.Signed.AppendEC(nil))
	b.oneTimeSig = p.Identity.SignKey(kdf.SignOneTime, b.OneTime.AppendEC(nil))
	b.kemSig = p.Identity.SignKey(kdf.SignKEM, b.AppendKEM(nil))
	return b
}

// AppendKEM appends EncodeKEM of the KEM prekey.
func (b *Bundle) AppendKEM(dst []byte) []byte {
	return append(append(dst, key.TypeKEM), b.KEM.Bytes()...)
}

// Append appends the 1,957 bytes of the bundle.
func (b *Bundle) Append(dst []byte) []byte {
	dst = b.Identity.Append(dst)
	dst = append(b.Signed.AppendEC(dst), b.signedSig[:]...)
	dst = append(b.OneTime.AppendEC(dst), b.oneTimeSig[:]...)
	return append(b.AppendKEM(dst), b.kemSig[:]...)
}

// Parse reads a bundle and checks every key and signature in it.
func Parse(data []byte) (*Bundle, error) {
	if len(data) != BundleSize {
		return nil, ErrInvalid
	}
	id, err := identity.Parse(data[:identity.PublicSize])
	if err != nil {
		return nil, ErrInvalid
	}

	b := &Bundle{Identity: id}
	rest := data[identity.PublicSize:]

	// next cuts one encoded key and its signature off rest.
	next := func(label kdf.Label, size int, sig *[ed25519.SignatureSize]byte) (encoded []byte, ok bool) {
		encoded, rest = rest[:size], rest[size:]
		copy(sig[:], rest)
		rest = rest[len(sig):]
		return encoded, id.VerifyKey(label, encoded, sig[:])
	}

	signed, ok := next(kdf.SignSigned, key.SizeEC, &b.signedSig)
	if !ok {
		return nil, ErrInvalid
	}
	if b.Signed, err = key.DecodeEC(signed); err != nil {
		return nil, ErrInvalid
	}

	oneTime, ok := next(kdf.SignOneTime, key.SizeEC, &b.oneTimeSig)
	if !ok {
		return nil, ErrInvalid
	}
	if b.OneTime, err = key.DecodeEC(oneTime); err != nil {
		return nil, ErrInvalid
	}

	kem, ok := next(kdf.SignKEM, key.SizeKEM, &b.kemSig)
	if !ok || kem[0] != key.TypeKEM {
		return nil, ErrInvalid
	}
	if b.KEM, err = mlkem.NewEncapsulationKey1024(kem[1:]); err != nil {
		return nil, ErrInvalid
	}

	return b, nil
}

// Bytes returns the private form, 192 bytes.
func (p *Private) Bytes() []byte {
	b := append(p.Identity.Bytes(), p.Signed.Bytes()...)
	b = append(b, p.OneTime.Bytes()...)
	return append(b, p.KEM.Bytes()...)
}

// ParsePrivate reads the encoding of Bytes.
func ParsePrivate(b []byte) (*Private, error) {
	if len(b) != PrivateSize {
		return nil, ErrInvalid
	}
	id, err := identity.ParsePrivate(b[:identity.PrivateSize])
	if err != nil {
		return nil, ErrInvalid
	}
	b = b[identity.PrivateSize:]
	signed, err := key.ParsePrivate(b[:32])
	if err != nil {
		return nil, ErrInvalid
	}
	oneTime, err := key.ParsePrivate(b[32:64])
	if err != nil {
		return nil, ErrInvalid
	}
	kem, err := mlkem.NewDecapsulationKey1024(b[64:])
	if err != nil {
		return nil, ErrInvalid
	}
	return &Private{Identity: id, Signed: signed, OneTime: oneTime, KEM: kem}, nil
}
