package metrics

import "slices"

// Prefix is that of all names.
const Prefix = "starling_relay_"

// A gauge goes up and down, a counter only grows.
type gauge struct {
	name, help string
	unit       unit
	of         func(Counts) float64
}

type counter struct {
	name, help, label string
	unit              unit
	of                func(Counts) map[string]float64 // by label
}

var gauges = []gauge{
	{"clients", "Clients with a place.", people, func(c Counts) float64 { return float64(c.Clients) }},
	{"links", "Links to clients and relays.", people, func(c Counts) float64 { return float64(c.Links) }},
	{"mailbox_boxes", "Boxes in the mailbox.", boxes, func(c Counts) float64 { return float64(c.Boxes) }},
	{"queued_frames", "Frames that wait on links.", packets, func(c Counts) float64 { return float64(c.QueuedFrames) }},
	{"delayed_packets", "Packets that wait in the mix.", packets, func(c Counts) float64 { return float64(c.DelayedPackets) }},
	{"disk_free_bytes", "Room on the disk of the mailbox.", bytes, func(c Counts) float64 { return float64(c.DiskFree) }},
	{"quota_used_bytes", "Bytes carried this month.", bytes, func(c Counts) float64 { return float64(c.QuotaUsed) }},
}

// one is a counter without a label.
func one(of func(Counts) int64) func(Counts) map[string]float64 {
	return func(c Counts) map[string]float64 { return map[string]float64{"": float64(of(c))} }
}

var counters = []counter{
	{"packets_forwarded_total", "Packets passed on.", "", packets, one(func(c Counts) int64 { return c.Forwarded })},
	{"packets_delivered_total", "Packets for this relay's mailbox.", "", packets, one(func(c Counts) int64 { return c.Delivered })},
	{"bytes_total", "Bytes that connections carried.", "direction", bytes, func(c Counts) map[string]float64 {
		return map[string]float64{"in": float64(c.BytesIn), "out": float64(c.BytesOut)}
	}},
	{"mail_stored_total", "Boxes taken.", "", boxes, one(func(c Counts) int64 { return c.MailStored })},
	{"mail_fetched_total", "Boxes handed out.", "", boxes, one(func(c Counts) int64 { return c.MailFetched })},
	{"mail_refused_total", "Boxes refused for want of room.", "", boxes, one(func(c Counts) int64 { return c.MailRefused })},
	{"clients_turned_total", "Clients without a place, or that had to leave theirs.", "", people, one(func(c Counts) int64 { return c.Turned })},
	{"refused_total", "Frames, packets and requests refused.", "reason", events, refusals},
}

// refusals bounds the number of reasons.
func refusals(c Counts) map[string]float64 {
	reasons := make([]string, 0, len(c.Refused))
	for r := range c.Refused {
		reasons = append(reasons, r)
	}
	slices.Sort(reasons)
	all := map[string]float64{}
	for i, r := range reasons {
		if i >= maxReasons {
			all["other"] += float64(c.Refused[r])
			continue
		}
		all[r] += float64(c.Refused[r])
	}
	return all
}

// A fact is one figure of the relay itself.
type fact struct {
	name, help string
	of         func(Facts) float64
}

func flag(of func(Facts) bool) func(Facts) float64 {
	return func(f Facts) float64 {
		if of(f) {
			return 1
		}
		return 0
	}
}

func number(of func(Facts) int) func(Facts) float64 {
	return func(f Facts) float64 { return float64(of(f)) }
}

var facts = []fact{
	{"listed", "Most of the other relays that were asked list this one.", flag(func(f Facts) bool { return f.Listed })},
	{"reachable", "Enough of the other relays that were asked have reached this one.", flag(func(f Facts) bool { return f.Reachable })},
	{"asleep", "The month's quota is used up.", flag(func(f Facts) bool { return f.Asleep })},
	{"asked_relays", "Other relays with a recent answer about this one.", number(func(f Facts) int { return f.Asked })},
	{"listed_by_relays", "Those of them that list it.", number(func(f Facts) int { return f.ListedBy })},
	{"reached_by_relays", "Those of them that have reached it.", number(func(f Facts) int { return f.ReachedBy })},
	{"unreached_addresses", "Addresses at which no other relay finds it.", number(func(f Facts) int { return f.Unreached })},
	{"relays_known", "Relays in its list.", number(func(f Facts) int { return f.Relays })},
	{"neighbours", "Relays with a connection.", number(func(f Facts) int { return f.Neighbours })},
	{"clock_ahead_seconds", "This computer's clock against the others' time.", func(f Facts) float64 { return f.ClockAhead.Seconds() }},
	{"client_places", "Places for clients.", number(func(f Facts) int { return f.ClientPlaces })},
	{"mailbox_places", "Boxes that there is room for.", number(func(f Facts) int { return f.BoxPlaces })},
	{"bandwidth_limit_bytes", "Bytes a second each way; 0: no limit.", func(f Facts) float64 { return float64(f.Bandwidth) }},
	{"quota_limit_bytes", "Bytes a month; 0: no limit.", func(f Facts) float64 { return float64(f.Quota) }},
	{"capacity_packets", "Packets a second that it offers to carry.", number(func(f Facts) int { return f.Capacity })},
	{"disk_low", "Soon new mail has to be refused for want of disk.", flag(func(f Facts) bool { return f.DiskLow || f.DiskFull })},
	{"disk_full", "New mail is refused for want of disk.", flag(func(f Facts) bool { return f.DiskFull })},
	{"start_time_seconds", "Start, in seconds since 1970.", func(f Facts) float64 { return float64(f.Started.Unix()) }},
}

// Names returns the names of all metrics.
func Names() (all []string) {
	all = append(all, Prefix+"info")
	for _, f := range facts {
		all = append(all, Prefix+f.name)
	}
	for _, g := range gauges {
		all = append(all, Prefix+g.name)
	}
	for _, c := range counters {
		all = append(all, Prefix+c.name)
	}
	return all
}
