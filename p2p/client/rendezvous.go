package client

import (
	"slices"
	"time"

	"starling/p2p/directory"
)

// Rendezvous returns up to n relays at which the holders of a secret meet when the
// mailboxes they told each other are gone. The best comes first, and both holders get
// the same as far as they know the same relays, and reach the same. See directory.Snapshot.Rendezvous.
func (c *Client) Rendezvous(secret [32]byte, n int) ([]NodeID, error) {
	snap := c.dir.Snapshot()
	if len(snap.Relays) < MinRelays {
		return nil, ErrFewRelays
	}
	var away []NodeID
	if reached, _, _ := c.sounder.Cut(); reached != nil {
		for _, d := range snap.Relays {
			if !reached(d.ID) {
				away = append(away, d.ID)
			}
		}
	}
	return snap.Rendezvous(secret, n, away...), nil
}

// Missing returns those of some mailboxes that do not work now: they are not in the
// directory, or say that they leave, or do not answer though others do, or have dropped
// stored boxes (package watch). The error is ErrOffline while that cannot be told: no
// guard is there, or none has given us its list since the start.
func (c *Client) Missing(ids []NodeID) (missing []NodeID, err error) {
	if len(c.guardsUp()) == 0 || c.lists.listed.Load() == nil {
		return nil, ErrOffline
	}
	snap := c.dir.Snapshot()
	if len(snap.Relays) < MinRelays {
		return nil, ErrFewRelays
	}
	liars := c.liars(snap)
	for _, id := range ids {
		if c.silent(snap, id) || slices.Contains(liars, id) {
			missing = append(missing, id)
		}
	}
	return missing, nil
}

// Unheard returns those of some mailboxes that have not answered since the start, not once, or were found
// to be out of reach.
func (c *Client) Unheard(ids []NodeID) []NodeID {
	return slices.DeleteFunc(slices.Clone(ids), func(id NodeID) bool { return c.judge.Heard(id) && !c.sounder.Gone(id) })
}

// liars returns the relays that have lied as mailboxes; see believed.
func (c *Client) liars(snap *directory.Snapshot) []NodeID {
	return believed(slices.DeleteFunc(c.watches.Liars(), func(id NodeID) bool {
		_, listed := snap.Find(id)
		return !listed
	}), len(snap.Relays))
}

// believed returns as many of the supposed liars as are a third of the relays. With
// more of them the cause is another, and an attacker that makes all mailboxes lose
// boxes leaves no client without one.
func believed(liars []NodeID, relays int) []NodeID { return liars[:min(len(liars), relays/3)] }

// issued returns when the descriptor of a relay was issued, the zero time if it is not
// in the directory.
func (c *Client) issued(id NodeID) time.Time {
	if d, listed := c.dir.Snapshot().Find(id); listed {
		return d.Issued
	}
	return time.Time{}
}

// renews returns when a relay makes its next descriptor without a reason: close to the half of the life of the last.
func renews(snap *directory.Snapshot, id NodeID) time.Time {
	d, listed := snap.Find(id)
	if !listed {
		return time.Time{}
	}
	return d.Issued.Add(d.Expires.Sub(d.Issued) * 9 / 20)
}

// silent reports whether a mailbox is not listed, or out of reach, or does not answer though others do.
func (c *Client) silent(snap *directory.Snapshot, id NodeID) bool {
	_, listed := snap.Find(id)
	return !listed || c.sounder.Gone(id) || c.judge.Missing(id, time.Now())
}
