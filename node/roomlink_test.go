package node

import (
	"strings"
	"testing"
	"time"

	"starling/node/api"
	"starling/session/group"
)

// TestRoomLinkInText: a link is found as mail programs and people pass it on, and nothing
// else is taken for one.
func TestRoomLinkInText(t *testing.T) {
	room, err := group.Found(group.Founding{Title: "the pier", Name: "Ada", Mailboxes: []group.Mailbox{{Node: [32]byte{1}}, {Node: [32]byte{2}}}, Now: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	made, err := room.MakeLink(3, true, time.Now().Add(time.Hour), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	link := made.Text

	half := len(link) / 2
	for what, text := range map[string]string{
		"bare": link, "in capitals": strings.ToUpper(link), "in a sentence": "Come to " + link + ", all of you.", "in brackets": "<" + link + ">",
		"wrapped": link[:half] + "\r\n" + link[half:], "quoted": "Ada wrote:\n> " + link[:half] + "\n> " + link[half:] + "\n> Ada",
		"before words": link + " see you there", "behind an invite": "starling:abc " + link,
	} {
		got, card, err := readRoomLink(text)
		if err != nil || card.Title != "the pier" || !strings.EqualFold(got, link) {
			t.Errorf("%s: %q, %v", what, got, err)
		}
	}
	for what, text := range map[string]string{
		"nothing": "", "half": link[:half], "one letter less": link[:len(link)-1], "a person's": "starling:abcdefgh", "another letter": link[:half] + "a" + link[half+1:] + "a",
		"only the beginning": group.LinkPrefix, "many words": group.LinkPrefix + strings.Repeat("a ", 30_000), "too long": link + strings.Repeat(" ", api.MaxInviteText),
	} {
		if _, _, err := readRoomLink(text); api.CodeOf(err) != api.CodeBadInvite {
			t.Errorf("%s: %v", what, err)
		}
	}
}
