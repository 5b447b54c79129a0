package relay

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/crypto"

	"starling/p2p/admission"
	"starling/p2p/directory"
	"starling/p2p/outfox"
	"starling/p2p/recall"
	"starling/p2p/wire"
)

// opened is a relay that does not run, with a state of its own.
func opened(t *testing.T, dir string, log *slog.Logger) *Relay {
	t.Helper()
	r, err := New(Config{StateDir: dir, Listen: []string{"/ip4/127.0.0.1/tcp/0"}, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// signed is a descriptor of somebody at an address.
func signed(t *testing.T, key crypto.PrivKey, at string) (wire.NodeID, []byte) {
	t.Helper()
	id, err := wire.NodeIDFromKey(key.GetPublic())
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().Truncate(time.Second)
	d := directory.Descriptor{
		ID: id, Sequence: 1, Issued: now, Expires: now.Add(24 * time.Hour), Capacity: 1, Epoch: directory.FirstEpoch(now),
		Addresses: []directory.Address{{AddrPort: netip.MustParseAddrPort(at)}},
	}
	for i := range d.Keys {
		k, err := outfox.NewPrivateKey()
		if err != nil {
			t.Fatal(err)
		}
		d.Keys[i] = k.Public()
	}
	raw, err := d.Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	return id, raw
}

func newKey(t *testing.T) crypto.PrivKey {
	t.Helper()
	key, _, err := crypto.GenerateEd25519Key(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// TestRestart: how long others have been reached, our vouchers, and the record of wrong
// vouchers and of two faces outlive a restart; and nobody is old by the word of the disk
// alone, or at another address.
func TestRestart(t *testing.T) {
	const age = 30 * 24 * time.Hour
	dir := t.TempDir()
	r := opened(t, dir, nil)
	others := []crypto.PrivKey{newKey(t), newKey(t)}
	stays, raw := signed(t, others[0], "20.1.0.1:4001")
	moves, _ := signed(t, others[1], "20.2.0.1:4001")
	for i, at := range []string{"20.1.0.1:4001", "20.2.0.1:4001"} {
		id, raw := signed(t, others[i], at)
		if err := r.lobby.register.Reached(raw); err != nil {
			t.Fatal(err)
		}
		r.dir.Reached(id, r.now().Add(-age))
	}
	_, own := signed(t, r.key, "20.3.0.1:4001")
	if err := r.dir.Add(own); err != nil {
		t.Fatal(err)
	}
	v, err := admission.Vouch(others[0], stays, own, 1, admission.Day(r.now()))
	if err != nil {
		t.Fatal(err)
	}
	r.lobby.applicant.Restore(own, []admission.Voucher{v})
	r.lobby.register.Charge([]admission.Charge{{Examiner: moves, Ago: []time.Duration{time.Hour}}})
	two := newKey(t)
	liar, faces := twoFaces(t, two)
	for _, face := range faces {
		r.dir.Add(face)
	}
	if n := len(r.dir.Liars()); n != 1 {
		t.Fatalf("%d relays with two faces", n)
	}
	r.savePeers()
	r.Close()

	r = opened(t, dir, nil)
	defer r.Close()
	for _, face := range faces {
		if err := r.dir.Add(face); !errors.Is(err, directory.ErrTwoFaced) {
			t.Errorf("the relay with two faces %v shows one after a restart: %v", liar, err)
		}
	}
	if _, listed := r.dir.Find(stays); !listed || !r.dir.Since(stays).IsZero() {
		t.Errorf("listed %v, and reached since %v, before it has answered", listed, r.dir.Since(stays))
	}
	if err := r.lobby.register.Reached(raw); err != nil && !strings.Contains(err.Error(), "newer") {
		t.Fatal(err)
	}
	if got := time.Since(r.dir.Since(stays)); (got - age).Abs() > time.Minute {
		t.Errorf("reached for %v, want %v", got, age)
	}

	_, raw = signed(t, others[1], "20.2.0.9:4001")
	if d, err := directory.Parse(raw); err != nil {
		t.Fatal(err)
	} else if raw, err = resign(d, others[1]); err != nil {
		t.Fatal(err)
	}
	if err := r.lobby.register.Reached(raw); err != nil {
		t.Fatal(err)
	}
	if got := time.Since(r.dir.Since(moves)); got > time.Minute {
		t.Errorf("at another address: reached for %v", got)
	}

	if got := r.lobby.applicant.Vouchers(own, admission.Day(r.now())); len(got) != 1 || got[0] != v {
		t.Errorf("%d vouchers, want ours", len(got))
	}
	if got := r.lobby.register.Charges(); len(got) != 1 || got[0].Examiner != moves {
		t.Errorf("charges %v", got)
	}
}

// twoFaces are two descriptors of which one is a lie: both promise another salt for the
// next window.
func twoFaces(t *testing.T, key crypto.PrivKey) (id wire.NodeID, faces [][]byte) {
	t.Helper()
	_, raw := signed(t, key, "20.9.0.1:4001")
	d, err := directory.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	for i := range byte(2) {
		d.Salt[0] = i
		raw, err := resign(d, key)
		if err != nil {
			t.Fatal(err)
		}
		faces = append(faces, raw)
	}
	return d.ID, faces
}

// resign signs a descriptor again, as a newer one.
func resign(d *directory.Descriptor, key crypto.PrivKey) ([]byte, error) {
	d.Sequence++
	return d.Sign(key)
}

// TestRestartWithForgedState: statements without the signatures of others are left out,
// even if the file has them.
func TestRestartWithForgedState(t *testing.T) {
	dir := t.TempDir()
	r := opened(t, dir, nil)
	other := newKey(t)
	id, raw := signed(t, other, "20.1.0.1:4001")
	_, own := signed(t, r.key, "20.3.0.1:4001")
	forged, err := admission.Vouch(newKey(t), id, own, 1, admission.Day(r.now()))
	if err != nil {
		t.Fatal(err)
	}
	broken := bytes.Clone(raw)
	broken[len(broken)-1] ^= 1
	state := recall.Relay{Own: own, Vouchers: []admission.Voucher{forged}, Known: []admission.Acquaintance{{Raw: broken, Age: time.Hour}, {Raw: []byte("junk")}}}
	if err := writeFile(filepath.Join(dir, peerFile), state.Append(nil)); err != nil {
		t.Fatal(err)
	}
	r.Close()

	r = opened(t, dir, nil)
	defer r.Close()
	if n := len(r.dir.Snapshot().Relays); n != 0 {
		t.Errorf("%d relays of a forged list", n)
	}
	if n := len(r.lobby.applicant.Vouchers(own, admission.Day(r.now()))); n != 0 {
		t.Errorf("%d forged vouchers", n)
	}
}

// TestRestartWithDamagedState: a file that is torn, foreign, or too large is named, and
// the relay begins anew.
func TestRestartWithDamagedState(t *testing.T) {
	dir := t.TempDir()
	r := opened(t, dir, nil)
	_, raw := signed(t, newKey(t), "20.1.0.1:4001")
	if err := r.lobby.register.Reached(raw); err != nil {
		t.Fatal(err)
	}
	r.savePeers()
	r.Close()
	whole, err := os.ReadFile(filepath.Join(dir, peerFile))
	if err != nil {
		t.Fatal(err)
	}

	for name, b := range map[string][]byte{
		"torn":      whole[:len(whole)/2],
		"empty":     {},
		"foreign":   []byte("#!/bin/sh\n"),
		"too large": make([]byte, recall.MaxRelay+1),
	} {
		if err := os.WriteFile(filepath.Join(dir, peerFile), b, 0o600); err != nil {
			t.Fatal(err)
		}
		var said bytes.Buffer
		r := opened(t, dir, slog.New(slog.NewTextHandler(&said, nil)))
		if n := len(r.dir.Snapshot().Relays); n != 0 || !strings.Contains(said.String(), "begins anew") || !strings.Contains(said.String(), peerFile) {
			t.Errorf("%s: %d relays known; said %q", name, n, said.String())
		}
		r.savePeers()
		r.Close()
		if b, err := readFile(filepath.Join(dir, peerFile), recall.MaxRelay); err != nil {
			t.Errorf("%s: %v", name, err)
		} else if _, err := recall.ParseRelay(b); err != nil {
			t.Errorf("%s: nothing good is written over it: %v", name, err)
		}
	}
}

// TestNewerState: a relay does not start on what a later program has written, and leaves
// it as it is: beginning anew would cost its standing, or the boxes.
func TestNewerState(t *testing.T) {
	for name, edit := range map[string]func(b []byte) []byte{
		peerFile: func([]byte) []byte {
			b := append([]byte{200}, "what nobody knows yet"...)
			sum := sha256.Sum256(b)
			return append(b, sum[:]...)
		},
		mailFile: func(b []byte) []byte { return append(b[:60:60], append([]byte{0, 0, 0, 99}, b[64:]...)...) }, // user_version
	} {
		dir := t.TempDir()
		r := opened(t, dir, nil)
		r.savePeers()
		r.Close()
		path := filepath.Join(dir, name)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		b = edit(b)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}

		for range 2 {
			if _, err := New(Config{StateDir: dir, AllowPrivate: true}); !errors.Is(err, ErrNewer) || !strings.Contains(err.Error(), path) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if after, err := os.ReadFile(path); err != nil || !bytes.Equal(b, after) {
			t.Errorf("%s of a later program was changed, %v", name, err)
		}
	}
}

// TestUnfinishedFilesGo: what was being written when a relay was killed lies in no file after the next start that writes it.
func TestUnfinishedFilesGo(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{keyFile, peerFile} {
		if err := os.WriteFile(filepath.Join(dir, name+".new"), []byte("a secret of before"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	r := opened(t, dir, nil)
	r.savePeers()
	for _, name := range []string{keyFile, peerFile} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	left, err := filepath.Glob(filepath.Join(dir, "*.new"))
	if hidden, e := filepath.Glob(filepath.Join(dir, ".*")); err != nil || e != nil || len(left)+len(hidden) > 0 {
		t.Errorf("left: %q %q, %v, %v", left, hidden, err, e)
	}
}
