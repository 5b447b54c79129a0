package chatview

import (
	"starling/node/api"
	"starling/tui/list"
	"starling/tui/term"
	"starling/tui/words"
)

// ahead is messages that came ahead of their place: they stand behind all others, under a line that says so, and are
// none of the view. Nothing can be done with them, and no place of another hangs on it.
type ahead struct {
	messages []api.Message
	missing  int
	revision uint64
}

// aheadID is the item of a list that shows it.
const aheadID = "\x00ahead"

// SetAhead shows in a view messages that came ahead, and about how many are missing before them. None and 0 end it.
func SetAhead(v *View, messages []api.Message, missing int) {
	v.early = ahead{messages, missing, v.early.revision + 1}
}

// Waits reports whether something stands behind the messages that has no place yet.
func Waits(v *View) bool { return len(v.early.messages) > 0 || v.early.missing > 0 }

func (a *ahead) key(v *View) list.Key {
	return list.Key{ID: aheadID, Version: v.generation<<48 | a.revision&0xffff<<32 | uint64(len(v.items))&0xffffffff}
}

// lines lays out the messages that came ahead, but for those that have come to their place since.
func (a *ahead) lines(v *View, width int) []string {
	th := v.th
	out := []string{term.Spaces(width), rule(th, th.Warn, th.Warn, words.Missing(th, a.missing), width)}

	under := &View{th: th, now: v.now, peer: v.peer, hidden: v.hidden, generation: v.generation, pictures: v.pictures, hints: v.hints,
		index: map[string]int{}, unpainted: map[string]bool{}, counting: map[string]bool{}, width: v.width, height: v.height}
	if v.crowd != nil {
		InRoom(under, v.crowd.authors)
	}
	for _, m := range a.messages {
		if !v.Has(m.ID) {
			under.Add(m)
		}
	}
	for i := range under.items {
		out = append(out, under.lines(i, width)...)
	}
	return out
}
