package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"starling/node/api"
)

// answers are the ways in which a way in can answer, in words for people, and the remedy of
// those that have one of their own.
var answers = map[string]struct{ what, remedy string }{
	"connected":      {"answers", ""},
	"refused":        {"refuses: nobody listens there", ""},
	"silent":         {"is silent: no answer at all, as of a machine that is off or blocked", ""},
	"unreachable":    {"cannot be reached: this computer has no way there", "check this computer's connection"},
	"cut-off":        {"is cut off in the handshake, as a censor does", ""},
	"frozen":         {"froze", ""},
	"wrong-key":      {"has another key: somebody else is there now", "ask whoever gave you this relay for its present address"},
	"captive-portal": {"is answered by this network itself, which wants a log-in", "open any web page in a browser and log in to this network"},
	"clock-off":      {"refuses, for its clock is far from this computer's", "set this computer's date and time"},
	"not-a-relay":    {"is no relay: a web server or something else", "ask whoever gave you this relay for its present address"},
	"no-hello":       {"takes the connection and says nothing", ""},
	"bridge-failed":  {"was not reached over the bridge", ""},
}

// inWords says how a way answered.
func inWords(w api.Way) string {
	text := answers[w.Outcome].what
	if text == "" {
		text = "ended otherwise"
	}
	switch {
	case w.Outcome == "frozen" && w.Bytes > 0:
		text += fmt.Sprintf(" after %d KB", (w.Bytes+500)/1000)
	case w.Outcome == "clock-off":
		text += fmt.Sprintf(": by %s", roughly(max(time.Duration(w.Skew), -time.Duration(w.Skew))*time.Second))
	case w.Outcome == "connected" && w.Bytes > 0:
		text += fmt.Sprintf("; its last connection froze after %d KB", (w.Bytes+500)/1000)
	}
	return text
}

// checkWays tells which ways in were tried, and how each answered.
func checkWays(_ context.Context, p *Patient) Finding {
	if f, out := p.noNode(); out {
		return f
	}
	up, places, remedy := 0, []string{}, ""
	var said []string
	for _, w := range p.status.Ways {
		text := inWords(w)
		places = append(places, fmt.Sprintf("%s (%s) %s", w.Address, w.Kind, text))
		if text = "one " + text; !slices.Contains(said, text) {
			said = append(said, text)
		}
		if w.Outcome == "connected" {
			up++
		} else if remedy == "" {
			remedy = answers[w.Outcome].remedy
		}
	}

	all := len(p.status.Ways)
	switch {
	case all == 0:
		return skip("none was tried yet")
	case up == 0:
		f := fail("none of %s leads in: %s", count(all, "way"), strings.Join(said, "; "))
		if remedy != "" {
			f.Remedy = remedy
		}
		return f.at(places...)
	case p.status.FreezesAfter > 0:
		f := warn("this network freezes connections after %d KB; the node goes on over short ones", (p.status.FreezesAfter+500)/1000)
		f.Remedy = "nothing has to be done; a bridge with an address in this country may be faster"
		return f.at(places...)
	case p.status.Bans:
		f := warn("this network lets nothing pass for a while after too many connections; the node makes few")
		f.Remedy = "nothing has to be done"
		return f.at(places...)
	}
	return ok("%d of %s lead in", up, count(all, "way")).at(places...)
}
