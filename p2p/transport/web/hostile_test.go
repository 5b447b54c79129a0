package web

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/libp2p/go-libp2p/core/network"
	manet "github.com/multiformats/go-multiaddr/net"

	"starling/p2p/wire"
)

// visit makes TLS with a relay, and says something.
func visit(t *testing.T, at, says string) *tls.Conn {
	t.Helper()
	c, err := tls.Dial("tcp", at, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	io.WriteString(c, says)
	return c
}

// Requests that go on and on take no more than their room together, and push nobody else
// out.
func TestHugeRequests(t *testing.T) {
	relay := newHost(t, true, func(c *Config) { c.Requests = 1 << 20 })
	at := port(relay)
	some := strings.Repeat("a", 100_000)
	ended := 0
	var all []*tls.Conn
	for range 40 {
		c := visit(t, at, "GET / HTTP/1.1\r\nHost: x\r\nA: "+some)
		all = append(all, c)
	}
	for _, c := range all {
		c.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
		var timeout net.Error
		if _, err := c.Read(make([]byte, 1)); err != nil && !(errors.As(err, &timeout) && timeout.Timeout()) {
			ended++
		}
	}
	if ended < 25 || ended > 35 {
		t.Errorf("of 40 requests of 100 kB in 1 MiB %d ended", ended)
	}
	connect(t, newHost(t, false, nil), relay)

	for _, c := range all {
		c.Close()
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) { // the relay hears of each end by itself
		c := visit(t, at, "GET / HTTP/1.1\r\nHost: x\r\nA: "+some+"\r\n\r\n")
		line, err := bufio.NewReader(c).ReadString('\n')
		if strings.Contains(line, "200") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("when they are gone, a long request has the answer %q, %v", line, err)
		}
	}
}

// Of HTTP/2 the bytes count many times: headers grow when they are unpacked.
func TestPackedRequests(t *testing.T) {
	v := &visitor{Conn: endless{}, visits: newVisits(1 << 20)}
	v.greeted(&tls.ClientHelloInfo{SupportedProtos: []string{"h2"}})
	n := 0
	for buf := make([]byte, 1024); ; n++ {
		if _, err := v.Read(buf); err != nil {
			break
		}
	}
	if most := freeRequest/1024 + 1<<20/packedWeight/1024; n < freeRequest/1024 || n > most {
		t.Errorf("%d KiB of HTTP/2 were read in a room of 1 MiB, and %d may be", n, most)
	}
	if left := v.visits.waiting.Load(); left != 0 {
		t.Errorf("%d bytes stay counted", left)
	}
}

// endless is a connection that brings bytes without end.
type endless struct{ manet.Conn }

func (endless) Read(p []byte) (int, error)  { return len(p), nil }
func (endless) Write(p []byte) (int, error) { return len(p), nil }
func (endless) Close() error                { return nil }

