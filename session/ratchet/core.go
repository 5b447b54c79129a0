package ratchet

import (
	"starling/session/internal/cbchmac"
	"starling/session/internal/kdf"
	"starling/session/internal/key"
)

// A suite is what one family of ratchets differs from another in. There is one
// that we send; tests run the same core with others.
type suite struct {
	root    kdf.Label // info of KDF_RK
	message kdf.Label // info of the expansion of a message key
}

var starling = suite{root: kdf.Root, message: kdf.Message}

type (
	chainKey  = [kdf.Size]byte
	headerKey = [cbchmac.KeySize]byte
)

// core is the Double Ratchet's key schedule (sections 3.2 and 4.3 without the
// skipped keys): a plain value, so that a message can be tried on a copy.
// A key that the specification calls None has its flag unset.
type core struct {
	rk  [kdf.Size]byte
	dhs key.Private
	dhr key.Public

	cks, ckr            chainKey
	hks, hkr            headerKey
	nhks, nhkr          headerKey
	ns, nr, pn          uint32
	canSend, canReceive bool // CKs and HKs, CKr and HKr are there
	steps               uint32
}

// maxCounter is the first value of a counter that is never used.
const maxCounter = 1<<32 - 1

// initiator is RatchetInitAliceHE.
func (su *suite) initiator(sk [kdf.Size]byte, remote key.Public, hka, nhkb headerKey) (core, error) {
	c := core{rk: sk, dhs: key.Generate(), dhr: remote, hks: hka, nhkr: nhkb, canSend: true}
	err := su.rootStep(&c.rk, &c.cks, &c.nhks, c.dhs, remote)
	return c, err
}

// responder is RatchetInitBobHE.
func (su *suite) responder(sk [kdf.Size]byte, own key.Private, hka, nhkb headerKey) core {
	return core{rk: sk, dhs: own, nhks: nhkb, nhkr: hka}
}

// rootStep is KDF_RK_HE: a new root key, chain key and next header key from the
// root key and a DH output. Its first 64 bytes are those of KDF_RK.
func (su *suite) rootStep(rk *[kdf.Size]byte, ck *chainKey, nhk *headerKey, own key.Private, remote key.Public) error {
	dh, err := own.Agree(remote)
	if err != nil {
		return err
	}
	salt := *rk
	kdf.Derive(su.root, salt[:], dh[:], rk[:], ck[:], nhk[:])
	clear(dh[:])
	clear(salt[:])
	return nil
}

// chainStep is KDF_CK: it moves ck on and returns the message key.
func chainStep(ck *chainKey) (mk [kdf.Size]byte) {
	mk = kdf.Step(kdf.ChainMessage, ck)
	*ck = kdf.Step(kdf.ChainNext, ck)
	return mk
}

// nextSend takes the message key of the next message to send. The header key
// to use with it is hks.
func (c *core) nextSend() (n uint32, mk [kdf.Size]byte, err error) {
	if !c.canSend || c.ns == maxCounter {
		return 0, mk, ErrCannotSend
	}
	mk = chainStep(&c.cks)
	n = c.ns
	c.ns++
	return n, mk, nil
}

// ratchet is DHRatchetHE: the peer has a new ratchet key.
func (su *suite) ratchet(c *core, remote key.Public) error {
	c.pn, c.ns, c.nr = c.ns, 0, 0
	c.hks, c.hkr = c.nhks, c.nhkr
	c.dhr = remote
	if err := su.rootStep(&c.rk, &c.ckr, &c.nhkr, c.dhs, remote); err != nil {
		return err
	}
	c.dhs = key.Generate()
	if err := su.rootStep(&c.rk, &c.cks, &c.nhks, c.dhs, remote); err != nil {
		return err
	}
	c.canSend, c.canReceive = true, true
	c.steps++
	return nil
}

// skipTo moves the receiving chain on to message n and appends the keys it
// passes to out.
func (c *core) skipTo(n uint32, out []skippedKey) ([]skippedKey, error) {
	if n == maxCounter || n < c.nr || n-c.nr > MaxSkip || !c.canReceive && n != 0 {
		return out, ErrRefused
	}
	for c.nr < n {
		out = append(out, skippedKey{n: c.nr, mk: chainStep(&c.ckr)})
		c.nr++
	}
	return out, nil
}

// nextReceive takes the message key of message nr.
func (c *core) nextReceive() (mk [kdf.Size]byte) {
	mk = chainStep(&c.ckr)
	c.nr++
	return mk
}
