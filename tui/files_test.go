package tui_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/tui"
	"starling/tui/tuitest"
)

// homely is a home with files in it.
func homely(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	t.Setenv("HOME", dir)
	t.Setenv("DISPLAY", ":0")
	return dir
}

func lay(t *testing.T, dir, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func pngOf(t *testing.T, w, h int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, w, h))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A file is attached by its path, with a text, and nothing goes before the person said so.
func TestAttachFile(t *testing.T) {
	dir := homely(t)
	lay(t, dir, "holiday plan.txt", []byte("to the sea"))
	lay(t, dir, "holiday.bin", make([]byte, api.MaxFile+1))
	lay(t, dir, ".hidden", []byte("x"))
	node, id, u := alone(t)
	u.Press("alt+a").Expect().Sees("Attach a file or a picture", "Nothing is sent yet.")
	u.Enter().Expect().Sees("Type the name of a file first.")
	u.Type("~/ho").Press("tab").Expect().Sees("~/holiday", "holiday plan.txt   holiday.bin")
	u.Type(" ").Press("tab").Expect().Sees("~/holiday plan.txt")
	u.Enter().Expect().Sees("Send this file?", "holiday plan.txt, 10 B", "It is sent as it is")
	if last := node.Last(id); last.File != nil {
		t.Fatalf("sent before it was asked: %+v", last)
	}
	u.Press("esc").Expect().SeesNot("Send this file?")
	u.Press("alt+a").Expect().Sees("▌ ~/")
	u.Type("holiday plan.txt").Enter().Expect().Sees("Send this file?")
	u.Type("look").Enter().Expect().Sees("▤ holiday plan.txt  10 B", "look")
	if last := node.Last(id); last.File == nil || string(last.File.Data) != "to the sea" || last.Text.String() != "look" {
		t.Fatalf("%+v", last)
	}

	// What cannot be sent says why, and the form stays.
	u.Press("alt+a").Type("holiday.bin").Enter().Expect().Sees("The file is larger than 48 KiB (49,152 bytes)")
	u.Press("ctrl+u").Type("~/nothing").Enter().Expect().Sees("There is no file of that name")
	u.Press("ctrl+u").Type("~").Enter().Expect().Sees("This is no file but a folder")
	u.Press("ctrl+u").Type("~/.h").Press("tab").Expect().Sees("~/.hidden")
}

// Tab completes a path behind a command, with blanks in it, too.
func TestCommandCompletesPaths(t *testing.T) {
	dir := homely(t)
	lay(t, dir, "Mein Urlaub 1.txt", []byte("to the sea"))
	lay(t, dir, "Mein Urlaub 2.txt", []byte("and back"))
	node, id, u := alone(t)
	u.Type("/attach ~/Me").Press("tab").Expect().Sees("/attach ~/Mein Urlaub", "Mein Urlaub 1.txt", "Mein Urlaub 2.txt")
	u.Press("down").Press("tab").Expect().Sees("/attach ~/Mein Urlaub 2.txt")
	u.Enter().Expect().Sees("Attach a file or a picture", "~/Mein Urlaub 2.txt")
	u.Enter().Expect().Sees("Send this file?", "Mein Urlaub 2.txt, 8 B")
	u.Enter().Expect().Sees("▤ Mein Urlaub 2.txt  8 B")
	if last := node.Last(id); last.File == nil || string(last.File.Data) != "and back" {
		t.Fatalf("%+v", last)
	}

	u.Type("/export ~/no such").Press("tab").Expect().Sees("/export ~/no such")
	u.Press("ctrl+u").Type("no /path here").Press("tab").Type("x").Expect().Sees("no /path here    x")
}

