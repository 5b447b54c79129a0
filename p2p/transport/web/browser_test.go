package web

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"flag"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/net/http2"

	"starling/p2p/p2ptest/programtest"
)

// A program is a browser that may be installed here.
type program struct {
	name  string // as in package browsers
	files []string
	start func(file, dir, url string) *exec.Cmd
	// resolver, if not nil, returns the argument that has a name lead to loopback.
	resolver func(name string) string
}

var programs = []program{
	{"chromium", []string{"chromium", "chromium-browser", "google-chrome"}, func(file, dir, url string) *exec.Cmd {
		return exec.Command(file, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
			"--disable-background-networking", "--ignore-certificate-errors", "--user-data-dir="+dir, url)
	}, func(name string) string { return "--host-resolver-rules=MAP " + name + " 127.0.0.1" }},
	{"firefox", []string{"firefox-esr", "firefox"}, func(file, dir, url string) *exec.Cmd {
		return exec.Command(file, "--headless", "--no-remote", "--profile", dir, url)
	}, nil},
}

// A meeting is a web server to which a browser opens a WebSocket.
type meeting struct {
	net.Listener
	cert tls.Certificate
	ca   []byte
	got  chan recording
}

// A recording is the first bytes of a browser's WebSocket.
type recording struct{ hello, request []byte }

// A heard connection remembers the bytes that came.
type heard struct {
	net.Conn
	mu  sync.Mutex
	all []byte
}

func (h *heard) Read(b []byte) (int, error) {
	n, err := h.Conn.Read(b)
	h.mu.Lock()
	h.all = append(h.all, b[:n]...)
	h.mu.Unlock()
	return n, err
}

func meet(t *testing.T) *meeting {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &meeting{Listener: l, got: make(chan recording, 8)}
	m.certify(t)
	go m.serve()
	t.Cleanup(func() { l.Close() })
	return m
}

// certify makes a certificate of an authority that Firefox can be told to trust.
func (m *meeting) certify(t *testing.T) {
	key := func() *ecdsa.PrivateKey {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	caKey, leafKey := key(), key()
	now := time.Now()
	ca := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "a test"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "127.0.0.1"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey)
	if err != nil {
		t.Fatal(err)
	}
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, ca, leafKey.Public(), caKey)
	if err != nil {
		t.Fatal(err)
	}
	m.ca = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER})
	m.cert = tls.Certificate{Certificate: [][]byte{leafDER}, PrivateKey: leafKey}
}

func (m *meeting) serve() {
	for {
		c, err := m.Accept()
		if err != nil {
			return
		}
		go m.hear(&heard{Conn: c})
	}
}

const page = `<script>new WebSocket("wss://"+location.host+"/path?s=1")</script>`

// hear serves a page that opens a WebSocket, and keeps what that begins with.
func (m *meeting) hear(c *heard) {
	defer c.Close()
	c.SetDeadline(time.Now().Add(20 * time.Second))
	tc := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{m.cert}, NextProtos: []string{"h2", "http/1.1"}, SessionTicketsDisabled: true})
	if tc.Handshake() != nil {
		return
	}
	if tc.ConnectionState().NegotiatedProtocol == "h2" {
		//lint:ignore SA1019 a connection is served whose bytes were heard
		new(http2.Server).ServeConn(tc, &http2.ServeConnOpts{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			io.WriteString(w, page)
		})})
		return
	}
	c.mu.Lock()
	raw := bytes.Clone(c.all)
	c.mu.Unlock()
	var request []byte
	buf := make([]byte, 4096)
	for !bytes.Contains(request, []byte("\r\n\r\n")) {
		n, err := tc.Read(buf)
		if err != nil {
			return
		}
		request = append(request, buf[:n]...)
	}
	if !bytes.Contains(bytes.ToLower(request), []byte("\r\nupgrade: websocket\r\n")) {
		fmt.Fprintf(tc, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(page), page)
		return
	}
	m.got <- recording{raw[:5+int(raw[3])<<8+int(raw[4])], request}
}

// record lets a browser open a WebSocket. It skips the test where there is none.
func record(t *testing.T, p program, site string) recording {
	t.Helper()
	file, dir := programtest.Find(t, p.files...), t.TempDir()
	m := meet(t)
	if p.name == "firefox" {
		trust(t, dir, m.ca)
	}
	at := m.Addr().String()
	if site != "" {
		_, port, _ := net.SplitHostPort(at)
		at = net.JoinHostPort(site, port)
	}
	cmd := p.start(file, dir, "https://"+at+"/")
	if site != "" {
		cmd.Args = slices.Insert(cmd.Args, 1, p.resolver(site))
	}
	cmd.Env = append(os.Environ(), "HOME="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // its helpers as well, which write to its folder
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		cmd.Wait()
	})
	select {
	case r := <-m.got:
		return r
	case <-time.After(60 * time.Second):
		t.Skipf("%s opened no WebSocket in a minute: it does not run here", p.name)
		return recording{}
	}
}

