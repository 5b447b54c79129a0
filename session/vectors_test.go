package session

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/json"
	"io"
	mathrand "math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"starling/docs/vectors"
	"starling/session/envelope"
	"starling/session/invite"
	"starling/session/prekey"
)

func drawn(n int) vectors.Hex {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// cellVectors are the tags of a direction and the bodies of cells.
type cellVectors struct {
	TagKey  vectors.Hex   `json:"tag_key"`
	Tags    []vectors.Hex `json:"tags"`
	Flares  []vectors.Hex `json:"flares"`
	Answers []vectors.Hex `json:"answers"`
	Bodies  []bodyVector  `json:"bodies"`
	Refused []refusedBody `json:"refused"`
}

type bodyVector struct {
	Word     byte        `json:"word"`
	Number   uint32      `json:"number"`
	Heard    uint32      `json:"heard"`
	Flare    uint32      `json:"flare"`
	Previous vectors.Hex `json:"previous"`
	ID       vectors.Hex `json:"id"`
	Index    uint16      `json:"index"`
	Count    uint16      `json:"count"`
	Data     vectors.Hex `json:"data"`
	Body     vectors.Hex `json:"body"`
}

type refusedBody struct {
	Why  string      `json:"why"`
	Body vectors.Hex `json:"body"`
}

func (v *bodyVector) body() envelope.Body {
	return envelope.Body{Word: v.Word, Number: v.Number, Heard: v.Heard, Flare: v.Flare, Previous: mac(v.Previous), ID: ID(v.ID), Index: v.Index, Count: v.Count, Data: v.Data}
}

func encodeBody(b envelope.Body) vectors.Hex {
	var out [envelope.BodySize]byte
	b.Encode(&out)
	return out[:]
}

func makeCells(*testing.T) (v cellVectors) {
	v.TagKey = drawn(32)
	cells, flares, answers := chains([32]byte(v.TagKey))
	for range 40 {
		tag := cells.next()
		v.Tags = append(v.Tags, tag[:])
	}
	for range 3 {
		f, a := flares.next(), answers.next()
		v.Flares, v.Answers = append(v.Flares, f[:]), append(v.Answers, a[:])
	}
	content := drawn(MaxContent)
	add := func(number uint32, previous vectors.Hex, n, i int) {
		b := bodyVector{
			Word: byte(n), Number: number, Heard: number / 2, Flare: number / 12,
			Previous: previous, ID: drawn(16), Index: uint16(i), Count: uint16(envelope.Count(n)),
			Data: envelope.Fragment(content[:n], i),
		}
		b.Body = encodeBody(b.body())
		v.Bodies = append(v.Bodies, b)
	}
	add(0, make(vectors.Hex, 32), 0, 0)
	add(1, drawn(32), 5, 0)
	add(2, drawn(32), envelope.DataSize, 0)
	add(1<<30, drawn(32), 2000, 0)
	add(envelope.MaxNumber, drawn(32), 2000, 1)
	add(77, drawn(32), MaxContent, envelope.MaxFragments-1)
	signal := bodyVector{Number: 50, Heard: 7, Flare: 3, Previous: drawn(32), ID: make(vectors.Hex, 16)}
	signal.Body = encodeBody(signal.body())
	v.Bodies = append(v.Bodies, signal)

	refuse := func(why string, edit func(b vectors.Hex)) {
		b := bytes.Clone(v.Bodies[1].Body) // one fragment of 5 bytes
		edit(b)
		v.Refused = append(v.Refused, refusedBody{why, b})
	}
	refuse("version 1", func(b vectors.Hex) { b[0] = 1 })
	refuse("number", func(b vectors.Hex) { b[2] = 0x80 })
	refuse("index is the count", func(b vectors.Hex) { b[63] = 1 })
	refuse("a signal with a content", func(b vectors.Hex) { b[65] = 0 })
	refuse("a signal with an id", func(b vectors.Hex) { b[65], b[67] = 0, 0; clear(b[68:]) })
	refuse("52 fragments", func(b vectors.Hex) { b[63], b[65] = 51, 52 })
	refuse("a fragment before the last that is not full", func(b vectors.Hex) { b[65] = 2 })
	refuse("an empty last fragment of two", func(b vectors.Hex) { b[63], b[65], b[67] = 1, 2, 0; clear(b[68:]) })
	refuse("longer than there is room for", func(b vectors.Hex) { b[66], b[67] = 0x05, 0x0c })
	refuse("not zero behind the data", func(b vectors.Hex) { b[1358] = 1 })
	refuse("shorter than its data", func(b vectors.Hex) { b[67] = 4; b[72] = 1 })
	return v
}

func checkCells(t *testing.T, v cellVectors) {
	s, r := newSender([32]byte(v.TagKey)), newReceiver([32]byte(v.TagKey))
	for i, want := range v.Tags {
		if tag := s.next(new([envelope.CellSize]byte)); !bytes.Equal(tag[:], want) {
			t.Fatalf("tag %d is %x", i, tag[:])
		}
		if i < Ahead && !bytes.Equal(r.ahead[i][:], want) {
			t.Fatalf("the receiver expects %x as tag %d", r.ahead[i][:], i)
		}
	}
	for i := range v.Flares {
		f, a := s.flares.next(), s.answers.next()
		if !bytes.Equal(f[:], v.Flares[i]) || !bytes.Equal(a[:], v.Answers[i]) || i < flaresAhead && r.flare[i] != f {
			t.Fatalf("flare %d is under %x, its answer under %x", i, f[:], a[:])
		}
	}
	for i, b := range v.Bodies {
		got, err := envelope.Parse(b.Body)
		if err != nil || !bytes.Equal(encodeBody(b.body()), b.Body) || !bytes.Equal(encodeBody(got), b.Body) || !bytes.Equal(got.Data, b.Data) {
			t.Errorf("body %d: %v", i, err)
		}
	}
	for _, b := range v.Refused {
		if _, err := envelope.Parse(b.Body); err == nil {
			t.Errorf("%s: taken", b.Why)
		}
	}
}

func TestCellVectors(t *testing.T) {
	vectors.Made(t, "cell", makeCells, checkCells)
	vectors.Produced(t, "cell", checkCells)
}

// sessionVectors is B's view: an invite of its own, the hello, and the cells that A
// sends before B answers, not in their order.
type sessionVectors struct {
	Link         string        `json:"link"`
	Prekeys      vectors.Hex   `json:"prekeys"` // private
	BundleCells  []vectors.Hex `json:"bundle_cells"`
	Hello        []cellVector  `json:"hello"`
	ID           vectors.Hex   `json:"id"` // of the first content
	First        vectors.Hex   `json:"first"`
	SafetyNumber string        `json:"safety_number"`
	Verification string        `json:"verification_code"`
	Export       vectors.Hex   `json:"export"` // context "starling vectors"
	Cells        []openVector  `json:"cells"`
}

type cellVector struct {
	Tag vectors.Hex `json:"tag"`
	Box vectors.Hex `json:"box"`
}

type openVector struct {
	cellVector
	Word   byte          `json:"word"`
	Number uint64        `json:"number"`
	ID     vectors.Hex   `json:"id"`
	Index  uint16        `json:"index"`
	Count  uint16        `json:"count"`
	Data   vectors.Hex   `json:"data"`
	Window []vectors.Hex `json:"window"` // of B, when it has opened the cell
}

func (v *cellVector) cell() (c Cell) {
	copy(c.Tag[:], v.Tag)
	copy(c.Box[:], v.Box)
	return c
}

func vectorOf(c Cell) cellVector { return cellVector{c.Tag[:], c.Box[:]} }

func windowOf(s *Session) (tags []vectors.Hex) {
	for _, tag := range s.Window() {
		tags = append(tags, tag[:])
	}
	return tags
}

func makeSession(t *testing.T) (v sessionVectors) {
	bob, err := NewInvite(time.Unix(1_800_000_000, 0), [][]byte{drawn(39)})
	if err != nil {
		t.Fatal(err)
	}
	v.Link, v.Prekeys = bob.Link(), bob.prekeys.Bytes()
	for _, c := range bob.Bundle() {
		v.BundleCells = append(v.BundleCells, c.Box[:])
	}
	v.ID, v.First = drawn(16), drawn(100)
	invitation, err := ParseLink(v.Link)
	if err != nil {
		t.Fatal(err)
	}
	alice, hello, err := invitation.Join(bob.Expires(), bob.Bundle(), ID(v.ID), v.First)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range hello {
		v.Hello = append(v.Hello, vectorOf(c))
	}
	v.SafetyNumber, v.Verification = alice.SafetyNumber(), alice.VerificationCode()
	export := alice.Export("starling vectors")
	v.Export = export[:]
	peer, _ := accept(t, bob, hello)
	var cells []Cell
	for _, n := range []int{0, 10, 3000} {
		more, err := alice.Seal(ID(drawn(16)), drawn(n), byte(n))
		if err != nil {
			t.Fatal(err)
		}
		cells = append(cells, more...)
	}
	for range 8 {
		seal(t, alice, "lost")
	}
	cells = append(cells, alice.Signals()...)
	for _, i := range []int{3, 0, 5, 4, 2, 1} {
		p, err := peer.Open(cells[i])
		if err != nil {
			t.Fatal(err)
		}
		v.Cells = append(v.Cells, openVector{vectorOf(cells[i]), p.Word, p.Seq, p.ID[:], p.Index, p.Count, p.Data, windowOf(peer)})
	}
	return v
}

func checkSession(t *testing.T, v sessionVectors) {
	link, err := invite.Parse(v.Link)
	if err != nil {
		t.Fatal(err)
	}
	bob := &Invite{link: link, keys: invite.DeriveKeys(&link.Secret)}
	if bob.prekeys, err = prekey.ParsePrivate(v.Prekeys); err != nil {
		t.Fatal(err)
	}
	var bundle []Cell
	for i, box := range v.BundleCells {
		bundle = append(bundle, Cell{Tag: bob.keys.BundleTags[i], Box: [envelope.CellSize]byte(box)})
	}
	invitation, err := ParseLink(v.Link)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := invitation.Join(link.Expires, bundle, ID(v.ID), v.First); err != nil {
		t.Errorf("the bundle: %v", err)
	}
	var hello []Cell
	for i := range v.Hello {
		hello = append(hello, v.Hello[i].cell())
	}
	s, first := accept(t, bob, hello)
	if !bytes.Equal(first.ID[:], v.ID) || !bytes.Equal(first.Data, v.First) || s.SafetyNumber() != v.SafetyNumber {
		t.Error("another first content or safety number")
	}
	if s.VerificationCode() != v.Verification {
		t.Error("another verification code")
	}
	if export := s.Export("starling vectors"); !bytes.Equal(export[:], v.Export) {
		t.Error("another export")
	}
	for i, c := range v.Cells {
		p, err := s.Open(c.cell())
		if err != nil || p.Seq != c.Number || p.Word != c.Word || !bytes.Equal(p.ID[:], c.ID) || p.Index != c.Index || p.Count != c.Count || !bytes.Equal(p.Data, c.Data) {
			t.Fatalf("cell %d: %v", i, err)
		}
		if !slices.EqualFunc(windowOf(s), c.Window, func(a, b vectors.Hex) bool { return bytes.Equal(a, b) }) {
			t.Errorf("cell %d: another window", i)
		}
		refuse(t, s, c.cell())
	}
}

func TestSessionVectors(t *testing.T) {
	vectors.Made(t, "session", makeSession, checkSession)
	vectors.Produced(t, "session", checkSession)
}

// A pythonParty is a side of a conversation in another process.
type pythonParty struct {
	t  *testing.T
	in *json.Encoder
	up *bufio.Reader
}

func newPythonParty(t *testing.T) *pythonParty {
	cmd := vectors.Python(t, "--talk")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		io.Copy(io.Discard, out)
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
	return &pythonParty{t, json.NewEncoder(in), bufio.NewReader(out)}
}

type talkAnswer struct {
	Link         string
	Cells        []cellVector
	Part         *bodyVector
	Tags         []vectors.Hex
	SafetyNumber string `json:"safety_number"`
	Epoch        int
	Refused      string
}

func (p *pythonParty) do(what string, arguments map[string]any) (a talkAnswer) {
	p.t.Helper()
	arguments["do"] = what
	if err := p.in.Encode(arguments); err != nil {
		p.t.Fatal(err)
	}
	line, err := p.up.ReadBytes('\n')
	if err != nil {
		p.t.Fatal(err)
	}
	if err := json.Unmarshal(line, &a); err != nil {
		p.t.Fatal(err)
	}
	return a
}

func (p *pythonParty) cells(a talkAnswer) (cells []Cell) {
	p.t.Helper()
	if len(a.Cells) == 0 {
		p.t.Fatalf("no cells: %s", a.Refused)
	}
	for i := range a.Cells {
		cells = append(cells, a.Cells[i].cell())
	}
	return cells
}

func (p *pythonParty) open(c Cell) (Part, bool) {
	p.t.Helper()
	a := p.do("open", map[string]any{"tag": vectors.Hex(c.Tag[:]), "box": vectors.Hex(c.Box[:])})
	if a.Part == nil {
		return Part{}, false
	}
	return Part{ID: ID(a.Part.ID), Index: a.Part.Index, Count: a.Part.Count, Data: a.Part.Data, Word: a.Part.Word, Seq: uint64(a.Part.Number)}, true
}

// TestTalk has conversations with the second implementation over a network that
// loses, delays and repeats: one invited here, one there. The longer one goes
// through more than one epoch of the post-quantum ratchet.
func TestTalk(t *testing.T) {
	expires := time.Unix(1_800_000_000, 0)
	id, first := ID(drawn(16)), drawn(500)
	t.Run("invited here", func(t *testing.T) {
		them := newPythonParty(t)
		v, err := NewInvite(expires, [][]byte{drawn(39)})
		if err != nil {
			t.Fatal(err)
		}
		var bundle []cellVector
		for _, c := range v.Bundle() {
			bundle = append(bundle, vectorOf(c))
		}
		hello := them.cells(them.do("join", map[string]any{"link": v.Link(), "bundle": bundle, "id": vectors.Hex(id[:]), "first": first}))
		us, part := accept(t, v, hello)
		if part.ID != id || !bytes.Equal(part.Data, first) {
			t.Fatal("another first content")
		}
		converse(t, us, them, 250)
		if epoch := them.do("epoch", map[string]any{}).Epoch; epoch < 3 {
			t.Errorf("only at epoch %d", epoch)
		}
	})
	t.Run("invited there", func(t *testing.T) {
		them := newPythonParty(t)
		a := them.do("invite", map[string]any{"expires": expires.Unix(), "hints": []vectors.Hex{drawn(51)}})
		v, err := ParseLink(a.Link)
		if err != nil {
			t.Fatal(err)
		}
		us, hello, err := v.Join(expires, them.cells(a), id, first)
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range hello {
			a := them.do("accept", map[string]any{"tag": vectors.Hex(c.Tag[:]), "box": vectors.Hex(c.Box[:])})
			if i == 2 && (a.Part == nil || !bytes.Equal(a.Part.Data, first)) {
				t.Fatalf("not accepted: %s", a.Refused)
			}
		}
		converse(t, us, them, 20)
	})
}

// converse goes on until both have sent n contents.
func converse(t *testing.T, us *Session, them *pythonParty, n int) {
	t.Helper()
	if theirs := them.do("safety_number", map[string]any{}).SafetyNumber; theirs != us.SafetyNumber() {
		t.Fatalf("safety number %s, there %s", us.SafetyNumber(), theirs)
	}
	dice := mathrand.New(mathrand.NewPCG(1, 2))
	type flying struct {
		cell Cell
		want Part
	}
	var toUs, toThem []flying
	signals := 0
	fly := func(to *[]flying, cells []Cell, id ID, content []byte, seq *uint64) {
		for i, c := range cells {
			want := Part{ID: id, Index: uint16(i), Count: uint16(len(cells)), Data: envelope.Fragment(content, i), Word: id[0], Seq: *seq}
			*seq++
			if dice.IntN(8) > 0 {
				*to = append(*to, flying{c, want})
			}
		}
	}
	same := func(got, want Part) bool {
		return got.ID == want.ID && got.Index == want.Index && got.Count == want.Count && got.Word == want.Word && (got.Seq == want.Seq || want.Count == 0) && bytes.Equal(got.Data, want.Data)
	}
	ours, theirs := us.Sealed(), us.Passed()
	for turn := range n {
		id, content := ID(drawn(16)), drawn(dice.IntN(200))
		if turn%16 == 9 {
			content = drawn(3000)
		}
		cells, err := us.Seal(id, content, id[0])
		if err != nil {
			t.Fatal(err)
		}
		fly(&toThem, cells, id, content, &ours)
		a := them.do("seal", map[string]any{"id": vectors.Hex(id[:]), "content": content, "word": id[0]})
		fly(&toUs, them.cells(a), id, content, &theirs)
		for _, c := range us.Signals() {
			toThem = append(toThem, flying{c, Part{}})
		}
		for _, c := range them.do("signals", map[string]any{}).Cells {
			toUs = append(toUs, flying{c.cell(), Part{}})
		}
		if turn%50 >= 20 && turn%50 < 40 { // nothing arrives
			toUs, toThem = nil, nil
		}
		dice.Shuffle(len(toUs), func(i, j int) { toUs[i], toUs[j] = toUs[j], toUs[i] })
		dice.Shuffle(len(toThem), func(i, j int) { toThem[i], toThem[j] = toThem[j], toThem[i] })
		for len(toUs) > 0 && dice.IntN(3) > 0 {
			f := toUs[0]
			toUs = toUs[1:]
			if f.want.Count == 0 && !containsTag(us.Window(), f.cell.Tag) {
				continue // a signal again
			}
			signals += int(1 - min(f.want.Count, 1))
			if got, err := us.Open(f.cell); err != nil || !same(got, f.want) {
				t.Fatalf("turn %d: cell %d of theirs: %v", turn, f.want.Seq, err)
			}
			refuse(t, us, f.cell)
		}
		for len(toThem) > 0 && dice.IntN(3) > 0 {
			f := toThem[0]
			toThem = toThem[1:]
			if f.want.Count == 0 {
				them.open(f.cell)
				continue
			}
			if got, ok := them.open(f.cell); !ok || !same(got, f.want) {
				t.Fatalf("turn %d: cell %d of ours does not open there", turn, f.want.Seq)
			}
		}
	}
	if n > 50 && signals < 3 {
		t.Errorf("%d signals came", signals)
	}
	if len(us.receive.gaps) == 0 || us.receive.number == 0 {
		t.Error("nothing was lost or nothing came")
	}
}
