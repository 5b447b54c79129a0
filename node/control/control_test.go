package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
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

// stub answers the requests of the tests of the protocol; package node runs the whole
// api through the socket. Any other answer is that the node has ended.
type stub struct{ api.Node }

func newStub() stub {
	c := &Client{}
	c.closed, c.close = context.WithCancel(context.Background())
	c.close()
	c.http.Transport = &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, net.ErrClosed }}
	return stub{c}
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

// A call that is given up ends at the node too, and makes room for others.
func TestCancel(t *testing.T) {
	c := dial(t, serve(t))
	for range maxRequests + 8 {
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

// cutOff is a node that dies in the middle of a list.
type cutOff struct{ stub }

func (cutOff) History(context.Context, api.HistoryRequest) ([]api.Message, error) {
	return make([]api.Message, 5000), nil
}

// A list that is cut off is an error and never a shorter list.
func TestListCutOff(t *testing.T) {
	p := config.Profile{Dir: filepath.Join(t.TempDir(), "p")}
	s, err := Listen(p, cutOff{newStub()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); s.Run(ctx) }()
	c := dial(t, p)
	n := 0
	err = do(t.Context(), c, history, api.HistoryRequest{}, func(api.Message) error {
		if n++; n == 1 {
			cancel() // the reader is slow, and the node does not wait for ever
			<-ended
		}
		return nil
	})
	if api.CodeOf(err) != api.CodeClosed || n == 5000 {
		t.Errorf("%d messages, %v", n, err)
	}
}

// For any request, the server answers or hangs up, and goes on.
func TestBadRequests(t *testing.T) {
	p := serve(t)
	post := func(path, body string) string {
		return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", path, len(body), body)
	}
	for name, tt := range map[string]struct{ send, status, code string }{
		"not HTTP":          {"hello\n\n", "400", ""},
		"an endless header": {"GET /v1/status HTTP/1.1\r\nA: " + strings.Repeat("a", 64<<10) + "\r\n\r\n", "431", ""},
		"unknown method":    {post("/v1/x", ""), "404", "usage"},
		"the root":          {post("/", ""), "404", "usage"},
		"out of the tree":   {post("/v1/../../status", ""), "307", ""},
		"a list":            {post("/v1/send", "[]"), "400", "usage"},
		"unknown argument":  {post("/v1/send", `{"contact":"Bob","txt":"hi"}`), "400", "usage"},
		"two values":        {post("/v1/send", `{} {}`), "400", "usage"},
		"not JSON":          {post("/v1/send", "contact=Bob"), "400", "usage"},
		"too long":          {post("/v1/send", `{"text":"`+strings.Repeat("a", maxBody)+`"}`), "413", "message_too_long"},
		"GET that changes":  {"GET /v1/send HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "405", "usage"},
		"unknown invite":    {post("/v1/revoke_invite", `{"id":"x"}`), "404", "unknown_invite"},
		"no body":           {post("/v1/status", ""), "200", ""},
		"GET":               {"GET /v1/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "200", ""},
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := net.Dial("unix", p.Socket())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(10 * time.Second))
			go io.WriteString(conn, tt.send)
			got, _ := io.ReadAll(conn)
			head, body, _ := strings.Cut(string(got), "\r\n\r\n")
			if !strings.HasPrefix(head, "HTTP/1.1 "+tt.status) || tt.code != "" && !strings.Contains(body, `{"error":{"code":"`+tt.code+`"`) {
				t.Errorf("got %.300q", got)
			}
		})
	}
	if _, err := dial(t, p).Status(t.Context()); err != nil {
		t.Error(err)
	}
}

// Every code has a status that names the side at fault.
func TestStatusOfCodes(t *testing.T) {
	for code, want := range map[api.Code]int{
		api.CodeUsage: 400, api.CodeNoContact: 404, api.CodeInternal: 500, api.CodeOffline: 503, api.CodeDiskFull: 507, "new": 400,
	} {
		if got := status(code); got != want {
			t.Errorf("%s: %d, want %d", code, got, want)
		}
	}
}

func FuzzServer(f *testing.F) {
	p := serve(f)
	f.Add("status", "")
	f.Add("invite", "{}")
	f.Add("search", `{"words":"a"}`)
	f.Add("revoke_invite", `{"id":""}`)
	f.Add("../v1/status", "null")
	f.Fuzz(func(t *testing.T, method, body string) {
		if strings.Contains(method, "events") || strings.Contains(body, "wait") {
			return // endless by design
		}
		c := dial(t, p)
		req, err := http.NewRequest(http.MethodPost, "http://starling"+prefix+url.PathEscape(method), strings.NewReader(body))
		if err != nil {
			return
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		resp, err := c.http.Do(req.WithContext(ctx))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if _, err := io.ReadAll(resp.Body); err != nil {
			t.Fatal(err)
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
	s, err := Listen(p, ending{newStub(), cancel})
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
	io.WriteString(deaf, "POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
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

// TestRequestsAreText: what is not UTF-8, or half a pair of UTF-16, is refused as the commands refuse it, and nothing
// else is put in its place.
func TestRequestsAreText(t *testing.T) {
	for body, want := range map[string]bool{
		"": true, `{"id":"wait"}`: true, `"\\ud800 \\\""`: true, `"\ud83d\ude00 \u00fc é"`: true, `"\uD83D\uDE00\uD83D\uDE00"`: true, `"\u"`: true,
		"\"\xff\"": false, `"\ud800"`: false, `"\ud800 \udc00"`: false, `"\udc00"`: false, `"\ud83d\ud83d\ude00"`: false, `"\ud83d\n"`: false, `"\ud83d`: false,
	} {
		if got := isText([]byte(body)); got != want {
			t.Errorf("%s: %v", body, got)
		}
	}
	p := serve(t)
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", p.Socket())
	}}}
	defer client.CloseIdleConnections()
	resp, err := client.Post("http://starling"+prefix+revokeInvite.name, "application/json", strings.NewReader("{\"id\":\"a\xff\"}"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, err := io.ReadAll(resp.Body); err != nil || !strings.Contains(string(b), string(api.CodeBadText)) {
		t.Errorf("%s, %v", b, err)
	}
}
