package order

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

var t0 = time.Unix(1_700_000_000, 0)

func id(n int) ID { return ID{1, byte(n), byte(n >> 8)} }

// memory is a keeper without a disk. A content is "name after kind": after is the
// number of the message that it waits for, or "-"; kind is "turn" or "now".
type memory struct {
	line  *Line
	cells map[int64]Cell
	taken []string // names, with "+" if they are to be acknowledged
	owed  []ID
	there map[ID]bool // messages that were taken
	fail  string      // this fails
}

var errDisk = errors.New("disk")

func newMemory() *memory {
	return &memory{line: New(0, nil), cells: make(map[int64]Cell), there: make(map[ID]bool)}
}

func (m *memory) failing(what string) error {
	if m.fail == what {
		return errDisk
	}
	return nil
}

func (m *memory) Add(c Cell) error { m.cells[c.Seq] = c; return m.failing("add") }

func (m *memory) Mark(seqs []int64) error {
	for _, seq := range seqs {
		if c, ok := m.cells[seq]; ok {
			c.Count, c.Data = 0, nil
			m.cells[seq] = c
		}
	}
	return m.failing("mark")
}

func (m *memory) Drop(seq int64) error {
	if _, ok := m.cells[seq]; !ok {
		return errors.New("dropped twice")
	}
	delete(m.cells, seq)
	return m.failing("drop")
}

func parse(data []byte) (name string, after ID, turn bool) {
	var a, kind string
	fmt.Sscan(string(data), &name, &a, &kind)
	n := -1
	fmt.Sscan(a, &n)
	if n >= 0 {
		after = id(n)
	}
	return name, after, kind == "turn"
}

func (m *memory) Wait(data []byte) Wait {
	if len(data) == 0 {
		panic("asked of what is not whole")
	}
	_, after, turn := parse(data)
	return Wait{After: after, Unlinked: turn && after == ID{}}
}

func (m *memory) Ready(data []byte) (bool, error) {
	_, after, turn := parse(data)
	return !turn || after != ID{} && m.there[after], m.failing("ready")
}

func (m *memory) Take(c Cell, data []byte, tell bool) error {
	name, _, turn := parse(data)
	if tell {
		name += "+"
	}
	m.taken = append(m.taken, name)
	if turn {
		m.there[c.Content] = true
		m.line.Came(m, c.Content)
	}
	return m.failing("take")
}

func (m *memory) Owe(content ID) error { m.owed = append(m.owed, content); return m.failing("owe") }

// part has a cell of content n come: part i of count, and after is the message it waits
// for.
func (m *memory) part(seq int64, n, i, count int, text string, came time.Duration) error {
	size := (len(text) + count - 1) / count
	data := text[min(i*size, len(text)):min((i+1)*size, len(text))]
	return m.line.Part(m, Cell{Seq: seq, Content: id(n), Index: i, Count: count, Came: t0.Add(came), Data: []byte(data)})
}

func (m *memory) one(t *testing.T, seq int64, n int, after string) {
	t.Helper()
	if err := m.part(seq, n, 0, 1, fmt.Sprint(n, " ", after, " turn"), 0); err != nil {
		t.Fatal(err)
	}
}

// want checks the contents taken, the number of cells kept and the next number.
func (m *memory) want(t *testing.T, taken string, kept int, next int64) {
	t.Helper()
	if got := strings.Join(m.taken, " "); got != taken || m.line.Len() != kept || len(m.cells) != kept || m.line.Next != next {
		t.Fatalf("taken %q, want %q; kept %d and %d, want %d; next %d, want %d", got, taken, m.line.Len(), len(m.cells), kept, m.line.Next, next)
	}
	for i, c := range m.line.cells {
		if !reflect.DeepEqual(m.cells[c.Seq], c) || i > 0 && m.line.cells[i-1].Seq >= c.Seq {
			t.Fatalf("cell %d is %+v on disk, %+v in the line", c.Seq, m.cells[c.Seq], c)
		}
	}
}

