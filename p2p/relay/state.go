package relay

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"

	"starling/p2p/admission"
	"starling/p2p/directory"
	"starling/p2p/mailbox"
	"starling/p2p/recall"
)

// Files of a relay's state directory.
const (
	keyFile  = "relay.key"  // 32 bytes, the seed of the Ed25519 identity
	mailFile = "mailbox.db" // package mailbox
	peerFile = "relays"     // who is known, and for how long; see recall.Relay
)

const savePeersEvery = 10 * time.Minute

// ErrNewer means that a later version of the program has written a file of the state.
// None of them is changed then.
var ErrNewer = errors.New("the relay's state is of a newer version")

// ErrDamaged means that a file of the state cannot be read, and that no other takes its
// place by itself.
var ErrDamaged = errors.New("the relay's state is damaged")

// LoadKey reads the identity of a node that keeps it, or makes it.
func LoadKey(path string) (crypto.PrivKey, error) { return loadKey(path) }

// WriteFile replaces a file of the state at once, readable for its owner only.
func WriteFile(path string, b []byte) error { return writeFile(path, b) }

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
		return nil, fmt.Errorf("%w: restore %s, or remove it to become another relay", ErrDamaged, path)
	}
	key, err := crypto.UnmarshalEd25519PrivateKey(ed25519.NewKeyFromSeed(seed))
	if err != nil {
		return nil, fmt.Errorf("relay key: %w", err)
	}
	return key, nil
}

// openMail opens the boxes, with the errors of this package.
func openMail(path string, most, logs int) (*mailbox.SQLite, error) {
	store, err := mailbox.OpenSQLite(path, most)
	switch {
	case errors.Is(err, mailbox.ErrNewer):
		return nil, fmt.Errorf("%w: %s", ErrNewer, path)
	case errors.Is(err, mailbox.ErrDamaged):
		return nil, fmt.Errorf("%w: move %s away to begin with an empty mailbox", ErrDamaged, path)
	case err != nil:
		return nil, err
	}
	return store, store.LimitLogs(context.Background(), logs)
}

// writeFile replaces a file at once, readable for its owner only. What was cut short before leaves nothing: there is
// one name for the file in the making.
func writeFile(path string, b []byte) error {
	making := path + ".new"
	if err := os.Remove(making); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(making, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
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

// loadPeers takes over the relays known at the last start. An expired one may still be
// there under the same address.
// What a later version of the program knew is an error: beginning anew would overwrite
// the relay's standing.
func (r *Relay) loadPeers() error {
	path := filepath.Join(r.cfg.StateDir, peerFile)
	b, err := readFile(path, recall.MaxRelay)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var was *recall.Relay
	if err == nil {
		was, err = recall.ParseRelay(b)
	}
	if errors.Is(err, recall.ErrNewer) {
		return fmt.Errorf("%w: %s", ErrNewer, path)
	}
	if err != nil {
		r.log.Warn("what this relay knew of others is damaged; it begins anew, as a new relay does", "file", path, "err", err)
		return nil
	}

	// Charges and convictions first count against relays that are known again.
	r.lobby.register.Remember(was.Known)
	r.lobby.register.Charge(was.Charges)
	r.dir.Convict(was.Liars)
	// With another key the vouchers are for somebody else.
	if d, err := directory.Parse(was.Own); err == nil && d.ID == r.id {
		r.lobby.applicant.Restore(was.Own, was.Vouchers)
	}
	for _, k := range was.Known {
		d, err := directory.Parse(k.Raw)
		if err != nil || d.ID == r.id {
			continue
		}
		r.dir.Add(k.Raw)
		r.book.Hear(d.ID, directory.ForBook(d.Addresses)...)
	}
	return nil
}

// readFile reads a file that is not larger than it may be.
func readFile(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(b)) > most {
		err = fmt.Errorf("more than %d bytes", most)
	}
	return b, err
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
	state := recall.Relay{
		Charges: r.lobby.register.Charges(),
		Liars:   r.dir.Liars(),
		Known:   r.lobby.register.Acquaintances(directory.MaxRelays),
	}
	if raw := r.dir.Signed(r.id); raw != nil {
		state.Own = raw
		state.Vouchers = r.lobby.applicant.Vouchers(raw, admission.Day(r.now()))
	}
	if err := writeFile(filepath.Join(r.cfg.StateDir, peerFile), state.Append(nil)); err != nil {
		r.log.Warn("known relays are not saved", "err", err)
	}
}
