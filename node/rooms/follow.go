package rooms

import (
	"encoding/hex"
	"slices"

	"starling/node/store"
)

// maxAhead bounds the positions of a log that are remembered behind a gap: as many as a log
// holds.
const maxAhead = 8192

// A logAt is a log of a room at a mailbox: each counts its own positions.
type logAt struct {
	room store.ID
	node store.Node
	name [16]byte
}

// A position is how far a log was taken: everything up to all, and some entries ahead of it.
// An instance is a life of the log: a mailbox that has lost it begins another.
type position struct {
	instance, all uint32
	ahead         map[uint32]bool
}

// take notes that a position was taken, and reports whether it is new. Positions that
// are too far ahead to be true are taken and not remembered.
func (p position) take(at uint32) (position, bool) {
	switch {
	case at == 0 || at-p.all > maxAhead && at > p.all:
		return p, true
	case at <= p.all || p.ahead[at]:
		return p, false
	case at > p.all+1:
		ahead := make(map[uint32]bool, len(p.ahead)+1) // the former belongs to updates before
		for k := range p.ahead {
			ahead[k] = true
		}
		ahead[at] = true
		p.ahead = ahead
		return p, true
	}

	p.all = at
	for p.ahead[p.all+1] {
		p.all++
	}
	if len(p.ahead) > 0 {
		ahead := make(map[uint32]bool)
		for k := range p.ahead {
			if k > p.all {
				ahead[k] = true
			}
		}
		p.ahead = ahead
	}
	return p, true
}

// positionOf returns how far a log was read by now, in this update.
func (t *Tx) positionOf(at logAt) position {
	p, _ := t.knownPosition(at)
	return p
}

// knownPosition is positionOf, and whether anything of the log was ever there.
func (t *Tx) knownPosition(at logAt) (position, bool) {
	if p, ok := t.positions[at]; ok {
		return p, true
	}
	t.rs.mu.Lock()
	defer t.rs.mu.Unlock()
	p, ok := t.rs.position[at]
	return p, ok
}

// arrived notes the place of an entry, and reports whether it is to be taken.
func (t *Tx) arrived(e Entry) bool {
	at := logAt{t.p.id, e.Node, e.Name}
	p := t.positionOf(at)
	if p.instance != e.Instance {
		p = position{instance: e.Instance}
	}
	p, fresh := p.take(e.Position)
	if t.positions[at] = p; fresh {
		t.p.came = t.now
	}
	return fresh
}

// reread has logs read again from their beginning, at all mailboxes.
func (t *Tx) reread(names [][16]byte) {
	for _, place := range t.p.follows() {
		for _, name := range place.Names {
			if !slices.Contains(names, name) {
				continue
			}
			t.looks = true
			for _, m := range place.Mailboxes {
				at := logAt{t.p.id, m.Node, name}
				t.positions[at] = position{instance: t.positionOf(at).instance}
			}
		}
	}
}

// A followKey names a follow: the logs of one place of one room, at one mailbox.
type followKey struct {
	key  string
	node store.Node
}

// refollow follows the logs of a room as they are now.
func (rs *Rooms) refollow(p *part) {
	want := make(map[followKey][]store.LogPosition)
	prefix := prefixOf(p.id)
	names := make(map[[16]byte]bool)

	rs.mu.Lock()
	for _, place := range p.follows() {
		for _, m := range place.Mailboxes {
			k := followKey{prefix + place.Key, m.Node}
			for _, name := range place.Names {
				at := rs.position[logAt{p.id, m.Node, name}]
				want[k] = append(want[k], store.LogPosition{Node: m.Node, Name: name, Instance: at.instance, Position: at.all})
				names[name] = true
			}
		}
	}

	changed := make(map[followKey][]store.LogPosition)
	for k, logs := range want {
		if !slices.Equal(rs.follows[k], logs) {
			changed[k] = logs
			rs.follows[k] = logs
		}
	}
	for k := range rs.follows {
		if len(k.key) >= len(prefix) && k.key[:len(prefix)] == prefix && want[k] == nil {
			changed[k] = nil
			delete(rs.follows, k)
		}
	}
	for at := range rs.position {
		if at.room == p.id && !names[at.name] {
			delete(rs.position, at) // whoever follows it again reads it from the beginning
		}
	}
	for at := range rs.ended {
		if at.room == p.id && !names[at.name] {
			delete(rs.ended, at)
		}
	}
	rs.mu.Unlock()

	for _, place := range p.follows() {
		for _, m := range place.Mailboxes {
			rs.cfg.Network.AddHint(m.Hint) // it may not be known yet
		}
	}
	for k, logs := range changed {
		rs.cfg.Network.Follow(k.key, k.node, logs)
	}
}

// prefixOf begins the keys of the follows of a room.
func prefixOf(room store.ID) string { return hex.EncodeToString(room[:]) + "/" }

// followedBy returns the room that follows a log by a key: nobody else chooses these.
func (rs *Rooms) followedBy(k followKey, name [16]byte) (id store.ID, ok bool) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	if !slices.ContainsFunc(rs.follows[k], func(l store.LogPosition) bool { return l.Name == name }) {
		return id, false
	}
	_, err := hex.Decode(id[:], []byte(k.key[:2*len(id)]))
	return id, err == nil
}

// lookAgain has all mailboxes of a room asked.
func (rs *Rooms) lookAgain(p *part) {
	prefix := prefixOf(p.id)
	for _, place := range p.follows() {
		rs.cfg.Network.FollowAgain(prefix + place.Key)
	}
}
