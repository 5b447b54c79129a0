package namespaces

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"starling/node/testnet/censor"
	"starling/node/testnet/engine"
	"starling/node/testnet/scenario"
)

func parse(t *testing.T, more string) *scenario.Scenario {
	t.Helper()
	s, err := scenario.Parse("x.toml", []byte("name='x'\nengine='namespaces'\nrelays=5\nusers=2\nduration='2s'\nmessages={count=1}\n"+more+"\n"))
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
	l := &lab{id: fmt.Sprintf("%s%d-t%s", namePrefix, os.Getpid(), time.Now().Format("0405.000000")), nft: needsNFT(s) != "", links: map[string]string{}}
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
	if err := e.Partition([]int{1, 2}, nil); err != nil {
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
	e.s = parse(t, "")
	if err := e.Partition([]int{1}, []int{1}); err != nil {
		t.Fatal(err)
	}
	if !reaches(l, "u1", relayAddress(1)) || reaches(l, "u1", relayAddress(0)) || reaches(l, "u0", relayAddress(1)) {
		t.Error("a country that is not cut off with its people")
	}
	if err := e.Heal(); err != nil {
		t.Fatal(err)
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

// serve answers on a relay's machine until the test ends.
func serve(t *testing.T, l *lab, relay int, answer func(net.Listener)) {
	t.Helper()
	var at net.Listener
	if err := l.within(fmt.Sprintf("r%d", relay), func() (err error) {
		at, err = net.Listen("tcp4", relayAddress(relay)+":4001")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { at.Close() })
	go answer(at)
}

// TestReading: connections of users are led to a proxy and go on from their own address. A web
// server is reached through it, and what is none is reset, or found by its probes and blocked.
func TestReading(t *testing.T) {
	for _, nat := range []string{"nat=false", "nat=true"} {
		s := parse(t, nat+"\n[[event]]\nat='1s'\ndo='strings'\n[[event]]\nat='1s'\ndo='probe'")
		l := laboratory(t, s)
		e := &Engine{s: s, lab: l}
		from := make(chan string, 100)
		site := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { from <- r.RemoteAddr }))
		serve(t, l, 0, func(at net.Listener) {
			site.Listener.Close()
			site.Listener = at
			site.Config.ErrorLog = log.New(io.Discard, "", 0)
			site.StartTLS()
		})
		serve(t, l, 1, func(at net.Listener) {
			for {
				c, err := at.Accept()
				if err != nil {
					return
				}
				go func() { defer c.Close(); io.Copy(c, c) }()
			}
		})

		visit := func(relay int, first string) error {
			var c net.Conn
			if err := l.within("u0", func() (err error) {
				c, err = net.DialTimeout("tcp4", relayAddress(relay)+":4001", 3*time.Second)
				return err
			}); err != nil {
				return err
			}
			defer c.Close()
			c.SetDeadline(time.Now().Add(5 * time.Second))
			if first == "" {
				tc := tls.Client(c, &tls.Config{InsecureSkipVerify: true})
				fmt.Fprint(tc, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
				c = tc
			} else {
				fmt.Fprint(c, first)
			}
			_, err := c.Read(make([]byte, 8))
			return err
		}
		if err := errors.Join(visit(0, ""), visit(1, "\x13/multistream/1.0.0\n")); err != nil {
			t.Fatal("without a censor: ", err)
		}
		<-from

		if err := e.Censor(engine.Censor{Read: censor.Rules{Strings: true, Probe: true}}); err != nil {
			t.Fatal(err)
		}
		defer e.reading.Load().close()
		if err := visit(0, ""); err != nil {
			t.Error("a web server is not reached: ", err)
		}
		for who := ""; !strings.HasPrefix(who, userAddress(0)+":"); { // probes come, too
			select {
			case who = <-from:
			case <-time.After(5 * time.Second):
				t.Fatalf("the relay sees %q, and not the user", who)
			}
		}
		if visit(1, "\x13/multistream/1.0.0\n") == nil {
			t.Error("words of ours pass")
		}
		for end := time.Now().Add(30 * time.Second); e.reading.Load().censor.Deeds().Probed < 2 && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		}
		if d := e.reading.Load().censor.Deeds(); d.Probed != 2 || len(d.Blocked) != 1 || d.Blocked["no TLS"] != 1 || d.Kinds["TLS"] == 0 {
			t.Errorf("%+v", d)
		}
		if visit(1, "GET / HTTP/1.1\r\n\r\n") == nil || visit(0, "") != nil {
			t.Error("what was found is not blocked, or something else is")
		}
		// Beyond the proxy: a relay that is down refuses, and a blocked one is silent, as without it.
		if err := e.beyond("add element ip beyond down { " + relayAddress(0) + " }"); err != nil {
			t.Fatal(err)
		}
		if err := visit(0, ""); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("a relay that is down: %v", err)
		}
		if err := e.beyond("delete element ip beyond down { " + relayAddress(0) + " }"); err != nil {
			t.Fatal(err)
		}
		if err := visit(0, ""); err != nil {
			t.Errorf("a relay that is up again: %v", err)
		}
		if err := e.Block([]int{0}); err != nil {
			t.Fatal(err)
		}
		if err := visit(0, ""); err == nil || errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("a relay that is blocked: %v", err)
		}
		if err := e.Unblock(); err != nil {
			t.Fatal(err)
		}

		if err := e.Censor(engine.Censor{}); err != nil {
			t.Fatal(err)
		}
		if err := visit(1, "\x13/multistream/1.0.0\n"); err != nil {
			t.Error("a censor that is gone still reads: ", err)
		}
	}
}

// TestCurtainAndPolice: in packets of the kernel, connections freeze after so many bytes, and who makes too
// many is banned.
func TestCurtainAndPolice(t *testing.T) {
	s := parse(t, "[[event]]\nat='1s'\ndo='curtain'")
	l := laboratory(t, s)
	e := &Engine{s: s, lab: l}
	pour := func(at net.Listener) {
		for {
			c, err := at.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); c.Write(make([]byte, 60_000)) }()
		}
	}
	serve(t, l, 0, pour)
	serve(t, l, 1, pour)
	drink := func(relay int) int {
		var c net.Conn
		if l.within("u0", func() (err error) {
			c, err = net.DialTimeout("tcp4", relayAddress(relay)+":4001", 700*time.Millisecond)
			return err
		}) != nil {
			return -1
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(700 * time.Millisecond))
		n, _ := io.Copy(io.Discard, c)
		return int(n)
	}
	if n := drink(0); n != 60_000 {
		t.Fatalf("%d bytes without a censor", n)
	}
	if err := e.Censor(engine.Censor{After: 15_000}); err != nil {
		t.Fatal(err)
	}
	if n := drink(0); n < 10_000 || n > 15_000 {
		t.Errorf("%d bytes behind a curtain", n)
	}
	if err := e.Censor(engine.Censor{PerMinute: 2, Ban: time.Minute}); err != nil {
		t.Fatal(err)
	}
	if a, b, c, other := drink(0), drink(0), drink(0), drink(1); a < 0 || b < 0 || c >= 0 || other != 60_000 {
		t.Errorf("%d, %d, %d bytes; %d of another relay", a, b, c, other)
	}
	if err := e.Censor(engine.Censor{}); err != nil {
		t.Fatal(err)
	}
	if n := drink(0); n != 60_000 {
		t.Errorf("%d bytes after the end", n)
	}
}
