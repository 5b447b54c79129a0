package control

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"starling/node/api"
	"starling/node/api/safetext"
)

var update = flag.Bool("update", false, "write docs/API.md anew")

const document = "../../docs/API.md"

// TestDocument holds that docs/API.md is written from the table of methods and
// the types of package api.
func TestDocument(t *testing.T) {
	want := page(t)
	if *update {
		if err := os.WriteFile(document, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, want) {
		t.Errorf("%s is not what the code says: go test ./node/control -run TestDocument -update", document)
	}
}

// TestEveryMethodIsServed holds that no method of the api is missing here. The socket
// has one of its own: enter.
func TestEveryMethodIsServed(t *testing.T) {
	node := reflect.TypeFor[api.Node]()
	if len(methods) != node.NumMethod()+1 {
		t.Errorf("%d methods are served, the api has %d", len(methods), node.NumMethod())
	}
	for i := range node.NumMethod() {
		name := node.Method(i).Name
		if !slices.ContainsFunc(methods, func(m endpoint) bool {
			return strings.EqualFold(strings.ReplaceAll(m.name, "_", ""), name)
		}) {
			t.Errorf("%s is not served", name)
		}
	}
}

// TestEveryMethodHasDuties holds that the suite of every node (package apitest) calls each
// method of the api.
func TestEveryMethodHasDuties(t *testing.T) {
	called := map[string]bool{}
	files, err := filepath.Glob("../api/apitest/*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, name := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				called[s.Sel.Name] = true
			}
			return true
		})
	}

	node := reflect.TypeFor[api.Node]()
	for i := range node.NumMethod() {
		if name := node.Method(i).Name; !called[name] {
			t.Errorf("node/api/apitest has no duty of %s", name)
		}
	}
}

// comments are the comments of a package's types, fields and constants.
type comments struct {
	types  map[string]string
	fields map[string]string // Type.Field
	values map[string][]string
}

func read(t *testing.T, dir string) comments {
	t.Helper()
	c := comments{map[string]string{}, map[string]string{}, map[string][]string{}}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	fset := token.NewFileSet()
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") || strings.HasSuffix(f.Name(), "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(fset, dir+"/"+f.Name(), nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range parsed.Decls {
			if g, ok := decl.(*ast.GenDecl); ok {
				c.add(g)
			}
		}
	}
	return c
}

func (c comments) add(g *ast.GenDecl) {
	for _, spec := range g.Specs {
		switch s := spec.(type) {
		case *ast.TypeSpec:
			doc := s.Doc
			if doc == nil {
				doc = g.Doc
			}
			c.types[s.Name.Name] = words(doc)
			if st, ok := s.Type.(*ast.StructType); ok {
				for _, f := range st.Fields.List {
					text := words(f.Doc)
					if text == "" {
						text = words(f.Comment)
					}
					for _, name := range f.Names {
						c.fields[s.Name.Name+"."+name.Name] = text
					}
				}
			}
		case *ast.ValueSpec:
			if kind, ok := s.Type.(*ast.Ident); ok && len(s.Values) == 1 {
				if lit, ok := s.Values[0].(*ast.BasicLit); ok {
					c.values[kind.Name] = append(c.values[kind.Name], strings.Trim(lit.Value, `"`))
				}
			}
		}
	}
}

// words is a comment on one line, without the brackets of links.
func words(g *ast.CommentGroup) string {
	if g == nil {
		return ""
	}
	text := strings.Join(strings.Fields(g.Text()), " ")
	return strings.NewReplacer("[", "", "]", "", "|", `\|`).Replace(text)
}

