package session

import "starling/session/envelope"

// Signals returns the signals that are up: our flare, and our answer to the peer's.
// Each is to lie in the peer's mailboxes and is put there again, rarer and rarer but
// never given up, for as long as it is returned.
func (s *Session) Signals() (cells []Cell) {
	for _, x := range []*signal{s.send.flare, s.send.answer} {
		if x != nil {
			cells = append(cells, x.Cell)
		}
	}
	return cells
}

// Flaring reports whether a flare of ours is up.
func (s *Session) Flaring() bool { return s.send.flare != nil }

// Calls returns the tags of signals: 2 of the peer's flares and, while a flare of
// ours is up, that of the answer. They are always asked for, even when other tags are
// left out.
func (s *Session) Calls() []Tag {
	tags := append(make([]Tag, 0, 3+s.receive.missing()+Ahead), s.receive.flare[:]...)
	if s.send.flare != nil {
		tags = append(tags, s.receive.answers.tag())
	}
	return tags
}

// light puts a flare up if more cells are on their way than the peer may ask for,
// and none is up.
func (s *Session) light() {
	if s.send.flare == nil && s.send.unheard() >= flareAt && s.ratchet.CanSend(1) {
		s.send.flare = s.signal(s.send.flares.tag())
	}
}

// signal seals a signal for a tag.
func (s *Session) signal(tag Tag) *signal {
	x := &signal{number: s.send.cells.n, Cell: Cell{Tag: tag}}
	s.seal(&x.Box, new(envelope.Body))
	return x
}

// hear notes the news of an accepted cell about our direction and about signals.
func (s *Session) hear(at place, b *envelope.Body) {
	if s.retired {
		return
	}

	// How far the peer has come. Our flare ends if the peer has answered it, or has a
	// cell that was sealed after it. That cell names the flare, so that the one after
	// it is waited for.
	s.send.heard = max(s.send.heard, b.Heard)
	if f := s.send.flare; f != nil && (at.kind == answer || b.Heard > f.number) {
		s.send.flare = nil
		s.send.flares.next()
		s.receive.answers.next()
	}

	// Which flare of the peer's may be up. An answer to one before has come.
	done := b.Flare
	if at.kind == flare {
		done++
	}
	s.receive.flaresFrom(done)
	if b.Flare >= s.send.answers.n {
		s.send.answer = nil
	}

	// One answer a flare: older ones that were not sent are left out.
	if at.kind == flare && s.ratchet.CanSend(1) {
		s.send.answers.skip(at.number)
		s.send.answer = s.signal(s.send.answers.next())
	}
	s.light()
}
