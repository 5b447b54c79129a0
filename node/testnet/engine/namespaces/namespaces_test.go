package namespaces

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"starling/node/testnet/scenario"
)

func parse(t *testing.T, more string) *scenario.Scenario {
	t.Helper()
	s, err := scenario.Parse("x.toml", []byte("name='x'\nengine='namespaces'\nrelays=5\nusers=2\nduration='2s'\n"+more+"\nmessages={count=1}\n"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestMissing: a missing tool is named, with the engines that do without.
func TestMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	for more, want := range map[string]string{
		"":                             "--engine loopback or --engine processes or --engine virtual works",
		"link={loss=0.1}":              "--engine virtual works",
		"nat=true":                     "no other engine can do all of this scenario",
		"link={loss=0.1}\nnat = false": "nft for loss (install nftables)",
	} {
		err := Missing(parse(t, more))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), `engine "namespaces" lacks `) {
			t.Errorf("%q: %v", more, err)
		}
	}
}

// laboratory builds the namespaces of a scenario, or skips.
func laboratory(t *testing.T, s *scenario.Scenario) *lab {
	t.Helper()
	if err := Missing(s); err != nil {
		t.Skip(err)
	}
	l := &lab{id: namePrefix + "test" + time.Now().Format("150405.000000"), nft: needsNFT(s) != "", links: map[string]string{}}
	t.Cleanup(func() {
		if err := remove(l.id); err != nil {
			t.Error(err)
		}
		if slices.ContainsFunc(namespaces(), func(n string) bool { return strings.HasPrefix(n, l.id) }) {
			t.Error("namespaces are left")
		}
	})
	if err := l.build(s); err != nil {
		if strings.Contains(err.Error(), "not permitted") {
			t.Skip("this machine makes no network namespaces: ", err)
		}
		t.Fatal(err)
	}
	return l
}

// reaches reports whether one machine can open a connection to another. Any
// answer will do, and the refusal of a port is one.
func reaches(l *lab, from, address string) bool {
	cmd := l.command(from, os.Args[0], "-test.run=TestReach", "-test.v")
	cmd.Env = append(os.Environ(), reachWhom+"="+address)
	out, err := cmd.CombinedOutput()
	return err == nil && strings.Contains(string(out), "reached")
}

func TestPartition(t *testing.T) {
	if _, err := exec.LookPath("ip"); err != nil {
		t.Skip("no ip")
	}
	l := laboratory(t, parse(t, ""))
	if !reaches(l, "r0", relayAddress(1)) || !reaches(l, "u1", relayAddress(4)) {
		t.Fatal("machines do not reach each other")
	}
	e := &Engine{lab: l}
	if err := e.Partition([]int{1, 2}); err != nil {
		t.Fatal(err)
	}
	if reaches(l, "r0", relayAddress(1)) || !reaches(l, "r1", relayAddress(2)) || !reaches(l, "u0", relayAddress(0)) {
		t.Error("a partition that is none, or too much of one")
	}
	if err := e.Heal(); err != nil {
		t.Fatal(err)
	}
	if !reaches(l, "r0", relayAddress(1)) {
		t.Error("not healed")
	}
	if moved := l.traffic(); moved["r0"][0] == 0 || moved["r0"][1] == 0 {
		t.Errorf("traffic %v", moved)
	}
}

// TestNATAndBlock: a user behind a router reaches relays and is not reached,
// and blocked addresses are gone for users alone.
func TestNATAndBlock(t *testing.T) {
	s := parse(t, "nat=true")
	l := laboratory(t, s)
	e := &Engine{s: s, lab: l}
	if !reaches(l, "u0", relayAddress(3)) {
		t.Fatal("a user behind NAT reaches no relay")
	}
	if reaches(l, "r3", "192.168.0.2") {
		t.Error("a relay reaches a user behind NAT")
	}
	if err := e.Block([]int{3, 4}); err != nil {
		t.Fatal(err)
	}
	if reaches(l, "u0", relayAddress(3)) || !reaches(l, "u0", relayAddress(2)) || !reaches(l, "r0", relayAddress(3)) {
		t.Error("blocked is somebody else")
	}
	if err := e.Unblock(); err != nil {
		t.Fatal(err)
	}
	if !reaches(l, "u0", relayAddress(3)) {
		t.Error("still blocked")
	}
}
