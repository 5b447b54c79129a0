package web

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// browse asks a site for a path, as it stands in the request, and returns the answer.
func browse(t *testing.T, site http.Handler, method, target string, header http.Header) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, "http://relay/", nil)
	path, query, _ := strings.Cut(target, "?")
	r.URL.Path, r.URL.RawQuery = path, query
	for name, values := range header {
		r.Header[name] = values
	}
	w := httptest.NewRecorder()
	site.ServeHTTP(w, r)
	return w.Result()
}

// TestSiteStaysInItsFolder: a directory is served, and nothing above it, hidden in it, or
// behind a link that leads out of it.
func TestSiteStaysInItsFolder(t *testing.T) {
	above := t.TempDir()
	dir := filepath.Join(above, "site")
	for name, text := range map[string]string{
		"secret": "no", "site/page.html": "<p>page", "site/sub/index.html": "<p>sub", "site/bare/x.txt": "0123456789",
		"site/.git/config": "no", "site/.env": "no", "site/sub/.x/y": "no", "site/odd/index.html/x.txt": "0123456789",
	} {
		file := filepath.Join(above, filepath.FromSlash(name))
		os.MkdirAll(filepath.Dir(file), 0o700)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	links := os.Symlink(filepath.Join(above, "secret"), filepath.Join(dir, "out")) == nil &&
		os.Symlink("../secret", filepath.Join(dir, "up")) == nil && os.Symlink(above, filepath.Join(dir, "all")) == nil

	site, err := Site(dir)
	if err != nil {
		t.Fatal(err)
	}
	type row struct {
		target string
		code   int
		body   string
	}
	rows := []row{
		{"/page.html", 200, "<p>page"}, {"/sub/", 200, "<p>sub"}, {"/bare/x.txt", 200, "0123456789"},
		{"/sub/../page.html", 200, "<p>page"}, {"//page.html", 200, "<p>page"},
		{"/sub", 308, ""}, {"/", 404, ""}, {"/bare/", 404, ""}, {"/none", 404, ""},
		{"/../secret", 404, ""}, {"/sub/../../secret", 404, ""}, {"../secret", 404, ""}, {"/..", 404, ""}, {"/..\\secret", 404, ""},
		{"/.env", 404, ""}, {"/.git/config", 404, ""}, {"/.git/", 404, ""}, {"/sub/.x/y", 404, ""},
		{"/page.html/x", 404, ""}, {"/page.html\x00", 500, ""}, {"/" + strings.Repeat("a/", 5000), 500, ""}, {"", 404, ""}, {"/page.html/", 404, ""}, {"/bare", 404, ""}, {"/odd/", 404, ""}, {"/odd", 404, ""},
	}
	if links {
		rows = append(rows, row{"/out", 404, ""}, row{"/up", 404, ""}, row{"/all/secret", 404, ""})
	}
	for _, r := range rows {
		got := browse(t, site, http.MethodGet, r.target, nil)
		body, _ := io.ReadAll(got.Body)
		if got.StatusCode != r.code || r.code == 200 && string(body) != r.body || strings.Contains(string(body), "no") || got.Header.Get("Server") != "Caddy" {
			t.Errorf("%.40q: %d %q, want %d %q", r.target, got.StatusCode, body, r.code, r.body)
		}
		if to := got.Header.Get("Location"); to != "" && to != "/sub/" && to != "/" {
			t.Errorf("%q leads to %q", r.target, to)
		}
	}
	for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodConnect, "NONSENSE"} {
		if got := browse(t, site, method, "/page.html", nil); got.StatusCode != http.StatusOK {
			t.Errorf("%s: %d", method, got.StatusCode)
		}
	}
	part := browse(t, site, http.MethodGet, "/bare/x.txt", http.Header{"Range": {"bytes=2-4"}})
	if body, _ := io.ReadAll(part.Body); part.StatusCode != http.StatusPartialContent || string(body) != "234" {
		t.Errorf("a part: %d %q", part.StatusCode, body)
	}
}

// TestSiteOpensNoPipe: a file that is none keeps no visitor waiting.
func TestSiteOpensNoPipe(t *testing.T) {
	dir := t.TempDir()
	if err := pipe(filepath.Join(dir, "pipe")); err != nil {
		t.Skipf("no named pipes on %s: %v", runtime.GOOS, err)
	}
	site, err := Site(dir)
	if err != nil {
		t.Fatal(err)
	}
	if got := browse(t, site, http.MethodGet, "/pipe", nil); got.StatusCode != http.StatusNotFound {
		t.Errorf("a pipe: %d", got.StatusCode)
	}
}