// A picture that is too large is shown as it will be sent.
func TestAttachPicture(t *testing.T) {
	dir := homely(t)
	lay(t, dir, "phone.png", pngOf(t, 4000, 3000))
	small := lay(t, dir, "small.png", append(pngOf(t, 60, 40), "taken in Rome"...))
	node, id, u := alone(t)
	u.Do(trueColor())
	u.Resize(100, 40)
	u.Press("alt+a").Type("~/phone.png").Enter()
	u.Expect().Sees("Send this picture?", "phone.png: 4000×3000", "made smaller to 1672×1254", "no place, camera, author", "▀▀▀▀▀▀▀▀")
	u.Enter().Expect().SeesNot("Send this picture?")
	if last := node.Last(id); last.Picture == nil || last.Picture.Size > api.MaxPicture {
		t.Fatalf("%.200v", last)
	}

	// The person may want the very file.
	u.Press("alt+a").Press("ctrl+u").Type(small).Enter().Expect().Sees("small.png: 60×40")
	u.Press("alt+f").Expect().Sees("Send this file?", "what it tells of its author goes with it")
	u.Enter()
	u.Expect().Sees("▤ small.png")
	if last := node.Last(id); last.File == nil || !bytes.Contains(last.File.Data, []byte("Rome")) {
		t.Fatalf("%.200v", last)
	}

	// At the smallest screen what will be sent is still said.
	u.Resize(40, 10).Press("alt+a").Press("ctrl+u").Type(small).Enter().Expect().Sees("small.png: 60×40", "Only its pixels")
}

// What a terminal pastes when files are dropped on it is offered as files; the text is
// there until they are attached.
func TestDroppedFiles(t *testing.T) {
	dir := homely(t)
	one, two := lay(t, dir, "my one.txt", []byte("1")), lay(t, dir, "two.png", pngOf(t, 60, 40))
	node, id, u := alone(t)
	u.Type("see ")
	u.Paste("'"+one+"'").Expect().Sees("Attach it?", "my one.txt")
	u.Press("esc").Expect().Sees("one.txt'").SeesNot("Attach it?")
	u.Press("ctrl+u")
	for _, pasted := range []string{"file://" + strings.ReplaceAll(one, " ", "%20"), strings.ReplaceAll(one, " ", `\ `)} {
		u.Paste(pasted).Expect().Sees("Attach it?")
		u.Enter().Expect().Sees("Send this file?", "my one.txt")
		u.Enter().Expect().Sees("▤ my one.txt")
		if last := node.Last(id); last.File == nil || string(last.File.Data) != "1" {
			t.Fatalf("%q: %+v", pasted, last)
		}
	}
	u.Paste(strings.ReplaceAll(one, " ", `\ `) + " " + two).Expect().Sees("the names of 2 files")
	u.Enter().Expect().Sees("Send 2 files?", "my one.txt", "two.png: 60×40")
	u.Type("both").Enter()
	u.Expect().Sees("both", "▀▀▀▀▀▀")
	u.Paste("/no/such/file").Expect().Sees("/no/such/file").SeesNot("Attach it?")
}

// A picture in a text is a picture; one that is none is refused, and nothing is sent.
func TestPastedPicture(t *testing.T) {
	homely(t)
	node, id, u := alone(t)
	u.Paste("data:image/png;base64,"+base64.StdEncoding.EncodeToString(pngOf(t, 60, 40))).Expect().Sees("Send this picture?", "60×40")
	u.Enter().Expect().SeesNot("Send this picture?")
	if last := node.Last(id); last.Picture == nil {
		t.Fatalf("%.200v", last)
	}
	u.Paste("data:image/png;base64,bm90aGluZw==").Expect().Status("This is not a PNG, JPEG, GIF or WebP")
}

// TestLongPasteIsOfferedAsFile: a text of any length is somewhere afterwards.
func TestLongPasteIsOfferedAsFile(t *testing.T) {
	dir := homely(t)
	node, id, u := alone(t)
	long := strings.Repeat("word ", 8000)
	u.Paste(long).Expect().Sees("A long text", "You pasted 39.1 KiB")
	u.Enter().Expect().Sees("Send this file?", "paste.txt, 39.1 KiB")
	u.Press("esc").Expect().Status("The text has 40000 bytes now") // not lost
	u.Press("ctrl+end", "ctrl+u")
	u.Paste(long).Enter().Expect().Sees("Send this file?")
	u.Enter().Expect().Sees("▤ paste.txt")
	if last := node.Last(id); last.File == nil || string(last.File.Data) != long {
		t.Fatalf("%.200v", last)
	}

	longer := strings.Repeat("x", 300<<10)
	u.Paste(longer).Expect().Sees("300.0 KiB: more than a message", "Save it here")
	u.Press("s").Expect().Sees("Save the file", "paste.txt")
	u.Press("esc").Expect().Sees("A long text") // still not lost
	u.Press("s").Expect().Sees("Save the file")
	u.Enter().Expect().Status("Saved as ")
	if b, err := os.ReadFile(filepath.Join(dir, "paste.txt")); err != nil || string(b) != longer {
		t.Errorf("%d bytes, %v", len(b), err)
	}
}

