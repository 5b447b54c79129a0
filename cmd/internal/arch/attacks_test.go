package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// TestEveryAttackIsTested reads the tables of docs/ATTACKS.md: the numbers are
// those of all attacks that apply, and each test that is named is there.
func TestEveryAttackIsTested(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(root(t), "docs", "ATTACKS.md"))
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile(`(?m)^\| (\d+) \| [^|]+ \| ([^|]+) \|$`)
	named := regexp.MustCompile(`[a-z][a-z0-9/]*[a-z0-9] (?:Test[A-Za-z0-9]+(?:, )?)+`)
	next := 1
	for _, r := range row.FindAllStringSubmatch(string(b), -1) {
		if next == 33 {
			next = 41 // groups
		}
		if n, _ := strconv.Atoi(r[1]); n != next {
			t.Fatalf("attack %d follows on %d", n, next-1)
		}
		next++
		for _, group := range named.FindAllString(r[2], -1) {
			dir, tests, _ := strings.Cut(group, " ")
			for test := range strings.SplitSeq(strings.TrimSuffix(tests, ", "), ", ") {
				if !hasTest(t, dir, test) {
					t.Errorf("attack %s: %s has no %s", r[1], dir, test)
				}
			}
		}
		if strings.Count(r[2], "Test") == 0 && r[1] != "30" {
			t.Errorf("attack %s has no test", r[1])
		}
	}
	if next != 65 {
		t.Errorf("the last attack is %d", next-1)
	}
}

func hasTest(t *testing.T, dir, test string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root(t), dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), "\nfunc "+test+"(t *testing.T)") {
			return true
		}
	}
	return false
}

// TestSecretsAreNotCompared: nothing in session compares bytes by a function
// that returns at the first that differs.
func TestSecretsAreNotCompared(t *testing.T) {
	early := map[string]bool{"bytes.Equal": true, "bytes.Compare": true, "bytes.HasPrefix": true, "slices.Equal": true, "reflect.DeepEqual": true}
	err := filepath.WalkDir(filepath.Join(root(t), "session"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				if pkg, ok := s.X.(*ast.Ident); ok && early[pkg.Name+"."+s.Sel.Name] {
					t.Errorf("%s: %s.%s", fset.Position(n.Pos()), pkg.Name, s.Sel.Name)
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
