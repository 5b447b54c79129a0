// Command fake shows the terminal app on a node in memory, to look at it.
// It is for developers; nothing it shows is real.
//
//	go run ./tui/tuitest/cmd/fake [-empty] [-hostile] [-plain] [-crowd N] [-waiting] [-setup new|old]
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"time"

	"starling/node/api"
	"starling/tui"
	"starling/tui/tuitest"
)

func main() {
	empty := flag.Bool("empty", false, "nobody is there")
	hostile := flag.Bool("hostile", false, "a contact tries to break the screen")
	plain := flag.Bool("plain", false, "the linear mode")
	waiting := flag.Bool("waiting", false, "the network is not ready")
	crowd := flag.Int("crowd", 0, "a conversation of so many messages")
	setup := flag.String("setup", "", "the first screens: new or old")
	flag.Parse()

	ctx := context.Background()
	if *setup != "" {
		why := flag.Args()
		r, err := tui.Setup(ctx, *setup == "old", why...)
		fmt.Printf("%q, passphrase of %d bytes, %v\n", r.Name, len(r.Passphrase), err)
		return
	}
	node := tuitest.NewNode(time.Now)
	if !*empty {
		tuitest.People(node)
	}
	if *hostile {
		tuitest.Attack(node)
	}
	if *crowd > 0 {
		id := node.Meet("crowd")
		tuitest.Crowd(node, id, *crowd)
		node.Unread(id, 40)
	}
	if *waiting {
		node.SetStatus(func(s *api.Status) {
			s.Ready, s.Reason = false, "no guard can be reached"
			s.Guards[0].Connected, s.Guards[1].Connected = false, false
		})
	}
	go node.Answer(ctx)
	if err := tui.Run(ctx, node, tui.Options{Plain: *plain}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
