package config

import (
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestLocate(t *testing.T) {
	home := t.TempDir()
	t.Setenv("XDG_DATA_HOME", home)
	t.Setenv(EnvProfile, "")
	for _, tt := range []struct{ name, flag, env, want string }{
		{"default", "", "", filepath.Join(home, "starling")},
		{"environment", "", "/env", "/env"},
		{"flag wins", "/flag", "/env", "/flag"},
		{"clean", "/a/../b/", "", "/b"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv(EnvProfile, tt.env)
			p, err := Locate(tt.flag)
			if err != nil || p.Dir != tt.want {
				t.Errorf("got %q, %v; want %q", p.Dir, err, tt.want)
			}
		})
	}
}

func TestMakeIsPrivate(t *testing.T) {
	p := Profile{Dir: filepath.Join(t.TempDir(), "deep", "profile")}
	if p.Exists() {
		t.Error("a profile before it was made")
	}
	if err := p.Make(); err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" {
		os.Chmod(p.Dir, 0o755)
		if err := p.Make(); err != nil {
			t.Fatal(err)
		}
		if info, _ := os.Stat(p.Dir); info.Mode().Perm() != 0o700 {
			t.Errorf("mode %v", info.Mode().Perm())
		}
	}
	file := Profile{Dir: filepath.Join(p.Dir, "file")}
	os.WriteFile(file.Dir, nil, 0o600)
	if file.Make() == nil {
		t.Error("a file taken for a folder")
	}
}

func TestSocketFits(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", "")
	short := Profile{Dir: "/p"}
	if got := short.Socket(); got != "/p/control.sock" {
		t.Errorf("short profile: %q", got)
	}
	a := Profile{Dir: "/" + strings.Repeat("a", 200)}
	b := Profile{Dir: "/" + strings.Repeat("a", 199) + "b"}
	if a.Socket() == b.Socket() {
		t.Error("two profiles, one socket")
	}
	for _, dir := range []string{"", "/run/user/1000", "/" + strings.Repeat("r", 90)} {
		t.Setenv("XDG_RUNTIME_DIR", dir)
		if n := len(a.Socket()); n > maxSocketPath {
			t.Errorf("runtime directory %q: %d bytes", dir, n)
		}
	}
}

func TestLongProfileListens(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", filepath.Join("/tmp", filepath.Base(t.TempDir())))
	p := Profile{Dir: filepath.Join(t.TempDir(), strings.Repeat("d", 120))}
	if err := p.MakeSocketDir(); err != nil {
		t.Skip("no runtime directory here:", err)
	}
	defer os.RemoveAll(filepath.Dir(filepath.Dir(p.Socket())))
	l, err := net.Listen("unix", p.Socket())
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
}

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	for _, want := range []string{"one", "two"} {
		if err := WriteFile(path, []byte(want)); err != nil {
			t.Fatal(err)
		}
		if got, _ := os.ReadFile(path); string(got) != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if runtime.GOOS != "windows" {
		if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
			t.Errorf("mode %v", info.Mode().Perm())
		}
	}
	// A write that fails leaves the old file, and nothing beside it.
	if err := WriteFile(filepath.Join(path, "x"), nil); err == nil {
		t.Error("wrote into a file")
	}
	os.Mkdir(filepath.Join(dir, "full"), 0o700)
	if err := WriteFile(filepath.Join(dir, "full"), []byte("x")); err == nil {
		t.Error("replaced a folder")
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}