// trust makes a Firefox profile that trusts an authority.
func trust(t *testing.T, dir string, ca []byte) {
	if _, err := exec.LookPath("certutil"); err != nil {
		t.Skip("no certutil is installed (Debian's libnss3-tools), so that Firefox cannot be told to trust a test")
	}
	file := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(file, ca, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"-N", "-d", "sql:" + dir, "--empty-password"}, {"-A", "-d", "sql:" + dir, "-n", "test", "-t", "C,,", "-i", file}} {
		if out, err := exec.Command("certutil", args...).CombinedOutput(); err != nil {
			t.Fatalf("certutil: %v: %s", err, out)
		}
	}
}

var rewrite = flag.Bool("record", false, "record the browsers that are installed here anew")

// Each recording is what the browser that is installed here says today, but for what it
// draws anew each time.
func TestRecordings(t *testing.T) {
	for _, p := range programs {
		t.Run(p.name, func(t *testing.T) {
			live := record(t, p, "")
			if *rewrite {
				for what, data := range map[string][]byte{"hello": live.hello, "request": live.request} {
					if err := os.WriteFile(filepath.Join("browsers", p.name+"."+what), data, 0o644); err != nil {
						t.Fatal(err)
					}
				}
				return
			}

			b := browser(t, p.name)
			if was, is := agent(b.recorded("request")), agent(live.request); was != is {
				t.Skipf("recorded was %q, installed here is %q: record anew with -record", was, is)
			}
			if got, want := steady(t, ours(t, b, ""), b.shuffles), steady(t, live.hello, b.shuffles); got != want {
				t.Errorf("our hello:\n%s\nthat of %s:\n%s", got, p.name, want)
			}
			at := netip.MustParseAddrPort("127.0.0.1:443")
			if got, want := words(b.request(at.String(), "/x", [16]byte{})), words(live.request); got != want {
				t.Errorf("our request:\n%s\nthat of %s:\n%s", got, p.name, want)
			}

			if p.resolver == nil {
				return
			}
			const site = "relay.example.org"
			live = record(t, p, site)
			if got, want := steady(t, ours(t, b, site), b.shuffles), steady(t, live.hello, b.shuffles); got != want {
				t.Errorf("our hello with a name:\n%s\nthat of %s:\n%s", got, p.name, want)
			}
			if got, want := words(b.request(site+":443", "/x", [16]byte{})), words(live.request); got != want {
				t.Errorf("our request with a name:\n%s\nthat of %s:\n%s", got, p.name, want)
			}
		})
	}
}

