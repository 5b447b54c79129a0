package mailbox

import (
	"bytes"
	"crypto/rand"
	"errors"
	"reflect"
	"testing"
	"time"

	"starling/p2p/outfox"
)

func testBlock(t testing.TB, epoch byte) *outfox.Block {
	t.Helper()
	raw := make([]byte, outfox.BlockSize)
	rand.Read(raw)
	raw[0] = epoch
	b, err := outfox.ParseBlock(raw)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func testBlocks(t testing.TB, n int) (blocks []*outfox.Block) {
	for range n {
		blocks = append(blocks, testBlock(t, 1))
	}
	return blocks
}

func testTags(n int) []Tag {
	tags := make([]Tag, n)
	for i := range tags {
		rand.Read(tags[i][:])
	}
	return tags
}

func testLease() (id LeaseID) {
	rand.Read(id[:])
	return id
}

func testBox() (b Box) {
	rand.Read(b[:])
	return b
}

func TestPutRoundTrip(t *testing.T) {
	want := &Put{Tag: testTags(1)[0], Box: testBox(), Block: testBlock(t, 1)}
	got, err := ParseRequest(want.Message())
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("came back changed: %v", err)
	}
}

func TestFetchRoundTrip(t *testing.T) {
	for _, tc := range []struct {
		tags, acks, blocks int
		watch              bool
	}{
		{0, 0, 1, false},
		{1, 0, 1, true},
		{32, 1, 4, true},
		{32, 32, 2, false},
		{6, 5, 5, true},
		{0, 11, 5, false},
	} {
		want := &Fetch{Tags: testTags(tc.tags), Acks: testTags(tc.acks), Blocks: testBlocks(t, tc.blocks), Watch: tc.watch}
		if tc.watch {
			want.Lease, want.Stamp = testLease(), uint64(tc.tags)
		}
		m, err := want.Message()
		if err != nil {
			t.Errorf("%+v: %v", tc, err)
			continue
		}
		got, err := ParseRequest(m)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v: came back changed: %v", tc, err)
		}
	}
}

func TestFetchThatDoesNotFit(t *testing.T) {
	for _, tc := range []struct{ tags, acks, blocks int }{
		{1, 0, 0}, {1, 0, 6}, {33, 0, 1}, {0, 33, 1}, {32, 2, 4}, {6, 6, 5},
	} {
		f := &Fetch{Tags: testTags(tc.tags), Acks: testTags(tc.acks), Blocks: testBlocks(t, tc.blocks)}
		if _, err := f.Message(); !errors.Is(err, ErrTooMuch) {
			t.Errorf("%+v: %v", tc, err)
		}
	}
	for _, f := range []Fetch{{Watch: true}, {Lease: testLease()}, {Stamp: 1}} {
		f.Blocks = testBlocks(t, 1)
		if _, err := f.Message(); !errors.Is(err, ErrTooMuch) {
			t.Errorf("watch %v, lease %x, stamp %d: %v", f.Watch, f.Lease, f.Stamp, err)
		}
	}
	for blocks, want := range []int{125, 102, 79, 56, 33, 11, 0} {
		if got := Room(blocks); got != want {
			t.Errorf("Room(%d) = %d, want %d", blocks, got, want)
		}
	}
}

func TestAnswerRoundTrip(t *testing.T) {
	for _, want := range []*Answer{
		{Kind: Stored}, {Kind: Taken}, {Kind: Full},
		{Kind: Taken, Here: true, Box: testBox()},
		{Kind: None}, {Kind: None, Standing: 4},
		{Kind: None, NoSeat: true}, {Kind: None, NoSeat: true, Price: StampBits},
		{Kind: Listed, List: &List{Time: time.Unix(1_800_000_000, 0), Relays: 65535, Digest: [32]byte{1, 31: 2}}},
		{Kind: Listed, List: &List{Time: time.Unix(0, 0), Entries: []ListEntry{
			{7, bytes.Repeat([]byte{1}, 300)}, {0, []byte{2}}, {65535, bytes.Repeat([]byte{3}, 1600)},
		}}},
		{Kind: Found, Tag: testTags(1)[0], Box: testBox()},
		{Kind: Found, Pending: 31, Standing: 5, Tag: testTags(1)[0], Box: testBox()},
	} {
		got, err := ParseAnswer(want.Message())
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%v came back changed: %v", want.Kind, err)
		}
	}
}