// TestSaveAndOpen: a file is saved under a safe name over nothing, and opened only after a
// question, from a private folder that is empty afterwards.
func TestSaveAndOpen(t *testing.T) {
	dir := homely(t)
	texts := filepath.Join(t.TempDir(), "texts")
	node := tuitest.NewNode(clock)
	id := node.Meet("alice")
	var opened [][]byte
	var fault error
	u := tuitest.NewUser(t, node, tui.Options{Now: clock, Language: "en", Texts: []string{texts}, OpenFile: func(_ context.Context, path string) error {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Error(err)
		}
		opened = append(opened, b)
		return fault
	}})
	receive := func(name, data string) {
		node.ReceiveMessage(id, api.Message{File: &api.File{Name: safetext.Clean(name), Size: len(data), Data: []byte(data)}})
	}
	receive("../../notes.txt", "hello")
	u.Expect().Sees("▤ notes.txt  5 B  S saves  O opens", "file: notes.txt")
	u.Press("esc", "S").Expect().Sees("Save the file", "notes.txt, 5 B", "▌ "+dir[:8])
	u.Enter().Expect().Status("Saved as ")
	if b, err := os.ReadFile(filepath.Join(dir, "notes.txt")); err != nil || string(b) != "hello" {
		t.Fatalf("%q, %v", b, err)
	}
	u.Press("S").Expect().Sees("notes (2).txt")
	u.Press("ctrl+u").Type("~/notes.txt").Enter().Expect().Sees("nothing was overwritten")
	u.Press("esc")

	u.Press("O").Expect().Sees("Open this file?", "only if you expected it")
	u.Press("enter", "esc")
	if len(opened) != 0 {
		t.Fatal("opened without an answer")
	}
	u.Press("O", "y").Expect().Status("Handed to your system's program.")
	if len(opened) != 1 || string(opened[0]) != "hello" {
		t.Fatalf("opened %q", opened)
	}
	u.Press("f6").Expect().SeesNot("notes.txt")
	if left, _ := filepath.Glob(filepath.Join(texts, "*", "*")); len(left) != 0 {
		t.Errorf("left %q", left)
	}
	u.Type(tuitest.Passphrase).Enter().Expect().Sees("▤ notes.txt")

	fault = errors.New("no such program")
	u.Press("O", "y").Expect().Status("Your system has no program that opens it.")
	t.Setenv("DISPLAY", "")
	t.Setenv("WAYLAND_DISPLAY", "")
	u.Press("O", "y").Expect().Status("There is no desktop here")
	t.Setenv("DISPLAY", ":0")

	for name, c := range map[string][2]string{
		"setup.exe": {"MZ", "This is a program"}, "photo.jpg.exe": {"\xff\xd8\xff", "This is a program"}, "run.sh": {"#!/bin/sh", "This is a script"},
		"x.desktop": {"x", "open or run something else"}, "page.html": {"<html>", "This is a web page"}, "cat.png": {"no picture", "another kind"}, "data": {"x", "does not know"},
	} {
		receive(name, c[0])
		u.Expect().Sees("▤ " + name)
		u.Press("G", "O").Expect().Sees("This file is not opened", c[1])
		n := len(opened)
		u.Press("y", "enter", "esc")
		if len(opened) != n {
			t.Errorf("%s was opened", name)
		}
	}
}

// TestFilesThatLie: names that lie are shown as they are, and drive nothing.
func TestFilesThatLie(t *testing.T) {
	homely(t)
	node, id, u := alone(t)
	for name, shown := range map[string]string{
		"photo\u202egnp.exe":                 "photognp.exe",
		"CON":                                "_CON",
		"a\x1b]0;PWNED\x07.txt":              "▤ a",
		strings.Repeat("long ", 800) + ".sh": ".sh",
		"photo.jpg" + strings.Repeat(" ", 60) + ".exe": "photo.jpg .exe",
	} {
		node.ReceiveMessage(id, api.Message{File: &api.File{Name: safetext.Line(name), Size: 1 << 30}})
		u.Expect().Sees(shown)
	}
	u.Press("f5").Expect().SeesNot("photo", ".exe").Sees("▤ ")
	u.Press("esc", "S").Expect().Status("Files are hidden too.")
}
