package domain

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"golang.org/x/crypto/acme"
)

var (
	errNoWay = errors.New("the authority does not ask over TLS (tls-alpn-01)")
	errWrong = errors.New("the authority's certificate is not what was ordered")
	errOld   = errors.New("the authority's new certificate is old already, by the clock of this machine")
)

// maxWords is how much of an authority's words is passed on.
const maxWords = 300

// A Fault says why an attempt came to nothing.
type Fault struct {
	Why, Remedy string
	// wait is how long the authority wants no other attempt.
	wait time.Duration
}

// remedies are by the end of the type of a problem (RFC 8555, section 6.7).
var remedies = map[string]string{
	"dns":                "let %[1]s lead to this machine: an A record, or an AAAA record, with its address",
	"connection":         "open port 443 of this machine to everybody, and forward it to the relay: the authority comes to %[1]s there",
	"tls":                "let nothing but the relay answer at port 443 of %[1]s, and let %[1]s lead to no other machine",
	"unauthorized":       "let nothing but the relay answer at port 443 of %[1]s, and let %[1]s lead to no other machine",
	"caa":                "the CAA record of %[1]s forbids this authority: change it",
	"rejectedIdentifier": "the authority makes none for %[1]s: take another name, or another authority with --acme-directory",
	"rateLimited":        "there is nothing to do but wait: the authority has had too many orders for %[1]s",
}

// faultOf puts an error of an attempt into words.
func faultOf(err error, cfg Config) *Fault {
	f := &Fault{Why: words(err.Error()), Remedy: fmt.Sprintf("let this machine reach %s, and wait", host(cfg.Directory))}
	var problem *acme.Error
	var refused *acme.AuthorizationError
	var order *acme.OrderError
	switch {
	case errors.As(err, &refused) && len(refused.Errors) > 0:
		if !errors.As(refused.Errors[0], &problem) {
			f.Why = words(refused.Errors[0].Error())
		}
	case errors.As(err, &order) && order.Problem != nil:
		problem = order.Problem
	case errors.As(err, &problem):
	case errors.Is(err, errNoWay), errors.Is(err, errWrong):
		f.Remedy = "take another authority with --acme-directory"
	case errors.Is(err, errOld):
		f.Remedy = "set the clock of this machine; if it is right, take another authority with --acme-directory"
	case errors.Is(err, context.DeadlineExceeded):
		f.Why = "the authority does not answer in time"
	case errors.As(err, new(*url.Error)):
	default:
		f.Remedy = "mend the folder of the relay: it must be writable, and have room"
	}

	if problem != nil {
		kind := problem.ProblemType[strings.LastIndexByte(problem.ProblemType, ':')+1:]
		f.Why = words(problem.Detail)
		if f.Why == "" {
			f.Why = fmt.Sprintf("the authority refuses: %d %s", problem.StatusCode, words(kind))
		}
		f.Remedy = "read what the authority says"
		if remedy, ok := remedies[kind]; ok {
			f.Remedy = fmt.Sprintf(remedy, cfg.Name)
		}
		f.wait, _ = acme.RateLimit(problem)
	}
	return f
}

// words makes an authority's text one that is safe to show.
func words(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r > '~' {
			return ' '
		}
		return r
	}, s)
	if len(s) > maxWords {
		s = s[:maxWords] + " ..."
	}
	return strings.TrimSpace(s)
}

// host returns the authority's name.
func host(directory string) string {
	if u, err := url.Parse(directory); err == nil && u.Host != "" {
		return u.Host
	}
	return directory
}