// agent is the browser and version that a request names.
func agent(request []byte) string {
	for line := range strings.Lines(string(request)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.EqualFold(name, "User-Agent") {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// A hello of ours is the recorded one, but for what a browser draws anew each time; and
// what it draws anew is.
func TestHellos(t *testing.T) {
	for _, b := range Browsers() {
		first, second := ours(t, b, ""), ours(t, b, "")
		if want := steady(t, b.recorded("hello"), b.shuffles); steady(t, first, b.shuffles) != want || steady(t, second, b.shuffles) != want {
			t.Errorf("%s: ours:\n%s\nrecorded:\n%s", b, steady(t, first, b.shuffles), want)
		}
		if bytes.Equal(first, second) {
			t.Errorf("%s: the same hello twice", b)
		}
		if b.shuffles && steady(t, first, false) == steady(t, second, false) {
			t.Errorf("%s: the same order twice (one in 10^12 by chance)", b)
		}
	}
}

// A hello with another suite, an extension more or fewer, or another byte in one that no browser
// draws, is another hello: TestHellos and TestRecordings would say so.
func TestHellosDiffer(t *testing.T) {
	for _, b := range Browsers() {
		good := b.recorded("hello")
		want := steady(t, good, b.shuffles)
		spans := fixed(t, good)
		if len(spans) < 10 {
			t.Fatalf("%s: %d parts", b, len(spans))
		}
		for _, span := range spans {
			for _, at := range []int{span[0], span[1] - 1} {
				bad := bytes.Clone(good)
				bad[at] ^= 0x01
				if steady(t, bad, b.shuffles) == want {
					t.Errorf("%s: a change of byte %d, of %x, is not seen", b, at, good[span[0]:span[1]])
				}
			}
		}
	}
}

// fixed returns where in a hello the suites are, and the ids and contents of the extensions
// that are the same each time; no length of a list is in them.
func fixed(t *testing.T, record []byte) (spans [][2]int) {
	t.Helper()
	const random = 5 + 4 + 2 + 32 // record, message, version
	at := random + 1 + int(record[random])
	suites := int(record[at])<<8 | int(record[at+1])
	spans = append(spans, [2]int{at + 4, at + 2 + suites}) // behind GREASE, or the first
	at += 2 + suites
	at += 1 + int(record[at]) + 2
	for at < len(record) {
		id, n := uint16(record[at])<<8|uint16(record[at+1]), int(record[at+2])<<8|int(record[at+3])
		switch {
		case grease(id):
		case id == 51, id == 0xfe0d, id == 10, id == 13, id == 43: // drawn anew, or lists with GREASE
			spans = append(spans, [2]int{at + 1, at + 2})
		case n > 2:
			spans = append(spans, [2]int{at + 1, at + 2}, [2]int{at + 4 + 2, at + 4 + n})
		}
		at += 4 + n
	}
	return spans
}

func browser(t *testing.T, name string) Browser {
	for _, b := range Browsers() {
		if b.name == name {
			return b
		}
	}
	t.Fatalf("no browser %s", name)
	return Browser{}
}

// ours returns the first record that a client of ours sends.
func ours(t *testing.T, b Browser, site string) []byte {
	client, server := net.Pipe()
	defer client.Close()
	defer server.Close()
	u, err := b.client(client, site)
	if err != nil {
		t.Fatal(err)
	}
	go u.Handshake()
	head := make([]byte, 5)
	if _, err := io.ReadFull(server, head); err != nil {
		t.Fatal(err)
	}
	body := make([]byte, int(head[3])<<8+int(head[4]))
	if _, err := io.ReadFull(server, body); err != nil {
		t.Fatal(err)
	}
	return append(head, body...)
}

// words returns what is the same in every request of a browser, in its order.
func words(request []byte) string {
	var out []string
	for i, line := range strings.Split(string(request), "\r\n") {
		name, _, _ := strings.Cut(line, ": ")
		switch {
		case i == 0:
			line = "GET"
		case name == "Host" || name == "Origin" || name == "Sec-WebSocket-Key":
			line = name
		}
		out = append(out, strings.Replace(line, "Headless", "", 1))
	}
	return strings.Join(out, "\n")
}

// steady prints a hello without what a browser draws anew each time: random, session id,
// GREASE, keys, and the order of extensions if it shuffles.
func steady(t *testing.T, record []byte, shuffled bool) string {
	t.Helper()
	r := cryptobyte.String(record)
	var body, suites, extensions, session, compression cryptobyte.String
	var kind uint8
	var version, legacy uint16
	var length uint16
	if !r.ReadUint8(&kind) || !r.ReadUint16(&version) || !r.ReadUint16(&length) || !r.Skip(1) || !r.ReadUint24LengthPrefixed(&body) || !r.Empty() {
		t.Fatal("no hello")
	}
	if !body.ReadUint16(&legacy) || !body.Skip(32) || !body.ReadUint8LengthPrefixed(&session) || !body.ReadUint16LengthPrefixed(&suites) ||
		!body.ReadUint8LengthPrefixed(&compression) || !body.ReadUint16LengthPrefixed(&extensions) || !body.Empty() {
		t.Fatal("no hello")
	}
	out := []string{fmt.Sprintf("record %x, version %x, session of %d, compression %x, suites %x", version, legacy, len(session), compression, pairsOf(suites))}

	var all []string
	for !extensions.Empty() {
		var id uint16
		var data cryptobyte.String
		if !extensions.ReadUint16(&id) || !extensions.ReadUint16LengthPrefixed(&data) {
			t.Fatal("no extension")
		}
		all = append(all, extension(id, data))
	}
	if shuffled {
		slices.Sort(all)
	}
	return strings.Join(append(out, all...), "\n")
}

func extension(id uint16, data cryptobyte.String) string {
	name := fmt.Sprintf("%04x", id)
	switch {
	case grease(id):
		return fmt.Sprintf("grease %x", data)
	case id == 0xfe0d: // encrypted client hello, all of it GREASE: kind, a hash, and drawn ones
		return fmt.Sprintf("%s %x", name, data[:3])
	case id == 51: // key shares
		var list cryptobyte.String
		data.ReadUint16LengthPrefixed(&list)
		for !list.Empty() {
			var group uint16
			var key cryptobyte.String
			list.ReadUint16(&group)
			list.ReadUint16LengthPrefixed(&key)
			if grease(group) {
				group = 0x0a0a
			}
			name += fmt.Sprintf(" %04x of %d", group, len(key))
		}
		return name
	case id == 10 || id == 13: // groups and signatures
		return fmt.Sprintf("%s %x", name, pairsOf(data[2:]))
	case id == 43: // versions
		return fmt.Sprintf("%s %x", name, pairsOf(data[1:]))
	case id == 17613 || id == 17513: // application settings
		return fmt.Sprintf("%s %x", name, data)
	}
	return fmt.Sprintf("%s %x", name, data)
}

// pairsOf reads numbers of two bytes; those of GREASE become one.
func pairsOf(s cryptobyte.String) (all []uint16) {
	for !s.Empty() {
		var v uint16
		if !s.ReadUint16(&v) {
			return append(all, 0xffff)
		}
		if grease(v) {
			v = 0x0a0a
		}
		all = append(all, v)
	}
	return all
}

// grease reports whether a number is one of RFC 8701.
func grease(v uint16) bool { return v&0x0f0f == 0x0a0a && v>>8 == v&0xff }
