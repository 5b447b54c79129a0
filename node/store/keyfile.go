package store

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/chacha20poly1305"

	"starling/node/api/safetext"
)

// The key file, version 2, is 314 bytes:
//
//	 0  magic      8  "STARLKEY"
//	 8  version    1  2
//	 9  passes     4  Argon2id t, 1 to 64
//	13  memory     4  Argon2id m in KiB, 8·p to 2 GiB
//	17  threads    1  Argon2id p, 1 to 64
//	18  salt      16
//	34  nonce     24
//	58  sealed   224  XChaCha20-Poly1305 of 208 bytes, additional data: bytes 0 to 33
//	282 checksum  32  SHA-256 of all before
//
// Numbers are big-endian. The sealed part is
//
//	 0  database key   32
//	32  row key epoch   8  the current one
//	40  row key        32
//	72  epoch           8  during a rotation the one before, else 0
//	80  row key        32  and its key, else zero
//	112 sum            32  of the pages of profile.db (fresh.go)
//	144 log key        32  of its log
//	176 former key     32  of the log before; zero: there is none
//
// The checksum is there to tell a damaged file from a wrong passphrase. It adds nothing
// to the tag for an attacker that guesses.
const (
	keyMagic    = "STARLKEY"
	keyVersion  = 2
	keyHeader   = 34
	keyPlain    = 208
	keySealedAt = keyHeader + chacha20poly1305.NonceSizeX
	keySumAt    = keySealedAt + keyPlain + chacha20poly1305.Overhead
	keyFileSize = keySumAt + sha256.Size

	maxPasses  = 64
	maxMemory  = 2 << 20 // KiB: a stored header must not make us take all memory
	maxThreads = 64
)

// wrapLabel separates the wrapping key from anything else that may one day be
// made from the passphrase. HKDF's salt is the place of a secret that the
// device holds, once there is one.
const wrapLabel = "starling/store/v1 wrap"

// KDF is the cost of turning the passphrase into a key: Argon2id (RFC 9106).
type KDF struct {
	Passes  uint32 // t
	Memory  uint32 // m in KiB
	Threads uint8  // p
}

// DefaultKDF is RFC 9106's second recommended option: 64 MiB, a third of a
// second on two slow cores.
var DefaultKDF = KDF{Passes: 3, Memory: 64 << 10, Threads: 4}

// CheapKDF protects nothing against guessing. It is for tests and for
// profiles that live as long as a demo.
var CheapKDF = KDF{Passes: 1, Memory: 64, Threads: 1}

func (k KDF) check() error {
	if k.Passes < 1 || k.Passes > maxPasses || k.Threads < 1 || k.Threads > maxThreads ||
		k.Memory < 8*uint32(k.Threads) || k.Memory > maxMemory {
		return errors.New("key derivation parameters out of bounds")
	}
	return nil
}

// derive makes the wrapping key of a passphrase, however its letters were composed.
func (k KDF) derive(passphrase string, salt []byte) []byte {
	secret := argon2.IDKey([]byte(safetext.Normal(passphrase)), salt, k.Passes, k.Memory, k.Threads, 32)
	key, err := hkdf.Key(sha256.New, secret, nil, wrapLabel, 32)
	if err != nil {
		panic(err) // 32 bytes are never too many
	}
	return key
}

type rowKey struct {
	epoch uint64
	key   [32]byte
}

// keyFile is an opened key file.
type keyFile struct {
	header   [keyHeader]byte
	wrap     []byte
	database [32]byte
	current  rowKey
	previous rowKey // epoch 0 if no rotation is under way
	sum      [32]byte
	log      [32]byte
	former   [32]byte
}

func (k *keyFile) String() string       { return "key file (redacted)" }
func (k *keyFile) LogValue() slog.Value { return slog.StringValue(k.String()) }

func newKeyFile(passphrase string, kdf KDF) (*keyFile, error) {
	if err := kdf.check(); err != nil {
		return nil, err
	}
	k := new(keyFile)
	copy(k.header[:], keyMagic)
	k.header[8] = keyVersion
	binary.BigEndian.PutUint32(k.header[9:], kdf.Passes)
	binary.BigEndian.PutUint32(k.header[13:], kdf.Memory)
	k.header[17] = kdf.Threads
	rand.Read(k.header[18:])
	k.wrap = kdf.derive(passphrase, k.header[18:])
	rand.Read(k.database[:])
	k.current.epoch = 1
	rand.Read(k.current.key[:])
	rand.Read(k.log[:])
	return k, nil
}

