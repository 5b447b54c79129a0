//go:build linux

package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"math/big"
	mrand "math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"golang.org/x/sync/errgroup"

	"starling/node/testnet/engine/namespaces"
)

// A site stands for ordinary ones of its kind. It is no recording: lengths and pauses are drawn by hand from
// the habits of such sites: texts of people with their names and times as JSON, prices, single letters
// with their place.
type site struct {
	name string
	// serve talks until the connection ends; say sends a text, and is for one goroutine at a time.
	serve func(r *mrand.Rand, say func(int) error, heard <-chan int)
	// page is the part of the page that talks, for a socket s: it sends texts with say(length).
	page string
}

// between draws a number.
func between(r *mrand.Rand, least, most int) int { return least + r.IntN(most-least+1) }

var sites = []site{
	{"chat", func(r *mrand.Rand, say func(int) error, heard <-chan int) {
		say(between(r, 900, 4000)) // the last messages
		for {
			select {
			case n, ok := <-heard:
				if !ok {
					return
				}
				if say(60) != nil || n > 60 && say(n+120) != nil { // a receipt, and it comes back
					return
				}
			case <-time.After(time.Duration(between(r, 300, 2500)) * time.Millisecond):
				if say([]int{70, 70, between(r, 150, 500)}[r.IntN(3)]) != nil { // typing, or a text
					return
				}
			}
		}
	}, `const talk=()=>{say(Math.random()<.6?45:60+Math.random()*200|0);setTimeout(talk,400+Math.random()*3000)};say(180);talk()`},
	{"ticker", func(r *mrand.Rand, say func(int) error, heard <-chan int) {
		say(between(r, 2000, 9000)) // all prices
		for {
			select {
			case _, ok := <-heard:
				if !ok {
					return
				}
			case <-time.After(time.Duration(between(r, 50, 400)) * time.Millisecond):
				if say(between(r, 90, 320)) != nil {
					return
				}
			}
		}
	}, `say(120);setInterval(()=>say(20),15000)`},
	{"editor", func(r *mrand.Rand, say func(int) error, heard <-chan int) {
		say(between(r, 3000, 40000)) // the document
		for {
			select {
			case n, ok := <-heard:
				if !ok || say(35) != nil || n > 1000 && say(between(r, 500, 2000)) != nil {
					return
				}
			case <-time.After(time.Duration(between(r, 150, 1500)) * time.Millisecond):
				if say(between(r, 70, 130)) != nil { // letters and cursors of others
					return
				}
			}
		}
	}, `const type=()=>{say(Math.random()<.1?300+Math.random()*1500|0:70+Math.random()*40|0);setTimeout(type,80+Math.random()*500)};say(200);type()`},
}

// The addresses of the sites and of Chromium.
const (
	siteNet = "20.8.0.%d"
	person  = "20.8.0.100"
)

// browse lets Chromium open WebSockets to each site, and returns their connections.
func browse(ctx context.Context, o options) (map[string][]flow, error) {
	id := fmt.Sprintf("starling-%d", os.Getpid())
	web, home := id+"-web", id+"-home"
	defer exec.Command("ip", "netns", "delete", web).Run()
	defer exec.Command("ip", "netns", "delete", home).Run()
	script := "netns add WEB\nnetns add HOME\n-n WEB link set lo up\n-n HOME link set lo up\n-n WEB link add eth0 type veth peer name eth0 netns HOME\n" +
		"-n WEB link set eth0 up\n-n HOME link set eth0 up\n-n HOME address add " + person + "/24 dev eth0\n"
	for i := range sites {
		script += fmt.Sprintf("-n WEB address add "+siteNet+"/24 dev eth0\n", i+1)
	}
	for line := range strings.Lines(strings.NewReplacer("WEB", web, "HOME", home).Replace(script)) {
		if out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("ip %s: %w: %s", strings.TrimSpace(line), err, out)
		}
	}

	var all sync.WaitGroup
	defer all.Wait()
	for i, s := range sites {
		var l net.Listener
		if err := namespaces.Within(web, func() (err error) {
			l, err = net.Listen("tcp4", fmt.Sprintf(siteNet+":4001", i+1))
			return err
		}); err != nil {
			return nil, err
		}
		stop, err := s.open(l, o.sockets, &all)
		if err != nil {
			return nil, err
		}
		defer stop()
	}

	tap, err := listen(home, "eth0")
	if err != nil {
		return nil, err
	}
	defer tap.close()
	if err := visit(ctx, home, o.span); err != nil {
		return nil, err
	}
	if err := tap.write(filepath.Join(o.pcap, "chromium.pcap")); err != nil {
		return nil, err
	}

	kinds := map[string][]flow{}
	for i, s := range sites {
		to := fmt.Sprintf(siteNet, i+1)
		kinds[s.name] = tap.flows(func(c conn) bool { return c.to.String() == to })
	}
	return kinds, nil
}

