package tuitest

import (
	"bytes"
	"image"
	"image/color"
	"image/png"
	"time"

	"starling/node/api"
	"starling/node/api/safetext"
)

// Picture returns a small PNG: a sunset over water.
func Picture(w, h int) *api.Picture {
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			c := color.RGBA{uint8(230 - 120*y/h), uint8(120 - 60*y/h), uint8(60 + 120*y/h), 255}
			dx, dy := x-w/2, 2*(y-h/3)
			switch {
			case dx*dx+dy*dy < w*w/64:
				c = color.RGBA{255, 230, 140, 255}
			case y > 2*h/3:
				c = color.RGBA{20, uint8(60 + 20*(x/3%2)), 110, 255}
			}
			img.SetRGBA(x, y, c)
		}
	}
	var b bytes.Buffer
	_ = png.Encode(&b, img) // a buffer takes everything
	return &api.Picture{Type: "image/png", Data: b.Bytes(), Size: b.Len()}
}

// Rich adds a conversation with everything that a message can be, and returns
// its contact.
func Rich(n *Node) string {
	now := n.now()
	at := func(minutes int) time.Time { return now.Add(-time.Duration(minutes) * time.Minute) }
	id := n.Meet("carol", func(c *api.Contact) {
		c.Verified, c.Pinned, c.Timer, c.TimerMine, c.TimerTheirs = true, true, 3600, 3600, 3600
	})
	say := func(m api.Message, text string, minutes int, outgoing bool) api.Message {
		m.Text, m.Time, m.Outgoing = safetext.Clean(text), at(minutes), outgoing
		return m
	}
	question := "0" + "123456789abcdef0123456789abcdef"
	n.Seed(id,
		say(api.Message{ID: question, Reactions: []api.Reaction{{Outgoing: true, Emoji: safetext.Line("👍")}}}, "Shall we meet at the lighthouse?", 95, false),
		say(api.Message{Reply: &api.Quote{ID: question, From: safetext.Line("carol"), Text: safetext.Line("Shall we meet at the lighthouse?")}, Read: at(90), Reactions: []api.Reaction{{Emoji: safetext.Line("🎉")}, {Outgoing: true, Emoji: safetext.Line("🙏")}}}, "Yes, at **nine**.", 94, true),
		say(api.Message{Edited: at(80)}, "I bring bread and cheese.", 85, false),
		say(api.Message{Deleted: true}, "", 84, false),
		say(api.Message{Forwarded: true}, "The ferry leaves at 8:15 from pier two.", 60, false),
		say(api.Message{Picture: Picture(120, 72)}, "This is what it looked like last night.", 59, false),
		say(api.Message{Timer: 3600, Expires: now.Add(59 * time.Minute)}, "Bring nothing that can be traced.", 30, false),
		say(api.Message{Timer: 3600, Edited: at(20)}, "I will not.", 20, true),
		say(api.Message{Reply: &api.Quote{ID: "00000000000000000000000000000000"}}, "And that one?", 19, false))
	return id
}

// Gaps adds a conversation in which messages are missing and came late, and
// returns its contact.
func Gaps(n *Node) string {
	now := n.now()
	id := n.Meet("dave")
	say := func(m api.Message, id, text string, minutes int) api.Message {
		m.ID, m.Text, m.Time = "0f"+id+"0123456789abcdef0123456789abc", safetext.Clean(text), now.Add(-time.Duration(minutes)*time.Minute)
		return m
	}
	later := say(api.Message{}, "2", "No, at six.", 48)
	n.Seed(id,
		say(api.Message{Gap: api.GapLost}, "0", "That is all I know.", 120),
		say(api.Message{}, "1", "When do we meet?", 50),
		later,
		say(api.Message{Late: &api.Quote{ID: later.ID, From: safetext.Line("dave"), Text: later.Text}}, "3", "At five?", 49),
		say(api.Message{Gap: api.GapMissing}, "4", "See you there.", 30))
	return id
}
