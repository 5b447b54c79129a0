package arch

import (
	"path"
	"slices"
	"strings"
	"testing"
)

// inProduct are packages for tests that are linked into the program all the
// same, each with a reason. A line goes when its package is out: the test fails
// then.
var inProduct = []struct{ pkg, why string }{
	{"testing/synctest", "the clock of starling testnet's virtual time; the linker lets nobody else use internal/synctest"},
	{"testing", "synctest.Test takes a testing.T; node/testnet/engine/virtual gives it an empty one"},
}

// TestProduct holds that nothing made for tests is in the program that people
// run: no package that breaks things on command, or fails a test.
func TestProduct(t *testing.T) {
	imports := map[string][]string{} // by folder, of files that are no tests
	for _, f := range files(t) {
		if !f.test {
			imports[f.dir] = append(imports[f.dir], f.imports(t)...)
		}
	}

	// Everything of ours that main reaches, and the packages of the standard
	// library that it names.
	linked := map[string]string{} // by whom
	for todo := []string{"cmd/starling"}; len(todo) > 0; {
		dir := todo[0]
		todo = todo[1:]
		for _, imported := range imports[dir] {
			to, ours := strings.CutPrefix(imported, module)
			if linked[to] != "" || !ours && !madeForTests(to) {
				continue
			}
			linked[to] = dir
			if ours {
				todo = append(todo, to)
			}
		}
	}
	if linked["tui"] == "" || linked["node"] == "" {
		t.Fatal("main reaches neither tui nor node")
	}

	for _, e := range inProduct {
		if e.why == "" {
			t.Errorf("%s gives no reason", e.pkg)
		}
		if linked[e.pkg] == "" {
			t.Errorf("%s is stale: it is not linked", e.pkg)
		}
		delete(linked, e.pkg)
	}
	for pkg, by := range linked {
		if madeForTests(pkg) {
			t.Errorf("%s is linked into cmd/starling by %s", pkg, by)
		}
	}
}

// madeForTests reports whether a part of a package's path says that it is for
// tests.
func madeForTests(pkg string) bool {
	parts := strings.Split(pkg, "/")
	return parts[0] == "testing" || slices.ContainsFunc(parts, func(p string) bool {
		return strings.HasSuffix(p, "test") || strings.Contains(p, "fault") || p == "adversary" || p == "hostile"
	})
}

func TestMadeForTests(t *testing.T) {
	for pkg, want := range map[string]bool{
		"testing": true, "testing/synctest": true, "p2p/p2ptest": true, "p2p/mailbox/faultfs": true,
		"node/testnet": false, "p2p/virtualtime": false, "p2p/virtualdisk": false, "tui/tuitest": true, path.Join("p2p", "hostile"): true,
	} {
		if madeForTests(pkg) != want {
			t.Errorf("%s: %v", pkg, !want)
		}
	}
}
