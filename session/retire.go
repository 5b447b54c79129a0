package session

import "starling/session/envelope"

// Retire gives the session up: nothing is sealed in it any more, no signal is up, and
// two states of it send the same: nothing. Cells sealed before, on either side, still
// open. It is kept until its successor is established.
func (s *Session) Retire() {
	s.retired = true
	s.send.flare, s.send.answer = nil, nil
}

// Retired reports whether the session was given up.
func (s *Session) Retired() bool { return s.retired }

// Twin reports whether found, which lies under the tag of our cell own, was sealed
// by another copy of this session: that we have been restored, or run twice. A
// mailbox cannot make that up; a box that shows nothing else but noise proves
// nothing. Own is one of the cells of the last few chains.
func (s *Session) Twin(own, found *[envelope.CellSize]byte) bool {
	return s.ratchet.Twin(own[:], found[:])
}
