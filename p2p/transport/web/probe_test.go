package web

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"starling/p2p/p2ptest/programtest"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// A probe is what a censor sends to see what a server is.
type probe struct {
	name  string
	bare  bool // without TLS
	tls   *tls.Config
	parts []string // sent with a pause before each but the first
	h2    []hpack.HeaderField
}

const (
	quietTime = slowness * 400 * time.Millisecond // after which a server that says nothing has said all
	pause     = slowness * 700 * time.Millisecond
)

func request(lines ...string) []string { return []string{strings.Join(lines, "\r\n") + "\r\n\r\n"} }

func h2(method, path string, more ...hpack.HeaderField) []hpack.HeaderField {
	return append([]hpack.HeaderField{{Name: ":method", Value: method}, {Name: ":path", Value: path}, {Name: ":scheme", Value: "https"}, {Name: ":authority", Value: "127.0.0.1"}}, more...)
}

// probes is the list. Every new one is recorded by go test -run TestProbes -record.
func probes() []probe {
	upgrade := []string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: 2e+X9gKqsFVSj49CCkLVsw=="}
	get := request("GET / HTTP/1.1", "Host: 127.0.0.1")
	return []probe{
		{name: "get", parts: get},
		{name: "another host", parts: request("GET / HTTP/1.1", "Host: example.org")},
		{name: "file", parts: request("GET /favicon.ico HTTP/1.1", "Host: 127.0.0.1")},
		{name: "HTTP/1.0", parts: request("GET / HTTP/1.0")},
		{name: "HTTP/1.0 kept alive", parts: request("GET / HTTP/1.0", "Connection: keep-alive")},
		{name: "HTTP/0.9", parts: []string{"GET /\r\n"}},
		{name: "HTTP/2.0 in words", parts: request("GET / HTTP/2.0", "Host: 127.0.0.1")},
		{name: "HTTP/3.7", parts: request("GET / HTTP/3.7", "Host: 127.0.0.1")},
		{name: "no host", parts: request("GET / HTTP/1.1")},
		{name: "two hosts", parts: request("GET / HTTP/1.1", "Host: a", "Host: b")},
		{name: "bad host", parts: request("GET / HTTP/1.1", "Host: a b")},
		{name: "head", parts: request("HEAD / HTTP/1.1", "Host: 127.0.0.1")},
		{name: "post", parts: []string{"POST /a HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 3\r\n\r\nabc"}},
		{name: "post in chunks", parts: []string{"POST /a HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"}},
		{name: "options of all", parts: request("OPTIONS * HTTP/1.1", "Host: 127.0.0.1")},
		{name: "trace", parts: request("TRACE / HTTP/1.1", "Host: 127.0.0.1")},
		{name: "connect", parts: request("CONNECT example.org:443 HTTP/1.1", "Host: example.org:443")},
		{name: "unknown method", parts: request("FOO / HTTP/1.1", "Host: 127.0.0.1")},
		{name: "bad method", parts: request("F@O / HTTP/1.1", "Host: 127.0.0.1")},
		{name: "whole URL", parts: request("GET http://example.org/ HTTP/1.1", "Host: example.org")},
		{name: "way up", parts: request("GET /../../etc/passwd HTTP/1.1", "Host: 127.0.0.1")},
		{name: "bad escape", parts: request("GET /%zz HTTP/1.1", "Host: 127.0.0.1")},
		{name: "unknown encoding", parts: request("POST / HTTP/1.1", "Host: 127.0.0.1", "Transfer-Encoding: foo")},
		{name: "bad length", parts: request("POST / HTTP/1.1", "Host: 127.0.0.1", "Content-Length: x")},
		{name: "bad header", parts: request("GET / HTTP/1.1", "Host: 127.0.0.1", "A b: 1")},
		{name: "header without colon", parts: request("GET / HTTP/1.1", "Host: 127.0.0.1", "abc")},
		{name: "folded header", parts: request("GET / HTTP/1.1", "Host: 127.0.0.1", "A: b", " c")},
		{name: "zero in a header", parts: request("GET / HTTP/1.1", "Host: 127.0.0.1", "A: b\x00")},
		{name: "unknown expectation", parts: request("GET / HTTP/1.1", "Host: 127.0.0.1", "Expect: foo")},
		{name: "continue", parts: request("POST / HTTP/1.1", "Host: 127.0.0.1", "Expect: 100-continue", "Content-Length: 3")},
		{name: "close", parts: request("GET / HTTP/1.1", "Host: 127.0.0.1", "Connection: close")},
		{name: "long header", parts: request("GET / HTTP/1.1", "Host: 127.0.0.1", "A: "+strings.Repeat("a", 100_000))},
		{name: "huge header", parts: request("GET / HTTP/1.1", "Host: 127.0.0.1", "A: "+strings.Repeat("a", 2_000_000))},
		{name: "many headers", parts: request(append([]string{"GET / HTTP/1.1", "Host: 127.0.0.1"}, strings.Split(strings.Repeat("A: b\n", 5000)+"B: c", "\n")...)...)},
		{name: "long path", parts: request("GET /"+strings.Repeat("a", 50_000)+" HTTP/1.1", "Host: 127.0.0.1")},
		{name: "two at once", parts: []string{get[0] + get[0]}},
		{name: "slow", parts: []string{"GET / HT", "TP/1.1\r\nHost: 127.", "0.0.1\r\n\r\n"}},
		{name: "half", parts: []string{"GET / HT"}},
		{name: "silent", parts: []string{""}},
		{name: "garbage", parts: []string{"\x00\x01\x02garbage\r\n\r\n"}},
		{name: "random bytes", parts: []string{"\xfa\x13\x88\x91\x02\x0c\xe1\x0a\x0d\x77\xff\x0a\x0a"}},
		{name: "SSH", parts: []string{"SSH-2.0-OpenSSH_9.2p1\r\n"}},
		{name: "multistream", parts: []string{"\x13/multistream/1.0.0\n"}},
		{name: "SOCKS", parts: []string{"\x05\x01\x00"}},
		{name: "start of HTTP/2 on 1.1", parts: []string{"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"}},
		{name: "upgrade to h2c", parts: request("GET / HTTP/1.1", "Host: 127.0.0.1", "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA")},
		{name: "WebSocket on a wrong path", parts: request(append([]string{"GET /AAAAAAAAAAAAAAAAAAAAAA?s=IgAg HTTP/1.1", "Host: 127.0.0.1"}, upgrade...)...)},
		{name: "WebSocket on /", parts: request(append([]string{"GET / HTTP/1.1", "Host: 127.0.0.1"}, upgrade...)...)},
		{name: "WebSocket and a frame", parts: []string{request(append([]string{"GET / HTTP/1.1", "Host: 127.0.0.1"}, upgrade...)...)[0], "\x82\x80\x01\x02\x03\x04"}},

		{name: "HTTP without TLS", bare: true, parts: get},
		{name: "garbage without TLS", bare: true, parts: []string{"\x00\x01\x02garbage\r\n\r\n"}},
		{name: "SSH without TLS", bare: true, parts: []string{"SSH-2.0-OpenSSH_9.2p1\r\n"}},
		{name: "multistream without TLS", bare: true, parts: []string{"\x13/multistream/1.0.0\n"}},
		{name: "silent without TLS", bare: true, parts: []string{""}},
		{name: "half a hello", bare: true, parts: []string{"\x16\x03\x01\x02\x00\x01\x00\x01\xfc"}},
		{name: "TLS record of garbage", bare: true, parts: []string{"\x16\x03\x01\x00\x05abcde"}},

		{name: "hello with a name", tls: &tls.Config{ServerName: "example.org"}, parts: get},
		{name: "TLS 1.2", tls: &tls.Config{MaxVersion: tls.VersionTLS12}, parts: get},
		{name: "TLS 1.2 with ChaCha20 alone", tls: &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256}}, parts: get},
		{name: "TLS 1.2 with CBC alone", tls: &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}}, parts: get},
		{name: "TLS 1.1", tls: &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, parts: get},
		{name: "P-256 alone", tls: &tls.Config{CurvePreferences: []tls.CurveID{tls.CurveP256}}, parts: get},
		{name: "P-521 alone", tls: &tls.Config{CurvePreferences: []tls.CurveID{tls.CurveP521}}, parts: get},
		{name: "ML-KEM alone", tls: &tls.Config{CurvePreferences: []tls.CurveID{tls.X25519MLKEM768}}, parts: get},
		{name: "ALPN http/1.1", tls: &tls.Config{NextProtos: []string{"http/1.1"}}, parts: get},
		{name: "ALPN unknown", tls: &tls.Config{NextProtos: []string{"libp2p"}}, parts: get},

		{name: "h2", tls: &tls.Config{NextProtos: []string{"h2", "http/1.1"}}, h2: h2("GET", "/")},
		{name: "h2 head", tls: &tls.Config{NextProtos: []string{"h2"}}, h2: h2("HEAD", "/a")},
		{name: "h2 post", tls: &tls.Config{NextProtos: []string{"h2"}}, h2: h2("POST", "/a")},
		{name: "h2 WebSocket", tls: &tls.Config{NextProtos: []string{"h2"}}, h2: h2("CONNECT", "/", hpack.HeaderField{Name: ":protocol", Value: "websocket"})},
		{name: "h2 bad header", tls: &tls.Config{NextProtos: []string{"h2"}}, h2: h2("GET", "/", hpack.HeaderField{Name: "A", Value: "b"})},
	}
}

