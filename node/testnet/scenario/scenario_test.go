package scenario

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

const whole = `name = "whole"
about = "everything at once"
engine = "virtual"
seed = 7
relays = 12
users = 4
duration = "1m"
settle = "30s"
mean_delay = "0s"
newcomers = 3
relay_mib = 1024

[messages]
count = 120
rate = 4
size = [40, 1000]
pairs = "couples"

[churn]
per_minute = 0.5
away = "5s"
from = "10s"
until = "40s"
kill = true

[link]
latency = ["50ms", "75ms"]
loss = 0.1
bandwidth = 20

[[event]]
at = "1s"
do = "stop"
relays = [3]

[[event]] # the second
at = "2s"
do = "offline"
users = [0, 2]
drain = true

[[event]]
at = "50s"
do = "restart"

[[event]]
at = "51s"
do = "online"

[[bad]]
fraction = 0.2
drop = 1
delay = "1s"

[[skew]]
relays = [1]
users = [3]
by = "-90s"

[[hostile]]
do = "delays"
machines = 10
rate = 27
least = 9000
until = "40s"

[bar]
wall = "10m"
growth = 1.5
newcomer = "15s"
no_strays = true
`

func parse(t *testing.T, src string) *Scenario {
	t.Helper()
	s, err := Parse("x.toml", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestParse(t *testing.T) {
	s := parse(t, whole)
	s.lines = nil
	want := &Scenario{File: "x.toml", Name: "whole", About: "everything at once", Engine: "virtual", Seed: 7,
		Relays: 12, Users: 4, Duration: time.Minute, Settle: 30 * time.Second, Newcomers: 3, RelayMiB: 1024,
		Messages: Messages{Count: 120, Rate: 4, MinSize: 40, MaxSize: 1000, Pairs: Couples},
		Churn:    Churn{0.5, 5 * time.Second, 10 * time.Second, 40 * time.Second, true},
		Link:     Link{50 * time.Millisecond, 75 * time.Millisecond, 0.1, 20},
		Bad:      []Bad{{Fraction: 0.2, Drop: 1, Delay: time.Second}},
		Skew:     []Skew{{Relays: []int{1}, Users: []int{3}, By: -90 * time.Second}},
		Hostile:  []Hostile{{Do: "delays", Machines: 10, Rate: 27, Least: 9000, Until: 40 * time.Second}},
		Bar:      Bar{Wall: 10 * time.Minute, Growth: 1.5, Newcomer: 15 * time.Second, NoStrays: true},
		Events: []Event{
			{At: time.Second, Do: Stop, Relays: []int{3}, By: -1, path: "event[0]"},
			{At: 2 * time.Second, Do: Offline, Users: []int{0, 2}, Drain: true, By: -1, path: "event[1]"},
			{At: 50 * time.Second, Do: Restart, By: -1, path: "event[2]"},
			{At: 51 * time.Second, Do: Online, By: -1, path: "event[3]"},
		}}
	if !reflect.DeepEqual(s, want) {
		t.Errorf("parsed\n%+v, want\n%+v", s, want)
	}
	small := parse(t, "name='s'\nrelays=5\nusers=2\nduration='2s'\nmessages = {rate = 10}\n")
	if small.Messages.Count != 20 || small.Settle != defaultSettle || small.MeanDelay != defaultMeanDelay || small.Seed != 1 {
		t.Errorf("defaults: %+v", small)
	}
}

// TestKept: a mesh that is kept up needs no duration and no messages, and checks the rest; a
// run needs both, and says so as for any other key.
func TestKept(t *testing.T) {
	const bare = "name='s'\nrelays=5\nusers=2\n"
	for more, want := range map[string]string{
		"":                                    "x.toml:0: \"duration\" is missing",
		"duration='2s'\n":                     "x.toml:0: \"messages\" is missing",
		"messages={rate=5}\n":                 "x.toml:0: \"duration\" is missing",
		"messages={pairs='all'}\n":            "x.toml:0: \"duration\" is missing",
		"[churn]\nper_minute=1\nuntil='1h'\n": "x.toml:0: \"duration\" is missing",
	} {
		if _, err := Parse("x.toml", []byte(bare+more)); place(err) != want {
			t.Errorf("run %q: %q, want %q", more, place(err), want)
		}
		s, err := ParseKept("x.toml", []byte(bare+more))
		if err != nil {
			t.Errorf("kept %q: %v", more, err)
			continue
		}
		if _, err := s.Kept(16).Plan(); err != nil {
			t.Errorf("kept %q: %v", more, err)
		}
	}
	for bad, want := range map[string]string{
		"name='s'\nusers=2\n":                        "x.toml:0: \"relays\" is missing",
		bare + "duration='0s'\n":                     "x.toml:4: duration is 0s",
		bare + "messages={pairs='triples'}\n":        "x.toml:4: pairs is \"triples\"",
		bare + "[[event]]\nat='32d'\ndo='restart'\n": "x.toml:5: at is",
	} {
		if _, err := ParseKept("x.toml", []byte(bad)); !strings.HasPrefix(place(err), want) {
			t.Errorf("%q: %q, want %q", bad, place(err), want)
		}
	}
}

// place is the text of an error with its line, also where that is 0.
func place(err error) string {
	if e := (*Error)(nil); errors.As(err, &e) {
		return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Message)
	}
	return fmt.Sprint(err)
}

// TestMistakes changes one line of a scenario at a time.
func TestMistakes(t *testing.T) {
	for _, tt := range []struct{ old, new, want string }{
		{`relays = 12`, `relays = 4`, `x.toml:5: relays is 4; it is 5 to 2000`},
		{`relays = 12`, `relays = "12"`, `x.toml:5: relays is not a whole number`},
		{`relays = 12`, `relais = 12`, `x.toml:5: there is no key "relais"`},
		{`relays = 12`, ``, `x.toml:0: "relays" is missing`},
		{`machines = 10`, `machines = 101`, `x.toml:62: machines is 101; it is 1 to 100`},
		{`least = 9000`, `least = -1`, `x.toml:64: least is -1; it is 0 to 1099511627776`},
		{`least = 9000`, `least = 9e3`, `x.toml:64: least is not a whole number`},
		{`no_strays = true`, `no_strays = 0`, `x.toml:71: no_strays is neither true nor false`},
		{`do = "delays"`, `do = "de lays"`, `x.toml:61: do is "de lays"`},
		{`do = "delays"`, ``, `x.toml:60: "hostile[0].do" is missing`},
		{`until = "40s"

[bar]`, `until = "0s"

[bar]`, `x.toml:65: the attack ends before it begins`},
		{`newcomers = 3`, `newcomers = 101`, `x.toml:10: newcomers is 101; it is 0 to 100`},
		{`newcomers = 3`, `newcomers = "3"`, `x.toml:10: newcomers is not a whole number`},
		{`relay_mib = 1024`, `relay_mib = 15`, `x.toml:11: relay_mib is 15; it is 16 to 1048576`},
		{`relay_mib = 1024`, `relay_mib = 1.5`, `x.toml:11: relay_mib is not a whole number`},
		{`newcomer = "15s"`, `newcomer = 15`, `x.toml:70: newcomer is not a duration`},
		{`newcomer = "15s"`, `newcomer = "-1s"`, `x.toml:70: newcomer is -1s`},
		{`seed = 7`, `sede = 7`, `x.toml:4: there is no key "sede"`},
		{`seed = 7`, `seed = 7 7`, `x.toml:4: expected a top-level item`},
		{`seed = 7`, `name = "b"`, `x.toml:4: Key 'name' has already been defined.`},
		{`name = "whole"`, `name = "../x"`, `x.toml:1: name is "../x"`},
		{`"virtual"`, `"docker"`, `x.toml:3: there is no engine "docker"`},
		{`"1m"`, `60`, `x.toml:7: duration is not a duration`},
		{`"1m"`, `"0s"`, `x.toml:7: duration is 0s`},
		{`count = 120`, `count = -1`, `x.toml:14: count is -1`},
		{`rate = 4`, `rate = 1`, `x.toml:15: 120 messages at this rate take longer`},
		{`rate = 4`, `rate = nan`, `x.toml:15: rate is NaN`},
		{`[40, 1000]`, `[1000, 40]`, `x.toml:16: size is a number of bytes`},
		{`[40, 1000]`, `1`, `x.toml:16: size is a number of bytes`},
		{`"couples"`, `"triples"`, `x.toml:17: pairs is "triples"`},
		{`per_minute = 0.5`, ``, `x.toml:19: "churn.per_minute" is missing`},
		{`at = "1s"`, ``, `x.toml:31: "event[0].at" is missing`},
		{`until = "40s"`, `until = "4s"`, `x.toml:23: churn ends before`},
		{`until = "40s"`, `until = "2m"`, `x.toml:23: until is 2m0s`},
		{`loss = 0.1`, `loss = 1.1`, `x.toml:28: loss is 1.1`},
		{`relays = [3]`, `relays = [12]`, `x.toml:34: there is no 12 among relays 0 to 11`},
		{`relays = [3]`, `relays = [3, 3]`, `x.toml:34: relays names 3 twice`},
		{`relays = [3]`, `relays = 3`, `x.toml:34: relays is not a list`},
		{`relays = [3]`, `users = [3]`, `x.toml:34: stop takes no users`},
		{`relays = [3]`, ``, `x.toml:33: stop takes either relays or a fraction`},
		{"users = [0, 2]", "users = [0]\nuser = 2", `x.toml:40: there is no key "event[1].user"`},
		{`drain = true`, `drain = "yes"`, `x.toml:40: drain is neither`},
		{`"offline"`, `"sleep"`, `x.toml:38: there is no event "sleep"`},
		{`at = "2s"`, `at = "2m"`, `x.toml:37: at is 2m0s`},
		{`["50ms", "75ms"]`, `["75ms", "50ms"]`, `x.toml:27: latency is a duration or`},
		{`["50ms", "75ms"]`, `["75ms", 50]`, `x.toml:27: latency is not a duration`},
		{`bandwidth = 20`, `bandwidth = 0`, `x.toml:29: bandwidth is 0`},
		{`do = "online"`, `do = "heal"` + "\n" + `users = [1]`, `x.toml:49: heal takes no users`},
		{`do = "online"`, `do = "strings"` + "\n" + `users = [1]`, `x.toml:49: strings takes no users`},
		{`do = "online"`, `do = "harvest"`, `x.toml:48: harvest takes either a fraction of the directory, or first`},
		{`do = "online"`, `do = "harvest"` + "\n" + "fraction = 0.5\nfirst = true", `x.toml:48: harvest takes either a fraction of the directory, or first`},
		{`do = "online"`, `do = "harvest"` + "\n" + "relays = [1]", `x.toml:49: harvest takes no relays`},
		{`do = "online"`, `do = "probe"` + "\n" + "first = true", `x.toml:49: probe takes no first`},
		{`do = "online"`, `do = "fill"`, `x.toml:48: fill takes users, and`},
		{"drop = 1\ndelay = \"1s\"", "", `x.toml:50: these relays do nothing bad`},
		{`fraction = 0.2`, ``, `x.toml:50: bad relays are either`},
		{"relays = [1]\nusers = [3]", "", `x.toml:55: wrong clocks are those`},
		{`growth = 1.5`, `grows = 1`, `x.toml:69: there is no key "bar.grows"`},
		{`"couples"`, "\"ring\"\n[shifts]\nevery = '1s'", `x.toml:19: only couples can take turns`},
		{`[[event]] # the second`, `[event]`, `x.toml:36: Key 'event' has already been defined.`},
	} {
		t.Run(tt.new, func(t *testing.T) {
			if !strings.Contains(whole, tt.old) {
				t.Fatalf("%q is not in the scenario", tt.old)
			}
			want := strings.Replace(tt.want, ":0:", ":", 1)
			_, err := Parse("x.toml", []byte(strings.Replace(whole, tt.old, tt.new, 1)))
			if err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("%v, want %s…", err, want)
			}
			var e *Error
			if !errors.As(err, &e) {
				t.Errorf("%T is no *Error", err)
			}
		})
	}
	if _, err := Parse("x.toml", make([]byte, MaxFile+1)); err == nil {
		t.Error("a file of more than 1 MiB is a scenario")
	}
}

