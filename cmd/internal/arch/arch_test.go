// Package arch holds the shape of the house: which package may know which, how
// packages are named and introduced, and how large a file may grow, that the attacks of
// docs/ATTACKS.md are tested, that nobody waits for others with a lock held, and that
// secrets are compared in constant time. It has
// tests only. docs/ARCHITECTURE.md draws the same picture.
package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// An arrow lets packages import packages. A pattern ending in /... means a
// package and all below it. The arrows of a package are those with the longest
// from that matches it: a line for a package replaces the lines for its tree.
type arrow struct{ from, to, why string }

var arrows = []arrow{
	{"cmd/starling", "cmd/internal/cli", "main is only the door"},
	{"cmd/internal/cli", "cmd/internal/buildinfo", "version"},
	{"cmd/internal/cli", "tui", "the app is one of the commands"},
	{"cmd/internal/cli", "tui/linear", "the app line by line, which the command chooses"},
	{"cmd/internal/cli", "tui/setup", "the first screens, before there is a node"},
	{"cmd/internal/cli", "tui/attach", "sends and saves files as the app does"},
	{"cmd/internal/cli", "tui/term", "whether the terminal can be drawn on"},
	{"cmd/internal/cli", "tui/scratch", "sweeps what an app that was killed left for an editor"},
	{"cmd/internal/cli", "tui/keymap", "reads the owner's keys before the app starts"},
	{"cmd/internal/cli", "node", "a command may run the node itself"},
	{"cmd/internal/cli", "node/api/...", "commands see a node only through its contract"},
	{"cmd/internal/cli", "node/config", "where the profile is"},
	{"cmd/internal/cli", "node/control", "the way to a node in another process"},
	{"cmd/internal/cli", "node/doctor", "starling doctor"},
	{"cmd/internal/cli", "node/relay", "starling relay"},
	{"cmd/internal/cli", "node/store", "what a new profile's passphrase costs to guess"},
	{"cmd/internal/cli", "node/testnet/...", "starling demo and starling testnet"},

	{"cmd/internal/lab/...", "cmd/internal/lab/attack", "runs scenarios in which strangers attack; never part of the program"},
	{"cmd/internal/lab/...", "node/testnet/...", "on the engines that everybody has"},
	{"cmd/internal/lab/...", "p2p/...", "an attack speaks what relays speak, and keeps no rule"},

	{"cmd/internal/drill", "node/testnet/report", "keeps summaries of the drill: docs/drill"},
	{"cmd/internal/lineup", "node/testnet/engine/namespaces", "puts a browser and its sites into namespaces"},

	{"cmd/internal/anonymity", "p2p/guard/...", "lives through years with the guards of the program"},
	{"cmd/internal/anonymity", "p2p/mix", "draws routes as the program does"},
	{"cmd/internal/anonymity", "p2p/outfox", "epochs and keys of routes"},
	{"cmd/internal/anonymity", "p2p/wire", "names relays"},
	{"cmd/internal/anonymity", "node/testnet/plot", "draws what came out"},

	{"cmd/internal/bench", "node/...", "measures what a user waits for; never part of the program"},
	{"cmd/internal/bench", "tui/tuitest", "shows the app a node that sends a thousand messages a second"},
	{"cmd/internal/bench", "p2p", "measures the network without people"},
	{"cmd/internal/bench", "cmd/internal/lab/attack", "measures mail while one stranger floods"},
	{"cmd/internal/bench", "p2p/mailbox", "measures what a mailbox costs its relay"},
	{"cmd/internal/bench", "session/group", "fills the rooms of an idle client"},
	{"cmd/internal/bench", "session", "measures a message's encryption beside libsignal's"},

	{"tui/...", "tui/...", "the screen is made of parts"},
	{"tui/...", "node/api/...", "the screen cannot reach a key, a socket or the disk"},

	{"node/api/...", "node/api/safetext", "the contract imports nothing else of ours"},
	{"node/api/apitest", "node/api/...", "what every node does; never part of the program"},
	{"node/api/query", "node/api", "what people type becomes a request of the contract"},
	{"node/api/picture", "node/api", "what of a picture is sent, within the limits of the contract"},
	{"node/testnet", "p2p/mesh", "a mesh is relays, and knows no people"},
	{"node/relay", "p2p", "a relay knows no people either"},
	{"node/relay", "node/config", "its control socket is where a profile's would be"},
	{"node/relay", "node/relay/metrics", "what it publishes of its counts, and how"},
	{"node/relay", "node/api/...", "and says what goes wrong as a node does"},
	{"node/...", "node/...", "the node is made of parts"},
	{"node/...", "session/...", "the node joins people's secrets"},
	{"node/...", "p2p/...", "with the network that carries them"},

	{"session/...", "session/...", "no network, no disk, no clock: only itself"},
	{"p2p/...", "p2p/...", "peers, never people: only itself"},
	{"p2p/clock", "p2p/wire", "names who said what time it is"},
	{"p2p/sources", "p2p/wire", "names relays, and is told the rest"},
	{"p2p/watch", "p2p/mailbox", "asks for boxes"},
	{"p2p/watch", "p2p/outfox", "with reply blocks"},
	{"p2p/watch", "p2p/pace", "and waits; who sends for it is the caller's affair"},
	{"p2p/watch", "p2p/wire", "names mailboxes"},
}

