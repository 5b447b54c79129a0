package braid

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"

	"starling/session/internal/kdf"
)

// Suite holds the choices that the specification leaves to the implementer. It is a
// parameter for the sake of differential tests: Starling uses one.
type Suite struct {
	// Info is PROTOCOL_INFO: protocol, KEM and MAC, joined by "_".
	Info string

	// RootAsInput gives KDF_AUTH a zero salt and root_key ‖ update_key as input
	// key material, where section 2.2 has root_key as salt and update_key as
	// input: the one known program that deviates is the one worth comparing with.
	RootAsInput bool
}

// The labels of sections 2.2 and 2.4, each appended to Suite.Info.
const (
	labelAuth       = ":Authenticator Update"
	labelKey        = ":SCKA Key"
	labelHeader     = ":ekheader"
	labelCiphertext = ":ciphertext"
)

const (
	keySize = 32
	macSize = sha256.Size
)

// authenticator is the Ratcheted Authenticator of section 2.4.
type authenticator struct {
	root, mac [keySize]byte
}

// update mixes the key of epoch into a.
func (a *authenticator) update(suite *Suite, epoch uint64, key *[keySize]byte) {
	info := suite.info(labelAuth, epoch)
	if suite.RootAsInput {
		kdf.HKDF(info, nil, append(a.root[:keySize:keySize], key[:]...), a.root[:], a.mac[:])
	} else {
		root := a.root
		kdf.HKDF(info, root[:], key[:], a.root[:], a.mac[:])
		clear(root[:])
	}
}

// header is MacHdr.
func (a *authenticator) header(suite *Suite, epoch uint64, header []byte) []byte {
	h := hmac.New(sha256.New, a.mac[:])
	h.Write([]byte(suite.info(labelHeader, epoch)))
	h.Write(header)
	return h.Sum(nil)
}

// ciphertext is MacCt over ct1 ‖ ct2.
func (a *authenticator) ciphertext(suite *Suite, epoch uint64, ct1, ct2 []byte) []byte {
	h := hmac.New(sha256.New, a.mac[:])
	h.Write([]byte(suite.info(labelCiphertext, epoch)))
	h.Write(ct1)
	h.Write(ct2)
	return h.Sum(nil)
}

// epochKey is KDF_OK: the key of epoch from ML-KEM's shared secret, which it
// erases.
func (suite *Suite) epochKey(epoch uint64, shared *[keySize]byte) (key [keySize]byte) {
	kdf.HKDF(suite.info(labelKey, epoch), nil, shared[:], key[:])
	clear(shared[:])
	return key
}

// info is PROTOCOL_INFO ‖ label ‖ ToBytes(epoch).
func (suite *Suite) info(label string, epoch uint64) string {
	b := make([]byte, 0, 96)
	b = append(b, suite.Info...)
	b = append(b, label...)
	return string(binary.BigEndian.AppendUint64(b, epoch))
}
