package node

import (
	"context"
	"strings"

	"starling/node/api"
	"starling/node/rooms"
	"starling/node/store"
	"starling/session/group"
)

// maxLinkWords is how many words of a text may make up a link that was wrapped.
const maxLinkWords = 64

// readRoomLink finds the first link in a text.
func readRoomLink(text string) (link string, card group.LinkCard, err error) {
	bad := &api.Error{Code: api.CodeBadInvite, Message: "this is not a link into a room", Hint: "it begins with starling-room:; copy it to its last letter"}
	if len(text) > api.MaxInviteText {
		return "", card, bad
	}
	text = pasted(text)
	// The wrong kind of link is the likeliest mistake, and has a remedy.
	at := strings.Index(text, group.LinkPrefix)
	switch {
	case at < 0 && strings.Contains(strings.ToLower(text), "starling:"):
		bad.Hint = "this is an invite of a person: starling contact add LINK"
		return "", card, bad
	case at < 0:
		return "", card, bad
	}

	// The checksum says where it ends.
	link = group.LinkPrefix
	for n, word := range strings.FieldsFunc(text[at+len(group.LinkPrefix):], between) {
		letters := strings.IndexFunc(word, func(r rune) bool { return !linkLetter(r) })
		if letters >= 0 {
			word = word[:letters]
		}
		link += word
		if card, err = group.ParseLink(link); err == nil {
			if id := rooms.IDOf(card); id.IsZero() || id == store.Self {
				return "", group.LinkCard{}, bad // there is no such room: its name is a hash
			}
			return link, card, nil
		}
		if letters >= 0 || n == maxLinkWords {
			break
		}
	}
	return "", group.LinkCard{}, bad
}

// sendLink sends a link into a room to a contact.
func (r *roomCalls) sendLink(ctx context.Context, contact string, out *api.RoomInvite) error {
	m, err := r.n.Send(ctx, api.SendRequest{Contact: contact, Text: out.Link})
	if err == nil {
		out.Message = &m
	}
	return err
}

// reachable refuses to send a link to nobody: before it is made.
func reachable(tx *store.Tx, contact string) error {
	c, err := findPerson(tx, contact)
	if err == nil && c.Blocked {
		err = blockedError
	}
	return err
}

// linkError is the error of a text that holds no invite of a person.
func linkError(text string, err error) error {
	if strings.Contains(strings.ToLower(text), group.LinkPrefix) {
		return &api.Error{Code: api.CodeBadInvite, Message: "this link leads into a room, not to a person", Hint: "join the room with it"}
	}
	return apiError(err)
}

// between reports whether a letter stands between the parts of a link that was wrapped.
func between(r rune) bool { return r == '>' || r == ' ' || r == '\t' || r == '\n' || r == '\r' }

func linkLetter(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '2' <= r && r <= '7'
}