func TestRunnable(t *testing.T) {
	plain := "name='s'\nengine='%s'\nrelays=6\nusers=2\nduration='2s'\nmessages={count=1}\n"
	for _, tt := range []struct{ engine, more, want string }{
		{"loopback", "", ""},
		{"processes", "", ""},
		{"namespaces", "[link]\nloss=0.1\n", ""},
		{"virtual", "[link]\nloss=0.1\nlatency='1s'\n", ""},
		{"namespaces", "bridges=1\n[[event]]\nat='1s'\ndo='strings'\n[[event]]\nat='1s'\ndo='harvest'\nfirst=true\n", ""},
		{"processes", "bridges=1\n", ""},
		{"virtual", "[[event]]\nat='1s'\ndo='entropy'\n", `x.toml:9: engine "virtual" cannot do censors that read; "namespaces" can`},
		{"loopback", "bridges=1\n", `x.toml:7: engine "loopback" cannot do bridges; "processes" and "namespaces" can`},
		{"loopback", "[[event]]\nat='1s'\ndo='kill'\nrelays=[1]\n", `x.toml:9: engine "loopback" cannot do kill; "processes", "namespaces" and "virtual" can`},
		{"loopback", "[[event]]\nat='1s'\ndo='partition'\nfraction=0.5\n", `x.toml:9: engine "loopback" cannot do partition; "processes", "namespaces" and "virtual" can`},
		{"namespaces", "[link]\nlatency='1s'\n", `x.toml:8: engine "namespaces" cannot do latency; "processes" and "virtual" can`},
		{"virtual", "[bar]\nuser_rss_mib=60\n", `x.toml:8: engine "virtual" cannot do the memory of one user; "processes" and "namespaces" can`},
		{"namespaces", "[bar]\nno_strays=true\n", `x.toml:8: engine "namespaces" cannot do stray dials; "virtual" can`},
		{"virtual", "[bar]\nuser_rss_mib=60\n[link]\nlatency='1s'\n", `x.toml:8: engine "virtual" cannot do the memory of one user; "processes" can`},
	} {
		err := parse(t, fmt.Sprintf(plain, tt.engine)+tt.more).Runnable()
		if got := fmt.Sprint(err); err != nil && got != tt.want || err == nil && tt.want != "" {
			t.Errorf("%s %q: %v, want %s", tt.engine, tt.more, err, tt.want)
		}
	}
	s := parse(t, fmt.Sprintf(plain, "loopback")+"[[event]]\nat='1s'\ndo='kill'\nrelays=[1]\n")
	if got := fmt.Sprint(s.Able()); got != "[processes namespaces virtual]" {
		t.Errorf("able: %s", got)
	}
	if err := s.SetEngine("virtual"); err != nil || s.Runnable() != nil {
		t.Errorf("%v, %v", err, s.Runnable())
	}
	if err := s.SetEngine("docker"); err == nil || s.Engine != "virtual" {
		t.Errorf("%v, engine %q", err, s.Engine)
	}
	for engine := range features {
		if engine != Seats && !slices.Contains(Engines(), engine) {
			t.Errorf("engine %q is in one table and not in the other", engine)
		}
	}
}

