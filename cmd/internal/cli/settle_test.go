package cli

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"starling/node/api"
)

// crowd is a profile on which other processes work: what each look at it finds, one after
// the other. The last stays.
type crowd struct {
	*fakeEngine
	finds []find
	node  map[find]*fakeNode
}

type find int

const (
	nobody  find = iota
	holder       // has the lock, and serves nobody
	server       // serves
	passing      // serves, and ends with its command
	gone         // a passing one that has ended
)

func (c *crowd) next() find {
	now := c.finds[0]
	if len(c.finds) > 1 {
		c.finds = c.finds[1:]
	}
	return now
}

func (c *crowd) Dial(context.Context, string) (api.Node, io.Closer, error) {
	switch now := c.next(); now {
	case server, passing:
		return c.node[now], c.node[now], nil
	case gone:
		return goneNode{}, io.NopCloser(nil), nil
	case holder:
		c.held = true
	default:
		c.held = false
	}
	return nil, nil, errNoNode
}

// goneNode was there a moment ago.
type goneNode struct{ api.Node }

func (goneNode) Status(context.Context) (api.Status, error) {
	return api.Status{}, &api.Error{Code: api.CodeClosed, Message: "the node has ended"}
}

// TestCommandsWaitForEachOther: whoever finds the lock taken waits for the node or the
// lock, for seconds, and asks for no passphrase meanwhile.
func TestCommandsWaitForEachOther(t *testing.T) {
	starting := []find{holder, holder, holder}
	for name, c := range map[string]struct {
		finds    []find
		args     []string
		exit     int
		served   bool
		waits    time.Duration
		starting int
	}{
		"a node starts":                   {append(starting, server), []string{"status"}, exitOK, true, 0, 0},
		"a node ends":                     {append(starting, nobody), []string{"status"}, exitOK, false, 0, 1},
		"a node ends as it is asked":      {[]find{gone, holder, nobody}, []string{"status"}, exitOK, false, 0, 1},
		"somebody hangs":                  {starting, []string{"status"}, exitInUse, false, settleTime, 0},
		"a node for good meets a command": {[]find{passing, passing, holder, nobody}, []string{"node"}, exitOK, false, 0, 1},
		"a node for good meets another":   {[]find{holder, server}, []string{"node"}, exitInUse, true, 0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newShell(t)
				ctx, cancel := context.WithCancel(t.Context())
				s.ctx, s.settle = ctx, settleTime
				s.crowd = newCrowd(s, c.finds)
				if c.served {
					delete(s.env, "STARLING_PASSPHRASE") // nobody needs one
				}
				time.AfterFunc(20*time.Second, cancel) // for a node that runs for good
				began := time.Now()
				s.want(c.exit, c.args...)
				if took := time.Since(began); c.args[0] != "node" && took < c.waits || took > 21*time.Second {
					t.Errorf("after %v", took)
				}
				if got := len(s.engine.started); got != c.starting {
					t.Errorf("%d nodes started", got)
				}
			})
		})
	}
}

func newCrowd(s *shell, finds []find) *crowd {
	brief := newFakeNode()
	brief.status.Brief = true
	return &crowd{s.engine, finds, map[find]*fakeNode{server: s.engine.node, passing: brief}}
}

// TestSendOutlivesTheNodeOfAnother: a text on a node that ends with its command goes on
// on the next, and is sent once.
func TestSendOutlivesTheNodeOfAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShell(t)
		s.settle = settleTime
		s.crowd = newCrowd(s, []find{passing, holder, nobody})
		s.crowd.node[passing].endsAfter = 1
		s.want(exitOK, "send", "Bob", "hi", "--json")
		if !strings.Contains(s.out.String(), `"state":"sent"`) && !strings.Contains(s.out.String(), `"state":"delivered"`) {
			t.Errorf("printed %s", &s.out)
		}
		first, then := s.crowd.node[passing].sent, s.engine.node.sent
		if len(first) != 1 || len(then) != 1 || first[0].ID != then[0].ID || len(then[0].ID) != 32 {
			t.Errorf("sent %v, then %v", first, then)
		}
		if strings.Count(s.out.String(), "\n") != 1 {
			t.Errorf("printed %s", &s.out)
		}
	})
}

// TestGuestTakesOver: a window on the node of another process goes on with the
// passphrase when that has ended, and not without.
func TestGuestTakesOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShell(t)
		a := &app{engine: newCrowd(s, []find{holder, nobody, nobody}), settle: settleTime}
		a.console = console{err: io.Discard}
		node := &unlocking{}
		g := &guest{Node: node, app: a, dir: "/alice"}
		if err := g.Unlock(t.Context(), fakePassphrase); err != nil || node.asked != 1 || len(s.engine.started) != 0 {
			t.Fatalf("while it is there: %v, asked %d", err, node.asked)
		}
		node.gone = true
		if err := g.Unlock(t.Context(), "guess"); api.CodeOf(err) != api.CodeWrongPassphrase {
			t.Fatalf("a guess: %v", err)
		}
		if err := g.Unlock(t.Context(), fakePassphrase); err != nil || s.engine.node.closed {
			t.Fatalf("%v", err)
		}
		if err := g.close(); err != nil || !s.engine.node.closed {
			t.Errorf("the node outlives its window: %v", err)
		}
	})
}

// unlocking is a node that may be gone.
type unlocking struct {
	api.Node
	mu    sync.Mutex
	asked int
	gone  bool
}

func (n *unlocking) Unlock(context.Context, string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked++
	if n.gone {
		return &api.Error{Code: api.CodeClosed, Message: "the node has ended"}
	}
	return nil
}

// TestAcceptNeedsNoNetworkBefore: the node brings the first relays out of the link, so it
// is asked before any relay is known, and again while there is time.
func TestAcceptNeedsNoNetworkBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShell(t)
		node := s.engine.node
		node.status.Ready, node.status.Reason = false, "knows no relay"
		node.refuse = []error{&api.Error{Code: api.CodeOffline, Message: "not connected"}, nil}
		s.want(exitOK, "contact", "add", "starling:abc", "--name", "Carol")
		if len(node.links) != 2 {
			t.Errorf("asked %d times", len(node.links))
		}
		node.links, node.refuse = nil, []error{errors.New("for ever")}
		node.hangs = true
		began := time.Now()
		s.want(exitNetwork, "contact", "add", "starling:abc", "--timeout", "1m30s")
		if took := time.Since(began); took != 90*time.Second || !strings.Contains(s.err.String(), "knows no relay") {
			t.Errorf("after %v: %s", took, &s.err)
		}
	})
}

// TestPathsOnALine: a path may hold line feeds and signs for terminals; what is told of
// it is one line.
func TestPathsOnALine(t *testing.T) {
	s := newShell(t)
	s.env["STARLING_PROFILE"] = "/no\n\x1b[31mbody"
	s.want(exitNoProfile, "status")
	if lines := strings.Count(s.err.String(), "\n"); lines != 2 || strings.Contains(s.err.String(), "\x1b") {
		t.Errorf("%q", &s.err)
	}
}
