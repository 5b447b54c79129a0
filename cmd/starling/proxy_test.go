package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"starling/p2p/p2ptest/programtest"
	"starling/p2p/proxy/proxytest"
)

// program returns the path of the program under test.
func program(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "starling")
	if err := os.Symlink(self, path); err != nil {
		t.Skip(err)
	}
	return path
}

// run runs a program to its end.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", filepath.Base(name), strings.Join(args, " "), err, out)
	}
	return string(out)
}

// begin starts a program that stays, and returns its first line.
func begin(t *testing.T, name string, args ...string) (line []byte, pid int) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		cmd.Wait()
		if t.Failed() && errs.Len() > 0 {
			t.Logf("%s %s: %s", filepath.Base(name), args[0], &errs)
		}
	})
	scan := bufio.NewScanner(out)
	scan.Scan()
	return bytes.Clone(scan.Bytes()), cmd.Process.Pid
}

// TestProxyCapture runs a node in a network of its own, where every packet counts that is
// not for the proxy: there is none, and nothing listens.
func TestProxyCapture(t *testing.T) {
	programtest.Find(t, "ip")
	programtest.Find(t, "nft")
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		t.Skip("only root makes networks")
	}
	name := fmt.Sprintf("starling-%d-proxy", os.Getpid())
	if out, err := exec.Command("ip", "netns", "add", name).CombinedOutput(); err != nil {
		t.Skipf("no network namespaces: %v %s", err, out)
	}
	t.Cleanup(func() { exec.Command("ip", "netns", "delete", name).Run() })
	device := fmt.Sprintf("sl%d", os.Getpid()%100_000)
	const outside, inside = "10.213.77.1", "10.213.77.2"
	in := []string{"netns", "exec", name}
	for _, args := range [][]string{
		{"link", "add", device, "type", "veth", "peer", "name", "eth0", "netns", name},
		{"addr", "add", outside + "/30", "dev", device},
		{"link", "set", device, "up"},
		append(in, "sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1"),
		{"-n", name, "link", "set", "lo", "up"},
		{"-n", name, "addr", "add", inside + "/30", "dev", "eth0"},
		{"-n", name, "link", "set", "eth0", "up"},
		{"-n", name, "route", "add", "default", "via", outside},
	} {
		run(t, "ip", args...)
	}

	starling := program(t)
	t.Setenv("STARLING_PASSPHRASE", "correct horse battery staple")
	var bootstrap string
	for i := range 5 {
		args := []string{"relay", "--profile", filepath.Join(t.TempDir(), "r"), "--listen", "/ip4/127.0.0.1/tcp/0", "--allow-private"}
		if i > 0 {
			args = append(args, "--bootstrap", bootstrap)
		}
		line, _ := begin(t, starling, args...)
		var ready struct{ Addrs []string }
		if err := json.Unmarshal(line, &ready); err != nil || len(ready.Addrs) == 0 {
			t.Fatalf("%s: %v", line, err)
		}
		if i == 0 {
			bootstrap = ready.Addrs[0]
		}
	}
	server := proxytest.New(t, outside+":0", nil)
	port := server.Addr[strings.LastIndex(server.Addr, ":")+1:]
	for _, rule := range []string{
		"add table inet watch",
		"add chain inet watch out { type filter hook output priority 0; }",
		"add rule inet watch out ip daddr " + outside + " tcp dport " + port + " accept",
		"add rule inet watch out counter drop",
	} {
		run(t, "ip", append(in, append([]string{"nft"}, strings.Fields(rule)...)...)...)
	}

	profile := filepath.Join(t.TempDir(), "alice")
	run(t, starling, "init", "--profile", profile, "--name", "alice")
	_, pid := begin(t, "ip", append(in, starling, "node", "--profile", profile, "--allow-private", "--bootstrap", bootstrap, "--proxy", server.URL())...)
	run(t, starling, "invite", "--profile", profile, "--timeout", "60s", "--json")
	if len(server.Asks()) == 0 {
		t.Fatal("the proxy was asked for nothing")
	}
	count := regexp.MustCompile(`counter packets (\d+)`).FindStringSubmatch(run(t, "ip", append(in, "nft", "list", "table", "inet", "watch")...))
	if len(count) != 2 || count[1] != "0" {
		t.Errorf("beside the proxy: %v packets", count)
	}
	const listening = " 0A "
	for _, table := range []string{"tcp", "tcp6", "udp", "udp6", "raw"} {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", pid, table))
		if err != nil {
			continue
		}
		for _, line := range strings.Split(strings.TrimSpace(string(b)), "\n")[1:] {
			if table[:3] != "tcp" || strings.Contains(line, listening) {
				t.Errorf("a socket of %s: %s", table, line)
			}
		}
	}
}
