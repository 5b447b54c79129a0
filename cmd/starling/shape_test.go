package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"starling/p2p/p2ptest/programtest"
)

// markers are the words by which a censor would know us.
var markers = []string{"libp2p", "noise", "multistream", "starling", "yamux", "/st/2", "/ipfs/", "meshsub", "kad/1.0", "outfox", "mailbox", "quic-v1", "12D3KooW"}

// capture writes the packets of a machine into a file until the function is called.
func capture(t *testing.T, in []string, file string) (end func()) {
	t.Helper()
	args := append(slices.Clone(in), programtest.Find(t, "tcpdump"), "--immediate-mode", "-Z", "root", "-U", "-s", "0", "-i", "eth0", "-w", file, "tcp")
	cmd := exec.Command(args[0], args[1:]...)
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	const header = 24
	for range 100 {
		if info, err := os.Stat(file); err == nil && info.Size() >= header {
			break
		}
		time.Sleep(50 * time.Millisecond) // polls a real condition
	}
	ended := false
	end = func() {
		if !ended {
			ended = true
			cmd.Process.Signal(os.Interrupt)
			cmd.Wait()
		}
	}
	t.Cleanup(end)
	return end
}

// flow is a connection in the output of ndpiReader -v 2.
var flow = regexp.MustCompile(`(?m)^\s+\d+\s+TCP (\S+) (?:<->|->) (\S+?) (\[proto: .*)$`)

// verdicts returns what nDPI makes of the connections with a server: protocol, name and
// risks, each once.
func verdicts(t *testing.T, file, server string) (all []string) {
	t.Helper()
	out, err := exec.Command(programtest.Find(t, "ndpiReader"), "-i", file, "-v", "2").CombinedOutput()
	if err != nil {
		t.Fatalf("ndpiReader: %v\n%s", err, out)
	}
	field := func(line, name string) string {
		_, rest, found := strings.Cut(line, "["+name+": ")
		if !found {
			return name + ": none"
		}
		value, _, _ := strings.Cut(rest, "]")
		return name + ": " + value
	}
	seen := map[string]bool{}
	for _, m := range flow.FindAllStringSubmatch(string(out), -1) {
		if m[1] == server || m[2] == server {
			seen[strings.Join([]string{field(m[3], "proto"), field(m[3], "cat"), field(m[3], "Hostname/SNI"), field(m[3], "ALPN"), field(m[3], "Risk"), field(m[3], "Risk Score")}, ", ")] = true
		}
	}
	if len(seen) == 0 {
		t.Fatalf("nDPI sees no connection with %s:\n%s", server, out)
	}
	return slices.Sorted(maps.Keys(seen))
}

// TestCapture: in all packets of a client and of a relay, with messages under way, there is no word of ours;
// and nDPI calls their connections what it calls those of Chromium's own WebSockets to the same server.
func TestCapture(t *testing.T) {
	programtest.Find(t, "ndpiReader")
	chromium := programtest.Find(t, "chromium", "chromium-browser")
	c, starling := newTown(t), program(t)
	t.Setenv("STARLING_PASSPHRASE", "correct horse battery staple")
	dir, first, server := t.TempDir(), "", "11.1.0.1"
	for i := range 5 {
		address := fmt.Sprintf("11.%d.0.1", i+1)
		in := c.machine(fmt.Sprint("relay", i), address)
		if i == 0 {
			defer capture(t, in, filepath.Join(dir, "relay"))()
		}
		args := []string{starling, "relay", "--profile", t.TempDir(), "--listen", "/ip4/" + address + "/tcp/443"}
		if first != "" {
			args = append(args, "--bootstrap", first)
		}
		if addr := readyAt(t, stays(t, in, args...)); first == "" {
			first = addr
		}
	}

	desk := c.machine("desk", "11.60.0.1")
	endOurs := capture(t, desk, filepath.Join(dir, "client"))
	alice := person{t, desk, starling, filepath.Join(t.TempDir(), "alice")}
	alice.run("init", "--name", "alice")
	stays(t, desk, starling, "node", "--profile", alice.profile, "--bootstrap", first)
	alice.run("invite", "--timeout", "60s", "--json")
	endOurs()

	other := c.machine("other", "11.61.0.1")
	endTheirs := capture(t, other, filepath.Join(dir, "browser"))
	home := t.TempDir()
	page := `data:text/html,<script>new WebSocket("wss://` + server + `/path?s=1")</script>`
	browser := append(slices.Clone(other), "env", "HOME="+home, chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
		"--disable-background-networking", "--ignore-certificate-errors", "--user-data-dir="+home, page)
	cmd := exec.Command(browser[0], browser[1:]...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	for deadline := time.Now().Add(40 * time.Second); ; time.Sleep(200 * time.Millisecond) { // polls a real condition
		if info, err := os.Stat(filepath.Join(dir, "browser")); err == nil && info.Size() > 4000 {
			break
		}
		if time.Now().After(deadline) {
			t.Skip("Chromium opens no WebSocket here")
		}
	}
	time.Sleep(500 * time.Millisecond) // the answer to it
	endTheirs()

	for _, name := range []string{"client", "relay"} {
		packets, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || len(packets) < 20_000 {
			t.Fatalf("%d bytes of packets: %v", len(packets), err)
		}
		small := bytes.ToLower(packets)
		for _, m := range markers {
			if bytes.Contains(small, bytes.ToLower([]byte(m))) {
				t.Errorf("%q is in the packets of the %s", m, name)
			}
		}
	}
	theirs := verdicts(t, filepath.Join(dir, "browser"), server+":443")
	for _, name := range []string{"client", "relay"} {
		if ours := verdicts(t, filepath.Join(dir, name), server+":443"); !slices.Equal(ours, theirs) {
			t.Errorf("of our %s nDPI says\n%s\nand of Chromium\n%s", name, strings.Join(ours, "\n"), strings.Join(theirs, "\n"))
		}
	}
	t.Logf("nDPI says %s", strings.Join(theirs, "\n"))
}
