// Package relay runs a relay as a program of its own: one per state folder, in
// the errors of node/api.
//
// The state folder, mode 0700, holds the files of package p2p (the relay's
// network key and its mailboxes) and
//
//	relay.lock    held while the relay runs
//	relay.quota   the bytes carried this month
//	control.sock  its control socket, mode 0600
//	bridge        the folder of a bridge: its key, its certificate, the relays it knows
//	acme          the certificate for its host name, and the key of its account
//
// The parts:
//
//	relay.go     Run: the relay, as long as its quota lasts
//	watch.go     the look at it every other second, for all the others
//	status.go    its status, and whether it is healthy
//	control.go   the control socket, and the way to ask it
//	counts.go    its figures for package metrics
//	quota.go     the bytes of a month
//	journal.go   the few lines of its log
//	service.go   systemd's notifications
//	failure.go   its errors in words
//	memory.go    the memory that it makes do with
package relay

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"starling/node/api"
	"starling/node/relay/metrics"
	"starling/p2p"
)

const (
	lockFile = "relay.lock"
	// bridgeDir is where a bridge has its key and its certificate: nothing in it is a relay's.
	bridgeDir = "bridge"
	acmeDir   = "acme"
	// Somebody may look whether the lock is held in the moment that a relay starts.
	lockWait, lockAgain = 500 * time.Millisecond, 50 * time.Millisecond
)

// Config says which relay to run.
type Config struct {
	StateDir     string
	Listen       []string // multiaddrs
	Site         string   // a directory or a URL; empty is an empty web site
	Domain       string   // a host name that gets a certificate by ACME; "": none
	ACME         string   // the URL of its authority; "": Let's Encrypt
	Front        bool     // a web server of this machine is in front
	Bridge       bool     // be a bridge: in no list, and a door for clients alone
	Family       []string // peer ids of the owner's other relays
	Bootstrap    []string // multiaddrs of other relays, with /p2p/
	AllowPrivate bool
	LAN          bool   // answer on the local network; takes AllowPrivate
	MapPort      bool   // ask the router to forward the port
	Metrics      string // HOST:PORT for /metrics and /health; "": none
	Memory       int64  // bytes to make do with; 0: as FitMemory
	Version      string
	Limits
	// Patient: a bridge runs, too, while it has no address that others could reach.
	Patient bool
	// Watch, if not nil, is shown the status of now every other second.
	Watch func(Status)
	// Changes brings new limits while the relay runs, if not nil.
	Changes <-chan Limits
	Logger  *slog.Logger
	// Getenv is os.Getenv, for systemd's variables; nil: there are none.
	Getenv func(string) string
}

// Limits are the choices of an owner that may change while the relay runs. Zero is no
// limit, or the default one.
type Limits struct {
	Announce    []string // multiaddrs at which others reach it, if they are others
	MaxClients  int
	MailboxSize int64 // bytes on disk
	Bandwidth   int64 // bytes a second, each way
	Quota       int64 // bytes a month, both ways together
}

// A keeper runs one relay on one folder, again when its quota begins anew.
type keeper struct {
	config Config
	log    *slog.Logger
	board  *metrics.Board
	domain *p2p.Domain // nil: there is no name
	ledger *ledger
	notice *service
	tell   journal
	began  time.Time
	wakes  chan struct{} // limits have changed
	// listens is closed once the relay has listened.
	listens chan struct{}
	once    sync.Once // to be ready

	mu      sync.Mutex
	limits  Limits
	running runner // nil while the quota is used up
	last    p2p.RelayStatus
	until   time.Time // the end of that; zero: it runs
}

// Ready is what others need to know of a relay that serves.
type Ready struct {
	PeerID string
	Addrs  []string
	Bridge string // its link, if it is a bridge
}

// A runner is a relay, or a bridge.
type runner interface {
	Run(context.Context) error
	Ready() <-chan struct{}
	PeerID() string
	Addrs() []string
	Status() p2p.RelayStatus
	Tune(context.Context, p2p.RelayTuning) error
}

