package tui

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	tea "charm.land/bubbletea/v2"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/tui/catalogue"
	"starling/tui/desk"
	"starling/tui/dialog"
	"starling/tui/theme"
	"starling/tui/words"
)

// network is the status of the node, and whether the node answers at all.
type network struct {
	desk *desk.Desk
	// back is done when a node that was lost answers again.
	back func() tea.Cmd

	status  api.Status
	known   bool  // the status is
	lost    error // the node does not answer
	polling bool  // it is being asked again
	looking bool  // the status is being asked for
	again   bool  // and once more after that
	card    *dialog.Card
}

// look asks for the status after something has changed. A look that is under way may
// have come before the change, so there is another after it.
func (n *network) look() tea.Cmd {
	if n.again = n.looking; n.looking {
		return nil
	}
	n.looking = true
	return desk.Ask(n.desk, n.desk.Node.Status, func(s api.Status, err error) tea.Cmd {
		n.looking = false
		done := n.loaded(s, err)
		if n.again && err == nil {
			return tea.Batch(done, n.look())
		}
		return done
	})
}

// load asks for the status.
func (n *network) load() tea.Cmd { return desk.Ask(n.desk, n.desk.Node.Status, n.loaded) }

func (n *network) loaded(s api.Status, err error) tea.Cmd {
	n.polling = false
	if err != nil {
		return n.broken(err)
	}
	n.take(s)
	if n.lost == nil {
		return nil
	}
	n.lost = nil
	return n.back()
}

// take takes a status.
func (n *network) take(s api.Status) { n.status, n.known = s, true }

// broken notes that the node does not answer, and asks again in a while.
func (n *network) broken(err error) tea.Cmd {
	if errors.Is(err, context.Canceled) {
		return nil
	}
	n.lost = err
	if n.polling {
		return nil
	}

	n.polling = true
	return desk.Ask(n.desk, func(ctx context.Context) (api.Status, error) {
		select {
		case <-ctx.Done():
			return api.Status{}, ctx.Err()
		case <-time.After(again):
			return n.desk.Node.Status(ctx)
		}
	}, n.loaded)
}

// open shows the card about the network.
func (n *network) open() tea.Cmd {
	if n.card != nil && n.desk.Dialogs.Has(n.card) {
		return nil
	}
	n.card = &dialog.Card{
		Title: "Network",
		Width: 68,
		Body:  n.body,
		Buttons: []dialog.Button{
			{Label: "Close", Key: "esc", Action: dialog.Close},
			{Label: "Try other guards", Key: "o", Action: dialog.Closing(n.tryOthers)},
		},
	}
	n.desk.Dialogs.Open(n.card)
	return n.load()
}

// tryOthers does not wait for the guards any longer, unless they are there.
func (n *network) tryOthers() tea.Cmd {
	if n.known && !slices.ContainsFunc(n.status.Guards, func(g api.Guard) bool { return !g.Connected }) && len(n.status.Guards) > 1 {
		return n.desk.Say("Both guards are connected.")
	}
	return desk.Ask(n.desk, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, n.desk.Node.TryOthers(ctx)
	}, func(_ struct{}, err error) tea.Cmd {
		if err != nil {
			return n.broken(err)
		}
		return tea.Batch(n.desk.Say("Other guards are tried. Each one that answers sees your address."), n.load())
	})
}

// truth is the status in words, the most important first: what a person has to know,
// and numbers that need not be seen always.
func (n *network) truth() (parts, numbers []string) {
	d, th, s := n.desk, n.desk.Theme, &n.status
	switch {
	// The last status may be old: without the node nothing of it is claimed.
	case n.lost != nil:
		return []string{th.Bad.Render(theme.GlyphFailed + " " + d.T("No answer from the node: %s", d.Describe(n.lost)))}, nil
	case !n.known:
		return []string{th.Muted.Render(d.T("starting…"))}, nil
	}

	add := func(cond bool, part string) {
		if cond {
			parts = append(parts, part)
		}
	}
	profile := safetext.Line(s.Profile).String()
	waiting := s.Outbox.Waiting()
	add(d.Hidden, th.Accent.Render("▒ "+d.T("incognito")))
	add(s.Ready, th.Good.Render(theme.GlyphReady)+" "+profile)
	add(!s.Ready, th.Warn.Render(theme.GlyphWaiting+" "+d.T("waiting: %s", safetext.Line(d.T(s.Reason)).String())))
	add(s.Outbox.Failed > 0, th.Bad.Render(d.N(s.Outbox.Failed, "%d failed", "%d failed")))
	add(waiting > 0, d.T("outbox %d", waiting))
	add(s.AllowPrivate, th.Warn.Render(d.T("private mesh")))
	numbers = []string{
		th.Muted.Render(d.N(s.Hops, "%d hop", "%d hops")),
		th.Muted.Render(d.T("guards %s", words.Guards(th, s))),
		th.Muted.Render(d.N(s.Relays, "%d relay", "%d relays")),
	}

	// The profile is its promise, which is no news while nothing is sent.
	if !s.Ready {
		numbers = append([]string{th.Muted.Render(profile)}, numbers...)
	}
	if waiting == 0 {
		numbers = append(numbers, th.Muted.Render(d.T("outbox empty")))
	}
	return parts, numbers
}

