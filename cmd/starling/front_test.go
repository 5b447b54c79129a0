package main

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"starling/node/testnet/engine/namespaces"
	"starling/p2p/p2ptest/programtest"
	"starling/p2p/transport/web/fronttest"
)

// A town is a switch, and machines at it with public addresses.
type town struct {
	t      *testing.T
	prefix string
}

func newTown(t *testing.T) town {
	t.Helper()
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		t.Skip("only root makes networks")
	}
	programtest.Find(t, "ip")
	programtest.Find(t, "nft")
	c := town{t, fmt.Sprintf("starling-%d-town-", os.Getpid())}
	if out, err := exec.Command("ip", "netns", "add", c.prefix+"switch").CombinedOutput(); err != nil {
		t.Skipf("no network namespaces: %v %s", err, out)
	}
	t.Cleanup(func() { exec.Command("ip", "netns", "del", c.prefix+"switch").Run() })
	run(t, "ip", "-n", c.prefix+"switch", "link", "add", "name", "bridge0", "type", "bridge")
	run(t, "ip", "-n", c.prefix+"switch", "link", "set", "bridge0", "up")
	return c
}

// machine makes one, and returns the command that runs another on it.
func (c town) machine(name, address string) (in []string) {
	c.t.Helper()
	ns := c.prefix + name
	run(c.t, "ip", "netns", "add", ns)
	c.t.Cleanup(func() { exec.Command("ip", "netns", "del", ns).Run() })
	run(c.t, "ip", "-n", c.prefix+"switch", "link", "add", "name", name, "type", "veth", "peer", "name", "eth0", "netns", ns)
	run(c.t, "ip", "-n", c.prefix+"switch", "link", "set", name, "master", "bridge0", "up")
	run(c.t, "ip", "-n", ns, "link", "set", "lo", "up")
	run(c.t, "ip", "-n", ns, "addr", "add", address+"/8", "dev", "eth0")
	run(c.t, "ip", "-n", ns, "link", "set", "eth0", "up")
	return []string{"ip", "netns", "exec", ns}
}

// within connects from a machine to itself.
func (c town) within(name string) func(network, address string) (net.Conn, error) {
	return func(network, address string) (conn net.Conn, err error) {
		err = namespaces.Within(c.prefix+name, func() error { conn, err = net.Dial(network, address); return err })
		return conn, err
	}
}

// on runs a command on a machine.
func on(t *testing.T, in []string, args ...string) string {
	t.Helper()
	all := append(append([]string{}, in...), args...)
	return run(t, all[0], all[1:]...)
}

// stays begins a program on a machine.
func stays(t *testing.T, in []string, args ...string) []byte {
	t.Helper()
	all := append(append([]string{}, in...), args...)
	line, _ := begin(t, all[0], all[1:]...)
	return line
}

