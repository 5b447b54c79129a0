package control

import (
	"bufio"
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/node/config"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// stub answers what the tests of the protocol ask; package node runs the whole
// api through the socket.
// What it does not answer itself has ended.
type stub struct{ api.Node }

func newStub() stub {
	conn, _ := net.Pipe()
	conn.Close()
	done := make(chan struct{})
	close(done)
	return stub{&Client{conn: conn, calls: make(map[uint64]chan response), done: done}}
}

func (stub) Status(context.Context) (api.Status, error) {
	return api.Status{Name: safetext.Line("Ada"), Version: "<&>"}, nil
}

func (stub) RevokeInvite(ctx context.Context, id string) error {
	switch id {
	case "wait":
		<-ctx.Done()
		return ctx.Err()
	case "odd":
		return errors.New("odd")
	}
	return &api.Error{Code: api.CodeNoInvite, Message: "none", Hint: "look"}
}

// Events tells of itself for as long as it is asked to.
func (stub) Events(ctx context.Context, after int64, f func(api.Event) error) error {
	for ; ctx.Err() == nil; after++ {
		if err := f(api.Event{Kind: api.EventState, Seq: after + 1}); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func serve(t testing.TB) config.Profile {
	t.Helper()
	p := config.Profile{Dir: filepath.Join(t.TempDir(), "p")}
	s, err := Listen(p, newStub())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("Run: %v", err)
		}
		if _, err := os.Lstat(p.Socket()); err == nil {
			t.Error("socket left behind")
		}
	})
	return p
}

func dial(t testing.TB, p config.Profile) *Client {
	t.Helper()
	c, err := Dial(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestOwnership(t *testing.T) {
	p := serve(t)
	if _, err := Listen(p, newStub()); !errors.Is(err, ErrInUse) {
		t.Errorf("second server: %v", err)
	}
	if _, err := Dial(t.Context(), config.Profile{Dir: t.TempDir()}); !errors.Is(err, ErrNoNode) {
		t.Errorf("no server: %v", err)
	}
	if runtime.GOOS != "windows" {
		info, err := os.Stat(p.Socket())
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("socket: %v, %v", info.Mode(), err)
		}
		if info, _ := os.Stat(p.Dir); info.Mode().Perm() != 0o700 {
			t.Errorf("folder: %v", info.Mode())
		}
	}
}

// A socket that a killed node has left is replaced.
func TestStaleSocket(t *testing.T) {
	p := config.Profile{Dir: t.TempDir()}
	l, err := net.Listen("unix", p.Socket())
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	if _, err := Dial(t.Context(), p); !errors.Is(err, ErrNoNode) {
		t.Errorf("dial: %v", err)
	}
	s, err := Listen(p, newStub())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s.Run(ctx)
}

func TestErrorsAreCarried(t *testing.T) {
	c := dial(t, serve(t))
	err := c.RevokeInvite(t.Context(), "x")
	var e *api.Error
	if !errors.As(err, &e) || *e != (api.Error{Code: api.CodeNoInvite, Message: "none", Hint: "look"}) {
		t.Errorf("got %#v", err)
	}
	if err := c.RevokeInvite(t.Context(), "odd"); api.CodeOf(err) != api.CodeInternal {
		t.Errorf("got %#v", err)
	}
	if s, err := c.Status(t.Context()); err != nil || s.Name.String() != "Ada" || s.Version != "<&>" {
		t.Errorf("%+v, %v", s, err)
	}
}

// A call that is given up ends at the node too, and the connection goes on.
func TestCancel(t *testing.T) {
	c := dial(t, serve(t))
	for range 2 * maxCalls { // more than may run at one time
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		if err := c.RevokeInvite(ctx, "wait"); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatalf("got %v", err)
		}
		cancel()
	}
	if _, err := c.Status(t.Context()); err != nil {
		t.Error(err)
	}
}

