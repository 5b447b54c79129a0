package interop

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"maps"

	"github.com/cloudflare/circl/kem/kyber/kyber1024"

	"starling/session/internal/doubleratchet"
	"starling/session/internal/key"
	"starling/session/ratchet/spqr"
	"starling/session/ratchet/spqr/braid"
	"starling/session/ratchet/spqr/chain"
	"starling/session/ratchet/spqr/erasure"
)

// suite holds the oracle's constants for the post-quantum ratchet.
var suite = spqr.Suite{
	Braid: braid.Suite{Info: "Signal_PQCKA_V1_MLKEM768", RootAsInput: true},
	Chain: chain.Labels{
		Start:    "Signal PQ Ratchet V1 Chain  Start",
		AddEpoch: "Signal PQ Ratchet V1 Chain Add Epoch",
		Next:     "Signal PQ Ratchet V1 Chain Next",
	},
	Unsealed: true,
}

// classicalSuite holds them for the Double Ratchet.
var classicalSuite = doubleratchet.Suite{Root: "WhisperRatchet"}

// The other info strings.
const (
	infoHandshake = "WhisperText_X25519_SHA-256_CRYSTALS-KYBER-1024"
	infoMessage   = "WhisperMessageKeys"
)

const (
	version   = 0x44 // this version 4, lowest version 4
	macSize   = 8
	typeKyber = 0x08

	idOne, idSigned, idKEM, idRegistration = 31, 32, 33, 5
)

var errRefused = errors.New("refused")

// addresses are the initiator's and the responder's service id and device.
var addresses = [2][]byte{
	{0, 0x9d, 0x06, 0x52, 0xa3, 0xdc, 0xc3, 0x4d, 0x11, 0x97, 0x5f, 0x74, 0xd6, 0x15, 0x98, 0x73, 0x3f, 1},
	{0, 0x68, 0x38, 0x23, 0x7d, 0x02, 0xf6, 0x40, 0x98, 0xb1, 0x10, 0x69, 0x82, 0x53, 0xd1, 0x59, 0x61, 1},
}

// end is our end of a conversation with the oracle.
type end struct {
	ec        classical
	pq        *spqr.State
	own, peer []byte // identities, with their type byte

	// Initiator, until the first answer: the part repeated by pre-key messages.
	base        []byte
	kyber       []byte
	established bool
}

// initiate is PQXDH's initiator.
func initiate(bundle answer) (*end, error) {
	identity, base := key.Generate(), key.Generate()
	theirs, err1 := key.DecodeEC(bundle.Identity)
	signed, err2 := key.DecodeEC(bundle.Signed)
	one, err3 := key.DecodeEC(bundle.One)
	if err := errors.Join(err1, err2, err3); err != nil {
		return nil, err
	}
	var kem kyber1024.PublicKey
	if len(bundle.KEM) != 1+kyber1024.PublicKeySize || bundle.KEM[0] != typeKyber {
		return nil, errRefused
	}
	kem.Unpack(bundle.KEM[1:])
	ct, ss := make([]byte, kyber1024.CiphertextSize), make([]byte, kyber1024.SharedKeySize)
	seed := make([]byte, kyber1024.EncapsulationSeedSize)
	rand.Read(seed)
	kem.EncapsulateTo(ct, ss, seed)

	root, pq, err := handshake(ss, pair{identity, signed}, pair{base, theirs}, pair{base, signed}, pair{base, one})
	if err != nil {
		return nil, err
	}
	e := &end{
		own: identity.Public().AppendEC(nil), peer: bundle.Identity,
		base: base.Public().AppendEC(nil), kyber: append([]byte{typeKyber}, ct...),
		pq: spqr.NewSuite(&suite, spqr.Initiator, pq),
	}
	e.ec.State, err = classicalSuite.Initiator(root, signed, doubleratchet.HeaderKey{}, doubleratchet.HeaderKey{})
	return e, err
}

