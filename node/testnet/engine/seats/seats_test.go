package seats

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"starling/node/config"
	"starling/node/testnet/engine"
	"starling/node/testnet/scenario"
)

// TestMain is the program of the seats, too: a relay that prints its line, and a node
// that serves a socket. Both end at SIGTERM.
func TestMain(m *testing.M) {
	if len(os.Args) > 3 && os.Args[2] == "--profile" {
		end := make(chan os.Signal, 1)
		signal.Notify(end, syscall.SIGTERM)
		ready := map[string]any{"event": "ready", "peer_id": "12D3"}
		if os.Args[1] == "relay" {
			ready["addrs"] = []string{"/ip4/127.0.0.1/tcp/4001/p2p/12D3"}
		} else {
			os.Remove(config.Profile{Dir: os.Args[3]}.Socket())
			l, err := net.Listen("unix", config.Profile{Dir: os.Args[3]}.Socket())
			if err != nil || os.Getenv("STARLING_PASSPHRASE") == "" || !strings.Contains(strings.Join(os.Args, " "), "--bootstrap /ip4/127.0.0.1/tcp/4001/p2p/12D3") {
				os.Exit(1)
			}
			go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				io.Copy(io.Discard, r.Body) // as a node does: what is left unread resets the connection
				if r.Header.Get("Authorization") != "" {
					w.WriteHeader(http.StatusTeapot)
				}
				fmt.Fprintf(w, `{"ready":true,"bytes_in":7}`+"\n")
			}))
		}
		json.NewEncoder(os.Stdout).Encode(ready)
		<-end
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// open runs seats and returns the access to them.
func open(t *testing.T, nodes ...string) Access {
	dir, err := os.MkdirTemp("", "seats") // a short path: sockets have little room
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	at := map[string]string{}
	listeners := map[string]net.Listener{}
	for _, n := range nodes {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		at[n], listeners[n] = l.Addr().String(), l
	}
	for _, n := range nodes {
		s := &Seat{Name: n, Dir: filepath.Join(dir, n), Address: "127.0.0.1", Program: os.Args[0], Token: "secret", First: at["r0"]}
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx, listeners[n]) }()
		t.Cleanup(func() {
			stop()
			if err := <-ended; err != nil {
				t.Errorf("%s: %v", n, err)
			}
		})
	}
	return Access{At: func(node string) string { return at[node] }, Token: "secret"}
}

// TestEngine: nodes are started, ended and spoken to from elsewhere.
func TestEngine(t *testing.T) {
	s, err := scenario.Parse("x.toml", []byte("name='s'\nrelays=5\nusers=2\nduration='2s'\nmessages={count=1}\n"))
	if err != nil {
		t.Fatal(err)
	}
	s.Relays = 2 // as few as show it
	m := open(t, "r0", "r1", "u0", "u1")
	e := New(engine.Config{Scenario: s, Dir: t.TempDir()}, m)
	defer e.Close()
	ctx := t.Context()
	if err := e.Start(ctx); err != nil {
		t.Fatal(err)
	}
	n, err := e.Open(ctx, 0)
	if err != nil {
		t.Fatal(err)
	}
	if st, err := n.Status(ctx); err != nil || !st.Ready {
		t.Errorf("%+v, %v", st, err)
	}
	if got := e.Measure(ctx).Users[0].In; got != 7 {
		t.Errorf("%d bytes", got)
	}
	look := func(node string) bool {
		n, err := ask(ctx, m.At(node), m.Token, "look")
		if err != nil {
			t.Error(err)
		}
		return n.Running
	}
	for _, step := range []struct {
		do   func() error
		node string
		runs bool
	}{
		{func() error { return e.Crash(ctx, 0) }, "u0", false}, {func() error { _, err := e.Open(ctx, 0); return err }, "u0", true}, {func() error { return e.Shut(ctx, 0) }, "u0", false},
		{func() error { return e.Stop(ctx, 1) }, "r1", false}, {func() error { return e.Restart(ctx, 1) }, "r1", true}, {func() error { return e.Kill(ctx, 1) }, "r1", false},
	} {
		if err := step.do(); err != nil || look(step.node) != step.runs {
			t.Errorf("%s: %v, wanted running %v", step.node, err, step.runs)
		}
	}
}

// TestToken: a seat does nothing for those without the token.
func TestToken(t *testing.T) {
	m := open(t, "r0")
	for _, token := range []string{"", "secre", "secret2", "Bearer secret"} {
		if _, err := ask(t.Context(), m.At("r0"), token, "stop"); err == nil {
			t.Errorf("%q opens", token)
		}
	}
	resp, err := http.Post("http://"+m.At("r0")+"/v1/status", "", nil)
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("%v, %v", resp, err)
	}
	if n, err := ask(t.Context(), m.At("r0"), "secret", "look"); err != nil || !n.Running && len(n.Addrs) > 0 {
		t.Errorf("%+v, %v", n, err)
	}
	if _, err := ask(t.Context(), m.At("r0"), "secret", "rm"); err == nil {
		t.Error("a seat does anything")
	}
	for _, bad := range []*Seat{{Name: "x"}, {Name: "r0", Address: "127.0.0.1"}, {Name: "r0", Token: "t", Address: "localhost"}} {
		if err := bad.Run(t.Context(), nil); err == nil {
			t.Errorf("%+v runs", bad)
		}
	}
}

func TestNames(t *testing.T) {
	for pod, node := range map[string]string{"mesh-1-relay-12": "r12", "a-relay-3-user-0": "u0", "r3": "r3", "relay-": "relay-"} {
		if got := NodeOf(pod); got != node {
			t.Errorf("%s is %s", pod, got)
		}
	}
	if got := Host("mesh", "u3"); got != "mesh-user-3.mesh-user:7001" {
		t.Error(got)
	}
}