// Run runs a relay until ctx ends and returns nil then. It calls ready once,
// when the relay serves, with its network identity and the addresses that
// others reach it at.
func Run(ctx context.Context, c Config, ready func(Ready) error) error {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(c.StateDir, 0o700); err != nil {
		return told(err)
	}
	lock := flock.New(filepath.Join(c.StateDir, lockFile))
	held, err := tryLock(ctx, lock)
	if err != nil {
		return told(err)
	}
	if !held {
		return &api.Error{Code: api.CodeInUse, Message: "another relay runs on " + c.StateDir, Hint: "stop it, or give this one a folder of its own with --profile"}
	}
	defer lock.Unlock()

	k := &keeper{
		config: c, log: c.Logger, limits: c.Limits, board: metrics.NewBoard(), began: time.Now(),
		wakes: make(chan struct{}, 1), listens: make(chan struct{}), notice: newService(c.Getenv), tell: journal{log: c.Logger},
	}
	if k.ledger, err = openLedger(filepath.Join(c.StateDir, quotaFile), time.Now); err != nil {
		return told(err)
	}
	defer k.ledger.save()
	if c.Domain != "" {
		if k.domain, err = p2p.NewDomain(p2p.DomainConfig{Name: c.Domain, Dir: filepath.Join(c.StateDir, acmeDir), Directory: c.ACME, Logger: c.Logger}); err != nil {
			return told(err)
		}
	}
	return k.run(ctx, ready)
}

// run serves the control socket and the metrics, and keeps the relay going.
func (k *keeper) run(ctx context.Context, ready func(Ready) error) error {
	socket, err := listenControl(k.config.StateDir)
	if err != nil {
		return told(err)
	}
	var scraped net.Listener
	if k.config.Metrics != "" {
		if scraped, err = net.Listen("tcp", k.config.Metrics); err != nil {
			socket.Close()
			return toldMetrics(k.config.Metrics, err)
		}
		k.config.Metrics = scraped.Addr().String() // of port 0 another
	}

	serving, stop := context.WithCancel(ctx)
	var beside sync.WaitGroup
	defer beside.Wait()
	defer stop()
	beside.Go(func() { serveControl(serving, socket, k.status) })
	beside.Go(func() { k.board.Run(serving, k.counts) })
	beside.Go(func() { k.follow(serving) })
	beside.Go(func() { k.watch(serving) })
	if k.domain != nil {
		beside.Go(func() {
			select {
			case <-k.listens: // the authority comes to the relay
				k.domain.Run(serving)
			case <-serving.Done():
			}
		})
	}
	if scraped != nil {
		beside.Go(func() { k.board.Serve(serving, scraped, k.facts, k.health) })
	}

	for {
		if err := k.awake(ctx); err != nil {
			return nil
		}
		if err := k.relay(ctx, ready); err != nil || ctx.Err() != nil {
			k.notice.tell("STOPPING=1")
			return err
		}
	}
}

// relay runs the relay until ctx ends, its quota is used up, or it fails.
func (k *keeper) relay(ctx context.Context, ready func(Ready) error) error {
	r, err := k.runner()
	if err != nil {
		return told(err)
	}
	running, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- r.Run(running) }()
	select {
	case err := <-ended:
		if ctx.Err() != nil {
			return nil
		}
		return told(err)
	case <-r.Ready():
	}

	k.set(r)
	defer k.set(nil)
	k.look()
	k.tell.begins(k.status())
	var readyErr error
	k.once.Do(func() {
		close(k.listens)
		readyErr = k.begun(r, ready)
	})

	// Also after a month's sleep: systemd would end a service that is not ready.
	k.notice.tell("READY=1")
	if readyErr != nil {
		stop()
		return errors.Join(readyErr, ignore(<-ended))
	}

	for {
		select {
		case err := <-ended:
			if ctx.Err() != nil {
				k.tell.ends()
				return nil
			}
			return told(err)
		case <-time.After(lookEvery):
		}

		// Ended in order, so that others hear that it leaves.
		if k.spent() {
			k.tell.spent(k.status())
			stop()
			return told(ignore(<-ended))
		}
	}
}

// runner makes the relay, or the bridge.
func (k *keeper) runner() (runner, error) {
	c := k.p2p()
	if !k.config.Bridge {
		return p2p.NewRelay(c)
	}
	return p2p.NewBridge(p2p.BridgeConfig{
		StateDir: filepath.Join(c.StateDir, bridgeDir), Listen: c.Listen, Announce: c.Announce, Bootstrap: c.Bootstrap,
		Site: c.Site, Front: c.Front, Named: c.Named, AllowPrivate: c.AllowPrivate, MaxClients: c.MaxClients, Bandwidth: c.Bandwidth, Memory: c.Memory,
		MapPort: c.MapPort, Logger: c.Logger,
	})
}

