package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../../.."

// TestDocuments finds a test that is named and not there before the whole run
// does.
func TestDocuments(t *testing.T) {
	all, err := read(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		if len(p.tests)+len(p.figures) == 0 {
			t.Errorf("%s:%d: no proof", p.doc, p.line)
		}
		for _, test := range p.tests {
			pkg, name, _ := strings.Cut(test, " ")
			if !defined(t, pkg, name) {
				t.Errorf("%s:%d: there is no %s in %s", p.doc, p.line, name, pkg)
			}
		}
		for _, figure := range p.figures {
			if _, err := os.Stat(filepath.Join(root, figure)); err != nil {
				t.Errorf("%s:%d: %v", p.doc, p.line, err)
			}
		}
	}
}

func defined(t *testing.T, pkg, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, pkg, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	function := regexp.MustCompile(`(?m)^func ` + name + `\(`)
	for _, f := range files {
		src, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if function.Match(src) {
			return true
		}
	}
	return false
}

func TestItems(t *testing.T) {
	good := "# T\nanything\n\n## A mailbox\n- **can** see tags. (p2p/mailbox TestA, TestB;\n  figure: docs/a.svg)\n- **cannot** read. (session TestC)\n"
	all, err := items("d", good)
	if err != nil || len(all) != 2 {
		t.Fatalf("%v, %v", all, err)
	}
	if p := all[0]; len(p.tests) != 2 || p.tests[1] != "p2p/mailbox TestB" || len(p.figures) != 1 || p.line != 5 {
		t.Errorf("%+v", p)
	}
	for why, bad := range map[string]string{
		"prose":           "## A\nIt is safe.\n",
		"another word":    "## A\n- **may** see. (p2p TestA)\n",
		"no proof":        "## A\n- **can** see.\n",
		"words for proof": "## A\n- **can** see. (believe us)\n",
		"no package":      "## A\n- **can** see. (TestA)\n",
		"empty proof":     "## A\n- **can** see. (p2p TestA,  )\n",
	} {
		if all, err := items("d", bad); err == nil {
			t.Errorf("%s: taken as %+v", why, all)
		}
	}
}

