package proxy_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"starling/p2p/proxy"
	"starling/p2p/proxy/proxytest"
)

// TestParse: a proxy is an address, and no name.
func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		"socks5://127.0.0.1:9050":           "socks5://127.0.0.1:9050",
		"socks5h://127.0.0.1:9050/":         "socks5://127.0.0.1:9050",
		"socks5://localhost:9150":           "socks5://127.0.0.1:9150",
		"socks5://user:secret@192.0.2.1:80": "socks5://192.0.2.1:80",
		"socks5://[2001:db8::1]:1080":       "socks5://[2001:db8::1]:1080",
	} {
		p, err := proxy.Parse(text)
		if err != nil || p.String() != want || strings.Contains(p.String(), "secret") {
			t.Errorf("%s: %v, %v", text, p, err)
		}
	}
	for text, want := range map[string]error{
		"": proxy.ErrScheme, "127.0.0.1:9050": proxy.ErrScheme, "http://127.0.0.1:80": proxy.ErrScheme, "socks4://127.0.0.1:80": proxy.ErrScheme,
		"socks5://127.0.0.1": proxy.ErrScheme, "socks5://:9050": proxy.ErrScheme, "socks5://127.0.0.1:0": proxy.ErrScheme,
		"socks5://127.0.0.1:99999": proxy.ErrScheme, "socks5://0.0.0.0:9050": proxy.ErrScheme, "socks5://127.0.0.1:9050/x": proxy.ErrScheme,
		"socks5://proxy.example:1080": proxy.ErrName, "socks5://user@127.0.0.1:9050": proxy.ErrLogin,
		"socks5://u:" + strings.Repeat("x", 256) + "@127.0.0.1:9050": proxy.ErrLogin,
	} {
		if p, err := proxy.Parse(text); !errors.Is(err, want) {
			t.Errorf("%q: %v, %v", text, p, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("socks5://user:pass@127.0.0.1:9050")
	f.Fuzz(func(t *testing.T, text string) {
		if p, err := proxy.Parse(text); err == nil {
			if again, err := proxy.Parse(p.String()); err != nil || again.String() != p.String() {
				t.Fatalf("%q: %v", text, err)
			}
		}
	})
}

// answering listens, and treats everybody in one way.
func answering(t *testing.T, serve func(net.Conn)) string {
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
			go func() { defer c.Close(); serve(c) }()
		}
	}()
	return "socks5://" + l.Addr().String()
}

func says(bytes ...byte) func(net.Conn) {
	return func(c net.Conn) {
		b := make([]byte, 64)
		c.Read(b)
		c.Write(bytes)
		c.Read(b)
	}
}

// TestFaults: each fault of a proxy has its name, and none is taken for one of the
// destination's.
func TestFaults(t *testing.T) {
	gone := proxytest.New(t, "127.0.0.1:0", nil)
	gone.Stop()
	locked := proxytest.New(t, "127.0.0.1:0", func(s *proxytest.Server) { s.Password = "sesame" })
	strict := proxytest.New(t, "127.0.0.1:0", func(s *proxytest.Server) { s.Reply = 2 })
	far := proxytest.New(t, "127.0.0.1:0", func(s *proxytest.Server) { s.Reply = 5 })
	http := "HTTP/1.1 400 Bad Request\r\n\r\n"
	for name, tt := range map[string]struct {
		url  string
		want proxy.Kind
	}{
		"refuses":              {gone.URL(), proxy.Down},
		"wants a password":     {locked.URL(), proxy.Login},
		"wants another one":    {strings.Replace(locked.URL(), "//", "//me:mellon@", 1), proxy.Login},
		"takes no method":      {answering(t, says(5, 0xff)), proxy.Login},
		"is a web server":      {answering(t, says([]byte(http)...)), proxy.NotSocks},
		"is SOCKS4":            {answering(t, says(0, 90, 0, 0, 0, 0, 0, 0)), proxy.NotSocks},
		"hangs up":             {answering(t, func(net.Conn) {}), proxy.Died},
		"dies half way":        {answering(t, says(5, 0)), proxy.Died},
		"says nothing":         {answering(t, func(c net.Conn) { io.Copy(io.Discard, c) }), proxy.Silent},
		"allows nothing":       {strict.URL(), proxy.Denied},
		"other protocol later": {answering(t, says(5, 0, 'H', 'T', 'T', 'P', ' ', ' ')), proxy.NotSocks},
		"destination is down":  {far.URL(), ""},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := proxy.Parse(tt.url)
			if err != nil {
				t.Fatal(err)
			}
			patience := time.Minute
			if tt.want == proxy.Silent {
				patience = time.Second
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			c, err := p.Connect(ctx, &net.Dialer{}, "192.0.2.1:443")
			if err == nil {
				c.Close()
				t.Fatal("connected")
			}
			var fault *proxy.Error
			if errors.As(err, &fault) != (tt.want != "") || fault != nil && (fault.Kind != tt.want || !errors.Is(err, syscall.EHOSTUNREACH) || errors.Is(err, syscall.ECONNREFUSED)) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

// TestIsolation: each destination has a login of its own, another at each start.
func TestIsolation(t *testing.T) {
	s := proxytest.New(t, "127.0.0.1:0", func(s *proxytest.Server) { s.Reply = 5 })
	one, _ := proxy.Parse(s.URL())
	two, _ := proxy.Parse(s.URL())
	for _, p := range []*proxy.Proxy{one, one, two} {
		for _, to := range []string{"192.0.2.1:443", "192.0.2.2:443", "abc.onion:443"} {
			p.Connect(t.Context(), &net.Dialer{}, to)
		}
	}
	asks := s.Asks()
	logins := map[string]bool{}
	for i, a := range asks {
		if i >= 3 && i < 6 && a != asks[i-3] {
			t.Errorf("%v, then %v", asks[i-3], a)
		}
		logins[a.Login] = true
	}
	if len(asks) != 9 || len(logins) != 6 || asks[2].To != "abc.onion:443" {
		t.Errorf("%v", asks)
	}
}
