package host_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/multiformats/go-multiaddr"

	"starling/p2p/host"
)

// TestKernelDoesNotProbe: neither end has a timer for probes (tcp(7), proc(5)).
func TestKernelDoesNotProbe(t *testing.T) {
	if _, err := os.Stat("/proc/net/tcp"); err != nil {
		t.Skip("the kernel does not tell")
	}
	r, c := relay(t, nil), client(t, host.Config{})
	if err := connect(t, c, r); err != nil {
		t.Fatal(err)
	}
	tcp, err := r.Network().ListenAddresses()[0].ValueForProtocol(multiaddr.P_TCP)
	if err != nil {
		t.Fatal(err)
	}
	number, err := strconv.Atoi(tcp)
	if err != nil {
		t.Fatal(err)
	}
	port := fmt.Sprintf(":%04X", number)
	raw, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		t.Fatal(err)
	}
	ends := 0
	for line := range strings.Lines(string(raw)) {
		f := strings.Fields(line) // number, local, remote, state, queues, timer:when
		if len(f) < 6 || f[3] != "01" || !strings.HasSuffix(f[1], port) && !strings.HasSuffix(f[2], port) {
			continue
		}
		ends++
		if strings.HasPrefix(f[5], "02:") {
			t.Errorf("probed: %s", line)
		}
	}
	if ends != 2 {
		t.Errorf("%d ends found", ends)
	}
}
