package session

import (
	"crypto/ed25519"
	"errors"
	"testing"

	"starling/session/handshake"
	"starling/session/identity"
	"starling/session/internal/kdf"
	"starling/session/internal/key"
	"starling/session/internal/key/keytest"
	"starling/session/invite"
	"starling/session/prekey"
)

// TestBadKeysAtEveryDoor: each point of low order and each encoding that is not
// canonical is refused where it is read, before anything is computed with it: in each
// place of a bundle, signed by its owner, of a hello that parses, and of one in an
// invite's cells. session/ratchet TestLowOrderRatchetKey does the same with headers.
func TestBadKeysAtEveryDoor(t *testing.T) {
	v := newInvite(t)
	owner := prekey.New()
	for _, u := range keytest.Bad() {
		for name, edit := range map[string]func(b []byte){
			"identity": func(b []byte) { resign(owner, b, kdf.SignDH, key.SizeEd, u) },
			"signed":   func(b []byte) { resign(owner, b, kdf.SignSigned, signedAt, u) },
			"one-time": func(b []byte) { resign(owner, b, kdf.SignOneTime, signedAt+key.SizeEC+ed25519.SignatureSize, u) },
		} {
			b := owner.Bundle().Append(nil)
			edit(b)
			if _, err := prekey.Parse(b); !errors.Is(err, prekey.ErrInvalid) {
				t.Errorf("bundle, %s %x: %v", name, u, err)
			}
		}

		for name, edit := range map[string]func(h *handshake.Hello){
			"identity":  func(h *handshake.Hello) { h.Identity.DH = u },
			"ephemeral": func(h *handshake.Hello) { h.Ephemeral = u },
		} {
			cells := craft(t, v, func(h *handshake.Hello, _ *Cell, _ *[invite.HelloSize]byte) {
				edit(h)
				if _, err := handshake.ParseHello(h.Append(nil)); !errors.Is(err, handshake.ErrInvalid) {
					t.Errorf("hello, %s %x: %v", name, u, err)
				}
			})
			refuseHello(t, restoreInvite(t, v), cells, ErrRefused)
		}
	}

	// The same bundle with a key of another, signed in the same way, is read.
	b := owner.Bundle().Append(nil)
	other := key.Generate().Public()
	resign(owner, b, kdf.SignSigned, signedAt, other)
	if parsed, err := prekey.Parse(b); err != nil || parsed.Signed != other {
		t.Errorf("another key: %v", err)
	}
}

// signedAt is where the signed prekey of a bundle begins.
const signedAt = identity.PublicSize

// resign puts a key into a bundle, signed by its owner.
func resign(owner *prekey.Private, b []byte, label kdf.Label, at int, u key.Public) {
	encoded := u.AppendEC(nil)
	sig := owner.Identity.SignKey(label, encoded)
	copy(b[at:], encoded)
	copy(b[at+len(encoded):], sig[:])
}
