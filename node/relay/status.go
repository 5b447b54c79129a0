package relay

import (
	"fmt"
	"maps"
	"runtime"
	"runtime/debug"
	"time"

	"starling/node/relay/metrics"
	"starling/p2p"
)

// Status is a running relay's knowledge of itself: its standing with others, by their
// word, and its room.
type Status struct {
	Listed    bool   `json:"listed"`    // most of those asked list it; somebody was asked
	Reachable bool   `json:"reachable"` // enough of those asked have reached it
	PeerID    string `json:"peer_id"`
	// Announced are the addresses that the relay signs, Listening those it listens
	// on, Unreached those at which no other relay finds it, and Foreign those of them
	// at which another node answers. Others see the relay come from SeenFrom.
	Announced []string `json:"announced"`
	Role      string   `json:"role"`
	// Bridge is the link of a bridge, by its addresses and its host name of now.
	Bridge string `json:"bridge,omitempty"`
	// Reason says why it is not healthy, "" if it is.
	Reason    string   `json:"reason,omitempty"`
	Listening []string `json:"listening"`
	Unreached []string `json:"unreached"`
	Foreign   []string `json:"foreign"`
	SeenFrom  []string `json:"seen_from"`
	// Asked is the number of other relays with a recent answer about this one; ListedBy
	// and ReachedBy are the peer ids of those that list it, and of those that have
	// reached it. Alone: no other relay is known.
	Asked     int      `json:"asked"`
	ListedBy  []string `json:"listed_by"`
	ReachedBy []string `json:"reached_by"`
	Alone     bool     `json:"alone"`
	// Domain is its host name with the certificate, if it has one.
	Domain *Domain `json:"domain,omitempty"`
	// Asleep is the end of a relay's sleep, once its quota is used up.
	Asleep *time.Time `json:"asleep,omitempty"`

	Relays     int `json:"relays_known"`
	Neighbours int `json:"neighbours"` // relays with a connection
	Links      int `json:"links"`
	// Clients and Boxes are taken of so many places.
	Clients      int `json:"clients"`
	ClientPlaces int `json:"client_places"`
	Boxes        int `json:"boxes"`
	BoxPlaces    int `json:"box_places"`

	Packets Packets `json:"packets"`
	Queues  Queues  `json:"queues"`
	Mailbox Mailbox `json:"mailbox"`
	Limits  InUse   `json:"limits"`
	// ClockAhead is by how many seconds this computer's clock is ahead of the others'
	// time; ClockKnown: two of them agree.
	ClockKnown bool  `json:"clock_known"`
	ClockAhead int64 `json:"clock_ahead"`

	BytesIn      int64            `json:"bytes_in"`
	BytesOut     int64            `json:"bytes_out"`
	Refused      map[string]int64 `json:"refused"` // by reason
	AllowPrivate bool             `json:"allow_private"`
	Started      time.Time        `json:"started"`
	Written      time.Time        `json:"written"`
	Version      string           `json:"version"`
	Versions     Versions         `json:"versions"`
}

// Domain is a host name with its certificate.
type Domain struct {
	Name string `json:"name"`
	// Until is the end of the certificate; without one it is left out.
	Until *time.Time `json:"until,omitempty"`
	// Error is why the last attempt to get or renew it came to nothing, with a Remedy; Again is
	// the time of the next.
	Error  string     `json:"error,omitempty"`
	Remedy string     `json:"remedy,omitempty"`
	Again  *time.Time `json:"again,omitempty"`
}

// domainOf is the status of a host name.
func domainOf(d *p2p.Domain) *Domain {
	if d == nil {
		return nil
	}
	s := d.State()
	out := &Domain{Name: s.Name}
	if !s.Until.IsZero() {
		out.Until = &s.Until
	}
	if s.Fault != nil {
		out.Error, out.Remedy, out.Again = s.Fault.Why, s.Fault.Remedy, &s.Again
	}
	return out
}

// Packets are those that the mix has opened since the start.
type Packets struct {
	Forwarded int64 `json:"forwarded"`
	Delivered int64 `json:"delivered"` // to this relay's mailbox
	Slowed    int64 `json:"slowed"`    // had to wait to be opened
}

