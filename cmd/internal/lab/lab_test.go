package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"starling/cmd/internal/lab/attack"
	"starling/node/testnet/runner"
	"starling/node/testnet/scenario"
)

// TestCommittedScenarios: every scenario names an attack that there is, and how much
// of it there must be; every attack has a scenario, and a line in ATTACKS.md.
func TestCommittedScenarios(t *testing.T) {
	files, err := filepath.Glob("scenarios/*.toml")
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]bool{}
	for _, file := range files {
		s, err := load(file, "", "")
		if err != nil {
			t.Error(err)
			continue
		}
		for _, h := range s.Hostile {
			if err := attack.Check(h.Do); err != nil {
				t.Errorf("%s: %v", file, err)
			}
			if h.Least == 0 {
				t.Errorf("%s: an attack that does nothing would pass", file)
			}
			shown[h.Do] = true
		}
	}
	doc, err := os.ReadFile("../../../docs/ATTACKS.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range attack.Names() {
		if !strings.Contains(string(doc), "`"+name+"`:") {
			t.Errorf("ATTACKS.md has no line of %s", name)
		}
		if !shown[name] {
			t.Errorf("the attack %s has no scenario", name)
		}
	}
}

// TestAttacksInSmall: under public rules and in virtual time, two people lose nothing
// and read everything once and in order while one stranger attacks all relays.
func TestAttacksInSmall(t *testing.T) {
	names := []string{"delays", "leases"}
	if testing.Short() {
		names = names[:1]
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			src := fmt.Sprintf("name = 'small'\nengine = 'virtual'\nrelays = 6\nusers = 2\nduration = '20s'\nsettle = '2m'\n"+
				"messages = { count = 20 }\nlink = { latency = '20ms' }\n[[hostile]]\ndo = %q\n[bar]\np99 = '10s'\n", name)
			s, err := scenario.Parse(name, []byte(src))
			if err != nil {
				t.Fatal(err)
			}
			got, err := runner.Run(t.Context(), s, runner.Options{Attacks: attacks{}})
			if err != nil {
				t.Fatal(err)
			}
			if !got.Summary.Passed() {
				t.Error(got.Summary.Verdict())
			}
		})
	}
}

// TestIdleAttack: a run fails if its attack does less than the scenario says, and says
// so; its deeds are in the report.
func TestIdleAttack(t *testing.T) {
	src := "name = 'less'\nengine = 'virtual'\nrelays = 5\nusers = 2\nduration = '3s'\nmessages = { count = 1 }\n" +
		"[[hostile]]\ndo = 'halfopen'\nrate = 10\nleast = %d\n"
	for _, least := range []int{20, 1000} {
		s, err := scenario.Parse("less", fmt.Appendf(nil, src, least))
		if err != nil {
			t.Fatal(err)
		}
		got, err := runner.Run(t.Context(), s, runner.Options{Attacks: attacks{}})
		if err != nil {
			t.Fatal(err)
		}
		sum := got.Summary
		if sum.Passed() != (least == 20) || len(sum.Attacks) != 1 || sum.Attacks[0].Did < 20 || sum.Attacks[0].Did > 40 {
			t.Errorf("at least %d: %s %+v", least, sum.Verdict(), sum.Attacks)
		}
		if said := line(sum); least == 1000 && !strings.Contains(said, "halfopen, connections opened is ") {
			t.Error(said)
		}
	}
}

// TestWithoutTheLab: a program without attacks runs no scenario that needs one.
func TestWithoutTheLab(t *testing.T) {
	src, err := os.ReadFile("scenarios/idle.toml")
	if err != nil {
		t.Fatal(err)
	}
	s, err := scenario.Parse("idle", src)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := runner.Run(t.Context(), s, runner.Options{}); err == nil {
		t.Error("it ran")
	}
}
