package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"
)

// longFunction is from how many lines on a function has paragraphs.
const longFunction = 25

// TestParagraphs holds that a long function shows its steps: there is a blank
// line between them. A function that is a single statement has one step.
func TestParagraphs(t *testing.T) {
	for _, f := range files(t) {
		if f.test {
			continue
		}
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && !paragraphed(f, fn) {
				t.Errorf("%s: %s has %d lines and no paragraphs", f.fset.Position(fn.Pos()), fn.Name.Name, lines(f, fn))
			}
		}
	}
}

// Limits of TestSteps. A statement that is long by itself, such as a table, is no step that
// is hard to tell from the next.
const (
	mostLines = 20 // of one paragraph, without the longest of its statements
	fewSteps  = 3  // need no paragraphs
)

// TestSteps holds that paragraphs are short: where many statements follow each other a
// blank line or a comment is between the steps.
func TestSteps(t *testing.T) {
	for _, f := range files(t) {
		if f.test {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			block, ok := n.(*ast.BlockStmt)
			if !ok {
				return true
			}
			for _, p := range paragraphs(f, block) {
				if n := p.lines(f); len(p) > fewSteps && n > mostLines {
					t.Errorf("%s: %d lines without a blank one or a comment between the steps; at most %d",
						f.fset.Position(p[0].Pos()), n, mostLines)
				}
			}
			return true
		})
	}
}

// A paragraph is statements of one block without a blank line or a comment between them.
type paragraph []ast.Stmt

// lines counts the lines of a paragraph without its longest statement.
func (p paragraph) lines(f file) int {
	all, longest := 0, 0
	for _, s := range p {
		n := lines(f, s)
		all, longest = all+n, max(longest, n)
	}
	return all - longest
}

// paragraphs splits a block. The cases of a switch are no steps.
func paragraphs(f file, block *ast.BlockStmt) (all []paragraph) {
	var p paragraph
	for i, s := range block.List {
		switch s.(type) {
		case *ast.CaseClause, *ast.CommClause:
			return nil
		}
		if i > 0 {
			end := f.fset.Position(block.List[i-1].End()).Line
			if begin := f.fset.Position(s.Pos()).Line; begin > end+1 {
				all, p = append(all, p), nil
			}
		}
		p = append(p, s)
	}
	return append(all, p)
}

func lines(f file, n ast.Node) int {
	return f.fset.Position(n.End()).Line - f.fset.Position(n.Pos()).Line + 1
}

// paragraphed reports whether a function is short, a single statement without a function
// of several in it, or has a blank line.
func paragraphed(f file, fn *ast.FuncDecl) bool {
	if fn.Body == nil || lines(f, fn) < longFunction {
		return true
	}

	most := 0
	ast.Inspect(fn, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			most = max(most, steps(n.Body))
		case *ast.FuncLit:
			most = max(most, steps(n.Body))
		}
		return true
	})
	if most <= 1 {
		return true
	}

	from, to := f.fset.Position(fn.Body.Lbrace).Line, f.fset.Position(fn.Body.Rbrace).Line
	return slices.ContainsFunc(f.src[from:to-1], func(line string) bool { return strings.TrimSpace(line) == "" })
}

// steps counts the statements of a body, without a return behind the others.
func steps(body *ast.BlockStmt) int {
	n := len(body.List)
	if n == 0 {
		return 0
	}
	if _, ok := body.List[n-1].(*ast.ReturnStmt); ok {
		n--
	}
	return max(n, 1)
}

// maxMethods is how many methods a type may have. One with more does several
// things.
const maxMethods = 80

// manyMethods are the types that have more, each with a reason. A line goes
// when its type is split: the test fails then.
var manyMethods = []struct{ dir, name, why string }{}

// TestMethods holds that no type does everything.
func TestMethods(t *testing.T) {
	type named struct{ dir, name string }
	count := map[named]int{}
	for _, f := range files(t) {
		if f.test {
			continue
		}
		for _, d := range f.ast.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv != nil {
				count[named{f.dir, receiver(fn)}]++
			}
		}
	}

	for _, m := range manyMethods {
		if m.why == "" {
			t.Errorf("%s.%s gives no reason", m.dir, m.name)
		}
		if n := count[named{m.dir, m.name}]; n <= maxMethods {
			t.Errorf("%s.%s is stale: it has %d methods", m.dir, m.name, n)
		}
		delete(count, named{m.dir, m.name})
	}
	for of, n := range count {
		if n > maxMethods {
			t.Errorf("%s.%s has %d methods; at most %d", of.dir, of.name, n, maxMethods)
		}
	}
}

// receiver is the name of the type that a method is of.
func receiver(fn *ast.FuncDecl) string {
	name := ""
	ast.Inspect(fn.Recv.List[0].Type, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && name == "" {
			name = id.Name
		}
		return true
	})
	return name
}

// TestParagraphsAreSplit holds that paragraphs end at a blank line and at a comment, and
// that a long statement alone is none.
func TestParagraphsAreSplit(t *testing.T) {
	fset := token.NewFileSet()
	parsed, err := parser.ParseFile(fset, "x.go", `package x

func f() {
	a()
	b() // still

	c()
	// and
	d(
		1,
	)
	e()
	switch {
	case g:
		a()
	}
}
`, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}

	f := file{ast: parsed, fset: fset}
	var got [][2]int // statements, and lines without the longest one
	for _, p := range paragraphs(f, parsed.Decls[0].(*ast.FuncDecl).Body) {
		got = append(got, [2]int{len(p), p.lines(f)})
	}
	if want := [][2]int{{2, 1}, {1, 0}, {3, 4}}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
