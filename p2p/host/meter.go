package host

import (
	"net"
	"sync/atomic"
)

// A Meter counts the bytes that connections have carried, inside their encryption:
// frames, lists, gossip, the DHT and pings. Handshakes and the headers of TCP and IP, a
// few per cent, are not among them. The zero value has counted nothing.
type Meter struct{ in, out atomic.Int64 }

// Bytes returns what was read and written.
func (m *Meter) Bytes() (in, out int64) { return m.in.Load(), m.out.Load() }

// metered is a connection that counts.
type metered struct {
	net.Conn
	meter *Meter
}

// Read implements net.Conn.
func (c metered) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.meter.in.Add(int64(n))
	return n, err
}

// Write implements net.Conn.
func (c metered) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	c.meter.out.Add(int64(n))
	return n, err
}
