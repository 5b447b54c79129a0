package namespaces

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"
)

// within does something in the network of a machine.
func (l *lab) within(machine string, do func() error) error { return Within(l.name(machine), do) }

// Within does something, such as opening a socket, in a network namespace. Its thread
// comes back: processes that it has started end with it.
func Within(namespace string, do func() error) error {
	runtime.LockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer home.Close()
	away, err := os.Open("/run/netns/" + namespace)
	if err == nil {
		defer away.Close()
		err = unix.Setns(int(away.Fd()), unix.CLONE_NEWNET)
	}
	if err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("the network of %s: %w", namespace, err)
	}

	err = do()
	if back := unix.Setns(int(home.Fd()), unix.CLONE_NEWNET); back != nil {
		return fmt.Errorf("back from the network of %s: %w", namespace, back) // the thread stays locked, for nobody else
	}
	runtime.UnlockOSThread()
	return err
}

// marked marks the packets of a socket as those of the censor.
func marked(_, _ string, c syscall.RawConn) (err error) {
	if e := c.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_MARK, mark) }); e != nil {
		return e
	}
	return err
}

// soOriginalDst is the option of netfilter by which a led connection knows its way.
const soOriginalDst = 80

// wanted returns where a connection wanted to go before it was led here.
func wanted(c net.Conn) (to netip.AddrPort, err error) {
	t, ok := c.(*net.TCPConn)
	if !ok {
		return to, errors.New("no connection of TCP")
	}
	raw, err := t.SyscallConn()
	if err != nil {
		return to, err
	}
	var got *unix.IPv6Mreq // 20 bytes, in which 16 of another kind have room
	if e := raw.Control(func(fd uintptr) { got, err = unix.GetsockoptIPv6Mreq(int(fd), unix.SOL_IP, soOriginalDst) }); e != nil {
		return to, e
	}
	if err != nil {
		return to, fmt.Errorf("where a connection wanted to go: %w", err)
	}
	b := got.Multiaddr // family (2), port (2), address (4)
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:8])), binary.BigEndian.Uint16(b[2:4])), nil
}
