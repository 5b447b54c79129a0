// Package syntax finds the keywords, strings and comments of code in messages, to be
// coloured.
//
// The code and the name of its language are a contact's. So a language is a small table (grammar.go), and code is
// short and read once, from its beginning to its end (scan.go). The work is done away from the screen,
// one piece at a time. Code without colours is shown as it is.
package syntax

import "strings"

// A Kind is what a piece of code is.
type Kind uint8

const (
	Plain Kind = iota
	Keyword
	String
	Number
	Comment
)

// A Span is a number of bytes of one kind.
type Span struct {
	Bytes int
	Kind  Kind
}

const (
	// MaxCode is the longest code that is coloured, in bytes.
	MaxCode = 16 << 10
	// maxKept is how many pieces are remembered, maxWanted how many wait.
	maxKept   = 64
	maxWanted = 16
)

// languages are the names that people write, and the grammars behind them.
var languages = map[string]string{
	"go": "go", "golang": "go", "python": "python", "py": "python", "javascript": "javascript", "js": "javascript", "typescript": "typescript", "ts": "typescript",
	"c": "c", "h": "c", "cpp": "c++", "c++": "c++", "rust": "rust", "rs": "rust", "java": "java", "kotlin": "kotlin", "swift": "swift", "csharp": "c#", "c#": "c#", "cs": "c#",
	"sh": "bash", "bash": "bash", "shell": "bash", "zsh": "bash", "console": "bash", "powershell": "powershell", "json": "json", "yaml": "yaml", "yml": "yaml", "toml": "toml",
	"ini": "ini", "xml": "xml", "html": "html", "css": "css", "sql": "sql", "diff": "diff", "patch": "diff", "ruby": "ruby", "rb": "ruby", "php": "php", "perl": "perl",
	"lua": "lua", "haskell": "haskell", "hs": "haskell", "ocaml": "ocaml", "elixir": "elixir", "erlang": "erlang", "scala": "scala", "zig": "zig", "nix": "nix", "r": "r",
	"dockerfile": "docker", "docker": "docker", "makefile": "make", "make": "make", "proto": "protobuf", "protobuf": "protobuf", "tex": "tex", "latex": "tex", "vim": "viml",
}

// Known reports whether a language of this name is coloured.
func Known(language string) bool { return languages[strings.ToLower(language)] != "" }

// A piece is code in a language.
type piece struct{ language, code string }

// Painter remembers the colours of code. It belongs to the goroutine of the screen.
type Painter struct {
	kept   map[piece][]Span
	wanted []piece
	busy   bool
}

// Paint returns the spans of code, which together have all of its bytes; nil if they are
// not known. later says that they will be.
func (p *Painter) Paint(language, code string) (out []Span, later bool) {
	if !Known(language) || len(code) > MaxCode || code == "" {
		return nil, false
	}
	key := piece{languages[strings.ToLower(language)], code}
	if out, ok := p.kept[key]; ok {
		return out, false
	}
	for _, w := range p.wanted {
		if w == key {
			return nil, true
		}
	}
	if len(p.wanted) < maxWanted {
		p.wanted = append(p.wanted, key)
	}
	return nil, true
}

// A Painted is the answer of work.
type Painted struct {
	piece
	spans []Span
}

// Work returns the next thing to do away from the screen, nil if there is none or
// something is being done. Its answer goes to [Painter.Take].
func (p *Painter) Work() func() Painted {
	if p.busy || len(p.wanted) == 0 {
		return nil
	}
	p.busy = true
	next := p.wanted[0]
	p.wanted = p.wanted[1:]
	return func() Painted {
		return Painted{next, spans(next.language, next.code)}
	}
}

// Take takes the answer of work.
func (p *Painter) Take(done Painted) {
	p.busy = false
	if p.kept == nil || len(p.kept) >= maxKept {
		p.kept = map[piece][]Span{}
	}
	p.kept[done.piece] = done.spans
}