// visit opens the sites for a while, each in a Chromium of its own: without a screen it takes one page.
func visit(ctx context.Context, home string, span time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, span)
	defer cancel()
	g, ctx := errgroup.WithContext(ctx)
	for i := range sites {
		g.Go(func() error { return open(ctx, home, fmt.Sprintf("https://"+siteNet+":4001/", i+1)) })
	}
	return g.Wait()
}

// open opens a page until ctx ends.
func open(ctx context.Context, home, page string) error {
	dir, err := os.MkdirTemp("", "lineup-chromium-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	cmd := exec.CommandContext(ctx, "ip", "netns", "exec", home, "chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
		"--disable-background-networking", "--ignore-certificate-errors", "--user-data-dir="+dir, page)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return nil // it stayed to the end
	}
	return fmt.Errorf("it ended by itself: %w: %s", err, out)
}

// open serves a site: a page, and WebSockets at /socket. stop ends it.
func (s site) open(l net.Listener, sockets int, all *sync.WaitGroup) (stop func(), err error) {
	cert, err := certificate(l.Addr().(*net.TCPAddr).IP)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	conns := map[net.Conn]bool{}
	seed := uint64(len(s.name))
	serve := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/socket" {
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprintf(w, `<!doctype html><title>%s</title><script>
let n=0;const next=()=>{if(n++>=%d)return;const s=new WebSocket("wss://"+location.host+"/socket");const say=l=>s.readyState==1&&s.send("x".repeat(l));
s.onopen=()=>{%s};setTimeout(next,200)};next()</script>`, s.name, sockets, s.page)
			return
		}
		c, _, _, err := ws.UpgradeHTTP(r, w)
		if err != nil {
			return
		}
		mu.Lock()
		conns[c] = true
		seed++
		draw := mrand.New(mrand.NewPCG(seed, 3))
		mu.Unlock()
		talk(c, draw, s)
	}

	server := &http.Server{Handler: http.HandlerFunc(serve), ErrorLog: log.New(io.Discard, "", 0), TLSConfig: &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1"}}}
	all.Go(func() { server.ServeTLS(l, "", "") })
	return func() {
		server.Close()
		mu.Lock()
		defer mu.Unlock()
		for c := range conns {
			c.Close()
		}
	}, nil
}

// talk serves one WebSocket.
func talk(c net.Conn, r *mrand.Rand, s site) {
	defer c.Close()
	heard := make(chan int, 16)
	go func() {
		defer close(heard)
		for {
			b, err := wsutil.ReadClientText(c)
			if err != nil {
				return
			}
			select {
			case heard <- len(b):
			case <-time.After(time.Second):
			}
		}
	}()

	s.serve(r, func(n int) error {
		b := make([]byte, n)
		for i := range b {
			b[i] = 'a' + byte(r.IntN(26))
		}
		return wsutil.WriteServerText(c, b)
	}, heard)
	c.Close()
	for range heard {
	}
}

// certificate makes one for an address, as small sites have it.
func certificate(ip net.IP) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), IPAddresses: []net.IP{ip}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, leaf, leaf, key.Public(), key)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, err
}
