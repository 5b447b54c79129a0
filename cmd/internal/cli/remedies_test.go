package cli

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

var (
	// inText is a command line in a text for people: words in small letters, and flags.
	inText = regexp.MustCompile(`\bstarling((?: (?:--)?[a-z][a-z-]*)+)`)
	// prose are words that follow the program's name in sentences.
	prose = []string{"runs", "on", "to", "that", "says", "needs"}
)

// TestTextsNameCommands: a command that a hint, a remedy or a help names is there, with
// its flags.
func TestTextsNameCommands(t *testing.T) {
	root := (&app{}).root()
	root.InitDefaultHelpCmd()
	lines := 0
	for _, dir := range []string{"../../../node", "../../../p2p", "../../../tui", "."} {
		filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			for _, text := range literals(t, path) {
				for _, m := range inText.FindAllStringSubmatch(text, -1) {
					if strings.HasPrefix(text, "starling testnet relay ") {
						continue // the seed of a key
					}
					lines++
					if fault := misnamed(root, strings.Fields(m[1])); fault != "" {
						t.Errorf("%s: %q: %s", path, m[0], fault)
					}
				}
			}
			return nil
		})
	}
	if lines < 100 {
		t.Errorf("only %d command lines found", lines)
	}
}

// misnamed says what of a command line is not there, "" if all is.
func misnamed(cmd *cobra.Command, words []string) string {
	for _, word := range words {
		if flag, ok := strings.CutPrefix(word, "--"); ok {
			if flag != "help" && cmd.Flags().Lookup(flag) == nil && cmd.InheritedFlags().Lookup(flag) == nil && cmd.PersistentFlags().Lookup(flag) == nil {
				return "no flag --" + flag
			}
			continue
		}
		if !cmd.HasSubCommands() || slices.Contains(prose, word) {
			return ""
		}
		i := slices.IndexFunc(cmd.Commands(), func(sub *cobra.Command) bool { return sub.Name() == word })
		if i < 0 {
			return "no command " + word
		}
		cmd = cmd.Commands()[i]
	}
	return ""
}

// literals returns the texts in a source file.
func literals(t *testing.T, path string) (all []string) {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if s, err := strconv.Unquote(lit.Value); err == nil {
				all = append(all, s)
			}
		}
		return true
	})
	return all
}
