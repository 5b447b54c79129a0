package node

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"starling/node/api"
	"starling/node/nettest"
	"starling/p2p"
	"starling/p2p/directory"
)

// lonely is a network that knows no relay before it is told of one that answers.
type lonely struct {
	*nettest.Client
	changed func()
	answers bool
	told    atomic.Bool
}

func (l *lonely) AddBootstrap(b []byte) (p2p.NodeID, error) {
	hint, err := directory.ParseHint(b)
	if err != nil {
		return p2p.NodeID{}, err
	}
	if !hint.Addresses[0].Public() {
		return p2p.NodeID{}, directory.ErrPrivate
	}
	if l.answers {
		l.told.Store(true)
		l.changed()
	}
	return hint.ID, nil
}

func (l *lonely) Status() p2p.Status {
	if l.told.Load() {
		return l.Client.Status()
	}
	return p2p.Status{}
}

func TestJoin(t *testing.T) {
	const public = "/ip4/9.9.9.9/tcp/4001/p2p/12D3KooWQjTEuAxgEwsPgmqDnTBfKyHpPWLbhsQ3g4i7SwaseQgD"
	for _, tt := range []struct {
		name, address string
		answers       bool
		want          api.Code
	}{
		{"a relay that answers", public, true, ""},
		{"a relay that does not", public, false, api.CodeOffline},
		{"a private one", "/ip4/192.168.1.2/tcp/4001/p2p/12D3KooWQjTEuAxgEwsPgmqDnTBfKyHpPWLbhsQ3g4i7SwaseQgD", true, api.CodeUsage},
		{"no name", "/ip4/9.9.9.9/tcp/4001", true, api.CodeUsage},
		{"nonsense", "nonsense", true, api.CodeUsage},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				net := nettest.New(3)
				u := newUser(t, net, "alice")
				if err := u.stop(); err != nil {
					t.Fatal(err)
				}
				u.network = func(cfg p2p.ClientConfig) (Network, error) {
					return &lonely{Client: net.Client(cfg), changed: cfg.OnChange, answers: tt.answers}, nil
				}
				u.start()
				if got := api.CodeOf(u.Join(context.Background(), tt.address)); got != tt.want {
					t.Errorf("%q, want %q", got, tt.want)
				}
				if err := u.stop(); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}
