package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/net/netutil"

	"starling/node/api"
	"starling/node/config"
)

// A Server serves one node's control socket.
type Server struct {
	node     api.Node
	listener net.Listener
	doors    doors
}

// Listen takes the control socket of a profile; the caller holds its lock. A socket
// that nobody answers on is a dead node's, and is replaced.
func Listen(p config.Profile, node api.Node) (*Server, error) {
	path := p.Socket()
	if err := p.MakeSocketDir(); err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	if conn, err := net.DialTimeout("unix", path, time.Second); err == nil {
		conn.Close()
		return nil, ErrInUse
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("control socket: %w", err)
	}

	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	// The folder is private already; Windows knows no modes.
	if err := os.Chmod(path, 0o600); err != nil {
		l.Close()
		return nil, fmt.Errorf("control socket: %w", err)
	}
	return &Server{node: node, listener: netutil.LimitListener(l, maxRequests)}, nil
}

// Run serves until ctx ends, and returns when all requests have. Those that run
// then are answered: one of them may be the end of the node.
func (s *Server) Run(ctx context.Context) error {
	mux := http.NewServeMux()
	for _, m := range methods {
		mux.Handle(prefix+m.name, s.handler(m))
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusNotFound, &api.Error{Code: api.CodeUsage, Message: "the running node does not know this request",
			Hint: "it may be of another version: restart it"})
	})
	server := &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: headerTime,
		MaxHeaderBytes:    16 << 10,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ErrorLog:          log.New(io.Discard, "", 0), // what a client sends is not for our log
	}

	stopped := make(chan struct{})
	// Shut down beside Serve, which returns at once then: the last answers still go out.
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		last, cancel := context.WithTimeout(context.Background(), lastAnswer)
		defer cancel()
		if server.Shutdown(last) != nil {
			server.Close()
		}
	})
	err := server.Serve(s.listener)
	// Serve ended by itself.
	if stop() {
		server.Close()
		return fmt.Errorf("control socket: %w", err)
	}
	<-stopped
	return ctx.Err()
}

// handler answers one method.
func (s *Server) handler(m endpoint) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		argless := m.args.NumField() == 0
		if r.Method != http.MethodPost && !(argless && r.Method == http.MethodGet) {
			w.Header().Set("Allow", http.MethodPost)
			refuse(w, http.StatusMethodNotAllowed, &api.Error{Code: api.CodeUsage, Message: "this request is a POST"})
			return
		}

		// Before the body is read: a stranger to a locked profile costs nothing.
		done, err := s.doors.pass(s.node, m, r)
		if err != nil {
			refuse(w, http.StatusForbidden, asError(err))
			return
		}
		defer done()

		a := answer{w: w, shape: m.shape}
		err = m.run(r.Context(), s.node, func(args any) error { return decode(w, r, args) }, a.emit)
		// Only the right passphrase opens this door.
		if err == nil && m.name == enter.name {
			s.doors.enter(r)
		}
		switch {
		case err != nil:
			a.fail(asError(err))
		case m.shape == nothing:
			a.emit(struct{}{})
		default:
			a.begin()
		}
	}
}

// decode reads the arguments. An empty body is an empty object.
func decode(w http.ResponseWriter, r *http.Request, args any) error {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return &api.Error{Code: api.CodeTooLong, Message: "the request is too long"}
	}
	if err != nil {
		return err
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}

	// Package json would put replacement characters in place of half letters, and send them.
	if !isText(body) {
		return &api.Error{Code: api.CodeBadText, Message: "the request is not UTF-8 text", Hint: "convert it first"}
	}
	d := json.NewDecoder(bytes.NewReader(body))
	// A misspelt field would be left out silently, such as a limit.
	d.DisallowUnknownFields()
	if err := d.Decode(args); err != nil {
		return &api.Error{Code: api.CodeUsage, Message: "malformed request: " + err.Error()}
	}
	if d.More() {
		return &api.Error{Code: api.CodeUsage, Message: "malformed request: more than one value"}
	}
	return nil
}

// isText reports whether JSON is UTF-8 and names no half of a pair of UTF-16: package json puts another character in
// place of these, and it would be sent.
func isText(b []byte) bool {
	if !utf8.Valid(b) {
		return false
	}

	var before rune // the first half
	for len(b) > 0 {
		if b[0] != '\\' || len(b) < 2 {
			if before != 0 {
				return false
			}
			b = b[1:]
			continue
		}

		half, size := rune(0), 2
		if b[1] == 'u' && len(b) >= 6 {
			n, err := strconv.ParseUint(string(b[2:6]), 16, 16)
			if size = 6; err == nil && utf16.IsSurrogate(rune(n)) {
				half = rune(n)
			}
		}

		switch {
		case before != 0 && utf16.DecodeRune(before, half) == utf8.RuneError, before == 0 && half >= 0xdc00:
			return false
		case before != 0:
			before = 0
		default:
			before = half
		}
		b = b[size:]
	}
	return before == 0
}

// An answer is written as its values come.
type answer struct {
	w     http.ResponseWriter
	shape shape
	begun bool
}

func (a *answer) begin() {
	if a.begun {
		return
	}
	a.begun = true
	kind := "application/json"
	if a.shape == lines || a.shape == stream {
		kind = "application/x-ndjson"
	}
	a.w.Header().Set("Content-Type", kind)
	a.w.WriteHeader(http.StatusOK)
}

// emit writes one value and a line feed. It waits for a slow reader.
func (a *answer) emit(v any) error {
	line, err := encode(v)
	if err != nil {
		return err
	}
	a.begin()
	if _, err := a.w.Write(line); err != nil {
		return err
	}
	if a.shape == stream {
		return http.NewResponseController(a.w).Flush()
	}
	return nil
}

func (a *answer) fail(e *api.Error) {
	if !a.begun {
		refuse(a.w, status(e.Code), e)
		return
	}
	if line, err := encode(failure{e}); err == nil {
		a.w.Write(line)
	}
}

func refuse(w http.ResponseWriter, code int, e *api.Error) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	if line, err := encode(failure{e}); err == nil {
		w.Write(line)
	}
}

// encode is JSON with a line feed, without the escapes that are for web pages.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return b.Bytes(), err
}