// A request for a link with something wrong in it finds the site, however it is wrong.
func TestWrongRequests(t *testing.T) {
	relay := newHost(t, true, nil)
	id, err := wire.NodeIDFromPeer(relay.ID())
	if err != nil {
		t.Fatal(err)
	}
	word := hide(append([]byte{0, 32, 9}, make([]byte, 31)...)) // of Noise, length and key
	good := string(Chromium.request("127.0.0.1:443", Path(id, time.Now())+"?s="+word, [16]byte{1}))
	first := func(request string) string {
		t.Helper()
		line, err := bufio.NewReader(visit(t, port(relay), request)).ReadString('\n')
		if err != nil {
			return err.Error()
		}
		return strings.TrimSpace(line)
	}

	if got := first(good); got != "HTTP/1.1 101 Switching Protocols" {
		t.Fatalf("a good request has the answer %q", got)
	}
	two := Path(id, time.Now().Add(-2*day))
	wrong := map[string]string{
		"path":             strings.Replace(good, Path(id, time.Now()), Path(wire.NodeID{1}, time.Now()), 1),
		"path of long ago": strings.Replace(good, Path(id, time.Now()), two, 1),
		"no word":          strings.Replace(good, "?s="+word, "", 1),
		"another word":     strings.Replace(good, "?s=", "?t=", 1),
		"bad word":         strings.Replace(good, "?s=", "?s=!", 1),
		"empty word":       strings.Replace(good, "?s="+word, "?s=", 1),
		"short word":       strings.Replace(good, "?s="+word, "?s=IgAg", 1),
		"long word":        strings.Replace(good, "?s="+word, "?s="+strings.Repeat("A", 5000), 1),
		"method":           strings.Replace(good, "GET", "POST", 1),
		"connection":       strings.Replace(good, "Connection: Upgrade", "Connection: keep-alive", 1),
		"upgrade":          strings.Replace(good, "Upgrade: websocket", "Upgrade: h2c", 1),
		"version":          strings.Replace(good, "Version: 13", "Version: 12", 1),
		"key":              strings.Replace(good, "Sec-WebSocket-Key: ", "Sec-WebSocket-Key: A", 1),
	}
	for name, request := range wrong {
		if request == good {
			t.Fatalf("%s: the request is a good one", name)
		}
		if got := first(request); got != "HTTP/1.1 200 OK" {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// After the upgrade what is no frame, or no Noise, ends the connection in a moment.
func TestWrongFrames(t *testing.T) {
	relay := newHost(t, true, nil)
	id, err := wire.NodeIDFromPeer(relay.ID())
	if err != nil {
		t.Fatal(err)
	}
	mask := [4]byte{1, 2, 3, 4}
	masked := func(op ws.OpCode, body []byte) []byte {
		var b bytes.Buffer
		ws.WriteFrame(&b, ws.MaskFrameWith(ws.NewFrame(op, true, body), mask))
		return b.Bytes()
	}
	var bare bytes.Buffer
	ws.WriteFrame(&bare, ws.NewBinaryFrame(make([]byte, 100)))
	for name, after := range map[string][]byte{
		"garbage":       []byte("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
		"not masked":    bare.Bytes(),
		"text":          masked(ws.OpText, make([]byte, 100)),
		"no length":     masked(ws.OpBinary, []byte{1}),
		"wrong length":  masked(ws.OpBinary, []byte{1, 0, 0}),
		"huge":          {0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4},
		"long ping":     {0x89, 0xfe, 0x7f, 0xff, 1, 2, 3, 4},
		"close":         masked(ws.OpClose, nil),
		"no Noise":      masked(ws.OpBinary, append([]byte{0, 50, 0, 48}, make([]byte, 48)...)),
		"nothing, ever": nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := visit(t, port(relay), string(Chromium.request("127.0.0.1:443", Path(id, time.Now())+"?s="+hide(append([]byte{0, 32, 9}, make([]byte, 31)...)), [16]byte{1})))
			began := time.Now()
			c.Write(after)
			io.Copy(io.Discard, c) // until the relay has had enough
			if took := time.Since(began); took > 3*HandshakeTime {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// A client that meets an answer without end, or with a byte a second, gives up.
func TestEndlessAnswers(t *testing.T) {
	certs := NewCertificates("")
	relay := newHost(t, true, nil)
	for name, answer := range map[string]func(c net.Conn){
		"endless head": func(c net.Conn) {
			for {
				if _, err := io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nA: "+strings.Repeat("b", 1000)+"\r\n"); err != nil {
					return
				}
			}
		},
		"silent":  func(c net.Conn) { io.Copy(io.Discard, c) },
		"no HTTP": func(c net.Conn) { io.WriteString(c, "220 mail.example ESMTP\r\n\r\n"); io.Copy(io.Discard, c) },
		"wrong 101": func(c net.Conn) {
			io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\n\r\n")
			io.Copy(io.Discard, c)
		},
		"a site": func(c net.Conn) { io.WriteString(c, "HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nsorry") },
		"a new date": func(c net.Conn) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 0\r\n\r\n")
			io.Copy(io.Discard, c)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, err := tls.Listen("tcp", "127.0.0.1:0", certs.config())
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					go func() {
						defer c.Close()
						c.Read(make([]byte, 4096))
						answer(c)
					}()
				}
			}()
			began := time.Now()
			err = dialErr(t, newHost(t, false, nil), relay.ID(), l.Addr().String())
			var why *DialError
			if !errors.As(err, &why) || why.Step != StepUpgrade {
				t.Errorf("the dial ended with %v", err)
			}
			if took := time.Since(began); took > 2*HandshakeTime {
				t.Errorf("it took %v", took)
			}
			if name == "a new date" && why.Skew > -30*365*day {
				t.Errorf("the server's clock is ahead by %v", why.Skew)
			}
		})
	}
}

// A dial ends when its caller has had enough.
func TestDialEnds(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() // and nobody accepts
	relay, client := newHost(t, true, nil), newHost(t, false, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	began := time.Now()
	if _, err := transportOf(client, l.Addr().String()).Dial(ctx, multiaddrOf(l.Addr().String()), relay.ID()); err == nil {
		t.Error("connected")
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("it took %v", took)
	}
}

// The certificates stay the same when a relay starts again, and new ones are made of a
// file that is none.
func TestCertificatesAreKept(t *testing.T) {
	dir := t.TempDir()
	leaf := func() []byte {
		t.Helper()
		c, server := net.Pipe()
		defer c.Close()
		go tls.Server(local{server}, NewCertificates(dir).config()).Handshake()
		tc := tls.Client(c, &tls.Config{InsecureSkipVerify: true})
		if err := tc.Handshake(); err != nil {
			t.Fatal(err)
		}
		return tc.ConnectionState().PeerCertificates[0].Raw
	}
	first := leaf()
	if !bytes.Equal(first, leaf()) {
		t.Error("another certificate after a start")
	}
	file := filepath.Join(dir, certificateFile)
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v", info, err)
	}
	for _, bad := range []string{"", "garbage", strings.Repeat("a", maxCertificate+1)} {
		if err := os.WriteFile(file, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if bytes.Equal(first, leaf()) {
			t.Errorf("the same certificate of a file with %.10q", bad)
		}
	}
}

// local is a connection to 127.0.0.1.
type local struct{ net.Conn }

func (local) LocalAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 443} }

// FuzzFrames: whatever comes, the reader of frames neither panics nor reads more than there
// is, and what a writer wrote comes back.
func FuzzFrames(f *testing.F) {
	f.Add([]byte("\x82\x83\x01\x02\x03\x04\x01\x02\x03"), true)
	f.Add([]byte("\x82\x03\x00\x01\x03"), false)
	f.Add([]byte("\x89\x00\x8a\x00\x88\x00"), false)
	f.Fuzz(func(t *testing.T, data []byte, server bool) {
		r := newFramed(discard{}, bufio.NewReader(bytes.NewReader(data)), server)
		got, _ := io.ReadAll(io.LimitReader(r, int64(len(data))+1))
		if len(got) > len(data) {
			t.Errorf("%d bytes of %d", len(got), len(data))
		}

		var sent kept
		w := newFramed(&sent, nil, server)
		if _, err := w.Write(data); err != nil {
			t.Fatal(err)
		}
		back := newFramed(discard{}, bufio.NewReader(&sent.b), !server)
		if got, _ := io.ReadAll(back); !bytes.Equal(got, data) {
			t.Errorf("%x came back as %x", data, got)
		}
	})
}

type discard struct{ net.Conn }

func (discard) Write(p []byte) (int, error) { return len(p), nil }

type kept struct {
	net.Conn
	b bytes.Buffer
}

func (k *kept) Write(p []byte) (int, error) { return k.b.Write(p) }

// FuzzFind: a word of a request is a message of Noise or nothing.
func FuzzFind(f *testing.F) {
	f.Add(hide(make([]byte, 34)))
	f.Add("")
	f.Fuzz(func(t *testing.T, word string) {
		first, err := find(word)
		if err != nil {
			return
		}
		if len(first) == 0 || len(first) > maxFirst {
			t.Errorf("%d bytes", len(first))
		}
		if again, err := find(hide(first)); err != nil || !bytes.Equal(again, first) {
			t.Errorf("%x came back as %x, %v", first, again, err)
		}
		if _, err := base64.RawURLEncoding.DecodeString(word); err != nil {
			t.Error(err)
		}
	})
}

// FuzzPairs: a file of certificates has pairs or none.
func FuzzPairs(f *testing.F) {
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, p := range pairs(data) {
			if p.cert == nil || p.key == nil {
				t.Error("half a pair")
			}
		}
	})
}

