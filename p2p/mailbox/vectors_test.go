package mailbox

import (
	"bytes"
	"crypto/rand"
	"reflect"
	"testing"
	"time"

	"starling/docs/vectors"
	"starling/p2p/outfox"
	"starling/p2p/wire"
)

type messageVectors struct {
	Puts            []putVector      `json:"puts"`
	Fetches         []fetchVector    `json:"fetches"`
	Questions       []questionVector `json:"questions"`
	Answers         []answerVector   `json:"answers"`
	Stamps          []stampVector    `json:"stamps"`
	RefusedRequests []refusedMessage `json:"refused_requests"`
	RefusedAnswers  []refusedMessage `json:"refused_answers"`
}

type putVector struct {
	Block   vectors.Hex `json:"block"`
	Tag     vectors.Hex `json:"tag"`
	Box     vectors.Hex `json:"box"`
	Message vectors.Hex `json:"message"`
}

type fetchVector struct {
	Stand   bool          `json:"stand"`
	Lease   vectors.Hex   `json:"lease"`
	Stamp   uint64        `json:"stamp"`
	Tags    []vectors.Hex `json:"tags"`
	Deleted []vectors.Hex `json:"deleted"`
	Blocks  []vectors.Hex `json:"blocks"`
	Message vectors.Hex   `json:"message"`
}

type questionVector struct {
	Block   vectors.Hex `json:"block"`
	First   byte        `json:"first"`
	Message vectors.Hex `json:"message"`
}

type answerVector struct {
	Kind    Kind          `json:"kind"`
	Here    bool          `json:"here"` // of taken
	Pending int           `json:"pending"`
	Blocks  int           `json:"blocks"`
	Seat    int           `json:"seat"` // 0, 255, or bits
	Tag     vectors.Hex   `json:"tag"`
	Box     vectors.Hex   `json:"box"`
	Time    int64         `json:"time"` // of list
	Relays  int           `json:"relays"`
	Digest  vectors.Hex   `json:"digest"`
	Known   []uint16      `json:"known"`
	Entries []vectors.Hex `json:"entries"`
	Message vectors.Hex   `json:"message"`
}

// stampVector is a stamp and how many bits it has.
type stampVector struct {
	Mailbox vectors.Hex `json:"mailbox"`
	Day     uint32      `json:"day"`
	Lease   vectors.Hex `json:"lease"`
	Stamp   uint64      `json:"stamp"`
	Bits    int         `json:"bits"`
}

type refusedMessage struct {
	Why     string      `json:"why"`
	Message vectors.Hex `json:"message"`
}

