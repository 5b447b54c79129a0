package host

import (
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/netip"
	"sync"
	"time"

	golog "github.com/ipfs/go-log/v2"
	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/gologshim"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/x/rate"
)

// Limits of a relay on the public network, per source address. libp2p's own
// (8 connections and 0.2 new ones a second per IPv4 address) would lock out
// everybody behind a carrier's NAT.
const (
	connsPerIP     = 64
	newConnsPerIP  = 5 // a second
	newConnsBurst  = 64
	connsPerPrefix = 256 // IPv6 /48
)

func clientLimits() (network.ResourceManager, error) {
	small := rcmgr.PartialLimitConfig{System: rcmgr.ResourceLimits{
		ConnsInbound:  rcmgr.BlockAllLimit,
		Conns:         16,
		ConnsOutbound: 16,
		Streams:       128,
		Memory:        32 << 20,
	}}
	return newManager(small.Build(scaled(32<<20, 64)))
}

func relayLimits(private bool) (network.ResourceManager, error) {
	all4, all6 := netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")
	if private {
		// InfiniteLimits alone leaves the limits per address in force.
		return newManager(rcmgr.InfiniteLimits,
			rcmgr.WithNetworkPrefixLimit(
				[]rcmgr.NetworkPrefixLimit{{Network: all4, ConnCount: math.MaxInt}},
				[]rcmgr.NetworkPrefixLimit{{Network: all6, ConnCount: math.MaxInt}}),
			rcmgr.WithConnRateLimiters(&rate.Limiter{}))
	}
	limits := rcmgr.DefaultLimits
	libp2p.SetDefaultServiceLimits(&limits)
	return newManager(limits.AutoScale(),
		rcmgr.WithLimitPerSubnet(
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 32, ConnCount: connsPerIP}},
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 56, ConnCount: connsPerIP}, {PrefixLength: 48, ConnCount: connsPerPrefix}}),
		rcmgr.WithConnRateLimiters(&rate.Limiter{
			SubnetRateLimiter: rate.SubnetLimiter{
				IPv4SubnetLimits: []rate.SubnetLimit{{PrefixLength: 32, Limit: rate.Limit{RPS: newConnsPerIP, Burst: newConnsBurst}}},
				IPv6SubnetLimits: []rate.SubnetLimit{{PrefixLength: 56, Limit: rate.Limit{RPS: newConnsPerIP, Burst: newConnsBurst}}},
				GracePeriod:      time.Minute,
			},
		}))
}

func scaled(memory int64, files int) rcmgr.ConcreteLimitConfig {
	limits := rcmgr.DefaultLimits
	libp2p.SetDefaultServiceLimits(&limits)
	return limits.Scale(memory, files)
}

func newManager(limits rcmgr.ConcreteLimitConfig, opts ...rcmgr.Option) (network.ResourceManager, error) {
	m, err := rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(limits), append(opts, rcmgr.WithMetricsDisabled())...)
	if err != nil {
		return nil, fmt.Errorf("resource limits: %w", err)
	}
	return m, nil
}

// quiet turns off what the libraries would write to standard error: they name
// peers and addresses, and a terminal application owns the screen. What
// matters is reported through our own logger.
var quiet = sync.OnceFunc(func() {
	gologshim.SetDefaultHandler(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelError + 8}))
	golog.SetupLogging(golog.Config{Level: golog.LevelFatal, Format: golog.ColorizedOutput})
})
