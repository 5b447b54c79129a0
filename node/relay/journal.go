package relay

import (
	"log/slog"
	"slices"
	"time"

	"starling/node/relay/metrics"
)

const (
	heartbeat = 6 * time.Hour
	// A limit that is hit is told once in this time.
	hitAgain = time.Hour
	// settle is how long a new relay may take to be listed before it is told that it is
	// not.
	settle = 3 * time.Minute
)

// journal writes the few lines that matter to the owner of a relay: that it starts, is
// listed or not and why, is full, has hit a limit, and leaves; and every six hours that it
// is there. They are about the relay itself, and about none of its users: figures that grow
// with these are given as package metrics publishes them.
type journal struct {
	log *slog.Logger

	was   Status
	began time.Time
	wrong bool // it was told that the relay is not well
	beat  time.Time
	hits  map[string]time.Time
}

// begins is the first line.
func (j *journal) begins(s Status) {
	what := "the relay runs"
	if s.Role == "bridge" {
		what = "the bridge runs"
	}
	j.log.Info(what, "version", s.Version, "peer_id", s.PeerID, "listening", s.Listening,
		"clients", s.ClientPlaces, "mailbox_mb", s.Limits.MailboxSize>>20, "memory_mb", s.Limits.Memory>>20)
}

// ends is the last.
func (j *journal) ends() { j.log.Info("the relay has told the others that it leaves, and ends") }

// spent is the last for a month.
func (j *journal) spent(s Status) {
	j.log.Warn("the relay leaves until next month: its quota is used up", "quota", s.Limits.Quota, "again", s.Limits.QuotaResets.Format(time.DateOnly))
}

// look writes the changes.
func (j *journal) look(s Status, board *metrics.Board) {
	now := time.Now()
	if j.began.IsZero() {
		j.began, j.beat, j.hits = now, now, map[string]time.Time{}
	}
	j.standing(s, now)
	j.room(s, now)
	if now.Sub(j.beat) >= heartbeat {
		j.beat = now
		j.heartbeat(s, board)
	}
	j.was = s
}

// standing tells that the relay is of use to others, or why it is not any more.
func (j *journal) standing(s Status, now time.Time) {
	if s.Role == "bridge" {
		j.bridge(s, now)
		return
	}
	well := s.Reason == ""
	switch {
	case well && (j.was.Reason != "" || j.was.PeerID == ""):
		j.wrong = false
		j.log.Info("the relay is listed, and reached from outside", "addresses", s.Announced, "listed_by", len(s.ListedBy), "asked", s.Asked)
	case !well && !j.wrong && !s.Alone && s.Asleep == nil && (j.was.Reason == "" && j.was.PeerID != "" || now.Sub(j.began) > settle):
		j.wrong = true
		args := []any{"why", s.Reason, "listed", s.Listed, "reachable", s.Reachable, "unreached", s.Unreached}
		if len(s.SeenFrom) > 0 {
			args = append(args, "others see it come from", s.SeenFrom)
		}
		j.log.Warn("the relay is of no use to others now; see starling relay status and starling doctor", args...)
	case s.Alone && !j.was.Alone:
		j.log.Info("no other relay is known yet: this is the first of its mesh, whose address others are given with --bootstrap, or none of those given to it has answered")
	}
	if !slices.Equal(s.Announced, j.was.Announced) && len(j.was.Announced) > 0 && len(s.Announced) > 0 {
		j.log.Info("the relay announces other addresses", "addresses", s.Announced)
	}
}

// bridge tells that a bridge leads somewhere, or nowhere.
func (j *journal) bridge(s Status, now time.Time) {
	well := s.Reason == ""
	switch {
	case well && (j.was.Reason != "" || j.was.PeerID == ""):
		j.wrong = false
		j.log.Info("the bridge leads to relays", "relays", s.Relays)
	case !well && !j.wrong && now.Sub(j.began) > settle:
		j.wrong = true
		j.log.Warn("the bridge leads nowhere: it knows no relay; give it one with --bootstrap")
	}
}

// room tells that something is full.
func (j *journal) room(s Status, now time.Time) {
	for _, hit := range []struct {
		what string
		when bool
		args []any
	}{
		{"all places for clients are taken; who comes takes the place of whoever used it least", s.Limits.TurnedAway > j.was.Limits.TurnedAway, []any{"places", s.ClientPlaces}},
		{"the mailbox is full; new mail takes the place of mail that nobody asked for, or is refused", s.BoxPlaces > 0 && s.Boxes == s.BoxPlaces, []any{"boxes", s.BoxPlaces}},
		{"nine tenths of the mailbox are taken", s.BoxPlaces > 0 && s.Boxes >= s.BoxPlaces-s.BoxPlaces/10 && s.Boxes < s.BoxPlaces, []any{"boxes", s.BoxPlaces}},
		{"nine tenths of the month's quota are used", s.Limits.Quota > 0 && s.Limits.QuotaUsed >= s.Limits.Quota/10*9 && s.Asleep == nil, []any{"quota", s.Limits.Quota, "again", s.Limits.QuotaResets.Format(time.DateOnly)}},
		{"packets wait because links are full; others send more than this relay can pass on", s.Refused["queues full"] > j.was.Refused["queues full"], nil},
	} {
		last, told := j.hits[hit.what]
		if !hit.when || told && now.Sub(last) < hitAgain {
			continue
		}
		j.hits[hit.what] = now
		j.log.Warn(hit.what, hit.args...)
	}
}

// heartbeat says that the relay is there, in round numbers.
func (j *journal) heartbeat(s Status, board *metrics.Board) {
	j.log.Info("heartbeat", "up", time.Since(s.Started).Round(time.Hour).String(), "listed", s.Listed, "reachable", s.Reachable,
		"relays", s.Relays, "clients_about", board.Shown("clients"), "packets_about", board.Shown("packets_forwarded_total"),
		"bytes_about", board.Shown("bytes_total"), "boxes_about", board.Shown("mailbox_boxes"))
}
