package virtualtime

import (
	"context"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"
)

const (
	syn = 20 + 40 // IPv4 and TCP with the options of the first packet, in bytes
	// firstTry is how long a dialler waits for an answer before it tries again, then
	// twice as long and so on (RFC 6298).
	firstTry = time.Second
)

// A listener is a net.Listener at a port of a node.
type listener struct {
	net  *Network
	node *node
	addr *net.TCPAddr

	// by Network.mu
	come   sync.Cond
	queue  []*conn
	closed bool
}

func (n *Network) listen(a net.Addr) (net.Listener, error) {
	addr, ok := a.(*net.TCPAddr)
	if !ok || len(addr.IP) < net.IPv4len {
		return nil, &net.OpError{Op: "listen", Net: a.Network(), Addr: a, Err: syscall.EAFNOSUPPORT}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	of := n.node(addr.IP)
	if of.listeners[addr.Port] != nil {
		return nil, &net.OpError{Op: "listen", Net: "tcp", Addr: a, Err: syscall.EADDRINUSE}
	}
	l := &listener{net: n, node: of, addr: addr, come: sync.Cond{L: &n.mu}}
	of.listeners[addr.Port] = l
	return l, nil
}

func (l *listener) Addr() net.Addr { return l.addr }

func (l *listener) Accept() (net.Conn, error) {
	l.net.mu.Lock()
	defer l.net.mu.Unlock()
	for len(l.queue) == 0 {
		if l.closed {
			return nil, &net.OpError{Op: "accept", Net: "tcp", Addr: l.addr, Err: net.ErrClosed}
		}
		l.come.Wait()
	}
	c := l.queue[0]
	l.queue = l.queue[1:]
	return c, nil
}

func (l *listener) Close() error {
	l.net.mu.Lock()
	defer l.net.mu.Unlock()
	if l.closed {
		return net.ErrClosed
	}
	l.closed = true
	delete(l.node.listeners, l.addr.Port)
	for _, c := range l.queue {
		c.close()
	}
	l.queue = nil
	l.come.Broadcast()
	return nil
}

// dial connects as the kernel does: one round trip, and again after a while if
// nothing came back, until ctx ends.
func (n *Network) dial(ctx context.Context, ip net.IP, addr *net.TCPAddr) (net.Conn, error) {
	n.mu.Lock()
	from, to := n.node(ip), n.node(addr.IP)
	from.port++
	port := 10_000 + from.port%50_000
	unplugged := from.unplugged
	if !to.machine {
		n.strays++
	}
	n.mu.Unlock()

	latency := n.latency(from, to)
	fail := func(err error) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Addr: addr, Err: err}
	}
	if unplugged {
		return fail(syscall.ENETUNREACH)
	}

	for wait := firstTry; ; wait *= 2 {
		there, ok := n.packet(from, to, syn, latency)
		if ok && sleep(ctx, there) {
			n.mu.Lock()
			open := to.listeners[addr.Port] != nil
			n.mu.Unlock()
			answer := syn
			if !open {
				answer = header
			}
			if there, ok = n.packet(to, from, answer, latency); ok && sleep(ctx, there) {
				if !open {
					return fail(syscall.ECONNREFUSED)
				}
				return n.connect(from, to, &net.TCPAddr{IP: ip, Port: port}, addr, latency), nil
			}
		}

		if !ok {
			sleep(ctx, wait)
		}
		if err := ctx.Err(); err != nil {
			return fail(fmt.Errorf("no answer: %w", err))
		}
	}
}

// packet sends one that is no part of a connection, and returns how long it
// takes; false if it does not come.
func (n *Network) packet(from, to *node, size int, latency time.Duration) (time.Duration, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	at, ok := n.carry(from, to, size, latency)
	if ok {
		to.in += int64(size)
	}
	return at - n.now(), ok
}

// sleep reports whether it slept for so long.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// connect makes the connection that the far end has agreed to, which hears of
// it with the third packet.
func (n *Network) connect(from, to *node, local, remote *net.TCPAddr, latency time.Duration) *conn {
	n.mu.Lock()
	defer n.mu.Unlock()
	near, far := newConn(n, from, local, remote, latency), newConn(n, to, remote, local, latency)
	near.peer, far.peer, near.near = far, near, true
	n.police(from, to)
	near.count()
	time.AfterFunc(latency, func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		l := to.listeners[remote.Port]
		if l == nil { // it has just stopped listening
			far.close()
			return
		}
		l.queue = append(l.queue, far)
		l.come.Broadcast()
	})
	return near
}
