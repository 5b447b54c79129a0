package scenario

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const six = "name='s'\nrelays=6\nusers=2\nduration='10s'\nmessages={count=10}\n"

// TestOrders: an event means the same in all its spellings.
func TestOrders(t *testing.T) {
	for _, words := range [][]string{
		{"stop", "relays=[0, 3]"}, {"stop relays = [0,3]"}, {"stop", "relays=0,3"}, {"stop", "r0", "r3"}, {"stop", "relays", "=", "[0,", "3]"},
	} {
		step, err := parse(t, six).Kept(4).Script().Do(words...)
		if err != nil || step.Do != Stop || !slices.Equal(step.Relays, []int{0, 3}) {
			t.Errorf("%q: %+v, %v", words, step, err)
		}
	}
	step, err := parse(t, six).Kept(4).Script().Do("offline", "users=1", "drain=true")
	if err != nil || !step.Drain || !slices.Equal(step.Users, []int{1}) {
		t.Errorf("%+v, %v", step, err)
	}
}

// TestBadOrders: what is no event, or contradicts the state, is refused in words and
// changes nothing.
func TestBadOrders(t *testing.T) {
	c := parse(t, six).Kept(4).Script()
	for _, tt := range []struct{ words, want string }{
		{"", "there is no event"}, {"explode", `there is no event "explode"`}, {"send", `there is no event "send"`},
		{"stop", "stop takes either relays or a fraction"}, {"stop relays=[6]", "there is no 6 among relays 0 to 5"},
		{"stop relays=[0, 0]", "names 0 twice"}, {"stop relays=[-1]", "there is no -1"}, {"stop users=[0]", "stop takes no users"},
		{"stop r0 relays=[1]", "this is no event"}, {"stop relais=[0]", `there is no key "relais"`}, {"stop r0 at=5s", "at is not given here"},
		{"stop r0 do=kill", "do is not given here"}, {"stop relays=[0] [[event]]", "is no part of an event"}, {"stop fraction=2", "fraction is 2; it is 0 to 1"},
		{"stop fraction=1", "no relay is left"}, {"restart r1", "relay 1 runs already"}, {"online u0", "user 0 is online already"},
		{"offline u2", "there is no 2 among users 0 to 1"}, {"stop r99999999999", "is no part of an event"}, {"heal r1", "heal takes no relays"},
		{"kill r1", `engine "loopback" cannot do kill; "processes" and "namespaces" can`},
		{"stop relays=[" + strings.Repeat("0,", 5000) + "0]", "names 0 twice"},
	} {
		if _, err := c.Do(strings.Fields(tt.words)...); err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.40q: %v, want %s", tt.words, err, tt.want)
		}
	}
	if step, err := c.Do("stop", "r1"); err != nil || len(step.Relays) != 1 {
		t.Errorf("after refused ones: %+v, %v", step, err)
	}
	if _, err := c.Do("stop", "r1"); err == nil {
		t.Error("a relay stopped twice")
	}
	c.Join()
	if step, err := c.Do("offline", "u2"); err != nil || !slices.Equal(step.Users, []int{2}) {
		t.Errorf("a user that joined: %+v, %v", step, err)
	}
}

func FuzzOrder(f *testing.F) {
	f.Add("stop relays=[0, 3]")
	f.Add("offline u1 drain=true")
	f.Add("fill fraction=0.5 users='''")
	f.Fuzz(func(t *testing.T, words string) {
		s, err := Parse("", []byte(six))
		if err != nil {
			t.Fatal(err)
		}
		step, err := s.Kept(4).Script().Do(words)
		if err != nil && strings.ContainsRune(err.Error(), '\n') {
			t.Errorf("an error of several lines: %q", err)
		}
		if err == nil && !IsEvent(string(step.Do)) {
			t.Errorf("%q is no event", step.Do)
		}
	})
}

// TestNoMeshForGood: a script after which nobody can write any more is refused at the
// event that took the mesh away; an outage with an end is not.
func TestNoMeshForGood(t *testing.T) {
	event := func(at, do, more string) string {
		return fmt.Sprintf("[[event]]\nat='%s'\ndo='%s'\n%s\n", at, do, more)
	}
	for _, tt := range []struct{ more, want string }{
		{event("1s", "stop", "relays=[0]") + event("2s", "stop", "relays=[1]"), "x.toml:10: this leaves 4 relays for good"},
		{event("1s", "stop", "relays=[0]") + event("2s", "kill", "relays=[1,2]") + event("3s", "restart", "relays=[0]"), "x.toml:10: this leaves 4 relays for good"},
		{event("1s", "stop", "relays=[0,1,2,3]") + event("2s", "restart", ""), ""},
		{event("1s", "partition", "relays=[0,1]"), "x.toml:6: this leaves 4 relays for good"},
		{event("1s", "partition", "relays=[0,1]") + event("2s", "heal", ""), ""},
		{event("1s", "block", "fraction=1"), "x.toml:6: this leaves no relay that users can reach"},
		{event("1s", "block", "relays=[0,1,2,3,4]"), ""},
		{event("1s", "block", "fraction=1") + event("2s", "unblock", ""), ""},
		{event("1s", "fill", "relays=[0,1,2,3,4,5]"), "x.toml:6: this leaves no mailbox with room"},
		{event("1s", "fill", "relays=[0,1,2,3,4,5]") + event("2s", "free", ""), ""},
		{event("1s", "block", "relays=[0,1,2,3,4]") + event("2s", "stop", "relays=[5]"), "x.toml:6: this leaves no relay that users can reach"},
	} {
		_, err := parse(t, six+tt.more).Plan()
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.want)) {
			t.Errorf("%q: %v, want %q", tt.more, err, tt.want)
		}
	}
}