func drawn(n int) vectors.Hex {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

func makeMessages(t *testing.T) (v messageVectors) {
	p := putVector{Block: drawn(outfox.BlockSize), Tag: drawn(TagSize), Box: drawn(BoxSize)}
	p.Message = p.message(t)
	v.Puts = append(v.Puts, p)
	many := func(n, size int) []vectors.Hex {
		all := make([]vectors.Hex, n)
		for i := range all {
			all[i] = drawn(size)
		}
		return all
	}
	for i, n := range [][3]int{{1, 0, 1}, {32, 32, 2}, {0, 32, 1}, {11, 0, 5}} {
		f := fetchVector{Stand: i%2 == 1, Lease: make([]byte, LeaseSize), Tags: many(n[0], TagSize), Deleted: many(n[1], TagSize), Blocks: many(n[2], outfox.BlockSize)}
		if f.Stand {
			f.Lease, f.Stamp = drawn(LeaseSize), uint64(i)<<20
		}
		f.Message = f.message(t)
		v.Fetches = append(v.Fetches, f)
	}
	for _, a := range []answerVector{
		{Kind: Stored}, {Kind: Taken}, {Kind: Full},
		{Kind: Found, Pending: MaxTags, Blocks: MaxBlocks, Tag: drawn(TagSize), Box: drawn(BoxSize)},
		{Kind: None, Blocks: 3},
		{Kind: None, Seat: noSeat}, {Kind: None, Seat: StampBits},
		{Kind: Taken, Here: true, Box: drawn(BoxSize)},
		{Kind: Listed, Time: 1_800_000_000, Relays: 300, Digest: drawn(32), Known: []uint16{0, 65535}, Entries: []vectors.Hex{drawn(330), drawn(1)}},
	} {
		a.Message = a.answer().Message()[:]
		v.Answers = append(v.Answers, a)
	}
	q := questionVector{Block: drawn(outfox.BlockSize), First: 0xfe}
	q.Message = q.message(t)
	v.Questions = append(v.Questions, q)
	for _, bits := range []int{1, 12} {
		s := stampVector{Mailbox: drawn(32), Day: 20_779, Lease: drawn(LeaseSize)}
		s.Stamp, _ = FindStamp(t.Context(), wire.NodeID(s.Mailbox), LeaseID(s.Lease), time.Unix(int64(s.Day)*24*3600, 0), bits)
		s.Bits = s.bits()
		v.Stamps = append(v.Stamps, s)
	}
	fetch, box, none := v.Fetches[0].Message, v.Answers[3].Message, v.Answers[4].Message
	taken, list := v.Answers[7].Message, v.Answers[8].Message
	v.RefusedRequests = []refusedMessage{
		{"no such request", changed(p.Message, 0, 6)},
		{"list: not zero at the end", changed(q.Message, len(q.Message)-1, 1)},
		{"fetch: stand without a lease", changed(fetch, 1, 1)},
		{"fetch: lease without stand", changed(fetch, 5, 1)},
		{"fetch: stamp without stand", changed(fetch, 20, 1)},
		{"put: not zero at the end", changed(p.Message, len(p.Message)-1, 1)},
		{"fetch: stand neither 0 nor 1", changed(fetch, 1, 2)},
		{"fetch: 33 tags", changed(fetch, 2, 33)},
		{"fetch: no reply block", changed(fetch, 4, 0)},
		{"fetch: 6 reply blocks", changed(fetch, 4, 6)},
		{"fetch: more than there is room for", changed(v.Fetches[1].Message, 4, 3)},
		{"fetch: not zero at the end", changed(fetch, len(fetch)-1, 1)},
	}
	v.RefusedAnswers = []refusedMessage{
		{"no such answer", changed(none, 0, 9)},
		{"taken: neither 0 nor 1", changed(taken, 1, 2)},
		{"taken: a box that is gone", changed(taken, 1, 0)},
		{"list: of no time", changed(list, 1, 1)},
		{"list: more entries than there are", changed(list, listHeader-1, 3)},
		{"list: fewer entries than there are", changed(list, listHeader-1, 1)},
		{"none: stamp of 41 bits", changed(none, 4, 41)},
		{"none: no seat, but blocks stand", changed(none, 4, noSeat)},
		{"stored: not zero behind", changed(v.Answers[0].Message, 1, 1)},
		{"box: 33 more", changed(box, 2, 33)},
		{"box: 6 blocks stand", changed(box, 3, 6)},
		{"none: some more", changed(none, 2, 1)},
	}
	return v
}

// changed is a message with another byte at one place.
func changed(m vectors.Hex, at int, to byte) vectors.Hex {
	m = bytes.Clone(m)
	m[at] = to
	return m
}

func parsedBlocks(t *testing.T, all ...vectors.Hex) (blocks []*outfox.Block) {
	for _, b := range all {
		block, err := outfox.ParseBlock(b)
		if err != nil {
			t.Fatal(err)
		}
		blocks = append(blocks, block)
	}
	return blocks
}

// checkRefused holds that none of the messages is taken.
func checkRefused(t *testing.T, requests, answers []refusedMessage) {
	for _, m := range requests {
		if _, err := ParseRequest((*outfox.Message)(m.Message)); err == nil {
			t.Errorf("%s: taken", m.Why)
		}
	}
	for _, m := range answers {
		if _, err := ParseAnswer((*outfox.Message)(m.Message)); err == nil {
			t.Errorf("%s: taken", m.Why)
		}
	}
}

func (v *putVector) message(t *testing.T) vectors.Hex {
	return (&Put{Tag: Tag(v.Tag), Box: Box(v.Box), Block: parsedBlocks(t, v.Block)[0]}).Message()[:]
}

func (v *questionVector) message(t *testing.T) vectors.Hex {
	return (&Question{First: v.First, Block: parsedBlocks(t, v.Block)[0]}).Message()[:]
}

func (v *stampVector) bits() int {
	o := offer(wire.NodeID(v.Mailbox), LeaseID(v.Lease), v.Day)
	return o.Bits(v.Stamp)
}

func (v *fetchVector) message(t *testing.T) vectors.Hex {
	f := Fetch{Watch: v.Stand, Lease: LeaseID(v.Lease), Stamp: v.Stamp}
	for _, tag := range v.Tags {
		f.Tags = append(f.Tags, Tag(tag))
	}
	for _, tag := range v.Deleted {
		f.Acks = append(f.Acks, Tag(tag))
	}
	f.Blocks = parsedBlocks(t, v.Blocks...)
	m, err := f.Message()
	if err != nil {
		t.Fatal(err)
	}
	return m[:]
}

func (v *answerVector) answer() *Answer {
	a := &Answer{Kind: v.Kind, Pending: v.Pending, Standing: v.Blocks, Here: v.Here, NoSeat: v.Seat != 0}
	if v.Seat != noSeat {
		a.Price = v.Seat
	}
	copy(a.Tag[:], v.Tag)
	copy(a.Box[:], v.Box)
	if v.Kind == Listed {
		a.List = &List{Time: time.Unix(v.Time, 0), Relays: v.Relays, Digest: [32]byte(v.Digest)}
		for i, e := range v.Entries {
			a.List.Entries = append(a.List.Entries, ListEntry{v.Known[i], e})
		}
	}
	return a
}

func TestVectors(t *testing.T) {
	check := func(t *testing.T, v messageVectors) {
		for i, p := range v.Puts {
			got, err := ParseRequest((*outfox.Message)(p.Message))
			put, ok := got.(*Put)
			if err != nil || !ok || !bytes.Equal(put.Tag[:], p.Tag) || !bytes.Equal(put.Box[:], p.Box) ||
				!bytes.Equal(put.Block.Append(nil), p.Block) || !bytes.Equal(p.message(t), p.Message) {
				t.Errorf("put %d: %v", i, err)
			}
		}
		for i, f := range v.Fetches {
			got, err := ParseRequest((*outfox.Message)(f.Message))
			fetch, ok := got.(*Fetch)
			if err != nil || !ok || fetch.Watch != f.Stand || len(fetch.Tags) != len(f.Tags) ||
				len(fetch.Acks) != len(f.Deleted) || len(fetch.Blocks) != len(f.Blocks) {
				t.Fatalf("fetch %d: %v", i, err)
			}
			if again, err := fetch.Message(); err != nil || !bytes.Equal(again[:], f.Message) || !bytes.Equal(f.message(t), f.Message) {
				t.Errorf("fetch %d is made differently: %v", i, err)
			}
		}
		for i, q := range v.Questions {
			got, err := ParseRequest((*outfox.Message)(q.Message))
			question, ok := got.(*Question)
			if err != nil || !ok || question.First != q.First || !bytes.Equal(question.Block.Append(nil), q.Block) ||
				!bytes.Equal(q.message(t), q.Message) {
				t.Errorf("question %d: %v", i, err)
			}
		}
		for i, s := range v.Stamps {
			if got := s.bits(); got != s.Bits {
				t.Errorf("stamp %d has %d bits, want %d", i, got, s.Bits)
			}
		}
		for i, a := range v.Answers {
			got, err := ParseAnswer((*outfox.Message)(a.Message))
			if err != nil || !reflect.DeepEqual(got, a.answer()) || !bytes.Equal(got.Message()[:], a.Message) {
				t.Errorf("answer %d: %v", i, err)
			}
		}
		checkRefused(t, v.RefusedRequests, v.RefusedAnswers)
	}
	vectors.Made(t, "mailbox", makeMessages, check)
	vectors.Produced(t, "mailbox", check)
}
