package invite

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"
	"time"

	"starling/session/envelope"
)

// hexBytes is bytes that JSON has in hexadecimal.
type hexBytes []byte

func (h *hexBytes) UnmarshalText(b []byte) (err error) {
	*h, err = hex.DecodeString(string(b))
	return err
}

// TestSecondImplementation checks link, keys and cells against layout.py, which
// was written from nothing but the package comments.
func TestSecondImplementation(t *testing.T) {
	b, err := os.ReadFile("../internal/vectors/testdata/layout.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Invite struct {
			Secret     hexBytes
			BundleHash hexBytes `json:"bundle_hash"`
			Expiry     int64
			Hints      []hexBytes
			Text       string
			ID         hexBytes
			BundleTags []hexBytes `json:"bundle_tags"`
			HelloTags  []hexBytes `json:"hello_tags"`
			BundleKey  hexBytes   `json:"bundle_key"`
			HelloKey   hexBytes   `json:"hello_key"`
			BundlePart hexBytes   `json:"bundle_part"`
			BundleCell hexBytes   `json:"bundle_cell"`
			HelloPart  hexBytes   `json:"hello_part"`
			HelloCell  hexBytes   `json:"hello_cell"`
			HelloSlot  int        `json:"hello_slot"`
			HelloIndex int        `json:"hello_index"`
		}
	}
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	v := &file.Invite
	l := &Link{Secret: [32]byte(v.Secret), BundleHash: [32]byte(v.BundleHash), Expires: time.Unix(v.Expiry, 0)}
	for _, h := range v.Hints {
		l.Hints = append(l.Hints, h)
	}
	if l.Encode() != v.Text {
		t.Errorf("link %s, want %s", l.Encode(), v.Text)
	}
	if got, err := Parse(v.Text); err != nil || !bytes.Equal(got.Bytes(), l.Bytes()) {
		t.Error("link comes back changed", err)
	}
	k := DeriveKeys(&l.Secret)
	same := func(name string, got []byte, want hexBytes) {
		t.Helper()
		if !bytes.Equal(got, want) {
			t.Errorf("%s = %x, want %x", name, got, []byte(want))
		}
	}
	same("id", k.ID[:], v.ID)
	same("bundle key", k.bundle[:], v.BundleKey)
	same("hello key", k.hello[:], v.HelloKey)
	for i := range Cells {
		same("bundle tag", k.BundleTags[i][:], v.BundleTags[i])
	}
	for s := range Slots {
		for i := range Cells {
			same("hello tag", k.HelloTags[s][i][:], v.HelloTags[s*Cells+i])
		}
	}
	var bundle [BundleSize]byte
	if !k.OpenBundle(2, (*[envelope.CellSize]byte)(v.BundleCell), &bundle) {
		t.Error("bundle cell does not open")
	}
	same("bundle part", bundle[2*partSize:], v.BundlePart)
	id, part, ok := k.OpenHello(v.HelloSlot, v.HelloIndex, (*[envelope.CellSize]byte)(v.HelloCell))
	if !ok {
		t.Error("hello cell does not open")
	}
	same("hello part", append(id[:], part[:]...), v.HelloPart)
}
