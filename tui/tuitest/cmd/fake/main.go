// Command fake shows the terminal app on a node in memory, to look at it.
// It is for developers; nothing it shows is real.
//
//	go run ./tui/tuitest/cmd/fake [-empty] [-hostile] [-plain] [-crowd N] [-waiting] [-setup new|old]
//		[-language de] [-join] [-lock SECONDS]
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"starling/node/api"
	"starling/tui"
	"starling/tui/linear"
	"starling/tui/setup"
	"starling/tui/term"
	"starling/tui/tuitest"
)

func main() {
	empty := flag.Bool("empty", false, "nobody is there")
	hostile := flag.Bool("hostile", false, "a contact tries to break the screen")
	plain := flag.Bool("plain", false, "the linear mode")
	waiting := flag.Bool("waiting", false, "the network is not ready")
	crowd := flag.Int("crowd", 0, "a conversation of so many messages")
	first := flag.String("setup", "", "the first screens: new or old")
	language := flag.String("language", "", "en, de, ru")
	join := flag.Bool("join", false, "relays can be joined")
	lock := flag.Int("lock", 0, "lock after so many idle seconds")
	flag.Parse()

	ctx := context.Background()
	if *first != "" {
		r, err := setup.Draw(ctx, setup.Options{Existing: *first == "old", Problem: strings.Join(flag.Args(), " "), Demo: true})
		fmt.Printf("%q, passphrase of %d bytes, %v\n", r.Name, len(r.Passphrase), err)
		return
	}

	// The node, and the state it is in.
	node := tuitest.NewNode(time.Now)
	if !*empty {
		tuitest.People(node)
		tuitest.Rooms(node)
		rich := tuitest.Rich(node)
		node.Writes(rich)
	}
	if *hostile {
		tuitest.Attack(node)
		tuitest.AttackRooms(node)
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
	_, _ = node.ChangeSettings(ctx, api.SettingsChange{LockAfter: lock})
	opts := tui.Options{Language: *language, BackupDir: os.TempDir()}
	if *join {
		opts.Join = func(context.Context, string) error { return nil }
	}

	var err error
	if *plain || term.Dumb() {
		err = linear.Run(ctx, node, linear.Options{Language: *language, Join: opts.Join}, os.Stdin, os.Stdout)
	} else {
		err = tui.Run(ctx, node, opts)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
