package mailbox

import (
	"bytes"
	"crypto/ed25519"
	"reflect"
	"slices"
	"testing"

	"starling/docs/vectors"
	"starling/p2p/outfox"
)

type logVectors struct {
	Appends         []appendVector    `json:"appends"`
	Follows         []followVector    `json:"follows"`
	Answers         []logAnswerVector `json:"answers"`
	Digests         []digestVector    `json:"digests"`
	RefusedRequests []refusedMessage  `json:"refused_requests"`
	RefusedAnswers  []refusedMessage  `json:"refused_answers"`
}

type appendVector struct {
	Seed      vectors.Hex `json:"seed"` // private
	Block     vectors.Hex `json:"block"`
	Tag       vectors.Hex `json:"tag"`
	Box       vectors.Hex `json:"box"`
	Signature vectors.Hex `json:"signature"`
	Name      vectors.Hex `json:"name"`
	Message   vectors.Hex `json:"message"`
}

type followVector struct {
	Mode    Mode          `json:"mode"`
	Lease   vectors.Hex   `json:"lease"`
	Stamp   uint64        `json:"stamp"`
	Logs    []afterVector `json:"logs"`
	Blocks  []vectors.Hex `json:"blocks"`
	Message vectors.Hex   `json:"message"`
}

type afterVector struct {
	Name  vectors.Hex `json:"name"`
	After uint32      `json:"after"`
}

type logAnswerVector struct {
	Kind      Kind        `json:"kind"`
	Pending   int         `json:"pending"`
	Blocks    int         `json:"blocks"`
	Seat      int         `json:"seat"` // 0, 255, or bits
	Name      vectors.Hex `json:"name"`
	Instance  uint32      `json:"instance"`
	Position  uint32      `json:"position"`
	Tag       vectors.Hex `json:"tag"`
	Signature vectors.Hex `json:"signature"`
	Box       vectors.Hex `json:"box"`
	Sent      int         `json:"sent"`
	Ends      []endVector `json:"ends"`
	Message   vectors.Hex `json:"message"`
}

type endVector struct {
	Name     vectors.Hex `json:"name"`
	Instance uint32      `json:"instance"`
	Count    uint32      `json:"count"`
	Last     uint32      `json:"last"`
	Digest   vectors.Hex `json:"digest"`
}

type digestVector struct {
	Entries []struct {
		Tag vectors.Hex `json:"tag"`
		Box vectors.Hex `json:"box"`
	} `json:"entries"`
	Digest vectors.Hex `json:"digest"`
}

func makeLogs(t *testing.T) (v logVectors) {
	a := appendVector{Seed: drawn(ed25519.SeedSize), Block: drawn(outfox.BlockSize), Tag: drawn(TagSize), Box: drawn(BoxSize)}
	e := SignEntry(a.key(), Tag(a.Tag), (*Box)(a.Box))
	name := NameOf(a.public())
	a.Signature, a.Name = e.Signature[:], name[:]
	a.Message = a.message(t)
	v.Appends = append(v.Appends, a)

	for i, n := range [][2]int{{1, 5}, {MaxFollowed, MaxBlocks}, {3, 1}} {
		f := followVector{Mode: Mode(i), Lease: make([]byte, LeaseSize)}
		if f.Mode != Look {
			f.Lease, f.Stamp = drawn(LeaseSize), uint64(i)<<30
		}
		for j := range n[0] {
			f.Logs = append(f.Logs, afterVector{drawn(LogNameSize), Newest >> (4 * j)})
		}
		for range n[1] {
			f.Blocks = append(f.Blocks, drawn(outfox.BlockSize))
		}
		f.Message = f.message(t)
		v.Follows = append(v.Follows, f)
	}

	for i := range 4 {
		var d digestVector
		var set LogSet
		for range i {
			tag, box := drawn(TagSize), drawn(BoxSize)
			d.Entries = append(d.Entries, struct {
				Tag vectors.Hex `json:"tag"`
				Box vectors.Hex `json:"box"`
			}{tag, box})
			set.Add(Tag(tag), (*Box)(box))
		}
		sum := set.Digest()
		d.Digest = sum[:]
		v.Digests = append(v.Digests, d)
	}

	nothing := endVector{Name: drawn(LogNameSize), Digest: v.Digests[0].Digest}
	something := endVector{drawn(LogNameSize), 77, MaxEntries, MaxEntries + 5, drawn(32)}
	for _, a := range []logAnswerVector{
		{Kind: Logged, Pending: 65535, Blocks: maxStanding, Name: drawn(LogNameSize), Instance: 1, Position: Newest - 1,
			Tag: drawn(TagSize), Signature: drawn(ed25519.SignatureSize), Box: drawn(BoxSize)},
		{Kind: Ended, Blocks: 4, Sent: 2, Ends: []endVector{nothing, something}},
		{Kind: Ended, Seat: noSeat, Ends: slices.Repeat([]endVector{something}, MaxFollowed)},
		{Kind: Ended, Seat: StampBits, Ends: []endVector{nothing}},
	} {
		a.Message = a.answer().Message()[:]
		v.Answers = append(v.Answers, a)
	}

	look, stand := v.Follows[0].Message, v.Follows[1].Message
	twice := bytes.Clone(stand)
	copy(twice[followHeader+followedSize:], twice[followHeader:followHeader+LogNameSize])
	entry, ends := v.Answers[0].Message, v.Answers[1].Message
	v.RefusedRequests = []refusedMessage{
		{"append: not zero at the end", changed(a.Message, len(a.Message)-1, 1)},
		{"follow: no such mode", changed(stand, 1, 3)},
		{"follow: stand without a lease", changed(look, 1, 1)},
		{"follow: lease without stand", changed(look, 4, 1)},
		{"follow: stamp without stand", changed(look, 19, 1)},
		{"follow: no log", changed(look, 2, 0)},
		{"follow: 9 logs", changed(stand, 2, 9)},
		{"follow: no reply block", changed(look, 3, 0)},
		{"follow: 6 reply blocks", changed(look, 3, 6)},
		{"follow: a log twice", twice},
		{"follow: not zero at the end", changed(look, len(look)-1, 1)},
	}
	v.RefusedAnswers = []refusedMessage{
		{"entry: 11 blocks stand", changed(entry, 3, 11)},
		{"entry: no seat, but blocks stand", changed(entry, 4, noSeat)},
		{"entry: no instance", changed(entry, 24, 0)},
		{"entry: the position that is none", changed(entry, 28, 255)},
		{"entry: not zero at the end", changed(entry, len(entry)-1, 1)},
		{"end: of no log", changed(ends, 4, 0)},
		{"end: of 9 logs", changed(ends, 4, 9)},
		{"end: more came than fits", changed(ends, 3, 6)},
		{"end: last of a log that is not there", changed(ends, endHeader+LogNameSize+9, 1)},
		{"end: more than a log holds", changed(ends, endHeader+endSize+LogNameSize+5, 1)},
		{"end: not zero at the end", changed(ends, len(ends)-1, 1)},
	}
	return v
}

