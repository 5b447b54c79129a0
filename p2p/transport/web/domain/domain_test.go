package domain

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/acme"

	"starling/p2p/transport/web/domain/pebbletest"
)

const name = "relay.example.org"

// serve answers TLS with the certificates of a domain, as a relay does.
func serve(t *testing.T, now func() *Domain) int {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		NextProtos: []string{"http/1.1", acme.ALPNProto},
		GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
			c, err := now().Certificate(h)
			if c == nil && err == nil {
				err = errNoChallenge
			}
			return c, err
		},
	})
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
			go func() {
				c.(*tls.Conn).Handshake()
				c.Close()
			}()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

// life runs a domain until the end of the test.
func life(t *testing.T, cfg Config) *Domain {
	t.Helper()
	d, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { d.Run(ctx); close(ended) }()
	t.Cleanup(func() { cancel(); <-ended })
	return d
}

func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !done(); time.Sleep(20 * time.Millisecond) { // polls a real condition
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// A clock is one that a test sets forward.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

// A certificate is got from an authority, kept, used again at the next start without asking, and
// renewed in its last third.
func TestPebble(t *testing.T) {
	var current atomic.Pointer[Domain]
	port := serve(t, current.Load)
	authority := pebbletest.Start(t, port)
	dir, c := filepath.Join(t.TempDir(), "acme"), new(clock)
	cfg := Config{Name: name, Dir: dir, Directory: authority.Directory, Roots: authority.Pool, Now: c.now}
	d, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	current.Store(d)
	running, stop := context.WithCancel(t.Context())
	go d.Run(running)
	eventually(t, "a certificate", func() bool { return !d.State().Until.IsZero() })
	stop()
	first := d.State()
	if first.Fault != nil || !first.Again.IsZero() {
		t.Errorf("%+v", first)
	}
	for _, server := range []string{name, strings.ToUpper(name), ""} {
		conn, err := tls.Dial("tcp", fmt.Sprint("127.0.0.1:", port), &tls.Config{ServerName: server, InsecureSkipVerify: true})
		if err != nil {
			t.Fatalf("%q: %v", server, err)
		}
		if certs := conn.ConnectionState().PeerCertificates; certs[0].VerifyHostname(name) != nil || len(certs) < 2 {
			t.Errorf("%q: %d certificates, the first for %v", server, len(certs), certs[0].DNSNames)
		}
		conn.Close()
	}
	for _, wrong := range []*tls.Config{{ServerName: "other.example.org"}, {ServerName: name, NextProtos: []string{acme.ALPNProto}}, {NextProtos: []string{acme.ALPNProto}}} {
		wrong.InsecureSkipVerify = true
		if conn, err := tls.Dial("tcp", fmt.Sprint("127.0.0.1:", port), wrong); err == nil {
			conn.Close()
			t.Errorf("%q, %q: a certificate", wrong.ServerName, wrong.NextProtos)
		}
	}
	for _, file := range []string{accountFile, certificateFile} {
		if info, err := os.Stat(filepath.Join(dir, file)); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", file, info, err)
		}
	}

	d = life(t, cfg)
	current.Store(d)
	if s := d.State(); !s.Until.Equal(first.Until) {
		t.Errorf("after a restart until %v, before it %v", s.Until, first.Until)
	}
	c.ahead.Store(int64(time.Until(first.Until) - time.Hour))
	d.Again() // so that it looks at the clock
	eventually(t, "a renewed certificate", func() bool { return d.State().Until.After(first.Until) })
}

