// Command platforms type-checks the tree for machines other than this one: it finds an int of 32
// bits that overflows, or a call that Windows lacks, without building anything.
//
//	go run ./cmd/internal/platforms linux/arm windows/amd64
//
// Packages of ours are checked whole, those of others by their declarations. No code is
// generated and no cache is needed, so that a platform costs seconds where a build from empty
// caches costs minutes; `make cross` builds. The exit code is 1 if something does not hold.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func main() {
	failed := false
	for _, platform := range os.Args[1:] {
		fmt.Println("types", platform)
		if err := check(".", platform, "./..."); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", platform, err)
			failed = true
		}
	}
	if failed {
		os.Exit(1)
	}
}

// listed is the part of go list's answer about one package that is used here.
type listed struct {
	Dir, ImportPath string
	GoFiles         []string
	ImportMap       map[string]string
	Module          *struct {
		Main      bool
		GoVersion string
	}
}

// ours says whether a package belongs to the tree.
func (l *listed) ours() bool { return l.Module != nil && l.Module.Main }

// check type-checks the packages of the patterns in a folder, with all their imports, for a
// platform such as "linux/arm". The error joins all findings.
func check(dir, platform string, patterns ...string) error {
	system, machine, ok := strings.Cut(platform, "/")
	if !ok {
		return errors.New("no platform: it is named as linux/arm is")
	}
	list := exec.Command("go", append([]string{"list", "-deps", "-json=Dir,ImportPath,GoFiles,ImportMap,Module"}, patterns...)...)
	list.Dir = dir
	list.Env = append(os.Environ(), "GOOS="+system, "GOARCH="+machine, "CGO_ENABLED=0")
	var said bytes.Buffer
	list.Stderr = &said
	out, err := list.Output()
	if err != nil {
		return fmt.Errorf("go list: %w: %s", err, said.Bytes())
	}

	c := checker{
		sizes: types.SizesFor("gc", machine),
		known: map[string]*types.Package{"unsafe": types.Unsafe},
		files: token.NewFileSet(),
	}
	if c.sizes == nil {
		return errors.New("no machine that Go knows")
	}
	// go list names a package after all that it imports.
	for in := json.NewDecoder(bytes.NewReader(out)); ; {
		var l listed
		if err := in.Decode(&l); err == io.EOF {
			return errors.Join(c.found...)
		} else if err != nil {
			return fmt.Errorf("go list: %w", err)
		}
		if l.ImportPath != "unsafe" {
			c.check(&l)
		}
	}
}

// checker holds the packages that were checked for one platform.
type checker struct {
	sizes types.Sizes
	known map[string]*types.Package
	files *token.FileSet
	found []error
}

// check type-checks one package after those that it imports.
func (c *checker) check(l *listed) {
	var files []*ast.File
	for _, name := range l.GoFiles {
		file, err := parser.ParseFile(c.files, filepath.Join(l.Dir, name), nil, parser.SkipObjectResolution)
		if err != nil {
			c.found = append(c.found, err)
			continue
		}
		files = append(files, file)
	}

	config := types.Config{
		Importer:         importer{c.known, l.ImportMap},
		Sizes:            c.sizes,
		IgnoreFuncBodies: !l.ours(),
		Error: func(err error) {
			// Of others' packages only their use by ours counts.
			if l.ours() {
				c.found = append(c.found, err)
			}
		},
	}
	if l.Module != nil && l.Module.GoVersion != "" {
		config.GoVersion = "go" + l.Module.GoVersion
	}
	pkg, _ := config.Check(l.ImportPath, c.files, files, nil)
	c.known[l.ImportPath] = pkg
}

// importer finds the packages that were checked before, by the names that one package uses.
type importer struct {
	known map[string]*types.Package
	names map[string]string
}

func (i importer) Import(path string) (*types.Package, error) {
	if name, ok := i.names[path]; ok {
		path = name
	}
	if pkg := i.known[path]; pkg != nil {
		return pkg, nil
	}
	return nil, fmt.Errorf("%s was not listed", path)
}
