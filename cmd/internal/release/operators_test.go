package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// mostCommands is how many lead from nothing to a listed relay at most.
const mostCommands = 6

// commandsOf returns the commands of a section of a document: the lines that begin with
// "# " or "$ " in its blocks.
func commandsOf(document, section string) (commands []string) {
	_, rest, _ := strings.Cut(document, "\n## "+section+"\n")
	rest, _, _ = strings.Cut(rest, "\n## ")
	for line := range strings.Lines(rest) {
		for _, prompt := range []string{"    # ", "    $ "} {
			if c, ok := strings.CutPrefix(line, prompt); ok {
				commands = append(commands, strings.TrimSuffix(c, "\n"))
			}
		}
	}
	return commands
}

// TestFewCommands: each way to a relay is short.
func TestFewCommands(t *testing.T) {
	b, err := os.ReadFile("../../../docs/OPERATORS.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, section := range []string{"On a server", "Behind a home router", "In a container"} {
		if n := len(commandsOf(string(b), section)); n == 0 || n > mostCommands {
			t.Errorf("%s: %d commands, at most %d", section, n, mostCommands)
		}
	}
}

// TestOperators follows docs/OPERATORS.md word by word: on a machine with a public address,
// and on one behind a router that forwards a port. Each is booted with systemd, has this
// machine's disk under a layer of its own, and is connected to nothing but five relays in
// namespaces. Only the address of the first relay, and the machine's own, are put in their places.
func TestOperators(t *testing.T) {
	deb := newRoot(t).deb
	needs(t, "systemd-nspawn", "ip", "nft", "nsenter", "apt", "mount")
	b, err := os.ReadFile("../../../docs/OPERATORS.md")
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t)
	first := w.relays(5)

	for _, c := range []struct{ section, public string }{
		{"On a server", "11.50.0.1"},
		{"Behind a home router", "11.51.0.1"},
	} {
		t.Run(c.section, func(t *testing.T) {
			name := "server"
			if strings.Contains(c.section, "router") {
				name = "home"
				w.router(t, c.public)
			} else {
				w.machine(name, c.public)
			}
			m := w.boot(t, name)
			m.put(deb, "/root/starling_1.2.0_amd64.deb")

			commands := commandsOf(string(b), c.section)
			for i, command := range commands {
				command = strings.ReplaceAll(command, "/ip4/192.0.2.7/tcp/4001/p2p/12D3KooW…", first)
				command = strings.ReplaceAll(command, "203.0.113.9", c.public)
				if i < len(commands)-1 {
					m.run(command)
					continue
				}
				m.until(command, `listed +yes, by \d+ of \d+ other relays`, `reachable +yes`, regexp.QuoteMeta("/ip4/"+c.public+"/tcp/4001"))
			}
			m.bounded()
			if name == "server" {
				m.upgraded()
			}
		})
	}
}

// A world is a network in namespaces: a switch, and machines at it.
type world struct {
	t      *testing.T
	prefix string
	root   string // the files of the package
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, prefix: fmt.Sprintf("starling-%d-op-", os.Getpid()), root: newRoot(t).dir}
	if out, err := exec.Command("ip", "netns", "add", w.ns("switch")).CombinedOutput(); err != nil {
		t.Skipf("no network namespaces here: %v: %s", err, out)
	}
	t.Cleanup(func() { exec.Command("ip", "netns", "del", w.ns("switch")).Run() })
	w.ip("switch", "link add name bridge0 type bridge")
	w.ip("switch", "link set bridge0 up")
	return w
}

func (w *world) ns(name string) string { return w.prefix + name }

func (w *world) ip(name, command string) {
	w.t.Helper()
	args := append([]string{"-n", w.ns(name)}, strings.Fields(command)...)
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		w.t.Fatalf("ip %v: %v: %s", args, err, out)
	}
}

func (w *world) namespace(name string) {
	w.t.Helper()
	if out, err := exec.Command("ip", "netns", "add", w.ns(name)).CombinedOutput(); err != nil {
		w.t.Fatalf("namespace: %v: %s", err, out)
	}
	w.t.Cleanup(func() { exec.Command("ip", "netns", "del", w.ns(name)).Run() })
	w.ip(name, "link set lo up")
}

