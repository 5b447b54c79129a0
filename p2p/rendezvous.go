package p2p

// Rendezvous returns up to n relays at which those who share a secret meet when
// mailboxes they told each other have left the directory: the best first, the
// same for both as far as both know the same relays. See
// directory.Snapshot.Rendezvous.
//
// What is avoided must be the same on both sides, too: the mailboxes that were
// told and are still there. A relay that does not answer is not to be avoided;
// the other side may reach it.
func (c *Client) Rendezvous(secret [32]byte, n int, avoid ...NodeID) ([]NodeID, error) {
	snap := c.dir.Snapshot()
	if len(snap.Relays) < MinRelays {
		return nil, ErrFewRelays
	}
	return snap.Rendezvous(secret, n, avoid...), nil
}

// Listed reports whether a relay is in the directory now and has not said that
// it leaves.
func (c *Client) Listed(id NodeID) bool {
	_, ok := c.dir.Snapshot().Find(id)
	return ok
}
