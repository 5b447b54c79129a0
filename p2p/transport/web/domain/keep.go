package domain

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Files of the folder, each for its owner alone.
const (
	accountFile     = "account.pem"     // the key of the account
	certificateFile = "certificate.pem" // a key, its certificate, and the authorities'
	failuresFile    = "failures.json"
)

const (
	maxFile  = 256 << 10
	maxChain = 8
)

const keyBlock, certBlock = "EC PRIVATE KEY", "CERTIFICATE"

// A keeper has the files.
type keeper struct{ dir string }

func newKeeper(dir string) (keeper, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return keeper{}, fmt.Errorf("certificates: %w", err)
	}
	k := keeper{dir}
	for _, name := range []string{accountFile, certificateFile, failuresFile} {
		if err := os.Remove(k.making(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return keeper{}, fmt.Errorf("certificates: %w", err)
		}
	}
	return k, nil
}

// making is where a file is made; one that was cut short goes at the next start.
func (k keeper) making(name string) string { return filepath.Join(k.dir, name+".new") }

// read returns a file, an error if it is too large or is not there.
func (k keeper) read(name string) ([]byte, error) {
	f, err := os.Open(filepath.Join(k.dir, name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if len(b) > maxFile {
		return nil, fmt.Errorf("certificates: %s is too large", name)
	}
	return b, err
}

// write writes a file, whole or not at all.
func (k keeper) write(name string, data []byte) error {
	temporary := k.making(name)
	f, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(temporary, filepath.Join(k.dir, name))
}

// account returns the key of the account, a new one if there is none or it is damaged:
// an account costs nothing, and nothing hangs on it.
func (k keeper) account() (*ecdsa.PrivateKey, error) {
	b, err := k.read(accountFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if block, _ := pem.Decode(b); block != nil && block.Type == keyBlock {
		if key, err := x509.ParseECPrivateKey(block.Bytes); err == nil && key.Curve == elliptic.P256() {
			return key, nil
		}
	}

	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return key, k.write(accountFile, pem.EncodeToMemory(&pem.Block{Type: keyBlock, Bytes: der}))
}

// save keeps a certificate.
func (k keeper) save(c *tls.Certificate) error {
	key, ok := c.PrivateKey.(*ecdsa.PrivateKey)
	if !ok {
		return errors.New("a key of another kind")
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	pem.Encode(&out, &pem.Block{Type: keyBlock, Bytes: der})
	for _, cert := range c.Certificate {
		pem.Encode(&out, &pem.Block{Type: certBlock, Bytes: cert})
	}
	return k.write(certificateFile, out.Bytes())
}

// certificate returns the one that is kept, if it is whole and for the name.
func (k keeper) certificate(name string) *tls.Certificate {
	b, err := k.read(certificateFile)
	if err != nil {
		return nil
	}
	c, err := parse(b, name)
	if err != nil {
		return nil
	}
	return c
}

// parse reads the file of save.
func parse(b []byte, name string) (*tls.Certificate, error) {
	block, rest := pem.Decode(b)
	if block == nil || block.Type != keyBlock {
		return nil, errWrong
	}
	key, err := x509.ParseECPrivateKey(block.Bytes)
	if err != nil {
		return nil, errWrong
	}
	var chain [][]byte
	for block, rest = pem.Decode(rest); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != certBlock || len(chain) == maxChain {
			return nil, errWrong
		}
		chain = append(chain, block.Bytes)
	}
	if len(bytes.TrimSpace(rest)) > 0 {
		return nil, errWrong
	}
	return checked(chain, key, name)
}

// noted are failures with their name and authority.
type noted struct {
	Name      string `json:"name"`
	Directory string `json:"directory"`
	failures
}

// note keeps the failures. If it cannot, the next start is too early once.
func (k keeper) note(name, directory string, f failures) {
	if b, err := json.Marshal(noted{name, directory, f}); err == nil {
		k.write(failuresFile, b)
	}
}

// failures returns those that are kept for a name.
func (k keeper) failures(name, directory string) failures {
	var n noted
	b, err := k.read(failuresFile)
	if err != nil || json.Unmarshal(b, &n) != nil || n.Name != name || n.Directory != directory || n.Count < 0 {
		return failures{}
	}
	return n.failures
}
