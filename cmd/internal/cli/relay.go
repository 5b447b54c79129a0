package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"starling/node/api"
	"starling/node/relay"
)

// codeNoRelay ends relay status when there is none to ask.
const codeNoRelay api.Code = "no_relay"

// relayDir is where a relay keeps its state: a folder of its own, so that a person's
// profile may be beside it.
func relayDir(profile string) string { return filepath.Join(profile, "relay") }

// relayFlags are those of a relay beside the network's.
type relayFlags struct {
	listen, family []string
	mapPort        bool
	bridge, qr     bool
	metrics        string
	metricsPublic  bool
	site           string
	front          bool
	domain, acme   string
	config, format string
	*relayLimits
}

func (a *app) relayCommand() *cobra.Command {
	f := &relayFlags{relayLimits: newRelayLimits()}
	cmd := &cobra.Command{
		Use:   "relay --listen MULTIADDR... [--announce MULTIADDR...] [--bootstrap MULTIADDR...]",
		Short: "Run a relay, until interrupted",
		Long: `Run a relay: it passes on and keeps sealed packets of people it does not know.
It needs no passphrase and keeps its state in the folder relay of the profile
folder. It prints one JSON line when it serves:

  {"event":"ready","peer_id":"…","addrs":["/ip4/…/p2p/…"]}

The first of these addresses is what others give to --bootstrap. Other relays try
each public address that it listens on or announces, and only where it is reached
it is listed. Behind a router that forwards a port, 1:1 NAT or Docker's bridge,
--announce the address outside; --map-port asks a router at home for one by UPnP
or NAT-PMP. Whether it came about: starling relay status.

With --lan it needs no public address: it answers whoever looks for a relay on the
local network, looks for others there itself, and takes any port if --listen is
left out.

On the line the relay is a web server, and every link a browser's WebSocket to it.
Whoever else comes by sees an empty site, or with --site the files of a directory,
or those of another web server whose URL is given. An address with /plain behind it
is of plain TCP, which anybody on the line can tell.

With --domain the site has a name, and a certificate of Let's Encrypt, or of the
authority of --acme-directory, whose terms of service you accept thereby. The authority
comes to port 443 of the name.

With --front a real web server has the port, Caddy or nginx, and passes links on to the
relay, which listens on loopback and without TLS. docs/OPERATORS.md has the
configuration of both.

With --bridge it is a bridge instead: a door for the people whom you give its link,
which the line has, too ("bridge":"starling-bridge:…"), and --qr draws. It is in no
list, keeps no mail and mixes nothing. It passes on bytes that it cannot read, to relays
that it knows: give it one with --bootstrap. You see who uses it, that is their
addresses. docs/OPERATORS.md has more.

Each flag may be given by a variable (STARLING_RELAY_MAX_CLIENTS) or in a TOML file
(--config; max-clients = 200) as well; a flag goes before a variable, and that
before the file. SIGHUP reads both anew: announce, bandwidth, quota, mailbox-size
and max-clients change at once. SIGINT or SIGTERM ends the relay in order.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r := &relayRun{app: a, relayFlags: f, cmd: cmd, given: map[string]bool{}}
			cmd.Flags().Visit(func(f *pflag.Flag) { r.given[f.Name] = true })
			return r.run(cmd.Context())
		},
	}

	flags := cmd.Flags()
	flags.StringSliceVar(&f.listen, "listen", nil, "one or more `MULTIADDR`s to listen on")
	f.relayLimits.flags(flags)
	flags.StringVar(&f.site, "site", "", "the web site of the relay, for all who are no nodes: a `DIR`, or the URL of a web server")
	flags.BoolVar(&f.front, "front", false, "Caddy or nginx is in front, on this machine: see docs/OPERATORS.md")
	flags.StringVar(&f.domain, "domain", "", "get a certificate for the host `NAME`, which leads to this machine, and renew it")
	flags.StringVar(&f.acme, "acme-directory", "", "of another authority than Let's Encrypt: the `URL` of its ACME directory")
	flags.BoolVar(&f.mapPort, "map-port", false, "ask the router to forward the port, by UPnP or NAT-PMP")
	flags.BoolVar(&f.bridge, "bridge", false, "be a bridge: in no list, and a door for those who have its link")
	flags.BoolVar(&f.qr, "qr", false, "draw the link of the bridge as a QR code, on standard error")
	flags.StringSliceVar(&f.family, "family", nil, "the `PEERID`s of your other relays, which name this one, too: no message passes two of them")
	flags.StringVar(&f.metrics, "metrics", "", "serve counts for Prometheus, and /health, at `HOST:PORT`")
	flags.BoolVar(&f.metricsPublic, "metrics-public", false, "let --metrics be an address that others can read")
	flags.StringVar(&f.config, "config", "", "read flags that are not given from a TOML `FILE`")
	flags.StringVar(&f.format, "log-format", "text", "`text` or json, on standard error")
	cobra.CheckErr(cmd.RegisterFlagCompletionFunc("log-format", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp)))
	a.alwaysJSON(cmd)
	a.networkFlags(cmd)
	cmd.AddCommand(a.relayStatusCommand())
	return cmd
}

// A relayRun is one call of the command.
type relayRun struct {
	*app
	*relayFlags
	cmd   *cobra.Command
	given map[string]bool // flags on the command line
	log   *slog.Logger
}

// run runs a relay with the flags, the environment and the file.
func (r *relayRun) run(ctx context.Context) error {
	// Flags, then variables, then the file: found has only names that no flag gives.
	found, err := r.settings(ctx)
	if err != nil {
		return err
	}
	if err := found.use(r.cmd.Flags()); err != nil {
		return err
	}
	r.network.allowPrivate = r.network.allowPrivate || r.network.lan
	if len(r.listen) == 0 && r.network.lan {
		r.listen = []string{"/ip4/0.0.0.0/tcp/0"} // found by asking, so any port will do
	}
	if err := r.check(); err != nil {
		return err
	}
	dir, err := r.profileDir()
	if err != nil {
		return err
	}

	r.log = r.relayLogger(r.format)
	changes := make(chan relay.Limits)
	// Before the relay runs: a hangup by then would end the process.
	r.rereads.Store(true)
	if r.listenHangups != nil {
		r.listenHangups()
	}
	go r.reread(ctx, found, changes)
	config := relayConfig{
		stateDir: relayDir(dir), listen: r.listen, site: r.site, front: r.front, domain: r.domain, acme: r.acme, family: r.family, mapPort: r.mapPort, bridge: r.bridge, metrics: r.metrics,
		limits: r.limits(), changes: changes, network: r.network, log: r.log,
	}
	err = r.engine.Relay(ctx, config, func(now relay.Ready) error {
		if r.qr {
			if err := qrCode(r.err, now.Bridge, false); err != nil {
				fmt.Fprintf(r.err, "starling: %v\n", err)
			}
		}
		return r.printJSON(ready{Event: "ready", PeerID: now.PeerID, Addrs: now.Addrs, Bridge: now.Bridge})
	})

	// An interrupt is the way to end it, and no fault.
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// check refuses flags that make no relay.
func (r *relayRun) check() error {
	if len(r.listen) == 0 {
		return usage("for example: starling relay --listen /ip4/0.0.0.0/tcp/4001", "--listen is missing")
	}
	if r.format != "text" && r.format != "json" {
		return usage("there are text and json", "--log-format %s is not known", own(r.format))
	}
	if r.network.proxy != "" {
		return usage("leave --proxy out; people use it with starling, and starling node", "a relay is dialled by others, which no proxy does for it")
	}
	if err := errors.Join(r.checkBridge(), r.checkFront(), r.checkDomain(), checkSite(r.site)); err != nil {
		return err
	}
	return errors.Join(checkListen(r.listen), checkAnnounce(r.announce, r.network.allowPrivate, r.bridge), checkMetrics(r.metrics, r.metricsPublic), r.network.check())
}

// checkSite refuses what is no web site.
func checkSite(site string) error {
	u, err := url.Parse(site)
	if site == "" || err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" {
		return nil
	}
	if info, err := os.Stat(site); err != nil || !info.IsDir() {
		return usage("name a folder with files, or a web server: --site http://127.0.0.1:8080", "--site %s is neither a folder nor the address of a web server", own(site))
	}
	return nil
}

// checkBridge refuses flags that make no bridge.
func (r *relayRun) checkBridge() error {
	switch {
	case !r.bridge && r.qr:
		return usage("add --bridge", "--qr draws the link of a bridge, and this is none")
	case !r.bridge:
		return nil
	case len(r.family) > 0:
		return usage("leave --family out: nobody lists a bridge", "--family and --bridge exclude each other")
	case r.network.lan:
		return usage("leave --lan out: nobody looks for a bridge", "--lan and --bridge exclude each other")
	}
	return checkWeb(r.listen)
}

// checkFront refuses flags that make no relay behind a web server.
func (r *relayRun) checkFront() error {
	if !r.front {
		return nil
	}
	for _, s := range r.listen {
		m, err := ma.NewMultiaddr(s)
		if err == nil && (!manet.IsIPLoopback(m) || strings.HasSuffix(s, "/plain")) {
			return usage("for example: --listen /ip4/127.0.0.1/tcp/4001", "with --front a relay listens on this machine alone, where the web server is, and not on %s", own(s))
		}
	}
	switch {
	case len(r.announce) == 0:
		return usage("say with --announce where the web server is reached, for example /ip4/192.0.2.7/tcp/443", "with --front nobody reaches the relay where it listens")
	case r.site != "":
		return usage("leave --site out", "the web server in front has the site: --site and --front exclude each other")
	case r.domain != "":
		return usage("leave --domain out", "the web server in front has the name and its certificate: --domain and --front exclude each other")
	case r.mapPort:
		return usage("forward the port of the web server on the router", "--map-port and --front exclude each other")
	case r.network.lan:
		return usage("leave --lan out", "nobody on the local network reaches a relay with --front: --lan and --front exclude each other")
	}
	return nil
}

// checkDomain refuses a name or an authority that is none.
func (r *relayRun) checkDomain() error {
	const example = "for example: --domain relay.example.org"
	if r.acme != "" {
		if u, err := url.Parse(r.acme); err != nil || u.Scheme != "https" || u.Host == "" {
			return usage("for example: --acme-directory https://acme.example.org/directory", "--acme-directory %s is no https:// URL", own(r.acme))
		}
		if r.domain == "" {
			return usage(example, "--acme-directory is of use with --domain alone")
		}
	}
	if r.domain == "" {
		return nil
	}
	r.domain = strings.ToLower(strings.TrimSuffix(r.domain, "."))
	if err := relay.CheckDomain(r.domain); err != nil {
		return usage(example, "--domain %s: %v", own(r.domain), err)
	}
	return nil
}

// checkWeb refuses addresses of plain TCP for a bridge.
func checkWeb(listen []string) error {
	for _, s := range listen {
		if strings.HasSuffix(s, "/plain") {
			return usage("leave /plain out", "a bridge listens as a web server, and not on %s", own(s))
		}
	}
	return nil
}

// relayLogger writes what an owner should know to standard error, or everything with
// --verbose.
func (c *console) relayLogger(format string) *slog.Logger {
	options := &slog.HandlerOptions{Level: slog.LevelInfo}
	if c.verbose {
		options.Level = slog.LevelDebug
	}
	if format == "json" {
		return slog.New(slog.NewJSONHandler(c.err, options))
	}
	return slog.New(slog.NewTextHandler(c.err, options))
}

// reread reads the configuration anew at each hangup, and hands on limits that changed.
// One that cannot be read changes nothing.
func (r *relayRun) reread(ctx context.Context, before settings, changes chan<- relay.Limits) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-r.hangups:
		}
		found, err := r.settings(ctx)
		var now *relayLimits
		if err == nil {
			now, err = r.limitsOf(found)
		}
		if err != nil {
			told, _ := failure(ctx, err)
			r.log.Error("the configuration is not read anew", "err", told.Message, "hint", told.Hint)
			continue
		}

		for _, name := range found.differing(before) {
			if !slices.Contains(reloaded, name) {
				r.log.Warn("this change takes a restart of the relay", "setting", name)
			}
		}
		before = found
		select {
		case changes <- now.limits():
		case <-ctx.Done():
			return
		}
	}
}

// limitsOf are the limits by the command line, which stay, and by another reading of the
// rest.
func (r *relayRun) limitsOf(found settings) (*relayLimits, error) {
	now := newRelayLimits()
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	now.flags(flags)
	part := settings{}
	for _, name := range reloaded {
		if s, ok := found[name]; ok {
			part[name] = s
		}
	}
	if err := part.use(flags); err != nil {
		return nil, err
	}

	start := r.relayLimits
	for name, keep := range map[string]func(){
		"announce": func() { now.announce = start.announce }, "bandwidth": func() { now.bandwidth = start.bandwidth },
		"quota": func() { now.quota = start.quota }, "mailbox-size": func() { now.mailbox = start.mailbox },
		"max-clients": func() { now.clients = start.clients },
	} {
		if r.given[name] {
			keep()
		}
	}
	return now, checkAnnounce(now.announce, r.network.allowPrivate, r.bridge)
}

// watchEvery is how often relay status --watch asks.
const watchEvery = time.Second

func (a *app) relayStatusCommand() *cobra.Command {
	var watch bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "How the relay that runs stands with others",
		Long: `Ask the relay that runs on this profile folder how it is: whether other relays
list it and have reached it from outside, at which addresses, what it carries and
keeps, what it has refused and why, and its limits. Nothing is asked of others:
they have told the relay. With --watch it is asked again every second.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			dir, err := a.profileDir()
			if err != nil {
				return err
			}

			err = printRelay(ctx, a, dir, false)
			for watch && err == nil {
				select {
				case <-ctx.Done():
					return nil
				case <-time.After(watchEvery):
					err = printRelay(ctx, a, dir, true)
				}
			}
			if watch && ctx.Err() != nil {
				return nil
			}
			return err
		},
	}

	cmd.Flags().BoolVar(&watch, "watch", false, "ask again every second, until interrupted")
	a.jsonFlag(cmd)
	return cmd
}