// TestShifts: the two of a couple are never online together, and each is at
// the end after the other has read all.
func TestShifts(t *testing.T) {
	s := parse(t, "name='s'\nrelays=6\nusers=4\nduration='10m'\n[messages]\ncount=50\npairs='couples'\n[shifts]\nevery='1m'\n")
	p, err := s.Plan()
	if err != nil {
		t.Fatal(err)
	}
	online := []bool{true, true, true, true}
	turns, wrote := 0, [2]bool{}
	for _, step := range p.Steps {
		switch step.Do {
		case Online, Offline:
			for _, u := range step.Users {
				online[u] = step.Do == Online
			}
			if step.Do == Online {
				turns++
			}
		case Send:
			wrote[step.Message.From%2] = true
			if !online[step.Message.From] {
				t.Errorf("user %d writes while offline", step.Message.From)
			}
		}
		if online[0] && online[1] && turns > 0 || online[2] && online[3] && turns > 0 {
			t.Fatalf("together at %v", step.At)
		}
	}
	if turns != 11 || !wrote[0] || !wrote[1] || p.Messages() != 50 {
		t.Errorf("%d turns, written %v, %d messages", turns, wrote, p.Messages())
	}
}

func TestFaultsFollowFromTheSeed(t *testing.T) {
	src := "name='s'\nrelays=20\nusers=2\nduration='10s'\nmessages={count=1}\n[[bad]]\nfraction=0.2\ndrop=1\n[[skew]]\nfraction=0.1\nusers=[1]\nby='1m'\n"
	p, err := parse(t, src).Plan()
	q, _ := parse(t, src).Plan()
	if err != nil || !reflect.DeepEqual(p, q) || len(p.Bad) != 4 || len(p.Skew[0]) != 2 || p.Skew[1][1] != time.Minute {
		t.Errorf("%v, bad %v, skew %v", err, p.Bad, p.Skew)
	}
}

