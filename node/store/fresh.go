package store

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/util/vfsutil"
	"github.com/ncruces/go-sqlite3/vfs"
	"github.com/ncruces/go-sqlite3/vfs/adiantum"
	"golang.org/x/crypto/chacha20"

	"starling/node/config"
)

// A freshVFS is the file system under the encryption of a profile. The cipher is
// deterministic and knows no age: an old page put back at its place opens. So the key
// file, which is replaced in one step, records the state of the database beside it (ADR
// 0009):
//
//	sum     of profile.db: the XOR over all pages of HMAC-SHA256(page key, number 8 ‖ page)
//	log key of profile.db-wal: XChaCha20 over the blocks of the log, below Adiantum
//
// The sum is a XOR MAC (Bellare, Guérin, Rogaway 1995) and never leaves the
// encryption of the key file; the page key follows from the database key. A log
// begins with a block of its own, HMAC-SHA256(log key, "starling/store/v2 log")
// and zeros; under another key nothing in it can be read.
//
// Only a checkpoint writes to profile.db. Its pages are kept in memory until the
// log is on disk and SQLite wants the database there too. Then, in this order: the key
// file gets the future sum and the next log key, and keeps the key of the present log
// as the former; the pages are written; the log is emptied and begins anew under the
// next key. [Open] finds one of three:
//
//	log under the former key   a checkpoint was cut short: it is done again, then the sum is right
//	log under the log key      the sum is right
//	no log, or one of neither  the sum is right, and a log that is there is none of ours
//
// A sum that is not right means a page or a file from before the key file, or one
// that somebody has changed. While the store is open each page that is read is
// compared too. A log may be cut off at its end: the lost commits are younger than
// the key file, and the marker counts it (marker.go).
type freshVFS struct {
	vfs.VFS
	pages

	main, log *freshFile
	name      string                         // registered under this
	commit    func(sum, next [32]byte) error // writes the key file; nil: there is none yet
	direct    bool                           // a checkpoint that was cut short is done again: nothing is compared or kept back
	making    bool                           // the database is being made: SQLite may use a journal
	noSync    bool
	dead      bool // nothing is written any more

	logKey  [32]byte // of the log as it is
	nextKey [32]byte // of the next one
	flushed bool     // all of the log is in the database
	begun   bool     // the log has its first block
}

// pages are the sums of the pages of a database.
type pages struct {
	key  [32]byte
	mac  hash.Hash
	each [][32]byte
	sum  [32]byte
}

const (
	pageLabel = "starling/store/v2 pages"
	logLabel  = "starling/store/v2 log"
)

var errStale = errors.New("a part of it is older than the key file beside it, or was changed")

func newPages(database *[32]byte) (p pages) {
	key, err := hkdf.Key(sha256.New, database[:], nil, pageLabel, 32)
	if err != nil {
		panic(err) // 32 bytes are never too many
	}
	copy(p.key[:], key)
	p.mac = hmac.New(sha256.New, p.key[:])
	return p
}

// of returns the sum of one page.
func (p *pages) of(number int64, page []byte) (sum [32]byte) {
	var n [8]byte
	for i := range n {
		n[i] = byte(number >> (56 - 8*i))
	}
	p.mac.Reset()
	p.mac.Write(n[:])
	p.mac.Write(page)
	p.mac.Sum(sum[:0])
	return sum
}

// read takes the sums of a whole database.
func (p *pages) read(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	p.each, p.sum = nil, [32]byte{}
	block := make([]byte, 64*pageSize)
	for {
		n, err := io.ReadFull(f, block)
		if err == io.EOF {
			return nil
		}
		if err != nil && err != io.ErrUnexpectedEOF || n%pageSize != 0 {
			return errors.Join(err, errStale)
		}
		for at := 0; at < n; at += pageSize {
			p.each = append(p.each, p.of(int64(len(p.each)), block[at:at+pageSize]))
			xor(&p.sum, &p.each[len(p.each)-1])
		}
	}
}

// resize takes the sums of other pages than were there: those at the end are gone,
// new ones are zeros until they are written.
func (p *pages) resize(count int) {
	keep := min(count, len(p.each))
	for i := range p.each[keep:] {
		xor(&p.sum, &p.each[keep+i])
	}
	p.each = append(make([][32]byte, 0, count), p.each[:keep]...)
	for len(p.each) < count {
		p.each = append(p.each, p.of(int64(len(p.each)), make([]byte, pageSize)))
		xor(&p.sum, &p.each[len(p.each)-1])
	}
}

func xor(to, by *[32]byte) { subtle.XORBytes(to[:], to[:], by[:]) }

// logHead is the beginning of a log under a key.
func logHead(key *[32]byte) []byte {
	mac := hmac.New(sha256.New, key[:])
	mac.Write([]byte(logLabel))
	return mac.Sum(nil)
}