// answer sends a probe and returns what comes back, without dates.
func (p probe) answer(address string) string {
	c, err := net.Dial("tcp", address)
	if err != nil {
		return err.Error()
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	told := ""
	if !p.bare {
		cfg := &tls.Config{}
		if p.tls != nil {
			cfg = p.tls.Clone()
		}
		cfg.InsecureSkipVerify = true
		tc := tls.Client(c, cfg)
		if err := tc.Handshake(); err != nil {
			return "TLS: " + err.Error()
		}
		c = tc
		if p.tls != nil {
			told = shape(tc.ConnectionState())
		}
	}
	if p.h2 != nil {
		return told + frames(c, p.h2)
	}

	for i, part := range p.parts {
		if i > 0 {
			time.Sleep(pause)
		}
		if _, err := io.WriteString(c, part); err != nil {
			break // it may have hung up before the end of a huge request
		}
	}
	var got bytes.Buffer
	buf := make([]byte, 64<<10)
	for {
		c.SetReadDeadline(time.Now().Add(quietTime))
		n, err := c.Read(buf)
		got.Write(buf[:n])
		if err != nil {
			end := "and hangs up"
			if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
				end = "and waits"
			}
			return told + dateless(got.String()) + end
		}
	}
}

var date = regexp.MustCompile(`(?i)(date: )[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} [0-9:]{8} GMT`)

