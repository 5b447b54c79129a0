package wake

import (
	"context"
	"encoding/binary"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// changes calls f after each change of the network that the kernel tells of. Where
// it does not, in some sandboxes, the addresses are looked at.
func changes(ctx context.Context, f func()) error {
	messages, err := listen()
	if err != nil {
		return polled(ctx, poll, addresses, f)
	}
	defer messages.Close()
	defer context.AfterFunc(ctx, func() { messages.Close() })()

	last := addresses()
	buf := make([]byte, 64<<10)
	for {
		n, err := messages.Read(buf)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		// Messages that were lost, when there were too many, are news as well.
		route := err != nil || defaultRoute(buf[:n])
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(gather): // they come in swarms
		}

		if now := addresses(); route || now != last {
			last = now
			f()
		}
	}
}

// listen opens a socket on which the kernel tells of links, addresses and routes.
func listen() (*os.File, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_ROUTE)
	if err != nil {
		return nil, err
	}
	groups := uint32(unix.RTMGRP_LINK | unix.RTMGRP_IPV4_IFADDR | unix.RTMGRP_IPV6_IFADDR | unix.RTMGRP_IPV4_ROUTE | unix.RTMGRP_IPV6_ROUTE)
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: groups}); err != nil {
		unix.Close(fd)
		return nil, err
	}
	return os.NewFile(uintptr(fd), "netlink"), nil
}

// defaultRoute reports whether messages tell of a default route that came or went.
func defaultRoute(b []byte) bool {
	for len(b) >= unix.SizeofNlMsghdr {
		size := int(binary.NativeEndian.Uint32(b))
		if size < unix.SizeofNlMsghdr || size > len(b) {
			return false
		}
		kind := binary.NativeEndian.Uint16(b[4:])
		body := b[unix.SizeofNlMsghdr:size]
		if (kind == unix.RTM_NEWROUTE || kind == unix.RTM_DELROUTE) && len(body) >= unix.SizeofRtMsg && body[1] == 0 {
			return true // the length of the destination's prefix
		}
		b = b[min(len(b), (size+unix.NLMSG_ALIGNTO-1)&^(unix.NLMSG_ALIGNTO-1)):]
	}
	return false
}