func TestRows(t *testing.T) {
	all, err := rows("d", "| 1 | x | session TestA, TestB; node/store TestC. And words |\n| 2 | y | Nothing is compressed. |\n")
	if err != nil || len(all) != 1 || len(all[0].tests) != 3 || all[0].tests[2] != "node/store TestC" {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestResults(t *testing.T) {
	in := strings.Join([]string{
		`{"Action":"run","Package":"starling/a","Test":"TestGood"}`,
		`{"Action":"output","Package":"starling/a","Test":"TestGood","Output":"quiet\n"}`,
		`{"Action":"pass","Package":"starling/a","Test":"TestGood"}`,
		`{"Action":"output","Package":"starling/a","Test":"TestSkipped","Output":"--- SKIP: TestSkipped\n"}`,
		`{"Action":"skip","Package":"starling/a","Test":"TestSkipped"}`,
		`{"Action":"output","Package":"starling/a","Output":"PASS\n"}`,
		`{"Action":"output","Package":"starling/a","Output":"ok  \tstarling/a\t0.1s\n"}`,
		`{"Action":"pass","Package":"starling/a"}`,
		`{"Action":"output","Package":"starling/b","Test":"TestBad","Output":"loud\n"}`,
		`{"Action":"fail","Package":"starling/b","Test":"TestBad"}`,
		`{"Action":"output","Package":"starling/b","Test":"TestDead","Output":"panic: dead\n"}`,
		`{"Action":"output","Package":"starling/b","Output":"FAIL\tstarling/b\t0.2s\n"}`,
		`{"Action":"fail","Package":"starling/b"}`,
		`go: something else`,
	}, "\n")
	var out bytes.Buffer
	r := newResults()
	if err := r.read(strings.NewReader(in), &out); err != nil {
		t.Fatal(err)
	}
	if want := "ok  \tstarling/a\t0.1s\nloud\nFAIL\tstarling/b\t0.2s\npanic: dead\ngo: something else"; out.String() != want {
		t.Errorf("printed %q", out.String())
	}
	if !r.failed {
		t.Error("not failed")
	}

	hold := func(tests ...string) int { return len(r.broken(root, []promise{{doc: "d", line: 1, tests: tests}})) }
	if hold("a TestGood") != 0 || hold("a TestSkipped") != 1 || hold("b TestBad") != 1 || hold("b TestDead") != 1 || hold("a TestGone") != 1 {
		t.Error("a promise is held by a test that did not pass, or the other way round")
	}
	if len(r.broken(root, []promise{{figures: []string{"docs/nothing.svg"}}})) != 1 {
		t.Error("a figure that is not there holds a promise")
	}
}

// TestAgain: few failed tests of packages that came to their end are run once more; all others
// have failed for good.
func TestAgain(t *testing.T) {
	const (
		fail    = `{"Action":"fail","Package":"starling/p2p","Test":"TestA/x"}` + "\n" + `{"Action":"fail","Package":"starling/p2p","Test":"TestA"}` + "\n"
		ended   = `{"Action":"fail","Package":"starling/p2p"}` + "\n"
		another = `{"Action":"fail","Package":"starling/node"}` + "\n"
		panics  = `{"Action":"output","Package":"starling/p2p","Test":"TestA","Output":"panic: x\n"}` + "\n"
		endless = `{"Action":"output","Package":"starling/p2p","Test":"TestB","Output":"=== RUN   TestB\n"}` + "\n"
		good    = `{"Action":"pass","Package":"starling/p2p","Test":"TestA/x"}` + "\n" + `{"Action":"pass","Package":"starling/p2p","Test":"TestA"}` + "\n"
		unbuilt = `{"Action":"build-fail","ImportPath":"starling/tui"}` + "\n"
	)
	many := strings.ReplaceAll(fail, "TestA", "TestB") + strings.ReplaceAll(fail, "TestA", "TestC") + strings.ReplaceAll(fail, "TestA", "TestD")
	for name, tt := range map[string]struct {
		in     string
		second string // what the test says when it is run again
		ran    int
		failed bool
	}{
		"passes":             {fail + ended, good, 1, false},
		"fails again":        {fail + ended, fail + ended, 1, true},
		"skips then":         {fail + ended, strings.ReplaceAll(good, "pass", "skip"), 1, true},
		"does not run then":  {fail + ended, "", 1, true},
		"a panic":            {panics + fail + ended, good, 0, true},
		"one without end":    {endless + fail + ended, good, 0, true},
		"not built":          {unbuilt + fail + ended, good, 0, true},
		"no test to show":    {fail + ended + another, good, 0, true},
		"too many":           {fail + many + ended, good, 0, true},
		"nothing has failed": {`{"Action":"pass","Package":"starling/p2p","Test":"TestA"}` + "\n", good, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			r, ran := newResults(), 0
			var out bytes.Buffer
			if err := r.read(strings.NewReader(tt.in), &out); err != nil {
				t.Fatal(err)
			}
			r.again(func(pkg, test string) *results {
				if ran++; pkg != "p2p" || test != "TestA" {
					t.Errorf("%s %s is run again", pkg, test)
				}
				second := newResults()
				if err := second.read(strings.NewReader(tt.second), &out); err != nil {
					t.Fatal(err)
				}
				return second
			}, &out)
			if ran != tt.ran || r.failed != tt.failed {
				t.Errorf("%d run again, failed: %v", ran, r.failed)
			}
			if told := strings.Contains(out.String(), "by chance: p2p TestA"); told != (ran > 0 && !r.failed) {
				t.Errorf("said: %s", &out)
			}
			if ran > 0 && !r.failed && (r.outcome["p2p TestA"] != "pass" || r.outcome["p2p TestA/x"] != "pass") {
				t.Errorf("outcomes: %v", r.outcome)
			}
		})
	}
}
