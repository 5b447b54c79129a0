package ratchet

import (
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/cryptotest"

	"starling/session/internal/kdf"
	"starling/session/internal/key"
)

// plain is the Double Ratchet without header encryption, written out from
// sections 3.3 to 3.5 of the specification over the standard library, with maps
// for skipped keys and no limits: a second implementation to check the first.
type plain struct {
	dhs        *ecdh.PrivateKey
	dhr        string
	rk         []byte
	cks, ckr   []byte
	ns, nr, pn uint32
	skipped    map[string][]byte
	generate   func() *ecdh.PrivateKey
}

func (p *plain) root(remote string) (ck []byte) {
	pub, err := ecdh.X25519().NewPublicKey([]byte(remote))
	if err != nil {
		panic(err)
	}
	dh, err := p.dhs.ECDH(pub)
	if err != nil {
		panic(err)
	}
	out, err := hkdf.Key(sha256.New, dh, p.rk, string(kdf.Root), 64)
	if err != nil {
		panic(err)
	}
	p.rk = out[:32]
	return out[32:]
}

func (p *plain) chain(ck *[]byte) (mk []byte) {
	h := func(b byte) []byte {
		m := hmac.New(sha256.New, *ck)
		m.Write([]byte{b})
		return m.Sum(nil)
	}
	mk = h(1)
	*ck = h(2)
	return mk
}

type plainHeader struct {
	dh    string
	pn, n uint32
}

func (p *plain) encrypt() (plainHeader, []byte) {
	h := plainHeader{string(p.dhs.PublicKey().Bytes()), p.pn, p.ns}
	mk := p.chain(&p.cks)
	p.ns++
	return h, mk
}

func (p *plain) decrypt(h plainHeader) []byte {
	name := fmt.Sprint(h.n, " ", h.dh)
	if mk, ok := p.skipped[name]; ok {
		delete(p.skipped, name)
		return mk
	}
	if h.dh != p.dhr {
		p.skip(h.pn)
		p.pn, p.ns, p.nr, p.dhr = p.ns, 0, 0, h.dh
		p.ckr = p.root(h.dh)
		p.dhs = p.generate()
		p.cks = p.root(h.dh)
	}
	p.skip(h.n)
	p.nr++
	return p.chain(&p.ckr)
}

func (p *plain) skip(until uint32) {
	for p.ckr != nil && p.nr < until {
		p.skipped[fmt.Sprint(p.nr, " ", p.dhr)] = p.chain(&p.ckr)
		p.nr++
	}
}

// same fails unless the two ratchets hold the same keys.
func (p *plain) same(t *testing.T, s *State) {
	t.Helper()
	if string(p.rk) != string(s.ec.RK[:]) || p.ns != s.ec.Ns || p.nr != s.ec.Nr || p.pn != s.ec.PN {
		t.Fatal("root key or counters differ")
	}
	if p.cks != nil && string(p.cks) != string(s.ec.CKs[:]) || p.ckr != nil && string(p.ckr) != string(s.ec.CKr[:]) {
		t.Fatal("chain keys differ")
	}
	if (p.cks != nil) != s.ec.CanSend || (p.ckr != nil) != s.ec.CanReceive || len(p.skipped) != s.skipped.total {
		t.Fatal("chains or skipped keys differ")
	}
}

// TestHeaderEncryptionChangesNoKey runs the ratchet with header encryption and
// the plain one on the same ratchet keys and the same schedule of random order
// and loss: root keys, chain keys, counters and message keys are the same at
// every step (KDF_RK_HE is KDF_RK with 64 bytes more).
func TestHeaderEncryptionChangesNoKey(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			cryptotest.SetGlobalRandom(t, seed)
			random := rand.New(rand.NewPCG(seed, 1))
			var k Keys
			k.Root[0], k.HeaderA[0], k.HeaderB[0] = 1, 2, 3
			signed := key.Generate()
			alice, err := NewInitiator(k, signed.Public())
			if err != nil {
				t.Fatal(err)
			}
			bob := NewResponder(k, signed)
			sides := [2]*State{alice, bob}
			shadows := [2]*plain{}
			for i, s := range sides {
				shadows[i] = &plain{rk: k.Root[:], skipped: map[string][]byte{}}
				shadows[i].generate = func() *ecdh.PrivateKey {
					own, err := ecdh.X25519().NewPrivateKey(s.ec.DHs.Bytes())
					if err != nil {
						t.Fatal(err)
					}
					return own
				}
				shadows[i].dhs = shadows[i].generate()
			}
			remote := signed.Public()
			shadows[0].dhr = string(remote[:])
			shadows[0].cks = shadows[0].root(shadows[0].dhr)

			type flying struct {
				message []byte
				header  plainHeader
				mk      []byte
			}
			var flight [2][]flying // by receiver
			sent, opened := 0, 0
			for range 2000 {
				from := random.IntN(2)
				if s, p := sides[from], shadows[from]; s.CanSend(1) && random.IntN(2) == 0 {
					c := s.ec
					_, mk, _ := c.NextSend()
					m := seal(t, s, "m")
					h, want := p.encrypt()
					if string(mk[:]) != string(want) {
						t.Fatal("message keys differ at the sender")
					}
					p.same(t, s)
					flight[1-from] = append(flight[1-from], flying{m, h, want})
					sent++
					continue
				}
				if len(flight[from]) == 0 {
					continue
				}
				i := random.IntN(len(flight[from]))
				f := flight[from][i]
				flight[from] = append(flight[from][:i], flight[from][i+1:]...)
				if random.IntN(8) == 0 {
					continue // lost
				}
				open(t, sides[from], f.message, "m")
				if got := shadows[from].decrypt(f.header); string(got) != string(f.mk) {
					t.Fatal("message keys differ at the receiver")
				}
				shadows[from].same(t, sides[from])
				opened++
			}
			if sent < 400 || opened < 300 || alice.ec.Steps < 20 {
				t.Fatalf("%d sent, %d opened, %d steps", sent, opened, alice.ec.Steps)
			}
		})
	}
}