// begun tells that it serves.
func (k *keeper) begun(r runner, ready func(Ready) error) error {
	now := Ready{PeerID: r.PeerID(), Addrs: r.Addrs()}
	if b, ok := r.(*p2p.Bridge); ok {
		var err error
		if now.Bridge, err = b.Link(); err != nil && !k.config.Patient {
			return &api.Error{Code: api.CodeUsage, Message: "the bridge has no address that others could reach",
				Hint: "listen on a public address, or say with --announce where your router forwards one from, or have it do so with --map-port; for a mesh of your own add --allow-private"}
		}
	}
	return ready(now)
}

// ignore drops the error of a relay that was stopped.
func ignore(err error) error {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// p2p is the configuration of the relay of package p2p, with the limits of now.
func (k *keeper) p2p() p2p.RelayConfig {
	k.mu.Lock()
	defer k.mu.Unlock()
	c := k.config
	tune := k.limits.tuning()

	made := p2p.RelayConfig{
		StateDir:     c.StateDir,
		Listen:       c.Listen,
		Announce:     tune.Announce,
		Site:         c.Site,
		Front:        c.Front,
		Family:       c.Family,
		Bootstrap:    c.Bootstrap,
		AllowPrivate: c.AllowPrivate,
		LAN:          c.LAN,
		MapPort:      c.MapPort,
		Memory:       c.Memory,
		MaxClients:   tune.MaxClients,
		MaxBoxes:     tune.MaxBoxes,
		Bandwidth:    tune.Bandwidth,
		Logger:       k.log,
	}

	if k.domain != nil {
		made.Named = k.domain
	}
	return made
}

// tuning is the limits in the terms of package p2p.
func (l Limits) tuning() p2p.RelayTuning {
	t := p2p.RelayTuning{Announce: l.Announce, MaxClients: l.MaxClients, Bandwidth: l.Bandwidth}
	if l.MailboxSize > 0 {
		t.MaxBoxes = int(min(max(l.MailboxSize/p2p.DiskPerBox, 1), mostBoxes))
	}
	return t
}

// CheckAnnounced returns why others would not reach a relay, or a bridge, at an address.
func CheckAnnounced(s string, private, isBridge bool) error {
	return told(p2p.CheckAnnounced(s, private, isBridge))
}

// CheckBootstrap returns why nobody can start from an address.
func CheckBootstrap(s string) error { return p2p.CheckBootstrap(s) }

// CheckDomain reports whether a name is a full host name.
func CheckDomain(name string) error { return p2p.CheckDomain(name) }

// LeastBandwidth is the least limit that a relay can work with, in bytes a second.
const LeastBandwidth = p2p.FewestBandwidth

// mostBoxes is how many a mailbox has room for by its format.
const mostBoxes = 1 << 27

// follow takes new limits until ctx ends.
func (k *keeper) follow(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case l := <-k.config.Changes:
			k.change(ctx, l)
		}
	}
}

// change takes new limits, all or none.
func (k *keeper) change(ctx context.Context, l Limits) {
	k.notice.reloading()
	defer k.notice.tell("READY=1")
	k.mu.Lock()
	r := k.running
	k.mu.Unlock()
	if r != nil {
		if err := r.Tune(ctx, l.tuning()); err != nil {
			k.log.Error("the new configuration is not taken", "err", err)
			return
		}
	}

	k.mu.Lock()
	k.limits = l
	k.mu.Unlock()
	k.log.Info("the new configuration is in use")
	if k.domain != nil {
		k.domain.Again() // its owner may have mended what was wrong
	}
	select {
	case k.wakes <- struct{}{}:
	default:
	}
}

// set notes which relay runs; nil: none.
func (k *keeper) set(r runner) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.running = r
}

// tryLock takes the lock unless another relay holds it.
func tryLock(ctx context.Context, lock *flock.Flock) (bool, error) {
	waiting, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	held, err := lock.TryLockContext(waiting, lockAgain)
	if errors.Is(err, context.DeadlineExceeded) {
		return false, nil
	}
	return held, err
}