// testArrows are for test files, beside the arrows above.
var testArrows = []arrow{
	{"cmd/internal/scale", "p2p/...", "computes docs/SCALE.md from the constants of the network"},
	{"cmd/internal/cli", "tui/tuitest", "tells the stories of the screen to real nodes"},
	{"cmd/starling", "node/store", "opens the profiles of its scripts quickly"},
	{"cmd/starling", "node/config", "where a node in memory is served"},
	{"cmd/starling", "node/control", "serves nodes in memory to scripts"},
	{"cmd/starling", "tui/tuitest", "nodes in memory that share rooms, for scripts"},
	{"cmd/starling", "p2p/proxy/proxytest", "a proxy outside of the program's network"},
	{"cmd/starling", "p2p/p2ptest/programtest", "programs of Debian's"},
	{"node/relay", "p2p/p2ptest/programtest", "programs of Debian's"},
	{"cmd/starling", "p2p/transport/web/fronttest", "web servers in front of relays"},
	{"cmd/starling", "node/testnet/engine/namespaces", "whether they serve, asked in their networks"},
	{"cmd/starling", "p2p/transport/web/domain/pebbletest", "an authority that certifies the name of a relay"},
	{"node/...", "docs/vectors", "what is said, in a second implementation"},
	{"session/...", "docs/vectors", "what a cell is, in a second implementation"},
	{"p2p/...", "docs/vectors", "what a packet is, in a second implementation"},
}

const module = "starling/"

// A file is one parsed source file.
type file struct {
	path string // slash-separated, from the module's root
	dir  string // the package's folder
	test bool
	ast  *ast.File
	fset *token.FileSet
	src  []string // lines
}

func root(t *testing.T) string {
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "go.mod")); err != nil {
		t.Fatal(err)
	}
	return root
}

// files parses all Go files, those of other systems included.
func files(t *testing.T) []file {
	t.Helper()
	root := root(t)
	var all []file
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata" || d.Name() == "bin") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") {
			return nil
		}
		src, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		fset := token.NewFileSet()
		parsed, err := parser.ParseFile(fset, rel, src, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		all = append(all, file{
			path: rel, dir: path.Dir(rel), test: strings.HasSuffix(rel, "_test.go"),
			ast: parsed, fset: fset, src: strings.Split(strings.TrimSuffix(string(src), "\n"), "\n"),
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 20 {
		t.Fatalf("found only %d files", len(all))
	}
	return all
}

func (f file) imports(t *testing.T) []string {
	var paths []string
	for _, spec := range f.ast.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, p)
	}
	return paths
}

func matches(pattern, pkg string) bool {
	tree, all := strings.CutSuffix(pattern, "/...")
	return pkg == tree || (all && strings.HasPrefix(pkg, tree+"/"))
}

// allow returns the index of the arrow that lets from import to, or -1.
func allow(arrows []arrow, from, to string) int {
	closest := 0
	for _, a := range arrows {
		if matches(a.from, from) {
			closest = max(closest, closeness(a.from))
		}
	}
	for i, a := range arrows {
		if closeness(a.from) == closest && matches(a.from, from) && matches(a.to, to) {
			return i
		}
	}
	return -1
}

// closeness orders the patterns that match one package: the deeper the closer,
// and one package before a tree.
func closeness(pattern string) int {
	tree, all := strings.CutSuffix(pattern, "/...")
	if all {
		return 2 * len(tree)
	}
	return 2*len(tree) + 1
}

func TestArrows(t *testing.T) {
	used := make([]bool, len(arrows))
	usedByTests := make([]bool, len(testArrows))
	for _, f := range files(t) {
		for _, imported := range f.imports(t) {
			to, ours := strings.CutPrefix(imported, module)
			if !ours || to == f.dir {
				continue
			}
			i := allow(arrows, f.dir, to)
			if i >= 0 {
				used[i] = used[i] || !f.test
				continue
			}
			if f.test {
				if j := allow(testArrows, f.dir, to); j >= 0 {
					usedByTests[j] = true
					continue
				}
			}
			t.Errorf("%s: %s must not import %s", f.path, f.dir, to)
		}
	}
	for i, a := range arrows {
		if a.why == "" {
			t.Errorf("the arrow %s → %s gives no reason", a.from, a.to)
		}
		if !used[i] {
			t.Errorf("the arrow %s → %s is stale: nothing uses it", a.from, a.to)
		}
	}
	for i, a := range testArrows {
		if !usedByTests[i] {
			t.Errorf("the test arrow %s → %s is stale: nothing uses it", a.from, a.to)
		}
	}
}