func TestInTurn(t *testing.T) {
	m := newMemory()
	m.one(t, 0, 0, "-")
	m.one(t, 1, 1, "0")
	m.want(t, "0+ 1+", 0, 2)
	// A cell is missing; a content that waits for a message that is there does not
	// wait.
	m.one(t, 3, 3, "1")
	m.want(t, "0+ 1+ 3+", 1, 2)
	// One that waits for a message that is not there does, and is acknowledged.
	m.one(t, 5, 5, "4")
	m.one(t, 6, 6, "5")
	m.want(t, "0+ 1+ 3+", 3, 2)
	if want := []ID{id(5), id(6)}; !slices.Equal(m.owed, want) {
		t.Fatalf("owed %v", m.owed)
	}
	m.one(t, 4, 4, "3")
	m.want(t, "0+ 1+ 3+ 4+ 5 6", 4, 2)
	m.one(t, 2, 2, "-")
	m.want(t, "0+ 1+ 3+ 4+ 5 6 2", 0, 7)
	m.one(t, 7, 7, "6")
	m.want(t, "0+ 1+ 3+ 4+ 5 6 2 7+", 0, 8)
}

// A content of several cells is taken once they are all there, in any order.
func TestPieces(t *testing.T) {
	m := newMemory()
	for i, seq := range []int64{2, 0, 1} {
		if err := m.part(seq, 0, int(seq), 3, "a - turn", 0); err != nil {
			t.Fatal(err)
		}
		if i < 2 {
			m.want(t, "", i+1, 0)
		}
	}
	m.want(t, "a", 0, 3)
	if !slices.Equal(m.owed, []ID{id(0)}) {
		t.Errorf("owed %v", m.owed)
	}
	// Of one cell, twice.
	m.part(4, 1, 0, 2, "b - turn", 0)
	m.part(4, 1, 0, 2, "c - turn", 0)
	m.want(t, "a", 1, 3)
	// Pieces that do not agree are no content.
	m.part(6, 1, 1, 3, "b - turn", 0)
	m.part(7, 1, 7, 2, "b - turn", 0)
	m.part(8, 1, 2, 2, "b - turn", 0)
	m.part(9, 1, 1, 2, "b - turn", 0) // does not follow the first
	m.line.Finish(m)
	m.want(t, "a", 5, 3)
	m.part(5, 1, 1, 2, "b - turn", 0) // the one that was missing
	m.line.Finish(m)
	m.want(t, "a b", 0, 10)
}

// A content that was lost in part and sealed again, and says something else by now, is
// not made of pieces of both.
func TestPiecesOfTwoSealings(t *testing.T) {
	m := newMemory()
	m.part(0, 0, 0, 2, "former - turn", 0)
	m.part(3, 0, 1, 2, "latter - turn", 0)
	m.want(t, "", 2, 0)
	m.part(2, 0, 0, 2, "latter - turn", 0)
	m.line.Finish(m)
	m.want(t, "latter", 0, 4)
}

// Contents that are no part of the conversation are taken at once.
func TestAtOnce(t *testing.T) {
	m := newMemory()
	m.part(3, 3, 0, 1, "now - now", 0)
	m.want(t, "now+", 1, 0)
	m.one(t, 0, 0, "-")
	m.want(t, "now+ 0", 1, 1)
	m.one(t, 1, 1, "-")
	m.one(t, 2, 2, "-")
	m.want(t, "now+ 0 1 2", 0, 4)
}

