package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// documents are the pages with promises, from the module's root.
var documents = []string{"docs/THREATMODEL.md", "docs/ATTACKS.md", "docs/LIES.md"}

// A promise is one statement of a document and the proofs that it names.
type promise struct {
	doc  string
	line int
	text string
	// tests are "package TestName", the package as a folder of the module.
	tests []string
	// figures are files, from the module's root.
	figures []string
}

// reference finds one proof: "p2p/client TestTaint", "TestTaint" (of the package
// named before it), "figure: docs/anonymity/guards.svg".
var reference = regexp.MustCompile(`^(?:figure: (\S+)|(?:([a-z0-9/]+) )?((?:Test|Fuzz)[A-Za-z0-9_]+))$`)

// refer adds the proofs in a list such as "session TestA, TestB; figure: f.svg".
func (p *promise) refer(list string) error {

	pkg := ""
	for part := range strings.FieldsFuncSeq(list, func(r rune) bool { return r == ',' || r == ';' }) {
		m := reference.FindStringSubmatch(strings.TrimSpace(part))
		switch {
		case m == nil:
			return fmt.Errorf("%s:%d: %q names no proof", p.doc, p.line, strings.TrimSpace(part))
		case m[1] != "":
			p.figures = append(p.figures, m[1])
		default:
			if m[2] != "" {
				pkg = m[2]
			}
			if pkg == "" {
				return fmt.Errorf("%s:%d: %s is of no package", p.doc, p.line, m[3])
			}
			p.tests = append(p.tests, pkg+" "+m[3])
		}
	}
	return nil
}

// items reads a page of list items: each begins with **can** or **cannot** and
// ends with its proofs in parentheses. Below the first heading of the second
// level nothing else may stand, but headings and blank lines.
func items(doc, text string) (all []promise, err error) {
	var p *promise
	end := func() error {
		if p == nil {
			return nil
		}
		open := strings.LastIndex(p.text, "(")
		if open < 0 || !strings.HasSuffix(p.text, ")") {
			return fmt.Errorf("%s:%d: no proof at the end", doc, p.line)
		}
		if err := p.refer(p.text[open+1 : len(p.text)-1]); err != nil {
			return err
		}
		all = append(all, *p)
		p = nil
		return nil
	}

	below := false
	lines := bufio.NewScanner(strings.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		line := lines.Text()
		switch {
		case strings.HasPrefix(line, "## "):
			below = true
			err = end()
		case !below || strings.HasPrefix(line, "#") || line == "":
			err = end()
		case strings.HasPrefix(line, "- **can** "), strings.HasPrefix(line, "- **cannot** "):
			err = end()
			p = &promise{doc: doc, line: n, text: line}
		case p != nil && strings.HasPrefix(line, "  "):
			p.text += " " + strings.TrimSpace(line)
		default:
			err = fmt.Errorf("%s:%d: neither a heading nor an item that begins with **can** or **cannot**", doc, n)
		}
		if err != nil {
			return nil, err
		}
	}
	return all, end()
}

// named finds tests anywhere in a text: "session/prekey TestEveryBitFlip, TestB".
var named = regexp.MustCompile(`([a-z][a-z0-9/]*) ((?:Test|Fuzz)[A-Za-z0-9_]+(?:, (?:Test|Fuzz)[A-Za-z0-9_]+)*)`)

// rows reads a page of tables: each row of a table names its tests in the last
// column, in words if it has none.
func rows(doc, text string) (all []promise, err error) {
	for n, line := range strings.Split(text, "\n") {
		if !strings.HasPrefix(line, "|") {
			continue
		}
		p := promise{doc: doc, line: n + 1, text: line}
		for _, m := range named.FindAllStringSubmatch(line, -1) {
			if err := p.refer(m[1] + " " + m[2]); err != nil {
				return nil, err
			}
		}
		if len(p.tests) > 0 {
			all = append(all, p)
		}
	}
	return all, nil
}

// read collects the promises of all documents under root.
func read(root string) (all []promise, err error) {
	for _, doc := range documents {
		text, err := os.ReadFile(filepath.Join(root, doc))
		if err != nil {
			return nil, err
		}
		parse := items
		if !strings.Contains(string(text), "\n- **can") {
			parse = rows
		}
		some, err := parse(doc, string(text))
		if err != nil {
			return nil, err
		}
		if len(some) == 0 {
			return nil, fmt.Errorf("%s promises nothing", doc)
		}
		all = append(all, some...)
	}
	return all, nil
}