func readKeyFile(path, passphrase string) (*keyFile, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &DamagedError{"profile.key", errors.New("it is missing")}
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, keyFileSize+1))
	if err != nil {
		return nil, err
	}
	k, err := parseKeyFile(b, passphrase)
	if err != nil && err != ErrWrongPassphrase && err != ErrNewer {
		err = &DamagedError{"profile.key", err}
	}
	return k, err
}

// parseKeyFile returns [ErrWrongPassphrase] for a file that is whole and does not open,
// [ErrNewer] for one with a size and sums that a later program decides, and another
// error for a file that is not whole.
func parseKeyFile(b []byte, passphrase string) (*keyFile, error) {
	if len(b) > 8 && string(b[:8]) == keyMagic && b[8] > keyVersion {
		return nil, ErrNewer
	}
	if len(b) != keyFileSize {
		return nil, errors.New("wrong size")
	}

	// The checksum tells a damaged file from a wrong passphrase. Anybody can make one: it proves nothing else.
	if sum := sha256.Sum256(b[:keySumAt]); sum != [32]byte(b[keySumAt:]) {
		return nil, errors.New("wrong checksum")
	}

	if string(b[:8]) != keyMagic {
		return nil, errors.New("not a key file")
	}
	if b[8] != keyVersion {
		return nil, fmt.Errorf("version %d is not known to this program", b[8])
	}

	// Bounded before it is used: a file from elsewhere could ask for all memory.
	kdf := KDF{binary.BigEndian.Uint32(b[9:]), binary.BigEndian.Uint32(b[13:]), b[17]}
	if err := kdf.check(); err != nil {
		return nil, err
	}

	k := new(keyFile)
	copy(k.header[:], b)
	k.wrap = kdf.derive(passphrase, b[18:keyHeader])
	aead, err := chacha20poly1305.NewX(k.wrap)
	if err != nil {
		return nil, err
	}

	// The header is authenticated with it, so that nobody makes the derivation cheaper.
	plain, err := aead.Open(nil, b[keyHeader:keySealedAt], b[keySealedAt:keySumAt], b[:keyHeader])
	if err != nil {
		return nil, ErrWrongPassphrase
	}

	copy(k.database[:], plain)
	for i, r := range []*rowKey{&k.current, &k.previous} {
		at := 32 + 40*i
		r.epoch = binary.BigEndian.Uint64(plain[at:])
		copy(r.key[:], plain[at+8:])
	}
	for i, part := range []*[32]byte{&k.sum, &k.log, &k.former} {
		copy(part[:], plain[112+32*i:])
	}

	// Epochs begin at 1; 0 is that of no previous key.
	if k.current.epoch == 0 {
		return nil, errors.New("malformed")
	}
	return k, nil
}

func (k *keyFile) marshal() []byte {
	plain := make([]byte, 0, keyPlain)
	plain = append(plain, k.database[:]...)
	for _, r := range []rowKey{k.current, k.previous} {
		plain = binary.BigEndian.AppendUint64(plain, r.epoch)
		plain = append(plain, r.key[:]...)
	}
	plain = append(append(append(plain, k.sum[:]...), k.log[:]...), k.former[:]...)

	aead, err := chacha20poly1305.NewX(k.wrap)
	if err != nil {
		panic(err) // the key has 32 bytes
	}
	b := make([]byte, keySealedAt, keyFileSize)
	copy(b, k.header[:])
	rand.Read(b[keyHeader:])
	b = aead.Seal(b, b[keyHeader:], plain, b[:keyHeader])
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

func (k *keyFile) rotating() bool { return k.previous.epoch != 0 }

// rowKey returns the row key of an epoch that is still kept.
func (k *keyFile) rowKey(epoch uint64) (*[32]byte, bool) {
	for _, r := range []*rowKey{&k.current, &k.previous} {
		if epoch != 0 && r.epoch == epoch {
			return &r.key, true
		}
	}
	return nil, false
}
