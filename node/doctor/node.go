package doctor

import (
	"context"
	"fmt"
	"time"

	"starling/node/api"
	"starling/p2p"
	"starling/p2p/clock"
	"starling/p2p/proxy"
)

// Node are the checks of a person's node.
var Node = []Check{
	{"profile", "make one with: starling init --name NAME, or start: starling", checkProfile},
	{"opens", "give the passphrase of this profile", checkOpens},
	{"permissions", "take the others' rights away: chmod -R go= on the profile's folder", checkPermissions},
	{"passphrase-file", "take the others' rights away with chmod 600, and think about a new profile if somebody else uses this machine", checkPassphraseFile},
	{"disk", "free some space; messages wait meanwhile and none is lost", checkDisk},
	{"clock", "set this computer's date and time, best by switching on its network time", checkClock},
	{"node", "start it: starling, or starling node", checkNode},
	{"version", "end the node that runs and start it again", checkVersion},
	{"proxy", "start the proxy, or set another: starling settings proxy socks5://ADDRESS:PORT; none: starling settings proxy off", checkProxy},
	{"bridges", "ask whoever runs the bridge, or for another one; see starling bridge list", checkBridges},
	{"own-bridge", "have a friend try the link: starling bridge own", checkOwnBridge},
	{"relays", "give the address of another relay with --bootstrap, or use an invite: it brings one. On a mesh of your own start with --allow-private, or --lan", checkRelays},
	{"guards", "check this computer's connection; a firewall may hold back TCP to unknown ports. If the guards are gone for good: starling status --try-others", checkGuards},
	{"ways-in", "leave the node running: it tries other ways by itself. A bridge helps where relays are blocked: starling bridge add LINK", checkWays},
	{"mailboxes", "leave the node running: it finds mailboxes as soon as it knows enough relays", checkMailboxes},
	{"outbox", "leave the node running; what was given up goes out again with: starling retry ID", checkOutbox},
	{"rooms", "leave the node running; where that does not help, ask a member of the room for a new link: starling room list", checkRooms},
	{"private-addresses", "leave out --allow-private and --lan, unless this mesh is your own", checkPrivate},
}

// noNode is why a check was left out, if it was.
func (p *Patient) noNode() (Finding, bool) {
	switch {
	case p.Node == nil:
		return skip("no node runs; run this again while starling runs"), true
	case api.CodeOf(p.statusErr) == api.CodeLocked:
		return skip("the profile is locked, and no passphrase was given"), true
	case p.statusErr != nil:
		return skip("the node does not answer"), true
	}
	return Finding{}, false
}

func checkClock(_ context.Context, p *Patient) Finding {
	if d := ahead(p.Profile.Dir, p.System.Now()); d > clockSlack {
		return fail("this profile was written %s in the future: the clock was set back, or is wrong", roughly(d))
	}
	if p.Node == nil || p.statusErr != nil {
		return ok("the clock is not behind the profile; the relays' clocks are compared while a node runs")
	}
	off := time.Duration(p.status.ClockAhead) * time.Second
	switch {
	case off > clock.Notable:
		return warn("this computer's clock is %s ahead of what relays say; messages go by theirs", roughly(off))
	case off < -clock.Notable:
		return warn("this computer's clock is %s behind what relays say; messages go by theirs", roughly(-off))
	case !p.status.ClockKnown:
		return skip("no two relays have said yet what time it is")
	}
	return ok("it agrees with the relays'")
}

func checkNode(_ context.Context, p *Patient) Finding {
	place := p.Profile.Socket()

	switch {
	case p.Node == nil && socketThere(p.Profile) && p.Profile.Held():
		f := fail("a node holds the profile, but nobody answers on its control socket")
		f.Remedy = "end that program, by force if it has to be, and start again; nothing is lost"
		return f.at(place)
	case p.Node == nil:
		return warn("no node runs: messages neither come nor go").at(place)
	case api.CodeOf(p.statusErr) == api.CodeLocked:
		return ok("it runs; the profile is locked").at(place)
	case p.statusErr != nil:
		f := fail("the node does not say how it is: %v", p.statusErr)
		f.Remedy = "end it and start it again"
		return f.at(place)
	case socketOpen(p.Profile):
		f := fail("other users of this machine may use the node's control socket")
		f.Remedy = "end the node and start it again: it makes the socket anew, for you alone"
		return f.at(place)
	case !p.status.Ready:
		f := warn("the node runs, and waits: %s", p.status.Reason)
		f.Remedy = "see the checks relays and guards"
		return f.at(place)
	}
	return ok("it runs, and messages can leave").at(place, "peer id "+p.status.PeerID)
}