// printRelay asks once and prints it; again: not for the first time.
func printRelay(ctx context.Context, a *app, dir string, again bool) error {
	s, err := a.engine.RelayStatus(ctx, relayDir(dir))
	switch {
	case errors.Is(err, relay.ErrNotRunning):
		return &api.Error{Code: codeNoRelay, Message: "no relay runs on " + dir}
	case errors.Is(err, relay.ErrStarting), errors.Is(err, relay.ErrSilent):
		return &api.Error{Code: codeNoRelay, Message: err.Error(), Hint: "wait a moment and look again; if it stays so, end the relay and start it again"}
	case errors.Is(err, fs.ErrPermission):
		return &api.Error{Code: api.CodeInternal, Message: "the relay's folder is somebody else's: " + err.Error(), Hint: "ask as root, or as the user that the relay runs as"}
	case err != nil:
		return err
	}
	return a.print(s, func(w io.Writer) {
		switch {
		case again && a.outTTY:
			fmt.Fprint(w, "\x1b[H\x1b[2J")
		case again:
			fmt.Fprintln(w)
		}
		relayWords(w, s)
	})
}

func relayWords(w io.Writer, s relay.Status) {
	line := func(label, format string, args ...any) {
		fmt.Fprintf(w, "%-12s%s\n", label, fmt.Sprintf(format, args...))
	}
	others := func(n int) string {
		if s.Asked == 1 {
			return fmt.Sprintf("%d of 1 other relay that was asked", n)
		}
		return fmt.Sprintf("%d of %d other relays that were asked", n, s.Asked)
	}

	switch {
	case s.Role == "bridge":
		bridgeWords(line, s)
		return
	case s.Asleep != nil:
		line("listed", "no: the month's quota is used up, the relay sleeps until %s", clock(*s.Asleep))
	case s.Alone:
		line("listed", "by nobody else: no other relay is known, this is the first of its mesh, or none of those given with --bootstrap has answered")
	case s.Asked == 0:
		line("listed", "not known: no other relay has said anything yet")
	case s.Listed:
		line("listed", "yes, by %s", others(len(s.ListedBy)))
	default:
		line("listed", "no: by %s", others(len(s.ListedBy)))
	}
	switch {
	case s.Reachable:
		line("reachable", "yes: reached from outside by %s", others(len(s.ReachedBy)))
	case s.Asked == 0 && len(s.Unreached) == 0:
		line("reachable", "not known: no other relay has said anything yet")
	default:
		line("reachable", "no: reached from outside by %s", others(len(s.ReachedBy)))
	}

	for _, a := range s.Announced {
		line("announced", "%s", own(a))
	}
	for _, a := range s.Unreached {
		if slices.Contains(s.Foreign, a) {
			line("unreached", "%s  another node answers there: it is somebody else's, or the port is forwarded to another machine", own(a))
			continue
		}
		line("unreached", "%s  no other relay finds it there: open the port, and forward it on the router", own(a))
	}
	for _, a := range s.SeenFrom {
		if !s.Reachable {
			line("", "others see this relay come from %s", own(a))
		}
	}
	if len(s.Announced) == 0 && s.Asleep == nil {
		line("announced", "nothing: listen on a public address, or say one with --announce")
	}

	domainWords(line, s.Domain)
	line("relays", "%d known, %d connected", s.Relays, s.Neighbours)
	line("clients", "%d of %d places taken, %d links", s.Clients, s.ClientPlaces, s.Links)
	line("mailboxes", "%d of %d boxes taken (%.1f %%)", s.Boxes, s.BoxPlaces, 100*s.Mailbox.Fill)
	if s.Boxes > s.BoxPlaces {
		line("", "more than its size allows: nothing is deleted, and no new mail is taken")
	}
	if s.Mailbox.Disk != "" {
		line("disk", "%s: %d MB free", own(s.Mailbox.Disk), s.Mailbox.DiskFree/1e6)
	}
	line("packets", "%d passed on, %d for the mailbox; %d wait, and %d frames on links", s.Packets.Forwarded, s.Packets.Delivered, s.Queues.Packets, s.Queues.Frames)
	switch off := time.Duration(s.ClockAhead) * time.Second; {
	case !s.ClockKnown:
		line("clock", "not compared: no two other relays agree yet")
	case off == 0:
		line("clock", "agrees with the others'")
	case off > 0:
		line("clock", "%v ahead of what the others say; the relay goes by theirs", off)
	default:
		line("clock", "%v behind what the others say; the relay goes by theirs", -off)
	}

	line("traffic", "%d bytes in, %d bytes out", s.BytesIn, s.BytesOut)
	limitWords(line, s)
	refusedWords(line, s)
	if s.AllowPrivate {
		line("", "private addresses are admitted: only for meshes of your own")
	}
	line("peer id", "%s", own(s.PeerID))
	line("version", "%s, up since %s", own(s.Version), clock(s.Started))
}

