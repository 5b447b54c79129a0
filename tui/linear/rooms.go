package linear

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/tui/catalogue"
	"starling/tui/words"
)

// roomTalk obeys the commands about rooms: /room and a word behind it.
type roomTalk struct{ *prompt }

// A roomCommand is one such word.
type roomCommand struct {
	name, args, help string
	run              func(r roomTalk, ctx context.Context, args string) error
}

// roomCommands are all of them, in the order in which they are explained.
var roomCommands []roomCommand

func init() {
	m := catalogue.Mark
	roomCommands = []roomCommand{
		{"new", m("NAME"), m("make a room"), roomTalk.create},
		{"join", m("LINK NAME"), m("ask to be let into a room, under a name"), roomTalk.join},
		{"invite", m("NUMBER approve TIME"), m("a link for so many people; with approve you are asked before each"), roomTalk.invite},
		{"send", m("CONTACT"), m("send a contact a link for one into the open room"), roomTalk.send},
		{"links", "", m("the open links; /room withdraw NUMBER ends one"), roomTalk.links},
		{"members", "", m("who is in the open room, and who waits at the door"), roomTalk.members},
		{"approve", m("MEMBER"), m("let somebody in; /room refuse: not"), roomTalk.approve},
		{"role", m("MEMBER ROLE"), m("admin, member, reader; owner offers them the room, /room accept takes it"), roomTalk.role},
		{"remove", m("MEMBER"), m("remove a member; /room ban: and the links that they made"), roomTalk.remove},
		{"block", m("MEMBER"), m("read out nothing of theirs; /room unblock: again"), roomTalk.block},
		{"verify", m("MEMBER"), m("the numbers to compare; /room verified, unverified: note the result"), roomTalk.verify},
		{"private", m("MEMBER"), m("offer a member a conversation of two; /room take or decline answers theirs"), roomTalk.private},
		{"name", m("NEW NAME"), m("rename the room for all"), roomTalk.rename},
		{"history", "", m("100 or none: what newcomers are given"), roomTalk.history},
		{"writers", "", m("all or admins: who may write"), roomTalk.writers},
		{"timer", m("TIME"), m("new messages disappear after 1h, 7d; off"), roomTalk.timer},
		{"leave", "", m("leave the room; /room forget erases it then"), roomTalk.leave},

		// The opposites of those above, and the like.
		{"withdraw", "", "", roomTalk.withdraw},
		{"refuse", "", "", roomTalk.refuse},
		{"forget", "", "", roomTalk.forget},
		{"accept", "", "", roomTalk.accept},
		{"ban", "", "", roomTalk.ban},
		{"unblock", "", "", roomTalk.unblock},
		{"verified", "", "", roomTalk.verified},
		{"unverified", "", "", roomTalk.unverified},
		{"take", "", "", roomTalk.takePrivate},
		{"decline", "", "", roomTalk.declinePrivate},
	}
}

// obeyRoom obeys /room.
func obeyRoom(p *prompt, ctx context.Context, args string) error {
	r := roomTalk{p}
	word, rest, _ := strings.Cut(args, " ")
	if word == "" {
		return r.explain()
	}
	for _, c := range roomCommands {
		if c.name == word {
			return c.run(r, ctx, strings.TrimSpace(rest))
		}
	}
	return p.fault(p.t("there is no command %s", safetext.Line("/room "+word)), catalogue.Mark("Type /room."))
}

// explain says how the open room stands, and which words there are.
func (r roomTalk) explain() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.contact(r.current); c != nil && c.Room != nil {
		r.print("%s: %s.", r.name(c), r.standing(c.Room))
		for _, f := range c.Room.Forks {
			r.print("%s said two things under one number: %s And: %s", r.crowd.name(c.ID, f.Member, r.t("somebody")), r.veiled(f.First), r.veiled(f.Second))
		}
	}
	for _, c := range roomCommands {
		switch {
		case c.help == "":
		case c.args == "":
			r.print("/room %s: %s.", c.name, r.t(c.help))
		default:
			r.print("/room %s %s: %s.", c.name, r.t(c.args), r.t(c.help))
		}
	}
	return nil
}

