package arch

import (
	"go/ast"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// decoder is what functions are called that read bytes of others.
var decoder = regexp.MustCompile(`^(Parse|Unmarshal|Decode|Cut|parse|unmarshal|decode|cut)([A-Z]\w*)?$`)

// notFuzzed are the decoders that no fuzz target names: "by NAME" is reached through a
// decoder of its package that one does; anything else is a reason.
var notFuzzed = map[string]string{
	"node cut":                              "a text of the owner's, for the screen",
	"node/chat Content.decodeCells":         "by Decode",
	"node/chat Content.decodeField":         "by Decode",
	"node/store parseMarker":                "by parseMarkerRow",
	"p2p/client Client.parseHint":           "it is directory.ParseHint and a rule",
	"p2p/directory Descriptor.parseLists":   "by parse",
	"p2p/directory cutAddress":              "by parse",
	"p2p/directory cutAddresses":            "by parse",
	"p2p/directory cutEntry":                "by ParsePage",
	"p2p/mailbox List.decode":               "by ParseAnswer",
	"p2p/mailbox Entry.decode":              "by ParseRequest",
	"p2p/mailbox decodeEnds":                "by ParseAnswer",
	"p2p/mailbox decodeEntry":               "by ParseAnswer",
	"p2p/mailbox parseAppend":               "by ParseRequest",
	"p2p/mailbox parseFollow":               "by ParseRequest",
	"p2p/mailbox parseFetch":                "by ParseRequest",
	"p2p/mailbox parsePut":                  "by ParseRequest",
	"p2p/mailbox parseQuestion":             "by ParseRequest",
	"p2p/recall Parse":                      "by parse",
	"p2p/recall ParseDescriptors":           "by parse",
	"session ParseLink":                     "it is invite.Parse and a copy",
	"session chain.unmarshal":               "by UnmarshalSession",
	"session gap.unmarshal":                 "by UnmarshalSession",
	"session pendingHello.unmarshal":        "by UnmarshalInvite",
	"session receiver.unmarshal":            "by UnmarshalSession",
	"session receiver.unmarshalLost":        "by UnmarshalSession",
	"session sender.unmarshal":              "by UnmarshalSession",
	"session signal.unmarshal":              "by UnmarshalSession",
	"session/ratchet/spqr/chain link.parse": "by Unmarshal",
}

// TestDecodersAreFuzzed: beside every decoder of bytes from outside there is a fuzz target
// that calls it.
func TestDecodersAreFuzzed(t *testing.T) {
	all := files(t)
	fuzzed := map[string]bool{} // names that the fuzz targets of a folder use
	for _, f := range all {
		if !f.test {
			continue
		}
		for _, d := range f.ast.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || !strings.HasPrefix(fn.Name.Name, "Fuzz") {
				continue
			}
			ast.Inspect(fn, func(n ast.Node) bool {
				if id, ok := n.(*ast.Ident); ok {
					fuzzed[f.dir+" "+id.Name] = true
				}
				return true
			})
		}
	}

	seen := map[string]bool{}
	for _, f := range all {
		if f.test || !slices.ContainsFunc([]string{"session/...", "p2p/...", "node/..."}, func(tree string) bool { return matches(tree, f.dir) }) {
			continue
		}
		for _, d := range f.ast.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || !decoder.MatchString(fn.Name.Name) || !readsBytes(fn) {
				continue
			}
			name := f.dir + " " + fn.Name.Name
			if fn.Recv != nil {
				name = f.dir + " " + receiver(fn) + "." + fn.Name.Name
			}
			why, listed := notFuzzed[name]
			seen[name] = true
			direct := fuzzed[f.dir+" "+fn.Name.Name]
			switch by, through := strings.CutPrefix(why, "by "); {
			case direct && listed:
				t.Errorf("%s is fuzzed: its line is stale", name)
			case direct:
			case !listed:
				t.Errorf("%s: no fuzz target calls %s", f.fset.Position(fn.Pos()), name)
			case through && !fuzzed[f.dir+" "+by]:
				t.Errorf("%s is to be fuzzed by way of %s, which no fuzz target calls", name, by)
			}
		}
	}
	for name := range notFuzzed {
		if !seen[name] {
			t.Errorf("notFuzzed names %s, which is not there", name)
		}
	}
}

// readsBytes reports whether a function is given something to decode.
func readsBytes(fn *ast.FuncDecl) bool {
	for _, p := range fn.Type.Params.List {
		switch x := p.Type.(type) {
		case *ast.Ident:
			if x.Name == "string" {
				return true
			}
		case *ast.ArrayType:
			if id, ok := x.Elt.(*ast.Ident); ok && id.Name == "byte" {
				return true
			}
		case *ast.StarExpr:
			if s, ok := x.X.(*ast.SelectorExpr); ok && (s.Sel.Name == "Message" || s.Sel.Name == "String") {
				return true // outfox.Message, cryptobyte.String
			}
		case *ast.SelectorExpr:
			if x.Sel.Name == "Reader" {
				return true
			}
		}
	}
	return false
}
