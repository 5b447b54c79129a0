package web

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"net/http/httputil"
	"net/netip"
	"strconv"
	"strings"
	"time"

	utls "github.com/refraction-networking/utls"

	"starling/p2p/book"
	"starling/p2p/wire"
)

const (
	maxAnswer  = 16 << 10 // bytes of the head of an answer
	maxFirst   = 64       // bytes of the first message of Noise: it has 34
	maxPadding = 96       // random bytes behind it
	maxTarget  = 512
)

// ask makes TLS with a web server. The upgrade follows when Noise has its first message.
func (t *Transport) ask(ctx context.Context, tcp net.Conn, to netip.AddrPort, relay wire.NodeID) (*asking, error) {
	ctx, cancel := context.WithTimeout(ctx, HandshakeTime)
	defer cancel()
	b := t.cfg.Browser
	if t.cfg.Disguise != nil {
		b = t.cfg.Disguise.Browser()
	}
	at, site := to.String(), t.site(relay, to)
	if site != "" {
		at = net.JoinHostPort(site, strconv.Itoa(int(to.Port())))
	}

	u, err := b.client(tcp, site)
	if err != nil {
		return nil, err
	}
	err = u.HandshakeContext(ctx)
	// A call that we have given up says nothing about the disguise.
	if t.cfg.Disguise != nil && !errors.Is(ctx.Err(), context.Canceled) {
		t.cfg.Disguise.Passed(relay, b, err == nil)
	}
	if err != nil {
		return nil, &DialError{Step: StepTLS, Err: err}
	}

	// Browsers offer HTTP/2, which has no upgrade of this kind.
	if p := u.ConnectionState().NegotiatedProtocol; p != "" && p != "http/1.1" {
		return nil, &DialError{Step: StepTLS, Err: fmt.Errorf("the server speaks %q", p)}
	}
	return &asking{framed: newFramed(u, newReader(u), false), u: u, t: t, browser: b, at: at, relay: relay}, nil
}

// site returns the host name that is said to a relay at an address. It is the relay's word,
// and nobody is asked where it leads.
func (t *Transport) site(relay wire.NodeID, at netip.AddrPort) string {
	if t.cfg.Name == nil {
		return ""
	}
	if name := t.cfg.Name(relay, at); book.HostName(name) {
		return name
	}
	return ""
}

// asking is a client's connection: the first message goes out with the request, and the
// first Read waits for the answer.
type asking struct {
	*framed
	u       *utls.UConn
	t       *Transport
	browser Browser
	at      string
	relay   wire.NodeID
	status  int // of the last answer

	first  []byte
	asked  bool
	failed error
}

// Write implements net.Conn.
func (a *asking) Write(p []byte) (int, error) {
	if a.asked {
		return a.framed.Write(p)
	}
	if len(a.first)+len(p) > maxFirst {
		return 0, errors.New("web: more than the first message before the answer")
	}
	a.first = append(a.first, p...)
	return len(p), nil
}

// Read implements net.Conn.
func (a *asking) Read(p []byte) (int, error) {
	if !a.asked {
		a.asked = true
		if err := a.upgrade(); err != nil {
			a.failed = err
		}
	}
	if a.failed != nil {
		return 0, a.failed
	}
	return a.framed.Read(p)
}

// upgrade asks for the WebSocket, and once more at the path of the server's own day
// if the server has another than we.
func (a *asking) upgrade() error {
	a.SetDeadline(time.Now().Add(HandshakeTime))
	defer a.SetDeadline(time.Time{})
	ours := a.t.cfg.Now()
	theirs, again, err := a.try(ours)
	if err == nil {
		return nil
	}
	skew := theirs.Sub(ours)
	if !again || theirs.IsZero() || leads(Path(a.relay, ours), a.relay, theirs) {
		if theirs.IsZero() {
			skew = 0
		}
		return &DialError{Step: StepUpgrade, Skew: skew, Status: a.status, Err: err}
	}
	if _, _, err = a.try(theirs); err != nil {
		return &DialError{Step: StepUpgrade, Skew: skew, Status: a.status, Err: err}
	}
	return nil
}

// try sends one request and reads the answer. It returns the server's time if the
// server refuses, and whether the connection can take another request.
func (a *asking) try(now time.Time) (theirs time.Time, again bool, err error) {
	var key [16]byte
	rand.Read(key[:])
	if _, err := a.u.Write(a.browser.request(a.at, Path(a.relay, now)+"?s="+hide(a.first), key)); err != nil {
		return theirs, false, err
	}

	head := &io.LimitedReader{R: a.r, N: maxAnswer}
	lines, err := readHead(head)
	if err != nil {
		return theirs, false, fmt.Errorf("%w: %w", ErrNoWebSocket, err)
	}
	answer, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(lines)), &http.Request{Method: http.MethodGet})
	if err != nil {
		return theirs, false, fmt.Errorf("%w: %w", ErrNoWebSocket, err)
	}
	a.status = answer.StatusCode
	if answer.StatusCode != http.StatusSwitchingProtocols {
		theirs, _ = http.ParseTime(answer.Header.Get("Date"))
		return theirs, !answer.Close && skipped(a.r, answer), fmt.Errorf("%w: it says %d", ErrNotRelay, answer.StatusCode)
	}
	if answer.Header.Get("Sec-WebSocket-Accept") != accept(base64.StdEncoding.EncodeToString(key[:])) || !strings.EqualFold(answer.Header.Get("Upgrade"), "websocket") {
		return theirs, false, ErrNoWebSocket
	}
	return theirs, false, nil
}

// skipped reads past a short body of an answer, and reports whether it could.
func skipped(r *bufio.Reader, answer *http.Response) bool {
	if n := answer.ContentLength; n >= 0 && n <= maxAnswer {
		_, err := io.CopyN(io.Discard, r, n)
		return err == nil
	}
	if len(answer.TransferEncoding) != 1 || answer.TransferEncoding[0] != "chunked" {
		return false
	}
	n, err := io.Copy(io.Discard, io.LimitReader(httputil.NewChunkedReader(r), maxAnswer+1))
	if err != nil || n > maxAnswer {
		return false
	}
	end := make([]byte, 2) // trailers are nobody's
	_, err = io.ReadFull(r, end)
	return err == nil && string(end) == "\r\n"
}

// readHead reads up to the empty line of an answer, and no byte more.
func readHead(r io.Reader) ([]byte, error) {
	var head []byte
	b := make([]byte, 1)
	for !bytes.HasSuffix(head, []byte("\r\n\r\n")) {
		if _, err := io.ReadFull(r, b); err != nil {
			return nil, err
		}
		head = append(head, b[0])
	}
	return head, nil
}

// hide writes the first message of Noise as a word of a URL: length, message and random
// bytes in URL-safe base64.
func hide(first []byte) string {
	b := append([]byte{byte(len(first))}, first...)
	pad := make([]byte, mathrand.IntN(maxPadding))
	rand.Read(pad)
	return base64.RawURLEncoding.EncodeToString(append(b, pad...))
}

// find is the inverse of hide.
func find(word string) ([]byte, error) {
	if len(word) > maxTarget {
		return nil, errFrame
	}
	b, err := base64.RawURLEncoding.DecodeString(word)
	if err != nil || len(b) == 0 || b[0] == 0 || b[0] > maxFirst || len(b) < 1+int(b[0]) || len(b) > 1+int(b[0])+maxPadding {
		return nil, errFrame
	}
	return b[1 : 1+int(b[0])], nil
}
