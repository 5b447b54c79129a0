package opener

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestOnlyWebAddressesAreOpened(t *testing.T) {
	for _, address := range []string{
		"", "https://", "http:", "ftp://a.example", "file:///etc/passwd", "javascript:alert(1)", "mailto:a@b.example",
		"-https://a.example", " https://a.example", "https://a.example/ b", "https://a.example/\n", "https://a.example/\x00",
		"https://a.example/\"&calc", "https://a.example\\@b.example", "https://пример.example", "data://x", "https://a.example/`id`",
		"https://a.example/" + strings.Repeat("a", MaxAddress),
	} {
		if err := Address(t.Context(), address); !errors.Is(err, ErrAddress) {
			t.Errorf("%q: %v", address, err)
		}
	}
	for _, address := range []string{"https://a.example", "HTTP://a.example/x?y=1&z=$(id);'#e", "http://[::1]:80/%20"} {
		if !opened(address) {
			t.Errorf("%q is refused", address)
		}
	}
}

func TestOnlyWholePathsAreOpened(t *testing.T) {
	for _, path := range []string{"", "-a", "a.png", "./a.png", "../a", "https://a.example", "/a\x00b"} {
		if err := File(t.Context(), path); !errors.Is(err, ErrPath) {
			t.Errorf("%q: %v", path, err)
		}
	}
}

func TestCommands(t *testing.T) {
	for system, want := range map[string][]string{
		"linux": {"xdg-open", "X"}, "freebsd": {"xdg-open", "X"}, "darwin": {"open", "X"},
		"windows": {"rundll32", "url.dll,FileProtocolHandler", "X"},
	} {
		if got := command(system, "X"); !slices.Equal(got, want) {
			t.Errorf("%s: %q", system, got)
		}
	}
}

// TestOneArgument holds that what is opened reaches the program as it is, as its only
// argument and through no shell.
func TestOneArgument(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the program is a script")
	}
	dir := t.TempDir()
	told := filepath.Join(dir, "told")
	script := "#!/bin/sh\nprintf '%s|' \"$#\" \"$@\" > '" + told + "'\n"
	for _, name := range []string{"xdg-open", "open"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))

	target := "https://a.example/$(touch%20x);'a'?b=c&d=e*"
	if err := Address(t.Context(), target); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(told); err != nil || string(got) != "1|"+target+"|" {
		t.Errorf("%q, %v", got, err)
	}
	path := filepath.Join(dir, "a file $(x) -n.png")
	if err := File(t.Context(), path); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(told); string(got) != "1|"+path+"|" {
		t.Errorf("%q", got)
	}
}

func TestFailureIsTold(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the program is a script")
	}
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	if err := Address(t.Context(), "https://a.example"); !errors.Is(err, ErrNone) {
		t.Errorf("without a program: %v", err)
	}
	for _, name := range []string{"xdg-open", "open"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\nexit 3\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	begun := time.Now()
	if err := Address(t.Context(), "https://a.example"); err == nil || errors.Is(err, ErrNone) || time.Since(begun) > time.Minute {
		t.Errorf("it failed: %v", err)
	}
}