var freshNames atomic.Int64

// newFresh makes the file system of a profile's database and registers it.
func newFresh(keys *keyFile, opt Options) (*freshVFS, error) {
	base := vfs.Find(opt.VFS)
	if base == nil {
		return nil, fmt.Errorf("no file system %q", opt.VFS)
	}
	f := &freshVFS{VFS: base, pages: newPages(&keys.database), noSync: opt.NoSync, logKey: keys.log,
		name: fmt.Sprint("starling-", freshNames.Add(1))}
	rand.Read(f.nextKey[:])
	vfs.Register(f.name, adiantum.Wrap(f, nil))
	return f, nil
}

func (f *freshVFS) close() { vfs.Unregister(f.name) }

// former reports whether the log of a profile is one under the former key.
func former(p config.Profile, keys *keyFile) bool {
	if keys.former == [32]byte{} {
		return false
	}
	log, err := os.Open(p.Database() + "-wal")
	if err != nil {
		return false
	}
	defer log.Close()
	head := make([]byte, sha256.Size)
	io.ReadFull(log, head)
	return hmac.Equal(head, logHead(&keys.former))
}

// Open is not called: OpenFilename is.
func (f *freshVFS) Open(name string, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	if name == "" {
		return f.OpenFilename(nil, flags)
	}
	return nil, flags, sqlite3.CANTOPEN
}

// OpenFilename opens the database, its log, or a temporary file. A journal could
// only be somebody else's, but while the database is made.
func (f *freshVFS) OpenFilename(name *vfs.Filename, flags vfs.OpenFlag) (vfs.File, vfs.OpenFlag, error) {
	// SQLite would play a planted journal back over the database.
	if flags&vfs.OPEN_MAIN_JOURNAL != 0 && !f.making {
		return nil, flags, sqlite3.CANTOPEN
	}

	inner, flags, err := vfsutil.WrapOpenFilename(f.VFS, name, flags)
	if err != nil {
		return nil, flags, err
	}

	file := &freshFile{File: inner, fs: f}
	switch {
	case flags&vfs.OPEN_MAIN_DB != 0:
		file.kept = make(map[int64][]byte)
		if file.size, err = inner.Size(); err != nil {
			inner.Close()
			return nil, flags, err
		}
		f.main = file
	case flags&vfs.OPEN_WAL != 0:
		// A log that was put back does not begin with a MAC under the key of now.
		head := make([]byte, sha256.Size)
		inner.ReadAt(head, 0)
		f.begun, f.log = hmac.Equal(head, logHead(&f.logKey)), file
	default:
		return inner, flags, nil
	}

	return file, flags, nil
}

// Access says that there is no journal.
func (f *freshVFS) Access(name string, flags vfs.AccessFlag) (bool, error) {
	if strings.HasSuffix(name, "-journal") && !f.making {
		return false, nil
	}
	return f.VFS.Access(name, flags)
}

// Delete deletes the log or the journal.
func (f *freshVFS) Delete(name string, sync bool) error {
	if f.dead {
		return sqlite3.IOERR_DELETE
	}
	return f.VFS.Delete(name, sync)
}

// logSize returns how long the log is.
func (f *freshVFS) logSize() int64 {
	if f.log == nil {
		return 0
	}
	n, _ := f.log.Size()
	return n
}

// freshFile is the database or its log. Its callers hold the store.
type freshFile struct {
	vfs.File
	fs   *freshVFS
	kept map[int64][]byte // of the database: pages to be written
	size int64            // of the database with those; the file may have another
}

func (f *freshFile) isLog() bool { return f.kept == nil }

func (f *freshFile) ReadAt(p []byte, off int64) (int, error) {
	if f.isLog() {
		return f.readLog(p, off)
	}
	if f.fs.direct {
		return f.File.ReadAt(p, off)
	}
	number := off / pageSize
	if page, ok := f.kept[number]; ok && off%pageSize == 0 && len(p) == pageSize {
		return copy(p, page), nil
	}
	if off >= f.size {
		return 0, io.EOF
	}
	n, err := f.File.ReadAt(p, off)
	if n == len(p) && (n != pageSize || off%pageSize != 0 || number >= int64(len(f.fs.each)) || f.fs.of(number, p) != f.fs.each[number]) {
		return 0, sqlite3.CORRUPT
	}
	return n, err
}

func (f *freshFile) WriteAt(p []byte, off int64) (int, error) {
	switch {
	case f.fs.dead:
		return 0, sqlite3.IOERR_WRITE
	case f.isLog():
		return f.writeLog(p, off)
	case f.fs.direct:
		return f.File.WriteAt(p, off)
	case len(p) != pageSize || off%pageSize != 0:
		return 0, sqlite3.IOERR_WRITE
	}
	f.kept[off/pageSize] = slices.Clone(p)
	f.size = max(f.size, off+pageSize)
	return len(p), nil
}