// TestPrograms: a binary in place of starling is drawn as other nodes are, and looked for
// before anything starts.
func TestPrograms(t *testing.T) {
	s := parse(t, six+"[[program]]\npath='sh'\nargs=['-c']\nfraction=0.5\nusers=[1]\n[[program]]\npath='./nowhere'\nrelays=[0]\n")
	p, err := s.Plan()
	if err != nil || len(p.Programs[1]) != 1 || p.Programs[1][1].Path != "sh" || len(p.Programs[0]) < 3 || p.Programs[0][0].Path != "./nowhere" {
		t.Errorf("%+v, %v", p.Programs, err)
	}
	if err := s.Runnable(); err == nil || !strings.HasPrefix(err.Error(), `x.toml:6: engine "loopback" cannot do programs of your own; "processes" and "namespaces" can`) {
		t.Error(err)
	}
	if err := s.FindPrograms(); err == nil || err.Error() != "x.toml:12: there is no program ./nowhere" {
		t.Error(err)
	}
	for _, bad := range []string{"path='sh'", "relays=[0]", "path=''\nrelays=[0]", "path='sh'\nrelays=[0]\nfraction=0.5", "path='sh'\nusers=[0]\nargs=[1]", "path='sh'\nusers=[0]\nargs='-c'"} {
		if _, err := Parse("x.toml", []byte(six+"[[program]]\n"+bad+"\n")); err == nil {
			t.Errorf("%q is a program", bad)
		}
	}
}

// TestWorld: everybody has a place, the same for the same seed, and what is wrong with
// one is said with its line.
func TestWorld(t *testing.T) {
	s := parse(t, six+"[world]\njitter='1ms'\nburst_enter=0.01\n[[place]]\nregions=['london','tokyo']\nfraction=0.5\n[[place]]\nusers=[1]\nlink='mobile'\nup=2.5\n")
	p, err := s.Plan()
	if err != nil || len(p.Machines) != 8 || p.Network(s) == nil {
		t.Fatalf("%+v, %v", p.Machines, err)
	}
	again, _ := s.Plan()
	if !slices.Equal(p.Machines, again.Machines) {
		t.Error("the same seed has other places")
	}
	phones, placed := 0, 0
	for i, m := range p.Machines {
		if m.Link == "mobile" && m.Up == 2.5 && i == 7 {
			phones++
		}
		if m.Region == "london" || m.Region == "tokyo" {
			placed++
		}
	}
	if phones != 1 || placed < 3 {
		t.Errorf("%+v", p.Machines)
	}

	for more, want := range map[string]string{
		"[world]\nx=1\n":                                    `x.toml:7: there is no key "world.x"`,
		"[world]\nburst_loss=2\n":                           "x.toml:7: burst_loss is 2; it is 0 to 1",
		"[world]\n[link]\nlatency='1ms'\n":                  "x.toml:6: a scenario has either a world or a link",
		"[world]\n[[place]]\nusers=[0]\nlink='modem'\n":     `x.toml:9: there is no link "modem"; there are datacentre`,
		"[world]\n[[place]]\nusers=[0]\nregions=['moon']\n": `x.toml:9: there is no region "moon"; there are dallas`,
		"[world]\n[[place]]\nlink='dsl'\n":                  "x.toml:7: nobody is at this place",
		"[world]\n[[place]]\nrelays=[0]\nfraction=0.5\n":    "x.toml:7: a place has either relays or a fraction",
		"[[place]]\nrelays=[9]\n":                           "x.toml:7: there is no 9 among relays",
		"[world]\n[[place]]\nusers=[0]\nup=0\n":             "x.toml:9: up is 0; it is 0.01 to 100000",
	} {
		if _, err := Parse("x.toml", []byte(six+more)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, want %s", more, err, want)
		}
	}
}

// TestWorldFile: a table of one's own is read beside the scenario, and its mistakes are
// said with the line that names it.
func TestWorldFile(t *testing.T) {
	dir := t.TempDir()
	load := func(table string) error {
		if table != "" {
			if err := os.WriteFile(filepath.Join(dir, "rtt.toml"), []byte(table), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		s, err := Parse(filepath.Join(dir, "x.toml"), []byte(six+"[world]\ntable='rtt.toml'\n[[place]]\nusers=[0]\nregions=['mars']\n"))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Load(); err != nil {
			return err
		}
		_, err = s.Plan()
		return err
	}
	for _, tt := range []struct{ table, want string }{
		{"", ":7: table "}, {"regions=['earth']\nrtt=[[1]]\n", `:10: there is no region "mars"; there are earth`}, {"rtt", ":7: table "},
		{"regions=['earth','mars']\nrtt=[[1],[9000,1]]\n", ""},
	} {
		if err := load(tt.table); tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%q: %v, want %s", tt.table, err, tt.want)
		}
	}
	os.Remove(filepath.Join(dir, "rtt.toml"))
	if err := os.Mkdir(filepath.Join(dir, "rtt.toml"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := load(""); err == nil || !strings.Contains(err.Error(), "not a file") {
		t.Error(err)
	}
}