// FuzzSettings: taking settings out leaves all other bytes.
func FuzzSettings(f *testing.F) {
	f.Add([]byte("\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x01\x00\x00\x10\x00rest"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if out := withoutNews(bytes.Clone(data)); len(out) > len(data) {
			t.Errorf("%x became %x", data, out)
		}
	})
}

// What a visitor has sent counts until its request is whole, whatever the server is made to
// write meanwhile: TLS answers a change of keys, and HTTP/2 a ping.
func TestRequestsCountBesideAnswers(t *testing.T) {
	v := &visitor{Conn: endless{}, visits: newVisits(1 << 20)}
	v.weight.Store(1)
	n := 0
	for buf := make([]byte, 1024); n < 1<<12; n++ {
		if _, err := v.Read(buf); err != nil {
			break
		}
		v.Write(make([]byte, 40))
	}
	if most := freeRequest/1024 + 1<<20/1024 + 64; n > most {
		t.Errorf("%d KiB of one request were read in a room of 1 MiB", n)
	}
	if left := v.visits.waiting.Load(); left != 0 {
		t.Errorf("%d bytes stay counted", left)
	}
}

// hasty is a connection that is closed while bytes come.
type hasty struct {
	endless
	v *visitor
}

func (h hasty) Read(p []byte) (int, error) { h.v.Close(); return len(p), nil }

