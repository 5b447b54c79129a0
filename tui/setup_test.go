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
	u.Expect().Sees("Welcome to Starling", "three relays", "two entry guards", "little to hide in")
	checkFrame(t, u, 80, 24, "setup")
	golden(t, "setup_80x24", u.Screen())
	u.Enter().Enter().Enter().Expect().Sees("Type a name first.", "Your name")
	u.Press("up", "up").Type("robin").Enter().Type("short").Enter().Type("short").Enter()
	u.Expect().Sees("at least 8 characters", "•••••").SeesNot("short\u0020")
	u.Press("up", "ctrl+u").Type("long enough").Enter().Press("ctrl+u").Type("long enoigh").Enter()
	u.Expect().Sees("The two passphrases differ")
	if strings.Contains(u.Screen(), "enough") {
		t.Error("the passphrase is on the screen")
	}
	u.Press("ctrl+u").Type("long enough").Enter().Expect().Quit()
	if r, err := s.Result(); err != nil || r.Name != "robin" || r.Passphrase != "long enough" {
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