func TestPlanFollowsFromTheSeed(t *testing.T) {
	s := parse(t, whole)
	a, err := s.Plan()
	if err != nil {
		t.Fatal(err)
	}
	b, err := parse(t, whole).Plan()
	if err != nil || !reflect.DeepEqual(a, b) {
		t.Errorf("the same seed made another plan (%v)", err)
	}
	s.Seed++
	if c, err := s.Plan(); err != nil || reflect.DeepEqual(a, c) {
		t.Errorf("another seed made the same plan (%v)", err)
	}
}

func TestPlan(t *testing.T) {
	s := parse(t, whole)
	p, err := s.Plan()
	if err != nil {
		t.Fatal(err)
	}
	if want := [][2]int{{0, 1}, {2, 3}}; !reflect.DeepEqual(p.Pairs, want) || p.Messages() != 120 {
		t.Errorf("pairs %v, %d messages", p.Pairs, p.Messages())
	}
	next := map[[2]int]int{}
	stops, restarts, offline := 0, 0, false
	for i, step := range p.Steps {
		if i > 0 && step.At < p.Steps[i-1].At {
			t.Fatalf("step %d is before the one before it", i)
		}
		switch m := step.Message; step.Do {
		case Send:
			way := [2]int{m.From, m.To}
			if m.Index != next[way] || m.Size < 40 || m.Size > 1000 {
				t.Errorf("message %+v, want index %d", m, next[way])
			}
			next[way]++
			if offline && (m.From == 0 || m.From == 2) {
				t.Errorf("user %d writes while offline", m.From)
			}
		case Stop, Kill:
			stops += len(step.Relays)
		case Restart:
			restarts += len(step.Relays)
		case Offline:
			offline = true
		case Online:
			if offline = false; !slices.Equal(step.Users, []int{0, 2}) {
				t.Errorf("online: %v", step.Users)
			}
		}
	}
	if stops != 4 || restarts != 4 { // 12 relays, half a minute, half of them a minute, and one by the script
		t.Errorf("%d stops, %d restarts", stops, restarts)
	}
}

