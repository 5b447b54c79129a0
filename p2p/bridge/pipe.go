package bridge

import (
	"errors"
	"fmt"
	"io"

	"starling/p2p/wire"
)

// Protocol is the name of a pipe: a stream from a client to a bridge. It begins with a
// request and its answer; then it carries the bytes of Noise between client and guard.
const Protocol = "/st/2/pipe"

// Sizes of the words at the beginning.
const (
	RequestSize = 128
	AnswerSize  = 32
	// MaxFirst is the longest first message of Noise in a request.
	MaxFirst = 64
)

// ErrPipe means that the bytes are no request or answer.
var ErrPipe = errors.New("bridge: malformed words of a pipe")

// A Request asks a bridge for a pipe to a relay:
//
//	version   1  1
//	relay    32  node id
//	length    1  of the first message, 1..64
//	message   n  the first message of Noise with the relay
//	zeros     …  up to 128
type Request struct {
	Relay wire.NodeID
	First []byte
}

// Append appends the encoding. The first message has 1 to MaxFirst bytes.
func (r Request) Append(b []byte) []byte {
	at := len(b)
	b = append(b, version)
	b = append(b, r.Relay[:]...)
	b = append(b, byte(len(r.First)))
	b = append(b, r.First...)
	return append(b, make([]byte, RequestSize-(len(b)-at))...)
}

// ParseRequest reads the encoding of Append.
func ParseRequest(b []byte) (r Request, err error) {
	const head = 1 + wire.NodeIDSize + 1
	if len(b) != RequestSize || b[0] != version {
		return r, ErrPipe
	}
	n := int(b[head-1])
	if n == 0 || n > MaxFirst || !zero(b[head+n:]) {
		return r, ErrPipe
	}
	r.Relay = wire.NodeID(b[1:])
	r.First = append([]byte(nil), b[head:head+n]...)
	return r, nil
}

// A Verdict is the answer of a bridge: 1 ‖ verdict 1 ‖ zeros, 32 bytes.
type Verdict byte

// Verdicts.
const (
	Open        Verdict = 1 // the relay has taken the connection
	Unknown     Verdict = 2 // the bridge lists no such relay
	Unreachable Verdict = 3 // the relay does not answer the bridge
	Busy        Verdict = 4 // the bridge carries enough for now
	Refused     Verdict = 5 // the relay answers, and takes no connection
)

// Append appends the encoding.
func (v Verdict) Append(b []byte) []byte {
	return append(append(b, version, byte(v)), make([]byte, AnswerSize-2)...)
}

// ParseVerdict reads the encoding of Append.
func ParseVerdict(b []byte) (Verdict, error) {
	if len(b) != AnswerSize || b[0] != version || b[1] < byte(Open) || b[1] > byte(Refused) || !zero(b[2:]) {
		return 0, ErrPipe
	}
	return Verdict(b[1]), nil
}

func zero(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

// A VerdictError is the answer of a bridge that opened no pipe.
type VerdictError struct{ Verdict Verdict }

// Error implements error.
func (e *VerdictError) Error() string {
	words := map[Verdict]string{
		Unknown: "the bridge does not know the relay", Unreachable: "the bridge does not reach the relay",
		Busy: "the bridge is busy", Refused: "the relay takes no connection from the bridge",
	}
	return fmt.Sprintf("bridge: %s", words[e.Verdict])
}

// readVerdict reads the answer to a request.
func readVerdict(r io.Reader) error {
	var b [AnswerSize]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return err
	}
	v, err := ParseVerdict(b[:])
	if err == nil && v != Open {
		err = &VerdictError{v}
	}
	return err
}
