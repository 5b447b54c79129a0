//go:build !linux

package namespaces

import (
	"errors"
	"net"
	"net/netip"
	"syscall"
)

func (l *lab) within(string, func() error) error { return errors.ErrUnsupported }

// Within does something in a network namespace.
func Within(string, func() error) error { return errors.ErrUnsupported }

func marked(string, string, syscall.RawConn) error { return errors.ErrUnsupported }

func wanted(net.Conn) (netip.AddrPort, error) { return netip.AddrPort{}, errors.ErrUnsupported }