// Queues are the lengths of now.
type Queues struct {
	Frames  int `json:"frames"`  // on links
	Packets int `json:"packets"` // in the mix, for their delay
}

// Mailbox is the mail that lies here, and was handled since the start.
type Mailbox struct {
	Boxes    int     `json:"boxes"`
	Places   int     `json:"places"`
	Fill     float64 `json:"fill"`     // 0 to 1; more if the size was lowered
	Stored   int64   `json:"stored"`   // boxes taken
	Fetched  int64   `json:"fetched"`  // boxes handed out
	Full     int64   `json:"full"`     // boxes refused for want of room
	Replaced int64   `json:"replaced"` // boxes that made room for others
	Watches  int     `json:"watches"`  // that stand now
	Disk     string  `json:"disk"`     // "enough", "low", "full"; "" if it is not known
	DiskFree uint64  `json:"disk_free"`
}

// InUse are the limits in use.
type InUse struct {
	Clients      int       `json:"clients"`
	Bandwidth    int64     `json:"bandwidth"` // bytes a second each way; 0: none
	Quota        int64     `json:"quota"`     // bytes a month; 0: none
	QuotaUsed    int64     `json:"quota_used"`
	QuotaResets  time.Time `json:"quota_resets"`
	MailboxSize  int64     `json:"mailbox_size"`
	Memory       int64     `json:"memory"`
	OpenFiles    int       `json:"open_files"` // 0: not known
	Capacity     int       `json:"capacity"`   // packets a second that it offers to others
	TurnedAway   int64     `json:"turned_away"`
	MetricsAt    string    `json:"metrics,omitempty"`
	PortIsMapped bool      `json:"map_port"`
}

// Versions are those of the program, its protocol and its parts.
type Versions struct {
	Starling string `json:"starling"`
	Protocol string `json:"protocol"`
	Go       string `json:"go"`
	Libp2p   string `json:"libp2p,omitempty"`
}

// protocol is the name of the network's; docs/PROTOCOL.md.
const protocol = "/st/2"

// status returns the state as of now.
func (k *keeper) status() Status {
	k.mu.Lock()
	r, s, until, limits := k.running, k.last, k.until, k.limits
	k.mu.Unlock()
	if r != nil {
		s = r.Status()
	}
	out := k.statusOf(s, until, limits)
	if b, ok := r.(*p2p.Bridge); ok {
		out.Bridge, _ = b.Link() // none while nobody could reach it
	}
	return out
}

