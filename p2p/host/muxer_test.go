package host

import (
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
)

// counting counts what is written to a connection.
type counting struct {
	net.Conn
	writes, bytes *atomic.Int64
}

func (c counting) Write(b []byte) (int, error) {
	c.writes.Add(1)
	c.bytes.Add(int64(len(b)))
	return c.Conn.Write(b)
}

// idleMuxer returns how often and how much a client and a relay write in a day on
// a connection on which nothing happens.
func idleMuxer(t *testing.T) (writes, bytes int64) {
	synctest.Test(t, func(t *testing.T) {
		var w, b atomic.Int64
		a, z := net.Pipe()
		client, err := muxer(time.Minute).NewConn(counting{a, &w, &b}, false, &network.NullScope{})
		if err != nil {
			t.Fatal(err)
		}
		relay, err := muxer(30*time.Second).NewConn(counting{z, &w, &b}, true, &network.NullScope{})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(24 * time.Hour)
		if client.IsClosed() || relay.IsClosed() {
			t.Error("closed for being idle")
		}
		writes, bytes = w.Load(), b.Load()
		client.Close()
		relay.Close()
	})
	return writes, bytes
}

// An idle connection costs no more than a ping and its answer twice a minute.
func TestIdleMuxer(t *testing.T) {
	writes, bytes := idleMuxer(t)
	t.Logf("%d writes, %d bytes", writes, bytes)
	if writes > 2*2880+1000 {
		t.Errorf("%d writes a day", writes)
	}
}
