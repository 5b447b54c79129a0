package arch

import (
	"go/ast"
	"os"
	"path"
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

// TestMap reads the table of where things live in docs/ARCHITECTURE.md: every package of
// the program is in it, or is part of one that is below its room, and every name there is a
// package. A row names the first package whole and others as they stand beside it.
func TestMap(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(root(t), "docs", "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(b), "## Where things live")
	if !found {
		t.Fatal("there is no such section")
	}

	all, dirs, onMap := declarations(t), map[string]bool{}, map[string]bool{}
	for _, f := range files(t) {
		dirs[f.dir] = true
	}
	there := func(dir string) bool {
		for pkg := range dirs {
			if pkg == dir || strings.HasPrefix(pkg, dir+"/") {
				return true
			}
		}
		return false
	}
	code := regexp.MustCompile("`([^`]+)`")
	for line := range strings.Lines(table) {
		first, _, row := strings.Cut(strings.TrimPrefix(line, "| "), " | ")
		whole := ""
		for _, m := range code.FindAllStringSubmatch(first, -1) {
			name := m[1]
			if !row || strings.HasPrefix(name, "…") {
				continue
			}
			for beside := path.Dir(whole); !there(name) && beside != "."; beside = path.Dir(beside) {
				if there(path.Join(beside, m[1])) {
					name = path.Join(beside, m[1])
				}
			}
			if !there(name) {
				t.Errorf("%s is no package, in: %s", m[1], line)
			}
			if whole == "" {
				whole = name
			}
			onMap[name] = true
		}
	}

	for pkg := range all {
		if strings.HasSuffix(pkg, "test") {
			continue // one row for all
		}
		named := onMap[pkg]
		for dir := path.Dir(pkg); strings.Contains(dir, "/"); dir = path.Dir(dir) {
			named = named || onMap[dir]
		}
		if !named {
			t.Errorf("%s is not in docs/ARCHITECTURE.md", pkg)
		}
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
