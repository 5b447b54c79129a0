package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// listFlags take one or more values after a space.
var listFlags = []string{"--listen", "--bootstrap", "--announce", "--family"}

// joinLists rewrites "--listen A B" into "--listen=A --listen=B" for the
// commands that take no arguments of their own, so that a list can be written
// as the usage shows it: MULTIADDR... The other two forms, a repeated flag and
// values joined by commas, are the flag parser's own.
func joinLists(root *cobra.Command, args []string) []string {
	cmd, _, err := root.Find(args)
	if err != nil || !slices.Contains([]string{"node", "relay", "doctor"}, cmd.Name()) {
		return args
	}

	var joined []string
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			return append(joined, args[i:]...)
		}

		name, value, hasValue := strings.Cut(arg, "=")
		if !slices.Contains(listFlags, name) {
			joined = append(joined, arg)
			continue
		}

		// Words up to the next flag are values.
		var values []string
		if hasValue {
			values = append(values, value)
		}
		for i+1 < len(args) && !strings.HasPrefix(args[i+1], "-") {
			i++
			values = append(values, args[i])
		}
		if len(values) == 0 {
			joined = append(joined, arg) // the parser says that a value is missing
		}

		for _, v := range values {
			joined = append(joined, name+"="+v)
		}
	}
	return joined
}
