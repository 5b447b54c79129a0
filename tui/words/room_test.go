package words_test

import (
	"strings"
	"testing"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/tui/catalogue"
	"starling/tui/theme"
	"starling/tui/words"
)

// kinds are all changes of a room.
var kinds = []api.RoomChangeKind{
	api.ChangeCreated, api.ChangeJoined, api.ChangeLeft, api.ChangeRemoved, api.ChangeBanned, api.ChangeRole, api.ChangeOwner, api.ChangeOffered,
	api.ChangeKnock, api.ChangeReturned, api.ChangeNamed, api.ChangeHistory, api.ChangeWriters, api.ChangeTimer, api.ChangeFork, api.ChangeUnheard,
}

// TestChanges: every change has a sentence in every language, with the names in it, and
// another one for oneself.
func TestChanges(t *testing.T) {
	for _, language := range []string{"en", "de", "ru"} {
		th := &theme.Theme{Words: catalogue.New(language)}
		for _, kind := range kinds {
			c := api.RoomChange{Kind: kind, Member: "1", Name: safetext.Line("Ada"), By: "2", ByName: safetext.Line("Bob"), Role: api.RoleAdmin, Value: 100}
			said := words.Change(th, &c)
			if said == "" || strings.Contains(said, "%") || language != "en" && said == words.Change(&theme.Theme{}, &c) {
				t.Errorf("%s %s: %q", language, kind, said)
			}
			setting := kind == api.ChangeHistory || kind == api.ChangeWriters || kind == api.ChangeTimer || kind == api.ChangeUnheard
			if !setting && !strings.Contains(said, "Ada") {
				t.Errorf("%s %s names nobody: %q", language, kind, said)
			}
			c.Self = true
			if own := words.Change(th, &c); !setting && kind != api.ChangeNamed && (own == said || strings.Contains(own, "Ada")) {
				t.Errorf("%s %s of oneself: %q", language, kind, own)
			}
		}
	}
	th := &theme.Theme{}
	for want, c := range map[string]api.RoomChange{
		"You made the room.": {Kind: api.ChangeCreated, By: "1", ByName: safetext.Line("Ada"), BySelf: true},
		"Bob made the room.": {Kind: api.ChangeCreated, By: "2", ByName: safetext.Line("Bob")},
	} {
		if got := words.Change(th, &c); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
	if got := words.Change(th, &api.RoomChange{Kind: "of tomorrow"}); got != "Something changed in the room." {
		t.Error(got)
	}
	if got := words.Change(th, &api.RoomChange{Kind: api.ChangeJoined, Name: safetext.Line("✓")}); got != "· joined." {
		t.Error(got)
	}
}

func TestFolded(t *testing.T) {
	var run []*api.RoomChange
	for _, name := range []string{"A", "B", "C", "D", "E"} {
		run = append(run, &api.RoomChange{Kind: api.ChangeJoined, Name: safetext.Line(name)})
	}
	run = append(run, &api.RoomChange{Kind: api.ChangeLeft, Name: safetext.Line("A")})
	if got := words.Folded(&theme.Theme{}, run); got != "Joined: A, B, C and 2 more. Left: A." {
		t.Error(got)
	}
	knock := func(member string) *api.RoomChange {
		return &api.RoomChange{Kind: api.ChangeKnock, Member: member, Name: safetext.Line(member)}
	}
	join := &api.RoomChange{Kind: api.ChangeJoined, Member: "ada", Name: safetext.Line("ada")}
	if got := words.Folded(&theme.Theme{}, []*api.RoomChange{knock("ada"), knock("bob"), join}); got != "Asked to be let in: bob. Joined: ada." {
		t.Error(got)
	}
	for _, c := range run {
		if !words.Folds(c) {
			t.Errorf("%+v does not fold", c)
		}
	}
	if words.Folds(nil) || words.Folds(&api.RoomChange{Kind: api.ChangeLeft, Self: true}) || words.Folds(&api.RoomChange{Kind: api.ChangeRemoved}) {
		t.Error("folded away")
	}
}
