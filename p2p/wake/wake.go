// Package wake tells of changes of this computer's network, and of the end of its
// sleep. At those moments connections that look alive are dead, and waiting for the
// next attempt is pointless.
//
// Linux says by netlink when an address, a link or a default route comes or goes.
// Elsewhere the addresses are looked at every few seconds. That the computer slept,
// or this program was stopped, shows in a clock: a second took longer.
package wake

import (
	"context"
	"net"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// An Event is one reason to look at the network anew.
type Event int

const (
	// Network: an address, a link or a route has come or gone.
	Network Event = iota
	// Resumed: the computer slept, or the program was stopped.
	Resumed
)

const (
	tick   = time.Second
	late   = 5 * time.Second // a tick that took longer by so much was a sleep
	gather = 200 * time.Millisecond
	poll   = 5 * time.Second // where the system does not tell
)

// Watch calls tell, from one goroutine at a time, until ctx ends.
func Watch(ctx context.Context, tell func(Event)) error {
	events := make(chan Event)
	g, ctx := errgroup.WithContext(ctx)
	send := func(e Event) {
		select {
		case events <- e:
		case <-ctx.Done():
		}
	}
	g.Go(func() error { return sleeps(ctx, time.Now, func() { send(Resumed) }) })
	g.Go(func() error { return changes(ctx, func() { send(Network) }) })
	g.Go(func() error {
		for {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case e := <-events:
				tell(e)
			}
		}
	})
	return g.Wait()
}

// sleeps calls f after each time that nothing could run for a while. The wall clock
// goes on in a sleep, where the monotonic one may not; that one is not set.
func sleeps(ctx context.Context, now func() time.Time, f func()) error {
	t := time.NewTicker(tick)
	defer t.Stop()
	last := now()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.C:
		}
		at := now()
		if max(at.Sub(last), at.Round(0).Sub(last.Round(0))) > tick+late {
			f()
		}
		last = at
	}
}

// polled calls f whenever the addresses of this computer are others.
func polled(ctx context.Context, every time.Duration, addresses func() string, f func()) error {
	last := addresses()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(every):
		}
		if now := addresses(); now != last {
			last = now
			f()
		}
	}
}

// addresses returns the addresses of all interfaces that are up, as one text.
func addresses() string {
	all, err := net.Interfaces()
	if err != nil {
		return ""
	}
	var text []string
	for _, i := range all {
		if i.Flags&net.FlagUp == 0 || i.Flags&net.FlagLoopback != 0 {
			continue
		}
		addrs, _ := i.Addrs()
		for _, a := range addrs {
			text = append(text, i.Name+" "+a.String())
		}
	}
	slices.Sort(text)
	return strings.Join(text, "\n")
}
