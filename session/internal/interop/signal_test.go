package interop

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"

	"github.com/cloudflare/circl/kem/kyber/kyber1024"

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

// Info strings of the classical half.
const (
	infoHandshake = "WhisperText_X25519_SHA-256_CRYSTALS-KYBER-1024"
	infoRoot      = "WhisperRatchet"
	infoMessage   = "WhisperMessageKeys"
)

const (
	version   = 0x44 // this version 4, lowest version 4
	macSize   = 8
	typeEC    = 0x05
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

	// Initiator, until the first answer: what pre-key messages repeat.
	base        []byte
	kyber       []byte
	established bool
}

// initiate is PQXDH's initiator.
func initiate(bundle answer) (*end, error) {
	identity, base := newKey(), newKey()
	theirs, signed, one := point(bundle.Identity), point(bundle.Signed), point(bundle.One)
	var kem kyber1024.PublicKey
	if len(bundle.KEM) != 1+kyber1024.PublicKeySize || bundle.KEM[0] != typeKyber {
		return nil, errRefused
	}
	kem.Unpack(bundle.KEM[1:])
	ct, ss := make([]byte, kyber1024.CiphertextSize), make([]byte, kyber1024.SharedKeySize)
	seed := make([]byte, kyber1024.EncapsulationSeedSize)
	rand.Read(seed)
	kem.EncapsulateTo(ct, ss, seed)

	root, _, pq := handshake(dh(identity, signed), dh(base, theirs), dh(base, signed), dh(base, one), ss)
	e := &end{
		own: encode(identity.PublicKey()), peer: bundle.Identity,
		base: encode(base.PublicKey()), kyber: append([]byte{typeKyber}, ct...),
		pq: spqr.NewSuite(&suite, spqr.Initiator, pq),
	}
	e.ec = classical{rk: root, dhs: newKey(), dhr: signed}
	e.ec.rk, e.ec.cks = e.ec.rootStep(e.ec.dhs, signed)
	return e, nil
}

// respond is PQXDH's responder, on the first message.
func respond(keys answer, message []byte) (*end, error) {
	f, err := fields(message[1:])
	if err != nil || message[0] != version {
		return nil, errRefused
	}
	identity, signed, one := private(keys.Identity), private(keys.Signed), private(keys.One)
	theirs, base := point(f[3].bytes), point(f[2].bytes)
	if theirs == nil || base == nil {
		return nil, errRefused
	}
	var kem kyber1024.PrivateKey
	if len(keys.KEM) != 1+kyber1024.PrivateKeySize || len(f[8].bytes) != 1+kyber1024.CiphertextSize {
		return nil, errRefused
	}
	kem.Unpack(keys.KEM[1:])
	ss := make([]byte, kyber1024.SharedKeySize)
	kem.DecapsulateTo(ss, f[8].bytes[1:])
	root, _, pq := handshake(dh(signed, theirs), dh(identity, base), dh(signed, base), dh(one, base), ss)
	return &end{
		own: encode(identity.PublicKey()), peer: f[3].bytes, established: true,
		pq: spqr.NewSuite(&suite, spqr.Responder, pq),
		ec: classical{rk: root, dhs: signed},
	}, nil
}

func handshake(secrets ...[]byte) (root, ck, pq [32]byte) {
	in := bytes.Repeat([]byte{0xff}, 32)
	for _, s := range secrets {
		in = append(in, s...)
	}
	out := derive(in, nil, infoHandshake, 96)
	return [32]byte(out[:32]), [32]byte(out[32:64]), [32]byte(out[64:])
}

