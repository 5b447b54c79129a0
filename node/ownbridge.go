package node

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"starling/node/api"
	"starling/node/store"
	"starling/p2p"
	"starling/p2p/book"
	"starling/p2p/directory"
)

// BridgeConfig is how a bridge for friends is run.
type BridgeConfig struct {
	// Listen and Announce are multiaddrs; without Announce the router is asked for a port.
	Listen, Announce []string
	// Bootstrap are relays of the public list, for a bridge that knows none.
	Bootstrap    []string
	AllowPrivate bool
}

// BridgeNews is how a bridge for friends is now.
type BridgeNews struct {
	Link      string // empty while it has no address that others could reach
	Addresses []string
	Clients   int
}

// RunBridge runs a bridge until ctx ends, and tells how it is from time to time. It shares
// nothing with the node: it has a key, a folder and connections of its own.
type RunBridge func(ctx context.Context, c BridgeConfig, tell func(BridgeNews)) error

const (
	// bridgeAgain is after how long a bridge that ended is started again.
	bridgeAgain = time.Minute
	// bridgeKnows is how long a node may take to know relays that a bridge begins with,
	// of which it is given so many.
	bridgeKnows  = 30 * time.Second
	bridgeRelays = 4
)

// Ports drawn are below those that systems give to connections.
const (
	firstPort, lastPort = 10_240, 32_767
	portDraws           = 50
)

// An ownBridge is the bridge that this computer is for friends, while the setting says so.
type ownBridge struct {
	n    *Node
	wake chan struct{}

	mu      sync.Mutex
	setting string
	barred  bool // by the settings: a proxy, or bridges alone
	held    bool // while the settings change
	looks   int  // at the settings
	alive   bool // the node runs, and may run one
	news    BridgeNews
	told    bool // news came
	reached bool
	fault   error
	running string             // the setting of the run
	stop    context.CancelFunc // of the run; nil: there is none
	over    chan struct{}      // closed at its end
}

func newOwnBridge(n *Node, set api.Settings) *ownBridge {
	b := &ownBridge{n: n, wake: make(chan struct{}, 1)}
	b.take(set)
	return b
}

// take follows the settings.
func (b *ownBridge) take(set api.Settings) {
	b.mu.Lock()
	b.looks++
	b.held = false
	b.barred = set.BridgesOnly || cmp.Or(b.n.cfg.Proxy, set.Proxy) != ""
	b.setting = set.Bridge
	b.mu.Unlock()
	b.rouse()
}

// disown switches the setting off: a profile that was put back may be on another computer.
func (b *ownBridge) disown() error {
	var set api.Settings
	err := b.n.store.Update(b.n.ctx, func(tx *store.Tx) (err error) {
		if set, err = tx.Settings(); err == nil && set.Bridge != "" {
			set.Bridge = ""
			err = tx.SetSettings(set)
		}
		return err
	})
	b.take(set)
	return err
}

// rouse has the settings looked at.
func (b *ownBridge) rouse() {
	select {
	case b.wake <- struct{}{}:
	default:
	}
}

// hold ends the bridge, and returns when it listens no more. It stays so until take.
func (b *ownBridge) hold() {
	b.mu.Lock()
	b.held = true
	stop, over := b.stop, b.over
	b.mu.Unlock()
	if stop != nil {
		stop()
		<-over
	}
}

// release ends a hold if the settings have not changed after all.
func (b *ownBridge) release() {
	b.mu.Lock()
	b.looks++
	b.held = false
	b.mu.Unlock()
	b.rouse()
}

// settle returns when no bridge runs that the settings do not want.
func (b *ownBridge) settle() {
	b.mu.Lock()
	over := b.over
	if b.stop == nil || b.running == b.setting && !b.barred {
		over = nil
	}
	b.mu.Unlock()
	if over != nil {
		<-over
	}
}

// begin notes that the node runs.
func (b *ownBridge) begin() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.alive = b.n.cfg.Bridge != nil && !b.n.cfg.Brief
}

