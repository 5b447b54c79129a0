package host

import (
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
)

// counting counts the bytes written to a connection.
type counting struct {
	net.Conn
	writes, bytes *atomic.Int64
}

func (c counting) Write(b []byte) (int, error) {
	c.writes.Add(1)
	c.bytes.Add(int64(len(b)))
	return c.Conn.Write(b)
}

// idleMuxer returns how often and how much the ends of a connection write in a
// day on which nothing happens.
func idleMuxer(t *testing.T, dialler, acceptor network.Multiplexer) (writes, bytes int64) {
	synctest.Test(t, func(t *testing.T) {
		var w, b atomic.Int64
		a, z := net.Pipe()
		dials, err := dialler.NewConn(counting{a, &w, &b}, false, &network.NullScope{})
		if err != nil {
			t.Fatal(err)
		}
		accepts, err := acceptor.NewConn(counting{z, &w, &b}, true, &network.NullScope{})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(24 * time.Hour)
		if dials.IsClosed() || accepts.IsClosed() {
			t.Error("closed for being idle")
		}
		writes, bytes = w.Load(), b.Load()
		dials.Close()
		accepts.Close()
	})
	return writes, bytes
}

// TestIdleMuxer: an idle connection costs no more than a ping and its answer once a
// minute to a client, twice a minute to a relay, and a few for the round trip: a
// guest is left to ping.
func TestIdleMuxer(t *testing.T) {
	known := relayMuxer(func(peer.ID) bool { return true }, nil)
	for _, c := range []struct {
		name              string
		dialler, acceptor network.Multiplexer
		most              int64
	}{
		{"client", muxer(clientPing), relayMuxer(nil, nil), 2 * 1440},
		{"relay nobody knows", known, relayMuxer(nil, nil), 2 * 2880},
		{"relay", known, known, 4 * 2880}, // from both ends
	} {
		writes, bytes := idleMuxer(t, c.dialler, c.acceptor)
		t.Logf("%s: %d writes, %d bytes", c.name, writes, bytes)
		if writes > c.most+700 || writes < c.most-700 {
			t.Errorf("%s: %d writes a day", c.name, writes)
		}
	}
}

// TestDeadRelay: a relay finds out that a relay is gone as soon as if it had
// dialled it.
func TestDeadRelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, z := net.Pipe()
		dials, err := muxer(clientPing).NewConn(a, false, &network.NullScope{})
		if err != nil {
			t.Fatal(err)
		}
		defer dials.Close()
		known := relayMuxer(func(peer.ID) bool { return true }, nil)
		accepts, err := known.NewConn(deaf{z}, true, &network.NullScope{})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		accepts.AcceptStream() // never comes
		if took := time.Since(began); took > relayPing+pingAnswer {
			t.Errorf("found out after %v", took)
		}
	})
}

// deaf swallows written bytes, as a network does that leads to nobody.
type deaf struct{ net.Conn }

func (deaf) Write(b []byte) (int, error) { return len(b), nil }
