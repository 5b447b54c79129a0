package relay

import (
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