// TestSiteElsewhere: another server gets the request, with the visitor's Host and without
// headers that are of one connection, and its answer comes back; without it there is an
// error, and nothing that names it.
func TestSiteElsewhere(t *testing.T) {
	behind := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		for _, name := range []string{"Te", "X-Hop", "Proxy-Authorization", "Keep-Alive"} {
			if r.Header.Get(name) != "" {
				w.Header().Add("Passed", name)
			}
		}
		w.Header().Set("Connection", "X-Back")
		w.Header().Set("X-Back", "1")
		w.WriteHeader(http.StatusTeapot)
		fmt.Fprintf(w, "%s %s %s %s", r.Method, r.Host, r.URL, body)
	}))
	site, err := Site(behind.URL + "/base")
	if err != nil {
		t.Fatal(err)
	}
	got := browse(t, site, http.MethodPost, "/a/b?c=d", http.Header{
		"Connection": {"X-Hop, keep-alive"}, "X-Hop": {"1"}, "Te": {"gzip"}, "Keep-Alive": {"1"}, "Proxy-Authorization": {"x"}, "X-Forwarded-For": {"192.0.2.9"},
	})
	body, _ := io.ReadAll(got.Body)
	if got.StatusCode != http.StatusTeapot || string(body) != "POST relay /base/a/b?c=d " {
		t.Errorf("%d %q", got.StatusCode, body)
	}
	if got.Header.Get("Passed") != "" || got.Header.Get("X-Back") != "" {
		t.Errorf("headers of one connection: %v", got.Header)
	}

	behind.Close()
	got = browse(t, site, http.MethodGet, "/", nil)
	if body, _ := io.ReadAll(got.Body); got.StatusCode != http.StatusBadGateway || len(body) > 0 {
		t.Errorf("nobody there: %d %q", got.StatusCode, body)
	}
}

// TestSiteThatIsNone: something that is neither a folder nor a URL is refused at the start.
func TestSiteThatIsNone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	hung := filepath.Join(t.TempDir(), "pipe")
	_ = pipe(hung) // not on every system: then it is not there
	for _, from := range []string{file, hung, file + ".not", "http://", "https:///x", "ftp://127.0.0.1/", "127.0.0.1:80"} {
		if _, err := Site(from); err == nil {
			t.Errorf("%q is a site", from)
		}
	}
}

// TestBrokenCertificates: a file that is damaged or of somebody else's making costs new
// certificates and nothing more; what is written is readable by its owner alone.
func TestBrokenCertificates(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, certificateFile)
	whole := func() string {
		c := NewCertificates(dir)
		if _, err := c.get(helloTo(t)); err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	first := whole()
	if info, err := os.Stat(file); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if whole() != first {
		t.Error("a whole file is not used again")
	}
	for name, data := range map[string]string{
		"empty": "", "half": first[:len(first)/2], "turned": first[len(first)/2:] + first[:len(first)/2],
		"no PEM": strings.Repeat("x", 1000), "large": strings.Repeat(first, maxCertificate/len(first)+1), "keys": keys(first),
	} {
		if err := os.WriteFile(file, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := whole(); got == data {
			t.Errorf("%s: used as it is", name)
		}
	}
}

// nameOf is the certificate of a name, and of no other.
type nameOf struct {
	name string
	cert *tls.Certificate
}

// Certificate implements Named.
func (n nameOf) Certificate(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if h.ServerName != "" && h.ServerName != n.name {
		return nil, nil
	}
	return n.cert, nil
}

// Site implements Named.
func (n nameOf) Site() string { return n.name }

// TestNamed: a relay with a name shows its certificate to those who say the name, or none, and
// goes on as before while there is no certificate; links come about either way.
func TestNamed(t *testing.T) {
	m := &meeting{}
	m.certify(t)
	for _, c := range []struct {
		cert     *tls.Certificate
		issuedBy map[string]string // by the name in the hello
	}{
		{&m.cert, map[string]string{"relay.example.org": "a test", "": "a test", "other.example.org": "nobody"}},
		{nil, map[string]string{"relay.example.org": "nobody", "": "Caddy Local Authority - ECC Intermediate", "other.example.org": "nobody"}},
	} {
		relay := newHost(t, true, func(cfg *Config) { cfg.Certificates = NewCertificates("").For(nameOf{"relay.example.org", c.cert}) })
		for name, want := range c.issuedBy {
			got := "nobody"
			if conn, err := tls.Dial("tcp", port(relay), &tls.Config{ServerName: name, InsecureSkipVerify: true}); err == nil {
				got = conn.ConnectionState().PeerCertificates[0].Issuer.CommonName
				conn.Close()
			}
			if got != want {
				t.Errorf("%q: a certificate of %s, want %s", name, got, want)
			}
		}
		connect(t, newHost(t, false, nil), relay)
	}
}

// helloTo is a hello of a visitor on a connection to 192.0.2.1.
func helloTo(t *testing.T) *tls.ClientHelloInfo {
	t.Helper()
	return &tls.ClientHelloInfo{Conn: at{}}
}

// at is a connection that knows its own address and nothing else.
type at struct{ net.Conn }

// LocalAddr implements net.Conn.
func (at) LocalAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 443} }

// keys gives the first certificate of a file the key of the second.
func keys(file string) string {
	parts := strings.SplitAfter(file, "-----END EC PRIVATE KEY-----\n")
	_, key, _ := strings.Cut(parts[1], "-----END CERTIFICATE-----\n")
	cert, _, _ := strings.Cut(parts[0], "-----BEGIN EC PRIVATE KEY-----")
	return cert + key + strings.Join(parts[1:], "")
}

// TestUnfinishedCertificatesGo: keys that were being written when the server was killed are gone after the next start.
func TestUnfinishedCertificatesGo(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, certificateFile+unfinished), []byte("a key"), 0o600); err != nil {
		t.Fatal(err)
	}
	NewCertificates(dir)
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
