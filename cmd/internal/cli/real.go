package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"runtime/debug"
	"time"

	"starling/cmd/internal/buildinfo"
	"starling/node"
	"starling/node/api"
	"starling/node/config"
	"starling/node/control"
	"starling/node/relay"
	"starling/node/store"
	"starling/tui"
	"starling/tui/linear"
	"starling/tui/scratch"
	tuisetup "starling/tui/setup"
	"starling/tui/term"
)

// realEngine runs nodes and relays. This file is where the command line meets
// the packages that do the work.
type realEngine struct{}

func (realEngine) DefaultProfile() (string, error) {
	p, err := config.Locate("")
	return p.Dir, err
}

func (realEngine) Exists(profile string) (bool, error) {
	return node.Exists(config.Profile{Dir: profile})
}

func (realEngine) Held(profile string) bool { return config.Profile{Dir: profile}.Held() }

func (realEngine) Create(_ context.Context, profile string, p newProfile) error {
	var kdf store.KDF // the default one
	if p.cheapKDF {
		kdf = store.CheapKDF
	}
	return node.Create(config.Profile{Dir: profile}, p.passphrase, p.name, kdf)
}

func (realEngine) Dial(ctx context.Context, profile string) (api.Node, io.Closer, error) {
	c, err := control.Dial(ctx, config.Profile{Dir: profile})
	if errors.Is(err, control.ErrNoNode) {
		return nil, nil, errNoNode
	}
	if err != nil {
		return nil, nil, err
	}
	return c, c, nil
}

func (realEngine) Open(_ context.Context, c startConfig) (still, error) {
	return node.New(nodeConfig(c))
}

// nodeConfig is the configuration of a node.
func nodeConfig(c startConfig) node.Config {
	markers := config.Markers()
	if c.temporary {
		markers = ""
	}
	return node.Config{
		Profile:      config.Profile{Dir: c.profile},
		Passphrase:   c.passphrase,
		Bootstrap:    c.network.bootstrap,
		AllowPrivate: c.network.allowPrivate,
		LAN:          c.network.lan,
		Proxy:        c.network.proxy,
		Version:      buildinfo.Get().Version,
		Brief:        c.brief,
		Bridge:       bridgeRunner(c),
		Logger:       c.log,
		Store:        store.Options{Markers: markers},
	}
}

// bridgeRunner runs the bridge for friends of a profile, unless the command has its own.
func bridgeRunner(c startConfig) node.RunBridge {
	if c.bridge {
		return nil
	}
	return func(ctx context.Context, b node.BridgeConfig, tell func(node.BridgeNews)) error {
		return relay.Run(ctx, relay.Config{
			StateDir: relayDir(c.profile), Listen: b.Listen, Bridge: true, Patient: true, MapPort: len(b.Announce) == 0 && !b.AllowPrivate,
			Memory: relay.FitMemory(), Limits: relay.Limits{Announce: b.Announce, MaxClients: mostFriends},
			Bootstrap: b.Bootstrap, AllowPrivate: b.AllowPrivate, Version: buildinfo.Get().Version, Logger: c.log,
			Watch: func(s relay.Status) {
				tell(node.BridgeNews{Link: s.Bridge, Addresses: s.Listening, Clients: s.Clients})
			},
		}, func(r relay.Ready) error {
			tell(node.BridgeNews{Link: r.Bridge, Addresses: r.Addrs})
			return nil
		})
	}
}

// mostFriends is how many people may use the bridge of a person at once.
const mostFriends = 32

// startTakes is how long a start makes garbage.
const startTakes = 10 * time.Second

func (realEngine) Start(ctx context.Context, c startConfig) (running, error) {
	n, err := node.New(nodeConfig(c))
	if err != nil {
		return nil, err
	}

	// Texts that lay ready for an editor when an app was killed. It is nothing of the
	// node's.
	_ = scratch.Sweep(config.Profile{Dir: c.profile}.Texts()...)

	// Deriving the key took 64 MiB that are never needed again. What a node keeps is small, and so is the work of
	// collecting it twice as often: garbage lies around for half the memory.
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50)
	}
	debug.FreeOSMemory()

	h := &hosted{Node: n, done: make(chan struct{})}
	go func() {
		defer close(h.done)
		h.err = n.Run(context.Background())
	}()

	// So did reading rooms and lists; a node that is idle collects for itself only every two minutes.
	time.AfterFunc(startTakes, debug.FreeOSMemory)
	select {
	case <-n.Serving():
		return h, nil
	case <-h.done:
		return nil, h.Close()
	case <-ctx.Done():
		h.Close()
		return nil, ctx.Err()
	}
}

