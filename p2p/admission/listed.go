package admission

import (
	"encoding/binary"
	"time"

	"starling/p2p/directory"
	"starling/p2p/wire"
)

// A Standing is how a relay stands in somebody's list.
type Standing byte

// Standings.
const (
	Unlisted      Standing = 0
	VouchedFor    Standing = 1
	ReachedItself Standing = 2
	standings     Standing = 3
)

// A Testimony answers the question of a relay whether it is listed. In a TypeListed
// frame it is nonce (8) ‖ the answerer's time (8, Unix seconds) ‖ standing (1) ‖
// sequence (8) of the descriptor that is listed. The question, a TypeAmListed frame,
// is the nonce.
type Testimony struct {
	Nonce    uint64
	Time     time.Time
	Standing Standing
	Sequence uint64
}

// Testify says how a relay stands in a directory.
func Testify(d *directory.Directory, id wire.NodeID, nonce uint64, now time.Time) Testimony {
	t := Testimony{Nonce: nonce, Time: now}
	if desc, ok := d.Find(id); ok && !desc.Leaving() {
		t.Standing, t.Sequence = VouchedFor, desc.Sequence
		if !d.Since(id).IsZero() {
			t.Standing = ReachedItself
		}
	}
	return t
}

// Append appends the encoding.
func (t Testimony) Append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, t.Nonce)
	b = binary.BigEndian.AppendUint64(b, uint64(t.Time.Unix()))
	b = append(b, byte(t.Standing))
	return binary.BigEndian.AppendUint64(b, t.Sequence)
}

// ParseTestimony reads exactly one answer.
func ParseTestimony(b []byte) (t Testimony, err error) {
	if len(b) != 25 || b[16] >= byte(standings) || binary.BigEndian.Uint64(b[8:]) > 1<<40 {
		return t, ErrKnock
	}
	return Testimony{
		Nonce: binary.BigEndian.Uint64(b), Time: time.Unix(int64(binary.BigEndian.Uint64(b[8:])), 0),
		Standing: Standing(b[16]), Sequence: binary.BigEndian.Uint64(b[17:]),
	}, nil
}

// ParseQuestion reads exactly one question whether somebody is listed.
func ParseQuestion(b []byte) (nonce uint64, err error) {
	if len(b) != 8 {
		return 0, ErrKnock
	}
	return binary.BigEndian.Uint64(b), nil
}
