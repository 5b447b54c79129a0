package relay

import (
	"time"

	"starling/p2p/wire"
)

// Since returns since when this relay has reached another.
func (r *Relay) Since(id wire.NodeID) time.Time { return r.dir.Since(id) }
