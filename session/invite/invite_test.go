package invite

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"strings"
	"testing"
	"time"

	"starling/session/envelope"
	"starling/session/internal/cbchmac"
	"starling/session/internal/kdf"
)

func link(t testing.TB, hints ...string) *Link {
	t.Helper()
	var b [][]byte
	for _, h := range hints {
		b = append(b, []byte(h))
	}
	l, err := New(time.Unix(1_800_000_000, 5), b)
	if err != nil {
		t.Fatal(err)
	}
	rand.Read(l.BundleHash[:])
	return l
}

func links(t testing.TB) []*Link {
	return []*Link{link(t), link(t, "a"), link(t, strings.Repeat("x", MaxHintSize), strings.Repeat("y", 40), "z")}
}

func TestLinkRoundTrip(t *testing.T) {
	for _, l := range links(t) {
		text := l.Encode()
		for _, variant := range []string{
			text, strings.ToUpper(text), "  " + text + "\n", text[:20] + "\r\n " + text[20:50] + "\n" + text[50:],
		} {
			got, err := Parse(variant)
			if err != nil {
				t.Fatalf("%v: %q", err, variant)
			}
			if got.Secret != l.Secret || got.BundleHash != l.BundleHash || !got.Expires.Equal(l.Expires) ||
				fmt.Sprint(got.Hints) != fmt.Sprint(l.Hints) {
				t.Fatal("the link comes back changed")
			}
		}
		if strings.ToLower(text) != text || len(text) > maxLink {
			t.Fatalf("link %q", text)
		}
	}
	if n := len(link(t, strings.Repeat("x", 40)).Bytes()); n != 74+41 {
		t.Fatalf("a link with one hint of 40 bytes has %d", n)
	}
}

// TestEveryCut: a link that lost its end is called cut off, wherever the cut is.
func TestEveryCut(t *testing.T) {
	for _, l := range links(t) {
		text := l.Encode()
		for n := range text {
			_, err := Parse(text[:n])
			want := ErrTruncated
			if n < len(Prefix) {
				want = ErrForeign
			}
			if err != want {
				t.Fatalf("cut to %d of %d: %v", n, len(text), err)
			}
		}
	}
}

// TestEveryTypo: every other character in every place is noticed.
func TestEveryTypo(t *testing.T) {
	for _, l := range links(t) {
		text := l.Encode()
		for i := len(Prefix); i < len(text); i++ {
			for _, c := range "abcdefghijklmnopqrstuvwxyz2345670189-=" {
				if byte(c) == text[i] {
					continue
				}
				bad := text[:i] + string(c) + text[i+1:]
				_, err := Parse(bad)
				if none := strings.ContainsRune("0189-=", c); err != ErrChecksum && (none || err != ErrVersion && err != ErrTruncated) {
					t.Fatalf("%q for %q at %d: %v", c, text[i], i, err)
				}
			}
		}
		for _, more := range []string{"a", "aa", "aaaaaaaa"} {
			if _, err := Parse(text + more); err != ErrChecksum {
				t.Fatalf("%q appended: %v", more, err)
			}
		}
	}
}

func TestForeignLinks(t *testing.T) {
	for _, s := range []string{"", "starling", "https://example.org/x", "simplex:/invitation#abc", "starling;" + "aaaa",
		strings.Repeat("x", 5000), "starling:" + strings.Repeat("a", 2000)} {
		if _, err := Parse(s); err != ErrForeign {
			t.Errorf("%.40q: %v", s, err)
		}
	}
	if _, err := Parse(Prefix + strings.Repeat("a", maxLink-len(Prefix))); err != ErrChecksum {
		t.Error("as long as can be:", err)
	}
	if _, err := ParseBytes([]byte{2}); err != ErrChecksum {
		t.Error("another version and nothing else:", err)
	}
	b := link(t).Bytes()
	b[0] = 2
	if _, err := ParseBytes(b); err != ErrChecksum {
		t.Error("another version, and no checksum:", err)
	}
	b = appendChecksum(b[:len(b)-checksumSize])
	if _, err := ParseBytes(b); err != ErrVersion {
		t.Error("another version:", err)
	}
	b[0] = 0
	if _, err := ParseBytes(appendChecksum(b[:len(b)-checksumSize])); err != ErrChecksum {
		t.Error("no version at all:", err)
	}
}

func appendChecksum(b []byte) []byte {
	sum := kdf.Hash(kdf.LinkChecksum, b)
	return append(b, sum[:checksumSize]...)
}

