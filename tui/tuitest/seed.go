package tuitest

import (
	"fmt"
	"strings"
	"time"

	"starling/node/api"
	"starling/node/api/safetext"
)

// Text makes a message of a text.
func Text(text string, at time.Time, outgoing bool) api.Message {
	return api.Message{Text: safetext.Clean(text), Time: at, Outgoing: outgoing}
}

// People fills a node with conversations of every kind: short and long, wide
// and right-to-left, code, failures, and people in every state.
func People(n *Node) (ids map[string]string) {
	ids = map[string]string{}
	now := n.now()
	at := func(d time.Duration) time.Time { return now.Add(-d) }
	meet := func(name string, f ...func(*api.Contact)) string {
		id := n.Meet(name, f...)
		ids[name] = id
		return id
	}

	old := meet("Old Friend")
	n.Seed(old, Text("Happy new year!", at(320*24*time.Hour), false), Text("You too.", at(320*24*time.Hour-time.Minute), true))

	pending := meet("Pat", func(c *api.Contact) { c.State = api.ContactPending })
	_ = pending

	blocked := meet("Spammer", func(c *api.Contact) { c.Blocked = true })
	n.Seed(blocked, Text("BUY NOW", at(50*24*time.Hour), false))

	rtl := meet("דנה")
	n.Seed(rtl,
		Text("שלום, מה שלומך?", at(26*time.Hour), false),
		Text("مرحبا، كيف الحال؟ this is mixed العربية and English.", at(26*time.Hour-2*time.Minute), false),
		Text("בסדר גמור", at(25*time.Hour), true))

	cjk := meet("李明", func(c *api.Contact) { c.Verified = true })
	n.Seed(cjk,
		Text("你好!明天下午三点在图书馆见面可以吗?我会带上你要的那本书,还有上次借你的笔记。", at(5*time.Hour), false),
		Text("可以,谢谢 👍", at(5*time.Hour-time.Minute), true),
		Text("日本語のテキストも混ぜてみます。折り返しが正しいかどうか確認しましょう。", at(4*time.Hour), false),
		Text("👨‍👩‍👧 👩🏽‍🚀 🏳️‍🌈 ❤️ ✈️ 🇩🇪 1️⃣ e\u0301 नमस्ते ไทย", at(4*time.Hour-time.Minute), false))
	n.Unread(cjk, 2)

	bob := meet("bob")
	n.Seed(bob,
		Text("The relay on the boat is up again.", at(3*time.Hour), false),
		Text("Good. I will move my mailbox there tonight.", at(3*time.Hour-2*time.Minute), true),
		api.Message{Text: safetext.Clean("Did you see the figures?"), Time: at(2 * time.Hour), Outgoing: true, State: api.StateFailed, Reason: "The mailbox did not answer for 14 days."},
		Text("Here is the fix:\n```go\nfunc peel(p *Packet) error {\n    if p.Seen() {\n        return ErrReplay // a line that is long enough to be broken at the edge of a narrow window\n    }\n    return nil\n}\n```\nTell me if it works.", at(90*time.Minute), false))
	n.Unread(bob, 1)

	alice := meet("alice", func(c *api.Contact) { c.Verified = true })
	n.Seed(alice,
		Text("Are you coming on Saturday?", at(28*time.Hour), false),
		Text("Yes, I will be there at nine.", at(28*time.Hour-time.Minute), true),
		Text("Bring the lamp, please.", at(28*time.Hour-2*time.Minute), false),
		Text("And the long cable, if you still have it. The one in the shed is too short to reach the table under the trees, and I would rather not move everything again like last year.", at(28*time.Hour-3*time.Minute), false),
		Text("I have it here. ☂ It may rain, so I will put a tarpaulin into the car as well.", at(27*time.Hour), true),
		Text("Perfect.", at(27*time.Hour-4*time.Minute), false),
		Text("Morning! Still on for tomorrow?", at(40*time.Minute), false),
		Text("Of course.", at(35*time.Minute), true),
		api.Message{Text: safetext.Clean("Shall I pick you up?"), Time: at(34 * time.Minute), Outgoing: true, State: api.StateSent},
		api.Message{Text: safetext.Clean("I pass by your street anyway."), Time: at(33 * time.Minute), Outgoing: true, State: api.StateQueued})
	return ids
}

// Crowd stores count messages with a contact, one a minute up to now.
func Crowd(n *Node, contact string, count int) {
	words := strings.Fields("the relay carries what it cannot read to a mailbox that does not know whose it is and forgets it when it was fetched")
	messages := make([]api.Message, count)
	start := n.now().Add(-time.Duration(count) * time.Minute)
	for i := range messages {
		text := fmt.Sprintf("%d: %s", i+1, strings.Join(words[i%7:7+i%17], " "))
		messages[i] = Text(text, start.Add(time.Duration(i)*time.Minute), i%3 == 0)
	}
	n.Seed(contact, messages...)
}
