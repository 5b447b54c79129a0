package session

import (
	"starling/session/internal/kdf"
	"starling/session/internal/linktext"
)

// VerificationPrefix begins every verification code.
const VerificationPrefix = "starling-verify:"

// VerificationCode returns the text of a QR code by which two people compare their
// session: the prefix, then 52 characters of base32 (RFC 4648, lower case, no
// padding) of
//
//	HKDF(associated data, VerifyCode)  32 bytes
//
// The associated data of the handshake holds both identities, so the code is the
// same on both sides, inviter and invitee, and nowhere else. Case does not matter,
// so that a QR code can use its alphanumeric mode. It is no secret.
func (s *Session) VerificationCode() string {
	var b [32]byte
	kdf.Derive(kdf.VerifyCode, nil, s.ad[:], b[:])
	return linktext.Encode(VerificationPrefix, b[:])
}
