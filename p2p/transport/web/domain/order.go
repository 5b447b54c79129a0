package domain

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/crypto/acme"
)

const (
	attemptTime = 2 * time.Minute
	requestTime = 30 * time.Second
	// fewTries is how often a request is made that fails for no fault of ours.
	fewTries = 6
	again    = 2 * time.Second
)

// order gets a certificate.
func (d *Domain) order(ctx context.Context) (*tls.Certificate, error) {
	ctx, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	account, err := d.keep.account()
	if err != nil {
		return nil, err
	}
	web := &http.Transport{Proxy: nil, TLSClientConfig: &tls.Config{RootCAs: d.cfg.Roots}, TLSHandshakeTimeout: requestTime, ResponseHeaderTimeout: requestTime}
	defer web.CloseIdleConnections()
	c := &acme.Client{
		Key: account, DirectoryURL: d.cfg.Directory, UserAgent: "starling",
		HTTPClient: &http.Client{Transport: web, Timeout: requestTime}, RetryBackoff: backoff,
	}
	if _, err := c.Register(ctx, &acme.Account{}, acme.AcceptTOS); err != nil && !errors.Is(err, acme.ErrAccountAlreadyExists) {
		return nil, err
	}

	o, err := c.AuthorizeOrder(ctx, acme.DomainIDs(d.cfg.Name))
	if err != nil {
		return nil, err
	}
	for _, url := range o.AuthzURLs {
		if err := d.prove(ctx, c, url); err != nil {
			return nil, err
		}
	}
	if o, err = c.WaitOrder(ctx, o.URI); err != nil {
		return nil, err
	}
	return d.issue(ctx, c, o)
}

// prove shows the authority that the name is ours.
func (d *Domain) prove(ctx context.Context, c *acme.Client, url string) error {
	z, err := c.GetAuthorization(ctx, url)
	switch {
	case err != nil:
		return err
	case z.Status != acme.StatusPending:
		_, err = c.WaitAuthorization(ctx, url) // it says why
		return err
	}

	for _, challenge := range z.Challenges {
		if challenge.Type != "tls-alpn-01" {
			continue
		}
		cert, err := c.TLSALPN01ChallengeCert(challenge.Token, d.cfg.Name)
		if err != nil {
			return err
		}
		d.show(&cert)
		defer d.show(nil)
		if _, err := c.Accept(ctx, challenge); err != nil {
			return err
		}
		_, err = c.WaitAuthorization(ctx, z.URI)
		return err
	}
	return errNoWay
}

// show sets the proof for the authority.
func (d *Domain) show(cert *tls.Certificate) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.challenge = cert
}

// issue has a new key certified.
func (d *Domain) issue(ctx context.Context, c *acme.Client, o *acme.Order) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{DNSNames: []string{d.cfg.Name}}, key)
	if err != nil {
		return nil, err
	}
	chain, _, err := c.CreateOrderCert(ctx, o.FinalizeURL, request, true)
	if err != nil {
		return nil, err
	}
	return checked(chain, key, d.cfg.Name)
}

// checked makes a certificate of its parts, if it is for the name and the key.
func checked(chain [][]byte, key *ecdsa.PrivateKey, name string) (*tls.Certificate, error) {
	if len(chain) == 0 || len(chain) > maxChain {
		return nil, fmt.Errorf("%w: %d certificates", errWrong, len(chain))
	}
	leaf, err := x509.ParseCertificate(chain[0])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errWrong, err)
	}
	if err := leaf.VerifyHostname(name); err != nil {
		return nil, fmt.Errorf("%w: %w", errWrong, err)
	}
	if !key.PublicKey.Equal(leaf.PublicKey) || !leaf.NotAfter.After(leaf.NotBefore) {
		return nil, fmt.Errorf("%w: it is for another key", errWrong)
	}
	return &tls.Certificate{Certificate: chain, PrivateKey: key, Leaf: leaf}, nil
}

// backoff has a request made again that failed on the way. A refusal of the authority stands:
// the next attempt is not near.
func backoff(n int, _ *http.Request, answer *http.Response) time.Duration {
	if n >= fewTries || answer != nil && answer.StatusCode == http.StatusTooManyRequests {
		return -1
	}
	return again
}