func page(t *testing.T) []byte {
	var b bytes.Buffer
	doc := read(t, "../api")
	b.WriteString(`# The node's API

What a running node can be asked, by any program of its owner, in any language: JSON over
HTTP/1.1 on the unix socket ` + "`control.sock`" + ` in the profile's folder (docs/COMMANDS.md says where that
is). The command line and the app use nothing else. This page is written from the code by
` + "`go test ./node/control -run TestDocument -update`" + `; [BOTS.md](BOTS.md) has a bot in Python.

    curl --unix-socket control.sock http://starling/v1/status
    curl --unix-socket control.sock http://starling/v1/send -d '{"contact":"Bob","text":"hi"}'
    curl --unix-socket control.sock -N http://starling/v1/events -d '{"after":-1}'

- Arguments are one JSON object in the body of a POST, at most 1 MiB; unknown fields are refused. A
  method without arguments takes a GET as well.
- A *value* is one JSON object; a method without one answers ` + "`{}`" + `. A *list* is one object a line, and
  whole only if the body ends as HTTP says. A *stream* goes on for as long as the connection.
- An error is ` + "`{\"error\":{\"code\":\"…\",\"message\":\"…\",\"hint\":\"…\"}}`" + ` with a status of 400 and above; in a list
  that has begun it is the last line. The codes are at the end of this page and never change
  their meaning.
- Fields are only ever added. Fields that are empty may be left out. Times are RFC 3339, durations
  nanoseconds, bytes base64. Text that a contact chose is cleaned of control characters.
- Where a method takes a contact it takes the contact's id or exact name.

## Methods

| method | arguments | answers | |
|---|---|---|---|
`)
	shapes := map[shape]string{nothing: "", object: "value: ", lines: "list: ", stream: "stream: "}
	var named []reflect.Type
	note := func(t reflect.Type) {
		if t.Name() != "none" && strings.HasSuffix(t.PkgPath(), "/api") && !slices.Contains(named, t) {
			named = append(named, t)
		}
	}
	for _, m := range methods {
		answers := shapes[m.shape]
		if m.shape != nothing {
			answers += kind(m.value)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", m.name, arguments(m.args), answers, strings.ReplaceAll(m.doc, "|", `\|`))
		note(m.args)
		note(m.value)
	}

	b.WriteString("\n## Objects\n")
	for i := 0; i < len(named); i++ { // grows
		st := named[i]
		fmt.Fprintf(&b, "\n### %s\n\n%s\n\n| field | type | |\n|---|---|---|\n", st.Name(), doc.types[st.Name()])
		fields(&b, doc, st, func(f reflect.Type) {
			for f.Kind() == reflect.Slice || f.Kind() == reflect.Pointer {
				f = f.Elem()
			}
			if f.Kind() == reflect.Struct && f != reflect.TypeFor[time.Time]() {
				note(f)
			}
		})
	}

	fmt.Fprintf(&b, "\n## Error codes\n\n%s\n\n| code | status |\n|---|---|\n", doc.types["Code"])
	for _, code := range doc.values["Code"] {
		fmt.Fprintf(&b, "| `%s` | %d |\n", code, status(api.Code(code)))
	}
	return b.Bytes()
}

// fields writes a row for each field as it stands in JSON.
func fields(b *bytes.Buffer, doc comments, st reflect.Type, seen func(reflect.Type)) {
	for f := range fieldsOf(st) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && name == "" {
			fields(b, doc, f.Type, seen)
			continue
		}
		text := doc.fields[st.Name()+"."+f.Name]
		if values := doc.values[f.Type.Name()]; f.Type.Kind() == reflect.String && len(values) > 0 {
			text = strings.TrimSpace(text + " One of `" + strings.Join(values, "`, `") + "`.")
		}
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", name, kind(f.Type), text)
		seen(f.Type)
	}
}

func fieldsOf(st reflect.Type) func(func(reflect.StructField) bool) {
	return func(yield func(reflect.StructField) bool) {
		for i := range st.NumField() {
			if f := st.Field(i); (f.IsExported() || f.Anonymous) && f.Tag.Get("json") != "-" && !yield(f) {
				return
			}
		}
	}
}

// arguments names the arguments of a method.
func arguments(t reflect.Type) string {
	if strings.HasSuffix(t.PkgPath(), "/api") {
		return kind(t)
	}
	var all []string
	for f := range fieldsOf(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		all = append(all, fmt.Sprintf("`%s` %s", name, kind(f.Type)))
	}
	return strings.Join(all, ", ")
}

// kind is a type in the words of JSON.
func kind(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return "time"
	case t == reflect.TypeFor[time.Duration]():
		return "duration"
	case t == reflect.TypeFor[safetext.Text]():
		return "text"
	case t == reflect.TypeFor[[]byte]():
		return "bytes"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return kind(t.Elem())
	case reflect.Slice:
		return "list of " + kind(t.Elem())
	case reflect.Map:
		return "object of " + kind(t.Elem())
	case reflect.Struct:
		return fmt.Sprintf("[%s](#%s)", t.Name(), strings.ToLower(t.Name()))
	case reflect.Bool:
		return "true or false"
	case reflect.String:
		return "string"
	}
	return "number"
}
