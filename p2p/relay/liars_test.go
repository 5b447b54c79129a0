package relay_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/multiformats/go-multiaddr"

	"starling/p2p/mailbox"
	"starling/p2p/relay"
	"starling/p2p/virtualtime"
)

// TestOnlyTheOwnerSaysWhere: libp2p may come to believe any address of a relay,
// from strangers' reports or else. The relay signs its owner's.
func TestOnlyTheOwnerSaysWhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := virtualtime.NewNetwork(virtualtime.Links{LatencyMin: 10 * time.Millisecond, BitsPerSecond: 1e8})
		lie := multiaddr.StringCast("/ip4/9.9.9.9/tcp/4001")
		said := fmt.Sprintf("/ip4/%s/tcp/%d", virtualtime.Address(0), virtualtime.Port)
		r, err := relay.New(relay.Config{
			StateDir: t.TempDir(), Listen: []string{said}, Store: mailbox.NewMemory(100),
			Options: append(net.Options(0), func(cfg *libp2p.Config) error {
				cfg.AddrsFactory = func(all []multiaddr.Multiaddr) []multiaddr.Multiaddr {
					return append([]multiaddr.Multiaddr{lie}, all...)
				}
				return nil
			}),
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { r.Run(ctx); close(ended) }()
		select {
		case <-r.Ready():
		case <-ended:
			t.Fatal("it does not run")
		}
		time.Sleep(time.Minute)
		if got := fmt.Sprint(r.Status().Announced); got != "["+said+"]" {
			t.Errorf("announced %s", got)
		}
		stop()
		<-ended
	})
}
