package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"starling/cmd/internal/lab/attack"
	"starling/node/testnet/runner"
	"starling/node/testnet/scenario"
)

// TestCommittedScenarios: every scenario names an attack that there is, and every
// attack has a scenario.
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
			shown[h.Do] = true
		}
	}
	for _, name := range attack.Names() {
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

// TestWithoutTheLab: who has no attacks runs no scenario that needs one.
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
