package p2ptest

import (
	"bytes"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"starling/p2p"
	"starling/p2p/wire"
)

// A Witness keeps all that one node came to see. Its methods may be called from any
// goroutine.
type Witness struct {
	mu   sync.Mutex
	seen []p2p.Seen
}

// Tap is for the node's configuration.
func (w *Witness) Tap(s p2p.Seen) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = append(w.seen, s)
}

// View returns what the node saw.
func (w *Witness) View() []p2p.Seen {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.seen)
}

// Forget returns the node's view since it forgot last.
func (w *Witness) Forget() (seen []p2p.Seen) {
	w.mu.Lock()
	defer w.mu.Unlock()
	seen, w.seen = w.seen, nil
	return seen
}

// Saw reports whether something of a kind was in view.
func (w *Witness) Saw(what string) bool { return len(w.Data(what)) > 0 }

// Data returns the bytes of all of a kind.
func (w *Witness) Data(what string) (all [][]byte) {
	for _, s := range w.View() {
		if s.What == what {
			all = append(all, s.Data)
		}
	}
	return all
}

// Traces returns the parts of a node's view that give away a network address or an
// identity, in text or in bytes. An empty address gives nothing away.
func Traces(seen []p2p.Seen, id wire.NodeID, address string) (found []string) {
	marks := [][]byte{id[:], []byte(id.String()), []byte(id.Peer())}
	if address != "" {
		ip := netip.MustParseAddr(address).As4()
		marks = append(marks, []byte(address), append([]byte{4}, ip[:]...)) // as a multiaddr has it
	}

	for _, s := range seen {
		if s.Peer == id {
			found = append(found, s.What+": peer")
		}
		if address != "" && strings.Contains(s.Addr, address) {
			found = append(found, s.What+": address")
		}
		for i, m := range marks {
			if bytes.Contains(s.Data, m) {
				found = append(found, fmt.Sprintf("%s: bytes (mark %d)", s.What, i))
			}
		}
	}
	return found
}
