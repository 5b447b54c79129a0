// Package fronttest runs the web servers that may be in front of a relay, Debian's Caddy and
// nginx, with the configurations that docs/OPERATORS.md shows. Addresses and folders in
// them are put in their places, and nothing else.
package fronttest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"starling/p2p/p2ptest/programtest"
)

// Block returns a block of docs/OPERATORS.md by the word behind its fence.
func Block(t testing.TB, word string) string {
	t.Helper()
	dir := "."
	for range 8 {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		dir = filepath.Join(dir, "..")
	}
	document, err := os.ReadFile(filepath.Join(dir, "docs", "OPERATORS.md"))
	if err != nil {
		t.Fatal(err)
	}

	_, text, found := strings.Cut(string(document), "\n```"+word+"\n")
	text, _, ended := strings.Cut(text, "\n```\n")
	if !found || !ended {
		t.Fatalf("docs/OPERATORS.md has no block %s", word)
	}
	return text + "\n"
}

// Put replaces parts of a text, each pair an old one and a new one. Each old one must be there.
func Put(t testing.TB, text string, pairs ...string) string {
	t.Helper()
	for p := range slices.Chunk(pairs, 2) {
		if !strings.Contains(text, p[0]) {
			t.Fatalf("docs/OPERATORS.md says nothing of %q:\n%s", p[0], text)
		}
		text = strings.ReplaceAll(text, p[0], p[1])
	}
	return text
}

// A Server is a web server of Debian's.
type Server struct {
	Name   string
	config func(testing.TB, Place, string) map[string]string
	args   []string // {} is the folder of the files
}

// Servers are all.
var Servers = []Server{
	{"caddy", caddy, []string{"run", "--config", "{}/Caddyfile", "--adapter", "caddyfile"}},
	{"nginx", nginx, []string{"-p", "{}", "-c", "{}/nginx.conf", "-e", "{}/error.log", "-g", "daemon off;"}},
}

// A Place is where a server runs.
type Place struct {
	// In is the command that runs another there; empty is here.
	In []string
	// Within connects in the network there, and comes with In.
	Within func(network, address string) (net.Conn, error)
	// Port is where it listens, 0 for any on loopback.
	Port int
	// Relay is the address of the relay behind it. With an empty one the line that
	// passes on to it is left out of the configuration.
	Relay string
}

// loopback reports whether the server is for this test alone.
func (p Place) loopback() bool { return len(p.In) == 0 }

func caddy(t testing.TB, at Place, dir string) map[string]string {
	text := Put(t, Block(t, "caddyfile"), "/var/www/html", filepath.Join(dir, "site"),
		"{\n\tdefault_sni", fmt.Sprintf("{\n\tadmin off\n\tlocal_certs\n\tskip_install_trust\n\tauto_https disable_redirects\n\thttps_port %d\n\tdefault_sni", at.Port),
		":443", fmt.Sprint(":", at.Port))
	if at.Relay == "" {
		return map[string]string{"Caddyfile": Put(t, text, "\timport starling\n", "")}
	}
	return map[string]string{"Caddyfile": text, "starling": Put(t, Block(t, "starling-caddy"), "127.0.0.1:4001", at.Relay)}
}

// aroundNginx is what Debian's nginx.conf has around a site, as far as it shows outside.
const aroundNginx = `pid {}/pid;
user root;
worker_processes 1;
events { }
http {
	client_body_temp_path {}/a;
	proxy_temp_path {}/b;
	fastcgi_temp_path {}/c;
	uwsgi_temp_path {}/d;
	scgi_temp_path {}/e;
	access_log {}/access.log;
	ssl_protocols TLSv1 TLSv1.1 TLSv1.2 TLSv1.3;
	ssl_prefer_server_ciphers on;
	sendfile on;
	tcp_nopush on;
	types_hash_max_size 2048;
	include /etc/nginx/mime.types;
	default_type application/octet-stream;
	gzip on;
`

func nginx(t testing.TB, at Place, dir string) map[string]string {
	text := Put(t, Block(t, "nginx"), "/var/www/html", filepath.Join(dir, "site"), "/etc/letsencrypt/live/example.org", dir)
	if at.loopback() {
		text = Put(t, text, "listen 443 ssl", fmt.Sprintf("listen 127.0.0.1:%d ssl", at.Port), "\tlisten [::]:443 ssl http2 default_server;\n", "")
	}
	chain, key := certificate()
	files := map[string]string{"fullchain.pem": chain, "privkey.pem": key}
	if at.Relay == "" {
		text = Put(t, text, "\tinclude snippets/starling.conf;\n", "")
	} else {
		files["snippets/starling.conf"] = Put(t, Block(t, "starling-nginx"), "127.0.0.1:4001", at.Relay)
	}
	files["nginx.conf"] = strings.ReplaceAll(aroundNginx, "{}", dir) + text + "}\n"
	return files
}

// certificate makes one for example.org, the same for all servers of a test.
var certificate = sync.OnceValues(func() (chain, key string) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "example.org"}, DNSNames: []string{"example.org"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, k.Public(), k)
	if err != nil {
		panic(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		panic(err)
	}
	block := func(kind string, b []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: b}))
	}
	return block("CERTIFICATE", der), block("PRIVATE KEY", raw)
})

// Run starts a server until the end of the test, waits until it serves, and returns its port and
// the folder of its files and logs. Without the program the test skips.
func (s Server) Run(t testing.TB, at Place) (port int, dir string) {
	t.Helper()
	file := programtest.Find(t, s.Name)
	if at.Port == 0 {
		at.Port = programtest.FreePort(t)
	}
	dir = t.TempDir()
	write(t, dir, s.config(t, at, dir))

	args := append(slices.Clone(at.In), file)
	for _, a := range s.args {
		args = append(args, strings.ReplaceAll(a, "{}", dir))
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_DATA_HOME="+dir, "XDG_CONFIG_HOME="+dir)
	running := programtest.Start(t, cmd)
	address := fmt.Sprint("127.0.0.1:", at.Port)
	if at.loopback() {
		running.Serves(t, address)
	} else {
		running.ServesBy(t, at.Within, address)
	}
	return at.Port, dir
}

// write writes the files of a server, and a site of two pages.
func write(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	files["site/index.html"], files["site/sub/page.html"] = "<p>a site", "<p>more"
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		old := time.Unix(1_700_000_000, 0) // the same for all, since it shows
		if err := os.Chtimes(path, old, old); err != nil {
			t.Fatal(err)
		}
	}
}
