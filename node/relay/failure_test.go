package relay

import (
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"starling/node/api"
	"starling/p2p"
)

// TestTold: each fault of the machine has words and a remedy of its own, though libp2p
// keeps only the words of the system's error.
func TestTold(t *testing.T) {
	listen := func(at string, err error) error {
		return fmt.Errorf("listen on %s: %w", at, errors.New("failed to listen on any addresses: ["+err.Error()+"]"))
	}
	for _, tt := range []struct {
		err        error
		code       api.Code
		says, hint string
	}{
		{listen("/ip4/0.0.0.0/tcp/4001", syscall.EADDRINUSE), api.CodeInUse, "in use", "--listen"},
		{listen("/ip4/0.0.0.0/tcp/443", syscall.EACCES), api.CodeUsage, "privileged", "CAP_NET_BIND_SERVICE"},
		{listen("/ip4/0.0.0.0/tcp/4001", syscall.EACCES), api.CodeInternal, "permission denied", ""},
		{listen("/ip4/203.0.113.9/tcp/4001", syscall.EADDRNOTAVAIL), api.CodeUsage, "does not have the address", "--announce"},
		{listen("/ip4/0.0.0.0/tcp/4001", syscall.EMFILE), api.CodeUsage, "too many files", "LimitNOFILE"},
		{listen("/ip4/0.0.0.0/udp/4001/quic-v1", errors.New("no transport for protocol")), api.CodeUsage, "TCP alone", "--listen /ip4"},
		{fmt.Errorf("x: %w", &p2p.MistakeError{Mistake: "a mistake", Remedy: "a remedy"}), api.CodeUsage, "a mistake", "a remedy"},
		{&p2p.FilesError{Files: 100}, api.CodeUsage, "only 100 files", "LimitNOFILE"},
		{fmt.Errorf("relay key: %w", syscall.ENOSPC), api.CodeDiskFull, "disk is full", "free some space"},
		{fmt.Errorf("mailbox: opening: %w", p2p.ErrDiskFull), api.CodeDiskFull, "disk is full", "free some space"},
		{fmt.Errorf("mailbox: opening: %w", p2p.ErrDamaged), api.CodeDamaged, "damaged", "keep the file"},
		{fmt.Errorf("open: %w", syscall.EDQUOT), api.CodeDiskFull, "disk is full", ""},
	} {
		err := told(tt.err)
		var e *api.Error
		if api.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.says) || errors.As(err, &e) && !strings.Contains(e.Hint, tt.hint) {
			t.Errorf("%v: %v", tt.err, err)
		}
	}
	if told(nil) != nil {
		t.Error("an error of nothing")
	}
}