// A machine whose clock is ahead by months gets certificates that look old at once. It uses what
// it gets, says why it is none the better for it, and does not order the next one at once.
func TestClockAhead(t *testing.T) {
	var current atomic.Pointer[Domain]
	authority := pebbletest.Start(t, serve(t, current.Load))
	c := new(clock)
	c.ahead.Store(int64(20 * 365 * 24 * time.Hour))
	d, err := New(Config{Name: name, Dir: t.TempDir(), Directory: authority.Directory, Roots: authority.Pool, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	current.Store(d)
	d.attempt(t.Context())
	if s := d.State(); s.Until.IsZero() || s.Fault == nil || !strings.Contains(s.Fault.Remedy, "clock") {
		t.Fatalf("%+v, %+v", s, s.Fault)
	}
	if wait := d.wait(); wait <= firstAgain-time.Minute || wait > firstAgain {
		t.Errorf("the next order is in %v, want %v", wait, firstAgain)
	}
}

// An authority of a test, which need not keep to its rules.
type authority struct {
	*httptest.Server
	pool   *x509.CertPool
	orders atomic.Int32
	mu     sync.Mutex
	order  http.HandlerFunc
	authz  http.HandlerFunc
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{pool: x509.NewCertPool()}
	mux := http.NewServeMux()
	a.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Replay-Nonce", fmt.Sprint(time.Now().UnixNano()))
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(a.Close)
	a.pool.AddCert(a.Certificate())
	mux.HandleFunc("/dir", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"newNonce":"%[1]s/nonce","newAccount":"%[1]s/account","newOrder":"%[1]s/order","revokeCert":"%[1]s/r","keyChange":"%[1]s/k"}`, a.URL)
	})
	mux.HandleFunc("/nonce", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/account", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", a.URL+"/account/1")
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `{"status":"valid"}`)
	})
	mux.HandleFunc("/order", func(w http.ResponseWriter, r *http.Request) {
		a.orders.Add(1)
		a.mu.Lock()
		f := a.order
		a.mu.Unlock()
		f(w, r)
	})
	mux.HandleFunc("/authz", func(w http.ResponseWriter, r *http.Request) { a.authz(w, r) })
	return a
}

func problem(status int, kind, detail string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(map[string]string{"type": "urn:ietf:params:acme:error:" + kind, "detail": detail})
	}
}

func (a *authority) pending(challenge string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", a.URL+"/order/1")
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, `{"status":"pending","authorizations":["%s/authz"],"finalize":"%s/f"}`, a.URL, a.URL)
		a.authz = func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, challenge) }
	}
}

// Each way in which an authority fails us has words and a remedy; the next attempt waits
// as long as the authority says, or longer and longer, also over a restart; and the certificate
// that there is stays in use.
func TestFaults(t *testing.T) {
	a := newAuthority(t)
	for what, c := range map[string]struct {
		order       http.HandlerFunc
		why, remedy string
		wait        time.Duration
	}{
		"too many":        {problem(429, "rateLimited", "too many certificates", "Retry-After", "7200"), "too many certificates", "wait", 2 * time.Hour},
		"too many, ever":  {problem(429, "rateLimited", "no", "Retry-After", "99999999"), "no", "wait", longestAgain},
		"too many, soon":  {problem(429, "rateLimited", "no", "Retry-After", "1"), "no", "wait", firstAgain},
		"too many, vague": {problem(429, "rateLimited", "no"), "no", "wait", firstAgain},
		"rejected":        {problem(403, "rejectedIdentifier", "policy \x1b[31m forbids"), "policy  [31m forbids", "another name", firstAgain},
		"unknown problem": {problem(403, "", ""), "403", "read what", firstAgain},
		"no words":        {problem(400, "malformed", strings.Repeat("x", 100_000)), strings.Repeat("x", maxWords) + " ...", "read what", firstAgain},
		"no order":        {func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "<html>captive") }, "", "", firstAgain},
		"no name":         {a.pending(`{"status":"invalid","identifier":{"type":"dns","value":"relay.example.org"},"challenges":[{"type":"tls-alpn-01","status":"invalid","url":"x","token":"t","error":{"type":"urn:ietf:params:acme:error:dns","detail":"NXDOMAIN"}}]}`), "NXDOMAIN", "A record", firstAgain},
		"another way":     {a.pending(`{"status":"pending","identifier":{"type":"dns","value":"relay.example.org"},"challenges":[{"type":"http-01","status":"pending","url":"x","token":"t"}]}`), "tls-alpn-01", "--acme-directory", firstAgain},
	} {
		t.Run(what, func(t *testing.T) {
			a.order = c.order
			c0 := new(clock)
			cfg := Config{Name: name, Dir: t.TempDir(), Directory: a.URL + "/dir", Roots: a.pool, Now: c0.now}
			kept(t, cfg.Dir, -time.Hour)
			d, err := New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			d.attempt(t.Context())
			s := d.State()
			if s.Fault == nil || !strings.Contains(s.Fault.Why, c.why) || !strings.Contains(s.Fault.Remedy, c.remedy) || s.Fault.Remedy == "" {
				t.Fatalf("%+v", s.Fault)
			}
			if wait := s.Again.Sub(began); wait < c.wait || wait > c.wait+time.Minute {
				t.Errorf("the next attempt is in %v, want %v", wait, c.wait)
			}
			if s.Until.IsZero() {
				t.Error("the old certificate is in use no more")
			}

			again, err := New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			if wait := again.wait(); wait < c.wait-time.Minute || wait > c.wait+time.Minute {
				t.Errorf("after a restart the next attempt is in %v, want %v", wait, c.wait)
			}
			c0.ahead.Store(int64(2 * time.Minute))
			again.hurry()
			if limited, waits := c.wait > firstAgain, again.wait() > 0; limited != waits {
				t.Errorf("the owner asks for an attempt; the authority limits %v, it waits %v", limited, waits)
			}
		})
	}
}

// Attempts that fail come ever more rarely.
func TestBackoff(t *testing.T) {
	a := newAuthority(t)
	a.order = problem(403, "unauthorized", "another server answers")
	c := new(clock)
	d, err := New(Config{Name: name, Dir: t.TempDir(), Directory: a.URL + "/dir", Roots: a.pool, Now: c.now})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		d.attempt(t.Context())
		want := min(firstAgain<<i, lastAgain)
		wait := d.wait()
		if wait > want || wait < want-time.Minute {
			t.Errorf("after %d failures %v, want %v", i+1, wait, want)
		}
		c.ahead.Add(int64(wait))
	}
}

// Whatever names and protocols strangers say, nobody is asked for anything.
func TestStrangersOrderNothing(t *testing.T) {
	a := newAuthority(t)
	a.order = problem(403, "unauthorized", "no")
	d := life(t, Config{Name: name, Dir: t.TempDir(), Directory: a.URL + "/dir", Roots: a.pool})
	eventually(t, "the first order", func() bool { return d.State().Fault != nil })
	for i := range 1000 {
		for _, h := range []*tls.ClientHelloInfo{
			{ServerName: fmt.Sprintf("x%d.example.org", i)}, {ServerName: name}, {}, {ServerName: name, SupportedProtos: []string{acme.ALPNProto}},
			{ServerName: name + ".", SupportedProtos: []string{acme.ALPNProto}}, {ServerName: strings.Repeat("a.", i), SupportedProtos: []string{"h2", acme.ALPNProto}},
		} {
			if c, err := d.Certificate(h); c != nil || err != nil && err != errNoChallenge {
				t.Fatalf("%+v: %v, %v", h, c, err)
			}
		}
		d.Again()
	}
	if n := a.orders.Load(); n != 1 {
		t.Errorf("%d orders", n)
	}
}

// An authority that is not there, says nothing, or cannot be believed is a fault in words.
func TestNoAuthority(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "https://" + l.Addr().String() + "/dir"
	l.Close()
	other := newAuthority(t)
	for what, cfg := range map[string]Config{
		"refused": {Directory: closed}, "not believed": {Directory: other.URL + "/dir"}, "nothing there": {Directory: other.URL + "/none", Roots: other.pool},
	} {
		cfg.Name, cfg.Dir = name, t.TempDir()
		d, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		d.attempt(ctx)
		cancel()
		if s := d.State(); s.Fault == nil || s.Fault.Why == "" || s.Fault.Remedy == "" {
			t.Errorf("%s: %+v", what, s)
		}
	}
}

// kept puts a certificate into a folder that ends so long from now.
func kept(t *testing.T, dir string, ends time.Duration) string {
	t.Helper()
	return keptFor(t, dir, name, ends)
}

func keptFor(t *testing.T, dir, name string, ends time.Duration) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}, NotBefore: time.Now().Add(-90 * 24 * time.Hour), NotAfter: time.Now().Add(ends)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	k, err := newKeeper(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.save(&tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, certificateFile))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// A file that is damaged, or for another name or key, is not used, and stops nothing.
func TestDamagedFiles(t *testing.T) {
	dir := t.TempDir()
	good := kept(t, dir, 80*24*time.Hour)
	other := keptFor(t, t.TempDir(), "other.example.org", 80*24*time.Hour)
	key, _, _ := strings.Cut(good, "-----BEGIN CERTIFICATE")
	_, foreign, _ := strings.Cut(kept(t, t.TempDir(), time.Hour), "-----BEGIN CERTIFICATE")
	for what, text := range map[string]string{
		"empty": "", "half": good[:len(good)/2], "junk behind": good + "x", "another name": other, "another key": key + "-----BEGIN CERTIFICATE" + foreign,
		"no certificate": key, "many": key + strings.Repeat("-----BEGIN CERTIFICATE"+foreign, 20), "large": strings.Repeat(good, 2000), "good": good,
	} {
		if err := os.WriteFile(filepath.Join(dir, certificateFile), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, file := range []string{accountFile, failuresFile} {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		d, err := New(Config{Name: name, Dir: dir})
		if err != nil {
			t.Fatal(err)
		}
		if used := !d.State().Until.IsZero(); used != (what == "good") || (d.wait() > 0) != used {
			t.Errorf("%s: used %v, waits %v", what, used, d.wait())
		}
		if what != "large" {
			if _, err := d.keep.account(); err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
}

// Names that are none are refused.
func TestNames(t *testing.T) {
	for name, good := range map[string]bool{
		"relay.example.org": true, "a.b": true, "xn--bcher-kva.example": true, "1.example.org": true,
		"": false, "localhost": false, "192.0.2.1": false, "2001:db8::1": false, "*.example.org": false, "Relay.example.org": false, "-a.example.org": false,
		"a..b": false, "a.b.": false, "a b.example.org": false, "bücher.example": false, "a.example.org:443": false, strings.Repeat("a", 64) + ".org": false, strings.Repeat("a.", 127) + "org": false,
	} {
		if err := Check(name); (err == nil) != good {
			t.Errorf("%.40q: %v", name, err)
		}
	}
}

// FuzzParse: no file is more than a certificate or an error.
func FuzzParse(f *testing.F) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(pem.EncodeToMemory(&pem.Block{Type: keyBlock, Bytes: der}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := parse(b, name); err == nil && c.Leaf.VerifyHostname(name) != nil {
			t.Error("a certificate for another name")
		}
	})
}

// TestUnfinishedFilesGo: a key that was being written when the server was killed is gone after the next start.
func TestUnfinishedFilesGo(t *testing.T) {
	dir := t.TempDir()
	for _, file := range []string{accountFile, certificateFile, failuresFile} {
		if err := os.WriteFile(filepath.Join(dir, file+".new"), []byte("a key"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := New(Config{Name: name, Dir: dir}); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