// hosted is a node in this process and the goroutine that runs it.
type hosted struct {
	*node.Node
	done chan struct{}
	err  error // how it ended; read after done is closed
}

func (h *hosted) Done() <-chan struct{} { return h.done }

func (h *hosted) Close() error {
	err := h.Node.Close()
	<-h.done
	return errors.Join(h.err, err)
}

func (realEngine) Nearby(ctx context.Context) ([]string, error) { return node.Nearby(ctx) }

func (realEngine) Restore(ctx context.Context, profile, file, passphrase string) error {
	return node.Restore(ctx, config.Profile{Dir: profile}, file, passphrase)
}

func (realEngine) ChangePassphrase(_ context.Context, profile, old, new string) error {
	return node.ChangePassphrase(config.Profile{Dir: profile}, old, new)
}

func (realEngine) Wipe(_ context.Context, profile string) error {
	return node.Wipe(config.Profile{Dir: profile})
}

func (realEngine) Relay(ctx context.Context, c relayConfig, ready func(relay.Ready) error) error {
	return relay.Run(ctx, relay.Config{
		StateDir:     c.stateDir,
		Listen:       c.listen,
		Site:         c.site,
		Front:        c.front,
		Domain:       c.domain,
		ACME:         c.acme,
		Family:       c.family,
		MapPort:      c.mapPort,
		Bridge:       c.bridge,
		Memory:       relay.FitMemory(),
		Metrics:      c.metrics,
		Limits:       c.limits,
		Changes:      c.changes,
		Bootstrap:    c.network.bootstrap,
		AllowPrivate: c.network.allowPrivate,
		LAN:          c.network.lan,
		Version:      buildinfo.Get().Version,
		Logger:       c.log,
		Getenv:       os.Getenv,
	}, ready)
}

func (realEngine) RelayStatus(ctx context.Context, stateDir string) (relay.Status, error) {
	return relay.Ask(ctx, stateDir)
}

// realScreens is package tui, and linear where nothing can be drawn.
type realScreens struct{}

func (realScreens) Setup(ctx context.Context, s setup) (_ answers, err error) {
	options := tuisetup.Options{Existing: s.existing, Problem: s.problem, Language: s.language, Demo: true, Name: s.before.name, Invite: s.before.invite}
	var got tuisetup.Result
	if term.Dumb() {
		got, err = tuisetup.Read(options)
	} else {
		got, err = tuisetup.Draw(ctx, options)
	}

	switch {
	case errors.Is(err, tuisetup.ErrCancelled):
		return answers{}, errLeft
	case errors.Is(err, tuisetup.ErrDemo):
		return answers{invite: got.Invite}, errDemo
	case err == nil && got.Backup != "":
		return answers{}, &restoreWish{got.Backup, got.Passphrase}
	}
	return answers{got.Name, got.Passphrase, got.Invite}, err
}

func (realScreens) Run(ctx context.Context, node api.Node, s screenOptions) error {
	if s.plain || term.Dumb() {
		err := linear.Run(ctx, node, linear.Options{
			Texts:     config.Profile{Dir: s.profile}.Texts(),
			Incognito: s.incognito,
			Language:  s.language,
			Join:      s.join,
			Guest:     s.guest,
			Nearby:    s.nearby,
			TryDemo:   s.tryDemo,
		}, os.Stdin, os.Stdout)
		if errors.Is(err, linear.ErrDemo) {
			return errDemo
		}
		return err
	}

	err := tui.Run(ctx, node, tui.Options{
		Incognito: s.incognito,
		Language:  s.language,
		Keys:      s.keys,
		Join:      s.join,
		Guest:     s.guest,
		Nearby:    s.nearby,
		BackupDir: s.backupDir,
		Texts:     config.Profile{Dir: s.profile}.Texts(),
		Demo:      s.demo,
		Back:      s.back,
		TryDemo:   s.tryDemo,
		Restore:   s.restore,
		Invite:    s.invite,
	})
	if errors.Is(err, tui.ErrDemo) {
		return errDemo
	}
	return err
}
