package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// module is the prefix of our packages.
const module = "starling/"

// source is a package and its mutants.
type source struct {
	path, dir string
	name      string // inside the module

	fset    *token.FileSet
	files   []*file
	mutants []mutant
}

type file struct {
	name    string // in full
	text    []byte
	inserts []insert
}

// insert is text that the instrumented file has at a place of the original.
type insert struct {
	at   int
	text string
}

// mutant is one small change.
type mutant struct {
	n    int
	line int
	what string // package/file function: kind: source
}

// String describes it, with its line.
func (m mutant) String() string { return fmt.Sprintf("%s (line %d)", m.what, m.line) }

// load reads a package and finds its mutants.
func load(path string) (*source, error) {
	out, err := exec.Command("go", "list", "-json=Dir,ImportPath,GoFiles", path).Output()
	if err != nil {
		return nil, fmt.Errorf("go list %s: %w", path, err)
	}
	var listed struct {
		Dir, ImportPath string
		GoFiles         []string
	}
	if err := json.Unmarshal(out, &listed); err != nil {
		return nil, err
	}

	s := &source{path: listed.ImportPath, dir: listed.Dir, name: strings.TrimPrefix(listed.ImportPath, module), fset: token.NewFileSet()}
	for _, name := range listed.GoFiles {
		full := filepath.Join(listed.Dir, name)
		text, err := os.ReadFile(full)
		if err != nil {
			return nil, err
		}
		if err := s.add(full, text); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// add finds the mutants of a file.
func (s *source) add(name string, text []byte) error {
	parsed, err := parser.ParseFile(s.fset, name, text, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	f := &file{name: name, text: text}
	s.files = append(s.files, f)
	for _, d := range parsed.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Body != nil {
			v := &visitor{s: s, f: f, function: functionName(fn)}
			ast.Walk(v, fn.Body)
		}
	}
	return nil
}

// functionName is Type.Method, or Function.
func functionName(fn *ast.FuncDecl) string {
	if fn.Recv == nil {
		return fn.Name.Name
	}
	receiver := fn.Recv.List[0].Type
	for {
		switch t := receiver.(type) {
		case *ast.StarExpr:
			receiver = t.X
		case *ast.IndexExpr:
			receiver = t.X
		case *ast.Ident:
			return t.Name + "." + fn.Name.Name
		default:
			return fn.Name.Name
		}
	}
}

// changed returns the instrumented files and the one that switches mutants on.
func (s *source) changed() map[string][]byte {
	out := map[string][]byte{}
	name := ""
	for _, f := range s.files {
		out[f.name] = f.instrumented()
		parsed, err := parser.ParseFile(token.NewFileSet(), f.name, f.text, parser.PackageClauseOnly)
		if err == nil {
			name = parsed.Name.Name
		}
	}
	out[filepath.Join(s.dir, "zz_mutants.go")] = fmt.Appendf(nil, switches, name, len(s.mutants))
	return out
}

// switches is the code that instrumented files call. Its imports have names that no
// package has. With MUTANTS_REACHED it writes the numbers of the mutants that are come
// to, once each.
const switches = `package %s

import (
	mutantCmp "cmp"
	mutantFmt "fmt"
	mutantOS "os"
	mutantSlices "slices"
	mutantStrconv "strconv"
	mutantAtomic "sync/atomic"
)

var mutantIsOn = func() int { n, _ := mutantStrconv.Atoi(mutantOS.Getenv("MUTANT")); return n }()

var mutantFile = func() *mutantOS.File {
	f, _ := mutantOS.OpenFile(mutantOS.Getenv("MUTANTS_REACHED"), mutantOS.O_WRONLY|mutantOS.O_APPEND, 0)
	return f
}()

var mutantReached [%d + 1]mutantAtomic.Bool

func mutantOn(n int) bool {
	if mutantFile != nil && !mutantReached[n].Swap(true) {
		mutantFmt.Fprintln(mutantFile, n)
	}
	return n == mutantIsOn
}

func mutantMin[T mutantCmp.Ordered](n int, all ...T) T { return mutantSlices.Min(mutantWithout(n, all)) }

func mutantMax[T mutantCmp.Ordered](n int, all ...T) T { return mutantSlices.Max(mutantWithout(n, all)) }

func mutantWithout[T any](n int, all []T) []T {
	for i := range all {
		if mutantOn(n + i) {
			return mutantSlices.Delete(mutantSlices.Clone(all), i, i+1)
		}
	}
	return all
}
`

// instrumented puts the inserts in.
func (f *file) instrumented() []byte {
	slices.SortStableFunc(f.inserts, func(a, b insert) int { return a.at - b.at })
	var out bytes.Buffer
	at := 0
	for _, in := range f.inserts {
		out.Write(f.text[at:in.at])
		out.WriteString(in.text)
		at = in.at
	}
	out.Write(f.text[at:])
	if text, err := format.Source(out.Bytes()); err == nil {
		return text
	}
	return out.Bytes()
}

// visitor walks a function.
type visitor struct {
	s        *source
	f        *file
	function string
}

// Visit implements ast.Visitor.
func (v *visitor) Visit(n ast.Node) ast.Visitor {
	switch n := n.(type) {
	case *ast.BlockStmt:
		v.statements(n.List)
	case *ast.CaseClause:
		v.statements(n.Body)
	case *ast.CommClause:
		v.statements(n.Body)
	case *ast.IfStmt:
		v.condition(n.Cond, "never", "always")
	case *ast.SwitchStmt:
		if n.Tag == nil {
			v.cases(n.Body.List)
		}
	case *ast.BinaryExpr:
		v.binary(n)
	case *ast.CallExpr:
		v.bounds(n)
	case *ast.GenDecl:
		return nil // constants may not call
	}
	return v
}

// statements makes those that can go without harm to the types disappear.
func (v *visitor) statements(list []ast.Stmt) {
	for i, st := range list {
		switch st := st.(type) {
		case *ast.ExprStmt:
			if isPanic(st.X) {
				continue
			}
		case *ast.AssignStmt:
			if st.Tok == token.DEFINE || i == 0 && isBlank(st) {
				continue
			}
		case *ast.IncDecStmt, *ast.SendStmt, *ast.DeferStmt, *ast.GoStmt:
		case *ast.BranchStmt:
			if st.Tok != token.BREAK && st.Tok != token.CONTINUE {
				continue
			}
		default:
			continue
		}
		n := v.mutant("delete", st)
		v.around(st, fmt.Sprintf("if !mutantOn(%d) { ", n), " }")
	}
}

func isPanic(x ast.Expr) bool {
	call, ok := x.(*ast.CallExpr)
	if !ok {
		return false
	}
	id, ok := call.Fun.(*ast.Ident)
	return ok && id.Name == "panic"
}

// isBlank reports whether an assignment is to nothing.
func isBlank(st *ast.AssignStmt) bool {
	for _, x := range st.Lhs {
		if id, ok := x.(*ast.Ident); !ok || id.Name != "_" {
			return false
		}
	}
	return true
}

// condition makes one false or true for good.
func (v *visitor) condition(x ast.Expr, kinds ...string) {
	for _, kind := range kinds {
		n := v.mutant(kind, x)
		if kind == "never" {
			v.around(x, fmt.Sprintf("!mutantOn(%d) && (", n), ")")
		} else {
			v.around(x, fmt.Sprintf("(mutantOn(%d) || (", n), "))")
		}
	}
}

func (v *visitor) cases(list []ast.Stmt) {
	for _, st := range list {
		if c, ok := st.(*ast.CaseClause); ok && len(c.List) == 1 {
			v.condition(c.List[0], "never")
		}
	}
}

// binary leaves out a side of && or ||, or moves a boundary by one.
func (v *visitor) binary(x *ast.BinaryExpr) {
	switch x.Op {
	case token.LAND, token.LOR:
		for _, side := range []ast.Expr{x.X, x.Y} {
			n := v.mutant("without", side)
			if x.Op == token.LAND {
				v.around(side, fmt.Sprintf("(mutantOn(%d) || (", n), "))")
			} else {
				v.around(side, fmt.Sprintf("(!mutantOn(%d) && (", n), "))")
			}
		}
	case token.LSS, token.GTR, token.LEQ, token.GEQ:
		if !pure(x.X) || !pure(x.Y) {
			return
		}
		n := v.mutant("boundary", x)
		same := fmt.Sprintf("%s == %s", v.text(x.X), v.text(x.Y))
		if x.Op == token.LSS || x.Op == token.GTR {
			v.around(x, "(", fmt.Sprintf(" || mutantOn(%d) && %s)", n, same))
		} else {
			v.around(x, "(", fmt.Sprintf(" && !(mutantOn(%d) && %s))", n, same))
		}
	}
}

// bounds leaves out an argument of min or max.
func (v *visitor) bounds(call *ast.CallExpr) {
	id, ok := call.Fun.(*ast.Ident)
	if !ok || id.Name != "min" && id.Name != "max" || len(call.Args) < 2 {
		return
	}
	first := 0
	for i, arg := range call.Args {
		n := v.mutant("without", arg)
		if i == 0 {
			first = n
		}
	}
	name := map[string]string{"min": "mutantMin", "max": "mutantMax"}[id.Name]
	at := v.offset(call.Fun.Pos())
	v.f.inserts = append(v.f.inserts, insert{at, name + "(" + fmt.Sprint(first) + ", "}, insert{at, ""})
	v.cut(at, v.offset(call.Lparen)+1)
}

// cut takes away the original text from one place to another, by blanking it.
func (v *visitor) cut(from, to int) {
	text := slices.Clone(v.f.text)
	for i := from; i < to; i++ {
		text[i] = ' '
	}
	v.f.text = text
}

// pure reports whether an expression can be evaluated twice.
func pure(x ast.Expr) bool {
	ok := true
	ast.Inspect(x, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			id, builtin := n.Fun.(*ast.Ident)
			ok = ok && builtin && slices.Contains([]string{"len", "cap", "uint64", "uint32", "int", "int64", "float64"}, id.Name)
		case *ast.UnaryExpr:
			ok = ok && n.Op != token.ARROW
		case *ast.FuncLit:
			ok = false
		}
		return ok
	})
	return ok
}