func checkVersion(_ context.Context, p *Patient) Finding {
	if f, out := p.noNode(); out {
		return f
	}
	if p.status.Version != p.Version {
		return warn("the node that runs is version %s, this program is %s", p.status.Version, p.Version)
	}
	return ok("the node and this program are both version %s", p.Version)
}

func checkProxy(_ context.Context, p *Patient) Finding {
	if f, out := p.noNode(); out {
		return f
	}
	s := p.status
	switch {
	case s.Proxy == "":
		return ok("none is set")
	case s.ProxyFault == "":
		return ok("all connections go over it").at(s.Proxy)
	}
	f := fail("%s; nothing is dialled beside it", s.ProxyFault).at(s.Proxy)
	if remedy := proxyRemedies[s.ProxyFault]; remedy != "" {
		f.Remedy = remedy
	}
	return f
}

// proxyRemedies are those for the faults of a proxy.
var proxyRemedies = map[string]string{
	string(proxy.Down):     "start the proxy, for a Tor on Debian: systemctl start tor; or give its right port: starling settings proxy socks5://ADDRESS:PORT",
	string(proxy.Silent):   "see whether the proxy hangs, and start it again",
	string(proxy.Login):    "give them with it: starling settings proxy socks5://USER:PASSWORD@ADDRESS:PORT",
	string(proxy.NotSocks): "look for the proxy's port: Tor's is 9050, that of Tor Browser 9150",
	string(proxy.Died):     "start the proxy again, and look into its log",
	string(proxy.Denied):   "let the proxy connect to any port, or use another",
}

func checkBridges(_ context.Context, p *Patient) Finding {
	if f, out := p.noNode(); out {
		return f
	}
	s := p.status
	up, places := 0, []string{}
	for _, b := range s.Bridges {
		state := "not in use"
		switch {
		case b.Connected:
			up++
			state = "connected"
		case b.Error != "":
			state = b.Error
		}
		for _, at := range b.Addresses {
			places = append(places, at+" "+state)
		}
	}

	switch {
	case len(s.Bridges) == 0 && s.BridgesOnly:
		f := fail("only bridges may be dialled, and there is none")
		f.Remedy = "add one: starling bridge add LINK; or allow the rest: starling settings bridges-only off"
		return f
	case len(s.Bridges) == 0:
		return ok("none is set")
	case up == 0 && s.BridgesOnly && !s.Ready:
		return fail("none of %s answers, and nothing else is dialled", count(len(s.Bridges), "bridge")).at(places...)
	case up == 0 && !s.Ready:
		return warn("none of %s answers", count(len(s.Bridges), "bridge")).at(places...)
	}
	return ok("%d of %s connected", up, count(len(s.Bridges), "bridge")).at(places...)
}

// checkOwnBridge looks at the bridge that this computer is for friends.
func checkOwnBridge(_ context.Context, p *Patient) Finding {
	if f, out := p.noNode(); out {
		return f
	}
	b := p.status.OwnBridge
	switch {
	case b == nil:
		return ok("this computer is none")
	case b.State == api.OwnBridgeReached:
		return ok("others have reached it; %d connected now", b.Clients).at(b.Addresses...)
	case b.State == api.OwnBridgeStarting:
		return skip("it is being opened")
	}
	f := warn("%s", b.Reason).at(b.Addresses...)
	if b.Remedy != "" {
		f.Remedy = b.Remedy
	}
	return f
}

func checkRelays(_ context.Context, p *Patient) Finding {
	if f, out := p.noNode(); out {
		return f
	}
	known := p.status.Relays
	switch {
	case known == 0:
		return fail("no relay is known; %d are needed", p2p.MinRelays)
	case known < p2p.MinRelays || !p.status.Anonymity.EnoughRelays:
		return fail("%s known; a route needs %d, so messages wait", count(known, "relay"), p2p.MinRelays)
	}
	if n := p.status.Reached; n > 0 {
		f := warn("most of the network is out of reach: the node goes on over %d of %d relays, fewer to hide among", n, known)
		f.Remedy = "leave the node running: it tries the others again, and uses all when they answer"
		return f
	}
	if s := p.status; s.ListsAsked >= fewLists && 2*s.ListsOther > s.ListsAsked {
		f := warn("%d of %d relays that were asked through others list other relays than this node knows: its list is perhaps of somebody's making", s.ListsOther, s.ListsAsked)
		f.Remedy = "start the node with --bootstrap and the address of a relay that you have from somebody you trust"
		return f
	}
	return ok("%d known, %d needed", known, p2p.MinRelays)
}