func TestPlanRefusesContradictions(t *testing.T) {
	const base = "name='s'\nrelays=6\nusers=2\nduration='10s'\nmessages={count=10}\n"
	event := func(at, do, more string) string {
		return fmt.Sprintf("[[event]]\nat='%s'\ndo='%s'\n%s\n", at, do, more)
	}
	for _, tt := range []struct{ more, want string }{
		{event("1s", "stop", "relays=[1]") + event("2s", "stop", "relays=[1]"), "x.toml:10: relay 1 is stopped already"},
		{event("1s", "restart", "relays=[1]"), "x.toml:6: relay 1 runs already"},
		{event("1s", "stop", "fraction=1.0"), "x.toml:6: no relay is left"},
		{event("1s", "online", "users=[1]"), "x.toml:6: user 1 is online already"},
		{event("1s", "offline", "users=[1]"), "x.toml:6: user 1 stays offline"},
		{event("0s", "offline", ""), "x.toml:5: nobody is online to send the last 10 messages"},
		{"[churn]\nper_minute=6\naway='9s'\nuntil='9s'\n", "x.toml:7: at "},
	} {
		_, err := parse(t, base+tt.more).Plan()
		if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%q: %v, want %s…", tt.more, err, tt.want)
		}
	}
}

func TestCommittedScenariosRun(t *testing.T) {
	files, err := filepath.Glob("../scenarios/*.toml")
	if err != nil || len(files) < 4 {
		t.Fatalf("%d scenarios, %v", len(files), err)
	}
	for _, file := range files {
		src, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s, err := Parse(file, src)
		if err != nil {
			t.Error(err)
			continue
		}
		if name := strings.TrimSuffix(filepath.Base(file), ".toml"); s.Name != name || s.About == "" {
			t.Errorf("%s is called %q, about %q", file, s.Name, s.About)
		}
		for seed := range uint64(20_000 / (s.Messages.Count + s.Relays + s.Users)) { // --seed may say any
			s.Seed = seed
			if _, err := s.Plan(); err != nil {
				t.Errorf("seed %d: %v", seed, err)
				break
			}
		}
		if err := s.Runnable(); err != nil {
			t.Error(err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(whole))
	f.Add([]byte("name='s'\nrelays=5\nusers=2\nduration='2s'\nmessages = {rate = 10}\nevent = [{at='1s', do='offline'}]"))
	f.Add([]byte(halled))
	f.Add([]byte("[messages]\n\"count\" = 3\nx = '''\n[churn]\n'''"))
	f.Fuzz(func(t *testing.T, src []byte) {
		s, err := Parse("x.toml", src)
		if _, kept := ParseKept("x.toml", src); err == nil && kept != nil {
			t.Errorf("it runs and cannot stay up: %v", kept)
		}
		if err != nil {
			if strings.ContainsRune(err.Error(), '\n') {
				t.Errorf("an error of several lines: %q", err)
			}
			return
		}
		if s.Relays > 100 || s.Users > 20 || s.Messages.Count > 1000 || s.Churn.PerMinute*s.Duration.Minutes() > 10 || s.said() > 1000 {
			return
		}
		p, err := s.Plan()
		if err == nil && p.Said() != s.said() {
			t.Errorf("%d messages in rooms planned of %d", p.Said(), s.said())
		}
		if err == nil && p.Messages() != s.Messages.Count {
			t.Errorf("%d messages planned of %d", p.Messages(), s.Messages.Count)
		}
	})
}

// TestBridges: bridges are the last relays; nobody draws them, since they are in no list.
func TestBridges(t *testing.T) {
	const file = "name='s'\nengine='namespaces'\nrelays=12\nbridges=4\nusers=2\nduration='2s'\nmessages={count=1}\n[[event]]\nat='1s'\ndo='block'\nfraction=0.75\n"
	s := parse(t, file)
	p, err := s.Plan()
	if err != nil || s.Listed() != 8 {
		t.Fatal(err, s.Listed())
	}
	for _, step := range p.Steps {
		if step.Do == Block && (len(step.Relays) != 6 || step.Relays[5] >= 8) {
			t.Errorf("%v are blocked", step.Relays)
		}
	}
	if _, err := Parse("x.toml", []byte(strings.Replace(file, "bridges=4", "bridges=8", 1))); err == nil || !strings.HasPrefix(err.Error(), "x.toml:4: bridges is 8") {
		t.Error(err)
	}
}
