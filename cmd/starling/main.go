// Command starling is a messenger with no server to block, no key to hand over and no
// register of contacts. See docs/COMMANDS.md.
package main

import (
	"os"

	"starling/cmd/internal/cli"
)

func main() {
	os.Exit(cli.Main())
}