// here does something about the open room.
func (r roomTalk) here(f func(room *api.Room) error) error {
	r.mu.Lock()
	var room *api.Room
	if c := r.contact(r.current); c != nil {
		room = c.Room
	}
	r.mu.Unlock()
	if room == nil {
		return r.fault(catalogue.Mark("no room is open"), catalogue.Mark("Type /open and the name of a room, or /room new and a name."))
	}
	return f(room)
}

// someone does something about a member of the open room: a number of /room members, a
// name, or the beginning of one.
func (r roomTalk) someone(ctx context.Context, who string, f func(room *api.Room, m *api.Member) error) error {
	return r.here(func(room *api.Room) error {
		all, err := r.node.Members(ctx, room.ID)
		if err != nil {
			return err
		}
		m, err := r.pick(all, who)
		if err != nil {
			return err
		}
		return f(room, m)
	})
}

func (r roomTalk) pick(all []api.Member, who string) (*api.Member, error) {
	if who == "" {
		return nil, r.fault(catalogue.Mark("say whom"), catalogue.Mark("Type a name, or a number from /room members."))
	}
	if n, err := strconv.Atoi(who); err == nil && n >= 1 && n <= len(all) {
		return &all[n-1], nil
	}

	var exact, begun []*api.Member
	for i := range all {
		name := words.Line(all[i].Name)
		switch {
		case all[i].ID == who, name == who:
			exact = append(exact, &all[i])
		case strings.HasPrefix(strings.ToLower(name), strings.ToLower(who)):
			begun = append(begun, &all[i])
		}
	}
	if len(exact) > 0 {
		begun = exact
	}
	switch len(begun) {
	case 1:
		return begun[0], nil
	case 0:
		return nil, r.usage(api.CodeNoMember, catalogue.Mark("nobody of that name is in the room"), catalogue.Mark("Type /room members."))
	}
	return nil, r.usage(api.CodeAmbiguous, catalogue.Mark("more than one name begins like that"), catalogue.Mark("Type a number from /room members."))
}

// person is a member's name, if names are read out.
func (r roomTalk) person(m *api.Member) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.hidden {
		return r.t("somebody")
	}
	return words.Member(m)
}

func (r roomTalk) create(ctx context.Context, name string) error {
	if name == "" {
		return r.fault(catalogue.Mark("say what it is to be called"), catalogue.Mark("Type /room new and a name."))
	}
	r.say("Making the room…")
	room, err := r.node.CreateRoom(ctx, api.CreateRoomRequest{Name: name})
	if err != nil {
		return err
	}
	return r.goIn(ctx, room.ID)
}

// goIn opens a room.
func (r roomTalk) goIn(ctx context.Context, id string) error {
	if err := r.load(ctx); err != nil {
		return err
	}
	return r.with(id, func(c api.Contact) error {
		r.enter(c)
		r.learn(ctx, &c)
		return nil
	})
}

// learn asks for the names in a room, if others are in it than before.
func (r roomTalk) learn(ctx context.Context, c *api.Contact) {
	if c == nil || c.Room == nil || c.Room.State != api.RoomReady {
		return
	}
	r.mu.Lock()
	known := r.crowd.counted[c.ID] == c.Room.Members
	r.mu.Unlock()
	if known {
		return
	}
	all, err := r.node.Members(ctx, c.ID)
	if err != nil {
		return // they are somebody then
	}

	r.mu.Lock()
	defer r.mu.Unlock()
	r.crowd.counted[c.ID] = c.Room.Members
	for i := range all {
		r.crowd.hear(c.ID, &all[i])
	}
}

func (r roomTalk) join(ctx context.Context, args string) error {
	link, name, _ := strings.Cut(args, " ")
	if link == "" {
		return r.fault(catalogue.Mark("there is no link"), catalogue.Mark("Type /room join and the link."))
	}
	card, err := r.node.LookAtRoom(ctx, link)
	if err != nil {
		return err
	}

	// Nobody enters without a word of those with a way to learn of it.
	if title := words.Line(card.Name); title != "" {
		r.say("The link leads to the room %s.", title)
	}
	r.say("%s", r.t(card.Statement))
	if card.Approve {
		r.say("Its author is asked before you are let in.")
	}
	sure, err := r.sure(r.t("Do you want to be let in?"))
	if err != nil || !sure {
		return err
	}
	room, err := r.node.JoinRoom(ctx, api.JoinRoomRequest{Link: link, Name: strings.TrimSpace(name)})
	if err != nil {
		return err
	}
	if room.State == api.RoomPending {
		r.say("Asked. It is read out when you are let in.")
	}
	return r.goIn(ctx, room.ID)
}

