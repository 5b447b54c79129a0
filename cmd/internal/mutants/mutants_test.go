package main

import (
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const sample = `package sample

import "fmt"

const limit = 3

type box struct{ n int }

func (b *box) put(k int) (ok bool) {
	if k < limit && b.n > 0 {
		b.n = min(k, 9)
		fmt.Println(b.n)
	}
	switch {
	case k == 7:
		b.n++
	}
	for b.n > 1 {
		break
	}
	defer fmt.Print()
	k = 2
	if k == 0 {
		panic("never")
	}
	return b.n >= k
}
`

// The mutants of a function are those that the package comment says, and the file with
// all of them in it is still Go.
func TestMutants(t *testing.T) {
	s := &source{dir: "/x", name: "sample", fset: token.NewFileSet()}
	if err := s.add("/x/sample.go", []byte(sample)); err != nil {
		t.Fatal(err)
	}
	var got []string
	for i, m := range s.mutants {
		if m.n != i+1 {
			t.Errorf("mutant %d is number %d", i, m.n)
		}
		got = append(got, strings.TrimPrefix(m.what, "sample/sample.go box.put: "))
	}
	want := []string{
		"never: k < limit && b.n > 0", "always: k < limit && b.n > 0",
		"without: k < limit", "without: b.n > 0", "boundary: k < limit", "boundary: b.n > 0",
		"delete: b.n = min(k, 9)", "delete: fmt.Println(b.n)", "without: k", "without: 9",
		"never: k == 7", "delete: b.n++", "boundary: b.n > 1", "delete: break",
		"delete: defer fmt.Print()", "delete: k = 2", "never: k == 0", "always: k == 0", "boundary: b.n >= k",
	}
	for _, w := range want {
		if !slices.Contains(got, w) {
			t.Errorf("lacks %q", w)
		}
	}
	for _, g := range got {
		if !slices.Contains(want, g) {
			t.Errorf("has %q", g)
		}
	}
	for name, text := range s.changed() {
		if _, err := parser.ParseFile(token.NewFileSet(), name, text, 0); err != nil {
			t.Errorf("%s is no Go: %v\n%s", name, err, text)
		}
	}
}

func TestEquivalents(t *testing.T) {
	list, err := parseEquivalents(equivalents)
	if err != nil || len(list) == 0 {
		t.Fatalf("%d lines: %v", len(list), err)
	}
	for _, bad := range []string{"p2p/mix/x.go f: delete: g()", "p2p/mix/x.go f: delete: g() # "} {
		if _, err := parseEquivalents(bad); err == nil {
			t.Errorf("%q has no reason and is taken", bad)
		}
	}
}

// A line that names a killed mutant, or none, is told.
func TestReport(t *testing.T) {
	r := &runner{pkg: &source{name: "p"}, known: []*equivalent{{what: "p/a"}, {what: "p/b"}, {what: "p/below/x.go f: delete: g()"}}}
	for range 95 {
		r.note(mutant{what: "p/x"}, false, len(r.alive) == 0 && r.killed < 2)
	}
	r.note(mutant{what: "p/a"}, true, false)
	r.note(mutant{what: "p/b"}, false, false)
	for range 4 {
		r.note(mutant{what: "p/y"}, true, false)
	}
	if r.killed != 96 || r.late != 2 || r.equivalent != 1 || len(r.alive) != 4 || !r.report(true) {
		t.Errorf("%d killed, %d equivalent, %d alive", r.killed, r.equivalent, len(r.alive))
	}
	r.known = append(r.known, &equivalent{what: "p/x.go f: delete: gone()"})
	if r.report(true) || !r.report(false) {
		t.Error("a line that names nothing is not told")
	}
	r.known = nil
	r.note(mutant{what: "p/z"}, true, false)
	r.note(mutant{what: "p/z"}, true, false)
	if r.report(true) {
		t.Error("94 % are enough")
	}
}

// A mutant is tried with the tests that come to it, the quick ones first, and one that
// none comes to lives.
func TestKills(t *testing.T) {
	s, err := load("./testdata/sample")
	if err != nil {
		t.Fatal(err)
	}
	r := &runner{pkg: s, match: regexp.MustCompile("")}
	if err := r.run(2); err != nil {
		t.Fatal(err)
	}
	var alive []string
	for _, m := range r.alive {
		alive = append(alive, m.what)
	}
	slices.Sort(alive)
	want := []string{
		"cmd/internal/mutants/testdata/sample/sample.go Larger: boundary: a > b",
		"cmd/internal/mutants/testdata/sample/sample.go Untested: delete: a++",
	}
	if !slices.Equal(alive, want) || r.killed == 0 {
		t.Errorf("%d killed; alive:\n%s", r.killed, strings.Join(alive, "\n"))
	}
	for _, m := range s.mutants {
		if tests := r.reach[m.n]; strings.Contains(m.what, " Untested: ") != (len(tests) == 0) || slices.Contains(tests, "TestNothing") {
			t.Errorf("%s: reached by %v", m.what, tests)
		}
	}
}
