// Package domain gets a certificate for a host name from an authority, by ACME (RFC 8555),
// keeps it, and renews it when a third of its life is left.
//
//	domain.go   a Domain: what the web server asks it, and its life
//	order.go    one attempt to get a certificate
//	keep.go     the files
//	fault.go    why there is none, and a remedy
//
// The authority comes to the port 443 of the name and asks, within TLS, for the proof that
// the order is ours (tls-alpn-01, RFC 8737). It is given to nobody else.
//
// Visitors bring nothing about: orders are made at the start and when a certificate grows
// old, and by nobody's ClientHello. After a failure the next attempt waits, twice as long each
// time, also over restarts, and as long as the authority says. Meanwhile the server
// goes on with the certificate that there is.
package domain

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/acme"
)

const (
	firstAgain, lastAgain = 15 * time.Minute, 12 * time.Hour // after failures
	longestAgain          = 7 * 24 * time.Hour               // by the word of an authority
	soonest               = time.Minute                      // between attempts that the owner asks for
	lookEvery             = time.Hour                        // at a clock that may have been set
	maxName               = 253
)

// Config is how a Domain is made. Name and Dir are required.
type Config struct {
	// Name is the host name. It leads to this machine.
	Name string
	// Dir is where the certificate and the key of the account are kept. It is made if
	// missing, readable for its owner only.
	Dir string
	// Directory is the URL of the authority; empty is Let's Encrypt.
	Directory string
	// Roots are the authorities that may speak for the directory; nil are the system's.
	Roots *x509.CertPool
	// Logger is nil for silence.
	Logger *slog.Logger
	// Now is the time of day; nil is time.Now.
	Now func() time.Time
}

// A Domain is a name with its certificate.
type Domain struct {
	cfg  Config
	log  *slog.Logger
	keep keeper
	wake chan struct{}

	mu        sync.Mutex
	current   *tls.Certificate // nil: there is none yet
	challenge *tls.Certificate // nil: nobody is to be shown anything
	failures  failures
	fault     *Fault // of the last attempt
}

// State is how a Domain is.
type State struct {
	Name string
	// Until is the end of the certificate; zero: there is none.
	Until time.Time
	// Fault is that of the last attempt, nil if it was well; Again is the time of the
	// next.
	Fault *Fault
	Again time.Time
}

var label = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// Check reports whether a name is a full host name, in small letters.
func Check(name string) error {
	if _, err := netip.ParseAddr(name); err == nil {
		return errors.New("it is an address, and no name")
	}
	labels := strings.Split(name, ".")
	if len(name) > maxName || len(labels) < 2 || slices.ContainsFunc(labels, func(l string) bool { return !label.MatchString(l) }) {
		return errors.New("it is no full host name like relay.example.org")
	}
	return nil
}

// New makes a Domain, with the certificate that is kept for it.
func New(cfg Config) (*Domain, error) {
	if err := Check(cfg.Name); err != nil {
		return nil, fmt.Errorf("domain %q: %w", cfg.Name, err)
	}
	if cfg.Directory == "" {
		cfg.Directory = acme.LetsEncryptURL
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	d := &Domain{cfg: cfg, log: cfg.Logger, wake: make(chan struct{}, 1)}
	if d.log == nil {
		d.log = slog.New(slog.DiscardHandler)
	}

	var err error
	if d.keep, err = newKeeper(cfg.Dir); err != nil {
		return nil, err
	}
	d.current = d.keep.certificate(cfg.Name)
	d.failures = d.keep.failures(cfg.Name, cfg.Directory)
	return d, nil
}

// Certificate returns the one for a visitor: for a hello with the name, and for one without
// any. With nil the server goes on as without a Domain. Only a hello that names the
// challenge's protocol and nothing else is shown a proof, while an order needs one.
func (d *Domain) Certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	named := strings.EqualFold(hello.ServerName, d.cfg.Name)
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(hello.SupportedProtos) == 1 && hello.SupportedProtos[0] == acme.ALPNProto {
		if !named || d.challenge == nil {
			return nil, errNoChallenge
		}
		return d.challenge, nil
	}
	if named || hello.ServerName == "" {
		return d.current, nil
	}
	return nil, nil
}

