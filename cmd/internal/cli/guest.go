package cli

import (
	"context"
	"errors"
	"sync"

	"starling/node/api"
)

// guest is the node of another process, as a window uses it. When that process ends, the
// passphrase lets this one take the profile over: its node is found in the same place,
// and the window goes on.
type guest struct {
	api.Node
	app *app
	dir string

	mu   sync.Mutex
	host running // nil: not taken over
}

// Unlock checks the passphrase, where there is a node, and starts one where there is none.
func (g *guest) Unlock(ctx context.Context, passphrase string) error {
	g.mu.Lock()
	defer g.mu.Unlock()

	return g.app.settled(ctx, func() error {
		err := g.Node.Unlock(ctx, passphrase)
		if api.CodeOf(err) != api.CodeClosed {
			return err
		}

		_, closer, err := g.app.engine.Dial(ctx, g.dir)
		switch {
		case err == nil:
			closer.Close()
			return errHeld // another window was faster: it is asked
		case !errors.Is(err, errNoNode):
			return err
		case g.app.engine.Held(g.dir):
			return errHeld
		}
		host, err := g.app.engine.Start(ctx, startConfig{profile: g.dir, passphrase: passphrase, network: g.app.network, log: g.app.appLogger()})
		if err == nil {
			g.host = host
		}
		return err
	})
}

// close ends the node that took over.
func (g *guest) close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.host == nil {
		return nil
	}
	return g.host.Close()
}
