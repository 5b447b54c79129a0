//go:build linux

package main

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
)

const (
	rounds = 60  // stumps
	rate   = 0.3 // of learning
	folds  = 5
)

// A stump says one thing below a limit of one feature, and another above.
type stump struct {
	feature      int
	limit        float64
	below, above float64
}

// A model is stumps that are added up: gradient boosting with the logistic loss.
type model struct {
	bias   float64
	stumps []stump
}

func (m model) score(row []float64) float64 {
	s := m.bias
	for _, t := range m.stumps {
		if row[t.feature] <= t.limit {
			s += t.below
		} else {
			s += t.above
		}
	}
	return s
}

// train learns to tell rows of two kinds apart.
func train(rows [][]float64, is []bool) (m model) {
	n := 0.0
	for _, yes := range is {
		if yes {
			n++
		}
	}
	p := min(max(n/float64(len(rows)), 0.01), 0.99)
	m.bias = math.Log(p / (1 - p))

	// The rows in order of each feature.
	order := make([][]int, len(rows[0]))
	for f := range order {
		for i := range rows {
			order[f] = append(order[f], i)
		}
		slices.SortStableFunc(order[f], func(a, b int) int { return cmp.Compare(rows[a][f], rows[b][f]) })
	}

	scores := make([]float64, len(rows))
	for i := range scores {
		scores[i] = m.bias
	}
	for range rounds {
		slope, curve := make([]float64, len(rows)), make([]float64, len(rows))
		for i := range rows {
			p := 1 / (1 + math.Exp(-scores[i]))
			slope[i], curve[i] = -p, p*(1-p)
			if is[i] {
				slope[i]++
			}
		}
		t := best(rows, order, slope, curve)
		m.stumps = append(m.stumps, t)
		for i, row := range rows {
			scores[i] += model{stumps: []stump{t}}.score(row)
		}
	}
	return m
}

// best is the stump that lowers the loss most, by a step of Newton's.
func best(rows [][]float64, order [][]int, slope, curve []float64) (t stump) {
	const damp = 1.0
	var allSlope, allCurve float64
	for i := range slope {
		allSlope, allCurve = allSlope+slope[i], allCurve+curve[i]
	}

	most := math.Inf(-1)
	for f, sorted := range order {
		var s, c float64
		for k, i := range sorted[:len(sorted)-1] {
			s, c = s+slope[i], c+curve[i]
			here, next := rows[i][f], rows[sorted[k+1]][f]
			if here == next {
				continue
			}
			gain := s*s/(c+damp) + (allSlope-s)*(allSlope-s)/(allCurve-c+damp)
			if gain > most {
				most = gain
				t = stump{f, (here + next) / 2, rate * s / (c + damp), rate * (allSlope - s) / (allCurve - c + damp)}
			}
		}
	}
	return t
}

// validated returns the area under the curve of rows that the model was not trained on: 0.5 is
// guessing, 1 is knowing.
func validated(a, b [][]float64) float64 {
	if len(a) < folds || len(b) < folds {
		return math.NaN()
	}
	rows := slices.Concat(a, b)
	is := make([]bool, len(rows))
	for i := range a {
		is[i] = true
	}
	draw := rand.New(rand.NewPCG(1, 2))
	draw.Shuffle(len(rows), func(i, j int) { rows[i], rows[j], is[i], is[j] = rows[j], rows[i], is[j], is[i] })

	scores := make([]float64, len(rows))
	for fold := range folds {
		var some [][]float64
		var known []bool
		for i := range rows {
			if i%folds != fold {
				some, known = append(some, rows[i]), append(known, is[i])
			}
		}
		m := train(some, known)
		for i := range rows {
			if i%folds == fold {
				scores[i] = m.score(rows[i])
			}
		}
	}
	return area(scores, is)
}

// area is the chance that one of the kind has a higher score than one that is not.
func area(scores []float64, is []bool) float64 {
	wins, pairs := 0.0, 0.0
	for i, yes := range is {
		for j, other := range is {
			if !yes || other {
				continue
			}
			pairs++
			switch {
			case scores[i] > scores[j]:
				wins++
			case scores[i] == scores[j]:
				wins += 0.5
			}
		}
	}
	return wins / pairs
}
