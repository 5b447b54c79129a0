package namespaces

import (
	"bytes"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"

	"starling/node/testnet/censor"
	"starling/node/testnet/engine"
	"starling/node/testnet/scenario"
)

// The addresses of the machines are made up, but not private ones, so that
// nodes keep the rules of the public network. A relay has a /16 of its own.
//
//	relay r    11.r.0.10 to 11.255.0.10
//	user u     12.u/250.u%250.10, or its router's with nat
//	behind it  192.168.0.2
//	stranger h 13.h.0.10
//	the censor 14.0.0.10
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

// The censor has an address of its own, from which it learns and probes.
const (
	spy        = "censor"
	spyAddress = "14.0.0.10"
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
	web bool // relays are web servers

	mu    sync.Mutex
	links map[string]string // machine → its end of the wire in the hub
	at    map[string]string // machine → its address
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

	// Each relay, user, router and stranger is a machine of its own.
	for i := range s.Relays {
		if err := l.machine(fmt.Sprintf("r%d", i), relayAddress(i)); err != nil {
			return err
		}
	}
	for i := range s.People() {
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

	if s.Censored() { // bytes are counted from the beginning of a connection
		for i := range s.People() {
			door := fmt.Sprintf("u%d", i)
			if s.NAT {
				door += "-nat"
			}
			if out, err := l.command(door, "sysctl", "-qw", "net.netfilter.nf_conntrack_acct=1").CombinedOutput(); err != nil {
				return fmt.Errorf("sysctl: %w: %s", err, bytes.TrimSpace(out))
			}
			if s.Readers() {
				if err := l.rules(door, beyond()); err != nil {
					return err
				}
			}
		}
		if err := l.machine(spy, spyAddress); err != nil {
			return err
		}
	}

	if err := l.introduce(); err != nil {
		return err
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
	if l.at == nil {
		l.at = map[string]string{}
	}
	l.at[name] = address
	l.mu.Unlock()
	return do(strings.NewReplacer("HUB", l.name("hub"), "NS", l.name(name), "END", end, "ADDRESS", address+prefix, "MAC", hardware(address)).Replace(`
		netns add NS
		-n NS link set lo up
		-n HUB link add END type veth peer name eth0 netns NS
		-n HUB link set END master mesh up
		-n NS link set eth0 address MAC
		-n NS address add ADDRESS dev eth0
		-n NS link set eth0 up
		-n NS route add default dev eth0`))
}

// hardware is the hardware address of a machine.
func hardware(address string) string {
	ip := netip.MustParseAddr(address).As4()
	return fmt.Sprintf("02:00:%02x:%02x:%02x:%02x", ip[0], ip[1], ip[2], ip[3])
}

// fewNeighbours is how many machines may ask for each other's hardware addresses.
const fewNeighbours = 16

// introduce tells every machine the hardware addresses of all others. Of those that are asked for the kernel
// keeps a thousand in all namespaces together, and drops packets then; of those that are told, any number.
func (l *lab) introduce() error {
	if len(l.at) <= fewNeighbours {
		return nil
	}
	var all strings.Builder
	for _, address := range l.at {
		fmt.Fprintf(&all, "neigh replace %s lladdr %s nud permanent dev eth0\n", address, hardware(address))
	}
	for name := range l.at {
		cmd := exec.Command("ip", "-n", l.name(name), "-batch", "-")
		cmd.Stdin = strings.NewReader(all.String())
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("ip neigh: %w: %s", err, bytes.TrimSpace(out))
		}
	}
	return nil
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

// censor puts a machine behind a censor. A frozen connection is one whose packets from the
// relay are dropped; connections are counted by their first packet.
func (l *lab) censor(machine string, by engine.Censor) error {
	return l.rules(machine, censorship(by))
}

// censorship is a censor in the words of nft. Packets of the proxy that reads have its mark,
// and those of users are led to it; connections from before it was there are reset.
//
//	before    of users, to the addresses that they want
//	out       of whoever dials outside
//	in        what comes from outside
func censorship(by engine.Censor) string {
	var sets, before, in, out, ways string
	if by.PerMinute > 0 {
		seconds := max(1, int(by.Ban.Seconds()))
		sets = fmt.Sprintf(`
		set banned { type ipv4_addr; flags dynamic,timeout; timeout %ds; }
		set pace { type ipv4_addr; flags dynamic,timeout; timeout 2m; }`, seconds)
		in = "\n\t\t\tip saddr @banned counter drop"
		before = fmt.Sprintf(`
			ip daddr @banned counter drop
			tcp flags & (syn|ack) == syn ct state new update @pace { ip daddr limit rate over %d/minute burst %d packets } add @banned { ip daddr } counter drop`, by.PerMinute, by.PerMinute)
	}

	if by.After > 0 {
		verdict := "drop"
		if by.Reset {
			verdict = "reject with tcp reset"
		}
		in += fmt.Sprintf("\n\t\t\tmeta l4proto tcp ct reply bytes > %d counter %s", by.After, verdict)
	}

	if by.Read != (censor.Rules{}) {
		out = fmt.Sprintf(`
			oifname "eth0" meta mark != %d ip daddr != 127.0.0.1 meta l4proto tcp counter reject with tcp reset`, mark)
		if by.Read.Strings {
			out += "\n\t\t\toifname \"eth0\" udp dport != 53 counter drop"
		}
		ways = fmt.Sprintf(`
		chain lead { type nat hook output priority -100; policy accept;
			oifname "eth0" meta mark != %[1]d meta l4proto tcp counter redirect to :%[2]d
		}
		chain led { type nat hook prerouting priority -100; policy accept;
			iifname "lan" meta l4proto tcp counter redirect to :%[2]d
		}`, mark, proxyPort)
	}

	return fmt.Sprintf(`table ip censor
	delete table ip censor
	table ip censor {%[1]s
		chain in { type filter hook input priority -10; policy accept;
			iifname != "eth0" accept%[3]s
		}
		chain passing { type filter hook forward priority -10; policy accept;%[3]s%[4]s
		}
		chain before { type filter hook output priority -150; policy accept;
			oifname != "eth0" accept
			meta mark %[6]d accept%[2]s
		}
		chain routed { type filter hook prerouting priority -150; policy accept;
			iifname != "lan" accept%[2]s
		}
		chain out { type filter hook output priority -10; policy accept;%[4]s
		}%[5]s
	}
`, sets, before, in, out, ways, mark)
}

// beyond is the state of addresses beyond the proxy. It takes every connection itself, so that one to an address
// that is blocked, or where nobody listens, is stopped before it gets there, as it would be further on.
func beyond() string {
	return fmt.Sprintf(`table ip beyond {
		set blocked { type ipv4_addr; }
		set down { type ipv4_addr; }
		chain before { type filter hook output priority -160; policy accept;
			oifname != "eth0" accept
			meta mark %[1]d accept
			ip daddr @blocked counter drop
			ip daddr @down meta l4proto tcp counter reject with tcp reset
		}
		chain routed { type filter hook prerouting priority -160; policy accept;
			iifname != "lan" accept
			ip daddr @blocked counter drop
			ip daddr @down meta l4proto tcp counter reject with tcp reset
		}
	}
`, mark)
}