// respond is PQXDH's responder, on the first message.
func respond(keys answer, message []byte) (*end, error) {
	f, err := fields(message[1:])
	if err != nil || message[0] != version {
		return nil, errRefused
	}
	identity, err1 := key.ParsePrivate(keys.Identity)
	signed, err2 := key.ParsePrivate(keys.Signed)
	one, err3 := key.ParsePrivate(keys.One)
	theirs, err4 := key.DecodeEC(f[3].bytes)
	base, err5 := key.DecodeEC(f[2].bytes)
	if err := errors.Join(err1, err2, err3, err4, err5); err != nil {
		return nil, err
	}
	var kem kyber1024.PrivateKey
	if len(keys.KEM) != 1+kyber1024.PrivateKeySize || len(f[8].bytes) != 1+kyber1024.CiphertextSize {
		return nil, errRefused
	}
	kem.Unpack(keys.KEM[1:])
	ss := make([]byte, kyber1024.SharedKeySize)
	kem.DecapsulateTo(ss, f[8].bytes[1:])
	root, pq, err := handshake(ss, pair{signed, theirs}, pair{identity, base}, pair{signed, base}, pair{one, base})
	if err != nil {
		return nil, err
	}
	e := &end{
		own: identity.Public().AppendEC(nil), peer: f[3].bytes, established: true,
		pq: spqr.NewSuite(&suite, spqr.Responder, pq),
	}
	e.ec.State = classicalSuite.Responder(root, signed, doubleratchet.HeaderKey{}, doubleratchet.HeaderKey{})
	return e, nil
}

// pair is a private key and the public key to agree with.
type pair struct {
	own    key.Private
	remote key.Public
}

// handshake derives the secrets of the two ratchets. The 32 bytes between them
// are a chain key that the oracle does not use either.
func handshake(shared []byte, pairs ...pair) (root, pq [32]byte, err error) {
	in := bytes.Repeat([]byte{0xff}, 32)
	for _, p := range pairs {
		dh, err := p.own.Agree(p.remote)
		if err != nil {
			return root, pq, err
		}
		in = append(in, dh[:]...)
	}
	out := derive(append(in, shared...), nil, infoHandshake, 96)
	return [32]byte(out[:32]), [32]byte(out[64:]), nil
}

// seal encrypts text and says whether the message is a pre-key message.
func (e *end) seal(text []byte) (message []byte, prekey bool, err error) {
	m, pqKey, err := e.pq.SendMessage()
	if err != nil {
		return nil, false, err
	}
	n, mk, err := e.ec.NextSend()
	if err != nil {
		return nil, false, err
	}
	keys := derive(mk[:], pqKey[:], infoMessage, 80)
	pad := aes.BlockSize - len(text)%aes.BlockSize
	body := append(bytes.Clone(text), bytes.Repeat([]byte{byte(pad)}, pad)...)
	block, _ := aes.NewCipher(keys[:32])
	cipher.NewCBCEncrypter(block, keys[64:]).CryptBlocks(body, body)

	b := []byte{version}
	b = appendBytes(b, 1, e.ec.DHs.Public().AppendEC(nil))
	b = appendNumber(b, 2, uint64(n))
	b = appendNumber(b, 3, uint64(e.ec.PN))
	b = appendBytes(b, 4, body)
	b = appendBytes(b, 5, encodeSPQR(&m))
	if !e.established {
		b = appendBytes(b, 6, append(bytes.Clone(addresses[0]), addresses[1]...))
	}
	b = append(b, tag(keys[32:64], e.own, e.peer, b)...)
	if e.established {
		return b, false, nil
	}
	p := []byte{version}
	p = appendNumber(p, 1, idOne)
	p = appendBytes(p, 2, e.base)
	p = appendBytes(p, 3, e.own)
	p = appendBytes(p, 4, b)
	p = appendNumber(p, 5, idRegistration)
	p = appendNumber(p, 6, idSigned)
	p = appendNumber(p, 7, idKEM)
	return appendBytes(p, 8, e.kyber), true, nil
}

// open decrypts a message; e changes only if it is genuine.
func (e *end) open(message []byte, prekey bool) ([]byte, error) {
	if prekey {
		f, err := fields(message[1:])
		if err != nil {
			return nil, err
		}
		message = f[4].bytes
	}
	if len(message) < 1+macSize {
		return nil, errRefused
	}
	signed, mac := message[:len(message)-macSize], message[len(message)-macSize:]
	f, err := fields(signed[1:])
	if err != nil {
		return nil, err
	}
	m, err := decodeSPQR(f[5].bytes)
	if err != nil {
		return nil, err
	}
	pq, ec := e.pq.Clone(), e.ec.clone()
	pqKey, err := pq.ReceiveMessage(m)
	if err != nil {
		return nil, err
	}
	remote, err := key.DecodeEC(f[1].bytes)
	if err != nil {
		return nil, err
	}
	mk, err := ec.receive(remote, uint32(f[2].number))
	if err != nil {
		return nil, err
	}
	keys := derive(mk[:], pqKey[:], infoMessage, 80)
	if !hmac.Equal(mac, tag(keys[32:64], e.peer, e.own, signed)) {
		return nil, errRefused
	}
	body := bytes.Clone(f[4].bytes)
	if len(body) == 0 || len(body)%aes.BlockSize != 0 {
		return nil, errRefused
	}
	block, _ := aes.NewCipher(keys[:32])
	cipher.NewCBCDecrypter(block, keys[64:]).CryptBlocks(body, body)
	e.pq, e.ec, e.established = pq, ec, true
	return body[:len(body)-int(body[len(body)-1])], nil
}