// run keeps the bridge going until ctx ends.
func (b *ownBridge) run(ctx context.Context) error {
	if !b.alive {
		return nil
	}
	for {
		again := make(<-chan time.Time)
		look, err := b.serve(ctx)
		if err != nil {
			again = time.After(bridgeAgain)
		}
		for waits := true; waits; {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-b.wake:
				waits = err != nil && look == b.look() // an old call
			case <-again:
				waits = false
			}
		}
	}
}

// look counts the times that the settings were looked at.
func (b *ownBridge) look() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.looks
}

// serve runs the bridge once, as long as the setting stands, and returns why it failed,
// with the look at the settings that it went by.
func (b *ownBridge) serve(ctx context.Context) (look int, err error) {
	running, stop := context.WithCancel(ctx)
	defer stop()
	over := make(chan struct{})
	b.mu.Lock()
	setting, look := b.setting, b.looks
	if setting == "" || b.barred || b.held {
		b.mu.Unlock()
		return look, nil
	}
	b.stop, b.over, b.running = stop, over, setting
	b.news, b.told, b.reached, b.fault = BridgeNews{}, false, false, nil
	b.mu.Unlock()

	// follow runs beside the bridge, so that a setting that ends it need not wait for it.
	var changed sync.WaitGroup
	changed.Go(func() { b.follow(running, stop, setting) })
	c, err := b.config(running, setting)
	if err == nil {
		err = b.n.cfg.Bridge(running, c, b.tell)
	}
	if err == nil && running.Err() == nil {
		err = errors.New("the bridge has ended")
	}

	// An end that was wished for is no fault.
	if running.Err() != nil {
		err = nil
	}
	stop()
	changed.Wait()

	b.mu.Lock()
	b.news, b.told, b.stop, b.fault = BridgeNews{}, false, nil, err
	b.mu.Unlock()
	// Behind the reset: hold and settle go on here, and may start the next.
	close(over)
	if err != nil {
		b.n.log.Warn("the bridge for friends", "err", err)
	}
	b.n.tellStatus()
	return look, err
}

// follow ends a run whose setting stands no more.
func (b *ownBridge) follow(running context.Context, stop context.CancelFunc, setting string) {
	for {
		select {
		case <-running.Done():
			return
		case <-b.wake:
		}
		b.mu.Lock()
		stands := b.setting == setting && !b.barred && !b.held
		b.mu.Unlock()
		if !stands {
			stop()
			b.rouse() // for the next run
			return
		}
	}
}

// tell takes news of the bridge.
func (b *ownBridge) tell(news BridgeNews) {
	b.mu.Lock()
	same := b.told && b.news.Link == news.Link && b.news.Clients == news.Clients && slices.Equal(b.news.Addresses, news.Addresses)
	if news.Link != b.news.Link {
		b.reached = false // by another address nobody has come
	}
	b.news, b.told = news, true
	b.reached = b.reached || news.Clients > 0
	b.mu.Unlock()
	// It comes every few seconds, and followers of the events get a whole status each time.
	if !same {
		b.n.tellStatus()
	}
}

// config says how the bridge of a setting is run.
func (b *ownBridge) config(ctx context.Context, setting string) (BridgeConfig, error) {
	c := BridgeConfig{AllowPrivate: b.n.cfg.AllowPrivate}
	at, err := placeOf(setting, c.AllowPrivate)
	if err != nil {
		return c, err
	}

	port := strconv.Itoa(int(at.Port()))
	c.Listen = []string{"/ip4/0.0.0.0/tcp/" + port}
	// A place on loopback is listened on alone: it says that nobody outside is meant.
	switch {
	case at.Addr().IsLoopback():
		c.Listen = []string{book.Multiaddr(book.Web(at)).String()}
	case haveIPv6():
		c.Listen = append(c.Listen, "/ip6/::/tcp/"+port)
	}
	if !at.Addr().IsUnspecified() {
		c.Announce = []string{book.Multiaddr(book.Web(at)).String()}
	}

	// The bridge keeps relays of its own between runs.
	_, err = os.Stat(filepath.Join(b.n.cfg.Profile.Relay(), "bridge", "network"))
	knows := err == nil
	if c.Bootstrap = b.relays(ctx, knows); len(c.Bootstrap) == 0 {
		c.Bootstrap = b.n.cfg.Bootstrap
	}
	if len(c.Bootstrap) == 0 && !knows {
		return c, errNowhere
	}
	return c, nil
}

