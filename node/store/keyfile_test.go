package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"math"
	"testing"
)

// A writer of the disk cannot make the passphrase cheap to guess, nor have the program
// spend its memory on it.
func TestKDFParametersChanged(t *testing.T) {
	k, err := newKeyFile(secret, KDF{Passes: 2, Memory: 128, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		at    int
		value uint32
		wrong bool // else damaged
	}{
		"same":          {9, 2, false},
		"fewer passes":  {9, 1, true},
		"less memory":   {13, 64, true},
		"no pass":       {9, 0, false},
		"endless":       {9, math.MaxUint32, false},
		"no memory":     {13, 0, false},
		"all of memory": {13, math.MaxUint32, false},
	} {
		b := k.marshal()
		binary.BigEndian.PutUint32(b[c.at:], c.value)
		sum := sha256.Sum256(b[:keySumAt])
		copy(b[keySumAt:], sum[:])
		_, err := parseKeyFile(b, secret)
		if name == "same" {
			if err != nil {
				t.Error(err)
			}
			continue
		}
		if err == nil || errors.Is(err, ErrWrongPassphrase) != c.wrong {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzKeyFile: a damaged or changed key file is refused without a panic, whatever its
// checksum says; one that opens is written as it was read.
func FuzzKeyFile(f *testing.F) {
	k, err := newKeyFile("secret", CheapKDF)
	if err != nil {
		f.Fatal(err)
	}
	whole := k.marshal()
	f.Add(whole, true)
	f.Add(whole[:keySumAt], false)
	f.Add(make([]byte, keyFileSize), true)
	f.Fuzz(func(t *testing.T, b []byte, sealed bool) {
		if b = bytes.Clone(b); sealed && len(b) == keyFileSize {
			sum := sha256.Sum256(b[:keySumAt])
			copy(b[keySumAt:], sum[:])
		}
		// What the file says that the derivation costs is tried only where it costs little.
		if len(b) == keyFileSize && (binary.BigEndian.Uint32(b[9:]) > 2 || b[17] > 4 || binary.BigEndian.Uint32(b[13:]) > 1024) {
			return
		}
		k, err := parseKeyFile(b, "secret")
		if err != nil {
			return
		}
		again, err := parseKeyFile(k.marshal(), "secret")
		if err != nil || again.database != k.database || again.current != k.current || k.current.epoch == 0 {
			t.Fatalf("what opens is not written as it was read: %v", err)
		}
	})
}