func tag(key, from, to, message []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(from)
	h.Write(to)
	h.Write(message)
	return h.Sum(nil)[:macSize]
}

// classical is the Double Ratchet without header encryption: the code that
// Starling runs, with header keys that nobody looks at, and with a map of
// skipped keys without limits.
type classical struct {
	doubleratchet.State
	skipped map[skip]doubleratchet.Key
}

type skip struct {
	dh key.Public
	n  uint32
}

func (c *classical) clone() classical { return classical{c.State, maps.Clone(c.skipped)} }

// keepOpen is how many keys of a chain are taken in advance when the next chain
// begins. How long the chain was is not known: the oracle's PN is one less, and
// it goes without.
const keepOpen = 60

func (c *classical) receive(remote key.Public, n uint32) (mk doubleratchet.Key, err error) {
	if mk, ok := c.skipped[skip{remote, n}]; ok {
		delete(c.skipped, skip{remote, n})
		return mk, nil
	}
	if remote != c.DHr || !c.CanReceive {
		if c.CanReceive {
			if err := c.skipTo(c.Nr + keepOpen); err != nil {
				return mk, err
			}
		}
		if err := classicalSuite.Ratchet(&c.State, remote); err != nil {
			return mk, err
		}
	}
	if err := c.skipTo(n); err != nil {
		return mk, err
	}
	return c.NextReceive(), nil
}

func (c *classical) skipTo(n uint32) error {
	keys, err := c.SkipTo(n, nil)
	for _, k := range keys {
		if c.skipped == nil {
			c.skipped = map[skip]doubleratchet.Key{}
		}
		c.skipped[skip{c.DHr, k.N}] = k.MK
	}
	return err
}

// encodeSPQR writes a message of the post-quantum ratchet as the oracle does:
// version, epoch, number, type and, with a chunk, its index and its bytes.
func encodeSPQR(m *spqr.Message) []byte {
	b := []byte{1}
	b = binary.AppendUvarint(b, m.Epoch)
	b = binary.AppendUvarint(b, uint64(m.Number))
	b = append(b, byte(m.Type))
	if m.Type.HasChunk() {
		b = binary.AppendUvarint(b, uint64(m.Chunk.Index))
		b = append(b, m.Chunk.Data[:]...)
	}
	return b
}

func decodeSPQR(b []byte) (*spqr.Message, error) {
	r := bytes.NewReader(b)
	v, _ := r.ReadByte()
	m := new(spqr.Message)
	m.Epoch, _ = binary.ReadUvarint(r)
	n, _ := binary.ReadUvarint(r)
	m.Number = uint32(n)
	t, err := r.ReadByte()
	m.Type = braid.Type(t)
	if v != 1 || err != nil || m.Type > braid.Ct2 {
		return nil, errRefused
	}
	if m.Type.HasChunk() {
		i, _ := binary.ReadUvarint(r)
		m.Chunk.Index = uint16(i)
		if k, _ := r.Read(m.Chunk.Data[:]); k != erasure.ChunkSize || i > 65535 {
			return nil, errRefused
		}
	}
	if r.Len() != 0 {
		return nil, errRefused
	}
	return m, nil
}

func derive(secret, salt []byte, info string, size int) []byte {
	out, err := hkdf.Key(sha256.New, secret, salt, info, size)
	if err != nil {
		panic(err)
	}
	return out
}

// A little of protocol buffers: fields that are numbers or bytes, each once.
type field struct {
	number uint64
	bytes  []byte
}

func appendNumber(b []byte, id int, v uint64) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(b, uint64(id)<<3), v)
}

func appendBytes(b []byte, id int, v []byte) []byte {
	return append(binary.AppendUvarint(binary.AppendUvarint(b, uint64(id)<<3|2), uint64(len(v))), v...)
}

func fields(b []byte) (map[uint64]field, error) {
	all := map[uint64]field{}
	for len(b) > 0 {
		key, n := binary.Uvarint(b)
		if n <= 0 {
			return nil, errRefused
		}
		v, k := binary.Uvarint(b[n:])
		if k <= 0 {
			return nil, errRefused
		}
		b = b[n+k:]
		switch key & 7 {
		case 0:
			all[key>>3] = field{number: v}
		case 2:
			if v > uint64(len(b)) {
				return nil, errRefused
			}
			all[key>>3] = field{bytes: b[:v]}
			b = b[v:]
		default:
			return nil, errRefused
		}
	}
	return all, nil
}
