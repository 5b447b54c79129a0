// Package programtest runs programs that are no part of Starling in its tests, as Debian has
// them: web servers, an authority, Tor, browsers. Where one is not installed the test skips.
package programtest

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Find returns the file of the first of some programs that is installed.
func Find(t testing.TB, names ...string) string {
	t.Helper()
	for _, name := range names {
		for _, dir := range []string{"", "/usr/sbin/", "/usr/local/sbin/"} { // few have these in PATH
			if file, err := exec.LookPath(dir + name); err == nil {
				return file
			}
		}
	}
	t.Skipf("no %s is installed (Debian has it)", names[0])
	return ""
}

// FreePort returns a port of loopback that nobody listens on.
func FreePort(t testing.TB) int {
	t.Helper()
	const least, most = 20_000, 32_000 // below those that systems give to connections
	for range 100 {
		port := least + rand.IntN(most-least)
		if l, err := net.Listen("tcp", fmt.Sprint(":", port)); err == nil { // some listen at all addresses
			l.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return 0
}

// A Program is one that runs until the end of its test.
type Program struct {
	name  string
	ended chan struct{}
}

// Start starts one. What it says is shown if the test fails.
func Start(t testing.TB, cmd *exec.Cmd) Program {
	t.Helper()
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}

	p := Program{filepath.Base(cmd.Path), make(chan struct{})}
	go func() { cmd.Wait(); close(p.ended) }()
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		select {
		case <-p.ended:
		case <-time.After(5 * time.Second):
			cmd.Process.Kill()
			<-p.ended
		}
		if t.Failed() {
			t.Logf("%s said:\n%s", p.name, &said)
		}
	})
	return p
}

// Serves waits until the program speaks TLS at an address.
func (p Program) Serves(t testing.TB, address string) {
	t.Helper()
	p.ServesBy(t, net.Dial, address)
}

// ServesBy is Serves where connections are made in a way of their own.
func (p Program) ServesBy(t testing.TB, dial func(network, address string) (net.Conn, error), address string) {
	t.Helper()
	for range 200 {
		if c, err := dial("tcp", address); err == nil {
			c.SetDeadline(time.Now().Add(5 * time.Second))
			err = tls.Client(c, &tls.Config{InsecureSkipVerify: true}).Handshake()
			if c.Close(); err == nil {
				return
			}
		}
		select {
		case <-p.ended:
			t.Fatalf("%s ends at once", p.name)
		case <-time.After(100 * time.Millisecond): // polls a real condition
		}
	}
	t.Fatalf("%s does not serve", p.name)
}
