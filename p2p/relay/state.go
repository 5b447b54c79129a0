package relay

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"

	"starling/p2p/directory"
	"starling/p2p/recall"
)

// Files of a relay's state directory.
const (
	keyFile  = "relay.key"  // 32 bytes, the seed of the Ed25519 identity
	mailFile = "mailbox.db" // package mailbox
	peerFile = "relays"     // signed descriptors, see package recall
)

const savePeersEvery = 10 * time.Minute

// loadKey reads the relay's identity, or makes it.
func loadKey(path string) (crypto.PrivKey, error) {
	seed, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		seed = make([]byte, ed25519.SeedSize)
		rand.Read(seed)
		err = writeFile(path, seed)
	}
	if err != nil {
		return nil, fmt.Errorf("relay key: %w", err)
	}
	if len(seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("relay key: %s is damaged; restore it, or remove it to become another relay", path)
	}
	key, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(seed))
	if err != nil {
		return nil, fmt.Errorf("relay key: %w", err)
	}
	return key, nil
}

// writeFile replaces a file at once, readable for its owner only.
func writeFile(path string, b []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*") // 0600
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if e := f.Sync(); err == nil {
		err = e
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// loadPeers takes the relays known last time. Who has expired may still be
// there under the same address.
func (r *Relay) loadPeers() {
	b, err := os.ReadFile(filepath.Join(r.cfg.StateDir, peerFile))
	if err != nil {
		return
	}
	raws, err := recall.ParseDescriptors(b)
	if err != nil {
		r.log.Warn("known relays are damaged and forgotten", "err", err)
		return
	}
	for _, raw := range raws {
		d, err := directory.Parse(raw)
		if err != nil || d.ID == r.id {
			continue
		}
		r.dir.Add(raw)
		r.book.Hear(d.ID, directory.AddrPorts(d.Addresses)...)
	}
}

// keepPeers writes the known relays to disk now and then and at the end.
func (r *Relay) keepPeers(ctx context.Context) error {
	wait := 10 * time.Second
	for {
		select {
		case <-ctx.Done():
			r.savePeers()
			return ctx.Err()
		case <-time.After(wait):
			r.savePeers()
		}
		wait = min(2*wait, savePeersEvery)
	}
}

func (r *Relay) savePeers() {
	b := recall.AppendDescriptors(nil, r.dir.Raw(recall.MaxDescriptors))
	if err := writeFile(filepath.Join(r.cfg.StateDir, peerFile), b); err != nil {
		r.log.Warn("known relays are not saved", "err", err)
	}
}
