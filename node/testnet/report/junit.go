package report

import (
	"encoding/xml"
	"fmt"
)

// A Case is one run of a scenario for JUnit. Failed is why it could not be carried out;
// "" if its summary says how it went.
type Case struct {
	Summary Summary
	Failed  string
}

// JUnit is the XML that CI systems read: a test case for each run.
type (
	suites struct {
		XMLName xml.Name `xml:"testsuites"`
		Suite   suite    `xml:"testsuite"`
	}
	suite struct {
		Name     string     `xml:"name,attr"`
		Tests    int        `xml:"tests,attr"`
		Failures int        `xml:"failures,attr"`
		Errors   int        `xml:"errors,attr"`
		Time     string     `xml:"time,attr"`
		Cases    []testCase `xml:"testcase"`
	}
	testCase struct {
		Class   string   `xml:"classname,attr"`
		Name    string   `xml:"name,attr"`
		Time    string   `xml:"time,attr"`
		Failure *trouble `xml:"failure,omitempty"`
		Error   *trouble `xml:"error,omitempty"`
	}
	trouble struct {
		Message string `xml:"message,attr"`
	}
)

// JUnit returns the runs as JUnit's XML.
func JUnit(cases []Case) []byte {
	s := suite{Name: "starling testnet", Tests: len(cases)}
	var all int64
	for _, c := range cases {
		t := testCase{Class: c.Summary.Name, Name: fmt.Sprintf("%s, engine %s, seed %d", c.Summary.Name, c.Summary.Engine, c.Summary.Seed), Time: seconds(c.Summary.WallMS)}
		all += c.Summary.WallMS
		switch {
		case c.Failed != "":
			s.Errors++
			t.Error = &trouble{c.Failed}
		case !c.Summary.Passed():
			s.Failures++
			t.Failure = &trouble{c.Summary.Verdict()}
		}
		s.Cases = append(s.Cases, t)
	}

	s.Time = seconds(all)
	text, err := xml.MarshalIndent(suites{Suite: s}, "", "  ")
	if err != nil {
		panic(err) // all of it is our own
	}
	return append([]byte(xml.Header), append(text, '\n')...)
}

func seconds(ms int64) string { return fmt.Sprintf("%.3f", float64(ms)/1000) }
