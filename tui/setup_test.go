package tui_test

import (
	"errors"
	"strings"
	"testing"

	"starling/tui/setup"
	"starling/tui/tuitest"
)

func TestSetupOfANewProfile(t *testing.T) {
	s := setup.New(setup.Options{Language: "en"})
	u := tuitest.NewUserOf(t, s)
	u.Expect().Sees("Welcome to Starling", "relays, each of which sees only its neighbours", "entry guards see your", "little to hide")
	checkFrame(t, u, 80, 24, "setup")
	golden(t, "setup_80x24", u.Screen())
	u.Enter().Enter().Enter().Expect().Sees("Type a name first.", "Your name")

	// The cursor goes to the fault, and what cannot be read is typed anew.
	u.Type("robin").Enter().Type("short").Expect().Sees("•••••").SeesNot("short\u0020")
	u.Enter().Type("short").Enter().Expect().Sees("at least 8 characters").SeesNot("••")
	u.Type("password1").Enter().Type("password1").Enter().Expect().Sees("too easy to guess").SeesNot("••")
	u.Type("four words that differ").Enter().Type("four words that diffr").Enter()
	u.Expect().Sees("The two passphrases differ", "robin").SeesNot("••")
	if strings.Contains(u.Screen(), "that diff") {
		t.Error("the passphrase is on the screen")
	}
	u.Type("four words that differ").Enter().Type("four words that differ").Enter().Expect().Quit()
	if r, err := s.Result(); err != nil || r.Name != "robin" || r.Passphrase != "four words that differ" {
		t.Errorf("got %+v, %v", r, err)
	}
}

// The first screen is whole on the smallest usual terminal.
func TestFirstScreenFits(t *testing.T) {
	u := tuitest.NewUserOf(t, setup.New(setup.Options{Language: "en", Demo: true}))
	u.Expect().Sees("Welcome to Starling", "Passphrase again", "Restore a backup").SeesNot("more below")
	u.Paste("starling:abc").Expect().Sees("The invite is kept").SeesNot("more below")
}

// What the node refuses is asked for again, and nothing else.
func TestSetupIsAskedAgain(t *testing.T) {
	s := setup.New(setup.Options{Problem: "this passphrase is too easy to guess", Name: "robin", Invite: "starling:abc", Language: "en"})
	u := tuitest.NewUserOf(t, s)
	u.Expect().Sees("too easy to guess", "robin", "The invite is kept")
	u.Type("four words that differ").Enter().Type("four words that differ").Enter().Expect().Quit()
	if r, err := s.Result(); err != nil || r != (setup.Result{Name: "robin", Passphrase: "four words that differ", Invite: "starling:abc"}) {
		t.Errorf("got %+v, %v", r, err)
	}
}

func TestSetupOfAnExistingProfile(t *testing.T) {
	s := setup.New(setup.Options{Existing: true, Problem: "That was not the passphrase.", Language: "en"})
	u := tuitest.NewUserOf(t, s)
	u.Expect().Sees("That was not the passphrase.")
	golden(t, "unlock_80x24", u.Screen())
	u.Paste("correct horse").Expect().SeesNot("That was not")
	u.Enter().Expect().Quit()
	if r, err := s.Result(); err != nil || r.Passphrase != "correct horse" {
		t.Errorf("got %+v, %v", r, err)
	}
}

func TestSetupIsLeft(t *testing.T) {
	s := setup.New(setup.Options{Language: "en"})
	tuitest.NewUserOf(t, s).Resize(40, 10).Type("robin").Press("esc").Expect().Quit()
	if _, err := s.Result(); !errors.Is(err, setup.ErrCancelled) {
		t.Errorf("got %v", err)
	}
}
