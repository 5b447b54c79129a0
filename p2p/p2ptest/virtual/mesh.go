// Package virtual is the former name of what [p2ptest.Virtual] makes.
package virtual

import (
	"testing"
	"time"

	"starling/p2p"
	"starling/p2p/p2ptest"
	"starling/p2p/virtualtime"
)

type (
	Mesh   = p2ptest.Net
	Relay  = p2ptest.Relay
	Client = p2ptest.Client
)

func NewMesh(tb testing.TB, relays int, links virtualtime.Links) *Mesh {
	return p2ptest.Virtual(tb, relays, links, nil)
}

func NewMeshOf(tb testing.TB, relays int, links virtualtime.Links, edit func(node int, cfg *p2p.RelayConfig)) *Mesh {
	return p2ptest.Virtual(tb, relays, links, edit)
}

func Eventually(tb testing.TB, what string, ok func() bool) time.Duration {
	return p2ptest.Eventually(tb, what, ok)
}
