package relay

import (
	"starling/p2p/mailbox"
)

// asked answers questions about the list of relays that come through the mixes.
type asked struct{ *Relay }

// List implements mailbox.Directory.
func (r asked) List(first byte) *mailbox.List {
	entries, digest := r.dir.Under(first)
	l := &mailbox.List{Time: r.cfg.Clock(), Relays: len(r.dir.Snapshot().Relays), Digest: digest}
	for _, e := range entries {
		l.Entries = append(l.Entries, mailbox.ListEntry{Known: e.Known, Descriptor: e.Raw})
	}
	return l
}