// A visitor that goes in the middle of a request leaves nothing counted behind.
func TestGoneRequests(t *testing.T) {
	v := &visitor{visits: newVisits(1 << 30)}
	v.Conn = hasty{v: v}
	v.weight.Store(packedWeight)
	v.Read(make([]byte, 1<<20))
	if left := v.visits.waiting.Load(); left != 0 {
		t.Errorf("%d bytes stay counted", left)
	}
}

// done is a scope that is given back.
type done struct {
	network.ConnManagementScope
	times *atomic.Int32
}

func (d done) Done() { d.times.Add(1) }

// A visitor that goes while it comes in leaves nothing behind.
func TestGoneAtTheDoor(t *testing.T) {
	s, scopes := newVisits(1<<20), done{times: new(atomic.Int32)}
	const many = 500_000
	for range many {
		v := &visitor{Conn: endless{}, visits: s}
		closed := make(chan struct{})
		go func() { v.Close(); close(closed) }()
		runtime.Gosched()
		v.enter(scopes)
		<-closed
	}
	if n := len(s.all); n != 0 {
		t.Errorf("%d visitors that are gone are remembered", n)
	}
	if n := scopes.times.Load(); n != many {
		t.Errorf("of %d scopes %d were given back", many, n)
	}
}

// A peer that sends frames without data all the time loses its connection: they would be
// read, and answered, as fast as they come.
func TestFramesWithoutData(t *testing.T) {
	for name, frame := range map[string][]byte{
		"pings": ws.MustCompileFrame(ws.NewPingFrame([]byte("x"))),
		"pongs": ws.MustCompileFrame(ws.NewPongFrame(nil)),
		"empty": ws.MustCompileFrame(ws.NewBinaryFrame(make([]byte, lengthOf))),
	} {
		t.Run(name, func(t *testing.T) {
			ours, theirs := net.Pipe()
			defer ours.Close()
			defer theirs.Close()
			go io.Copy(io.Discard, theirs)
			sent := make(chan int, 1)
			go func() {
				n := 0
				for ; n < 10_000; n++ {
					if _, err := theirs.Write(frame); err != nil {
						break
					}
				}
				theirs.Close()
				sent <- n
			}()
			f := newFramed(ours, newReader(ours), false)
			_, err := f.Read(make([]byte, 1))
			ours.Close()
			if n := <-sent; err != errFrame || n > 1000 {
				t.Errorf("%v after %d frames", err, n)
			}
		})
	}
}

// The body of a refusal is read past if it is short and whole, to the byte; any other ends the
// connection, and none is read without end.
func TestBodiesOfRefusals(t *testing.T) {
	endless := strings.Repeat("400\r\n"+strings.Repeat("x", 1024)+"\r\n", 1000)
	for _, c := range []struct {
		head, body string
		whole      bool
	}{
		{"Content-Length: 0", "", true}, {"Content-Length: 5", "sorry", true}, {"Content-Length: 16384", strings.Repeat("x", 16384), true},
		{"Transfer-Encoding: chunked", "5\r\nsorry\r\n0\r\n\r\n", true}, {"Transfer-Encoding: chunked", "0\r\n\r\n", true},
		{"Content-Length: 5", "so", false}, {"Content-Length: 16385", strings.Repeat("x", 16385), false}, {"Content-Length: 9223372036854775807", "sorry", false}, {"Date: today", "sorry", false},
		{"Transfer-Encoding: chunked", endless + "0\r\n\r\n", false}, {"Transfer-Encoding: chunked", "ffffffffffffffff\r\nsorry\r\n0\r\n\r\n", false}, {"Transfer-Encoding: chunked", "5\r\nsorry", false},
		{"Transfer-Encoding: chunked", "-1\r\n\r\n", false}, {"Transfer-Encoding: chunked", "5;" + strings.Repeat("a", 1<<20) + "\r\nsorry\r\n0\r\n\r\n", false},
		{"Transfer-Encoding: chunked", "0\r\nTrailer: x\r\n\r\n", false},
	} {
		answer, err := http.ReadResponse(bufio.NewReader(strings.NewReader("HTTP/1.1 404 Not Found\r\n"+c.head+"\r\n\r\n")), nil)
		if err != nil {
			t.Fatal(err)
		}
		sent := strings.NewReader(c.body + "next")
		if c.head == "Content-Length: 5" && !c.whole {
			sent = strings.NewReader(c.body)
		}
		r := bufio.NewReader(sent)
		got := skipped(r, answer)
		if read := int(sent.Size()) - sent.Len(); read > 2*maxAnswer+8192 {
			t.Errorf("%s, %.30q: %d bytes were read", c.head, c.body, read)
		}
		if rest, _ := io.ReadAll(r); got != c.whole || got && string(rest) != "next" {
			t.Errorf("%s, %.30q: %v, and then %.30q", c.head, c.body, got, rest)
		}
	}
}
