package proxy

import "syscall"

// A Kind is how a proxy fails.
type Kind string

// Kinds.
const (
	Down     Kind = "nobody listens at the proxy's address"
	Silent   Kind = "the proxy does not answer"
	Login    Kind = "the proxy wants another user name or password"
	NotSocks Kind = "at the proxy's address something answers that is no SOCKS5 proxy"
	Died     Kind = "the proxy hangs up"
	Denied   Kind = "the proxy does not allow the connection"
)

// An Error is a failure of the proxy itself. It is as if the machine had no way out:
// nothing is concluded about the destination.
type Error struct {
	Kind Kind
	Err  error
}

// Error implements error.
func (e *Error) Error() string { return string(e.Kind) }

// Is makes it a lack of a way out.
func (e *Error) Is(target error) bool { return target == syscall.EHOSTUNREACH }