// TestParseRefuses: each change of a good message must be refused, not read as
// something else.
func TestParseRefuses(t *testing.T) {
	put := (&Put{Tag: testTags(1)[0], Box: testBox(), Block: testBlock(t, 1)}).Message()
	fetch, err := (&Fetch{Tags: testTags(3), Acks: testTags(2), Blocks: testBlocks(t, 1)}).Message()
	if err != nil {
		t.Fatal(err)
	}
	question := (&Question{First: 200, Block: testBlock(t, 1)}).Message()
	taken := (&Answer{Kind: Taken, Here: true, Box: testBox()}).Message()
	list := (&Answer{Kind: Listed, List: &List{Time: time.Unix(0, 0), Entries: []ListEntry{{1, []byte{9}}}}}).Message()
	end := fetchHeader + 5*TagSize + outfox.BlockSize
	stored := (&Answer{Kind: Stored}).Message()
	none := (&Answer{Kind: None}).Message()
	found := (&Answer{Kind: Found, Tag: testTags(1)[0]}).Message()
	request := func(m *outfox.Message) error { _, err := ParseRequest(m); return err }
	answer := func(m *outfox.Message) error { _, err := ParseAnswer(m); return err }
	for _, tc := range []struct {
		name  string
		parse func(*outfox.Message) error
		good  *outfox.Message
		at    int
		value byte
	}{
		{"no kind", request, put, 0, 0},
		{"unknown kind", request, put, 0, 6},
		{"put as a question", request, put, 0, 3},
		{"junk after a question", request, question, questionSize, 1},
		{"junk at the end of a question", request, question, outfox.MessageSize - 1, 1},
		{"watch without a lease", request, fetch, 1, 1},
		{"lease without a watch", request, fetch, 5, 1},
		{"end of a lease without a watch", request, fetch, 12, 1},
		{"stamp without a watch", request, fetch, 13, 1},
		{"end of a stamp without a watch", request, fetch, 20, 1},
		{"junk after a put", request, put, putSize, 1},
		{"junk at the end of a put", request, put, outfox.MessageSize - 1, 1},
		{"unknown flag", request, fetch, 1, 2},
		{"fewer tags than there are", request, fetch, 2, 2},
		{"too many tags", request, fetch, 2, MaxTags + 1},
		{"too many acks", request, fetch, 3, MaxAcks + 1},
		{"no blocks", request, fetch, 4, 0},
		{"too many blocks", request, fetch, 4, MaxBlocks + 1},
		{"junk after a fetch", request, fetch, end, 1},
		{"junk at the end of a fetch", request, fetch, outfox.MessageSize - 1, 1},
		{"no kind of answer", answer, stored, 0, 0},
		{"unknown kind of answer", answer, stored, 0, 9},
		{"taken by what is neither here nor gone", answer, taken, 1, 2},
		{"taken by what is gone, and a box", answer, taken, 1, 0},
		{"junk after taken", answer, taken, 2 + BoxSize, 1},
		{"list of another time", answer, list, 1, 1},
		{"list of more than there is", answer, list, listHeader - 1, 2},
		{"list of less than there is", answer, list, listHeader - 1, 0},
		{"entry of nothing", answer, list, listHeader + 1, 0},
		{"entry over the end", answer, list, listHeader, 8},
		{"junk after a list", answer, list, listHeader + entryHeader + 1, 1},
		{"stamp that nobody makes", answer, none, 4, maxPrice + 1},
		{"junk after stored", answer, stored, 1, 1},
		{"none, but pending", answer, none, 2, 1},
		{"none with too many standing", answer, none, 3, MaxBlocks + 1},
		{"junk after none", answer, none, 5, 1},
		{"too many pending", answer, found, 1, 1},
		{"junk after a box", answer, found, answerTag + TagSize + BoxSize, 1},
	} {
		if err := tc.parse(tc.good); err != nil {
			t.Fatalf("%s: the good message: %v", tc.name, err)
		}
		bad := *tc.good
		bad[tc.at] = tc.value
		if err := tc.parse(&bad); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
	// Counts that together reach over the end.
	var long outfox.Message
	copy(long[:], []byte{kindFetch, 0, 32, 32, 5})
	if err := request(&long); !errors.Is(err, ErrMalformed) {
		t.Errorf("longer than a message: %v", err)
	}
}

func TestTagsDoNotPrint(t *testing.T) {
	tag := Tag(bytes.Repeat([]byte{0xab}, TagSize))
	if s := tag.String(); s != "abababab…" || tag.LogValue().String() != s {
		t.Errorf("prints %q", s)
	}
}

func FuzzParseRequest(f *testing.F) {
	put := (&Put{Tag: testTags(1)[0], Block: testBlock(f, 1)}).Message()
	fetch, err := (&Fetch{Tags: testTags(3), Acks: testTags(2), Blocks: testBlocks(f, 2), Watch: true, Lease: testLease()}).Message()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(put[:])
	f.Add(fetch[:])
	f.Add((&Question{Block: testBlock(f, 1)}).Message()[:])
	f.Add((&Append{Block: testBlock(f, 1), Entry: newWriter(1).entry()}).Message()[:])
	follow, err := (&Follow{Logs: []LogPosition{{Name: LogName{1}}, {After: 7}}, Mode: Stand, Lease: testLease(), Blocks: testBlocks(f, 2)}).Message()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(follow[:])
	f.Fuzz(func(t *testing.T, b []byte) {
		var m outfox.Message
		copy(m[:], b)
		req, err := ParseRequest(&m)
		if err != nil {
			return
		}
		var again *outfox.Message
		switch r := req.(type) {
		case *Put:
			again = r.Message()
		case *Fetch:
			if again, err = r.Message(); err != nil {
				t.Fatal(err)
			}
		case *Question:
			again = r.Message()
		case *Append:
			again = r.Message()
		case *Follow:
			if again, err = r.Message(); err != nil {
				t.Fatal(err)
			}
		}
		if *again != m {
			t.Fatal("accepted a request that no client would write")
		}
	})
}

func FuzzParseAnswer(f *testing.F) {
	list := &List{Time: time.Unix(0, 0), Entries: []ListEntry{{1, []byte{2}}, {3, []byte{4, 5}}}}
	f.Add((&Answer{Kind: Listed, List: list}).Message()[:])
	f.Add((&Answer{Kind: Logged, Entry: &LogEntry{Instance: 1, Position: 2}}).Message()[:])
	f.Add((&Answer{Kind: Ended, Ends: []LogEnd{{Instance: 1, Count: 2, Last: 3}, {}}}).Message()[:])
	for k := Stored; k <= None; k++ {
		m := (&Answer{Kind: k}).Message()
		f.Add(m[:])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var m outfox.Message
		copy(m[:], b)
		a, err := ParseAnswer(&m)
		if err != nil {
			return
		}
		if *a.Message() != m {
			t.Fatal("accepted an answer that no mailbox would write")
		}
	})
}