// haveIPv6 reports whether this computer listens on IPv6.
func haveIPv6() bool {
	l, err := net.Listen("tcp6", "[::]:0")
	if err != nil {
		return false
	}
	l.Close()
	return true
}

// errNowhere: neither the node nor the bridge knows a relay.
var errNowhere = errors.New("there is nowhere to lead to")

// relays draws some of the public list: neither the guards nor the mailboxes of the
// owner are told. A bridge that knows relays by itself does not wait for them.
func (b *ownBridge) relays(ctx context.Context, knows bool) (all []string) {
	wait := bridgeKnows
	if knows {
		wait = time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()

	for {
		changed := b.n.statusChanged()
		status := b.n.net.Status()
		ours, known := b.ours(ctx, status)
		drawn, err := b.n.net.ChooseMailboxes(bridgeRelays, ours...)
		if err == nil && known {
			for _, m := range drawn {
				if hint, err := directory.ParseHint(m.Hint); err == nil {
					for _, at := range hint.Multiaddrs() {
						all = append(all, at.String())
					}
				}
			}
			return all
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil
		}
	}
}

// ours are the guards of the owner, and the mailboxes of the owner and the contacts, once
// they are known. In a mesh of one's own nobody is to be deceived.
func (b *ownBridge) ours(ctx context.Context, status p2p.Status) (all []store.Node, known bool) {
	if b.n.cfg.AllowPrivate {
		return nil, true
	}
	err := b.n.view(ctx, func(tx *store.Tx) (err error) { all, err = tx.EveryMailbox(); return err })
	for at := range b.n.inbox.Mailboxes() {
		all = append(all, at)
	}
	for _, g := range status.Guards {
		all = append(all, store.Node(g.ID))
	}
	return all, err == nil && len(status.Guards) > 0
}

// now is how the bridge is, with its link.
func (b *ownBridge) now() api.OwnBridge {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := api.OwnBridge{State: api.OwnBridgeShut, Link: b.news.Link, Addresses: slices.Clone(b.news.Addresses), Clients: b.news.Clients}

	switch {
	case b.setting == "":
		return api.OwnBridge{State: api.OwnBridgeOff}
	case !b.alive:
		out.Reason, out.Remedy = "it runs with the app and with starling node, and not with single commands", "start starling, or starling node"
	case b.barred:
		out.Reason, out.Remedy = barredBridge.Message, barredBridge.Hint
	case b.fault != nil:
		out.Reason, out.Remedy = "the bridge could not be opened", "switched off and on again it draws another port"
		switch {
		case api.CodeOf(b.fault) == api.CodeInUse:
			out.Reason = "another program has the port of the bridge, or runs a relay on this profile"
		case errors.Is(b.fault, errNowhere):
			out.Reason, out.Remedy = "no relay is known yet that the bridge could lead to", "leave the node running: it is opened once there is one"
		}
	case !b.told:
		out.State = api.OwnBridgeStarting
	case b.news.Link == "":
		out.Reason = "this computer has no address that others could reach, and no router here opens a port by itself"
		out.Remedy = "have the router forward the TCP port to this computer, and name its address outside: starling settings bridge ADDRESS:PORT"
	case b.reached:
		out.State = api.OwnBridgeReached
	default:
		out.State = api.OwnBridgeUntried
		out.Reason = "nobody has come in yet: a firewall or a router may be in the way, which this computer cannot see"
		out.Remedy = "have a friend take the link who is elsewhere, and look here again"
	}

	return out
}

// OwnBridge tells how the bridge is that this computer is for friends.
func (b bridges) OwnBridge(context.Context) (api.OwnBridge, error) {
	if b.n.ctx.Err() != nil {
		return api.OwnBridge{}, closedError
	}
	return b.n.own.now(), nil
}

// ownStatus is the bridge in a status: without its link, and nil if there is none.
func (b *ownBridge) ownStatus() *api.OwnBridge {
	now := b.now()
	if now.Link = ""; now.State == api.OwnBridgeOff {
		return nil
	}
	return &now
}

// barredBridge: what the owner does not want dialled, a bridge would dial.
var barredBridge = &api.Error{Code: api.CodeUsage, Message: "a bridge dials relays by itself, which a proxy and bridges-only do not allow",
	Hint: "choose one: starling settings bridge off, or proxy off and bridges-only off"}

var badBridge = &api.Error{Code: api.CodeUsage, Message: "this is no place for a bridge", Hint: "there are on, off, PORT, and ADDRESS:PORT with the address that others see"}

// placeOf reads a port, or an address and a port; without an address it is unspecified.
func placeOf(text string, private bool) (at netip.AddrPort, err error) {
	if port, err := strconv.ParseUint(text, 10, 16); err == nil {
		at = netip.AddrPortFrom(netip.IPv4Unspecified(), uint16(port))
	} else if at, err = netip.ParseAddrPort(text); err != nil || at.Addr().IsUnspecified() || at.Addr().Zone() != "" {
		return at, badBridge
	} else if at = netip.AddrPortFrom(at.Addr().Unmap(), at.Port()); !private && !book.Public(at) {
		return at, &api.Error{Code: api.CodeUsage, Message: "nobody outside reaches a private address", Hint: "name the address that your router has outside, or the port alone"}
	}
	if at.Port() == 0 {
		return at, badBridge
	}
	return at, nil
}

// bridgeSetting returns a setting as it is kept.
func bridgeSetting(text string, private bool) (string, error) {
	if text == "" {
		return "", nil
	}
	at, err := placeOf(text, private)
	if err != nil {
		return "", err
	}
	if at.Addr().IsUnspecified() {
		return strconv.Itoa(int(at.Port())), nil
	}
	return at.String(), nil
}

// A door is a change of the setting.
type door struct{ bridge, drawn string }

// newDoor reads a change before it is made; nil: there is none.
func newDoor(n *Node, change api.SettingsChange) (*door, error) {
	if change.Bridge == nil {
		return nil, nil
	}
	var d door
	var err error
	if *change.Bridge != "" && change.Proxy != nil && *change.Proxy != "" {
		return nil, barredBridge
	}
	if *change.Bridge == api.BridgeOn {
		d.drawn, err = drawPort()
	} else {
		d.bridge, err = bridgeSetting(*change.Bridge, n.cfg.AllowPrivate)
	}
	return &d, err
}

// set makes the change. A bridge that is on already keeps its port.
func (d *door) set(set *api.Settings, proxy string) error {
	switch {
	case d == nil:
		return nil
	case d.drawn == "":
		set.Bridge = d.bridge
	case set.Bridge == "":
		set.Bridge = d.drawn
	}

	// In the transaction: the two halves may be changed by two calls at once.
	if set.Bridge != "" && (set.BridgesOnly || cmp.Or(proxy, set.Proxy) != "") {
		return barredBridge
	}
	return nil
}

// drawPort draws a free port. It is another one for everybody, so that bridges have none in
// common.
func drawPort() (string, error) {
	for range portDraws {
		var b [4]byte
		rand.Read(b[:])
		port := strconv.Itoa(firstPort + int(binary.BigEndian.Uint32(b[:])%(lastPort-firstPort+1)))
		if l, err := net.Listen("tcp", ":"+port); err == nil {
			l.Close()
			return port, nil
		}
	}
	return "", &api.Error{Code: api.CodeUsage, Message: "this computer lets nobody listen on a port", Hint: "name one that it does: starling settings bridge PORT"}
}
