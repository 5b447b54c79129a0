package runner

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// roomy is a room of four that somebody joins and somebody is removed from.
const roomy = `name = "roomy"
relays = 6
users = 5
duration = "8s"
mean_delay = "0s"
[[room]]
users = [0, 1, 2, 3]
messages = 12
replies = 0.5
[[event]]
at = "1s"
do = "join"
room = 0
users = [4]
[[event]]
at = "5s"
do = "remove"
room = 0
users = [3]
`

// TestRoomsInEngines: rooms in the three engines with real sockets; TestRooms has them in virtual time. The one with
// namespaces needs root, and is skipped without.
func TestRoomsInEngines(t *testing.T) {
	if testing.Short() {
		t.Skip("real processes")
	}
	program := filepath.Join(t.TempDir(), "starling")
	if out, err := exec.Command("go", "build", "-o", program, "starling/cmd/starling").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, engine := range []string{"loopback", "processes", "namespaces"} {
		t.Run(engine, func(t *testing.T) {
			src := strings.Replace(roomy, "relays", "engine = \""+engine+"\"\nrelays", 1)
			if engine != "loopback" {
				src = strings.Replace(src, "mean_delay = \"0s\"\n", "", 1)
			}
			s := parse(t, src)
			if err := Missing(s); err != nil {
				t.Skip(err)
			}
			got, err := Run(t.Context(), s, Options{Program: program})
			if err != nil {
				if engine == "namespaces" && strings.Contains(err.Error(), "not permitted") {
					t.Skip("this machine makes no network namespaces: ", err)
				}
				t.Fatal(err)
			}
			r := got.Summary.Rooms
			t.Logf("%s %+v", got.Summary.Verdict(), *r)
			if !got.Summary.Passed() || r.Said != 12 || r.In != 5 || r.Out != 1 || r.Shown < 24 || r.Undone != 0 {
				t.Error(got.Summary.Verdict())
			}
		})
	}
}