// Waiting ends, for a content that names the one before it after hold, for others
// after [Unlinked] at most.
func TestRelease(t *testing.T) {
	const hold = 5 * time.Minute
	for name, tt := range map[string]struct {
		cells func(m *memory)
		seq   int64
		at    time.Duration
		ok    bool
	}{
		"nothing":              {func(m *memory) {}, 0, 0, false},
		"half a content":       {func(m *memory) { m.part(5, 5, 0, 2, "5 4 turn", 0) }, 0, 0, false},
		"names what is not":    {func(m *memory) { m.part(5, 5, 0, 1, "5 4 turn", 2*time.Second) }, 5, 2*time.Second + hold, true},
		"names nothing":        {func(m *memory) { m.part(5, 5, 0, 1, "5 - turn", 2*time.Second) }, 5, 2*time.Second + Unlinked, true},
		"behind one that does": {func(m *memory) { m.part(5, 5, 0, 1, "5 4 turn", 0); m.part(7, 7, 0, 1, "7 - turn", time.Second) }, 7, time.Second + Unlinked, true},
		"behind one that does, later": {func(m *memory) { m.part(5, 5, 0, 1, "5 4 turn", 0); m.part(7, 7, 0, 1, "7 - turn", hold) },
			5, hold, true},
		"the first of two": {func(m *memory) {
			m.part(5, 5, 0, 1, "5 - turn", time.Second)
			m.part(7, 7, 0, 1, "7 - turn", 0)
		}, 5, time.Second + Unlinked, true},
		"a place":       {func(m *memory) { m.part(5, 5, 0, 1, "5 - now", time.Second) }, 5, time.Second + hold, true},
		"before others": {func(m *memory) { m.part(9, 9, 0, 1, "9 4 turn", 0); m.part(5, 5, 0, 1, "5 4 turn", time.Hour) }, 5, time.Hour + hold, true},
	} {
		m := newMemory()
		tt.cells(m)
		seq, at, ok := m.line.Release(m, hold)
		if ok != tt.ok || seq != tt.seq || ok && !at.Equal(t0.Add(tt.at)) {
			t.Errorf("%s: %d after %v, %v", name, seq, at.Sub(t0), ok)
		}
		// A line that is loaded again says the same.
		var kept []Cell
		for _, seq := range slices.Sorted(func(yield func(int64) bool) {
			for seq := range m.cells {
				if !yield(seq) {
					return
				}
			}
		}) {
			kept = append(kept, m.cells[seq])
		}
		if seq2, at2, ok2 := New(m.line.Next, kept).Release(m, hold); seq2 != seq || ok2 != ok || !at2.Equal(at) {
			t.Errorf("%s, loaded: %d after %v, %v", name, seq2, at2.Sub(t0), ok2)
		}
	}
	m := newMemory()
	m.part(5, 5, 0, 1, "5 - turn", 0)
	if _, at, _ := m.line.Release(m, time.Second); !at.Equal(t0.Add(time.Second)) {
		t.Errorf("a short hold: %v", at.Sub(t0))
	}
}

func TestSkipAndFinish(t *testing.T) {
	m := newMemory()
	m.one(t, 2, 2, "1")
	m.one(t, 5, 5, "4")
	m.part(8, 8, 0, 2, "8 7 turn", 0)
	m.one(t, 11, 11, "10")
	if err := m.line.Skip(m, 2); err != nil {
		t.Fatal(err)
	}
	m.want(t, "2", 3, 3)
	if err := m.line.Finish(m); err != nil {
		t.Fatal(err)
	}
	m.want(t, "2 5 11", 1, 12) // half of 8 is still there
	// A skipped cell that comes late is taken, once.
	m.one(t, 1, 1, "0")
	m.want(t, "2 5 11 1", 1, 12)
	m.part(9, 8, 1, 2, "8 7 turn", 0)
	if got := m.taken[len(m.taken)-1]; got != "8" {
		t.Errorf("taken %v", m.taken)
	}
}

// A sender of pieces alone fills nothing, and one that leaves a gap before very many
// contents loses none.
func TestBounds(t *testing.T) {
	m := newMemory()
	for i := range MaxCells + 10 {
		if err := m.part(int64(i+1), i, 0, 2, "x - turn", 0); err != nil {
			t.Fatal(err)
		}
	}
	m.want(t, "", MaxCells, 0)
	if m.line.cells[0].Seq != 11 {
		t.Errorf("the oldest is %d", m.line.cells[0].Seq)
	}
	m = newMemory()
	for i := range MaxCells + 10 {
		m.one(t, int64(i+1), i, "9999")
	}
	if len(m.taken) != MaxCells+10 || m.line.Len() != 0 {
		t.Errorf("%d taken, %d kept", len(m.taken), m.line.Len())
	}
	// A piece that never became whole goes in the end.
	m = newMemory()
	m.part(0, 0, 0, 2, "x - turn", 0)
	for i := 1; i <= MaxAge+2; i++ {
		m.line.Skip(m, int64(i))
		if want := i <= MaxAge; (m.line.Len() == 1) != want {
			t.Fatalf("at %d: %d kept", i, m.line.Len())
		}
	}
}

