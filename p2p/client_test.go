package p2p_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"testing"

	"go.uber.org/goleak"

	"starling/p2p"
	"starling/p2p/p2ptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func randomTag() (t p2p.Tag) {
	rand.Read(t[:])
	return t
}

func randomBox() []byte {
	b := make([]byte, p2p.BoxSize)
	rand.Read(b)
	return b
}

// TestPutFetch is the shortest way through everything.
func TestPutFetch(t *testing.T) {
	mesh := p2ptest.NewMesh(t, 5, nil)
	a, b := mesh.Client(nil), mesh.Client(nil)
	a.WaitReady(t)
	b.WaitReady(t)
	boxes, err := b.ChooseMailboxes(2)
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	for _, m := range boxes {
		tag, box := randomTag(), randomBox()
		if err := a.Put(ctx, m, tag, box); err != nil {
			t.Fatalf("put: %v", err)
		}
		got, err := b.Fetch(ctx, m, []p2p.Tag{tag, randomTag()})
		if err != nil || len(got) != 1 || !bytes.Equal(got[tag], box) {
			t.Fatalf("fetch: %v, %d boxes", err, len(got))
		}
	}
}