func (r roomTalk) invite(ctx context.Context, args string) error {
	return r.here(func(room *api.Room) error {
		req := api.RoomInviteRequest{Room: room.ID}
		for _, word := range strings.Fields(args) {
			n, err := strconv.Atoi(word)
			switch {
			case err == nil:
				req.Uses = n
			case word == "approve":
				req.Approve = true
			default:
				seconds, err := r.seconds(word)
				if err != nil {
					return err
				}
				req.Expires = time.Duration(seconds) * time.Second
			}
		}

		r.say("Putting the link into a mailbox…")
		link, err := r.node.InviteToRoom(ctx, req)
		if err != nil {
			return err
		}
		r.say("%s It works until %s, while Starling runs here.", r.n(link.Uses, "For %d person.", "For %d people."), r.until(link.Expires))
		r.say("%s", link.Link)
		return nil
	})
}

func (r roomTalk) until(t time.Time) string { return r.th.Time(t, "Monday 2 January, 15:04") }

func (r roomTalk) links(ctx context.Context, _ string) error {
	return r.here(func(room *api.Room) error {
		all, err := r.node.RoomInvites(ctx, room.ID)
		if err != nil {
			return err
		}
		for i, l := range all {
			r.say("%d. For %d, used by %d, open until %s:", i+1, l.Uses, l.Used, r.until(l.Expires))
			r.say("%s", l.Link)
			if l.Crowded {
				r.say("Somebody fills it: soon nobody else can ask by it. Withdraw it and make another.")
			}
		}
		if len(all) == 0 {
			r.say("No open links.")
		}
		return nil
	})
}

func (r roomTalk) withdraw(ctx context.Context, number string) error {
	return r.here(func(room *api.Room) error {
		all, err := r.node.RoomInvites(ctx, room.ID)
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(number)
		if err != nil || n < 1 || n > len(all) {
			return r.fault(catalogue.Mark("no open link has that number"), catalogue.Mark("Type /room links to see the numbers."))
		}
		return r.done(r.node.RevokeRoomInvite(ctx, all[n-1].ID), "The link works no more.")
	})
}

func (r roomTalk) members(ctx context.Context, _ string) error {
	return r.here(func(room *api.Room) error {
		all, err := r.node.Members(ctx, room.ID)
		if err != nil {
			return err
		}
		for i := range all {
			m := &all[i]
			r.say("%d. %s (%s)", i+1, r.person(m), strings.Join(r.marks(m), ", "))
		}
		return nil
	})
}

// marks are the role of a member and all else that is known of them.
func (r roomTalk) marks(m *api.Member) []string {
	said := []string{words.Role(r.th, m.Role)}
	if m.Waiting {
		said[0] = r.t("waiting at the door")
	}
	for _, mark := range []struct {
		cond bool
		word string
	}{{m.Self, r.t("you")}, {m.Offered, r.t("is offered the room")}, {m.Asking, r.t("offers you a conversation of two")}, {m.Verified, r.t("verified")}, {m.Blocked, r.t("blocked")}} {
		if mark.cond {
			said = append(said, mark.word)
		}
	}
	return slices.DeleteFunc(said, func(s string) bool { return s == "" })
}

func (r roomTalk) approve(ctx context.Context, who string) error { return r.answer(ctx, who, true) }
func (r roomTalk) refuse(ctx context.Context, who string) error  { return r.answer(ctx, who, false) }

func (r roomTalk) answer(ctx context.Context, who string, admit bool) error {
	return r.someone(ctx, who, func(room *api.Room, m *api.Member) error {
		err := r.node.AnswerKnock(ctx, api.KnockRequest{Room: room.ID, Member: m.ID, Admit: admit})
		if admit {
			return r.done(err, "%s is let in.", r.person(m))
		}
		return r.done(err, "%s is not let in.", r.person(m))
	})
}

