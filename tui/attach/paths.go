package attach

import (
	"io"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	// maxPaths is how many files are taken at once.
	maxPaths = 32
	// maxPasted is the longest text in which they are looked for, in bytes.
	maxPasted = 16 << 10
	// maxListed is how many names of a folder are looked at to complete one.
	maxListed = 10_000
	// maxChoices is how many of them are shown.
	maxChoices = 100
)

// Paths returns the files that a pasted text names, in the forms in which terminals paste a
// dropped file: absolute paths, bare, quoted or with backslashes, or file URLs, one or several. A
// text that says anything else, or names a file that is not there, is a text.
func Paths(pasted string) []string {
	pasted = strings.TrimSpace(pasted)
	if pasted == "" || len(pasted) > maxPasted || !utf8.ValidString(pasted) {
		return nil
	}
	if path, ok := file(pasted, true); ok {
		return []string{path}
	}

	var out []string
	for _, line := range strings.FieldsFunc(pasted, func(r rune) bool { return r == '\n' || r == '\r' }) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		if path, ok := file(line, true); ok {
			out = append(out, path)
			continue
		}
		split, ok := shellWords(line)
		if !ok || len(split) == 0 {
			return nil
		}
		for _, w := range split {
			path, ok := file(w, false)
			if !ok {
				return nil
			}
			out = append(out, path)
		}
	}

	if len(out) > maxPaths {
		return nil
	}
	return out
}

// file returns the path of a file that is there. Bare texts may be quoted as a whole.
func file(s string, bare bool) (path string, ok bool) {
	path = s
	if bare && len(s) >= 2 && (s[0] == '\'' || s[0] == '"') && s[len(s)-1] == s[0] {
		path = s[1 : len(s)-1]
	}
	if path, ok = absolute(path); !ok {
		return "", false
	}
	info, err := os.Stat(path)
	return path, err == nil && info.Mode().IsRegular()
}

// absolute returns a path of a form that nobody types by chance.
func absolute(s string) (string, bool) {
	if len(s) > 4 && strings.EqualFold(s[:5], "file:") {
		u, err := url.Parse(s)
		if err != nil || u.Host != "" && u.Host != "localhost" || u.Path == "" {
			return "", false
		}
		s = u.Path
		if runtime.GOOS == "windows" {
			s = filepath.FromSlash(strings.TrimPrefix(s, "/"))
		}
	}
	s = home(s)
	return s, filepath.IsAbs(s) && !strings.ContainsRune(s, 0)
}

// home puts the person's folder for a ~ at the beginning.
func home(s string) string {
	rest, ok := strings.CutPrefix(s, "~")
	if !ok || rest != "" && !os.IsPathSeparator(rest[0]) {
		return s
	}
	dir, err := os.UserHomeDir()
	if err != nil {
		return s
	}
	return dir + rest
}

// shellWords splits a line as a shell does that knows quotes and backslashes, and nothing
// else. On Windows a backslash is part of a path.
func shellWords(line string) (out []string, ok bool) {
	var word strings.Builder
	var quote rune
	inside, escaped := false, false
	for _, r := range line {
		switch {
		case escaped:
			word.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'' && runtime.GOOS != "windows":
			escaped, inside = true, true
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '\'' || r == '"'):
			quote, inside = r, true
		case quote == 0 && (r == ' ' || r == '\t'):
			if inside {
				out = append(out, word.String())
				word.Reset()
				inside = false
			}
		default:
			word.WriteRune(r)
			inside = true
		}
	}

	if inside {
		out = append(out, word.String())
	}
	return out, quote == 0 && !escaped
}

// Resolve returns the path that was typed or pasted into a field for one: as it is, or as
// terminals paste it.
func Resolve(typed string) string {
	typed = strings.TrimSpace(typed)
	if found := Paths(typed); len(found) == 1 {
		return found[0]
	}
	path := home(typed)
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// Complete returns a path with as much of its last name as is certain, and the names that
// it could have. Hidden ones are among them once a dot was typed. A blank is a letter like
// any other. Names that a terminal would not show are left out.
func Complete(typed string) (path string, choices []string) {
	shown, name := split(typed)
	dir := home(shown)
	if dir == "" {
		dir = "."
	}
	if typed == "~" {
		return "~" + string(filepath.Separator), nil
	}
	f, err := os.Open(dir)
	if err != nil {
		return typed, nil
	}
	defer f.Close()
	entries, err := f.ReadDir(maxListed)
	if err != nil && err != io.EOF {
		return typed, nil
	}

	for _, e := range entries {
		n := e.Name()
		if !strings.HasPrefix(n, name) || name == "" && strings.HasPrefix(n, ".") || !utf8.ValidString(n) || strings.ContainsFunc(n, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			continue
		}
		info, err := os.Stat(filepath.Join(dir, n)) // of the end of a link
		switch {
		case err != nil:
			continue
		case info.IsDir():
			n += string(filepath.Separator)
		case !info.Mode().IsRegular():
			continue
		}
		choices = append(choices, n)
	}
	if len(choices) == 0 {
		return typed, nil
	}
	slices.Sort(choices)
	return shown + common(choices), choices[:min(len(choices), maxChoices)]
}

// split returns the folder of a path as it was typed, with its separator, and the rest.
func split(typed string) (dir, name string) {
	i := len(typed)
	for i > 0 && !os.IsPathSeparator(typed[i-1]) {
		i--
	}
	return typed[:i], typed[i:]
}

// common is the longest beginning of all.
func common(all []string) string {
	first, last := all[0], all[len(all)-1]
	i := 0
	for i < len(first) && i < len(last) && first[i] == last[i] {
		i++
	}
	for i > 0 && i < len(first) && !utf8.RuneStart(first[i]) {
		i--
	}
	return first[:i]
}

// Looks reports, without a look at the disk, whether a text may name files.
func Looks(pasted string) bool {
	pasted = strings.TrimSpace(pasted)
	if pasted == "" || len(pasted) > maxPasted {
		return false
	}
	s := strings.TrimLeft(pasted, `'"`)
	drive := len(s) > 2 && s[1] == ':' && (s[2] == '\\' || s[2] == '/')
	return strings.HasPrefix(s, "/") || strings.HasPrefix(s, "~") || drive || strings.HasPrefix(s, `\\`) || len(s) > 5 && strings.EqualFold(s[:5], "file:")
}