// machine connects a machine to the switch.
func (w *world) machine(name, address string) {
	w.t.Helper()
	w.namespace(name)
	w.ip("switch", "link add name "+name+" type veth peer name eth0 netns "+w.ns(name))
	w.ip("switch", "link set "+name+" master bridge0 up")
	w.ip(name, "addr add "+address+"/8 dev eth0")
	w.ip(name, "link set eth0 up")
}

// router connects a machine "home" over a router that forwards port 4001 to it.
func (w *world) router(t *testing.T, public string) {
	t.Helper()
	w.machine("router", public)
	w.namespace("home")
	w.ip("router", "link add name lan type veth peer name eth0 netns "+w.ns("home"))
	w.ip("router", "addr add 192.168.7.1/24 dev lan")
	w.ip("router", "link set lan up")
	w.ip("home", "addr add 192.168.7.2/24 dev eth0")
	w.ip("home", "link set eth0 up")
	w.ip("home", "route add default via 192.168.7.1")

	rules := `table ip nat {
		chain in { type nat hook prerouting priority -100; iifname "eth0" tcp dport 4001 dnat to 192.168.7.2; }
		chain out { type nat hook postrouting priority 100; oifname "eth0" masquerade; }
	}`
	nft := exec.Command("ip", "netns", "exec", w.ns("router"), "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward && nft -f -")
	nft.Stdin = strings.NewReader(rules)
	if out, err := nft.CombinedOutput(); err != nil {
		t.Skipf("no address translation here: %v: %s", err, out)
	}
}

// relays starts relays that know each other, and returns the address of the first.
func (w *world) relays(n int) (first string) {
	w.t.Helper()
	for i := range n {
		name := fmt.Sprint("relay", i)
		address := fmt.Sprintf("11.%d.0.1", i+1)
		w.machine(name, address)
		args := []string{"netns", "exec", w.ns(name), filepath.Join(w.root, "usr/bin/starling"), "relay",
			"--profile", w.t.TempDir(), "--listen", "/ip4/" + address + "/tcp/4001"}
		if first != "" {
			args = append(args, "--bootstrap", first)
		}
		cmd := exec.Command("ip", args...)
		out, err := cmd.StdoutPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			w.t.Fatal(err)
		}
		w.t.Cleanup(func() {
			cmd.Process.Signal(syscall.SIGTERM)
			cmd.Wait()
		})

		var ready struct{ Addrs []string }
		line, err := bufio.NewReader(out).ReadBytes('\n')
		if err == nil {
			err = json.Unmarshal(line, &ready)
		}
		if err != nil || len(ready.Addrs) == 0 {
			w.t.Fatalf("a relay does not start: %s, %v", line, err)
		}
		if first == "" {
			first = ready.Addrs[0]
		}
	}
	return first
}

// A booted is a machine with systemd.
type booted struct {
	t    *testing.T
	disk string
	init string // process id of its first process
}