// domainWords writes how the certificate of a host name is.
func domainWords(line func(label, format string, args ...any), d *relay.Domain) {
	if d == nil {
		return
	}
	switch {
	case d.Until != nil:
		line("domain", "%s, with a certificate until %s", own(d.Name), clock(*d.Until))
	case d.Error == "":
		line("domain", "%s, whose certificate is being ordered", own(d.Name))
	default:
		line("domain", "%s, without a certificate", own(d.Name))
	}
	if d.Error != "" {
		line("", "not renewed: %s", own(d.Error))
		line("", "%s", own(d.Remedy))
		if d.Again != nil {
			line("", "tried again at %s, or when the relay gets SIGHUP", clock(*d.Again))
		}
	}
}

// bridgeWords writes how a bridge is.
func bridgeWords(line func(label, format string, args ...any), s relay.Status) {
	switch {
	case s.Asleep != nil:
		line("bridge", "asleep: the month's quota is used up, until %s", clock(*s.Asleep))
	case s.Alone:
		line("bridge", "leads nowhere yet: no relay is known; give it one with --bootstrap")
	default:
		line("bridge", "leads to %d relays", s.Relays)
	}
	for _, a := range s.Listening {
		line("address", "%s", own(a))
	}
	domainWords(line, s.Domain)
	line("clients", "%d of %d places taken, %d pipes", s.Clients, s.ClientPlaces, s.Links)
	line("traffic", "%d bytes in, %d bytes out", s.BytesIn, s.BytesOut)
	limitWords(line, s)
	refusedWords(line, s)
	line("version", "%s, up since %s", own(s.Version), clock(s.Started))
	if s.Bridge != "" {
		line("link", "%s", own(s.Bridge))
	}
}