func dateless(s string) string { return date.ReplaceAllString(s, "${1}…") }

// shape says what a TLS server chose, and what certificates it has.
func shape(s tls.ConnectionState) string {
	out := fmt.Sprintf("%s, %s, %s, ALPN %q\n", tls.VersionName(s.Version), tls.CipherSuiteName(s.CipherSuite), s.CurveID, s.NegotiatedProtocol)
	for _, c := range s.PeerCertificates {
		var kinds []string
		for _, e := range c.Extensions {
			kinds = append(kinds, fmt.Sprintf("%s %t", e.Id, e.Critical))
		}
		issuer := regexp.MustCompile(`\d{4}`).ReplaceAllString(c.Issuer.String(), "…")
		out += fmt.Sprintf("certificate of %q by %q for %v, names %v addresses %v, %s, extensions %v, usage %v %v\n",
			c.Subject, issuer, c.NotAfter.Sub(c.NotBefore), c.DNSNames, c.IPAddresses, c.SignatureAlgorithm, kinds, c.KeyUsage, c.ExtKeyUsage)
	}
	return out
}

// frames makes one request of HTTP/2 and returns the frames of the answer.
func frames(c net.Conn, fields []hpack.HeaderField) string {
	io.WriteString(c, http2.ClientPreface)
	f := http2.NewFramer(c, c)
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	f.WriteSettings()
	var block bytes.Buffer
	e := hpack.NewEncoder(&block)
	for _, h := range fields {
		e.WriteField(h)
	}
	f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block.Bytes(), EndStream: true, EndHeaders: true})
	var out, whole []string // those of the whole connection come in any order
	for {
		c.SetReadDeadline(time.Now().Add(quietTime))
		frame, err := f.ReadFrame()
		if err != nil {
			slices.Sort(whole)
			return strings.Join(append(whole, out...), "\n")
		}
		switch frame := frame.(type) {
		case *http2.MetaHeadersFrame:
			out = append(out, fmt.Sprintf("headers, end %t", frame.StreamEnded()))
			for _, h := range frame.Fields {
				out = append(out, dateless(h.Name+": "+h.Value))
			}
		case *http2.SettingsFrame:
			line := "settings"
			frame.ForeachSetting(func(s http2.Setting) error { line += " " + s.String(); return nil })
			whole = append(whole, line)
		case *http2.WindowUpdateFrame:
			whole = append(whole, fmt.Sprintf("window of %d and %d more", frame.StreamID, frame.Increment))
		case *http2.GoAwayFrame:
			out = append(out, "go away "+frame.ErrCode.String())
		case *http2.RSTStreamFrame:
			out = append(out, "reset "+frame.ErrCode.String())
		default:
			out = append(out, fmt.Sprintf("%s of %d", frame.Header().Type, frame.Header().Length))
		}
	}
}

