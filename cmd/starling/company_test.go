package main

import (
	"context"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"starling/node/config"
	"starling/node/control"
	"starling/tui/tuitest"
)

type companies struct{}

// A company that is served is nodes in memory that share rooms, behind the control sockets of
// profiles.
type served struct {
	nodes []*tuitest.Node
	end   func()
}

// company NAME... serves nodes in memory that share rooms on profiles of these names. After
// disband they are served again as they were.
func company(ts *testscript.TestScript, neg bool, args []string) {
	s := ts.Value(companies{}).(*served)
	if s.nodes == nil {
		s.nodes = tuitest.Company(time.Now, args...)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{}, len(args))
	for i, name := range args {
		server, err := control.Listen(config.Profile{Dir: ts.MkAbs(name)}, s.nodes[i])
		ts.Check(err)
		go func() {
			server.Run(ctx)
			ended <- struct{}{}
		}()
	}

	s.end = func() {
		cancel()
		for range args {
			<-ended
		}
	}
	ts.Defer(func() { disband(ts, false, nil) })
}

// disband ends the service of a company. Its nodes keep what they have.
func disband(ts *testscript.TestScript, neg bool, args []string) {
	s := ts.Value(companies{}).(*served)
	s.end()
	s.end = func() {}
}
