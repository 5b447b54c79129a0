package arch

import (
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestWhereDoIChange reads the table of docs/ARCHITECTURE.md: each package that it
// names is there, and declares the names behind it.
func TestWhereDoIChange(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(root(t), "docs", "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(b), "## Where do I change")
	table, _, _ = strings.Cut(table, "\n## ")
	if !found {
		t.Fatal("there is no such section")
	}

	declared := declarations(t)
	code := regexp.MustCompile("`([^`]+)`")
	rows := 0
	for line := range strings.Lines(table) {
		if !strings.HasPrefix(line, "| ") || strings.HasPrefix(line, "| to change") {
			continue
		}
		rows++
		pkg := ""
		for _, m := range code.FindAllStringSubmatch(line, -1) {
			name := m[1]
			switch {
			case declared[name] != nil:
				pkg = name
			case declared[pkg] == nil:
				t.Errorf("%s is no package, in: %s", name, line)
			case !declared[pkg][name]:
				t.Errorf("%s declares no %s", pkg, name)
			}
		}
		if pkg == "" {
			t.Errorf("no package is named in: %s", line)
		}
	}
	if rows < 15 {
		t.Errorf("only %d rows", rows)
	}
}

// declarations are the names of each package at its top, and methods as Type.Method.
func declarations(t *testing.T) map[string]map[string]bool {
	all := map[string]map[string]bool{}
	for _, f := range files(t) {
		if f.test {
			continue
		}
		if all[f.dir] == nil {
			all[f.dir] = map[string]bool{}
		}
		for _, d := range f.ast.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				name := d.Name.Name
				if d.Recv != nil {
					name = receiver(d) + "." + name
				}
				all[f.dir][name] = true
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					switch spec := spec.(type) {
					case *ast.TypeSpec:
						all[f.dir][spec.Name.Name] = true
					case *ast.ValueSpec:
						for _, n := range spec.Names {
							all[f.dir][n.Name] = true
						}
					}
				}
			}
		}
	}
	return all
}
