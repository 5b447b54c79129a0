package relay

import (
	"time"

	"starling/p2p/directory"
	"starling/p2p/host"
	"starling/p2p/mailbox"
	"starling/p2p/mix"
)

// Status is the present state of a relay.
type Status struct {
	PeerID string
	Addrs  []string
	Standing
	// Announced are the addresses in the descriptor that the relay signed last.
	Announced []string
	// Relays are known, Neighbours are connected relays, Links all links, and Waiting
	// the frames that wait on them.
	Relays, Neighbours, Links, Waiting int
	// BytesIn and BytesOut are those of frames, CarriedIn and CarriedOut of all that
	// connections carry.
	BytesIn, BytesOut, CarriedIn, CarriedOut int64
	Mix                                      mix.Stats
	Mailbox                                  mailbox.Stats
	Refused                                  map[string]int64
	// ClockAhead is by how much this computer's clock is ahead of the others';
	// ClockKnown: two of them agree.
	ClockAhead time.Duration
	ClockKnown bool
	// Clients and Boxes are taken now of so many places. Turned clients found none, or
	// had to leave theirs.
	Clients, ClientPlaces int
	Turned                int64
	Boxes, BoxPlaces      int
	// Bandwidth is the limit, 0 for none. Memory and Files are what the limits are
	// made for.
	Bandwidth, Memory int64
	Files             int
	// Disk is the room on the disk, and Capacity the last claim to the network.
	Disk     Disk
	Capacity uint16
}

// Counts returns how many relays the list has, and to how many peers there are links: what a
// mesh asks all of its relays for each second, without the names of all that Status has.
func (r *Relay) Counts() (relays, links int) {
	relays = len(r.dir.Snapshot().Relays)
	select {
	case <-r.ready:
		links = len(r.links.Peers())
	default:
	}
	return relays, links
}

// Status returns the present state of the relay.
func (r *Relay) Status() Status {
	relays, links := r.Counts()
	s := Status{
		PeerID:  r.id.String(),
		Relays:  relays,
		Links:   links,
		Mix:     r.engine.Stats(),
		Mailbox: r.mail.Stats(),
		Refused: r.refused.All(),
	}
	s.Standing = r.standing()
	// As others see it: the descriptor in the list, and not the settings.
	if d, ok := r.dir.Snapshot().Find(r.id); ok {
		for _, m := range addresses(nil, directory.Multiaddrs(d.Addresses), true) {
			s.Announced = append(s.Announced, m.String())
		}
	}
	s.ClockAhead, s.ClockKnown = r.clock.Off()

	// Places, and how many are taken.
	tune := r.tuned()
	s.Clients, s.ClientPlaces, s.Turned = r.places.Clients(), tune.MaxClients, r.places.Turned()
	s.Boxes, s.BoxPlaces = s.Mailbox.Boxes, tune.MaxBoxes
	s.Bandwidth, s.Memory, s.Files = tune.Bandwidth, r.cfg.Memory, r.cfg.Files
	s.Disk, s.Capacity = r.strain.now()
	s.CarriedIn, s.CarriedOut = r.meter.Bytes()

	// Counts of links exist once the relay listens.
	select {
	case <-r.ready:
		s.Addrs = r.named(addresses(nil, host.Listening(r.host), true))
		s.Waiting = r.links.Waiting()
		s.Neighbours = r.gossip.Peers()
		s.BytesIn, s.BytesOut = r.links.Traffic()
	default:
	}

	return s
}
