package incremental

import (
	"bytes"
	"crypto/mlkem"
	"crypto/mlkem/mlkemtest"
	"crypto/rand"
	"crypto/sha3"
	"encoding/hex"
	"testing"
	"testing/cryptotest"
)

// TestEqualsMLKEM: every ciphertext made in two parts is the one ML-KEM-768 makes
// of the same randomness, byte for byte, and crypto/mlkem opens it.
func TestEqualsMLKEM(t *testing.T) {
	cryptotest.SetGlobalRandom(t, 768)
	for i := range 500 {
		k, err := Generate()
		if err != nil {
			t.Fatal(err)
		}
		var m [SecretSize]byte
		rand.Read(m[:])
		header := k.Header()
		ct1, ss := Encaps1(&header, &m)
		ct2, err := Encaps2(&header, &m, k.Vector())
		if err != nil {
			t.Fatal(err)
		}
		seed := k.Seed()
		dk, err := mlkem.NewDecapsulationKey768(seed[:])
		if err != nil {
			t.Fatal(err)
		}
		wantSS, wantCT, err := mlkemtest.Encapsulate768(dk.EncapsulationKey(), m[:])
		if err != nil {
			t.Fatal(err)
		}
		if ct := append(ct1[:], ct2[:]...); !bytes.Equal(ct, wantCT) || !bytes.Equal(ss[:], wantSS) {
			t.Fatalf("key %d: not ML-KEM's ciphertext", i)
		}
		opened, err := dk.Decapsulate(wantCT)
		if err != nil || !bytes.Equal(opened, ss[:]) {
			t.Fatalf("key %d: crypto/mlkem does not open it: %v", i, err)
		}
		mine, err := k.Decapsulate(&ct1, &ct2)
		if err != nil || mine != ss {
			t.Fatalf("key %d: Decapsulate: %v", i, err)
		}
	}
}

// TestAccumulated: the accumulated vectors of C2SP/CCTV (ML-KEM/README.md), as Go's
// own tests use them: keys, ciphertexts, secrets and implicit rejections of a
// stream of SHAKE-128 output, hashed together.
func TestAccumulated(t *testing.T) {
	n, expected := 10000, "8a518cc63da366322a8e7a818c7a0d63483cb3528d34a4cf42f35d5ad73f22fc"
	if testing.Short() {
		n, expected = 100, "1114b1b6699ed191734fa339376afa7e285c9e6acf6ff0177d346696ce564415"
	}
	s, o := sha3.NewSHAKE128(), sha3.NewSHAKE128()
	var seed [KeySize]byte
	var m [SecretSize]byte
	var ct1 [Ct1Size]byte
	var ct2 [Ct2Size]byte
	for range n {
		s.Read(seed[:])
		k, err := NewKey(&seed)
		if err != nil {
			t.Fatal(err)
		}
		header := k.Header()
		o.Write(k.Vector()[:])
		o.Write(header[:seedSize])

		s.Read(m[:])
		c1, ss := Encaps1(&header, &m)
		c2, err := Encaps2(&header, &m, k.Vector())
		if err != nil {
			t.Fatal(err)
		}
		o.Write(c1[:])
		o.Write(c2[:])
		o.Write(ss[:])
		if got, err := k.Decapsulate(&c1, &c2); err != nil || got != ss {
			t.Fatal("decapsulation", err)
		}

		s.Read(ct1[:])
		s.Read(ct2[:])
		ss, err = k.Decapsulate(&ct1, &ct2)
		if err != nil {
			t.Fatal(err)
		}
		o.Write(ss[:])
	}
	sum := make([]byte, 32)
	o.Read(sum)
	if got := hex.EncodeToString(sum); got != expected {
		t.Fatalf("got %s, want %s", got, expected)
	}
}

func TestVectorMustFitHeader(t *testing.T) {
	k, _ := Generate()
	other, _ := Generate()
	header := k.Header()
	if err := Check(&header, k.Vector()); err != nil {
		t.Errorf("its own vector: %v", err)
	}
	var m [SecretSize]byte
	wrong := map[string][]byte{
		"another key's": other.Vector()[:],
		"one bit":       flip(k.Vector()[:], 3),
	}
	for name, v := range wrong {
		if _, err := Encaps2(&header, &m, (*[VectorSize]byte)(v)); err != ErrKey {
			t.Errorf("%s vector: %v", name, err)
		}
		if err := Check(&header, (*[VectorSize]byte)(v)); err != ErrKey {
			t.Errorf("%s vector: %v", name, err)
		}
	}
	// A coefficient that is not reduced modulo q, under a header that fits.
	v := bytes.Clone(k.Vector()[:])
	v[0], v[1] = 0xff, v[1]|0x0f
	ek := append(v, header[:seedSize]...)
	sum := sha3.Sum256(ek)
	copy(header[seedSize:], sum[:])
	if err := Check(&header, (*[VectorSize]byte)(v)); err != ErrKey {
		t.Errorf("unreduced coefficient: %v", err)
	}
}

// TestCoinsErased: the randomness of a ciphertext is gone when it is made.
func TestCoinsErased(t *testing.T) {
	k, _ := Generate()
	coins := [32]byte{1, 2, 3}
	encrypt((*[mlkem.EncapsulationKeySize768]byte)(k.ek), new([SecretSize]byte), &coins)
	if coins != [32]byte{} {
		t.Error("the coins are left")
	}
}

func flip(b []byte, bit int) []byte {
	b = bytes.Clone(b)
	b[bit/8] ^= 1 << (bit % 8)
	return b
}

func BenchmarkEncaps1(b *testing.B) {
	k, _ := Generate()
	header := k.Header()
	var m [SecretSize]byte
	b.ReportAllocs()
	for b.Loop() {
		Encaps1(&header, &m)
	}
}

func BenchmarkEncaps2(b *testing.B) {
	k, _ := Generate()
	header := k.Header()
	var m [SecretSize]byte
	b.ReportAllocs()
	for b.Loop() {
		Encaps2(&header, &m, k.Vector())
	}
}