func (v *appendVector) key() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(v.Seed) }

func (v *appendVector) public() LogKey { return LogKey(v.key()[ed25519.SeedSize:]) }

func (v *appendVector) message(t *testing.T) vectors.Hex {
	return (&Append{Key: v.public(), Entry: SignEntry(v.key(), Tag(v.Tag), (*Box)(v.Box)), Block: parsedBlocks(t, v.Block)[0]}).Message()[:]
}

func (v *followVector) message(t *testing.T) vectors.Hex {
	f := Follow{Mode: v.Mode, Lease: LeaseID(v.Lease), Stamp: v.Stamp}
	for _, l := range v.Logs {
		f.Logs = append(f.Logs, LogPosition{Name: LogName(l.Name), After: l.After})
	}
	f.Blocks = parsedBlocks(t, v.Blocks...)
	m, err := f.Message()
	if err != nil {
		t.Fatal(err)
	}
	return m[:]
}

func (v *logAnswerVector) answer() *Answer {
	a := &Answer{Kind: v.Kind, Pending: v.Pending, Standing: v.Blocks, Sent: v.Sent, NoSeat: v.Seat != 0}
	if v.Seat != noSeat {
		a.Price = v.Seat
	}
	if v.Kind == Logged {
		a.Entry = &LogEntry{Name: LogName(v.Name), Instance: v.Instance, Position: v.Position,
			Entry: Entry{Tag(v.Tag), [ed25519.SignatureSize]byte(v.Signature), Box(v.Box)}}
	}
	for _, e := range v.Ends {
		a.Ends = append(a.Ends, LogEnd{LogName(e.Name), e.Instance, e.Count, e.Last, [32]byte(e.Digest)})
	}
	return a
}

func TestLogVectors(t *testing.T) {
	check := func(t *testing.T, v logVectors) {
		for i, a := range v.Appends {
			got, err := ParseRequest((*outfox.Message)(a.Message))
			r, ok := got.(*Append)
			if err != nil || !ok || r.Key != a.public() || NameOf(r.Key) != LogName(a.Name) || !r.Entry.SignedBy(r.Key) ||
				!bytes.Equal(r.Entry.Signature[:], a.Signature) || !bytes.Equal(a.message(t), a.Message) {
				t.Errorf("append %d: %v", i, err)
			}
		}
		for i, f := range v.Follows {
			got, err := ParseRequest((*outfox.Message)(f.Message))
			r, ok := got.(*Follow)
			if err != nil || !ok || r.Mode != f.Mode || len(r.Logs) != len(f.Logs) || len(r.Blocks) != len(f.Blocks) {
				t.Fatalf("follow %d: %v", i, err)
			}
			if again, err := r.Message(); err != nil || !bytes.Equal(again[:], f.Message) || !bytes.Equal(f.message(t), f.Message) {
				t.Errorf("follow %d is made differently: %v", i, err)
			}
		}
		for i, a := range v.Answers {
			got, err := ParseAnswer((*outfox.Message)(a.Message))
			if err != nil || !reflect.DeepEqual(got, a.answer()) || !bytes.Equal(got.Message()[:], a.Message) {
				t.Errorf("answer %d: %v", i, err)
			}
		}
		for i, d := range v.Digests {
			var set LogSet
			for _, e := range slices.Backward(d.Entries) {
				set.Add(Tag(e.Tag), (*Box)(e.Box))
			}
			if sum := set.Digest(); !bytes.Equal(sum[:], d.Digest) {
				t.Errorf("digest %d is another", i)
			}
		}
		checkRefused(t, v.RefusedRequests, v.RefusedAnswers)
	}
	vectors.Made(t, "log", makeLogs, check)
	vectors.Produced(t, "log", check)
}
