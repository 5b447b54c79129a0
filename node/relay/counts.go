package relay

import (
	"time"

	"starling/node/relay/metrics"
)

// facts are the figures of the relay itself.
func (k *keeper) facts() metrics.Facts {
	s := k.status()
	return metrics.Facts{
		Version: s.Versions.Starling, Protocol: s.Versions.Protocol, Go: s.Versions.Go, Role: s.Role, Started: s.Started,
		Listed: s.Listed, Reachable: s.Reachable, Asleep: s.Asleep != nil,
		Asked: s.Asked, ListedBy: len(s.ListedBy), ReachedBy: len(s.ReachedBy), Unreached: len(s.Unreached),
		Relays: s.Relays, Neighbours: s.Neighbours, ClockAhead: time.Duration(s.ClockAhead) * time.Second,
		ClientPlaces: s.ClientPlaces, BoxPlaces: s.BoxPlaces, Bandwidth: s.Limits.Bandwidth, Quota: s.Limits.Quota,
		Capacity: s.Limits.Capacity, DiskLow: s.Mailbox.Disk == "low", DiskFull: s.Mailbox.Disk == "full",
	}
}

// counts come about by its users.
func (k *keeper) counts() metrics.Counts {
	s := k.status()
	return metrics.Counts{
		Clients: s.Clients, Links: s.Links, Boxes: s.Boxes, QueuedFrames: s.Queues.Frames, DelayedPackets: s.Queues.Packets,
		DiskFree: int64(s.Mailbox.DiskFree), QuotaUsed: s.Limits.QuotaUsed,
		Forwarded: s.Packets.Forwarded, Delivered: s.Packets.Delivered, BytesIn: s.BytesIn, BytesOut: s.BytesOut,
		MailStored: s.Mailbox.Stored, MailFetched: s.Mailbox.Fetched, MailRefused: s.Mailbox.Full,
		Turned: s.Limits.TurnedAway, Refused: s.Refused,
	}
}