// details adds the status to the pane of details.
func (n *network) details(p *pane) {
	d, th, s := n.desk, n.desk.Theme, &n.status
	p.add(th.Title.Render(d.T("What holds now")))
	p.add("")
	if s.Ready {
		p.wrap(th.Good, theme.GlyphReady+" "+d.T("messages can leave"))
	} else {
		p.wrap(th.Warn, theme.GlyphWaiting+" "+d.T("waiting: %s", d.T(s.Reason)))
	}
	if s.Notice != "" {
		p.wrap(th.Muted, d.T(s.Notice))
	}
	p.add("")
	p.wrap(th.Muted, d.T(s.Anonymity.Statement))
	p.add("")

	p.row(d.T("hops"), fmt.Sprint(s.Hops))
	p.row(d.T("guards"), words.Guards(th, s))
	p.row(d.T("relays"), fmt.Sprint(s.Relays))
	p.row(d.T("mailboxes"), fmt.Sprint(len(s.Mailboxes)))
}

// networkColumn is how wide the labels of the card are at least, the space behind them
// included; longer words of a language make it wider.
const networkColumn = 14

// labels are those of the card.
var labels = []string{
	catalogue.Mark("profile"), catalogue.Mark("way out"), catalogue.Mark("this session"), catalogue.Mark("relays known"), catalogue.Mark("avoided now"), catalogue.Mark("other lists"),
	catalogue.Mark("proxy"), catalogue.Mark("bridge"), catalogue.Mark("queued"), catalogue.Mark("sealed"), catalogue.Mark("in mailboxes"), catalogue.Mark("failed"),
	catalogue.Mark("received"), catalogue.Mark("sent"), catalogue.Mark("refused"), catalogue.Mark("version"),
}

// A sheet is text of a width that is written line by line.
type sheet struct {
	th            *theme.Theme
	width, column int
	lines         []string
}

func newSheet(th *theme.Theme, width int) *sheet {
	s := &sheet{th: th, width: width, column: networkColumn}
	for _, l := range labels {
		s.column = max(s.column, th.Cells.Width(th.T(l))+1)
	}
	s.column = min(s.column, width/2)
	return s
}

func (s *sheet) wrap(role theme.Role, text string) {
	for _, l := range s.th.Cells.Wrap(safetext.Clean(text).String(), s.width) {
		s.lines = append(s.lines, role.Render(l))
	}
}

func (s *sheet) head(text string) { s.lines = append(s.lines, "", s.th.Title.Render(text)) }

func (s *sheet) row(label, value string) {
	for i, l := range s.th.Cells.Wrap(safetext.Line(value).String(), s.width-s.column) {
		if i > 0 {
			label = ""
		}
		s.lines = append(s.lines, s.th.Muted.Render(s.th.Cells.Fit(label, s.column))+l)
	}
}

// body is the whole status.
func (n *network) body(th *theme.Theme, width, _ int) []string {
	if !n.known {
		return []string{th.Muted.Render(th.T("The node has not said anything yet."))}
	}

	out := newSheet(th, width)
	n.promise(out)
	n.wayOut(out)
	n.traffic(out)
	return out.lines
}

// promise tells whether messages can leave, and with which promise.
func (n *network) promise(out *sheet) {
	th, s := out.th, &n.status
	if s.Ready {
		out.lines = append(out.lines, th.Good.Render(theme.GlyphReady+" "+th.T("Messages can leave now.")))
	} else {
		out.wrap(th.Warn, theme.GlyphWaiting+" "+th.T("waiting: %s", th.T(s.Reason)))
		out.wrap(th.Muted, th.T("Messages wait on this device and leave when the promise below can be kept."))
	}

	if s.Notice != "" {
		out.wrap(th.Muted, th.T(s.Notice))
	}

	out.head(th.T("What this promises"))
	if s.Anonymity.Statement != "" {
		out.wrap(th.Text, th.T(s.Anonymity.Statement))
	}
	if n := s.Anonymity.RelaysToLink; n > 0 {
		out.wrap(th.Muted, th.N(n, "%d relay in the right place can link you to a contact. So can who watches both your lines.", "%d relays in the right places, working together, can link you to a contact. So can who watches both your lines."))
	}
	if s.Hops > 0 {
		out.wrap(th.Muted, th.T("Below about a hundred people online at the same time there is little to hide in."))
	}
	if !s.Anonymity.EnoughRelays {
		out.wrap(th.Warn, th.T("There are too few relays to choose routes by the rules of diversity."))
	}
	if s.AllowPrivate {
		out.wrap(th.Warn, th.T("Private and loopback relays are admitted: this is a mesh of your own, not for strangers."))
	}
}

