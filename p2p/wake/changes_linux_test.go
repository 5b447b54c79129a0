package wake

import (
	"context"
	"encoding/binary"
	"os"
	"os/exec"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func message(kind uint16, prefix byte) []byte {
	b := make([]byte, unix.SizeofNlMsghdr+unix.SizeofRtMsg)
	binary.NativeEndian.PutUint32(b, uint32(len(b)))
	binary.NativeEndian.PutUint16(b[4:], kind)
	b[unix.SizeofNlMsghdr+1] = prefix
	return b
}

func TestDefaultRoute(t *testing.T) {
	other := message(unix.RTM_NEWROUTE, 24)
	for name, tt := range map[string]struct {
		b    []byte
		want bool
	}{
		"nothing":           {nil, false},
		"a default route":   {message(unix.RTM_DELROUTE, 0), true},
		"another route":     {other, false},
		"one after another": {append(other, message(unix.RTM_NEWROUTE, 0)...), true},
		"an address":        {message(unix.RTM_NEWADDR, 0), false},
		"cut off":           {message(unix.RTM_NEWROUTE, 0)[:20], false},
		"of no length":      {make([]byte, 64), false},
	} {
		if got := defaultRoute(tt.b); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestKernelTells: an address that is added to an interface is news at once. It takes
// a network namespace of its own.
func TestKernelTells(t *testing.T) {
	const inside = "STARLING_TEST_WAKE"
	if os.Getenv(inside) == "" {
		cmd := exec.Command("unshare", "-n", os.Args[0], "-test.run=^TestKernelTells$", "-test.v")
		cmd.Env = append(os.Environ(), inside+"=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			if exec.Command("unshare", "-n", "true").Run() != nil {
				t.Skip("this machine gives no network namespace")
			}
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	news := make(chan time.Time, 16)
	go changes(ctx, func() { news <- time.Now() })
	time.Sleep(100 * time.Millisecond)
	began := time.Now()
	for _, args := range [][]string{{"link", "add", "wake0", "type", "dummy"}, {"link", "set", "wake0", "up"}, {"addr", "add", "10.9.8.7/24", "dev", "wake0"}} {
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			t.Skipf("ip %v: %v %s", args, err, out)
		}
	}
	select {
	case at := <-news:
		t.Logf("told after %v", at.Sub(began))
	case <-time.After(10 * time.Second):
		t.Fatal("the kernel told nothing")
	}
}
