package relay_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"starling/p2p/mailbox"
	"starling/p2p/p2ptest/programtest"
	"starling/p2p/relay"
)

// aRelay, in the environment, makes the test below run a relay: it then is in a namespace.
const aRelay = "STARLING_TEST_RELAY"

// A running is what such a relay says of itself, a line each half second.
type running struct {
	Addr      string
	Announced []string
	Listed    bool
	SeenFrom  []string
}

func TestRunARelay(t *testing.T) {
	said := os.Getenv(aRelay)
	if said == "" {
		t.Skip("only inside of a namespace")
	}
	cfg := relay.Config{StateDir: t.TempDir(), Store: mailbox.NewMemory(100)}
	if err := json.Unmarshal([]byte(said), &cfg); err != nil {
		t.Fatal(err)
	}
	r, err := relay.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	go func() { // until the other side hangs up
		io.Copy(io.Discard, os.Stdin)
		stop()
	}()
	go func() {
		<-r.Ready()
		for ctx.Err() == nil {
			s := r.Status()
			b, _ := json.Marshal(running{s.Addrs[0], s.Announced, s.Listed, s.SeenFrom})
			fmt.Printf("now %s\n", b)
			time.Sleep(500 * time.Millisecond)
		}
	}()
	r.Run(ctx)
}

// machines are namespaces at one switch.
type machines struct {
	t      *testing.T
	prefix string
}

func (m machines) do(format string, a ...any) {
	m.t.Helper()
	script := strings.ReplaceAll(fmt.Sprintf(format, a...), "@", m.prefix)
	if out, err := exec.Command("sh", "-ec", script).CombinedOutput(); err != nil {
		m.t.Fatalf("%s: %v: %s", script, err, out)
	}
}

// add adds a machine with an address at the switch.
func (m machines) add(name, address string) {
	m.t.Helper()
	m.do(`ip netns add @%s; ip -n @%[1]s link set lo up; ip -n @switch link add name %[1]s type veth peer name eth0 netns @%[1]s
ip -n @switch link set %[1]s master bridge0 up; ip -n @%[1]s addr add %[2]s/8 dev eth0; ip -n @%[1]s link set eth0 up`, name, address)
	m.t.Cleanup(func() { exec.Command("ip", "netns", "del", m.prefix+name).Run() })
}

// run runs a relay at a machine, and returns what it says.
func (m machines) run(name string, cfg relay.Config) <-chan running {
	m.t.Helper()
	said, _ := json.Marshal(map[string]any{"Listen": cfg.Listen, "Announce": cfg.Announce, "Bootstrap": cfg.Bootstrap})
	cmd := exec.Command("ip", "netns", "exec", m.prefix+name, os.Args[0], "-test.run", "^TestRunARelay$")
	cmd.Env = append(os.Environ(), aRelay+"="+string(said))
	in, err := cmd.StdinPipe()
	if err != nil {
		m.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		m.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	m.t.Cleanup(func() { in.Close(); cmd.Wait() })
	all := make(chan running, 1000)
	go func() {
		defer close(all)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var r running
			if b, ok := strings.CutPrefix(lines.Text(), "now "); ok && json.Unmarshal([]byte(b), &r) == nil {
				select {
				case all <- r:
				default: // nobody reads of the others
				}
			}
		}
	}()
	return all
}

// TestTranslated: a relay behind a router that translates its address both ways: whom it
// dials sees it at another one, in another network, than that at which it is reached. It
// signs the address of its owner and no other, and is listed there; and the others, which
// see it elsewhere than it says, sign their own.
func TestTranslated(t *testing.T) {
	m := machines{t, fmt.Sprintf("starling-%d-nat-", os.Getpid())}
	programtest.Find(t, "ip")
	programtest.Find(t, "nft")
	if out, err := exec.Command("ip", "netns", "add", m.prefix+"switch").CombinedOutput(); err != nil {
		t.Skipf("no network namespaces here: %v: %s", err, out)
	}
	t.Cleanup(func() { exec.Command("ip", "netns", "del", m.prefix+"switch").Run() })
	m.do("ip -n @switch link add name bridge0 type bridge; ip -n @switch link set bridge0 up")
	const reached, seen = "11.50.0.1", "11.60.0.1"
	m.add("router", reached)
	m.do(`ip -n @router addr add %s/8 dev eth0; ip netns add @home; ip -n @home link set lo up
ip -n @router link add name lan type veth peer name eth0 netns @home; ip -n @router addr add 192.168.7.1/24 dev lan; ip -n @router link set lan up
ip -n @home addr add 192.168.7.2/24 dev eth0; ip -n @home link set eth0 up; ip -n @home route add default via 192.168.7.1`, seen)
	t.Cleanup(func() { exec.Command("ip", "netns", "del", m.prefix+"home").Run() })
	nft := exec.Command("ip", "netns", "exec", m.prefix+"router", "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward && nft -f -")
	nft.Stdin = strings.NewReader(`table ip nat {
		chain in { type nat hook prerouting priority -100; iifname "eth0" ip daddr ` + reached + ` tcp dport 4001 dnat to 192.168.7.2; }
		chain out { type nat hook postrouting priority 100; oifname "eth0" snat to ` + seen + `; }
	}`)
	if out, err := nft.CombinedOutput(); err != nil {
		t.Skipf("no address translation here: %v: %s", err, out)
	}

	var bootstrap []string
	var others []<-chan running
	for i := range 4 {
		name, address := fmt.Sprint("r", i), fmt.Sprintf("11.%d.0.1", i+1)
		m.add(name, address)
		said := m.run(name, relay.Config{Listen: []string{"/ip4/" + address + "/tcp/4001"}, Bootstrap: bootstrap})
		others = append(others, said)
		if bootstrap == nil {
			first, ok := <-said
			if !ok {
				t.Fatal("a relay does not start")
			}
			bootstrap = []string{first.Addr}
		}
	}
	home := m.run("home", relay.Config{Listen: []string{"/ip4/0.0.0.0/tcp/4001"}, Announce: []string{"/ip4/" + reached + "/tcp/4001"}, Bootstrap: bootstrap})

	want := "[/ip4/" + reached + "/tcp/4001]"
	listed, elsewhere, deadline := 0, false, time.After(90*time.Second)
	for listed < 8 { // and four seconds after
		select {
		case now, ok := <-home:
			if !ok {
				t.Fatal("the relay ended")
			}
			if got := fmt.Sprint(now.Announced); got != want && len(now.Announced) > 0 {
				t.Fatalf("it announces %s", got)
			}
			if now.Listed {
				listed++
			}
			elsewhere = elsewhere || strings.Contains(fmt.Sprint(now.SeenFrom), seen)
		case <-deadline:
			t.Fatal("it is not listed")
		}
	}
	if !elsewhere {
		t.Error("nobody has seen it elsewhere: this test shows nothing")
	}
	for i, said := range others {
		want := fmt.Sprintf("[/ip4/11.%d.0.1/tcp/4001]", i+1)
		for len(said) > 0 {
			now := <-said
			if got := fmt.Sprint(now.Announced); got != want && len(now.Announced) > 0 {
				t.Fatalf("relay %d announces %s", i, got)
			}
		}
	}
}