// boot boots systemd in a namespace, on this machine's disk under a layer in memory.
func (w *world) boot(t *testing.T, name string) *booted {
	t.Helper()
	layer := t.TempDir()
	mount := func(args ...string) {
		if out, err := exec.Command("mount", args...).CombinedOutput(); err != nil {
			t.Skipf("no disk in layers here: %v: %s", err, out)
		}
		t.Cleanup(func() { exec.Command("umount", "-l", args[len(args)-1]).Run() })
	}
	mount("-t", "tmpfs", "tmpfs", layer)
	disk := filepath.Join(layer, "disk")
	for _, d := range []string{"up", "work", "disk"} {
		if err := os.Mkdir(filepath.Join(layer, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	mount("-t", "overlay", "overlay", "-o", "lowerdir=/,upperdir="+layer+"/up,workdir="+layer+"/work", disk)

	var said bytes.Buffer
	cmd := exec.Command("systemd-nspawn", "--quiet", "--boot", "--directory="+disk, "--network-namespace-path=/run/netns/"+w.ns(name),
		"--machine="+w.ns(name), "--register=no", "--keep-unit", "--link-journal=no", "--console=pipe",
		fmt.Sprintf("--uuid=%032x", time.Now().UnixNano()), "systemd.unit=basic.target")
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Skipf("nothing boots here: %v", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			cmd.Process.Kill()
			<-ended
		}
	})

	m := &booted{t: t, disk: disk}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(200 * time.Millisecond) { // polls a real condition
		select {
		case err := <-ended:
			ended <- err
			t.Skipf("nothing boots here: %v: %s", err, &said)
		default:
		}
		children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", cmd.Process.Pid, cmd.Process.Pid))
		if all := strings.Fields(string(children)); len(all) > 0 {
			m.init = all[0]
			if out, _ := m.command("systemctl is-system-running").CombinedOutput(); strings.Contains(string(out), "running") || strings.Contains(string(out), "degraded") {
				return m
			}
		}
		if time.Now().After(deadline) {
			t.Skipf("it does not boot: %s", &said)
		}
	}
}

// command is a command of root's on the machine.
func (m *booted) command(command string) *exec.Cmd {
	cmd := exec.Command("nsenter", "-t", m.init, "-a", "sh", "-c", "cd /root && "+command)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C", "DEBIAN_FRONTEND=noninteractive"}
	return cmd
}

func (m *booted) run(command string) string {
	m.t.Helper()
	out, err := m.command(command).CombinedOutput()
	if err != nil {
		m.t.Fatalf("# %s\n%s%v\n%s", command, out, err, m.journal())
	}
	m.t.Logf("# %s", command)
	return string(out)
}

// until runs a command again and again until its output has everything that is wanted.
func (m *booted) until(command string, wants ...string) {
	m.t.Helper()
	began := time.Now()
	for deadline := began.Add(2 * time.Minute); ; time.Sleep(500 * time.Millisecond) { // polls a real condition
		out, _ := m.command(command).CombinedOutput()
		missing := ""
		for _, want := range wants {
			if !regexp.MustCompile(want).Match(out) {
				missing = want
			}
		}
		if missing == "" {
			m.t.Logf("# %s\n%safter %v", command, out, time.Since(began).Round(time.Second))
			return
		}
		if time.Now().After(deadline) {
			m.t.Fatalf("# %s\n%s\nnever says %s\n%s", command, out, missing, m.journal())
		}
	}
}

func (m *booted) journal() string {
	out, _ := m.command("journalctl --no-pager -n 30 -u starling-relay; systemctl --no-pager status starling-relay").CombinedOutput()
	return string(out)
}

func (m *booted) put(from, to string) {
	m.t.Helper()
	if out, err := exec.Command("cp", from, m.disk+to).CombinedOutput(); err != nil {
		m.t.Fatalf("%v: %s", err, out)
	}
}

// bounded holds that the unit's bounds are in force: the relay is nobody's user, has one
// capability, filters system calls, and writes in one folder only.
func (m *booted) bounded() {
	m.t.Helper()
	pid := strings.TrimSpace(m.run("systemctl show -P MainPID starling-relay"))
	status := m.run("cat /proc/" + pid + "/status")
	for _, want := range []string{`CapEff:\s+0000000000000400`, `CapBnd:\s+0000000000000400`, `NoNewPrivs:\s+1`, `Seccomp:\s+2`, `Uid:\s+6\d{4}\s`} {
		if !regexp.MustCompile(want).MatchString(status) {
			m.t.Errorf("no %s in\n%s", want, status)
		}
	}
	if out := m.run("stat -c '%a %U' /var/lib/private/starling/relay/relay.key"); out != "600 starling-relay\n" {
		m.t.Errorf("the key is %s", out)
	}
}

// upgraded holds that the package of a newer version starts the relay again, as the same one.
func (m *booted) upgraded() {
	m.t.Helper()
	key := m.run("sha256sum /var/lib/starling/relay/relay.key")
	pid := m.run("systemctl show -P MainPID starling-relay")
	m.run("dpkg-deb -R starling_1.2.0_amd64.deb new && sed -i 's/^Version: .*/Version: 999.0/' new/DEBIAN/control && dpkg-deb -Znone -b new starling_1.3.0_amd64.deb")
	m.run("apt install ./starling_1.3.0_amd64.deb")
	if again := m.run("systemctl show -P MainPID starling-relay"); again == pid || again == "0\n" {
		m.t.Errorf("process %s is %s after an upgrade", pid, again)
	}
	m.run("apt remove -y starling")
	if m.run("sha256sum /var/lib/starling/relay/relay.key") != key {
		m.t.Error("it is another relay after an upgrade and removal")
	}
}