func TestAllow(t *testing.T) {
	table := []arrow{{"a/...", "b/...", ""}, {"a/x", "c", ""}}
	for _, tt := range []struct {
		from, to string
		want     int
	}{
		{"a", "b", 0}, {"a/y", "b/z", 0}, {"a/x", "c", 1},
		{"a/x", "b", -1}, {"a", "c", -1}, {"ab", "b", -1}, {"a/x/y", "b", 0}, {"a", "bc", -1},
	} {
		if got := allow(table, tt.from, tt.to); got != tt.want {
			t.Errorf("%s → %s: line %d, want %d", tt.from, tt.to, got, tt.want)
		}
	}
}

// TestSessionIsPure holds that session is testable and auditable: state in, state out.
func TestSessionIsPure(t *testing.T) {
	forbidden := map[string]string{
		"os": "disk", "io/fs": "disk", "database/sql": "disk", "log/slog": "logs", "log": "logs",
		"context":   "goroutines to cancel",
		"math/rand": "randomness that is not secret", "math/rand/v2": "randomness that is not secret",
	}
	clock := []string{"Now", "Since", "Until", "Sleep", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker"}
	for _, f := range files(t) {
		if f.test || !matches("session/...", f.dir) {
			continue
		}
		for _, imported := range f.imports(t) {
			why, bad := forbidden[imported]
			if imported == "net" || strings.HasPrefix(imported, "net/") {
				why, bad = "network", true
			}
			// A key may hide itself from a logger.
			if bad && !(imported == "log/slog" && onlyLogValuer(f.ast)) {
				t.Errorf("%s imports %s: session has no %s", f.path, imported, why)
			}
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.GoStmt:
				t.Errorf("%s: session starts no goroutine", f.fset.Position(n.Pos()))
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains(clock, n.Sel.Name) {
					t.Errorf("%s: session has no clock", f.fset.Position(n.Pos()))
				}
			}
			return true
		})
	}
}

// onlyLogValuer reports whether a file uses slog only to choose the form of a type in
// logs.
func onlyLogValuer(f *ast.File) bool {
	ok := true
	ast.Inspect(f, func(n ast.Node) bool {
		if s, isSelector := n.(*ast.SelectorExpr); isSelector {
			if x, isIdent := s.X.(*ast.Ident); isIdent && x.Name == "slog" && s.Sel.Name != "Value" && s.Sel.Name != "StringValue" {
				ok = false
			}
		}
		return true
	})
	return ok
}

func TestPackages(t *testing.T) {
	forbidden := []string{"util", "utils", "common", "helper", "helpers", "types", "manager", "managers", "misc", "shared", "lib"}
	comments := map[string][]string{} // folder → files with a package comment
	var folders []string
	for _, f := range files(t) {
		if f.dir == "." {
			t.Errorf("%s: there is no package at the top", f.path)
		}
		if !slices.Contains(folders, f.dir) {
			folders = append(folders, f.dir)
		}
		name := strings.TrimSuffix(f.ast.Name.Name, "_test")
		if name != "main" && name != path.Base(f.dir) {
			t.Errorf("%s: package %s is in folder %s", f.path, name, f.dir)
		}
		for _, part := range strings.Split(f.dir, "/") {
			if slices.Contains(forbidden, part) {
				t.Errorf("%s: %q says nothing about what is inside", f.dir, part)
			}
		}
		if f.ast.Doc != nil && !isDirective(f.ast.Doc) {
			comments[f.dir] = append(comments[f.dir], f.path)
			text := f.ast.Doc.Text()
			start := "Package " + name + " "
			if name == "main" {
				start = "Command " + path.Base(f.dir) + " "
			}
			if !strings.HasPrefix(text, start) {
				t.Errorf("%s: the package comment does not start with %q", f.path, start)
			}
		}
		if !f.test && len(f.src) > 700 {
			t.Errorf("%s has %d lines; at most 700: it holds more than one idea", f.path, len(f.src))
		}
		for _, imported := range f.imports(t) {
			if imported == "C" {
				t.Errorf("%s uses cgo", f.path)
			}
		}
	}
	for _, folder := range folders {
		if n := len(comments[folder]); n != 1 {
			t.Errorf("%s has %d package comments, not one: %v", folder, n, comments[folder])
		}
	}
}

func isDirective(doc *ast.CommentGroup) bool { return strings.TrimSpace(doc.Text()) == "" }

func TestMainIsShort(t *testing.T) {
	lines := 0
	for _, f := range files(t) {
		if f.dir == "cmd/starling" && !f.test {
			lines += len(f.src)
		}
	}
	if lines == 0 || lines > 30 {
		t.Errorf("cmd/starling has %d lines; 1 to 30", lines)
	}
}

func TestTopLevel(t *testing.T) {
	want := []string{".ci", "LICENSE", "Makefile", "README.md", "cmd", "docs", "go.mod", "go.sum", "node", "p2p", "session", "tui"}
	entries, err := os.ReadDir(root(t))
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	for _, e := range entries {
		have = append(have, e.Name())
		built := e.Name() == "bin"
		if !built && !strings.HasPrefix(e.Name(), ".") && !slices.Contains(want, e.Name()) {
			t.Errorf("%s does not belong at the top", e.Name())
		}
	}
	for _, name := range want {
		if !slices.Contains(have, name) {
			t.Errorf("%s is missing at the top", name)
		}
	}
}
