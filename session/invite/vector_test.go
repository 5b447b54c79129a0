package invite

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"reflect"
	"strings"
	"testing"
	"time"

	"starling/docs/vectors"
	"starling/session/envelope"
	"starling/session/internal/kdf"
	"starling/session/prekey"
)

type inviteVectors struct {
	Secret      vectors.Hex   `json:"secret"`
	Expiry      int64         `json:"expiry"`
	Hints       []vectors.Hex `json:"hints"`
	BundleHash  vectors.Hex   `json:"bundle_hash"`
	Link        string        `json:"link"`
	ID          vectors.Hex   `json:"id"`
	BundleTags  []vectors.Hex `json:"bundle_tags"`
	BundleKey   vectors.Hex   `json:"bundle_key"`
	HelloTags   []vectors.Hex `json:"hello_tags"`
	HelloKey    vectors.Hex   `json:"hello_key"`
	Prekeys     vectors.Hex   `json:"prekeys"` // private
	Bundle      vectors.Hex   `json:"bundle"`
	BundleCells []vectors.Hex `json:"bundle_cells"`
	Hello       helloVector   `json:"hello"`
}

type helloVector struct {
	Slot  int           `json:"slot"`
	ID    vectors.Hex   `json:"id"`
	Plain vectors.Hex   `json:"plain"`
	Cells []vectors.Hex `json:"cells"`
}

func drawn(n int) vectors.Hex {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// derived fills in the values derived from the secret.
func (v *inviteVectors) derived() *Keys {
	k := DeriveKeys((*[32]byte)(v.Secret))
	v.ID, v.BundleKey, v.HelloKey = k.ID[:], k.bundle[:], k.hello[:]
	v.BundleTags, v.HelloTags = nil, nil
	for i := range k.BundleTags {
		v.BundleTags = append(v.BundleTags, k.BundleTags[i][:])
	}
	for slot := range k.HelloTags {
		for i := range k.HelloTags[slot] {
			v.HelloTags = append(v.HelloTags, k.HelloTags[slot][i][:])
		}
	}
	return k
}

func (v *inviteVectors) plain() (b [BundleSize]byte) {
	b[0] = 1
	binary.BigEndian.PutUint32(b[1:], uint32(v.Expiry))
	copy(b[5:], v.Bundle)
	return b
}

func makeInvite(t *testing.T) (v inviteVectors) {
	hints := [][]byte{drawn(39), drawn(51)}
	link, err := New(time.Unix(1_800_000_000, 0), hints)
	if err != nil {
		t.Fatal(err)
	}
	v = inviteVectors{Secret: link.Secret[:], Expiry: link.Expires.Unix(), Hints: []vectors.Hex{hints[0], hints[1]}}
	keys := v.derived()
	prekeys := prekey.New()
	v.Prekeys, v.Bundle = prekeys.Bytes(), prekeys.Bundle().Append(nil)
	bundle := v.plain()
	link.BundleHash = kdf.Hash(kdf.BundleHash, bundle[:])
	v.BundleHash, v.Link = link.BundleHash[:], link.Encode()
	v.Hello = helloVector{Slot: 5, ID: drawn(HelloIDSize), Plain: drawn(HelloSize)}
	for i := range Cells {
		b := keys.SealBundle(i, &bundle)
		v.BundleCells = append(v.BundleCells, b[:])
		h := keys.SealHello(5, i, (*[HelloIDSize]byte)(v.Hello.ID), (*[HelloSize]byte)(v.Hello.Plain))
		v.Hello.Cells = append(v.Hello.Cells, h[:])
	}
	return v
}

func checkInvite(t *testing.T, v inviteVectors) {
	got := v
	keys := got.derived()
	if !reflect.DeepEqual(got, v) {
		t.Error("the secret gives other tags or keys")
	}
	for _, text := range []string{v.Link, " " + strings.ToUpper(v.Link) + "\n"} {
		l, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(l.Secret[:], v.Secret) || !bytes.Equal(l.BundleHash[:], v.BundleHash) || l.Expires.Unix() != v.Expiry ||
			len(l.Hints) != len(v.Hints) || l.Encode() != v.Link {
			t.Error("the link says something else")
		}
		for i := range l.Hints {
			if !bytes.Equal(l.Hints[i], v.Hints[i]) {
				t.Errorf("hint %d: %x", i, l.Hints[i])
			}
		}
	}
	prekeys, err := prekey.ParsePrivate(v.Prekeys)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := prekey.Parse(v.Bundle); err != nil || !bytes.Equal(prekeys.Bundle().Append(nil), v.Bundle) {
		t.Errorf("bundle: %v", err)
	}
	var bundle [BundleSize]byte
	for i := range Cells {
		if !keys.OpenBundle(i, (*[envelope.CellSize]byte)(v.BundleCells[i]), &bundle) {
			t.Errorf("bundle cell %d does not open", i)
		}
		id, part, ok := keys.OpenHello(v.Hello.Slot, i, (*[envelope.CellSize]byte)(v.Hello.Cells[i]))
		if !ok || !bytes.Equal(id[:], v.Hello.ID) || !bytes.Equal(part[:], v.Hello.Plain[i*HelloPart:][:HelloPart]) {
			t.Errorf("hello cell %d: another hello", i)
		}
		if _, _, ok := keys.OpenHello(v.Hello.Slot^1, i, (*[envelope.CellSize]byte)(v.Hello.Cells[i])); ok {
			t.Errorf("hello cell %d opens in another slot", i)
		}
	}
	if bundle != v.plain() {
		t.Error("another bundle in the cells")
	}
	if hash := kdf.Hash(kdf.BundleHash, bundle[:]); !bytes.Equal(hash[:], v.BundleHash) {
		t.Errorf("bundle hash %x", hash)
	}
}

func TestVectors(t *testing.T) {
	vectors.Made(t, "invite", makeInvite, checkInvite)
	vectors.Produced(t, "invite", checkInvite)
}