// fewLists is how many relays must have told their lists for a comparison to mean
// something.
const fewLists = 3

func checkGuards(_ context.Context, p *Patient) Finding {
	if f, out := p.noNode(); out {
		return f
	}
	up, places := 0, []string{}
	for _, g := range p.status.Guards {
		state := "not connected"
		if g.Connected {
			up++
			state = "connected"
		}
		places = append(places, g.Address+" "+state)
	}
	switch {
	case up == 0 && len(places) == 0:
		return fail("no guard is chosen yet")
	case up == 0:
		return fail("none of %s is connected", count(len(places), "guard")).at(places...)
	case up < 2:
		return warn("one guard is connected, the other one is not").at(places...)
	}
	return ok("%s connected", count(up, "guard")).at(places...)
}

func checkMailboxes(_ context.Context, p *Patient) Finding {
	if f, out := p.noNode(); out {
		return f
	}
	heard, crowded, places := 0, 0, []string{}
	for _, m := range p.status.Mailboxes {
		if !m.Heard.IsZero() {
			heard++
		}
		if m.NoRoom {
			crowded++
		}
		places = append(places, m.PeerID)
	}

	switch {
	case len(places) == 0 && p.status.Contacts == 0:
		return skip("there is no contact yet who could write")
	case len(places) == 0:
		return fail("no mailbox waits for mail")
	case crowded == len(places):
		f := warn("no mailbox has room to send mail at once: it comes when they are asked, some minutes later")
		f.Remedy = "leave the node running: mailboxes are crowded, and places become free"
		return f.at(places...)
	}
	// One that has nothing for us is silent.
	return ok("%s watched; %d handed over something since the start", boxes(len(places)), heard).at(places...)
}

func boxes(n int) string {
	if n == 1 {
		return "1 mailbox is"
	}
	return fmt.Sprintf("%d mailboxes are", n)
}

// stuckAfter is how long a message may be on its way to a mailbox.
const stuckAfter = 10 * time.Minute

// look is how many of the newest messages of a conversation are looked at.
const look = 200

func checkOutbox(ctx context.Context, p *Patient) Finding {
	if f, out := p.noNode(); out {
		return f
	}

	// Counts first: the messages are read only when something waits.
	o := p.status.Outbox
	if o.Queued+o.Sealed+o.Failed == 0 {
		if o.Sent == 0 {
			return ok("nothing waits")
		}
		return ok("%s in mailboxes, waiting for the recipients", count(o.Sent, "message"))
	}

	oldest, reason, err := oldestWaiting(ctx, p)
	if err != nil {
		return skip("the messages cannot be read: %v", err)
	}

	switch age := p.System.Now().Sub(oldest); {
	case !oldest.IsZero() && age > stuckAfter:
		because := ""
		if reason != "" {
			because = ": " + reason
		}
		return fail("%s not in a mailbox yet, the oldest for %s%s", are(o.Queued+o.Sealed), roughly(age), because)
	case o.Failed > 0:
		return warn("%s given up", were(o.Failed))
	}
	return ok("%s on the way", are(o.Queued+o.Sealed))
}

func are(n int) string {
	if n == 1 {
		return "1 message is"
	}
	return fmt.Sprintf("%d messages are", n)
}

func were(n int) string {
	if n == 1 {
		return "1 message was"
	}
	return fmt.Sprintf("%d messages were", n)
}

// oldestWaiting returns when the oldest message that is in no mailbox was written, and
// the reason for its wait.
func oldestWaiting(ctx context.Context, p *Patient) (oldest time.Time, reason string, err error) {
	contacts, err := p.Node.Conversations(ctx)
	if err != nil {
		return oldest, "", err
	}
	for _, c := range contacts {
		messages, err := p.Node.History(ctx, api.HistoryRequest{Contact: c.ID, Limit: look})
		if err != nil {
			return oldest, "", err
		}
		for _, m := range messages {
			if m.State != api.StateQueued && m.State != api.StateSealed {
				continue
			}
			if oldest.IsZero() || m.Time.Before(oldest) {
				oldest, reason = m.Time, m.Reason
			}
		}
	}
	return oldest, reason, nil
}

func checkPrivate(_ context.Context, p *Patient) Finding {
	if f, out := p.noNode(); out {
		return f
	}
	if p.status.AllowPrivate {
		return warn("private addresses are admitted: whoever runs such a mesh can see who talks to whom")
	}
	return ok("only public relays are used")
}
