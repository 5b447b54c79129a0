package arch

import (
	"go/ast"
	"go/token"
	"slices"
	"testing"
)

// timeJudges are the functions that judge or make times which others see. They go by the
// clock that was learned from relays.
var timeJudges = []string{
	"EpochAt", "SlotAt", "FirstEpoch", "Day", "Window", "Vouch", "Testify", // of the network
	"NewInvite", "Accept", "Take", "Offer", // of contacts
}

// timesOfOthers are the fields and methods that hold times which others chose.
var timesOfOthers = []string{"Expires", "Issued", "Lease"}

// byWallClock are the functions that may compare such times with this computer's clock,
// with the reason.
var byWallClock = map[string]string{}

// TestTimesOfOthersGoByTheLearnedClock: what time.Now returned is given to nothing that
// judges or makes times of the network or of contacts, and is compared with none.
func TestTimesOfOthersGoByTheLearnedClock(t *testing.T) {
	used := map[string]bool{}
	for _, f := range files(t) {
		if f.test || !matches("p2p/...", f.dir) && !matches("node/...", f.dir) || matches("node/testnet/...", f.dir) || matches("node/nettest", f.dir) {
			continue
		}
		for _, d := range f.ast.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Body == nil {
				continue
			}
			wall := wallTimes(fn)
			complain := func(at token.Pos, what string) {
				name := f.dir + " " + fn.Name.Name
				if _, ok := byWallClock[name]; ok {
					used[name] = true
					return
				}
				t.Errorf("%s: %s goes by this computer's clock", f.fset.Position(at), what)
			}
			ast.Inspect(fn.Body, func(n ast.Node) bool {
				call, ok := n.(*ast.CallExpr)
				if !ok {
					return true
				}
				name := called(call)
				if slices.Contains(timeJudges, name) && slices.ContainsFunc(call.Args, wall) {
					complain(call.Pos(), name)
				}
				if s, ok := call.Fun.(*ast.SelectorExpr); ok && slices.Contains([]string{"After", "Before", "Sub", "Equal", "Compare"}, name) && len(call.Args) == 1 {
					if ofOthers(s.X) && wall(call.Args[0]) || wall(s.X) && ofOthers(call.Args[0]) {
						complain(call.Pos(), name)
					}
				}
				return true
			})
		}
	}
	for name := range byWallClock {
		if !used[name] {
			t.Errorf("byWallClock names %s, which does nothing of the kind", name)
		}
	}
}

// wallTimes returns whether an expression is, or is made from, what time.Now returned in
// a function.
func wallTimes(fn *ast.FuncDecl) func(ast.Expr) bool {
	names := map[string]bool{}
	var wall func(ast.Expr) bool
	wall = func(e ast.Expr) bool {
		switch e := e.(type) {
		case *ast.Ident:
			return names[e.Name]
		case *ast.CallExpr:
			s, ok := e.Fun.(*ast.SelectorExpr)
			if !ok {
				return false
			}
			if x, ok := s.X.(*ast.Ident); ok && x.Name == "time" && s.Sel.Name == "Now" {
				return true
			}
			// time.Now().Add(-n.net.Ahead()) is the learned clock.
			return wall(s.X) && !(s.Sel.Name == "Add" && mentions(e.Args, "Ahead", "ahead"))
		}
		return false
	}
	ast.Inspect(fn.Body, func(n ast.Node) bool {
		if a, ok := n.(*ast.AssignStmt); ok && len(a.Lhs) == len(a.Rhs) {
			for i, l := range a.Lhs {
				if id, ok := l.(*ast.Ident); ok && wall(a.Rhs[i]) {
					names[id.Name] = true
				}
			}
		}
		return true
	})
	return wall
}

func mentions(all []ast.Expr, names ...string) (found bool) {
	for _, e := range all {
		ast.Inspect(e, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok {
				found = found || slices.Contains(names, id.Name)
			}
			return true
		})
	}
	return found
}

// ofOthers reports whether an expression is a time that others chose.
func ofOthers(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.SelectorExpr:
		return slices.Contains(timesOfOthers, e.Sel.Name)
	case *ast.CallExpr:
		s, ok := e.Fun.(*ast.SelectorExpr)
		return ok && (slices.Contains(timesOfOthers, s.Sel.Name) || s.Sel.Name == "Add" && ofOthers(s.X))
	}
	return false
}

func called(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}
