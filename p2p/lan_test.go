package p2p

import (
	"errors"
	"testing"

	"github.com/multiformats/go-multiaddr"
)

func TestLANPort(t *testing.T) {
	for _, tt := range []struct {
		addrs []string
		want  uint16
	}{
		{nil, 0},
		{[]string{"/ip4/127.0.0.1/tcp/4001"}, 0},
		{[]string{"/ip4/127.0.0.1/tcp/4001", "/ip4/192.168.1.2/tcp/4002"}, 4002},
		{[]string{"/ip4/0.0.0.0/tcp/4003"}, 4003},
		{[]string{"/ip6/::1/tcp/1", "/ip6/fd00::1/tcp/4004"}, 4004},
		{[]string{"/ip4/192.168.1.2/udp/1/quic-v1"}, 0},
	} {
		var addrs []multiaddr.Multiaddr
		for _, s := range tt.addrs {
			addrs = append(addrs, multiaddr.StringCast(s))
		}
		if got := lanPort(addrs); got != tt.want {
			t.Errorf("%v: port %d, want %d", tt.addrs, got, tt.want)
		}
	}
}

// Nobody is on the local network who promised not to use private addresses.
func TestLANTakesPrivateAddresses(t *testing.T) {
	if _, err := NewClient(ClientConfig{LAN: true}); !errors.Is(err, errLAN) {
		t.Errorf("client: %v", err)
	}
	if _, err := NewRelay(RelayConfig{LAN: true, StateDir: t.TempDir(), Listen: []string{"/ip4/127.0.0.1/tcp/0"}}); !errors.Is(err, errLAN) {
		t.Errorf("relay: %v", err)
	}
}
