//go:build linux

package main

import (
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"starling/node/testnet/engine/namespaces"
)

// whole is the most bytes of TCP in a packet.
const whole = 1448

// A conn is a connection, from the side that opened it.
type conn struct {
	from, to         netip.Addr
	fromPort, toPort uint16
}

// A flow is the lengths of the first packets with bytes in them: above 0 from the side that opened it.
type flow struct {
	conn    conn
	packets []int
}

// features are the numbers that a classifier sees: each length with its sign, and the sums so far.
func (f flow) features() []float64 {
	row := make([]float64, 2*first)
	sum := 0.0
	for i := range first {
		if i < len(f.packets) {
			row[i] = float64(f.packets[i])
			sum += row[i]
		}
		row[first+i] = sum
	}
	return row
}

// A tap keeps the packets of an interface.
type tap struct {
	fd     int
	closed atomic.Bool
	done   sync.WaitGroup
	mu     sync.Mutex
	all    []packet
}

type packet struct {
	at   time.Time
	data []byte // the headers, and a little more
	size int
}

// kept is how much of a packet is kept.
const kept = 4096

// listen taps an interface in a network namespace.
func listen(namespace, device string) (*tap, error) {
	t := &tap{fd: -1}
	err := namespaces.Within(namespace, func() error {
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, int(htons(unix.ETH_P_ALL)))
		if err != nil {
			return err
		}

		link, err := net.InterfaceByName(device)
		if err == nil {
			err = unix.Bind(fd, &unix.SockaddrLinklayer{Protocol: htons(unix.ETH_P_ALL), Ifindex: link.Index})
		}
		if err == nil {
			err = unix.SetsockoptPacketMreq(fd, unix.SOL_PACKET, unix.PACKET_ADD_MEMBERSHIP, &unix.PacketMreq{Ifindex: int32(link.Index), Type: unix.PACKET_MR_PROMISC})
		}
		if err == nil {
			unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, 64<<20)
			err = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 200_000})
		}

		if err != nil {
			unix.Close(fd)
			return err
		}
		t.fd = fd
		return nil
	})
	if err != nil {
		return nil, err
	}
	t.done.Go(t.read)
	return t, nil
}

func htons(v uint16) uint16 { return v<<8 | v>>8 }

// read keeps packets until the tap is closed.
func (t *tap) read() {
	buf := make([]byte, 1<<17)
	for !t.closed.Load() {
		n, _, err := unix.Recvfrom(t.fd, buf, unix.MSG_TRUNC)
		switch {
		case err == syscall.EAGAIN || err == syscall.EINTR:
			continue
		case err != nil:
			return
		}
		t.mu.Lock()
		t.all = append(t.all, packet{time.Now(), slices.Clone(buf[:min(n, len(buf), kept)]), n})
		t.mu.Unlock()
	}
}

func (t *tap) close() {
	t.closed.Store(true) // seen within the timeout of a read
	t.done.Wait()
	unix.Close(t.fd)
}

// header reads the headers of a packet of TCP over IPv4.
func header(b []byte, size int) (c conn, flags byte, bytes int, ok bool) {
	if len(b) < 14+20+20 || binary.BigEndian.Uint16(b[12:]) != 0x0800 {
		return c, 0, 0, false
	}
	ip := b[14:]
	words := int(ip[0]&15) * 4
	if ip[0]>>4 != 4 || ip[9] != 6 || words < 20 || len(ip) < words+20 {
		return c, 0, 0, false
	}
	tcp := ip[words:]
	bytes = size - 14 - words - int(tcp[12]>>4)*4
	c = conn{netip.AddrFrom4([4]byte(ip[12:16])), netip.AddrFrom4([4]byte(ip[16:20])), binary.BigEndian.Uint16(tcp), binary.BigEndian.Uint16(tcp[2:])}
	return c, tcp[13], bytes, bytes >= 0
}

const syn, ack = 2, 16

// flows returns those of the wanted connections with as many packets as count.
func (t *tap) flows(wanted func(conn) bool) (all []flow) {
	t.mu.Lock()
	defer t.mu.Unlock()
	open := map[conn]*flow{}
	var order []*flow

	for _, p := range t.all {
		c, flags, n, ok := header(p.data, p.size)
		if !ok {
			continue
		}
		if flags&(syn|ack) == syn && wanted(c) && open[c] == nil {
			open[c] = &flow{conn: c}
			order = append(order, open[c])
		}

		f, sign := open[c], 1
		if f == nil {
			f, sign = open[conn{c.to, c.from, c.toPort, c.fromPort}], -1
		}
		for ; f != nil && n > 0 && len(f.packets) < first; n -= whole {
			f.packets = append(f.packets, sign*min(n, whole))
		}
	}

	for _, f := range order {
		if len(f.packets) == first {
			all = append(all, *f)
		}
	}
	return all
}

// write keeps the packets in the format of libpcap.
func (t *tap) write(file string) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := binary.LittleEndian.AppendUint32(nil, 0xa1b2c3d4)
	out = binary.LittleEndian.AppendUint16(out, 2)
	out = binary.LittleEndian.AppendUint16(out, 4)
	out = append(out, make([]byte, 8)...)
	out = binary.LittleEndian.AppendUint32(out, 1<<18)
	out = binary.LittleEndian.AppendUint32(out, 1) // Ethernet
	for _, p := range t.all {
		out = binary.LittleEndian.AppendUint32(out, uint32(p.at.Unix()))
		out = binary.LittleEndian.AppendUint32(out, uint32(p.at.Nanosecond()/1000))
		out = binary.LittleEndian.AppendUint32(out, uint32(len(p.data)))
		out = binary.LittleEndian.AppendUint32(out, uint32(p.size))
		out = append(out, p.data...)
	}
	return os.WriteFile(file, out, 0o644)
}
