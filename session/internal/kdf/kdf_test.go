package kdf

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestLabelsDistinct holds that no label is the beginning of another: no two
// uses can ever feed a primitive the same bytes (reference: context labels).
func TestLabelsDistinct(t *testing.T) {
	for i, a := range Table {
		if a == "" || len(a) > 64 {
			t.Errorf("label %q has %d bytes", a, len(a))
		}
		for j, b := range Table {
			if i != j && strings.HasPrefix(string(b), string(a)) {
				t.Errorf("label %q begins with %q", b, a)
			}
		}
	}
}

// TestLabelsUsed holds that Table has every label of the package, that each is
// used outside of it, and that nobody derives under a label that is not here.
// (The post-quantum ratchet has its own, which begin with "Starling_".)
func TestLabelsUsed(t *testing.T) {
	declared := map[string]Label{}
	file, err := parser.ParseFile(token.NewFileSet(), "kdf.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if id, ok := spec.Type.(*ast.Ident); ok && id.Name == "Label" {
			value, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			declared[spec.Names[0].Name] = Label(value)
		}
		return true
	})
	if len(declared) != len(Table) {
		t.Errorf("%d labels declared, %d in Table", len(declared), len(Table))
	}
	inTable := map[Label]bool{}
	for _, l := range Table {
		inTable[l] = true
	}
	used := map[string]int{}
	err = filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if c, ok := n.(*ast.CallExpr); ok && len(c.Args) == 1 {
				if sel, ok := c.Fun.(*ast.SelectorExpr); ok && sel.Sel.Name == "Label" {
					t.Errorf("%s: a label that is not in the table", path)
				}
			}
			if lit, ok := n.(*ast.BasicLit); ok && strings.Contains(lit.Value, "Starling v1") && !strings.HasSuffix(path, "kdf/kdf.go") {
				t.Errorf("%s: %s is spelt out, not taken from the table", path, lit.Value)
			}
			if sel, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := sel.X.(*ast.Ident); ok && x.Name == "kdf" {
					used[sel.Sel.Name]++
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, l := range declared {
		if !inTable[l] {
			t.Errorf("%s is not in Table", name)
		}
		if used[name] == 0 {
			t.Errorf("%s is not used", name)
		}
	}
}

// TestMatchesStandardLibrary compares HMAC and HKDF with crypto/hmac and
// crypto/hkdf at every size that matters.
func TestMatchesStandardLibrary(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789abcdef"), 16)
	for n := range len(data) {
		k := data[:n%65]
		h := hmac.New(sha256.New, k)
		h.Write(data[:n])
		got := MAC(k, data[:n/2], data[n/2:n])
		if want := h.Sum(nil); !bytes.Equal(got[:], want) {
			t.Fatalf("HMAC of %d bytes: %x, want %x", n, got, want)
		}
	}
	for n := range 300 {
		salt, secret, info := data[:n%65], data[:n%len(data)], string(data[:n%159])
		want, err := hkdf.Key(sha256.New, secret, salt, info, n)
		if err != nil {
			t.Fatal(err)
		}
		a, b := make([]byte, n/3), make([]byte, n-n/3)
		HKDF(info, salt, secret, a, b)
		if got := append(a, b...); !bytes.Equal(got, want) {
			t.Fatalf("HKDF of %d bytes: %x, want %x", n, got, want)
		}
	}
}

func TestBounds(t *testing.T) {
	for name, f := range map[string]func(){
		"key":    func() { HKDF("", make([]byte, 65), nil, make([]byte, 1)) },
		"info":   func() { HKDF(strings.Repeat("x", 160), nil, nil, make([]byte, 1)) },
		"output": func() { HKDF("", nil, nil, make([]byte, 255*Size+1)) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Fatal("no panic")
				}
			}()
			f()
		})
	}
}

func BenchmarkDerive(b *testing.B) {
	var key [64]byte
	var iv [16]byte
	b.ReportAllocs()
	for b.Loop() {
		Derive(Message, nil, key[:32], key[:], iv[:])
	}
}