func (v *visitor) offset(p token.Pos) int { return v.s.fset.Position(p).Offset }

func (v *visitor) text(n ast.Node) string {
	return string(v.f.text[v.offset(n.Pos()):v.offset(n.End())])
}

// around puts text before and behind a node. Text inside a node comes later, and nearer
// to it.
func (v *visitor) around(n ast.Node, before, behind string) {
	v.f.inserts = append(v.f.inserts, insert{v.offset(n.Pos()), before})
	end := v.offset(n.End())
	i := slices.IndexFunc(v.f.inserts, func(in insert) bool { return in.at == end && in.text != "" && strings.ContainsAny(in.text[:1], " )") })
	if i < 0 {
		v.f.inserts = append(v.f.inserts, insert{end, behind})
		return
	}
	v.f.inserts = slices.Insert(v.f.inserts, i, insert{end, behind})
}

// mutant names a new one.
func (v *visitor) mutant(kind string, n ast.Node) int {
	at := v.s.fset.Position(n.Pos())
	words := strings.Join(strings.Fields(v.text(n)), " ")
	if len(words) > 100 {
		words = words[:100] + "…"
	}
	m := mutant{n: len(v.s.mutants) + 1, line: at.Line,
		what: fmt.Sprintf("%s/%s %s: %s: %s", v.s.name, filepath.Base(v.f.name), v.function, kind, words)}
	v.s.mutants = append(v.s.mutants, m)
	return m.n
}
