package arch

import (
	"go/ast"
	"go/token"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// byContentAlone are functions that take an id which a contact chose without the
// contact, each with the reason.
var byContentAlone = map[string]string{
	"freeID": "makes an id of our own that nobody has yet, whoever chose what it begins with",
}

// TestContentIDsNeedTheirContact: an id that a contact chose names nothing without the
// contact. Two of them could learn from a lookup over both that they know one person.
func TestContentIDsNeedTheirContact(t *testing.T) {
	functions := 0
	for _, f := range files(t) {
		if f.dir != "node/store" || f.test {
			continue
		}
		for _, d := range f.ast.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || !takes(fn, "ContentID") {
				continue
			}
			functions++
			if byContentAlone[fn.Name.Name] == "" && !takes(fn, "ID") {
				t.Errorf("%s: %s takes a ContentID and no contact", f.fset.Position(fn.Pos()), fn.Name.Name)
			}
		}
	}
	if functions < 10 {
		t.Errorf("only %d functions take a ContentID: the rule sees nothing", functions)
	}
}

// takes reports whether a function has a parameter of a type, or a list of them.
func takes(fn *ast.FuncDecl, name string) bool {
	for _, p := range fn.Type.Params.List {
		typ := p.Type
		if list, ok := typ.(*ast.ArrayType); ok {
			typ = list.Elt
		}
		if id, ok := typ.(*ast.Ident); ok && id.Name == name {
			return true
		}
	}
	return false
}

// byContent are conditions on ids that contacts chose.
var byContent = regexp.MustCompile(`\b(content|previous|ref) = \?`)

// TestContentIsAskedForWithItsContact: the same for each statement to the database that
// asks for such an id.
func TestContentIsAskedForWithItsContact(t *testing.T) {
	asked := 0
	for _, f := range files(t) {
		if f.dir != "node/store" || f.test {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			lit, ok := n.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				return true
			}
			text, err := strconv.Unquote(lit.Value)
			_, where, condition := strings.Cut(text, "WHERE")
			if !condition {
				where = text
				condition = strings.HasPrefix(text, "contact = ?")
			}
			if err != nil || !condition || !byContent.MatchString(where) {
				return true
			}
			asked++
			if !strings.Contains(where, "contact = ?") {
				t.Errorf("%s asks for what a contact named without the contact: %s", f.fset.Position(lit.Pos()), text)
			}
			return true
		})
	}
	if asked < 5 {
		t.Errorf("only %d statements ask for such ids: the rule sees nothing", asked)
	}
}

// TestPeersIDsAndTimesAreBounded: an id from a contact never becomes an id of our own,
// and the times in their contents go through one door, which lets no later one than now
// pass: batch.past. How fresh a notice is may be compared.
func TestPeersIDsAndTimesAreBounded(t *testing.T) {
	times := 0
	for _, f := range files(t) {
		if f.dir != "node/inbox" || f.test {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok && selects(call.Fun, "store", "ID") {
				t.Errorf("%s makes an id of ours of what a contact chose", f.fset.Position(call.Pos()))
			}
			fn, ok := n.(*ast.FuncDecl)
			if !ok || fn.Body == nil {
				return true
			}
			for _, name := range contents(fn) {
				bounded := map[ast.Node]bool{}
				ast.Inspect(fn.Body, func(n ast.Node) bool {
					switch n := n.(type) {
					case *ast.CallExpr:
						if s, ok := n.Fun.(*ast.SelectorExpr); ok && s.Sel.Name == "past" {
							bounded[n.Args[0]] = true
						} else if ok && s.Sel.Name == "Sub" {
							bounded[s.X] = true
						}
					case *ast.SelectorExpr:
						if selects(n, name, "Time") {
							times++
							if !bounded[n] {
								t.Errorf("%s takes a time of a contact as it is", f.fset.Position(n.Pos()))
							}
						}
					}
					return true
				})
			}
			return true
		})
	}
	if times < 3 {
		t.Errorf("only %d times of contacts are taken: the rule sees nothing", times)
	}
}

// contents returns the parameters of a function that are contents of a contact.
func contents(fn *ast.FuncDecl) (names []string) {
	for _, p := range fn.Type.Params.List {
		star, ok := p.Type.(*ast.StarExpr)
		if !ok || !selects(star.X, "chat", "Content") {
			continue
		}
		for _, n := range p.Names {
			names = append(names, n.Name)
		}
	}
	return names
}

// selects reports whether an expression is x.name.
func selects(e ast.Expr, x, name string) bool {
	s, ok := e.(*ast.SelectorExpr)
	if !ok || s.Sel.Name != name {
		return false
	}
	id, ok := s.X.(*ast.Ident)
	return ok && id.Name == x
}