// A list without an end stops when nobody reads, and holds up no other call,
// not even one from the reader itself.
func TestSlowReader(t *testing.T) {
	c := dial(t, serve(t))
	stop := errors.New("enough")
	n := int64(0)
	err := c.Events(t.Context(), 0, func(e api.Event) error {
		n++
		if e.Seq != n {
			t.Errorf("event %d, want %d", e.Seq, n)
		}
		if n%100 == 0 {
			if _, err := c.Status(t.Context()); err != nil {
				t.Error(err)
			}
		}
		if n == 1000 {
			return stop
		}
		return nil
	})
	if err != stop {
		t.Errorf("got %v", err)
	}
	if _, err := c.Status(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestClientClosed(t *testing.T) {
	c := dial(t, serve(t))
	waiting := make(chan error, 1)
	go func() { waiting <- c.RevokeInvite(context.Background(), "wait") }()
	c.Status(t.Context())
	c.Close()
	if err := <-waiting; api.CodeOf(err) != api.CodeClosed {
		t.Errorf("waiting call: %v", err)
	}
	if _, err := c.Status(t.Context()); api.CodeOf(err) != api.CodeClosed {
		t.Errorf("call after Close: %v", err)
	}
}

// Whatever a client sends, the server answers or hangs up, and goes on.
func TestBadLines(t *testing.T) {
	p := serve(t)
	for name, tt := range map[string]struct{ line, want string }{
		"not JSON":        {"hello\n", ""},
		"a list":          {"[]\n", ""},
		"no id":           {`{"method":"status"}` + "\n", ""},
		"unknown method":  {`{"id":1,"method":"x"}` + "\n", `{"id":1,"error":{"code":"usage"`},
		"bad parameters":  {`{"id":1,"method":"send","params":[]}` + "\n", `{"id":1,"error":{"code":"usage"`},
		"cancel nothing":  {`{"id":1,"method":"cancel"}` + "\n" + `{"id":2,"method":"status"}` + "\n", `{"id":2,"result":`},
		"more of nothing": {`{"id":1,"method":"more"}` + "\n" + `{"id":2,"method":"status"}` + "\n", `{"id":2,"result":`},
		"too long a line": {`{"id":1,"method":"` + strings.Repeat("a", maxLine) + `"}` + "\n", ""},
		"the same id": {`{"id":1,"method":"revoke_invite","params":{"id":"wait"}}` + "\n" +
			`{"id":1,"method":"status"}` + "\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("unix", p.Socket())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(10 * time.Second))
			go conn.Write([]byte(tt.line))
			got, err := bufio.NewReader(conn).ReadString('\n')
			if tt.want == "" && !strings.HasPrefix(got, `{"id":1,"error":{"code":"closed"`) && got != "" || !strings.HasPrefix(got, tt.want) {
				t.Errorf("got %.100q, %v", got, err)
			}
		})
	}
	if _, err := dial(t, p).Status(t.Context()); err != nil {
		t.Error(err)
	}
}

func FuzzServer(f *testing.F) {
	p := serve(f)
	f.Add(`{"id":1,"method":"status"}`)
	f.Add(`{"id":1,"method":"invite"}`)
	f.Add(`{"id":1,"method":"search","params":{"words":"a"}}`)
	f.Add(`{"id":1,"method":"revoke_invite","params":{"id":""}}`)
	f.Fuzz(func(t *testing.T, line string) {
		if strings.Contains(line, "events") || strings.Contains(line, "wait") {
			return // endless by design
		}
		conn, err := net.Dial("unix", p.Socket())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(10 * time.Second))
		if _, err := conn.Write([]byte(line + "\n{}\n")); err != nil {
			return
		}
		r := bufio.NewReader(conn)
		for {
			if _, err := r.ReadString('\n'); err != nil {
				if ne := net.Error(nil); errors.As(err, &ne) && ne.Timeout() {
					t.Error("the server hangs")
				}
				return
			}
		}
	})
}

// ending is a node that a call ends.
type ending struct {
	stub
	end context.CancelFunc
}

func (e ending) Wipe(context.Context) error { e.end(); return nil }

// The call that ends the node is answered, and so are those that run then; a
// client that does not read holds up nobody.
func TestLastAnswers(t *testing.T) {
	p := config.Profile{Dir: filepath.Join(t.TempDir(), "p")}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s, err := Listen(p, ending{end: cancel})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	deaf, err := net.Dial("unix", p.Socket())
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	for range 60 { // more than a socket holds
		deaf.Write([]byte(`{"id":1,"method":"events","params":{"after":0}}` + "\n" + `{"id":1,"method":"cancel"}` + "\n"))
	}
	c := dial(t, p)
	waiting := make(chan error, 1)
	go func() { waiting <- c.RevokeInvite(t.Context(), "wait") }()
	if _, err := c.Status(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := c.Wipe(t.Context()); err != nil {
		t.Errorf("wipe: %v", err)
	}
	if err := <-waiting; api.CodeOf(err) != api.CodeClosed {
		t.Errorf("the other call: %v", err)
	}
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("Run: %v", err)
	}
}
