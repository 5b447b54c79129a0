package web

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// siteProbes are those of the list, and some of a site with files.
func siteProbes() []probe {
	all := probes()
	add := func(line string, headers ...string) {
		all = append(all, probe{name: strings.Join(append([]string{line}, headers...), ", "), parts: request(append([]string{line + " HTTP/1.1", "Host: 127.0.0.1"}, headers...)...)})
	}
	for _, path := range []string{"/page.html", "/index.html", "/sub", "/sub/", "/sub/?a=b", "/sub?a=b", "/bare", "/bare/", "/bare/data.unknown", "/none", "/none/", "/page.html/", "/page.html/x", "//page.html", "/./page.html", "/sub/../page.html", "/%70age.html", "/a%2fb", "/page.html%00", "/plain", "/empty.txt"} {
		for _, method := range []string{"GET", "HEAD"} {
			add(method + " " + path)
		}
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "FOO", "PROPFIND"} {
		add(method + " /page.html")
		add(method + " /none")
	}
	for _, h := range []string{"Range: bytes=0-1", "Range: bytes=2-", "Range: bytes=-2", "Range: bytes=900-", "Range: bytes=x", "If-None-Match: *", "If-None-Match: \"s44we89\"", "If-Match: \"x\"",
		"If-Modified-Since: Thu, 01 Jan 2026 00:00:00 GMT", "If-Unmodified-Since: Thu, 01 Jan 2015 00:00:00 GMT", "Accept-Encoding: gzip", "Connection: close", "Expect: 100-continue"} {
		add("GET /page.html", h)
	}
	all = append(all, probe{name: "h2 page", tls: &tls.Config{NextProtos: []string{"h2"}}, h2: h2("GET", "/page.html")},
		probe{name: "h2 none", tls: &tls.Config{NextProtos: []string{"h2"}}, h2: h2("GET", "/none")})
	return all
}

// siteDiffers are probes whose answers are not Caddy's, and why.
var siteDiffers = map[string]string{
	"zero in a header": "as in TestProbes",
	"continue":         "where the server behind is away, Caddy waits for the body, and we do not",
}

// With a folder, or another web server behind it, a relay is Caddy with a file server,
// or with a reverse proxy.
func TestSites(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"index.html": "<p>home", "page.html": "<p>page", "sub/index.html": "<p>sub", "bare/data.unknown": "\x00\x01\x02", "plain": "text without a name", "empty.txt": ""} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		old := time.Unix(1_700_000_000, 0)
		os.Chtimes(path, old, old)
	}
	behind := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		if r.Method == http.MethodConnect || r.RequestURI == "*" || r.Method == "PRI" {
			return // Caddy asks for another URL, which no visitor sees
		}
		w.Header().Set("X-Asked", fmt.Sprintf("%s %s %q %q %q %q", r.Method, r.URL, r.Header.Get("X-Forwarded-For"), r.Header.Get("X-Forwarded-Proto"), r.Header.Get("X-Forwarded-Host"), r.Host))
		if strings.Contains(r.URL.Path, "none") {
			http.NotFound(w, r)
			return
		}
		io.WriteString(w, "<p>behind")
	}))
	t.Cleanup(behind.Close)

	for _, c := range []struct{ name, from, directives string }{
		{"folder", dir, "root * " + dir + "\n\tfile_server"},
		{"server", behind.URL, "reverse_proxy " + strings.TrimPrefix(behind.URL, "http://")},
		{"server that is away", "http://127.0.0.1:9", "reverse_proxy 127.0.0.1:9"},
	} {
		t.Run(c.name, func(t *testing.T) {
			theirs := caddy(t, c.directives)
			site, err := Site(c.from)
			if err != nil {
				t.Fatal(err)
			}
			ours := port(newHost(t, true, func(cfg *Config) { cfg.Site = site }))
			var asking sync.WaitGroup
			turns := make(chan struct{}, 40)
			for _, p := range siteProbes() {
				if _, differs := siteDiffers[p.name]; differs && (p.name != "continue" || strings.HasSuffix(c.name, "away")) {
					continue
				}
				asking.Go(func() {
					turns <- struct{}{}
					defer func() { <-turns }()
					if want, got := alike(p, theirs, ours); got != want {
						t.Errorf("%s: we answer\n%.1500q\nCaddy answers\n%.1500q", p.name, got, want)
					}
				})
			}
			asking.Wait()
		})
	}
}
