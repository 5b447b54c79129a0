// Package proxytest has a SOCKS5 proxy for tests, which remembers all that it is asked.
package proxytest

import (
	"encoding/binary"
	"io"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
)

// An Ask is one request.
type Ask struct{ Login, To string }

// A Server is a proxy.
type Server struct {
	Addr string
	// Password, if set, is wanted of all.
	Password string
	// Lead, if set, says where a destination leads instead.
	Lead func(to string) string
	// Reply is the answer in place of a connection, if not 0 (RFC 1928, section 6).
	Reply byte

	mu   sync.Mutex
	asks []Ask
	open map[net.Conn]bool
	l    net.Listener
}

// New starts a proxy at an address; edit may change it before.
func New(tb testing.TB, at string, edit func(*Server)) *Server {
	tb.Helper()
	l, err := net.Listen("tcp", at)
	if err != nil {
		tb.Fatal(err)
	}
	s := &Server{Addr: l.Addr().String(), l: l, open: map[net.Conn]bool{}}
	if edit != nil {
		edit(s)
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go s.serve(c)
		}
	}()
	tb.Cleanup(s.Stop)
	return s
}

// URL is its address as people write it.
func (s *Server) URL() string { return "socks5://" + s.Addr }

// Stop ends it, and all connections over it.
func (s *Server) Stop() {
	s.l.Close()
	s.mu.Lock()
	open := maps.Clone(s.open)
	s.mu.Unlock()
	for c := range open {
		c.Close()
	}
}

// Asks returns the requests so far.
func (s *Server) Asks() []Ask {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asks)
}

func (s *Server) keep(c net.Conn, on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if on {
		s.open[c] = true
	} else {
		delete(s.open, c)
	}
}

// serve speaks RFC 1928 and RFC 1929.
func (s *Server) serve(c net.Conn) {
	defer c.Close()
	s.keep(c, true)
	defer s.keep(c, false)
	login, ok := s.greet(c)
	if !ok {
		return
	}
	to, ok := destination(c)
	if !ok {
		return
	}
	s.mu.Lock()
	s.asks = append(s.asks, Ask{login, to})
	s.mu.Unlock()

	answer := func(code byte) { c.Write([]byte{5, code, 0, 1, 0, 0, 0, 0, 0, 0}) }
	if s.Reply != 0 {
		answer(s.Reply)
		return
	}
	if s.Lead != nil {
		to = s.Lead(to)
	}
	far, err := net.DialTimeout("tcp", to, 5*time.Second)
	if err != nil {
		answer(5)
		return
	}
	defer far.Close()
	s.keep(far, true)
	defer s.keep(far, false)
	answer(0)
	go func() { io.Copy(far, c); far.Close() }()
	io.Copy(c, far)
}

// greet agrees on a method, and reads user name and password if they are offered.
func (s *Server) greet(c net.Conn) (login string, ok bool) {
	head, ok := read(c, 2)
	if !ok || head[0] != 5 {
		return "", false
	}
	methods, ok := read(c, int(head[1]))
	if !ok {
		return "", false
	}
	if !slices.Contains(methods, 2) {
		if s.Password != "" {
			c.Write([]byte{5, 0xff})
			return "", false
		}
		c.Write([]byte{5, 0})
		return "", true
	}

	c.Write([]byte{5, 2})
	head, ok = read(c, 2)
	if !ok {
		return "", false
	}
	user, ok := read(c, int(head[1]))
	if !ok {
		return "", false
	}
	if head, ok = read(c, 1); !ok {
		return "", false
	}
	pass, ok := read(c, int(head[0]))
	if !ok {
		return "", false
	}
	if s.Password != "" && string(pass) != s.Password {
		c.Write([]byte{1, 1})
		return "", false
	}
	c.Write([]byte{1, 0})
	return string(user) + ":" + string(pass), true
}

// destination reads a request to connect.
func destination(c net.Conn) (string, bool) {
	head, ok := read(c, 4)
	if !ok || head[1] != 1 {
		return "", false
	}
	host := ""
	switch head[3] {
	case 1, 4:
		ip, ok := read(c, map[byte]int{1: 4, 4: 16}[head[3]])
		if !ok {
			return "", false
		}
		a, _ := netip.AddrFromSlice(ip)
		host = a.String()
	case 3:
		n, ok := read(c, 1)
		if !ok {
			return "", false
		}
		name, ok := read(c, int(n[0]))
		if !ok {
			return "", false
		}
		host = string(name)
	}

	port, ok := read(c, 2)
	return net.JoinHostPort(host, strconv.Itoa(int(binary.BigEndian.Uint16(append(port, 0, 0))))), ok
}

func read(c net.Conn, n int) ([]byte, bool) {
	b := make([]byte, n)
	_, err := io.ReadFull(c, b)
	return b, err == nil
}
