//go:build linux

package main

import (
	"bufio"
	"bytes"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
)

// An opinion is that of nDPI about the flows in a capture: how many have a protocol, and a risk.
type opinion struct {
	Protocols map[string]int `json:"protocols"`
	Risks     map[string]int `json:"risks"`
}

// opine asks Debian's ndpiReader about a file of packets; nil if it is not installed.
func opine(file string) (*opinion, error) {
	if _, err := exec.LookPath("ndpiReader"); err != nil {
		return nil, nil
	}
	out, err := exec.Command("ndpiReader", "-i", file).Output()
	if err != nil {
		return nil, err
	}
	return parse(out), nil
}

var (
	protocolLine = regexp.MustCompile(`^\t(\S+)\s+packets: \d+\s+bytes: \d+\s+flows: (\d+)`)
	riskLine     = regexp.MustCompile(`^\t(\S.*\S)\s+(\d+) \[\s*[\d.]+ %\]$`)
)

// parse reads the summary of ndpiReader.
func parse(out []byte) *opinion {
	o := &opinion{map[string]int{}, map[string]int{}}
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		line := strings.TrimRight(lines.Text(), " ")
		if m := protocolLine.FindStringSubmatch(line); m != nil {
			o.Protocols[m[1]], _ = strconv.Atoi(m[2])
		} else if m := riskLine.FindStringSubmatch(line); m != nil {
			o.Risks[m[1]], _ = strconv.Atoi(m[2])
		}
	}
	return o
}
