package relay

import (
	"math"
	"runtime/debug"

	"starling/p2p"
)

// FitMemory has the garbage collector of this program work harder before the memory of
// the machine, or of its container, is used up, unless GOMEMLIMIT says something else. It
// returns how many bytes there are, for Config.
func FitMemory() int64 {
	memory := p2p.Memory()
	if debug.SetMemoryLimit(-1) == math.MaxInt64 {
		debug.SetMemoryLimit(memory / 8 * 7)
	}
	return memory
}
