package namespaces

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"

	"starling/node/testnet/scenario"
)

// The addresses of the machines are made up, but not private ones, so that
// nodes keep the rules of the public network. A relay has a /16 of its own.
//
//	relay r    11.r.0.10 to 11.255.0.10
//	user u     12.u/250.u%250.10, or its router's with nat
//	behind it  192.168.0.2
//	stranger h 13.h.0.10
const (
	prefix   = "/5" // 8.0.0.0 to 15.255.255.255 is one network
	usersNet = "12.0.0.0/8"
	port     = 4001
)

const (
	maxRelays    = 256
	maxUsers     = 1000
	maxStrangers = 256
)

// stranger names a hostile machine.
func stranger(i int) string { return fmt.Sprintf("h%d", i) }

func relayAddress(i int) string    { return fmt.Sprintf("11.%d.0.10", i) }
func strangerAddress(i int) string { return fmt.Sprintf("13.%d.0.10", i) }
func userAddress(i int) string     { return fmt.Sprintf("12.%d.%d.10", i/250, i%250) }

// lab is the namespaces of one run. Their names begin with the id of the
// process that made them, so that a later run can clear up after one that was
// killed.
//
//	r0   r1  …    u0                 each with an eth0
//	 \    |       |
//	  \   |     u0-nat               with nat, masquerading
//	   \  |      /
//	     hub                         bridge "mesh"; "cut" during a partition
//
// Everything is in namespaces, the bridge, too: the machine's own network does
// not change.
type lab struct {
	id  string
	nft bool

	mu    sync.Mutex
	links map[string]string // machine → its end of the wire in the hub
}

const namePrefix = "starling-"

func (l *lab) name(machine string) string { return l.id + "-" + machine }

// command runs a program in a machine's namespace.
func (l *lab) command(machine, program string, args ...string) *exec.Cmd {
	return exec.Command("ip", append([]string{"netns", "exec", l.name(machine), program}, args...)...)
}

// do runs commands of ip, one a line.
func do(script string) error {
	for line := range strings.Lines(script) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		if out, err := exec.Command("ip", words...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %s: %w: %s", strings.Join(words, " "), err, bytes.TrimSpace(out))
		}
	}
	return nil
}

