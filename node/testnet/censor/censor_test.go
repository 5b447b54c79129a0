package censor

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"
)

var hello = append([]byte{22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3}, bytes.Repeat([]byte{0x55}, 200)...)

// TestKindOf: first bytes of what a censor knows, and of what only looks like it.
func TestKindOf(t *testing.T) {
	for first, want := range map[string]Kind{
		string(hello):                          TLS,
		"\x16\x03\x03\x00\x7a\x02\x00\x00\x76": TLS,
		"\x15\x03\x03\x00\x02\x02\x28":         TLS,
		"\x16\x03\x03\xff\xff\x01":             Unknown,
		"\x16\x03\x03\x00\x10\x77":             Unknown,
		"\x17\x03\x03\x00\x10\x01":             Unknown,
		"\x16\x03":                             Unknown,
		"GET / HTTP/1.1\r\n":                   HTTP,
		"HTTP/1.1 200 OK\r\n":                  HTTP,
		"GOT / HTTP/1.1\r\n":                   Unknown,
		"\x13/multistream/1.0.0\n":             Unknown,
		"\x00\x1d\xab\xcd\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x07example": DNS,
		"\x00\x1d\xab\xcd\x01\x00\x00\x02\x00\x00\x00\x00\x00\x00\x07example": Unknown,
		"": Unknown,
	} {
		if got := KindOf([]byte(first)); got != want {
			t.Errorf("%q is %v, want %v", first, got, want)
		}
	}
}

// FuzzKindOf: nothing that begins a connection ends the censor.
func FuzzKindOf(f *testing.F) {
	f.Add(hello)
	f.Add([]byte("\x00\x1d\xab\xcd\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if k := KindOf(b); Random(b) && (k == TLS || k == HTTP) {
			t.Error("random, and a protocol")
		}
		(&scan{}).find(b)
	})
}

// TestScan: a word is found in any case, and cut in two.
func TestScan(t *testing.T) {
	for _, parts := range [][]string{{"abc LibP2P def"}, {"abc lib", "p2p"}, {"x", "y", "mul", "tistr", "eam"}, {"\x13/multistream/1.0.0\n"}, {"Noise_XX"}} {
		var s scan
		found := ""
		for _, p := range parts {
			found += s.find([]byte(p))
		}
		if found == "" {
			t.Errorf("%q: nothing was found", parts)
		}
	}
	var s scan
	if w := s.find(bytes.Repeat([]byte("lib p2p star ling "), 500)); w != "" {
		t.Errorf("%q was found", w)
	}
}

// TestRandom: random bytes are taken for that, and each rule lets others through.
func TestRandom(t *testing.T) {
	caught := 0
	for range 200 {
		b := make([]byte, 300)
		rand.Read(b)
		b[0] = 0x80 // no printed beginning
		if Random(b) {
			caught++
		}
	}
	if caught < 190 {
		t.Errorf("%d of 200 were caught", caught)
	}
	noise := make([]byte, 100)
	rand.Read(noise)
	for name, b := range map[string][]byte{
		"few ones":      make([]byte, 100),
		"many ones":     bytes.Repeat([]byte{0xff}, 100),
		"printed first": append([]byte("abcdef"), noise...),
		"half of it":    append([]byte{0x80}, bytes.Repeat([]byte("a\x97b"), 50)...),
		"a run":         append(append([]byte{0x80}, noise...), "abcdefghijklmnopqrstu"...),
		"TLS":           hello,
		"HTTP":          []byte("GET / HTTP/1.1\r\n\r\n"),
		"nothing":       nil,
	} {
		if Random(b) {
			t.Errorf("%s was taken for random bytes", name)
		}
	}
}

// through leads connections to a server over a censor and returns its address.
func through(t *testing.T, c *Censor, to string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	far := netip.MustParseAddrPort(to)
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.Serve(l, func(net.Conn) (netip.AddrPort, error) { return far, nil }, func(ctx context.Context, a netip.AddrPort) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", a.String())
		})
	}()
	t.Cleanup(func() { l.Close(); <-done; c.Close() })
	return l.Addr().String()
}

// echo answers every connection with its own bytes.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); io.Copy(c, c) }()
		}
	}()
	return l.Addr().String()
}

