package scale

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"starling/p2p/wire"
)

// A place is a relay in the graph of restricted routes (docs/PROTOCOL.md 5.5): its id and
// its salt of a window.
type place struct {
	id   wire.NodeID
	salt [16]byte
}

func places(n int, rnd *rand.ChaCha8) []place {
	all := make([]place, n)
	for i := range all {
		rnd.Read(all[i].id[:])
		rnd.Read(all[i].salt[:])
	}
	return all
}

// degree is D of the graph as a relay that knows n relays sees it: n is rounded to
// powers of √2.
func degree(n int) float64 {
	rounded := math.Pow(2, math.Round(2*math.Log2(float64(n)))/2)
	return max(48, math.Ceil(3.5*math.Sqrt(rounded)))
}

// edge is the hash of a pair as a fraction of its largest value.
func edge(a, b *place) float64 {
	if bytes.Compare(a.id[:], b.id[:]) > 0 {
		a, b = b, a
	}
	h := sha256.New()
	h.Write([]byte("starling/route"))
	h.Write(a.id[:])
	h.Write(b.id[:])
	h.Write(a.salt[:])
	h.Write(b.salt[:])
	var sum [sha256.Size]byte
	h.Sum(sum[:0])
	return float64(binary.BigEndian.Uint64(sum[:])) / (1 << 64)
}

// graph returns for each relay its neighbours, by thresholds of a degree.
func graph(all []place, d float64) [][]int {
	near := make([][]int, len(all))
	for i := range all {
		for j := range i {
			if edge(&all[i], &all[j]) < d/float64(len(all)-1) {
				near[i], near[j] = append(near[i], j), append(near[j], i)
			}
		}
	}
	for i := range near {
		slices.Sort(near[i])
	}
	return near
}

// common counts the numbers that are in two sorted lists, and pass the test.
func common(a, b []int, ok func(int) bool) (n int) {
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] < b[j]:
			i++
		case a[i] > b[j]:
			j++
		default:
			if ok(a[i]) {
				n++
			}
			i++
			j++
		}
	}
	return n
}

// TestRestrictedRoutes simulates the graph of a thousand relays: as few links as
// docs/SCALE.md says, a third mix between every second one and every mailbox, pins that
// both guards share, and a way for everybody while a fifth of all relays are dead.
func TestRestrictedRoutes(t *testing.T) {
	const n, draws = 1000, 20_000
	rnd := rand.NewChaCha8([32]byte{1})
	draw := rand.New(rnd)
	all := places(n, rnd)
	d := degree(n)
	near := graph(all, d)

	sum, most := 0, 0
	for _, some := range near {
		sum += len(some)
		most = max(most, len(some))
	}
	mean := float64(sum) / n
	t.Logf("D = %.0f: %.1f links each, %d at most", d, mean, most)
	if math.Abs(mean-d) > 3 || float64(most) > 1.4*d {
		t.Errorf("%.1f links each, %d at most", mean, most)
	}

	dead := make([]bool, n)
	for _, i := range draw.Perm(n)[:n/5] {
		dead[i] = true
	}
	alive := func(i int) bool { return !dead[i] }
	anyone := func(int) bool { return true }
	thirds, none, few, ways := 0, 0, 0, 0
	for range draws {
		second, mailbox := draw.IntN(n), draw.IntN(n)
		k := common(near[second], near[mailbox], anyone)
		thirds += k
		if k == 0 {
			none++
		}

		// Two guards, four pins of those that they share, and a mailbox, all alive.
		var g [2]int
		for i := range g {
			for g[i] = draw.IntN(n); dead[g[i]]; g[i] = draw.IntN(n) {
			}
		}
		for mailbox = draw.IntN(n); dead[mailbox]; mailbox = draw.IntN(n) {
		}
		var pins []int
		for _, i := range near[g[0]] {
			if _, shared := slices.BinarySearch(near[g[1]], i); shared && len(pins) < 4 {
				pins = append(pins, i)
			}
		}
		if common(near[g[0]], near[g[1]], anyone) < 6 {
			few++
			pins = append(slices.Clone(near[g[0]][:2]), near[g[1]][:2]...)
		}
		if slices.ContainsFunc(pins, func(p int) bool { return alive(p) && common(near[p], near[mailbox], alive) > 0 }) {
			ways++
		}
	}
	t.Logf("%.1f thirds for a second and a mailbox, none for %.3f %%; two guards share fewer than six for %.1f %%; %.3f %% have no way with a fifth dead",
		float64(thirds)/draws, 100*float64(none)/draws, 100*float64(few)/draws, 100*(1-float64(ways)/draws))
	if float64(thirds)/draws < 0.9*d*d/n || float64(none) > 0.001*draws || float64(ways) < 0.995*draws {
		t.Error("too few ways")
	}
}

// TestRestrictedRoutesOfTwoViews: a relay that knows a quarter more or fewer relays
// refuses no edge that another chose, since a relay refuses by 1.5 times the threshold.
func TestRestrictedRoutesOfTwoViews(t *testing.T) {
	rnd := rand.NewChaCha8([32]byte{2})
	all := places(600, rnd)
	ours := degree(len(all)) / float64(len(all)-1)
	for _, known := range []int{450, 600, 750} {
		theirs := degree(known) / float64(known-1)
		chosen, refused := 0, 0
		for i := range all {
			for j := range i {
				if e := edge(&all[i], &all[j]); e < theirs {
					chosen++
					if e >= 1.5*ours {
						refused++
					}
				}
			}
		}
		t.Logf("who knows %d chooses %d edges; who knows %d refuses %d of them", known, chosen, len(all), refused)
		if refused > 0 {
			t.Errorf("who knows %d: %d of %d edges are refused", known, refused, chosen)
		}
	}
}

// TestRestrictedRoutesCannotBeGround: an attacker that tries many ids to be next to one
// mailbox has no more of its neighbours than others once salts are shown that were
// committed to before: the edge is drawn by a salt unknown when the key is chosen.
func TestRestrictedRoutesCannotBeGround(t *testing.T) {
	const n, bad = 1000, 100
	rnd := rand.NewChaCha8([32]byte{3})
	all := places(n, rnd)
	d := degree(n) / (n - 1)
	target := &all[0]

	// He grinds against the salt of this window, which is shown, for bad of the places.
	for i := n - bad; i < n; i++ {
		for edge(target, &all[i]) >= d {
			rnd.Read(all[i].id[:])
		}
	}
	share := func() float64 {
		theirs, total := 0, 0
		for i := 1; i < n; i++ {
			if edge(target, &all[i]) < d {
				total++
				if i >= n-bad {
					theirs++
				}
			}
		}
		return float64(theirs) / float64(total)
	}
	before := share()
	rnd.Read(target.salt[:]) // the next window's, committed to and not yet shown
	after := share()
	t.Logf("a tenth of all relays is %.0f %% of a mailbox's neighbours in the window that it knew, %.0f %% in the next", 100*before, 100*after)
	if before < 0.4 || after > 0.2 {
		t.Errorf("%.2f, then %.2f", before, after)
	}
}