func (r roomTalk) role(ctx context.Context, args string) error {
	i := strings.LastIndexByte(args, ' ')
	who, role := strings.TrimSpace(args[:max(0, i)]), args[i+1:]
	for _, known := range []api.Role{api.RoleOwner, api.RoleAdmin, api.RoleMember, api.RoleReader} {
		if strings.EqualFold(role, words.Role(r.th, known)) {
			role = string(known)
		}
	}
	switch api.Role(role) {
	case api.RoleOwner, api.RoleAdmin, api.RoleMember, api.RoleReader:
	default:
		return r.fault(catalogue.Mark("that is no role"), catalogue.Mark("Type /room role, a name, and admin, member, reader or owner."))
	}
	return r.someone(ctx, who, func(room *api.Room, m *api.Member) error {
		_, err := r.node.ChangeMember(ctx, api.MemberRequest{Room: room.ID, Member: m.ID, Role: api.Role(role)})
		return err // the notice tells
	})
}

func (r roomTalk) accept(ctx context.Context, _ string) error {
	return r.here(func(room *api.Room) error {
		_, err := r.node.ChangeMember(ctx, api.MemberRequest{Room: room.ID, Member: room.Me, Role: api.RoleOwner})
		return err
	})
}

func (r roomTalk) remove(ctx context.Context, who string) error { return r.expel(ctx, who, false) }
func (r roomTalk) ban(ctx context.Context, who string) error    { return r.expel(ctx, who, true) }

func (r roomTalk) expel(ctx context.Context, who string, ban bool) error {
	who, sure := strings.CutSuffix(who, " yes")
	return r.someone(ctx, who, func(room *api.Room, m *api.Member) error {
		if !sure {
			var err error
			if sure, err = r.sure(r.t("Remove %s from the room? They read nothing that is said afterwards.", r.person(m))); err != nil || !sure {
				return err
			}
		}
		_, err := r.node.ChangeMember(ctx, api.MemberRequest{Room: room.ID, Member: m.ID, Role: api.RoleNone, Ban: ban})
		return err
	})
}

func (r roomTalk) block(ctx context.Context, who string) error   { return r.hide(ctx, who, true) }
func (r roomTalk) unblock(ctx context.Context, who string) error { return r.hide(ctx, who, false) }

func (r roomTalk) hide(ctx context.Context, who string, blocked bool) error {
	return r.someone(ctx, who, func(room *api.Room, m *api.Member) error {
		_, err := r.node.BlockMember(ctx, api.BlockMemberRequest{Room: room.ID, Member: m.ID, Blocked: blocked})
		if blocked {
			return r.done(err, "%s is blocked.", r.person(m))
		}
		return r.done(err, "%s is unblocked.", r.person(m))
	})
}

func (r roomTalk) verify(ctx context.Context, who string) error {
	return r.someone(ctx, who, func(room *api.Room, m *api.Member) error {
		v, err := r.node.MemberVerification(ctx, room.ID, m.ID)
		if err != nil {
			return err
		}
		r.mu.Lock()
		r.seen[m.ID] = v.SafetyNumber
		r.mu.Unlock()

		r.say("Compare with %s, face to face or in a call.", r.person(m))
		for i, group := range words.Digits(v.SafetyNumber) {
			r.say("%d: %s", i+1, group)
		}
		r.say("If all are equal, type /room verified %s.", r.person(m))
		return nil
	})
}

func (r roomTalk) verified(ctx context.Context, who string) error {
	return r.someone(ctx, who, func(room *api.Room, m *api.Member) error {
		r.mu.Lock()
		seen := r.seen[m.ID]
		r.mu.Unlock()
		if seen == "" {
			return r.fault(catalogue.Mark("no numbers were read out yet"), catalogue.Mark("Type /room verify first, and compare them."))
		}
		_, err := r.node.SetMemberVerified(ctx, room.ID, m.ID, seen)
		return r.done(err, "%s is verified.", r.person(m))
	})
}

func (r roomTalk) unverified(ctx context.Context, who string) error {
	return r.someone(ctx, who, func(room *api.Room, m *api.Member) error {
		_, err := r.node.SetMemberVerified(ctx, room.ID, m.ID, "")
		return r.done(err, "%s is unverified.", r.person(m))
	})
}