func (k *keeper) statusOf(s p2p.RelayStatus, until time.Time, l Limits) Status {
	list := func(all []string) []string { return append([]string{}, all...) } // never null
	used, next := k.ledger.now()

	out := Status{
		Listed: s.Listed && s.Asked > 0, Reachable: s.Reachable, PeerID: s.PeerID, Role: "relay",
		Announced: list(s.Announced), Listening: list(s.Addrs),
		Unreached: list(s.Unreached), Foreign: list(s.Foreign), SeenFrom: list(s.SeenFrom),
		Asked: s.Asked, ListedBy: list(s.ListedBy), ReachedBy: list(s.ReachedBy), Alone: s.Listed && s.Asked == 0,
		Relays: s.Relays, Neighbours: s.Neighbours, Links: s.Links,
		Clients: s.Clients, ClientPlaces: s.ClientPlaces, Boxes: s.Boxes, BoxPlaces: s.BoxPlaces,
		Packets: Packets{s.Mix.Forwarded, s.Mix.Delivered, s.Mix.Slowed},
		Queues:  Queues{s.Waiting, s.Mix.Waiting},
		Mailbox: Mailbox{
			Boxes: s.Boxes, Places: s.BoxPlaces, Fill: share(s.Boxes, s.BoxPlaces),
			Stored: s.Mailbox.Stored, Fetched: s.Mailbox.Found + s.Mailbox.Pushed, Full: s.Mailbox.Full,
			Replaced: s.Mailbox.Evicted, Watches: s.Mailbox.Subscriptions, DiskFree: s.Disk.Free,
		},
		Limits: InUse{
			Clients: s.ClientPlaces, Bandwidth: s.Bandwidth, Quota: l.Quota, QuotaUsed: used, QuotaResets: next,
			MailboxSize: int64(s.BoxPlaces) * p2p.DiskPerBox, Memory: s.Memory, OpenFiles: s.Files, Capacity: int(s.Capacity),
			TurnedAway: s.Turned, MetricsAt: k.config.Metrics, PortIsMapped: k.config.MapPort,
		},
		ClockKnown: s.ClockKnown, ClockAhead: int64(s.ClockAhead.Round(time.Second) / time.Second),
		BytesIn: s.CarriedIn, BytesOut: s.CarriedOut, Refused: refused(s), AllowPrivate: k.config.AllowPrivate,
		Started: k.began, Written: time.Now(), Version: k.config.Version,
		Versions: Versions{k.config.Version, protocol, runtime.Version(), libp2pVersion()}, Domain: domainOf(k.domain),
	}

	if s.Disk.Known {
		out.Mailbox.Disk = s.Disk.State.String()
	}
	if !until.IsZero() {
		// Nobody lists or reaches a relay that sleeps.
		out.Asleep, out.Listed, out.Reachable, out.Links, out.Clients, out.Neighbours = &until, false, false, 0, 0, 0
		out.Limits.Capacity = 0
	}
	if k.config.Bridge {
		out.Role, out.Alone = "bridge", s.Relays == 0
		out.Boxes, out.BoxPlaces, out.Limits.MailboxSize = 0, 0, 0
	}
	out.Reason = out.unwell()
	return out
}

func share(n, of int) float64 {
	if of == 0 {
		return 0
	}
	return float64(n*1000/of) / 1000
}

// refused counts refusals by reason, in all parts of a relay.
func refused(s p2p.RelayStatus) map[string]int64 {
	all := maps.Clone(s.Refused)
	if all == nil {
		all = map[string]int64{}
	}
	for reason, n := range s.Mix.Refused {
		all["packet: "+reason] += n
	}
	for reason, n := range map[string]int64{
		"client: no place": s.Turned, "mailbox: full": s.Mailbox.Full, "mailbox: malformed": s.Mailbox.Malformed,
		"mailbox: overloaded": s.Mailbox.Overloaded, "mailbox: no seat": s.Mailbox.NoSeat,
	} {
		if n > 0 {
			all[reason] += n
		}
	}
	return all
}

// libp2pVersion is that of the library, as the build knows it.
func libp2pVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, m := range info.Deps {
		if m.Path == "github.com/libp2p/go-libp2p" {
			return m.Version
		}
	}
	return ""
}

// unwell says why a relay is of no use to others now, "" if it is.
func (s Status) unwell() string {
	if s.Role == "bridge" && s.Asleep == nil {
		if s.Alone {
			return "no relay is known that it could lead to"
		}
		return ""
	}

	switch {
	case s.Asleep != nil:
		return "the month's quota is used up; the relay sleeps until " + s.Asleep.Format(time.DateOnly)
	case len(s.Foreign) > 0 && !s.Reachable:
		return "another node answers at the address that the relay announces"
	case len(s.Unreached) > 0 && !s.Reachable:
		return "no other relay reaches it at its address"
	case s.Alone:
		return "no other relay is known: this is the first of its mesh, or none of those given with --bootstrap has answered"
	case len(s.Announced) == 0 && len(s.Unreached) == 0:
		return "it has no address that others could reach"
	case s.Asked == 0:
		return "no other relay has said anything yet"
	case !s.Reachable:
		return fmt.Sprintf("%d of %d other relays asked have reached it", len(s.ReachedBy), s.Asked)
	case !s.Listed:
		return fmt.Sprintf("%d of %d other relays asked list it", len(s.ListedBy), s.Asked)
	}
	return ""
}

// health is the answer to /health.
func (k *keeper) health() metrics.Health {
	s := k.status()
	return metrics.Health{Healthy: s.Reason == "", Listed: s.Listed, Reachable: s.Reachable, Reason: s.Reason}
}
