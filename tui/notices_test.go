package tui_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"starling/tui"
	"starling/tui/tuitest"
)

// withTimer returns a node that knows alice, a user, and a function that lets all the
// time pass that the app waits for.
func withTimer(t *testing.T) (*tuitest.Node, string, *tuitest.User, func()) {
	node := tuitest.NewNode(clock)
	id := node.Meet("alice")
	u, pass := patient(t, node, tui.Options{Now: clock})
	u.Expect().Sees("Write to alice")
	return node, id, u, func() { pass(time.Hour) }
}

func TestInviteUsedTwiceCannotBeMissed(t *testing.T) {
	node, id, u, pass := withTimer(t)
	pass()
	node.TellInvite("i1", "reused", id)
	u.Expect().Sees("An invite was used twice", "Somebody tried the link", "Compare safety numbers").Status("An invite was used twice")
	// Keys being typed go where they were meant to go and close nothing.
	u.Type("vq").Press("esc", "i").Expect().Sees("An invite was used twice")
	pass()
	u.Press("esc").Expect().SeesNot("An invite was used twice").Sees("› vq", "! The link of this contact's invite", "and may")
	u.Press("esc", "y").Expect().Status("Copied")
	node.TellInvite("i2", "reused", id)
	u.Expect().Sees("An invite was used twice")
	pass()
	u.Press("v").Expect().Sees("Verify alice", "37287").SeesNot("An invite was used twice")
}

func TestWarningWaitsForAnOpenDialog(t *testing.T) {
	node, id, u, pass := withTimer(t)
	u.Press("ctrl+n").Type("Zo")
	node.TellInvite("i1", "reused", id)
	u.Expect().Status("An invite was used twice").Sees("Invite somebody")
	u.Type("e").Expect().Sees("Zoe")
	u.Press("esc", "esc").Expect().Sees("An invite was used twice")
	pass()
	u.Press("esc").Expect().SeesNot("An invite was used twice")
}

func TestWarningOfAnInviteWithoutContact(t *testing.T) {
	node, _, u, pass := withTimer(t)
	node.TellInvite("i1", "reused", "")
	u.Expect().Sees("An invite was used twice", "the contact that it")
	pass()
	u.Press("esc").Expect().Sees("Write to alice")
}

func TestEndsOfInvites(t *testing.T) {
	node, _, u := alone(t)
	node.TellInvite("i1", "expired", "")
	u.Expect().Status("An invite expired unused. Its link no longer works")
	node.TellInvite("i2", "revoked", "")
	u.Expect().Status("The link of that invite no longer works")
}

func TestCompareByPaste(t *testing.T) {
	node, _, u := alone(t)
	wrong := strings.Replace(tuitest.SafetyNumber, "37287", "37288", 1)
	for _, c := range []struct{ theirs, want string }{
		{tuitest.SafetyNumber, "  match  "},
		{strings.ReplaceAll(tuitest.SafetyNumber, " ", "\n"), "  match  "},
		{strings.ToUpper(tuitest.Code), "  match  "},
		{wrong, "  does not match  "},
		{tuitest.Code[:len(tuitest.Code)-1] + "x", "  does not match  "},
		{tuitest.SafetyNumber[:20], "this has 17"},
		{tuitest.Code[:20], "this has 20"},
		{"hello", "Type the 60 digits"},
		{"", "Type the 60 digits"},
	} {
		u.Press("esc", "v").Expect().Sees("Compare by paste")
		u.Press("c").Expect().Sees("Compare with")
		u.Paste(c.theirs).Enter().Expect().Sees(c.want)
		u.Press("esc").Expect().SeesNot("Compare with", "Compared with").Sees("not verified")
		u.Press("i")
	}
	u.Press("esc", "v").Expect().Sees("Compare by paste")
	u.Press("c").Expect().Sees("Compare with")
	u.Paste(wrong).Enter().Expect().Sees("  does not match  ")
	u.Press("c").Expect().Sees("Compare with")
	u.Paste(tuitest.SafetyNumber).Enter().Expect().Sees("  match  ")
	u.Press("m").Expect().Sees("✓ verified").SeesNot("Compared")
	if !slices.Contains(node.Calls(), "SetVerified true") {
		t.Errorf("calls: %q", node.Calls())
	}
}

func TestVerificationCodeAlone(t *testing.T) {
	_, _, u := alone(t)
	u.Press("esc", "v").Expect().Sees("▀▀▀▀▀▀▀", "37287   04120")
	u.Press("f").Expect().Sees("▀▀▀▀▀▀▀").SeesNot("37287")
	u.Press("esc", "esc").Resize(50, 20).Press("v").Expect().Sees("37287   04120").SeesNot("▀▀▀▀▀▀▀")
}

func TestNoticesOfTheNode(t *testing.T) {
	node, id, u := alone(t)
	node.Receive(id, "before")
	node.Notice(id, "This conversation has a new session.")
	node.Receive(id, "after")
	u.Expect().Sees("before", "     ! This conversation has a new session.", "after")
	node.Notice(id, "And another.")
	u.Expect().Sees("! And another.")
	other := start(t, node)
	other.Expect().Sees("2 new", "! This conversation has a new session.", "! And another.")
	other.Resize(40, 10).Expect().Sees("! And another.")
	checkFrame(t, other, 40, 10, "notice")
}
