package namespaces

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"starling/node"
	"starling/node/config"
	"starling/node/store"
	"starling/node/testnet/engine"
	"starling/node/testnet/engine/processes"
	"starling/node/testnet/nodelog"
	"starling/p2p/directory"
	"starling/p2p/guard"
	"starling/p2p/recall"
)

// learning is how long a censor among the users reads the list of relays.
const learning = 30 * time.Second

// Harvest implements engine.Engine: the censor runs a node as any newcomer does, and reads
// its profile.
func (e *Engine) Harvest(ctx context.Context, fraction float64, first bool) ([]int, error) {
	learn := func() ([]*directory.Descriptor, error) { return e.learn(ctx) }
	return engine.Harvest(e, e.s, fraction, first, learn, relayAddress)
}

// learn returns the list of relays that a newcomer comes to have.
func (e *Engine) learn(ctx context.Context) ([]*directory.Descriptor, error) {
	p, secret := config.Profile{Dir: filepath.Join(e.dir, spy)}, rand.Text()
	if err := node.Create(p, secret, "Newcomer", store.CheapKDF); err != nil {
		return nil, err
	}
	defer os.RemoveAll(p.Dir)

	args := []string{"node", "--profile", p.Dir}
	for _, a := range e.Bootstrap() {
		args = append(args, "--bootstrap", a)
	}
	cmd := e.lab.command(spy, e.program, args...)
	cmd.Env = append(cmd.Environ(), "STARLING_PASSPHRASE="+secret)
	proc, err := processes.Run(ctx, cmd, nodelog.File(engine.Logs(e.dir), spy), func(int) {})
	if err != nil {
		return nil, err
	}

	select {
	case <-time.After(learning):
	case <-ctx.Done():
	}
	if err := errors.Join(proc.Stop(), ctx.Err()); err != nil {
		return nil, err
	}
	return readList(ctx, p, secret)
}

// readList reads the list of relays in a profile.
func readList(ctx context.Context, p config.Profile, secret string) (list []*directory.Descriptor, err error) {
	s, err := store.Open(p, secret, store.Options{})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	var raw []byte
	if err := s.View(ctx, func(tx *store.Tx) error { raw, err = tx.NetworkState(); return err }); err != nil {
		return nil, err
	}
	state, err := recall.Parse(raw, guard.Config{})
	if err != nil {
		return nil, fmt.Errorf("the list of a newcomer: %w", err)
	}

	for _, raw := range state.Descriptors {
		d, err := directory.Parse(raw)
		if err != nil {
			return nil, err
		}
		list = append(list, d)
	}
	return list, nil
}
