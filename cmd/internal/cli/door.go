package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"starling/node/api"
	"starling/node/relay"
)

// doorFlags are those of a bridge that runs beside a node.
type doorFlags struct {
	*app
	bridge, qr       bool
	listen, announce []string
}

func (d *doorFlags) flags(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&d.bridge, "bridge", false, "be a bridge for friends as well: a door that is in no list")
	cmd.Flags().StringSliceVar(&d.listen, "listen", nil, "one or more `MULTIADDR`s for the bridge to listen on")
	cmd.Flags().StringSliceVar(&d.announce, "announce", nil, "`MULTIADDR`s at which others reach the bridge, if they are others")
	cmd.Flags().BoolVar(&d.qr, "qr", false, "draw the link of the bridge as a QR code, on standard error")
}

// check refuses flags that make no bridge.
func (d *doorFlags) check() error {
	const example = "for example: starling node --bridge --listen /ip4/0.0.0.0/tcp/443"
	switch {
	case !d.bridge && (len(d.listen) > 0 || len(d.announce) > 0 || d.qr):
		return usage(example, "a node listens nowhere, unless it is a bridge")
	case !d.bridge:
		return nil
	case len(d.listen) == 0:
		return usage(example, "--listen is missing")
	}
	return errors.Join(checkWeb(d.listen), checkListen(d.listen), checkAnnounce(d.announce, d.network.allowPrivate || d.network.lan, true))
}

// open starts the bridge and returns its link. Its end is told only if it fails.
func (d *doorFlags) open(ctx context.Context, node api.Node, profile string) (link string, ended <-chan error, err error) {
	if !d.bridge {
		return "", nil, nil
	}
	set, err := node.Settings(ctx)
	if err != nil {
		return "", nil, err
	}
	if set.BridgesOnly || set.Proxy != "" || d.network.proxy != "" {
		return "", nil, usage("leave --bridge out, or the proxy and bridges-only", "a bridge dials relays by itself, which this profile does not want")
	}

	begun, over := make(chan relay.Ready, 1), make(chan error, 1)
	go func() {
		err := d.engine.Relay(ctx, relayConfig{
			stateDir: relayDir(profile), listen: d.listen, bridge: true, network: d.network, log: d.logger(),
			limits: relay.Limits{Announce: d.announce},
		}, func(now relay.Ready) error { begun <- now; return nil })
		if ctx.Err() == nil {
			over <- err
		}
	}()
	select {
	case now := <-begun:
		if d.qr {
			if err := qrCode(d.err, now.Bridge, false); err != nil {
				fmt.Fprintf(d.err, "starling: %v\n", err)
			}
		}
		return now.Bridge, over, nil
	case err := <-over:
		return "", nil, err
	case <-ctx.Done():
		return "", nil, ctx.Err()
	}
}
