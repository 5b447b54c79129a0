package session

import (
	"time"

	"golang.org/x/crypto/cryptobyte"

	"starling/session/internal/kdf"
	"starling/session/invite"
	"starling/session/ratchet"
)

const (
	// maxFormer is how many doors a session remembers: the one through which it
	// came, and those that are kept open beside it.
	maxKept   = 3
	maxFormer = 1 + maxKept
	maxDoors  = 1 + maxFormer
	// keptOpen is for how long, in ms, the door of a session stays open that was
	// replaced by one that may be a thief's.
	keptOpen = instant(30 * 24 * time.Hour / time.Millisecond)
)

// A door is where the peer may knock: under a secret of a session, the present one
// or one before it.
//
// A holder of an old copy of the peer's profile can knock as well, and the session
// that follows may be theirs. The peer knows nothing of the new session and must
// still be heard. So a door is kept open when a knock replaces its session without
// proof of the session's state, which an old copy has not, or comes through the
// door of another. Further resets do not close it: of more than maxKept the oldest
// stay. A knock at a door that is kept open, with the proof, ends the dispute with
// all later comers: their doors close.
type door struct {
	secret [32]byte
	last   instant          // time of the last offer that came this way, 0 if none
	proofs [2]ratchet.Proof // which the peer's state may have
	kept   instant          // since when it is kept open, 0 if it is not
}

// proves reports whether a knock proves the state of the door's session.
func (d *door) proves(plain *[invite.KnockSize]byte) bool {
	given := plain[proofAt:][:kdf.Size]
	for i := range d.proofs {
		if p := prove(&d.proofs[i], plain); equal(given, p[:]) {
			return true
		}
	}
	return false
}

// succeed returns the doors that the session remembers to which a knock at one of
// the doors leads.
func (r *Reset) succeed(at int, proven bool, now instant) []door {
	if since := r.doors[at].kept; proven && since > 0 {
		for i := range r.doors {
			if i == at || r.doors[i].kept > since {
				r.doors[i].kept = 0
			}
		}
	} else if (!proven || at > 0) && len(r.open(now)) < maxKept {
		r.doors[0].kept = now
	}
	return r.remember(at, now)
}

// remember returns the door through which a session came and those that are kept
// open.
func (r *Reset) remember(at int, now instant) []door {
	open := r.open(now)
	former := []door{r.doors[at]}
	for _, i := range open {
		if i != at {
			former = append(former, r.doors[i])
		}
	}
	return former
}

// open returns the doors that are kept open, and closes those at the end of their time.
func (r *Reset) open(now instant) (open []int) {
	for i := range r.doors {
		d := &r.doors[i]
		if now > d.kept+keptOpen {
			d.kept = 0
		}
		if d.kept > 0 {
			open = append(open, i)
		}
	}
	return open
}

// Compared says that the two people have compared their safety numbers: no other
// session of theirs is in dispute, and no door is kept open for one.
func (s *Session) Compared() {
	s.former = s.former[:min(len(s.former), 1)]
	for i := range s.former {
		s.former[i].kept = 0
	}
}

// addDoors appends the doors: number 1, each: secret 32 ‖ last 8 ‖ proofs 2 × 32 ‖
// kept 8.
func addDoors(b *cryptobyte.Builder, doors []door) {
	b.AddUint8(uint8(len(doors)))
	for i := range doors {
		d := &doors[i]
		b.AddBytes(d.secret[:])
		b.AddUint64(uint64(d.last))
		b.AddBytes(d.proofs[0][:])
		b.AddBytes(d.proofs[1][:])
		b.AddUint64(uint64(d.kept))
	}
}

// readDoors reads the encoding of addDoors.
func readDoors(in *cryptobyte.String, doors *[]door, least, most int) bool {
	var n uint8
	if !in.ReadUint8(&n) || int(n) < least || int(n) > most {
		return false
	}
	*doors = make([]door, n)
	kept := 0
	for i := range *doors {
		d := &(*doors)[i]
		if !in.CopyBytes(d.secret[:]) || !readInstant(in, &d.last) ||
			!in.CopyBytes(d.proofs[0][:]) || !in.CopyBytes(d.proofs[1][:]) || !readInstant(in, &d.kept) {
			return false
		}
		if d.kept > 0 {
			kept++
		}
	}
	return kept <= maxKept
}
