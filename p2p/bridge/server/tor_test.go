package server_test

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"starling/p2p"
	"starling/p2p/bridge/server"
	"starling/p2p/p2ptest"
	"starling/p2p/p2ptest/programtest"
)

// tor is a private Tor network on loopback, with a client that has an onion service.
type tor struct {
	socks string // of the client
	onion string // NAME.onion, port 443
}

// startTor starts a directory authority, relays, and a client whose onion service leads to
// an address.
func startTor(t *testing.T, leads string) tor {
	t.Helper()
	program, gencert, dir := programtest.Find(t, "tor"), programtest.Find(t, "tor-gencert"), t.TempDir()
	nodes := []string{"authority", "one", "two", "three", "four"}
	or, web := map[string]int{}, map[string]int{}
	for _, n := range append(nodes, "client") {
		or[n], web[n] = programtest.FreePort(t), programtest.FreePort(t)
		if err := os.MkdirAll(filepath.Join(dir, n, "keys"), 0o700); err != nil {
			t.Fatal(err)
		}
	}

	// The authority's keys, and the line by which all know it.
	keys := filepath.Join(dir, "authority", "keys") + "/authority_"
	gen := exec.Command(gencert, "--create-identity-key", "--passphrase-fd", "0", "-i", keys+"identity_key", "-s", keys+"signing_key",
		"-c", keys+"certificate", "-m", "12", "-a", fmt.Sprintf("127.0.0.1:%d", web["authority"]))
	gen.Stdin = strings.NewReader("words\n")
	if out, err := gen.CombinedOutput(); err != nil {
		t.Fatalf("tor-gencert: %v\n%s", err, out)
	}
	list := exec.Command(program, "--quiet", "--list-fingerprint", "--orport", "1", "--dirauthority", "x 127.0.0.1:1 "+strings.Repeat("f", 40),
		"--datadirectory", filepath.Join(dir, "authority"), "--ignore-missing-torrc", "-f", "none")
	if out, err := list.CombinedOutput(); err != nil {
		t.Fatalf("tor: %v\n%s", err, out)
	}
	cert, err := os.ReadFile(keys + "certificate")
	if err != nil {
		t.Fatal(err)
	}
	print, err := os.ReadFile(filepath.Join(dir, "authority", "fingerprint"))
	if err != nil {
		t.Fatal(err)
	}
	v3 := regexp.MustCompile(`(?m)^fingerprint (\S+)`).FindSubmatch(cert)
	_, finger, _ := strings.Cut(strings.TrimSpace(string(print)), " ")
	common := fmt.Sprintf("TestingTorNetwork 1\nAssumeReachable 1\nDirAuthority a orport=%d no-v2 v3ident=%s 127.0.0.1:%d %s\n",
		or["authority"], v3[1], web["authority"], strings.ReplaceAll(finger, " ", ""))

	for _, n := range append(nodes, "client") {
		home := filepath.Join(dir, n)
		text := common + fmt.Sprintf("DataDirectory %s\nNickname %s\nLog notice file %s/log\n", home, n, home)
		switch n {
		case "client":
			text += fmt.Sprintf("SocksPort 127.0.0.1:%d\nHiddenServiceDir %s/service\nHiddenServicePort 443 %s\nClientRejectInternalAddresses 0\n", or[n], home, leads)
		case "authority":
			text += `AuthoritativeDirectory 1
V3AuthoritativeDirectory 1
TestingV3AuthInitialVotingInterval 5
TestingV3AuthInitialVoteDelay 2
TestingV3AuthInitialDistDelay 2
V3AuthVotingInterval 10
V3AuthVoteDelay 2
V3AuthDistDelay 2
TestingDirAuthVoteExit *
TestingDirAuthVoteHSDir *
TestingDirAuthVoteGuard *
TestingMinExitFlagThreshold 0
AuthDirMaxServersPerAddr 0
MinUptimeHidServDirectoryV2 0
`
			fallthrough
		default:
			text += fmt.Sprintf("Address 127.0.0.1\nORPort 127.0.0.1:%d IPv4Only\nDirPort 127.0.0.1:%d\nExitRelay 1\nExitPolicy accept *:*\nExitPolicyRejectPrivate 0\nSocksPort 0\nContactInfo nobody\n", or[n], web[n])
		}
		if err := os.WriteFile(filepath.Join(home, "torrc"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if n == "client" {
			// A client that begins with fewer relays finds no paths to its service for minutes.
			p2ptest.Eventually(t, "the network lists all its relays", func() bool {
				list, _ := os.ReadFile(filepath.Join(dir, "authority", "cached-microdesc-consensus"))
				return strings.Count(string(list), "\nr ") == len(nodes)
			})
		}
		cmd := exec.Command(program, "-f", filepath.Join(home, "torrc"), "--hush")
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	}

	var onion []byte
	p2ptest.Eventually(t, "Tor is up", func() bool {
		log, _ := os.ReadFile(filepath.Join(dir, "client", "log"))
		onion, _ = os.ReadFile(filepath.Join(dir, "client", "service", "hostname"))
		return strings.Contains(string(log), "Bootstrapped 100%") && len(onion) > 0
	})
	return tor{socks: fmt.Sprintf("socks5://127.0.0.1:%d", or["client"]), onion: strings.TrimSpace(string(onion))}
}

// TestTor: a bridge is an onion service, and a client reaches the network over Tor and that
// bridge alone. Nobody sees the client's address, the bridge neither.
func TestTor(t *testing.T) {
	at := fmt.Sprintf("127.40.0.1:%d", programtest.FreePort(t))
	private := startTor(t, at)
	views := make([]p2ptest.Witness, 5)
	m := meshOf(t, len(views), func(i int, cfg *p2p.RelayConfig) { cfg.Tap = views[i].Tap })
	var door p2ptest.Witness
	name, _, _ := strings.Cut(private.onion, ".")
	ip, port, _ := net.SplitHostPort(at)
	b, link := start(t, m, func(cfg *server.Config) {
		cfg.Listen = []string{"/ip4/" + ip + "/tcp/" + port}
		cfg.Announce = []string{"/onion3/" + name + ":443"}
		cfg.Tap = door.Tap
	})
	began := time.Now()
	c := m.Client(func(cfg *p2p.ClientConfig) {
		cfg.Bootstrap, cfg.Bridges, cfg.OnlyBridges = nil, []string{link}, true
		cfg.Proxy, cfg.Source = private.socks, "127.0.0.1"
	})
	p2ptest.Eventually(t, "the client is there", func() bool {
		s := c.Status()
		return s.Ready && s.Relays == len(views)
	})
	t.Logf("ready over Tor and a bridge after %v", time.Since(began))
	boxes, err := c.ChooseMailboxes(1)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Put(t.Context(), boxes[0], p2p.Tag{1}, make([]byte, p2p.BoxSize)); err != nil {
		t.Error(err)
	}
	if b.Status().Links < 2 || len(door.Data("pipe")) < 2 {
		t.Errorf("the bridge carries %d pipes", b.Status().Links)
	}
	if s := c.Status().Bridges; len(s) != 1 || !s[0].Connected {
		t.Errorf("%+v", s)
	}
}
