package live

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"starling/node/api"
)

const (
	// patience is how long a mesh that lives may take to answer a request that changes
	// nothing.
	patience = 5 * time.Second
	// ending is how long a mesh may take to end all of its nodes.
	ending = 2 * time.Minute
	look   = 50 * time.Millisecond
)

// hearing is how long a mesh on a busy machine may take to hear that it is to end. Tests
// shorten it.
var hearing = 3 * patience

// A Client asks one mesh.
type Client struct {
	name, version string
	http          http.Client
}

// Find returns the way to a mesh by its name, or to the only one there is if the name
// is empty. A mesh in trouble is an error.
func Find(ctx context.Context, name, version string) (*Client, error) {
	s, err := Status(ctx, name, version)
	if err != nil {
		return nil, err
	}
	switch s.State {
	case Dead:
		return nil, about(s.Name, ErrDead)
	case Silent:
		return nil, stuck(s, ErrSilent)
	case Starting:
		return nil, about(s.Name, ErrStarting)
	case Foreign:
		return nil, foreign(s.Name, s.Version, version)
	}
	return dial(s.Name, version), nil
}

func dial(name, version string) *Client {
	return &Client{name, version, http.Client{Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, patience)
			defer cancel()
			return new(net.Dialer).DialContext(ctx, "unix", socket(name))
		}}}}
}

// Status returns the state of a mesh as it is, or as it was written down if it cannot
// be asked.
func Status(ctx context.Context, name, version string) (State, error) {
	if name == "" {
		var err error
		if name, err = Only(); err != nil {
			return State{}, err
		}
	}
	s, err := read(name, version)
	if err != nil || s.State == Dead || s.State == Foreign {
		return s, err
	}

	// The file may be old. The mesh itself knows, if it answers.
	asked, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	now, err := ask[State](asked, dial(name, version), "status", struct{}{})
	switch {
	case err == nil:
		return now, nil
	case ctx.Err() != nil:
		return s, ctx.Err()
	case !held(name):
		s.State = Dead
	case s.State == Up || asked.Err() != nil:
		s.State = Silent
	}
	return s, nil
}

// Name is that of the mesh.
func (c *Client) Name() string { return c.name }

// Do gives the mesh an event and returns when it is done.
func (c *Client) Do(ctx context.Context, event []string) (Done, error) {
	return ask[Done](ctx, c, "do", words{event})
}

// Join adds a user.
func (c *Client) Join(ctx context.Context) (Joined, error) {
	return ask[Joined](ctx, c, "join", struct{}{})
}

// Leave ends the node of a user that joined.
func (c *Client) Leave(ctx context.Context, user string) error {
	_, err := ask[struct{}](ctx, c, "leave", nodeArgs{user})
	return err
}

// Node returns the place of a node.
func (c *Client) Node(ctx context.Context, node string) (Place, error) {
	return ask[Place](ctx, c, "node", nodeArgs{node})
}

// Down tells a mesh of any version to end, and returns when it has. Cleared: it was dead
// already, and its remains were cleared away.
func Down(ctx context.Context, name, version string) (s State, cleared bool, err error) {
	if s, err = Status(ctx, name, version); err != nil {
		return s, false, err
	}
	if s.State == Dead {
		return s, true, Clear(s.Name)
	}

	// The answer may be lost in its end: whether it has ended says the lock.
	asked, cancel := context.WithTimeout(ctx, hearing)
	_, err = ask[struct{}](asked, dial(s.Name, version), "down", struct{}{})
	cancel()
	if ctx.Err() != nil {
		return s, false, ctx.Err()
	}
	if err != nil && held(s.Name) {
		if s.State == Silent || errors.Is(err, ErrSilent) || errors.Is(err, context.DeadlineExceeded) {
			err = stuck(s, ErrSilent)
		}
		return s, false, err
	}

	for deadline := time.Now().Add(ending); held(s.Name); {
		select {
		case <-time.After(look):
		case <-ctx.Done():
			return s, false, ctx.Err()
		}
		if time.Now().After(deadline) {
			return s, false, stuck(s, ErrEnding)
		}
	}
	if _, err := os.Stat(stateFile(s.Name)); err == nil && !held(s.Name) {
		return s, true, Clear(s.Name) // it was killed meanwhile
	}
	return s, false, nil
}

// maxAnswer bounds an answer.
const maxAnswer = maxState

// ask sends one request.
func ask[R any](ctx context.Context, c *Client, name string, args any) (got R, err error) {
	body, err := json.Marshal(args)
	if err != nil {
		return got, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://testnet"+prefix+name, bytes.NewReader(body))
	if err != nil {
		return got, err
	}
	req.Header.Set(versionKey, c.version)
	resp, err := c.http.Do(req)
	if err == nil {
		defer resp.Body.Close()
		body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	}
	if err != nil {
		if ctx.Err() != nil {
			return got, ctx.Err()
		}

		// Without a lock there is no mesh. With one it is there, and does not speak.
		if !held(c.name) {
			return got, about(c.name, ErrNone)
		}
		return got, about(c.name, ErrSilent)
	}

	if resp.StatusCode != http.StatusOK {
		var failed struct{ Error *api.Error }
		if json.Unmarshal(body, &failed) != nil || failed.Error == nil {
			return got, about(c.name, ErrForeign)
		}
		if failed.Error.Code == codeStarting {
			return got, about(c.name, ErrStarting)
		}
		return got, failed.Error
	}
	if err := json.Unmarshal(body, &got); err != nil {
		return got, errors.Join(about(c.name, ErrForeign), err)
	}
	return got, nil
}