// wayOut tells the route, the guards and the mailboxes.
func (n *network) wayOut(out *sheet) {
	th, s := out.th, &n.status
	out.head(th.T("Route"))
	out.row(th.T("profile"), s.Profile)
	out.row(th.T("way out"), words.Route(th, s))
	out.row(th.T("this session"), short(s.PeerID))
	out.row(th.T("relays known"), fmt.Sprint(s.Relays))
	if s.Doubtful > 0 {
		out.row(th.T("avoided now"), th.T("%d: nothing comes back", s.Doubtful))
	}

	if s.ListsAsked > 0 {
		out.row(th.T("other lists"), th.T("%d of %d relays asked", s.ListsOther, s.ListsAsked))
	}

	out.head(th.T("Guards"))
	if len(s.Guards) == 0 {
		out.wrap(th.Muted, th.T("None yet. A guard is a relay that you connect to, the only kind that sees your address."))
	}
	for _, g := range s.Guards {
		mark := th.Good.Render(theme.GlyphReady) + " " + th.T("connected")
		if !g.Connected {
			mark = th.Warn.Render(theme.GlyphWaiting) + " " + th.T("not connected")
		}
		name := short(safetext.Line(g.PeerID).String()) + "  " + th.Muted.Render(safetext.Line(g.Address).String())
		room := max(out.column, th.Cells.Width(mark)) + 1
		out.lines = append(out.lines, th.Cells.Fit(mark, room)+th.Cells.Truncate(name, out.width-room))
	}

	n.waysIn(out)

	out.head(th.T("Mailboxes"))
	if len(s.Mailboxes) == 0 {
		out.wrap(th.Muted, th.T("None yet. Mailboxes keep what is sent to you until you fetch it."))
	}
	for _, m := range s.Mailboxes {
		heard := th.T("not heard yet")
		if !m.Heard.IsZero() {
			heard = th.T("heard %s", n.since(m.Heard))
		}
		if m.NoRoom {
			heard = th.T("crowded, asked now and then")
		}
		out.lines = append(out.lines, th.Cells.Ends(short(safetext.Line(m.PeerID).String()), th.Muted.Render(heard), out.width))
	}
}

// mostWays is how many ways in the card shows.
const mostWays = 12

// waysIn tells which ways into the network were tried, and how each answered.
func (n *network) waysIn(out *sheet) {
	th, s := out.th, &n.status
	if s.Proxy == "" && !s.BridgesOnly && len(s.Bridges) == 0 && len(s.Ways) == 0 && s.OwnBridge == nil {
		return // nothing was dialled yet
	}
	out.head(th.T("Ways in"))

	if s.Proxy != "" {
		fault := th.T("all connections go over it")
		if s.ProxyFault != "" {
			fault = th.T(s.ProxyFault)
		}
		out.row(th.T("proxy"), fault)
	}
	if s.BridgesOnly {
		out.wrap(th.Muted, th.T("Bridges alone are dialled."))
	}
	for _, b := range s.Bridges {
		at, state := words.Bridge(th, b)
		out.row(th.T("bridge"), state+"  "+at)
	}

	if b := s.OwnBridge; b != nil {
		out.row(th.T("your bridge"), words.OwnBridge(th, *b))
	}

	for _, w := range s.Ways[:min(len(s.Ways), mostWays)] {
		kind, outcome := words.Way(th, w)
		out.row(kind, outcome+"  "+safetext.Line(w.Address).String())
	}
	if s.Bans {
		out.wrap(th.Muted, th.T("This network lets nothing pass for a while after too many connections. Few are made."))
	}
}

// traffic tells the messages under way, and the bytes so far.
func (n *network) traffic(out *sheet) {
	th, s := out.th, &n.status
	out.head(th.T("Messages on their way"))
	out.row(th.T("queued"), fmt.Sprint(s.Outbox.Queued))
	out.row(th.T("sealed"), fmt.Sprint(s.Outbox.Sealed))
	out.row(th.T("in mailboxes"), fmt.Sprint(s.Outbox.Sent))
	out.row(th.T("failed"), fmt.Sprint(s.Outbox.Failed))

	out.head(th.T("Traffic"))
	out.row(th.T("received"), words.Bytes(s.BytesIn))
	out.row(th.T("sent"), words.Bytes(s.BytesOut))
	for _, kind := range slices.Sorted(maps.Keys(s.Refused)) {
		out.row(th.T("refused"), fmt.Sprintf("%d %s", s.Refused[kind], th.T(kind)))
	}
	if s.Version != "" {
		out.lines = append(out.lines, "")
		out.row(th.T("version"), s.Version)
	}
}

// since says how long ago something was.
func (n *network) since(t time.Time) string {
	d := n.desk.Now().Sub(t)
	switch {
	case d < time.Minute:
		return n.desk.T("just now")
	case d < time.Hour:
		return n.desk.N(int(d.Minutes()), "%d minute ago", "%d minutes ago")
	case d < 48*time.Hour:
		return n.desk.N(int(d.Hours()), "%d hour ago", "%d hours ago")
	}
	return n.desk.N(int(d.Hours()/24), "%d day ago", "%d days ago")
}

// short keeps the end of an identifier, the part that differs.
func short(id string) string {
	if len(id) > 12 {
		return "…" + id[len(id)-10:]
	}
	return id
}
