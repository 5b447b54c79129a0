package relay

import (
	"context"
	"sync"
	"time"

	"starling/p2p/mailbox"
	"starling/p2p/pace"
	"starling/p2p/wire"
)

// Disk is the room on the disk of a relay.
type Disk struct {
	Known bool
	Free  uint64 // bytes
	State DiskState
}

// DiskState says what the room is enough for.
type DiskState byte

// States of a disk.
const (
	DiskEnough DiskState = iota
	DiskLow              // soon it is full: the relay offers less to the network
	DiskFull             // new mail is refused
)

// String returns the word for a state.
func (s DiskState) String() string { return [...]string{"enough", "low", "full"}[s] }

const (
	diskLook = 20 * time.Second
	// lowFree bytes are low; the state ends at an eighth more.
	lowFree  = 4 * mailbox.LeastFree
	lowAgain = lowFree + lowFree/8
)

// strain is what keeps a relay from carrying all that it could.
type strain struct {
	mu      sync.Mutex
	disk    Disk
	claimed uint16
}

// now returns the room on the disk, and the last claim to the network.
func (s *strain) now() (Disk, uint16) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.disk, s.claimed
}

// see takes a look at the disk, and reports the state before it.
func (s *strain) see(free uint64) (d Disk, was DiskState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	was = s.disk.State
	d = Disk{Known: true, Free: free}
	switch {
	case free < mailbox.LeastFree:
		d.State = DiskFull
	case free < lowFree, free < lowAgain && was != DiskEnough:
		d.State = DiskLow
	}
	s.disk = d
	return d, was
}

// capacity is the claim that the relay makes now, in packets a second: less where its
// owner limits it, and where its disk is low.
func (r *Relay) capacity() uint16 {
	n := int64(mostCapacity)
	if b := r.tuned().Bandwidth; b > 0 {
		n = min(n, b/wire.FrameSize)
	}
	s := &r.strain
	s.mu.Lock()
	defer s.mu.Unlock()
	switch s.disk.State {
	case DiskLow:
		n /= 4
	case DiskFull:
		n /= 16
	}
	s.claimed = uint16(max(n, 1))
	return s.claimed
}

// watchDisk looks at the disk until ctx ends, and says when its state changes.
func (r *Relay) watchDisk(ctx context.Context) error {
	if r.store == nil {
		<-ctx.Done()
		return ctx.Err()
	}
	for {
		r.lookAtDisk()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pace.Jitter(diskLook)):
		}
	}
}

func (r *Relay) lookAtDisk() {
	free, ok := r.store.Free()
	if !ok {
		return
	}
	d, was := r.strain.see(free)
	if d.State == was {
		return
	}

	switch d.State {
	case DiskLow:
		r.log.Warn("the disk is low; free some space before new mail has to be refused", "free_mb", free>>20, "refused_below_mb", mailbox.LeastFree>>20)
	case DiskFull:
		r.log.Error("the disk is full; new mail is refused until there is space", "free_mb", free>>20)
	default:
		r.log.Info("there is room on the disk again", "free_mb", free>>20)
	}
	pace.Kick(r.keys) // and to the others
}
