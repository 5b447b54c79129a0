package main

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// hosts are the host names and addresses that the program has in it, with the reason. None is
// one of somebody who runs a relay, a bridge, or anything else by which one gets into
// the network: those are the owner's, or come from people.
var hosts = map[string]string{
	"github.com": "a module", "golang.org": "a module", "google.golang.org": "a module", "go.uber.org": "a module", "go.opentelemetry.io": "a module",
	"filippo.io": "a module", "lukechampine.com": "a module", "rsc.io": "a module", "gonum.org": "a module", "gopkg.in": "a module",
	"go.dev": "words of Go's tools", "protobuf.dev": "words of a module", "www.ietf.org": "words of a module", "tools.ietf.org": "words of a module",
	"age-encryption.org": "the format of backups", "www.w3.org": "names in SVG", "w3.org": "names in SVG", "schemas.xmlsoap.org": "names in UPnP",
	"app.kubernetes.io":            "a label of pods",
	"acme-v02.api.letsencrypt.org": "an authority that a relay asks if its owner says --domain, and that tells of no relay",
	"bootstrap.libp2p.io":          "a list of another network in the DHT's library, which is never read (cmd/internal/arch TestOneDoor)",
	"104.131.131.82":               "of the same list",
	"example.org":                  "an example", "relay.example.org": "an example", "acme.example.org": "an example",
	"encrypted.net": "two texts side by side", "thing.org": "words for compressing", "the.com": "words for compressing", "tos.org": "words for compressing", "vb.net": "a language",
	"s.onion": "the end of a format", "valid.site": "two texts side by side",
	"1up.com": "a common password", "about.com": "a common password", "amazon.com": "a common password", "b.tech": "a common password", "espn.com": "a common password",
	"rediff.com": "a common password", "rivals.com": "a common password", "salon.com": "a common password", "scout.com": "a common password", "web.com": "a common password",

	"192.0.2.1": "an example (RFC 5737)", "192.0.2.7": "an example", "203.0.113.9": "an example", "198.51.100.0": "a block of examples",
	"127.0.0.1": "this machine", "0.0.0.0": "any address of this machine", "255.255.255.255": "no address", "224.0.0.0": "no address",
	"224.0.0.251": "multicast of the local network", "239.255.255.250": "multicast of UPnP", "192.168.0.0": "private", "192.168.0.1": "private", "192.168.0.2": "private",
	"100.64.0.0": "a block of carriers", "192.0.0.0": "a block of the IETF", "192.0.2.0": "a block of examples", "203.0.113.0": "a block of examples", "198.18.0.0": "a block for benchmarks", "240.0.0.0": "no address", "12.0.0.0": "a block, or the end of 192.0.0.0", "100.0.0.0": "the end of another",
	"156.0.0.0": "a version of a browser", "14.0.0.10": "two numbers side by side",
}

var (
	address = regexp.MustCompile(`(?:25[0-5]|2[0-4]\d|1?\d?\d)(?:\.(?:25[0-5]|2[0-4]\d|1?\d?\d)){3}`)
	host    = regexp.MustCompile(`(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?:com|net|org|io|dev|eu|de|ru|ir|cn|onion|chat|im|me|xyz|cloud|online|site|tech|tk|su)`)
)

// mentioned returns the host names and addresses in bytes of a program. Of names of
// functions and packages those are left out that look like one.
func mentioned(b []byte) map[string]int {
	found := map[string]int{}
	edge := func(at int, set string) bool {
		return at < 0 || at >= len(b) || !strings.ContainsRune(set, rune(b[at])) && !('a' <= b[at] && b[at] <= 'z' || 'A' <= b[at] && b[at] <= 'Z' || '0' <= b[at] && b[at] <= '9')
	}
	for _, at := range address.FindAllIndex(b, -1) {
		before := b[max(0, at[0]-16):at[0]]
		number := func(i int) bool { return i >= 0 && i < len(b) && (b[i] == '.' || '0' <= b[i] && b[i] <= '9') }
		if number(at[0]-1) || number(at[1]) || regexp.MustCompile(`func\d*[-.]?$|gowrap$|deferwrap$|\bv$`).Match(before) {
			continue
		}
		found[string(b[at[0]:at[1]])]++
	}
	for _, at := range host.FindAllIndex(b, -1) {
		if printable(b[max(0, at[0]-3):min(len(b), at[1]+3)]) && edge(at[0]-1, "._-/*[$({") && edge(at[1], "_-(") {
			found[string(b[at[0]:at[1]])]++
		}
	}
	return found
}

// printable reports whether bytes are of a text, or of its end.
func printable(b []byte) bool {
	return !bytes.ContainsFunc(b, func(r rune) bool { return r != 0 && r != '\n' && r != '\t' && (r < ' ' || r > '~') })
}

// strangers are those that are not in the list. Before the name of a module there may be the
// end of another text.
func strangers(found map[string]int) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(found)), func(s string) bool {
		if _, known := hosts[s]; known {
			return true
		}
		for name, why := range hosts {
			if before, ok := strings.CutSuffix(s, name); ok && why == "a module" && !strings.HasSuffix(before, ".") {
				return true
			}
		}
		return false
	})
}

// TestNoWayInside: the program as it is built has no host name or address of a way into the network in
// it, so that nobody can block it by a list that everybody has.
func TestNoWayInside(t *testing.T) {
	planted := []string{"/ip4/11.22.33.44/tcp/443", "way bridge.example.net in", "relays at 5.6.7.8:443.", "abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrstuvwx.onion"}
	for _, s := range planted {
		if len(strangers(mentioned([]byte("x\x00"+s+"\x00y")))) != 1 {
			t.Errorf("%q is not found", s)
		}
	}

	built := filepath.Join(t.TempDir(), "starling")
	cmd := exec.Command("go", "build", "-buildvcs=false", "-ldflags=-s -w", "-o", built, ".")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("no program is built here: %v: %s", err, out)
	}
	b, err := os.ReadFile(built)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range strangers(mentioned(b)) {
		i := bytes.Index(b, []byte(s))
		t.Errorf("%s is in the program: …%q…", s, b[max(0, i-40):min(len(b), i+len(s)+40)])
	}
}

// TestNoWayInSource: nor do the texts of our own packages have one. In the built program they may
// stand so close that a name has no end.
func TestNoWayInSource(t *testing.T) {
	for _, top := range []string{"cmd/starling", "cmd/internal/cli", "cmd/internal/buildinfo", "node", "p2p", "session", "tui"} {
		err := filepath.WalkDir(filepath.Join(root, top), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "test/") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				text, ok := n.(*ast.BasicLit)
				if !ok || text.Kind != token.STRING {
					return true
				}
				s, err := strconv.Unquote(text.Value)
				if err != nil {
					t.Error(err)
				}
				for _, one := range strangers(mentioned([]byte(s))) {
					t.Errorf("%s has %s: %.100q", path, one, s)
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
