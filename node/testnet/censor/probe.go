package censor

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"time"
)

// A Dial connects to the address that is asked.
type Dial func(context.Context) (net.Conn, error)

// hush is how long an answer may take, and how long a server may say nothing more.
const hush = 3 * time.Second

// A probe is one question, and the answers of web servers.
type probe struct {
	name string
	bare bool   // without TLS
	sent []byte // after the handshake, if there is one
	may  func(answer []byte) bool
}

func request(lines ...string) []byte {
	return []byte(strings.Join(lines, "\r\n") + "\r\n\r\n")
}

// speaksHTTP: a status line. A web server that is asked something in HTTP answers that.
func speaksHTTP(answer []byte) bool { return bytes.HasPrefix(answer, []byte("HTTP/1.")) }

// refuses: a status line of an error, or nothing.
func refuses(answer []byte) bool {
	return len(answer) == 0 || bytes.HasPrefix(answer, []byte("HTTP/1.1 4")) || bytes.HasPrefix(answer, []byte("HTTP/1.0 4"))
}

// staysHTTP: it does not change to frames on a path that nobody gave away.
func staysHTTP(answer []byte) bool {
	return speaksHTTP(answer) && !bytes.HasPrefix(answer, []byte("HTTP/1.1 101"))
}

// alerts: to bytes that are no TLS it answers with an alert, a sentence in HTTP, or not at all.
func alerts(answer []byte) bool {
	return len(answer) == 0 || answer[0] == 21 || speaksHTTP(answer)
}

// greets: a hello of a server, or an alert, as to a hello that came before.
func greets(answer []byte) bool {
	return len(answer) > 5 && (answer[0] == 22 && answer[5] == 2 || answer[0] == 21)
}

// probes is the list, for an address where a user's connection began with some bytes.
func probes(first []byte) []probe {
	garbage := make([]byte, 200)
	rand.Read(garbage)
	upgrade := []string{"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: 2e+X9gKqsFVSj49CCkLVsw=="}
	all := []probe{
		{"get", false, request("GET / HTTP/1.1", "Host: example.org"), speaksHTTP},
		{"file", false, request("GET /favicon.ico HTTP/1.1", "Host: example.org"), speaksHTTP},
		{"head", false, request("HEAD / HTTP/1.0"), speaksHTTP},
		{"unknown method", false, request("FOO / HTTP/1.1", "Host: example.org"), speaksHTTP},
		{"upgrade at the root", false, request(append([]string{"GET / HTTP/1.1", "Host: example.org"}, upgrade...)...), staysHTTP},
		{"upgrade on a wrong path", false, request(append([]string{"GET /AAAAAAAAAAAAAAAAAAAAAA HTTP/1.1", "Host: example.org"}, upgrade...)...), staysHTTP},
		{"bad header", false, request("GET / HTTP/1.1", "Host: example.org", "A b: 1"), refuses},
		{"garbage in TLS", false, append(garbage, "\r\n\r\n"...), refuses},
		{"multistream in TLS", false, append([]byte("\x13/multistream/1.0.0\n"), "\r\n\r\n"...), refuses},
		{"garbage", true, garbage, alerts},
		{"multistream", true, []byte("\x13/multistream/1.0.0\n"), alerts},
		{"HTTP without TLS", true, request("GET / HTTP/1.1", "Host: example.org"), alerts},
		{"SSH", true, []byte("SSH-2.0-OpenSSH_9.2p1\r\n"), alerts},
	}
	if KindOf(first) == TLS {
		all = append(all, probe{"replay", true, first, greets})
	}
	return all
}

// Inspect asks an address all probes, one after the other. The verdict is the name of the
// first one with an answer of no web server; "" if there is none, or nobody is there.
func Inspect(ctx context.Context, dial Dial, first []byte) (asked int, verdict string) {
	for _, p := range probes(first) {
		asked++
		answer, err := p.ask(ctx, dial)
		switch {
		case ctx.Err() != nil:
			return asked, ""
		case err != nil && !p.bare:
			var refused *net.OpError
			if errors.As(err, &refused) && refused.Op == "dial" {
				return asked, "" // nobody is there
			}
			return asked, "no TLS"
		case err == nil && !p.may(answer):
			return asked, p.name
		}
	}
	return asked, ""
}

// most is how much of an answer is read.
const most = 4096

func (p probe) ask(ctx context.Context, dial Dial) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*hush)
	defer cancel()
	c, err := dial(ctx)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	if !p.bare {
		t := tls.Client(c, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
		if err := t.HandshakeContext(ctx); err != nil {
			return nil, err
		}
		c = t
	}

	if _, err := c.Write(p.sent); err != nil {
		return nil, nil // it hung up
	}
	c.SetReadDeadline(time.Now().Add(hush))
	answer, _ := io.ReadAll(io.LimitReader(oneAnswer{c}, most))
	return answer, nil
}

// oneAnswer ends soon after the first bytes came.
type oneAnswer struct{ net.Conn }

// Read implements io.Reader.
func (o oneAnswer) Read(b []byte) (int, error) {
	n, err := o.Conn.Read(b)
	o.SetReadDeadline(time.Now().Add(hush / 30))
	return n, err
}
