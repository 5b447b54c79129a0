package attach

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"starling/node/api"
	"starling/node/api/safetext"
)

func write(t *testing.T, path string, data []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func drawn(t *testing.T, w, h int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, w, h))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestLoad(t *testing.T) {
	dir := t.TempDir()
	small, large := drawn(t, 30, 20), drawn(t, 4000, 3000)
	for name, c := range map[string]struct {
		data    []byte
		kind    Kind
		want    api.Code // "": taken
		picture bool
	}{
		"small.png":  {small, Either, "", true},
		"large.png":  {large, Either, "", true},
		"asked.png":  {small, AsPicture, "", true},
		"whole.png":  {append(small, "taken in Rome"...), AsFile, "", false},
		"notes.txt":  {[]byte("hello"), Either, "", false},
		"empty":      {nil, Either, "", false},
		"full.bin":   {make([]byte, api.MaxFile), Either, "", false},
		"over.bin":   {make([]byte, api.MaxFile+1), Either, api.CodeTooLong, false},
		"broken.png": {small[:40], Either, "", false},
		"cut.png":    {small[:40], AsPicture, api.CodeUsage, false},
		"huge.png":   {append(small[:40:40], make([]byte, api.MaxFile)...), Either, api.CodeUsage, false},
		"page.html":  {[]byte("<html>"), AsPicture, api.CodeUsage, false},
	} {
		it, err := Load(t.Context(), write(t, filepath.Join(dir, name), c.data), c.kind)
		if c.want != "" {
			if api.CodeOf(err) != c.want {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err != nil || (it.Picture != nil) != c.picture {
			t.Errorf("%s: %+v, %v", name, it, err)
			continue
		}
		req := it.Request("Bob", "look", "1d")
		if c.picture != (req.Picture != nil) || c.picture == (req.File != nil) || req.Text != "look" || len(req.Picture) > api.MaxPicture {
			t.Errorf("%s: %.200v", name, req)
		}
		if !c.picture && (req.File.Name != name || !bytes.Equal(req.File.Data, c.data) || req.File.Data == nil) {
			t.Errorf("%s: %.200v", name, req.File)
		}
		said := strings.Join(it.Notes(fmt.Sprintf), "\n")
		if !strings.Contains(said, name) || strings.Contains(said, "smaller") != (name == "large.png") {
			t.Errorf("%s: said %q", name, said)
		}
	}

	for _, path := range []string{dir, filepath.Join(dir, "nothing"), os.DevNull} {
		if _, err := Load(t.Context(), path, Either); api.CodeOf(err) != api.CodeUsage {
			t.Errorf("%s: %v", path, err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Make(ended, "x.png", large, Either); err != context.Canceled {
		t.Errorf("given up: %v", err)
	}
}

// TestPaths: what terminals paste when a file is dropped on them.
func TestPaths(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("paths of other systems")
	}
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	plain, blank := write(t, filepath.Join(dir, "a.txt"), nil), write(t, filepath.Join(dir, "my file's (1).txt"), nil)
	hidden, odd := write(t, filepath.Join(dir, ".hidden"), nil), write(t, filepath.Join(dir, "ü%20\"x\".txt"), nil)
	escaped := strings.NewReplacer(" ", `\ `, "'", `\'`, "(", `\(`, ")", `\)`).Replace(blank)
	url := "file://" + strings.NewReplacer("%", "%25", " ", "%20", `"`, "%22").Replace(odd)
	for pasted, want := range map[string][]string{
		plain:                {plain},
		"  " + plain + " \n": {plain},
		"'" + plain + "'":    {plain},
		`"` + blank + `"`:    {blank},
		blank:                {blank},
		escaped:              {blank},
		`'` + strings.ReplaceAll(blank, "'", `'\''`) + `'`: {blank},
		"file://" + plain:          {plain},
		"file://localhost" + plain: {plain},
		"FILE:" + plain:            {plain},
		url:                        {odd},
		"~/a.txt":                  {plain},
		hidden:                     {hidden},
		plain + " " + escaped + " '" + hidden + "'": {plain, blank, hidden},
		plain + "\r\n" + blank + "\n":               {plain, blank},
		"file://" + plain + "\n" + url:              {plain, odd},

		"":                                    nil,
		"a.txt":                               nil, // a word
		"hello":                               nil,
		dir:                                   nil, // a folder
		plain + "x":                           nil,
		plain + " and more":                   nil,
		"see " + plain:                        nil,
		"'" + plain:                           nil,
		"file://example.com" + plain:          nil,
		"https://example.com/a.txt":           nil,
		plain + "\x00":                        nil,
		strings.Repeat(plain+"\n", 33):        nil,
		plain + strings.Repeat(" ", 1) + "\\": nil,
		strings.Repeat("/", maxPasted+1):      nil,
	} {
		if got := Paths(pasted); !slices.Equal(got, want) {
			t.Errorf("%q: %q, not %q", pasted, got, want)
		}
	}
	if got := Resolve("~/a.txt"); got != plain {
		t.Errorf("%q", got)
	}
	if got := Resolve(escaped); got != blank {
		t.Errorf("%q", got)
	}
}

func TestComplete(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	t.Setenv("USERPROFILE", dir)
	sep := string(filepath.Separator)
	for _, name := range []string{"holiday one.png", "holiday two.png", ".hidden", ".here", "übung.txt", "über.txt"} {
		write(t, filepath.Join(dir, name), nil)
	}
	write(t, filepath.Join(dir, "folder of mine", "x"), nil)
	if runtime.GOOS != "windows" {
		write(t, filepath.Join(dir, "zz\x1b]0;x\x07"), nil)
	}
	at := dir + sep
	for typed, want := range map[string]struct {
		path    string
		choices int
	}{
		at + "h":                    {at + "holiday ", 2},
		at + "holiday o":            {at + "holiday one.png", 1},
		at + "f":                    {at + "folder of mine" + sep, 1},
		at + "folder of mine" + sep: {at + "folder of mine" + sep + "x", 1},
		at:                          {at, 5},
		at + ".":                    {at + ".h", 2},
		at + ".hi":                  {at + ".hidden", 1},
		at + "ü":                    {at + "üb", 2},
		at + "nothing":              {at + "nothing", 0},
		at + "no" + sep + "thing":   {at + "no" + sep + "thing", 0},
		"~" + sep + "holiday t":     {"~" + sep + "holiday two.png", 1},
		"~":                         {"~" + sep, 0},
		at + "zz":                   {at + "zz", 0},
	} {
		path, choices := Complete(typed)
		if path != want.path || len(choices) != want.choices {
			t.Errorf("%q: %q, %q", typed, path, choices)
		}
	}
}

// TestSave: nothing is overwritten, no link is followed, and no name leads elsewhere.
func TestSave(t *testing.T) {
	dir := t.TempDir()
	path := Target(dir, "../../x.txt")
	if path != filepath.Join(dir, "x.txt") {
		t.Fatalf("%q", path)
	}
	if err := Save(path, []byte("one")); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o111 != 0 {
		t.Errorf("%v, %v", info, err)
	}
	if err := Save(path, []byte("two")); err != errTaken {
		t.Errorf("over the first: %v", err)
	}
	if got := Target(dir, "x.txt"); got != filepath.Join(dir, "x (2).txt") {
		t.Errorf("%q", got)
	}
	if b, _ := os.ReadFile(path); string(b) != "one" {
		t.Errorf("%q", b)
	}
	if err := Save(filepath.Join(dir, "no", "x"), nil); err != errWrite {
		t.Error(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink(filepath.Join(dir, "elsewhere"), link); err == nil {
		if err := Save(link, []byte("x")); err != errTaken {
			t.Errorf("through a link: %v", err)
		}
		if got := Free(dir, "link"); got != link+" (2)" {
			t.Errorf("%q", got)
		}
	}
	if got := Free(dir, strings.Repeat("a", 300)+".txt"); !strings.HasSuffix(got, ".txt") || len(filepath.Base(got)) > api.MaxFileName {
		t.Errorf("%q", got)
	}
}

func TestReceived(t *testing.T) {
	at := time.Date(2030, 1, 2, 3, 4, 5, 0, time.Local)
	for _, c := range []struct {
		m    api.Message
		name string
		ok   bool
	}{
		{api.Message{}, "", false},
		{api.Message{Text: safetext.Line("x")}, "", false},
		{api.Message{File: &api.File{Name: safetext.Line("../../x")}}, "x", true},
		{api.Message{File: &api.File{}, Deleted: true}, "", false},
		{api.Message{Time: at, Picture: &api.Picture{Type: "../x", Data: []byte("\x89PNG\r\n\x1a\n")}}, "picture 2030-01-02 03.04.05.png", true},
		{api.Message{Time: at, Picture: &api.Picture{Type: "image/png", Data: []byte("#!/bin/sh")}}, "picture 2030-01-02 03.04.05.bin", true},
	} {
		if name, _, ok := Received(&c.m); name != c.name || ok != c.ok {
			t.Errorf("%+v: %q, %v", c.m, name, ok)
		}
	}
	if Refusal("a.png", []byte("\x89PNG\r\n\x1a\n")) != "" {
		t.Error("a picture is refused")
	}
	for name, data := range map[string]string{"a.exe": "", "a.sh": "", "a.desktop": "", "a.html": "", "a.png": "", "a": ""} {
		if Refusal(name, []byte(data)) == "" {
			t.Errorf("%s is opened", name)
		}
	}
}