// Site returns the name while visitors get a certificate for it, else nothing.
func (d *Domain) Site() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.current == nil || !d.current.Leaf.NotAfter.After(d.cfg.Now()) {
		return ""
	}
	return d.cfg.Name
}

var errNoChallenge = errors.New("domain: no order waits for this")

// State returns how it is now.
func (d *Domain) State() State {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := State{Name: d.cfg.Name, Fault: d.fault}
	if d.current != nil {
		s.Until = d.current.Leaf.NotAfter
	}
	if d.fault != nil {
		s.Again = d.failures.Again
	}
	return s
}

// Again asks for an attempt now, if one is wanted and the authority has not said when: the
// owner has mended something.
func (d *Domain) Again() {
	select {
	case d.wake <- struct{}{}:
	default:
	}
}

// Run gets and renews the certificate until ctx ends.
func (d *Domain) Run(ctx context.Context) {
	for {
		wait := min(d.wait(), lookEvery)
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-d.wake:
			timer.Stop()
			d.hurry()
		case <-timer.C:
		}
		if d.wait() <= 0 {
			d.attempt(ctx)
		}
	}
}

// wait returns for how long no attempt is due.
func (d *Domain) wait() time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.cfg.Now()
	due := now
	if d.current != nil {
		due = old(d.current)
	}
	// A clock that was set back makes nobody wait longer than was said.
	if again := d.failures.Again; again.After(due) && again.Sub(now) <= longestAgain {
		due = again
	}
	return due.Sub(now)
}

// old returns from when on a certificate is to be renewed.
func old(c *tls.Certificate) time.Time {
	return c.Leaf.NotAfter.Add(-c.Leaf.NotAfter.Sub(c.Leaf.NotBefore) / 3)
}

// hurry forgets a wait of ours, and none of the authority's.
func (d *Domain) hurry() {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.cfg.Now()
	if f := &d.failures; !f.Limited && f.Again.After(now) && now.Sub(f.Last) >= soonest {
		f.Again = now
	}
}

// attempt orders a certificate once, and notes the outcome.
func (d *Domain) attempt(ctx context.Context) {
	got, err := d.order(ctx)
	if ctx.Err() != nil {
		return
	}
	if err == nil {
		if err = d.keep.save(got); err != nil {
			err = fmt.Errorf("the certificate is not kept: %w", err)
		} else if !old(got).After(d.cfg.Now()) {
			err = errOld // otherwise one would be ordered after the other
		}
	}

	var fault *Fault
	var f failures
	if err != nil {
		fault = faultOf(err, d.cfg)
		f = d.failed().more(d.cfg.Now(), fault)
	}
	d.keep.note(d.cfg.Name, d.cfg.Directory, f)

	d.mu.Lock()
	d.fault, d.failures = fault, f
	if got != nil {
		d.current = got // also if the disk is full
	}
	d.mu.Unlock()

	if err == nil {
		d.log.Info("there is a certificate for the domain", "domain", d.cfg.Name, "until", got.Leaf.NotAfter.Format(time.DateOnly))
		return
	}
	d.log.Warn("there is no new certificate for the domain", "domain", d.cfg.Name, "why", fault.Why, "remedy", fault.Remedy, "again", f.Again.Format(time.RFC3339))
}

func (d *Domain) failed() failures {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.failures
}

// failures are those in a row.
type failures struct {
	Count int       `json:"count"`
	Last  time.Time `json:"last"`
	Again time.Time `json:"again"`
	// Limited: the authority has said when.
	Limited bool `json:"limited"`
}

// more adds one.
func (f failures) more(now time.Time, fault *Fault) failures {
	wait := min(firstAgain<<min(f.Count, 10), lastAgain)
	f.Limited = fault.wait > wait
	if f.Limited {
		wait = min(fault.wait, longestAgain)
	}
	f.Count, f.Last, f.Again = f.Count+1, now, now.Add(wait)
	return f
}
