package outfox

import (
	"crypto/ecdh"
	"crypto/hpke"
	"crypto/rand"
	"slices"
	"testing"
	"time"
)

// BenchmarkPeelPerX25519 alternates the two, so that a busy machine slows both, and
// reports the ratio of their medians: the bar is 2.
func BenchmarkPeelPerX25519(b *testing.B) {
	k, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	route, keys := testRoute(b)
	p := wrap(b, route, testMessage())
	var peel, x25519 []time.Duration
	for b.Loop() {
		t0 := time.Now()
		if _, err := keys[0].Peel(p); err != nil {
			b.Fatal(err)
		}
		t1 := time.Now()
		if _, err := k.ECDH(k.PublicKey()); err != nil {
			b.Fatal(err)
		}
		peel, x25519 = append(peel, t1.Sub(t0)), append(x25519, time.Since(t1))
	}
	slices.Sort(peel)
	slices.Sort(x25519)
	n := len(peel) / 2
	b.ReportMetric(float64(peel[n])/float64(x25519[n]), "peel/x25519")
	b.ReportMetric(float64(peel[n].Nanoseconds()), "ns/peel")
	b.ReportMetric(float64(x25519[n].Nanoseconds()), "ns/x25519")
}

func BenchmarkX25519(b *testing.B) {
	k, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := k.ECDH(k.PublicKey()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPeel(b *testing.B) {
	route, keys := testRoute(b)
	p := wrap(b, route, testMessage())
	for b.Loop() {
		if _, err := keys[0].Peel(p); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWrap(b *testing.B) {
	route, _ := testRoute(b)
	msg := testMessage()
	for b.Loop() {
		wrap(b, route, msg)
	}
}

func BenchmarkNewReplyBlock(b *testing.B) {
	route, _ := testRoute(b)
	for b.Loop() {
		replyBlock(b, route)
	}
}

func BenchmarkReply(b *testing.B) {
	route, _ := testRoute(b)
	block, _ := replyBlock(b, route)
	msg := testMessage()
	for b.Loop() {
		if _, _, err := block.Reply(msg); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpenReply(b *testing.B) {
	route, keys := testRoute(b)
	block, k := replyBlock(b, route)
	_, p, err := block.Reply(testMessage())
	if err != nil {
		b.Fatal(err)
	}
	end := travel(b, p, route, keys)
	for b.Loop() {
		if _, err := k.Open(end); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLioness(b *testing.B) {
	var key [keySize]byte
	block := make([]byte, PayloadSize)
	b.SetBytes(PayloadSize)
	for b.Loop() {
		decipher(&key, block)
	}
}

// BenchmarkBesideStandardLibrary seals and opens a layer with both libraries in turns,
// and reports the medians.
func BenchmarkBesideStandardLibrary(b *testing.B) {
	k, err := NewPrivateKey()
	if err != nil {
		b.Fatal(err)
	}
	raw, err := k.key.MarshalBinary()
	if err != nil {
		b.Fatal(err)
	}
	other, err := hpke.DHKEM(ecdh.X25519()).NewPrivateKey(raw)
	if err != nil {
		b.Fatal(err)
	}
	kdf, aead := hpke.HKDFSHA256(), hpke.ChaCha20Poly1305()
	plain := make([]byte, layer1Size-overhead)
	header, _, err := seal(k.Public(), 1, testEpoch, plain)
	if err != nil {
		b.Fatal(err)
	}

	work := map[string]func(){
		"seal": func() { seal(k.Public(), 1, testEpoch, plain) },
		"open": func() { k.open(&Packet{epoch: testEpoch, header: header}, 1) },
		"seal-standard": func() {
			_, s, _ := hpke.NewSender(other.PublicKey(), kdf, aead, info(1, testEpoch))
			s.Seal(nil, plain)
			s.Export(exportPayload, keySize)
		},
		"open-standard": func() {
			r, _ := hpke.NewRecipient(header[:encSize], other, kdf, aead, info(1, testEpoch))
			r.Open(nil, header[encSize:])
		},
	}
	took := map[string][]time.Duration{}
	for b.Loop() {
		for name, do := range work {
			t0 := time.Now()
			do()
			took[name] = append(took[name], time.Since(t0))
		}
	}
	for name, all := range took {
		slices.Sort(all)
		b.ReportMetric(float64(all[len(all)/2].Nanoseconds()), "ns/"+name)
	}
}
