package scenario

import (
	"os/exec"
	"path/filepath"
	"strings"
)

// maxArgs bounds the arguments of a program.
const maxArgs = 100

func (s *Scenario) readProgram(t table) {
	p := Program{Path: t.text("path", ""), Args: t.texts("args", maxArgs), Relays: t.indexes("relays", s.Relays),
		Users: t.indexes("users", s.Users), Fraction: t.number("fraction", 0, 0, 1), path: t.path}
	t.end("path")
	switch {
	case t.has("relays") && p.Fraction > 0 || !t.has("relays") && !t.has("users") && p.Fraction == 0:
		t.fail("", "a program is that of users, and of either relays or a fraction of them")
	case t.has("path") && p.Path == "":
		t.fail("path", "path is empty")
	}

	// A path begins at the file's folder, a name is looked up as a shell does.
	if strings.ContainsAny(p.Path, `/\`) && !filepath.IsAbs(p.Path) {
		p.Path = filepath.Join(filepath.Dir(s.File), p.Path)
		if !filepath.IsAbs(p.Path) {
			p.Path = "." + string(filepath.Separator) + p.Path
		}
	}
	s.Programs = append(s.Programs, p)
}

// FindPrograms returns why a program of the scenario cannot be run.
func (s *Scenario) FindPrograms() error {
	for _, p := range s.Programs {
		if _, err := exec.LookPath(p.Path); err != nil {
			return s.errorf(p.path+".path", "there is no program %s", p.Path)
		}
	}
	return nil
}