// seal encrypts text and says whether the message is a pre-key message.
func (e *end) seal(text []byte) (message []byte, prekey bool, err error) {
	m, pqKey, err := e.pq.SendMessage()
	if err != nil {
		return nil, false, err
	}
	n, mk := e.ec.send()
	keys := derive(mk[:], pqKey[:], infoMessage, 80)
	pad := aes.BlockSize - len(text)%aes.BlockSize
	body := append(bytes.Clone(text), bytes.Repeat([]byte{byte(pad)}, pad)...)
	block, _ := aes.NewCipher(keys[:32])
	cipher.NewCBCEncrypter(block, keys[64:]).CryptBlocks(body, body)

	b := []byte{version}
	b = appendBytes(b, 1, encode(e.ec.dhs.PublicKey()))
	b = appendNumber(b, 2, uint64(n))
	b = appendNumber(b, 3, uint64(e.ec.pn))
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
	mk, err := ec.receive(f[1].bytes, uint32(f[2].number))
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

// classical is the Double Ratchet, sections 3.2 to 3.5, without limits.
type classical struct {
	rk         [32]byte
	dhs        *ecdh.PrivateKey
	dhr        *ecdh.PublicKey
	cks, ckr   [32]byte
	ns, nr, pn uint32
	skipped    map[skip][32]byte
}

type skip struct {
	dh string
	n  uint32
}

func (c *classical) clone() classical {
	d := *c
	d.skipped = make(map[skip][32]byte, len(c.skipped))
	for k, v := range c.skipped {
		d.skipped[k] = v
	}
	return d
}

func (c *classical) rootStep(own *ecdh.PrivateKey, remote *ecdh.PublicKey) (rk, ck [32]byte) {
	out := derive(dh(own, remote), c.rk[:], infoRoot, 64)
	return [32]byte(out[:32]), [32]byte(out[32:])
}

func chainStep(ck *[32]byte) (mk [32]byte) {
	step := func(b byte) [32]byte {
		h := hmac.New(sha256.New, ck[:])
		h.Write([]byte{b})
		return [32]byte(h.Sum(nil))
	}
	mk, *ck = step(1), step(2)
	return mk
}

func (c *classical) send() (n uint32, mk [32]byte) {
	c.ns++
	return c.ns - 1, chainStep(&c.cks)
}

func (c *classical) receive(remote []byte, n uint32) (mk [32]byte, err error) {
	if mk, ok := c.skipped[skip{string(remote), n}]; ok {
		delete(c.skipped, skip{string(remote), n})
		return mk, nil
	}
	next := point(remote)
	if next == nil {
		return mk, errRefused
	}
	if c.dhr == nil || !next.Equal(c.dhr) {
		// The rest of the chain before is not known here: PN is not reliable
		// (the oracle does not use it), so that chain stays open.
		if c.dhr != nil {
			for range 60 {
				c.skipOne()
			}
		}
		c.pn, c.ns, c.nr = c.ns, 0, 0
		c.dhr = next
		c.rk, c.ckr = c.rootStep(c.dhs, c.dhr)
		c.dhs = newKey()
		c.rk, c.cks = c.rootStep(c.dhs, c.dhr)
	}
	if n < c.nr || n > c.nr+1000 {
		return mk, errRefused
	}
	for c.nr < n {
		c.skipOne()
	}
	c.nr++
	return chainStep(&c.ckr), nil
}

func (c *classical) skipOne() {
	if c.skipped == nil {
		c.skipped = map[skip][32]byte{}
	}
	c.skipped[skip{string(encode(c.dhr)), c.nr}] = chainStep(&c.ckr)
	c.nr++
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

func newKey() *ecdh.PrivateKey {
	b := make([]byte, 32)
	rand.Read(b)
	return private(b)
}

func private(b []byte) *ecdh.PrivateKey {
	k, err := ecdh.X25519().NewPrivateKey(b)
	if err != nil {
		panic(err)
	}
	return k
}

func encode(p *ecdh.PublicKey) []byte { return append([]byte{typeEC}, p.Bytes()...) }

// point is nil for what is not a public key.
func point(b []byte) *ecdh.PublicKey {
	if len(b) != 33 || b[0] != typeEC {
		return nil
	}
	p, _ := ecdh.X25519().NewPublicKey(b[1:])
	return p
}

// dh is nil for a remote key of low order.
func dh(own *ecdh.PrivateKey, remote *ecdh.PublicKey) []byte {
	s, _ := own.ECDH(remote)
	return s
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