// change changes a setting of the open room.
func (r roomTalk) change(ctx context.Context, f func(*api.RoomRequest)) error {
	return r.here(func(room *api.Room) error {
		req := api.RoomRequest{Room: room.ID}
		f(&req)
		_, err := r.node.ChangeRoom(ctx, req)
		return err // the notice tells
	})
}

func (r roomTalk) rename(ctx context.Context, name string) error {
	return r.change(ctx, func(req *api.RoomRequest) { req.Name = &name })
}

func (r roomTalk) history(ctx context.Context, args string) error {
	value, ok := map[string]int{"100": 100, "none": 0}[args]
	if !ok {
		return r.fault(catalogue.Mark("newcomers are given 100 messages or none"), catalogue.Mark("Type /room history 100, or /room history none."))
	}
	return r.change(ctx, func(req *api.RoomRequest) { req.History = &value })
}

func (r roomTalk) writers(ctx context.Context, args string) error {
	if args != "all" && args != "admins" {
		return r.fault(catalogue.Mark("all write, or the admins alone"), catalogue.Mark("Type /room writers all, or /room writers admins."))
	}
	return r.change(ctx, func(req *api.RoomRequest) { req.AdminsOnly = new(args == "admins") })
}

func (r roomTalk) timer(ctx context.Context, args string) error {
	seconds := 0
	if args != "off" {
		var err error
		if seconds, err = r.seconds(args); err != nil {
			return err
		}
	}
	return r.change(ctx, func(req *api.RoomRequest) { req.Timer = &seconds })
}

func (r roomTalk) leave(ctx context.Context, args string) error {
	return r.here(func(room *api.Room) error {
		sure := args == "yes"
		if !sure {
			var err error
			if sure, err = r.sure(r.t("Leave the room? Its messages stay here.")); err != nil || !sure {
				return err
			}
		}
		return r.done(r.node.LeaveRoom(ctx, room.ID), "Left. /room forget erases the room and its messages.")
	})
}

func (r roomTalk) forget(ctx context.Context, args string) error {
	return r.here(func(room *api.Room) error {
		if words.Holds(room) {
			return r.fault(catalogue.Mark("you are in this room"), catalogue.Mark("Type /room leave first."))
		}
		sure := args == "yes"
		if !sure {
			var err error
			if sure, err = r.sure(r.t("Erase the room and all its messages here?")); err != nil || !sure {
				return err
			}
		}
		return r.done(r.node.RemoveContact(ctx, room.ID), "Removed.")
	})
}

// standing is how we stand in a room, in words.
func (v *voice) standing(room *api.Room) string {
	said := words.RoomState(v.th, room.State)
	if said == "" {
		said = words.Role(v.th, room.Role) + ", " + v.n(room.Members, "%d person", "%d people")
	}
	add := func(cond bool, text string) {
		if cond {
			said += ", " + text
		}
	}
	add(room.Mentions > 0, v.n(room.Mentions, "%d names you", "%d name you"))
	add(room.Waiting > 0, v.n(room.Waiting, "%d at the door", "%d at the door"))
	add(room.Asking > 0, v.n(room.Asking, "%d offers you a conversation of two", "%d offer you a conversation of two"))
	add(room.AdminsOnly, v.t("only admins write"))
	add(room.Unheard, v.t("back with an old copy, and nobody was heard since"))
	add(room.Healing, v.t("people just removed may still read"))
	add(len(room.Forks) > 0, v.t("somebody said two things under one number"))
	return said
}

// crowd is the names of members, as they were last heard.
type crowd struct {
	names   map[seat]string
	counted map[string]int // how many were in a room when its members were asked for
}

// A seat is a member in a room, by both IDs.
type seat struct{ room, member string }

func newCrowd() crowd { return crowd{map[seat]string{}, map[string]int{}} }

func (c crowd) hear(room string, m *api.Member) { c.names[seat{room, m.ID}] = words.Member(m) }

// heard takes the name of a message's author.
func (c crowd) heard(m *api.Message) {
	if m.Room != "" && m.Member != "" && !m.From.IsZero() {
		c.hear(m.Room, &api.Member{ID: m.Member, Name: m.From})
	}
}

func (c crowd) name(room, member, unknown string) string {
	if name := c.names[seat{room, member}]; name != "" {
		return name
	}
	return unknown
}
