package discovery

import (
	"context"
	"encoding/base32"
	"errors"
	"sync"

	ds "github.com/ipfs/go-datastore"
	dssync "github.com/ipfs/go-datastore/sync"
	dhtrecords "github.com/libp2p/go-libp2p-kad-dht/records"
)

// maxRecords is how many provider records are kept. Each look-up wants findLimit.
const maxRecords = 256

// errForeign means that a record is of a key at which nobody meets.
var errForeign = errors.New("discovery: record of another key")

// records are the provider records that this relay keeps for others: those of the one
// key that there is. A stranger would leave any number, of keys that nobody asks for.
// Of too many a random one goes.
type records struct {
	ds.Batching // a map with a lock
	own         ds.Key

	mu   sync.Mutex
	held map[ds.Key]struct{}
}

func newRecords(key []byte) *records {
	own := ds.NewKey(dhtrecords.ProvidersKeyPrefix + base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(key))
	return &records{Batching: dssync.MutexWrap(ds.NewMapDatastore()), own: own, held: map[ds.Key]struct{}{}}
}

// Put implements datastore.Write.
func (r *records) Put(ctx context.Context, key ds.Key, value []byte) error {
	if !key.IsDescendantOf(r.own) {
		return errForeign
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.held[key]; !known && len(r.held) >= maxRecords {
		for other := range r.held {
			delete(r.held, other)
			if err := r.Batching.Delete(ctx, other); err != nil {
				return err
			}
			break
		}
	}
	r.held[key] = struct{}{}
	return r.Batching.Put(ctx, key, value)
}

// Delete implements datastore.Write.
func (r *records) Delete(ctx context.Context, key ds.Key) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.held, key)
	return r.Batching.Delete(ctx, key)
}

// Batch implements datastore.BatchingFeature: none, it would go past Put.
func (r *records) Batch(context.Context) (ds.Batch, error) { return nil, ds.ErrBatchUnsupported }

// noCache is in front of records. kad-dht's own grows with every record, those that
// were refused too.
type noCache struct{}

func (noCache) Add(_, _ any) bool                { return false }
func (noCache) Get(any) (any, bool)              { return nil, false }
func (noCache) Contains(any) bool                { return false }
func (noCache) Peek(any) (any, bool)             { return nil, false }
func (noCache) Remove(any) bool                  { return false }
func (noCache) RemoveOldest() (_, _ any, _ bool) { return nil, nil, false }
func (noCache) GetOldest() (_, _ any, _ bool)    { return nil, nil, false }
func (noCache) Keys() []any                      { return nil }
func (noCache) Len() int                         { return 0 }
func (noCache) Purge()                           {}
func (noCache) Resize(int) int                   { return 0 }
