package web

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"

	"starling/p2p/p2ptest/programtest"
	"starling/p2p/transport/web/fronttest"
	"starling/p2p/wire"
)

// frontProbes are the probes of the list, and those that come as near to a link as a stranger
// can, and nearer.
func frontProbes(relay wire.NodeID) []probe {
	all := probes()
	upgrade := []string{"Host: 127.0.0.1", "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: 2e+X9gKqsFVSj49CCkLVsw=="}
	word := hide(append([]byte{0, 32, 9}, make([]byte, 31)...))
	for where, path := range map[string]string{"a path": "/AAAAAAAAAAAAAAAAAAAAAA", "the path": Path(relay, time.Now()), "a path of long ago": Path(relay, time.Now().Add(-5*day))} {
		add := func(what string, p probe) {
			p.name = what + " on " + where
			all = append(all, p)
		}
		to := func(method, query, version string, more ...string) []string {
			return request(append([]string{method + " " + path + query + " " + version}, more...)...)
		}
		query := "?s=" + word
		if where == "the path" {
			query = "?s=IgAg"
		}
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "OPTIONS", "FOO"} {
			add(method, probe{parts: to(method, "", "HTTP/1.1", "Host: 127.0.0.1")})
			add(method+" and an upgrade", probe{parts: to(method, query, "HTTP/1.1", upgrade...)})
		}
		add("upgrade of HTTP/1.0", probe{parts: to("GET", query, "HTTP/1.0", upgrade...)})
		add("upgrade in capitals", probe{parts: to("GET", query, "HTTP/1.1", "Host: a", "Connection: upgrade", "Upgrade: WebSocket")})
		add("upgrade without a connection", probe{parts: to("GET", query, "HTTP/1.1", "Host: a", "Upgrade: websocket")})
		add("upgrade and a body", probe{parts: to("GET", query, "HTTP/1.1", append(slices.Clip(upgrade), "Content-Length: 3")...)})
		add("upgrade and an expectation", probe{parts: to("GET", query, "HTTP/1.1", append(slices.Clip(upgrade), "Expect: 100-continue", "Content-Length: 3")...)})
		add("upgrade and a body in chunks", probe{parts: []string{to("GET", query, "HTTP/1.1", append(slices.Clip(upgrade), "Transfer-Encoding: chunked")...)[0] + "3\r\nabc\r\n0\r\n\r\n"}})
		add("upgrade without a host", probe{parts: to("GET", query, "HTTP/1.1", upgrade[1:]...)})
		add("upgrade, range and time", probe{parts: to("GET", query, "HTTP/1.1", append(slices.Clip(upgrade), "Range: bytes=0-3", "If-Modified-Since: Thu, 01 Jan 2026 00:00:00 GMT", "Accept-Encoding: gzip")...)})
		add("upgrade and a long header", probe{parts: to("GET", query, "HTTP/1.1", append(slices.Clip(upgrade), "A: "+strings.Repeat("a", 6000))...)})
		add("upgrade and a huge header", probe{parts: to("GET", query, "HTTP/1.1", append(slices.Clip(upgrade), "A: "+strings.Repeat("a", 900_000))...)})
		add("upgrade and a long query", probe{parts: to("GET", "?s="+strings.Repeat("a", 3000), "HTTP/1.1", upgrade...)})
		add("upgrade and a frame", probe{parts: []string{to("GET", query, "HTTP/1.1", upgrade...)[0] + "\x82\x80\x01\x02\x03\x04"}})
		add("two upgrades at once", probe{parts: []string{strings.Repeat(to("GET", query, "HTTP/1.1", upgrade...)[0], 2)}})
		add("upgrade and close", probe{parts: to("GET", query, "HTTP/1.1", append(slices.Clip(upgrade), "Connection: close")...)})
		add("upgrade from elsewhere", probe{parts: to("GET", query, "HTTP/1.1", append(slices.Clip(upgrade), "X-Forwarded-For: 192.0.2.1, nonsense", "Forwarded: for=192.0.2.1")...)})
		add("escaped upgrade", probe{parts: request(append([]string{"GET /%41" + path[2:] + query + " HTTP/1.1"}, upgrade...)...)})
		add("upgrade below", probe{parts: request(append([]string{"GET " + path + "/" + query + " HTTP/1.1"}, upgrade...)...)})
		add("h2", probe{tls: &tls.Config{NextProtos: []string{"h2"}}, h2: h2("GET", path+query)})
	}
	return all
}

// Behind Caddy and nginx, by the words of docs/OPERATORS.md, a relay is reached, by whoever
// knows the path and under an address of its own; strangers see what they see without
// a relay, byte for byte, and when the relay is away.
func TestFront(t *testing.T) {
	for _, f := range fronttest.Servers {
		t.Run(f.Name, func(t *testing.T) {
			t.Parallel()
			run := func(relay string) (address, dir string) {
				port, dir := f.Run(t, fronttest.Place{Relay: relay})
				return fmt.Sprint("127.0.0.1:", port), dir
			}
			relay := newHost(t, true, func(c *Config) { c.Front = true })
			id, err := wire.NodeIDFromPeer(relay.ID())
			if err != nil {
				t.Fatal(err)
			}
			bare, _ := run("")
			before, dir := run(port(relay))
			away, _ := run(fmt.Sprint("127.0.0.1:", programtest.FreePort(t)))
			reach(t, relay, before)

			var asking sync.WaitGroup
			turns := make(chan struct{}, 40)
			for _, p := range frontProbes(id) {
				asking.Go(func() {
					turns <- struct{}{}
					defer func() { <-turns }()
					for what, at := range map[string]string{"with a relay": before, "with one that is away": away} {
						if want, got := alike(p, bare, at); got != want {
							t.Errorf("%s, %s: it answers\n%.2000q\nand without one\n%.2000q", what, p.name, got, want)
						}
					}
				})
			}
			asking.Wait()
			reach(t, relay, before)
			unlogged(t, dir, Path(id, time.Now()))
		})
	}
}

