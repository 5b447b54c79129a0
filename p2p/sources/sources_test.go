package sources

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"testing"

	"starling/p2p/wire"
)

const few = 5

// ids returns the relays from a to b.
func ids(a, b int) (all []wire.NodeID) {
	for i := a; i < b; i++ {
		var id wire.NodeID
		binary.BigEndian.PutUint32(id[:], uint32(i))
		all = append(all, id)
	}
	return all
}

func lists(of ...[]wire.NodeID) (all []List) {
	for i, relays := range of {
		all = append(all, List{wire.NodeID{31: byte(i + 1)}, relays})
	}
	return all
}

func TestBelieve(t *testing.T) {
	honest, fakes, accomplices := ids(0, 20), ids(1000, 2000), ids(0, 5)
	stuffed := slices.Concat(honest, fakes)
	type want struct {
		relays  []wire.NodeID
		decided bool
		agreed  bool
		dropped int
	}
	for name, tt := range map[string]struct {
		lists  []List
		kept   []wire.NodeID
		waited bool
		want   want
	}{
		"nobody":                          {nil, nil, false, want{nil, true, false, 0}},
		"nobody, kept":                    {nil, honest, false, want{honest, true, true, 0}},
		"one, others may come":            {lists(honest), nil, false, want{honest, false, false, 0}},
		"one":                             {lists(honest), nil, true, want{honest, true, false, 0}},
		"one liar beside what was kept":   {lists(fakes), honest, true, want{honest, true, true, 0}},
		"one, and too little was kept":    {lists(honest), ids(0, 4), true, want{honest, true, false, 0}},
		"two that agree":                  {lists(honest, ids(1, 21)), nil, false, want{ids(1, 20), true, true, 0}},
		"two, one stuffed":                {lists(honest, stuffed), nil, false, want{stuffed, false, false, 0}},
		"two, one short, others may come": {lists(honest, accomplices), nil, false, want{honest, false, false, 0}},
		"two, one short":                  {lists(honest, accomplices), nil, true, want{honest, true, false, 1}},
		"two guards, one stuffed":         {lists(honest, stuffed), honest, false, want{honest, true, true, 0}},
		"two guards, one short":           {lists(accomplices, honest), honest, false, want{honest, true, true, 0}},
		"two guards, a new relay at one":  {lists(ids(0, 21), honest), honest, false, want{honest, true, true, 0}},
		"two guards, a new relay at both": {lists(ids(0, 21), ids(0, 21)), honest, false, want{ids(0, 21), true, true, 0}},
		"three, one stuffed":              {lists(stuffed, honest, honest), nil, false, want{honest, true, true, 0}},
		"three, one short":                {lists(honest, accomplices, honest), nil, false, want{honest, true, true, 1}},
		"three, one empty":                {lists(honest, nil, honest), nil, false, want{honest, true, true, 1}},
		"three, one of fakes":             {lists(fakes, honest, honest), nil, false, want{honest, true, true, 1}},
		"three, one says all twice":       {lists(slices.Concat(fakes, fakes), honest, honest), nil, false, want{honest, true, true, 1}},
		"three that all differ":           {lists(honest, fakes, ids(3000, 3020)), nil, true, want{nil, true, false, 0}},
		"five, two of fakes":              {lists(fakes, fakes, honest, honest, honest), nil, false, want{honest, true, true, 2}},
		"five, two short":                 {lists(accomplices, accomplices, honest, honest, honest), nil, false, want{honest, true, true, 2}},
	} {
		b := Believe(Question{Lists: tt.lists, Kept: tt.kept, Few: few, Waited: tt.waited})
		same := len(b.Relays) == len(tt.want.relays)
		for _, id := range tt.want.relays {
			same = same && b.Relays[id]
		}
		if !same || b.Decided != tt.want.decided || b.Agreed != tt.want.agreed || len(b.Dropped) != tt.want.dropped {
			t.Errorf("%s: %d relays, decided %v, agreed %v, %d dropped; want %d, %v, %v, %d", name,
				len(b.Relays), b.Decided, b.Agreed, len(b.Dropped), len(tt.want.relays), tt.want.decided, tt.want.agreed, tt.want.dropped)
		}
	}
}

// TestBack: a relay that sources agreed on before and that had left is believed in again by the word of one, beside
// a list of the time when it was away; one that nobody agreed on is not, nor one that nobody names.
func TestBack(t *testing.T) {
	before, back, all := ids(0, 20), ids(20, 24), ids(0, 30)
	for name, tt := range map[string]struct {
		lists []List
		kept  []wire.NodeID
		want  []wire.NodeID
	}{
		"one":               {lists(all), before, ids(0, 24)},
		"one, without":      {lists(before), before, before},
		"two, one of then":  {lists(all, before), before, ids(0, 24)},
		"two, nothing kept": {lists(all, before), nil, ids(0, 24)},
		"two of then":       {lists(before, before), before, before},
		"three, one knows":  {lists(all, before, before), before, ids(0, 24)},
		"five, one knows":   {lists(all, before, before, before, before), before, before},
	} {
		b := Believe(Question{Lists: tt.lists, Kept: tt.kept, Back: back, Few: few, Waited: true})
		if len(b.Relays) != len(tt.want) || common(List{Relays: tt.want}, b.Relays) != len(tt.want) {
			t.Errorf("%s: %d relays, want %d", name, len(b.Relays), len(tt.want))
		}
	}
}

// TestOneLiar: with any list, one source of three adds nothing and hides nothing.
func TestOneLiar(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	honest := ids(0, 40)
	for range 2000 {
		lie := ids(0, rnd.IntN(41))
		rnd.Shuffle(len(lie), func(i, j int) { lie[i], lie[j] = lie[j], lie[i] })
		lie = append(lie[:rnd.IntN(len(lie)+1)], ids(1000, 1000+rnd.IntN(200))...)
		all := lists(honest, honest, lie)
		rnd.Shuffle(3, func(i, j int) { all[i], all[j] = all[j], all[i] })
		b := Believe(Question{Lists: all, Few: few})
		if len(b.Relays) != len(honest) || !b.Relays[honest[0]] || !b.Agreed || !b.Decided {
			t.Fatalf("a list of %d relays makes a client believe in %d", len(lie), len(b.Relays))
		}
	}
}

// TestCapture counts newcomers with a hostile majority of first sources, by the rule:
// two of three. One in 35 at a tenth of hostile relays.
func TestCapture(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	honest, theirs := ids(0, 50), ids(1000, 1050)
	for f, most := range map[float64]float64{0.1: 0.04, 0.2: 0.13} {
		captured := 0
		const users = 5000
		for range users {
			var all [][]wire.NodeID
			for range 3 {
				if rnd.Float64() < f {
					all = append(all, theirs)
				} else {
					all = append(all, honest)
				}
			}
			if b := Believe(Question{Lists: lists(all...), Few: few}); b.Relays[theirs[0]] {
				captured++
			}
		}
		if share := float64(captured) / users; share > most || share == 0 {
			t.Errorf("with %.0f %% hostile %.1f %% are captured", 100*f, 100*share)
		} else {
			t.Logf("with %.0f %% hostile %.1f %% are captured", 100*f, 100*share)
		}
	}
}
