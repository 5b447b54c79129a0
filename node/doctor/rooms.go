package doctor

import (
	"context"

	"starling/node/api"
)

// checkRooms looks for rooms that need their owner. It names none.
func checkRooms(ctx context.Context, p *Patient) Finding {
	if f, out := p.noNode(); out {
		return f
	}
	all, err := p.Node.ListRooms(ctx)
	if err != nil {
		return skip("the rooms cannot be read: %v", err)
	}

	var in, away, silent, unheard, forked, healing, crowded int
	for _, r := range all {
		crowded += crowdedLinks(ctx, p.Node, r)
		switch {
		case r.State == api.RoomAway:
			away++
		case r.State == api.RoomPending && p.System.Now().Sub(r.Created) > api.MaxRoomLinkLife:
			silent++
		case r.Unheard:
			unheard++
		case r.State == api.RoomReady && len(r.Forks) > 0:
			forked++
		case r.State == api.RoomReady && r.Healing:
			healing++
		}
		if r.State == api.RoomReady {
			in++
		}
	}

	switch {
	case away > 0:
		return warn("%s lost its place, and asks for it", count(away, "room"))
	case unheard > 0:
		f := warn("in %s nobody was heard since you came back with a copy of more than 14 days ago: perhaps nobody reads what you write there but people that you have removed since", count(unheard, "room"))
		f.Remedy = "wait a day for somebody to write; then make a new room, invite the others again, and leave the old one: starling room create NAME"
		return f
	case silent > 0:
		return warn("%s to be let in was not answered for longer than a link lives", count(silent, "request"))
	case forked > 0:
		return warn("in %s somebody said two things under one number", count(forked, "room"))
	case crowded > 0:
		f := warn("somebody fills the place where people ask to be let in by %s: soon nobody else can", count(crowded, "link"))
		f.Remedy = "close the link, and give another to those you wait for: starling room links ROOM, starling room revoke ID"
		return f
	case healing > 0:
		return warn("in %s people just removed may still read", count(healing, "room"))
	case in == 0:
		return ok("the profile is in no room")
	}
	return ok("%s", count(in, "room"))
}

// crowdedLinks counts the links of ours into a room that others are kept from.
func crowdedLinks(ctx context.Context, node api.Node, r api.Room) (n int) {
	if r.State != api.RoomReady || r.Role != api.RoleOwner && r.Role != api.RoleAdmin {
		return 0
	}
	links, err := node.RoomInvites(ctx, r.ID)
	if err != nil {
		return 0 // the room was left just now
	}
	for _, l := range links {
		if l.Crowded {
			n++
		}
	}
	return n
}