// alike returns the answers of two servers to a probe. On a busy machine one may be slow
// beyond the patience of a probe; what differs three times differs.
func alike(p probe, bare, at string) (want, got string) {
	for range 3 {
		want, got = withoutPort(dateless(p.answer(bare)), bare), withoutPort(dateless(p.answer(at)), at)
		if want == got {
			break
		}
	}
	return want, got
}

// withoutPort takes the port of a server out of its answer.
func withoutPort(answer, at string) string {
	_, port, _ := strings.Cut(at, ":")
	return strings.ReplaceAll(answer, ":"+port, ":…")
}

// reach connects to a relay over a front, also with a clock that is days off, from an address
// that is not the front's.
func reach(t *testing.T, relay host.Host, at string) {
	t.Helper()
	from := "127.0.0.1"
	if runtime.GOOS == "linux" {
		from = "127.40.0.9" // elsewhere there is but one
	}
	for _, off := range []time.Duration{0, 30 * day} {
		client := newHost(t, false, func(c *Config) {
			c.Now = func() time.Time { return time.Now().Add(off) }
			c.Dialer = &net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(from), 0))}
		})
		reachAs(t, client, relay, at, from)
	}
}

func reachAs(t *testing.T, client, relay host.Host, at, from string) {
	t.Helper()
	m, err := manet.FromNetAddr(net.TCPAddrFromAddrPort(netip.MustParseAddrPort(at)))
	if err != nil {
		t.Fatal(err)
	}
	client.Peerstore().AddAddrs(relay.ID(), []multiaddr.Multiaddr{m}, time.Hour)
	c, err := client.Network().DialPeer(t.Context(), relay.ID())
	if err != nil {
		t.Fatalf("the relay is not reached over its front by %s: %v", at, err)
	}
	data := bytes.Repeat([]byte("through"), 10_000)
	if got := said(t, client, relay, data); !bytes.Equal(got, data) {
		t.Errorf("over the front %d bytes came back as %d others", len(data), len(got))
	}
	for _, its := range relay.Network().ConnsToPeer(client.ID()) {
		if ip, err := manet.ToIP(its.RemoteMultiaddr()); err != nil || ip.String() != from {
			t.Errorf("the relay takes it for one at %s", its.RemoteMultiaddr())
		}
	}
	c.Close()
}

// unlogged holds that no link of a front was written down.
func unlogged(t *testing.T, dir, path string) {
	t.Helper()
	logs, _ := filepath.Glob(filepath.Join(dir, "*.log"))
	for _, file := range logs {
		text, err := os.ReadFile(file)
		if err != nil || bytes.Contains(text, []byte(path+"?s=")) && bytes.Contains(text, []byte(" 101 ")) {
			t.Errorf("%s has a link: %v", file, err)
		}
	}
}

// Whose a connection is stands in the last place, in whatever words; where it does not
// stand, there is no link.
func TestWhoAsks(t *testing.T) {
	for _, c := range []struct {
		says []string
		want string
	}{
		{[]string{"192.0.2.1"}, "192.0.2.1"}, {[]string{"2001:db8::1"}, "2001:db8::1"}, {[]string{" 192.0.2.1 "}, "192.0.2.1"},
		{[]string{"9.9.9.9, 192.0.2.1"}, "192.0.2.1"}, {[]string{"9.9.9.9", "8.8.8.8,192.0.2.1"}, "192.0.2.1"},
		{[]string{"::ffff:192.0.2.1"}, "192.0.2.1"}, {[]string{"fe80::1%eth0"}, "fe80::1"},
		{nil, ""}, {[]string{""}, ""}, {[]string{"192.0.2.1,"}, ""}, {[]string{"192.0.2.1:80"}, ""}, {[]string{"[2001:db8::1]"}, ""}, {[]string{"unknown"}, ""},
		{[]string{"0.0.0.0"}, ""}, {[]string{"::"}, ""}, {[]string{"224.0.0.1"}, ""}, {[]string{"192.0.2.1", "nonsense"}, ""}, {[]string{strings.Repeat("1", 100_000)}, ""},
	} {
		got, ok := whoAsks(http.Header{"X-Forwarded-For": c.says})
		if ok != (c.want != "") || ok && got.String() != c.want {
			t.Errorf("%.60q: %v %v", c.says, got, ok)
		}
	}
}

// A front that does not say who asks, or says nonsense, makes no link; nor does one that speaks TLS.
func TestFrontWithoutAddress(t *testing.T) {
	relay := newHost(t, true, func(c *Config) { c.Front = true })
	id, err := wire.NodeIDFromPeer(relay.ID())
	if err != nil {
		t.Fatal(err)
	}
	word := hide(append([]byte{0, 32, 9}, make([]byte, 31)...))
	for line, want := range map[string]string{"X-Forwarded-For: 192.0.2.1": "101", "X-Forwarded-For: me": "404", "X-Real-Ip: 192.0.2.1": "404"} {
		c, err := net.Dial("tcp", port(relay))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		c.SetDeadline(time.Now().Add(10 * time.Second))
		asked := string(Chromium.request("127.0.0.1:443", Path(id, time.Now())+"?s="+word, [16]byte{1}))
		fmt.Fprint(c, strings.TrimSuffix(asked, "\r\n")+line+"\r\n\r\n")
		answer := make([]byte, 12)
		if _, err := c.Read(answer); err != nil || !strings.HasSuffix(string(answer), want) {
			t.Errorf("%s: %q, %v", line, answer, err)
		}
	}
}
