package web

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/crypto/acme"
)

const (
	rootLife         = 10 * 365 * day
	intermediateLife = 7 * day
	leafLife         = 12 * time.Hour
	maxLeaves        = 16 // addresses with a certificate
	certificateFile  = "web.pem"
	maxCertificate   = 64 << 10 // bytes of the file
)

// errNoName: there is no certificate for a name. It becomes the alert that Caddy sends.
var errNoName = errors.New("web: no certificate for this name")

// Certificates are those of a web server at a bare address, of the kind that Caddy
// makes for itself: a leaf for the address, of an intermediate authority, of an authority
// that nobody trusts. They prove nothing; a prober expects such, and
// expects the same again after a while: they are kept.
type Certificates struct {
	file string // where they are kept, or empty
	name Named  // nil: there is no name

	mu                 sync.Mutex
	root, intermediate pair
	leaves             map[netip.Addr]pair
}

// A pair is a certificate with its key.
type pair struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewCertificates returns the certificates that are kept in a directory, or new ones. With
// an empty name they are not kept. None is made before somebody visits.
func NewCertificates(dir string) *Certificates {
	c := &Certificates{leaves: map[netip.Addr]pair{}}
	if dir != "" {
		c.file = filepath.Join(dir, certificateFile)
		os.Remove(c.file + unfinished)
	}
	return c
}

// A Named has the certificate for a host name, see package domain.
type Named interface {
	// Certificate returns the one for a visitor, nil for none.
	Certificate(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// Site returns the name while there is a certificate for it, else nothing.
	Site() string
}

// For has visitors get the certificate of a name first. Nil is none.
func (c *Certificates) For(name Named) *Certificates {
	c.name = name
	return c
}

// config is how TLS is spoken, as in Caddy 2.6.
func (c *Certificates) config() *tls.Config {
	protocols := []string{"h2", "http/1.1"}
	if c.name != nil {
		protocols = append(protocols, acme.ALPNProto) // as Caddy has it, too
	}
	return &tls.Config{
		GetCertificate: c.get,
		MinVersion:     tls.VersionTLS12,
		NextProtos:     protocols,
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
		CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP256},
	}
}

// get returns the certificate for the address of a connection.
func (c *Certificates) get(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if c.name != nil {
		if cert, err := c.name.Certificate(hello); cert != nil || err != nil {
			return cert, err
		}
	}
	if hello.ServerName != "" {
		return nil, errNoName
	}
	at, err := netip.ParseAddrPort(hello.Conn.LocalAddr().String())
	if err != nil {
		return nil, errNoName
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	leaf, err := c.leaf(at.Addr().Unmap().WithZone(""), time.Now())
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{leaf.cert.Raw, c.intermediate.cert.Raw}, PrivateKey: leaf.key, Leaf: leaf.cert}, nil
}

// leaf returns the certificate of an address, with at least a third of its life left. The
// caller holds the lock.
func (c *Certificates) leaf(a netip.Addr, now time.Time) (pair, error) {
	if c.root.cert == nil && c.file != "" {
		c.load()
	}
	if p, ok := c.leaves[a]; ok && fresh(p, now) {
		return p, nil
	}
	if err := c.renew(now); err != nil {
		return pair{}, err
	}
	if len(c.leaves) >= maxLeaves {
		clear(c.leaves)
	}
	p, err := issue(&x509.Certificate{
		NotBefore: now, NotAfter: now.Add(leafLife), IPAddresses: []net.IP{a.AsSlice()},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}, c.intermediate)
	if err != nil {
		return pair{}, err
	}
	c.leaves[a] = p
	c.save()
	return p, nil
}

