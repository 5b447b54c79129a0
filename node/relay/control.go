package relay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
	"golang.org/x/net/netutil"

	"starling/node/config"
)

const (
	statusPath = "/v1/status"
	maxStatus  = 1 << 20
	maxAsking  = 16
	askTime    = 5 * time.Second
	headerTime = 5 * time.Second
)

// Reasons why there is no status.
var (
	ErrNotRunning = errors.New("no relay runs here")
	ErrStarting   = errors.New("the relay that runs does not answer yet")
	ErrSilent     = errors.New("the relay that runs does not answer")
)

// socketOf is the control socket of a state folder: the same as a profile's, and for a deep
// folder in the same other place.
func socketOf(stateDir string) config.Profile { return config.Profile{Dir: stateDir} }

// listenControl takes the control socket; the caller holds the relay's lock, so that an
// old one is a dead relay's.
func listenControl(stateDir string) (net.Listener, error) {
	p := socketOf(stateDir)
	if err := p.MakeSocketDir(); err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	if err := os.Remove(p.Socket()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	l, err := net.Listen("unix", p.Socket())
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	// The folder is private already; Windows knows no modes.
	if err := os.Chmod(p.Socket(), 0o600); err != nil {
		l.Close()
		return nil, fmt.Errorf("control socket: %w", err)
	}
	return netutil.LimitListener(l, maxAsking), nil
}

// serveControl answers with the status until ctx ends.
func serveControl(ctx context.Context, l net.Listener, status func() Status) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+statusPath, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		enc.Encode(status())
	})
	server := &http.Server{
		Handler: mux, ReadHeaderTimeout: headerTime, WriteTimeout: askTime, MaxHeaderBytes: 16 << 10,
		ErrorLog: log.New(io.Discard, "", 0),
	}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	server.Serve(l)
}

// Ask asks the relay that runs on a state folder how it is.
func Ask(ctx context.Context, stateDir string) (s Status, err error) {
	if runs, err := running(stateDir); errors.Is(err, fs.ErrPermission) {
		return s, err // of somebody else, and nobody knows
	} else if !runs {
		return s, ErrNotRunning
	}
	asking, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	client := http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socketOf(stateDir).Socket())
		},
		DisableKeepAlives: true,
	}}

	req, err := http.NewRequestWithContext(asking, http.MethodGet, "http://starling"+statusPath, nil)
	if err != nil {
		return s, err
	}
	resp, err := client.Do(req)
	switch {
	case ctx.Err() != nil:
		return s, ctx.Err()
	case errors.Is(err, fs.ErrPermission):
		return s, err
	case errors.Is(err, context.DeadlineExceeded):
		return s, ErrSilent
	case err != nil:
		return s, ErrStarting
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxStatus)).Decode(&s); err != nil {
		return Status{}, fmt.Errorf("what the relay says is damaged: %w", err)
	}
	return s, nil
}

// Running reports whether a relay runs on a state folder.
func Running(stateDir string) bool {
	runs, err := running(stateDir)
	return err == nil && runs
}

func running(stateDir string) (bool, error) {
	path := filepath.Join(stateDir, lockFile)
	if _, err := os.Lstat(path); err != nil {
		return false, err // and none is made by asking
	}
	lock := flock.New(path)
	got, err := lock.TryLock()
	if got {
		lock.Unlock()
	}
	return !got, err
}
