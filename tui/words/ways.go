package words

import (
	"starling/node/api"
	"starling/node/api/safetext"
	"starling/tui/catalogue"
	"starling/tui/theme"
)

// outcomes are the ways in which a way in can answer, for people.
var outcomes = map[string]string{
	"connected":      catalogue.Mark("connected"),
	"refused":        catalogue.Mark("refuses"),
	"silent":         catalogue.Mark("no answer at all"),
	"unreachable":    catalogue.Mark("this computer has no way there"),
	"cut-off":        catalogue.Mark("cut off in the handshake"),
	"frozen":         catalogue.Mark("froze"),
	"wrong-key":      catalogue.Mark("somebody else is there"),
	"captive-portal": catalogue.Mark("this network wants a log-in"),
	"clock-off":      catalogue.Mark("its clock is another: set this computer's date"),
	"not-a-relay":    catalogue.Mark("no relay, a web server"),
	"no-hello":       catalogue.Mark("takes the connection and says nothing"),
	"bridge-failed":  catalogue.Mark("not reached over the bridge"),
}

// kinds are the ways by which a way in became known.
var kinds = map[string]string{
	"guard": catalogue.Mark("guard"), "given": catalogue.Mark("given by you"), "lan": catalogue.Mark("local network"), "link": catalogue.Mark("from an invite"),
}

// Way says how a way in answered, and how it became known.
func Way(th *theme.Theme, w api.Way) (kind, outcome string) {
	kind, outcome = safetext.Line(w.Kind).String(), safetext.Line(w.Outcome).String()
	if s := kinds[w.Kind]; s != "" {
		kind = th.T(s)
	}
	if s := outcomes[w.Outcome]; s != "" {
		outcome = th.T(s)
	}
	switch {
	case w.Outcome == "frozen" && w.Bytes > 0:
		outcome = th.T("froze after %d KB", (w.Bytes+500)/1000)
	case w.Outcome == "connected" && w.Bytes > 0:
		outcome = th.T("connected; before, it froze after %d KB", (w.Bytes+500)/1000)
	}
	return kind, outcome
}

// Bridge says how a bridge is.
func Bridge(th *theme.Theme, b api.Bridge) (at, state string) {
	for _, a := range b.Addresses {
		at = safetext.Line(a).String()
		break
	}
	switch {
	case b.Connected:
		return at, th.T("connected")
	case b.Error != "":
		return at, th.T("no answer")
	}
	return at, th.T("not in use")
}

// OwnBridge says how the bridge is that this computer is for friends, in a line.
func OwnBridge(th *theme.Theme, b api.OwnBridge) string {
	switch b.State {
	case api.OwnBridgeOff:
		return th.T("This computer is no bridge.")
	case api.OwnBridgeStarting:
		return th.T("The bridge is being opened…")
	case api.OwnBridgeUntried:
		return th.T("The bridge is open.")
	case api.OwnBridgeReached:
		return th.T("Others reach the bridge.") + " " + th.N(b.Clients, "%d is connected.", "%d are connected.")
	}
	return th.T("Nobody can come in.")
}