// say sends bytes and returns what comes back, "" after a reset.
func say(t *testing.T, to string, b []byte) string {
	t.Helper()
	c, err := net.Dial("tcp", to)
	if err != nil {
		return ""
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(5 * time.Second))
	if _, err := c.Write(b); err != nil {
		return ""
	}
	c.(*net.TCPConn).CloseWrite()
	got, err := io.ReadAll(c)
	if err != nil {
		return ""
	}
	return string(got)
}

// TestProxy: without rules all passes; with them what they are against is cut, and all else passes.
func TestProxy(t *testing.T) {
	noise := append([]byte{0x80}, make([]byte, 300)...)
	for rand.Read(noise[1:]); !Random(noise); rand.Read(noise[1:]) {
	}
	all := map[string][]byte{"noise": noise, "multistream": []byte("\x13/multistream/1.0.0\n"), "HTTP": []byte("GET / HTTP/1.1\r\n\r\n"), "TLS": hello,
		"a marked hello": append(bytes.Clone(hello), "starling"...), "SSH": []byte("SSH-2.0-OpenSSH_9.2p1\r\n")}
	for name, tt := range map[string]struct {
		rules Rules
		cut   string
	}{
		"none":    {Rules{}, ""},
		"strings": {Rules{Strings: true}, "noise, multistream, a marked hello, SSH"},
		"entropy": {Rules{Entropy: true}, "noise"},
	} {
		for what, b := range all {
			c := New()
			c.Set(tt.rules)
			way := through(t, c, echo(t))
			cut := strings.Contains(tt.cut, what)
			if got := say(t, way, b); (got != string(b)) != cut {
				t.Errorf("%s: of %s came %q", name, what, got)
			}
			d := c.Deeds()
			if d.Read != 1 || d.Bytes == 0 || (len(d.Cut) > 0) != cut {
				t.Errorf("%s: %s: %+v", name, what, d)
			}
			if name == "entropy" && cut && say(t, way, []byte("GET / HTTP/1.1\r\n\r\n")) != "" {
				t.Error("the address is not cut off after random bytes")
			}
		}
	}
}

// TestInspect: a web server is let live, and what is none is not.
func TestInspect(t *testing.T) {
	site := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	site.StartTLS()
	defer site.Close()
	dial := func(to string) Dial {
		return func(ctx context.Context) (net.Conn, error) { return (&net.Dialer{}).DialContext(ctx, "tcp", to) }
	}
	hello := record(t)
	if asked, verdict := Inspect(t.Context(), dial(site.Listener.Addr().String()), hello); verdict != "" || asked != len(probes(hello)) {
		t.Errorf("a web server: %d probes, %q", asked, verdict)
	}
	if _, verdict := Inspect(t.Context(), dial(echo(t)), []byte("\x13/multistream/1.0.0\n")); verdict != "no TLS" {
		t.Errorf("an echo: %q", verdict)
	}
	if asked, verdict := Inspect(t.Context(), dial("127.0.0.1:1"), nil); verdict != "" || asked != 1 {
		t.Errorf("nobody: %d, %q", asked, verdict)
	}

	// One that changes to frames wherever it is asked.
	eager := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			w.Header().Set("Upgrade", "websocket")
			w.Header().Set("Connection", "Upgrade")
			w.WriteHeader(http.StatusSwitchingProtocols)
		}
	}))
	eager.StartTLS()
	defer eager.Close()
	if _, verdict := Inspect(t.Context(), dial(eager.Listener.Addr().String()), hello); !strings.HasPrefix(verdict, "upgrade") {
		t.Errorf("an eager server: %q", verdict)
	}
}

// record returns a hello of a client, as it is recorded from the line.
func record(t *testing.T) []byte {
	t.Helper()
	near, far := net.Pipe()
	go tls.Client(near, &tls.Config{InsecureSkipVerify: true}).Handshake()
	b := make([]byte, 4096)
	n, err := far.Read(b)
	if err != nil || KindOf(b[:n]) != TLS {
		t.Fatalf("%v, %d bytes", err, n)
	}
	near.Close()
	return b[:n]
}
