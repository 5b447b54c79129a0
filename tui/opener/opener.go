// Package opener hands a web address or a file to the program that the system has for
// it: xdg-open, open on macOS, rundll32 on Windows.
//
// No shell is started, and no part of an address or a path can become an option or a
// second argument: an address begins with its scheme and is plain ASCII, a path is
// absolute. The person was asked before. At the other end of a web address somebody sees
// the address of this computer.
package opener

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

var (
	// ErrAddress says that something is no web address that is opened.
	ErrAddress = errors.New("only a web address of http or https is opened")
	// ErrPath says that a path is not absolute, or not one name.
	ErrPath = errors.New("only a file with its whole path is opened")
	// ErrNone says that the system has no program to open things.
	ErrNone = errors.New("this system has no program that opens it")
)

// MaxAddress is the longest address that is opened, in bytes: browsers and the command
// line of Windows take no more.
const MaxAddress = 2048

// patience is how long a program is waited for. One that is still there has opened it.
const patience = 2 * time.Second

// Address opens a web address in the browser.
func Address(ctx context.Context, address string) error {
	if !opened(address) {
		return ErrAddress
	}
	return run(ctx, command(runtime.GOOS, address))
}

// File opens a file in the program that the system has for its kind.
func File(ctx context.Context, path string) error {
	if !filepath.IsAbs(path) || strings.ContainsRune(path, 0) {
		return ErrPath
	}
	return run(ctx, command(runtime.GOOS, filepath.Clean(path)))
}

// opened reports whether an address is one of http or https, in characters that no
// command line gives a meaning of its own.
func opened(address string) bool {
	if len(address) > MaxAddress {
		return false
	}
	scheme, rest, ok := strings.Cut(address, "://")
	if !ok || rest == "" || !strings.EqualFold(scheme, "http") && !strings.EqualFold(scheme, "https") {
		return false
	}
	for i := range len(address) {
		if c := address[i]; c <= ' ' || c > '~' || strings.IndexByte("\"<>\\^`{|}", c) >= 0 {
			return false
		}
	}
	return true
}

// command is the program of a system and its arguments.
func command(system, target string) []string {
	switch system {
	case "windows":
		return []string{"rundll32", "url.dll,FileProtocolHandler", target}
	case "darwin":
		return []string{"open", target}
	}
	return []string{"xdg-open", target}
}

// run starts a program that outlives the app, and reports its failure if that comes
// soon.
func run(ctx context.Context, args []string) error {
	path, err := exec.LookPath(args[0])
	if err != nil {
		return ErrNone
	}
	cmd := exec.Command(path, args[1:]...)
	apart(cmd)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", args[0], err)
	}

	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case err := <-ended:
		if err != nil {
			return fmt.Errorf("%s: %w", args[0], err)
		}
	case <-timer.C:
	case <-ctx.Done():
	}
	return nil
}