func (f *freshFile) Truncate(size int64) error {
	switch {
	case f.fs.dead:
		return sqlite3.IOERR_TRUNCATE
	case f.isLog():
		return f.truncateLog(size)
	case f.fs.direct:
		return f.File.Truncate(size)
	}
	for number := range f.kept {
		if number*pageSize >= size {
			delete(f.kept, number)
		}
	}
	f.size = size
	return nil
}

func (f *freshFile) Size() (int64, error) {
	switch {
	case f.isLog():
		if !f.fs.begun {
			return 0, nil
		}
		n, err := f.File.Size()
		return max(0, n-pageSize), err
	case f.fs.direct:
		return f.File.Size()
	}
	return f.size, nil
}

// Sync of the database comes when a checkpoint has written all its pages, and the
// log is on disk.
func (f *freshFile) Sync(flags vfs.SyncFlag) error {
	if f.fs.dead {
		return sqlite3.IOERR_FSYNC
	}
	if !f.isLog() && !f.fs.direct {
		if err := f.flush(); err != nil {
			return err
		}
	}
	if f.fs.noSync {
		return nil
	}
	return f.File.Sync(flags)
}

// flush writes the pages that were kept back, behind the key file that knows them.
func (f *freshFile) flush() error {
	on, err := f.File.Size()
	if err != nil || len(f.kept) == 0 && on == f.size {
		return err
	}

	// Worked out on a copy: the pages stand as they are if the key file cannot be written.
	next := f.fs.pages
	next.resize(int(f.size / pageSize))
	numbers := make([]int64, 0, len(f.kept))
	for number := range f.kept {
		numbers = append(numbers, number)
	}

	slices.Sort(numbers)
	for _, number := range numbers {
		xor(&next.sum, &next.each[number])
		next.each[number] = next.of(number, f.kept[number])
		xor(&next.sum, &next.each[number])
	}

	// The key file goes first. A crash here is finished from the log, whose pages give this sum.
	if f.fs.commit != nil {
		if err := f.fs.commit(next.sum, f.fs.nextKey); err != nil {
			if isFull(err) {
				return sqlite3.FULL
			}
			return sqlite3.IOERR_FSYNC
		}
		f.fs.flushed = true
	}

	for _, number := range numbers {
		if _, err := f.File.WriteAt(f.kept[number], number*pageSize); err != nil {
			return err
		}
	}
	if on > f.size || int64(len(next.each)) > 0 && !slices.Contains(numbers, int64(len(next.each)-1)) {
		if err := f.File.Truncate(f.size); err != nil {
			return err
		}
	}
	f.fs.pages = next
	clear(f.kept)
	return nil
}

// crypt puts the stream of a log key over a block at its place.
func crypt(key *[32]byte, p []byte, off int64) {
	c, err := chacha20.NewUnauthenticatedCipher(key[:], make([]byte, chacha20.NonceSizeX))
	if err != nil {
		panic(err) // the key has 32 bytes
	}
	c.SetCounter(uint32(off / 64)) // off is a multiple of the block
	c.XORKeyStream(p, p)
}

func (f *freshFile) readLog(p []byte, off int64) (int, error) {
	if !f.fs.begun {
		return 0, io.EOF
	}
	n, err := f.File.ReadAt(p, off+pageSize)
	crypt(&f.fs.logKey, p[:n], off)
	return n, err
}

func (f *freshFile) writeLog(p []byte, off int64) (int, error) {
	if off == 0 && f.fs.flushed {
		if err := f.truncateLog(0); err != nil {
			return 0, err
		}
	}
	if !f.fs.begun {
		if err := f.File.Truncate(0); err != nil {
			return 0, err
		}
		head := make([]byte, pageSize)
		copy(head, logHead(&f.fs.logKey))
		if n, err := f.File.WriteAt(head, 0); err != nil {
			return min(n, 0), err
		}
		f.fs.begun = true
	}
	block := slices.Clone(p)
	crypt(&f.fs.logKey, block, off)
	return f.File.WriteAt(block, off+pageSize)
}

// truncateLog empties the log, which then begins anew, or cuts it.
func (f *freshFile) truncateLog(size int64) error {
	if size > 0 {
		return f.File.Truncate(size + pageSize)
	}
	if err := f.File.Truncate(0); err != nil {
		return err
	}
	f.fs.begun = false
	if f.fs.flushed {
		f.fs.logKey, f.fs.flushed = f.fs.nextKey, false
		rand.Read(f.fs.nextKey[:])
	}
	return nil
}
