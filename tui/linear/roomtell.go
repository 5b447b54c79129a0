package linear

import (
	"context"

	"starling/node/api"
	"starling/tui/words"
)

// notice reads out a word of the node itself in a conversation. Comings and goings are
// read out in the open room alone.
func (v *voice) notice(m *api.Message, at string, elsewhere bool) {
	switch {
	case m.Change == nil:
		v.print("%s Notice, %s: %s", at, v.nameOf(m.Conversation), v.t(words.Line(m.Text)))
	case v.hidden:
		v.print("%s Notice, %s: %s", at, v.nameOf(m.Conversation), v.t("(hidden)"))
	case !elsewhere || !words.Folds(m.Change):
		v.print("%s Notice, %s: %s", at, v.nameOf(m.Conversation), words.Change(v.th, m.Change))
	}
}

// fold is the run of comings and goings that begins at a message; "" if none does.
func (v *voice) fold(messages []api.Message, at int) string {
	if at > 0 && words.Folds(messages[at-1].Change) {
		return ""
	}
	var run []*api.RoomChange
	for i := at; i < len(messages) && words.Folds(messages[i].Change); i++ {
		run = append(run, messages[i].Change)
	}
	switch {
	case len(run) == 0:
		return ""
	case v.hidden:
		return v.t("(hidden)")
	}
	return words.Folded(v.th, run)
}

// reactor names the author of a reaction.
func (v *voice) reactor(m *api.Message, r api.Reaction) string {
	switch {
	case m.Room == "":
		return v.nameOf(m.Conversation)
	case v.hidden:
		return v.t("somebody")
	}
	return v.crowd.name(m.Room, r.Member, v.t("somebody"))
}

// roomChanged reads out how a room changed, where no notice does.
func (v *voice) roomChanged(old *api.Room, c *api.Contact) {
	if old != nil && old.State != c.Room.State && (c.Room.State == api.RoomRefused || c.Room.State == api.RoomAway) {
		v.print("%s: %s.", v.name(c), words.RoomState(v.th, c.Room.State))
	}
	if c.Room.Unheard && (old == nil || !old.Unheard) {
		v.print("%s: %s.", v.name(c), v.t("back with an old copy, and nobody was heard since"))
	}
	if c.Room.Healing && (old == nil || !old.Healing) {
		v.print("%s: %s.", v.name(c), v.t("people just removed may still read"))
	}
}

// ahead reads out what came ahead in the open room: once in an absence, and whenever the room is opened. It has no
// number, as nothing can be done with it; it is read out again at its turn.
func (r roomTalk) ahead(ctx context.Context, c *api.Contact, opened bool) {
	if c == nil || c.Room == nil {
		return
	}
	r.mu.Lock()
	waits, said := c.Room.Ahead > 0, r.early[c.ID]
	if !waits {
		delete(r.early, c.ID)
	}
	open := r.current == c.ID
	r.mu.Unlock()
	if !waits || !open || said && !opened {
		return
	}

	all, err := r.node.History(ctx, api.HistoryRequest{Contact: c.ID, Ahead: true})
	if err != nil || len(all) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.early[c.ID] = true
	r.print("%s: %s. The newest:", r.name(c), words.Missing(r.th, c.Room.Missing))
	for i := range all {
		m := &all[i]
		r.print("%s %s, ahead of its place: %s", m.Time.Local().Format("15:04"), r.author(m), r.text(m))
	}
}