// renew makes the authorities that are missing or old. The caller holds the lock.
func (c *Certificates) renew(now time.Time) (err error) {
	if !fresh(c.root, now) {
		if c.root, err = issue(&x509.Certificate{
			Subject:   pkix.Name{CommonName: fmt.Sprintf("Caddy Local Authority - %d ECC Root", now.Year())},
			NotBefore: now, NotAfter: now.Add(rootLife), IsCA: true, BasicConstraintsValid: true, MaxPathLen: 1,
			KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		}, pair{}); err != nil {
			return err
		}
		c.intermediate = pair{}
	}
	if !fresh(c.intermediate, now) {
		if c.intermediate, err = issue(&x509.Certificate{
			Subject:   pkix.Name{CommonName: "Caddy Local Authority - ECC Intermediate"},
			NotBefore: now, NotAfter: now.Add(intermediateLife), IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true,
			KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		}, c.root); err != nil {
			return err
		}
		clear(c.leaves)
	}
	return nil
}

func fresh(p pair, now time.Time) bool {
	if p.cert == nil || now.Before(p.cert.NotBefore.Add(-leafLife)) {
		return false
	}
	return p.cert.NotAfter.Sub(now) > p.cert.NotAfter.Sub(p.cert.NotBefore)/3
}

// issue makes a certificate with a new key. Without an issuer it signs itself.
func issue(template *x509.Certificate, by pair) (pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return pair{}, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 128))
	if err != nil {
		return pair{}, err
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		return pair{}, err
	}
	id := sha1.Sum(point) // RFC 5280, section 4.2.1.2

	template.SerialNumber, template.SubjectKeyId = serial.Add(serial, big.NewInt(1)), id[:]

	parent, signer := by.cert, by.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		return pair{}, err
	}
	cert, err := x509.ParseCertificate(der)
	return pair{cert, key}, err
}

// unfinished ends the name of the file while it is written; one that was cut short goes at the next start.
const unfinished = ".new"

// save writes all of them down. A failure costs a new certificate at the next start.
func (c *Certificates) save() {
	if c.file == "" {
		return
	}
	var out bytes.Buffer
	all := []pair{c.root, c.intermediate}
	for _, p := range c.leaves {
		all = append(all, p)
	}
	for _, p := range all {
		key, err := x509.MarshalECPrivateKey(p.key)
		if err != nil {
			return
		}
		pem.Encode(&out, &pem.Block{Type: "CERTIFICATE", Bytes: p.cert.Raw})
		pem.Encode(&out, &pem.Block{Type: "EC PRIVATE KEY", Bytes: key})
	}
	if os.WriteFile(c.file+unfinished, out.Bytes(), 0o600) == nil {
		os.Rename(c.file+unfinished, c.file)
	}
}

// load reads the file of save, if there is one and it is whole. The caller holds the lock.
func (c *Certificates) load() {
	info, err := os.Stat(c.file)
	if err != nil || info.Size() > maxCertificate {
		return
	}
	data, err := os.ReadFile(c.file)
	if err != nil {
		return
	}

	all := pairs(data)
	if len(all) < 2 || all[1].cert.CheckSignatureFrom(all[0].cert) != nil {
		return
	}
	c.root, c.intermediate = all[0], all[1]
	for _, p := range all[2:] {
		if len(p.cert.IPAddresses) == 1 && p.cert.CheckSignatureFrom(c.intermediate.cert) == nil {
			if a, ok := netip.AddrFromSlice(p.cert.IPAddresses[0]); ok {
				c.leaves[a.Unmap()] = p
			}
		}
	}
}

// pairs reads certificates, each followed by its key.
func pairs(data []byte) (all []pair) {
	for len(all) < maxLeaves+2 {
		var cert, key *pem.Block
		if cert, data = pem.Decode(data); cert == nil {
			return all
		}
		if key, data = pem.Decode(data); key == nil {
			return all
		}
		c, err := x509.ParseCertificate(cert.Bytes)
		if err != nil {
			return all
		}
		k, err := x509.ParseECPrivateKey(key.Bytes)
		if err != nil || !k.PublicKey.Equal(c.PublicKey) {
			return all
		}
		all = append(all, pair{c, k})
	}
	return all
}
