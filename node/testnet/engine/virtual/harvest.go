package virtual

import (
	"context"
	"time"

	"starling/node/testnet/engine"
	"starling/p2p"
	"starling/p2p/directory"
	"starling/p2p/virtualtime"
)

// learning is how long a censor among the users reads the list of relays.
const learning = 2 * time.Minute

// Harvest implements engine.Engine: a client of the censor's asks as any newcomer does.
func (e *Engine) Harvest(ctx context.Context, fraction float64, first bool) ([]int, error) {
	learn := func() ([]*directory.Descriptor, error) { return e.learn(ctx) }
	return engine.Harvest(e, e.cfg.Scenario, fraction, first, learn, func(i int) string { return virtualtime.Address(i).String() })
}

// learn returns the list of relays that a newcomer comes to have.
func (e *Engine) learn(ctx context.Context) ([]*directory.Descriptor, error) {
	s := e.cfg.Scenario
	client, err := p2p.NewClient(p2p.ClientConfig{
		Bootstrap: e.mesh.BootstrapFrom(s.Relays - 1), Options: e.net.Options(s.Relays + s.People() + s.Strangers()), Logger: e.cfg.Logger,
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		client.Run(ctx)
	}()
	defer func() { cancel(); <-ended }()

	select {
	case <-time.After(learning):
	case <-ctx.Done():
		return nil, ctx.Err()
	}

	return client.Directory().Snapshot().Relays, nil
}