func TestNewRefuses(t *testing.T) {
	for _, hints := range [][][]byte{{{}}, {make([]byte, MaxHintSize+1)}, {{1}, {2}, {3}, {4}}} {
		if _, err := New(time.Unix(1, 0), hints); err != ErrHints {
			t.Errorf("%d hints: %v", len(hints), err)
		}
	}
	for _, s := range []int64{0, 1<<32 - 1} {
		if _, err := New(time.Unix(s, 0), nil); err != nil {
			t.Errorf("expiry %d: %v", s, err)
		}
	}
	for _, s := range []int64{-1, 1 << 32} {
		if _, err := New(time.Unix(s, 0), nil); err != ErrExpiry {
			t.Errorf("expiry %d: %v", s, err)
		}
	}
}

// TestCraftedLinks: a checksum is no permission: the maker of a link may not put in
// more hints, or others, than we would.
func TestCraftedLinks(t *testing.T) {
	good := link(t).Bytes()[:fixedSize]
	crafted := func(hints ...string) []byte {
		b := bytes.Clone(good)
		b[fixedSize-1] = byte(len(hints))
		for _, h := range hints {
			b = append(append(b, byte(len(h))), h...)
		}
		sum := kdf.Hash(kdf.LinkChecksum, b)
		return append(b, sum[:checksumSize]...)
	}
	long := strings.Repeat("x", MaxHintSize)
	for name, c := range map[string]struct {
		b    []byte
		want error
	}{
		"no hint":         {crafted(), nil},
		"three":           {crafted("a", long, "c"), nil},
		"four":            {crafted("a", "b", "c", "d"), ErrChecksum},
		"very many":       {crafted(strings.Split(strings.Repeat("a", 200), "")...), ErrChecksum},
		"an empty one":    {crafted("a", ""), ErrChecksum},
		"one too long":    {crafted(long + "x"), ErrChecksum},
		"something after": {append(crafted("a"), 0), ErrChecksum},
	} {
		if _, err := ParseBytes(c.b); err != c.want {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// TestTagsAreDistinct: 3 tags of the bundle and 24 of hellos, and none is an id.
func TestTagsAreDistinct(t *testing.T) {
	k := DeriveKeys(&[32]byte{1})
	seen := map[[TagSize]byte]bool{k.ID: true}
	for _, tags := range append([][Cells][TagSize]byte{k.BundleTags}, k.HelloTags[:]...) {
		for _, tag := range tags {
			if seen[tag] {
				t.Fatal("a tag twice")
			}
			seen[tag] = true
		}
	}
	if len(seen) != 28 {
		t.Fatal(len(seen))
	}
	for s := range k.HelloTags {
		for i := range k.HelloTags[s] {
			if slot, index, ok := k.HelloPlace(k.HelloTags[s][i]); !ok || slot != s || index != i {
				t.Fatal("hello tag not found")
			}
		}
	}
	if _, _, ok := k.HelloPlace(k.BundleTags[0]); ok {
		t.Fatal("a bundle tag is a hello tag")
	}
	if other := DeriveKeys(&[32]byte{2}); other.ID == k.ID || other.bundle == k.bundle || k.bundle == k.hello {
		t.Fatal("keys of different secrets or purposes are equal")
	}
}

// TestCellsOpenInTheirPlaceOnly: purpose, slot, index and secret are bound.
func TestCellsOpenInTheirPlaceOnly(t *testing.T) {
	k, other := DeriveKeys(&[32]byte{1}), DeriveKeys(&[32]byte{2})
	var hello [HelloSize]byte
	var bundle [BundleSize]byte
	rand.Read(hello[:])
	rand.Read(bundle[:])
	id := [HelloIDSize]byte{9}
	var gotBundle [BundleSize]byte
	for i := range Cells {
		c := k.SealHello(3, i, &id, &hello)
		for s := range Slots {
			for j := range Cells {
				gotID, part, ok := k.OpenHello(s, j, &c)
				if ok != (s == 3 && j == i) {
					t.Fatalf("hello cell %d opens in slot %d at %d: %v", i, s, j, ok)
				}
				if ok && (gotID != id || !bytes.Equal(part[:], hello[i*HelloPart:][:HelloPart])) {
					t.Fatal("hello comes back changed")
				}
			}
		}
		if _, _, ok := other.OpenHello(3, i, &c); ok {
			t.Fatal("a hello opens with another link")
		}
		if k.OpenBundle(i, &c, &gotBundle) {
			t.Fatal("a hello opens as a bundle")
		}
		b := k.SealBundle(i, &bundle)
		for j := range Cells {
			if k.OpenBundle(j, &b, &gotBundle) != (i == j) {
				t.Fatalf("bundle cell %d at %d", i, j)
			}
		}
		for bit := range len(b) * 8 {
			if bit%97 == 0 {
				b[bit/8] ^= 1 << (bit % 8)
				if k.OpenBundle(i, &b, &gotBundle) {
					t.Fatalf("bit %d flipped", bit)
				}
				b[bit/8] ^= 1 << (bit % 8)
			}
		}
	}
	if gotBundle != bundle {
		t.Fatal("bundle comes back changed")
	}
}

// TestShortCell: a short cell from a holder of the key is refused, and the one that was
// there stays.
func TestShortCell(t *testing.T) {
	k := DeriveKeys(&[32]byte{1})
	for _, size := range []int{partSize, partSize - 1, partSize - 15} {
		var cell [envelope.CellSize]byte
		sealCell(&cell, &k.bundle, purposeBundle, 0, 1, bytes.Repeat([]byte{7}, size))
		var bundle, untouched [BundleSize]byte
		if ok := k.OpenBundle(1, &cell, &bundle); ok != (size == partSize) {
			t.Errorf("%d bytes: %v", size, ok)
		} else if !ok && bundle != untouched {
			t.Errorf("%d bytes are refused and written", size)
		}
	}
}

// TestKnock: a knock opens for its slot only, under the secret that both had, and its
// tags are as documented, none of them one of an invite.
func TestKnock(t *testing.T) {
	secret := [32]byte{1}
	k, other, invite := DeriveKnock(&secret), DeriveKnock(&[32]byte{2}), DeriveKeys(&secret)
	var tags [Knocks * TagSize]byte
	var key [cbchmac.KeySize]byte
	kdf.Derive(kdf.ResetTags, nil, secret[:], tags[:])
	kdf.Derive(kdf.ResetKey, nil, secret[:], key[:])
	if !bytes.Equal(tags[:], bytes.Join(slices(k.Tags[:]), nil)) || k.key != key {
		t.Error("tags or key are not as documented")
	}
	seen := map[[TagSize]byte]bool{{}: true, invite.ID: true}
	for _, tag := range append(append(k.Tags[:], other.Tags[:]...), invite.BundleTags[:]...) {
		if seen[tag] {
			t.Error("a tag twice, or none")
		}
		seen[tag] = true
	}

	var plain [KnockSize]byte
	rand.Read(plain[:])
	for slot := range Knocks {
		cell := k.Seal(slot, &plain)
		for at := range Knocks {
			got, ok := k.Open(at, &cell)
			if ok != (at == slot) || ok && got != plain {
				t.Errorf("of slot %d at %d: %v", slot, at, ok)
			}
		}
		if _, ok := other.Open(slot, &cell); ok {
			t.Error("it opens under another secret")
		}
		cell[200] ^= 1
		if _, ok := k.Open(slot, &cell); ok {
			t.Error("it opens when it was changed")
		}
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	l := link(t)
	for _, v := range []any{l, DeriveKeys(&l.Secret), DeriveKnock(&l.Secret)} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x", "%q"} {
			if s := fmt.Sprintf(verb, v); s != "[secret]" {
				t.Errorf("%s: %q", verb, s)
			}
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, l := range links(f) {
		f.Add(l.Encode())
	}
	f.Add("starling:")
	f.Fuzz(func(t *testing.T, text string) {
		l, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(l.Encode())
		if err != nil || !bytes.Equal(again.Bytes(), l.Bytes()) {
			t.Fatal("a parsed link does not come back")
		}
	})
}

func FuzzParseBytes(f *testing.F) {
	for _, l := range links(f) {
		f.Add(l.Bytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if l, err := ParseBytes(b); err == nil && !bytes.Equal(l.Bytes(), b) {
			t.Fatal("two encodings of one link")
		}
	})
}

func FuzzOpenHello(f *testing.F) {
	k := DeriveKeys(&[32]byte{1})
	c := k.SealHello(0, 0, new([HelloIDSize]byte), new([HelloSize]byte))
	f.Add(c[:])
	f.Fuzz(func(t *testing.T, b []byte) {
		var cell [envelope.CellSize]byte
		copy(cell[:], b)
		k.OpenHello(0, 0, &cell)
		k.OpenBundle(0, &cell, new([BundleSize]byte))
	})
}
