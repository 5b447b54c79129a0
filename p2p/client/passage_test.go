package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/multiformats/go-multiaddr"
	utls "github.com/refraction-networking/utls"

	"starling/p2p/book"
	"starling/p2p/host"
	"starling/p2p/link"
	"starling/p2p/transport/web"
)

// TestOutcomes: each way that a way in can answer has its name, also among several
// addresses.
func TestOutcomes(t *testing.T) {
	portal := utls.RecordHeaderError{RecordHeader: [5]byte{'H', 'T', 'T', 'P', '/'}}
	ssh := utls.RecordHeaderError{RecordHeader: [5]byte{'S', 'S', 'H', '-', '2'}}
	for name, c := range map[string]struct {
		err  error
		want Outcome
	}{
		"nothing":             {nil, Connected},
		"refused":             {&web.DialError{Step: web.StepConnect, Err: &net.OpError{Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}}, Refused},
		"no answer":           {&web.DialError{Step: web.StepConnect, Err: os.ErrDeadlineExceeded}, Silent},
		"no way":              {&web.DialError{Step: web.StepConnect, Err: syscall.ENETUNREACH}, Unreachable},
		"reset at TLS":        {&web.DialError{Step: web.StepTLS, Err: syscall.ECONNRESET}, CutOff},
		"silent at TLS":       {&web.DialError{Step: web.StepTLS, Err: context.DeadlineExceeded}, Frozen},
		"a portal, HTTP":      {&web.DialError{Step: web.StepTLS, Err: portal}, Portal},
		"SSH":                 {&web.DialError{Step: web.StepTLS, Err: ssh}, NotRelay},
		"a portal, HTTPS":     {&web.DialError{Step: web.StepUpgrade, Status: 302, Err: web.ErrNotRelay}, Portal},
		"a portal, 511":       {&web.DialError{Step: web.StepUpgrade, Status: 511, Err: web.ErrNotRelay}, Portal},
		"a web server":        {&web.DialError{Step: web.StepUpgrade, Status: 200, Err: web.ErrNotRelay}, NotRelay},
		"another day":         {&web.DialError{Step: web.StepUpgrade, Status: 200, Skew: 50 * time.Hour, Err: web.ErrNotRelay}, ClockOff},
		"another key":         {&web.DialError{Step: web.StepInner, Err: sec.ErrPeerIDMismatch{}}, WrongKey},
		"a broken handshake":  {&web.DialError{Step: web.StepInner, Err: errors.New("noise")}, WrongKey},
		"plain, no answer":    {&net.OpError{Op: "dial", Err: context.DeadlineExceeded}, Silent},
		"plain, then nothing": {fmt.Errorf("negotiate: %w", context.DeadlineExceeded), Frozen},
		"no hello":            {fmt.Errorf("%w: eof", link.ErrSilent), NoHello},
		"over a bridge":       {&web.PipeError{}, BridgeFailed},
	} {
		if got, _ := outcomeOf(c.err); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
		if c.err == nil {
			continue
		}
		if got, _ := outcomeOf(&host.DialError{Tries: []host.Try{{Err: errors.New("first")}, {Err: c.err}}}); got != c.want {
			t.Errorf("%s, the second: %s", name, got)
		}
	}
	if _, skew := outcomeOf(&web.DialError{Step: web.StepUpgrade, Skew: -50 * time.Hour, Err: web.ErrNotRelay}); skew != -50*time.Hour {
		t.Errorf("skew %v", skew)
	}
}

// TestWaysBounded: of the ways in that were tried the last are remembered; relays of this
// machine are dialled as often as one likes, others are not.
func TestWaysBounded(t *testing.T) {
	p := newPassage(nil, func() string { return "" }, nil, func() {})
	at := func(s string) []book.Address {
		a, _ := book.AddressOf(multiaddr.StringCast(s))
		return []book.Address{a}
	}
	for i := range 100 {
		id := NodeID{1, byte(i)}
		p.Began(id, at("/ip4/11.0.0.1/tcp/443"))
		p.Ended(id, book.Listed, at("/ip4/11.0.0.1/tcp/443"), nil)
	}
	if got := len(p.tried()); got != maxWays {
		t.Errorf("%d ways", got)
	}
	for range 3 {
		p.Began(NodeID{2}, at("/ip4/127.0.0.1/tcp/443"))
		p.Began(NodeID{3}, at("/ip4/11.0.0.1/tcp/443"))
	}
	if p.Wait(NodeID{2}) != 0 || p.Wait(NodeID{3}) == 0 {
		t.Error("the pace is that of the other")
	}
}

// TestGivenUpIsNoHandshake: attempts that were given up before anybody answered put off no
// later one.
func TestGivenUpIsNoHandshake(t *testing.T) {
	p := newPassage(nil, func() string { return "" }, nil, func() {})
	a, _ := book.AddressOf(multiaddr.StringCast("/ip4/11.0.0.1/tcp/443"))
	try := func(err error) {
		p.Began(NodeID{1}, []book.Address{a})
		p.GivenUp(NodeID{1}, err)
	}
	for range 3 {
		try(&host.DialError{Tries: []host.Try{{Err: &web.DialError{Step: web.StepConnect, Err: context.Canceled}}}})
	}
	if wait := p.Wait(NodeID{1}); wait != 0 {
		t.Errorf("the next one waits %v", wait)
	}
	for range 2 {
		try(&web.DialError{Step: web.StepTLS, Err: context.Canceled})
	}
	if p.Wait(NodeID{1}) == 0 {
		t.Error("handshakes that were broken off do not count")
	}
}