const caddyFile = "testdata/caddy.json"

// differs are probes whose answers are not Caddy's, and why.
var differs = map[string]string{
	"zero in a header": "the parser of Go 1.26 refuses it before the server can say what is wrong",
}

// Who does not know the path finds Caddy with an empty site. What that answers is
// recorded.
func TestProbes(t *testing.T) {
	if *rewrite {
		t.Skip("the recording is made by TestCaddy")
	}
	data, err := os.ReadFile(caddyFile)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	address := port(newHost(t, true, nil))
	for _, p := range probes() {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			w, ok := want[p.name]
			if !ok {
				t.Fatal("it is not recorded")
			}
			if why, ok := differs[p.name]; ok {
				t.Skip(why)
			}
			if got := p.answer(address); got != w {
				t.Errorf("we answer\n%q\nCaddy answers\n%q", got, w)
			}
		})
	}
}

// The recording is what the Caddy that is installed here answers today.
func TestCaddy(t *testing.T) {
	address := caddy(t)
	recorded := map[string]string{}
	if data, err := os.ReadFile(caddyFile); err == nil {
		json.Unmarshal(data, &recorded)
	}
	got := map[string]string{}
	var mu sync.Mutex
	var asking sync.WaitGroup
	for _, p := range probes() {
		asking.Go(func() {
			answer := p.answer(address)
			mu.Lock()
			defer mu.Unlock()
			got[p.name] = answer
		})
	}
	asking.Wait()
	for _, p := range probes() {
		if recorded[p.name] != got[p.name] && !*rewrite {
			t.Errorf("%s: Caddy answers\n%q\nand it is recorded that it answers\n%q", p.name, got[p.name], recorded[p.name])
		}
	}
	if *rewrite {
		data, err := json.MarshalIndent(got, "", "\t")
		if err != nil {
			t.Fatal(err)
		}
		os.MkdirAll("testdata", 0o755)
		if err := os.WriteFile(caddyFile, append(data, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// caddy starts Debian's Caddy with an HTTPS site, an empty one without directives, or skips
// the test.
func caddy(t *testing.T, directives ...string) (address string) {
	t.Helper()
	file := programtest.Find(t, "caddy")
	if version, _ := exec.Command(file, "version").Output(); !bytes.HasPrefix(version, []byte("2.6.")) && !bytes.HasPrefix(version, []byte("v2.6.")) {
		t.Skipf("this Caddy is %s and not 2.6, that of Debian 12", bytes.TrimSpace(version))
	}
	at, dir := programtest.FreePort(t), t.TempDir()
	address = fmt.Sprint("127.0.0.1:", at)
	catchAll := ""
	if len(directives) > 0 {
		catchAll = fmt.Sprint(", https://:", at) // the site is there under any name
	}
	config := "{\n\tadmin off\n\tauto_https disable_redirects\n\tskip_install_trust\n\tservers {\n\t\tprotocols h1 h2\n\t}\n}\nhttps://" + address + catchAll + " {\n\ttls internal\n\t" + strings.Join(directives, "\n\t") + "\n}\n"
	if err := os.WriteFile(filepath.Join(dir, "Caddyfile"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(file, "run", "--config", filepath.Join(dir, "Caddyfile"), "--adapter", "caddyfile")
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	programtest.Start(t, cmd).Serves(t, address)
	return address
}
