package discovery

import (
	"crypto/rand"
	"testing"

	dhtrecords "github.com/libp2p/go-libp2p-kad-dht/records"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/p2p/host/peerstore/pstoremem"
)

// TestRecordsAreBounded: strangers that leave provider records without end, of keys
// that they make up or of the one that there is, have a relay keep no more than a few,
// and answer with no more.
func TestRecordsAreBounded(t *testing.T) {
	store, err := pstoremem.NewPeerstore()
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	key := []byte("the key")
	kept := newRecords(key)
	m, err := dhtrecords.NewProviderManager("self", store, kept, dhtrecords.Cache(noCache{}))
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()

	for range 5000 {
		foreign := make([]byte, 34)
		rand.Read(foreign)
		m.AddProvider(t.Context(), foreign, peer.AddrInfo{ID: "one"})
	}
	if n := len(kept.held); n != 0 {
		t.Errorf("%d records of keys that nobody asks for", n)
	}

	for i := range 5000 {
		id := make([]byte, 38)
		rand.Read(id)
		if err := m.AddProvider(t.Context(), key, peer.AddrInfo{ID: peer.ID(id)}); err != nil {
			t.Fatal(err)
		}
		if i%1000 == 0 { // what is looked up would be kept in front of the records
			m.GetProviders(t.Context(), key)
		}
	}
	all, err := m.GetProviders(t.Context(), key)
	if err != nil || len(all) != maxRecords || len(kept.held) != maxRecords {
		t.Errorf("%d providers, %d records, %v", len(all), len(kept.held), err)
	}
}
