package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	// quoted is a path of the tree in a document: `node/inbox`, `cmd/internal/cli/cli.go`.
	quoted = regexp.MustCompile("`((?:cmd|node|p2p|session|tui|docs)/[a-zA-Z0-9_./-]+)`")
	// linked is a link to another page.
	linked = regexp.MustCompile(`\]\(([A-Za-z0-9_./-]+\.md)(?:#[a-z0-9-]*)?\)`)
)

// TestPaths holds that the documents name nothing that is not there.
func TestPaths(t *testing.T) {
	pages, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	more, err := filepath.Glob(filepath.Join(root, "docs", "adr", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range append(append(pages, more...), filepath.Join(root, "README.md")) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		check := func(path, shown string) {
			if _, err := os.Stat(path); err != nil {
				t.Errorf("%s names %s, which is not there", filepath.Base(page), shown)
			}
		}
		for _, m := range quoted.FindAllStringSubmatch(string(text), -1) {
			check(filepath.Join(root, strings.TrimSuffix(m[1], "/...")), m[1])
		}
		for _, m := range linked.FindAllStringSubmatch(string(text), -1) {
			check(filepath.Join(filepath.Dir(page), m[1]), m[1])
		}
	}
}