// rules hands a script to nft in a machine's namespace.
func (l *lab) rules(machine, script string) error {
	cmd := l.command(machine, "nft", "-f", "-")
	cmd.Stdin = strings.NewReader(script)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("nft: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

// build makes the hub and all machines.
func (l *lab) build(s *scenario.Scenario) error {
	hub := l.name("hub")
	if err := do(strings.NewReplacer("HUB", hub).Replace(`
		netns add HUB
		-n HUB link set lo up
		-n HUB link add mesh type bridge
		-n HUB link set mesh up
		-n HUB link add cut type bridge
		-n HUB link set cut up`)); err != nil {
		return err
	}
	for i := range s.Relays {
		if err := l.machine(fmt.Sprintf("r%d", i), relayAddress(i)); err != nil {
			return err
		}
	}
	for i := range s.Users {
		name := fmt.Sprintf("u%d", i)
		if !s.NAT {
			if err := l.machine(name, userAddress(i)); err != nil {
				return err
			}
			continue
		}
		if err := l.machine(name+"-nat", userAddress(i)); err != nil {
			return err
		}
		if err := l.behind(name); err != nil {
			return err
		}
	}
	for i := range s.Strangers() {
		if err := l.machine(stranger(i), strangerAddress(i)); err != nil {
			return err
		}
	}
	if !l.nft {
		return nil
	}

	// Loss is drawn for each packet that the bridge passes on, once.
	script := `table bridge lab {
		set blocked { type ipv4_addr; }
		chain forward {
			type filter hook forward priority 0; policy accept;
			ether type ip ip saddr ` + usersNet + ` ip daddr @blocked drop
			ether type ip ip daddr ` + usersNet + ` ip saddr @blocked drop
			LOSS
		}
	}`
	loss := ""
	if s.Link.Loss > 0 {
		loss = fmt.Sprintf("ether type ip numgen random mod 10000 < %d counter drop", int(s.Link.Loss*10000))
	}
	return l.rules("hub", strings.Replace(script, "LOSS", loss, 1))
}

// machine makes a namespace and a wire from it to the bridge.
func (l *lab) machine(name, address string) error {
	l.mu.Lock()
	end := fmt.Sprintf("v%d", len(l.links))
	l.links[name] = end
	l.mu.Unlock()
	return do(strings.NewReplacer("HUB", l.name("hub"), "NS", l.name(name), "END", end, "ADDRESS", address+prefix).Replace(`
		netns add NS
		-n NS link set lo up
		-n HUB link add END type veth peer name eth0 netns NS
		-n HUB link set END master mesh up
		-n NS address add ADDRESS dev eth0
		-n NS link set eth0 up
		-n NS route add default dev eth0`))
}

// behind puts a user behind its router.
func (l *lab) behind(name string) error {
	router := name + "-nat"
	if err := do(strings.NewReplacer("NS", l.name(name), "ROUTER", l.name(router)).Replace(`
		netns add NS
		-n NS link set lo up
		-n ROUTER link add lan type veth peer name eth0 netns NS
		-n ROUTER address add 192.168.0.1/24 dev lan
		-n ROUTER link set lan up
		-n NS address add 192.168.0.2/24 dev eth0
		-n NS link set eth0 up
		-n NS route add default via 192.168.0.1`)); err != nil {
		return err
	}
	if out, err := l.command(router, "sysctl", "-qw", "net.ipv4.ip_forward=1").CombinedOutput(); err != nil {
		return fmt.Errorf("sysctl: %w: %s", err, bytes.TrimSpace(out))
	}
	return l.rules(router, `table ip nat {
		chain out { type nat hook postrouting priority srcnat; oifname "eth0" masquerade; }
	}
	table ip filter {
		chain in { type filter hook forward priority 0; policy accept; iifname "eth0" ct state new drop; }
	}`)
}

// plug moves machines to a bridge.
func (l *lab) plug(bridge string, machines ...string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range machines {
		if err := do(fmt.Sprintf("-n %s link set %s master %s", l.name("hub"), l.links[m], bridge)); err != nil {
			return err
		}
	}
	return nil
}

// all returns the machines that have a wire to the bridge.
func (l *lab) all() (machines []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for m := range l.links {
		machines = append(machines, m)
	}
	return machines
}

// traffic returns the bytes on the wire of each machine, seen from the machine.
func (l *lab) traffic() map[string][2]int64 {
	out, err := l.command("hub", "cat", "/proc/net/dev").Output()
	if err != nil {
		return nil
	}
	byEnd := map[string][2]int64{}
	for line := range strings.Lines(string(out)) {
		end, numbers, ok := strings.Cut(strings.TrimSpace(line), ":")
		fields := strings.Fields(numbers)
		if !ok || len(fields) < 9 {
			continue
		}
		received, _ := strconv.ParseInt(fields[0], 10, 64)
		sent, _ := strconv.ParseInt(fields[8], 10, 64)
		byEnd[end] = [2]int64{sent, received} // the hub sends the bytes that the machine receives
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	all := map[string][2]int64{}
	for m, end := range l.links {
		all[m] = byEnd[end]
	}
	return all
}

// namespaces returns the names of all there are that this package made.
func namespaces() (names []string) {
	out, err := exec.Command("ip", "netns", "list").Output()
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(out)) {
		if name := strings.Fields(line); len(name) > 0 && strings.HasPrefix(name[0], namePrefix) {
			names = append(names, name[0])
		}
	}
	return names
}

// remove deletes the namespaces of a run, and with them all that is in them.
func remove(id string) error {
	var err error
	for _, name := range namespaces() {
		if strings.HasPrefix(name, id+"-") {
			if e := do("netns delete " + name); err == nil {
				err = e
			}
		}
	}
	return err
}

// clearUp removes the remains of killed runs.
func clearUp() {
	for _, name := range namespaces() {
		id, _, _ := strings.Cut(strings.TrimPrefix(name, namePrefix), "-")
		if _, err := os.Stat("/proc/" + id); err != nil {
			remove(namePrefix + id)
		}
	}
}