// refusedWords writes what was refused, the most frequent first.
func refusedWords(line func(label, format string, args ...any), s relay.Status) {
	for i, reason := range byCount(s.Refused) {
		label := ""
		if i == 0 {
			label = "refused"
		}
		line(label, "%d × %s", s.Refused[reason], own(reason))
	}
}

// limitWords writes the limits that the owner has set.
func limitWords(line func(label, format string, args ...any), s relay.Status) {
	if l := s.Limits; l.Quota > 0 {
		line("quota", "%d of %d MB used, %.0f %%; anew %s", l.QuotaUsed/1e6, l.Quota/1e6, 100*float64(l.QuotaUsed)/float64(l.Quota), clock(l.QuotaResets))
	}
	if l := s.Limits; l.Bandwidth > 0 {
		line("bandwidth", "at most %d kB a second each way", l.Bandwidth/1e3)
	}
	if l := s.Limits; l.Memory > 0 {
		line("limits", "made for %d MB of memory and %d open files", l.Memory/1e6, l.OpenFiles)
	}
}

// byCount returns the reasons of refusals, the most frequent first.
func byCount(refused map[string]int64) []string {
	return slices.SortedFunc(maps.Keys(refused), func(a, b string) int {
		return cmp.Or(cmp.Compare(refused[b], refused[a]), cmp.Compare(a, b))
	})
}
