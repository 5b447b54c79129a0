package relay

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	"starling/node/api"
	"starling/p2p"
)

// damagedError is a file that cannot be read as ours.
type damagedError struct{ message, hint string }

// Error implements error.
func (e *damagedError) Error() string { return e.message }

// is reports whether an error is one of the system's. libp2p keeps only the words of
// those.
func is(err error, number syscall.Errno) bool {
	return errors.Is(err, number) || strings.Contains(err.Error(), number.Error())
}

// told puts an error of a relay into words.
func told(err error) error {
	var damaged *damagedError
	var files *p2p.FilesError
	var mistake *p2p.MistakeError

	const raise = "raise the limit: ulimit -n 4096, or LimitNOFILE=4096 in the systemd unit"

	switch {
	case err == nil:
		return nil
	case errors.As(err, &damaged):
		return &api.Error{Code: api.CodeDamaged, Message: damaged.message, Hint: damaged.hint}
	case errors.Is(err, p2p.ErrNewer):
		return &api.Error{Code: api.CodeUsage, Message: err.Error(), Hint: "update Starling: this version changes nothing in the folder"}
	case errors.Is(err, p2p.ErrDamaged):
		return &api.Error{Code: api.CodeDamaged, Message: err.Error(), Hint: "keep the file until the relay runs again"}
	case errors.As(err, &mistake):
		return &api.Error{Code: api.CodeUsage, Message: mistake.Mistake, Hint: mistake.Remedy}
	case strings.Contains(err.Error(), "no transport for protocol"): // libp2p has no error for it
		return &api.Error{Code: api.CodeUsage, Message: "relays listen on TCP alone: " + err.Error(), Hint: "for example: --listen /ip4/0.0.0.0/tcp/4001"}
	case errors.As(err, &files):
		return &api.Error{Code: api.CodeUsage, Message: fmt.Sprintf("only %d files may be open, and each connection is one", files.Files), Hint: raise}
	case is(err, syscall.ENOSPC), is(err, syscall.EDQUOT), errors.Is(err, p2p.ErrDiskFull):
		return &api.Error{Code: api.CodeDiskFull, Message: "the disk is full: " + err.Error(), Hint: "free some space and start the relay again; nothing was lost"}
	case is(err, syscall.EMFILE), is(err, syscall.ENFILE):
		return &api.Error{Code: api.CodeUsage, Message: "too many files are open: " + err.Error(), Hint: raise}
	case is(err, syscall.EADDRINUSE):
		return &api.Error{Code: api.CodeInUse, Message: "the address is in use: " + err.Error(), Hint: "stop the other program, or choose another port with --listen"}
	case is(err, syscall.EADDRNOTAVAIL):
		return &api.Error{Code: api.CodeUsage, Message: "this machine does not have the address: " + err.Error(),
			Hint: "listen on /ip4/0.0.0.0/tcp/PORT, and give the address that others see with --announce"}
	case is(err, syscall.EACCES) && privileged(err):
		return &api.Error{Code: api.CodeUsage, Message: "the port is privileged: " + err.Error(),
			Hint: "give the relay the right to it: AmbientCapabilities=CAP_NET_BIND_SERVICE in the systemd unit, or: sudo setcap cap_net_bind_service=+ep $(command -v starling); or choose a port from 1024 on"}
	}
	return fmt.Errorf("relay: %w", err)
}

// listenedOn finds the port in the words of an error about listening.
var listenedOn = regexp.MustCompile(`(?:/tcp/|:)(\d+)\b`)

// privileged reports whether an error is about listening on a port below 1024.
func privileged(err error) bool {
	text := err.Error()
	if !strings.Contains(text, "listen") {
		return false
	}
	for _, m := range listenedOn.FindAllStringSubmatch(text, -1) {
		if n, err := strconv.Atoi(m[1]); err == nil && n > 0 && n < 1024 {
			return true
		}
	}
	return false
}

// toldMetrics puts an error of the metrics' port into words.
func toldMetrics(at string, err error) error {
	switch {
	case is(err, syscall.EADDRINUSE):
		return &api.Error{Code: api.CodeInUse, Message: "the port for metrics is in use: " + at, Hint: "stop the other program, or choose another port with --metrics"}
	case is(err, syscall.EACCES):
		return &api.Error{Code: api.CodeUsage, Message: "the port for metrics is privileged: " + at, Hint: "choose a port from 1024 on with --metrics"}
	case is(err, syscall.EADDRNOTAVAIL):
		return &api.Error{Code: api.CodeUsage, Message: "this machine does not have the address for metrics: " + at, Hint: "for example --metrics 127.0.0.1:9095"}
	}
	return fmt.Errorf("metrics: %w", err)
}