// Cells of one number in a content, or none, make nothing whole: they are kept as
// pieces.
func TestLyingPieces(t *testing.T) {
	m := newMemory()
	m.part(1, 1, 0, 2, "a - turn", 0)
	m.part(2, 1, 0, 2, "a - turn", 0)
	if err := m.line.Finish(m); err != nil {
		t.Fatal(err)
	}
	m.want(t, "", 2, 0)
	m = newMemory()
	if err := m.line.Part(m, Cell{Seq: 3, Content: id(3), Data: []byte("3 - now")}); err != nil {
		t.Fatal(err)
	}
	m.want(t, "", 1, 0)
}

// A place before the next number that lies behind half a content waits for nobody, holds
// up nobody and counts once.
func TestPlaceBehindHalf(t *testing.T) {
	m := newMemory()
	m.part(0, 0, 0, 2, "half - turn", 0)
	m.line.Skip(m, 5)
	m.part(3, 3, 0, 1, "late - now", 0)
	m.want(t, "late+", 2, 5)
	if seq, _, ok := m.line.Release(m, time.Minute); ok {
		t.Errorf("something waits for %d", seq)
	}
	m.one(t, 5, 5, "-")
	m.want(t, "late+ 5", 2, 6)
}

// Places that were passed are dropped, all of them.
func TestPlacesArePassed(t *testing.T) {
	m := newMemory()
	m.part(3, 3, 0, 1, "3 - now", 0)
	m.part(4, 4, 0, 1, "4 - now", 0)
	m.line.Skip(m, 10)
	m.want(t, "3+ 4+", 0, 10)
}

// Cells are not forgotten when more come, and nothing is remembered of taken ones.
func TestCameTwice(t *testing.T) {
	m := newMemory()
	m.one(t, 5, 5, "50")
	m.one(t, 7, 7, "70")
	m.want(t, "", 2, 0)
	m.line.Came(m, id(50))
	m.line.Came(m, id(70))
	m.one(t, 0, 0, "-")
	m.want(t, "0 5 7", 2, 1)
	if len(m.line.waits) != 0 {
		t.Errorf("%d contents that were taken still wait", len(m.line.waits))
	}
}

// A line from a time of larger limits comes down to the present ones.
func TestTooManyKept(t *testing.T) {
	m := newMemory()
	var kept []Cell
	for i := range MaxCells + 50 {
		c := Cell{Seq: int64(i + 1), Content: id(i), Count: 2, Data: []byte("x")}
		kept, m.cells[c.Seq] = append(kept, c), c
	}
	m.line = New(0, kept)
	m.part(5000, 9999, 0, 2, "x - turn", 0)
	m.want(t, "", MaxCells, 0)
}

// The one that waits longest is released first, by a hold that is shorter than for
// contents that name nothing.
func TestReleaseShortHold(t *testing.T) {
	m := newMemory()
	m.part(5, 5, 0, 1, "5 4 turn", 100*time.Second)
	m.part(7, 7, 0, 1, "7 - turn", 0)
	if seq, at, ok := m.line.Release(m, time.Second); !ok || seq != 7 || !at.Equal(t0.Add(time.Second)) {
		t.Errorf("%d after %v, %v", seq, at.Sub(t0), ok)
	}
}

