package arch

import (
	"go/ast"
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