// TestFront has two people write to each other of whom one reaches nothing but a Caddy and
// the other nothing but an nginx: the relays are behind them, by the words of
// docs/OPERATORS.md. Addresses are public ones, so that all limits by address hold.
func TestFront(t *testing.T) {
	c, starling := newTown(t), program(t)
	t.Setenv("STARLING_PASSPHRASE", "correct horse battery staple")
	first := ""
	for i := range 3 {
		address := fmt.Sprintf("11.%d.0.1", i+1)
		args := []string{starling, "relay", "--profile", t.TempDir(), "--listen", "/ip4/" + address + "/tcp/4001"}
		if first != "" {
			args = append(args, "--bootstrap", first)
		}
		addr := readyAt(t, stays(t, c.machine(fmt.Sprint("relay", i), address), args...))
		if first == "" {
			first = addr
		}
	}

	doors := map[string]string{} // addresses of the relays behind a server
	for i, s := range fronttest.Servers {
		address := fmt.Sprintf("11.%d.0.1", 50+i)
		in := c.machine(s.Name, address)
		s.Run(t, fronttest.Place{In: in, Within: c.within(s.Name), Port: 443, Relay: "127.0.0.1:4001"})
		dir := t.TempDir()
		config := fronttest.Put(t, fronttest.Block(t, "toml"), "203.0.113.9", address, "/ip4/192.0.2.7/tcp/4001/p2p/12D3KooW…", first)
		if err := os.WriteFile(filepath.Join(dir, "relay.toml"), []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		doors[s.Name] = readyAt(t, stays(t, in, starling, "relay", "--profile", dir, "--config", filepath.Join(dir, "relay.toml")))
		if want := "/ip4/" + address + "/tcp/443/sni/example.org/p2p/"; !strings.HasPrefix(doors[s.Name], want) {
			t.Errorf("the relay behind %s is at %s", s.Name, doors[s.Name])
		}
		untilSays(t, in, `"reachable":true`, starling, "relay", "status", "--json", "--profile", dir)
	}

	people := map[string]person{}
	for i, name := range []string{"alice", "bob"} {
		server := fronttest.Servers[i]
		p := person{t, c.machine(name, fmt.Sprintf("11.%d.0.1", 60+i)), starling, filepath.Join(t.TempDir(), name)}
		for _, rule := range []string{"add table inet only", "add chain inet only out { type filter hook output priority 0; }",
			fmt.Sprintf("add rule inet only out ip daddr 11.%d.0.1 tcp dport 443 accept", 50+i), "add rule inet only out oif lo accept", "add rule inet only out meta l4proto tcp reject with tcp reset"} {
			on(t, p.in, append([]string{"nft"}, strings.Fields(rule)...)...)
		}
		p.run("init", "--name", name)
		stays(t, p.in, starling, "node", "--profile", p.profile, "--bootstrap", doors[server.Name])
		people[name] = p
	}
	alice, bob := people["alice"], people["bob"]
	began := time.Now()
	step := func(what string) { t.Logf("%s after %v", what, time.Since(began).Round(100*time.Millisecond)) }
	var invite struct{ Link string }
	if out := alice.run("invite", "--timeout", "60s", "--json"); json.Unmarshal([]byte(out), &invite) != nil || invite.Link == "" {
		t.Fatalf("no link in %s", out)
	}
	step("invited")
	bob.run("contact", "add", "--name", "alice", "--timeout", "60s", invite.Link)
	step("accepted")
	bob.run("send", "--wait", "delivered", "--timeout", "60s", "alice", "over two web sites")
	step("delivered")
	untilSays(t, alice.in, "over two web sites", starling, "tail", "--json", "--profile", alice.profile)
	alice.run("send", "--wait", "delivered", "--timeout", "60s", "bob", "and back")
	untilSays(t, bob.in, "and back", starling, "tail", "--json", "--profile", bob.profile)
}

// readyAt returns the first address of a relay that is ready.
func readyAt(t *testing.T, line []byte) string {
	t.Helper()
	var ready struct{ Addrs []string }
	if err := json.Unmarshal(line, &ready); err != nil || len(ready.Addrs) == 0 {
		t.Fatalf("a relay does not start: %s, %v", line, err)
	}
	return ready.Addrs[0]
}

// untilSays runs a command again and again until its output has a text.
func untilSays(t *testing.T, in []string, want string, args ...string) {
	t.Helper()
	all := append(append([]string{}, in...), args...)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) { // polls a real condition
		out, err := exec.Command(all[0], all[1:]...).CombinedOutput()
		if err == nil && strings.Contains(string(out), want) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%v never says %s: %v\n%s", args, want, err, out)
		}
	}
}

// A person has a profile on a machine.
type person struct {
	t                 *testing.T
	in                []string
	starling, profile string
}

func (p person) run(command string, args ...string) string {
	p.t.Helper()
	return on(p.t, p.in, append([]string{p.starling, command}, append(args, "--profile", p.profile)...)...)
}