// Each call returns its own error of the keeper.
func TestErrorOfEachCall(t *testing.T) {
	for name, c := range map[string]struct {
		fail string
		call func(m *memory) error
	}{
		"ready":         {"ready", func(m *memory) error { return m.part(7, 7, 0, 1, "7 6 turn", 0) }},
		"taken at once": {"take", func(m *memory) error { return m.part(8, 8, 0, 1, "8 - now", 0) }},
		"in turn":       {"take", func(m *memory) error { return m.line.Skip(m, 2) }},
		"marked":        {"mark", func(m *memory) error { return m.line.Skip(m, 2) }},
		"dropped":       {"drop", func(m *memory) error { return m.line.Skip(m, 6) }},
		"finishing":     {"mark", func(m *memory) error { return m.line.Finish(m) }},
		"a place":       {"drop", func(m *memory) error { return m.line.Skip(m, 5) }},
	} {
		m := newMemory()
		m.one(t, 2, 2, "1")
		m.part(5, 5, 0, 1, "5 - now", 0)
		m.fail = c.fail
		if err := c.call(m); !errors.Is(err, errDisk) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Errors of the keeper are told.
func TestErrors(t *testing.T) {
	for _, what := range []string{"add", "mark", "drop", "ready", "take", "owe"} {
		m := newMemory()
		m.one(t, 2, 2, "1")
		m.part(5, 5, 0, 1, "5 - now", 0)
		m.fail = what
		var errs []error
		errs = append(errs, m.part(7, 7, 0, 1, "7 6 turn", 0), m.part(8, 8, 0, 1, "8 - now", 0), m.line.Skip(m, 2), m.line.Finish(m))
		if !slices.ContainsFunc(errs, func(err error) bool { return errors.Is(err, errDisk) }) {
			t.Errorf("%s: %v", what, errs)
		}
	}
	for _, what := range []string{"take", "drop"} { // in makeRoom
		m := newMemory()
		for i := range MaxCells {
			if what == "take" {
				m.one(t, int64(i+1), i, "9999")
			} else {
				m.part(int64(i+1), i, 0, 2, "x - turn", 0)
			}
		}
		m.fail = what
		if err := m.part(5000, 5000, 0, 2, "x - turn", 0); !errors.Is(err, errDisk) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// With any losses, and any times for the rest, each whole content is taken once, none
// before the one that it names if that is still to come in time, and nothing is left of
// them in the end.
func FuzzLine(f *testing.F) {
	for seed := range uint64(40) {
		f.Add(seed, byte(seed*7), byte(seed*3))
	}
	f.Fuzz(func(t *testing.T, seed uint64, loss, late byte) {
		rng := rand.New(rand.NewPCG(seed, 3))
		type cell struct {
			seq            int64
			n, i, of       int
			text           string
			missing, whole bool
		}
		var cells []cell
		n := 2 + rng.IntN(30)
		seq := int64(0)
		whole := make([]bool, n)
		for k := range n {
			after := "-"
			if k > 0 {
				after = fmt.Sprint(k - 1)
			}
			whole[k] = true
			count := 1 + rng.IntN(3)
			for i := range count {
				lost := rng.IntN(256) < int(loss)
				whole[k] = whole[k] && !lost
				cells = append(cells, cell{seq, k, i, count, fmt.Sprint(k, " ", after, " turn"), lost, false})
				seq++
			}
			if rng.IntN(3) == 0 {
				cells = append(cells, cell{seq, 1000 + k, 0, 1, fmt.Sprint("r", k, " - now"), rng.IntN(256) < int(loss), false})
				seq++
			}
		}
		cells = slices.DeleteFunc(cells, func(c cell) bool { return c.missing })
		for i := range cells {
			j := i + rng.IntN(min(1+int(late), len(cells)-i))
			cells[i], cells[j] = cells[j], cells[i]
		}
		m := newMemory()
		for _, c := range cells {
			if err := m.part(c.seq, c.n, c.i, c.of, c.text, 0); err != nil {
				t.Fatal(err)
			}
			if rng.IntN(8) == 0 { // it is loaded again
				var kept []Cell
				for _, c := range m.line.cells {
					kept = append(kept, m.cells[c.Seq])
				}
				m.line = New(m.line.Next, kept)
			}
		}
		shown := -1
		for _, name := range m.taken {
			var k int
			if _, err := fmt.Sscan(strings.TrimSuffix(name, "+"), &k); err != nil {
				continue
			}
			if k != shown+1 {
				t.Fatalf("%d after %d, though nobody waited long enough: %v", k, shown, m.taken)
			}
			shown = k
		}
		if err := m.line.Finish(m); err != nil {
			t.Fatal(err)
		}
		times := make(map[string]int)
		for _, name := range m.taken {
			times[strings.TrimSuffix(name, "+")]++
		}
		for k := range n {
			if got := times[fmt.Sprint(k)]; got != map[bool]int{true: 1}[whole[k]] {
				t.Fatalf("%d was taken %d times: %v", k, got, m.taken)
			}
		}
		for _, c := range m.line.cells {
			if c.Count == 0 || whole[int(c.Content[1])] {
				t.Fatalf("left: %+v", c)
			}
		}
	})
}
