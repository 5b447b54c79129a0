// Package seats runs a scenario with nodes on other machines. On each machine a seat runs
// one node, and takes requests for it over HTTP:
//
//	POST /seat          {"do":"start"}, "stop", "kill" or "look"; the answer is a Node
//	POST /v1/NAME       the node's own control socket, see package control
//
// Every request bears a token that all seats of a mesh share, and is refused without it:
// its owner runs the nodes, and reads the mail of their users. The engine asks the seats.
package seats

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"time"

	"starling/node"
	"starling/node/config"
	"starling/node/store"
	"starling/node/testnet/engine"
	"starling/node/testnet/engine/processes"
)

// Port is where a seat listens by default, and RelayPort its relay.
const (
	Port      = 7001
	RelayPort = 4001
)

const (
	maxBody    = 64 << 10
	headerTime = 10 * time.Second
	again      = time.Second // between two tries to learn of the first relay
	asked      = 2 * time.Minute
)

// A Node is the answer of a seat.
type Node struct {
	Running bool     `json:"running"`
	PeerID  string   `json:"peer_id,omitempty"`
	Addrs   []string `json:"addrs,omitempty"` // of a relay, with /p2p/
}

// request is the body of a request for the seat itself.
type request struct {
	Do string `json:"do"`
}

// A Seat runs one node.
type Seat struct {
	Name    string // "r3", "u0"
	Dir     string // for its profile
	Address string // IP address at which others reach the machine
	Program string // the starling to run
	Token   string
	First   string // host and port of the first relay's seat

	turn chan struct{} // holds the process: one request at a time
	proc *processes.Proc
	word string // the profile's passphrase
}

// quiet logs nothing: a node that ends cuts the answers it was about to give.
var quiet = log.New(io.Discard, "", 0)

var validNode = regexp.MustCompile(`^[ru]\d{1,4}$`)

// Run serves until ctx ends, and starts the node at once.
func (s *Seat) Run(ctx context.Context, l net.Listener) error {
	switch {
	case !validNode.MatchString(s.Name):
		return fmt.Errorf("%q is no node: r0 is the first relay, u0 the first user", s.Name)
	case s.Token == "":
		return errors.New("a seat without a token would be anybody's")
	case net.ParseIP(s.Address) == nil:
		return fmt.Errorf("%q is no IP address", s.Address)
	}
	s.turn = make(chan struct{}, 1)
	server := &http.Server{Handler: s.handler(), ReadHeaderTimeout: headerTime, MaxHeaderBytes: 16 << 10,
		BaseContext: func(net.Listener) context.Context { return ctx }}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()

	_, err := s.do(ctx, "start")
	if err == nil || ctx.Err() != nil {
		select {
		case <-ctx.Done():
			err = nil
		case err = <-ended:
		}
	}
	server.Close()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), asked)
	defer cancel()
	_, stopped := s.do(last, "stop")
	return errors.Join(err, stopped)
}

// handler answers requests with the token.
func (s *Seat) handler() http.Handler {
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = "http", "starling"
			r.Out.Header.Del("Authorization")
		},
		FlushInterval: -1, // a stream of events
		ErrorLog:      quiet,
		Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", s.profile().Socket())
		}},
	}

	mux := http.NewServeMux()
	mux.Handle("/v1/", proxy)
	mux.HandleFunc("POST /seat", func(w http.ResponseWriter, r *http.Request) {
		var asked request
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(&asked); err != nil {
			http.Error(w, "malformed request", http.StatusBadRequest)
			return
		}
		n, err := s.do(r.Context(), asked.Do)
		if err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
			return
		}
		json.NewEncoder(w).Encode(n)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if subtle.ConstantTimeCompare([]byte(r.Header.Get("Authorization")), []byte("Bearer "+s.Token)) != 1 {
			http.Error(w, "this needs the token of the mesh", http.StatusUnauthorized)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func (s *Seat) profile() config.Profile { return config.Profile{Dir: filepath.Join(s.Dir, "profile")} }

// do carries out one request. A start of a node that runs, and an end of one that does
// not, change nothing.
func (s *Seat) do(ctx context.Context, what string) (Node, error) {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return Node{}, ctx.Err()
	}

	var err error
	switch {
	case what == "start" && s.proc == nil:
		err = s.start(ctx)
	case what == "stop" && s.proc != nil:
		err = s.proc.Stop()
		s.proc = nil
	case what == "kill" && s.proc != nil:
		s.proc.Kill()
		s.proc = nil
	case what != "start" && what != "stop" && what != "kill" && what != "look":
		err = fmt.Errorf("a seat does not know %q", what)
	}
	if err != nil || s.proc == nil {
		return Node{}, err
	}
	return Node{true, s.proc.Ready.PeerID, s.proc.Ready.Addrs}, nil
}

// start runs the node.
func (s *Seat) start(ctx context.Context) error {
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return err
	}
	flags := []string{"--allow-private"}
	if s.Name != "r0" {
		first, err := s.first(ctx)
		if err != nil {
			return err
		}
		for _, a := range first.Addrs {
			flags = append(flags, "--bootstrap", a)
		}
	}

	var cmd *exec.Cmd
	if s.Name[0] == 'r' {
		family := "ip4"
		if net.ParseIP(s.Address).To4() == nil {
			family = "ip6"
		}
		listen := fmt.Sprintf("/%s/%s/tcp/%d", family, s.Address, RelayPort)
		cmd = exec.Command(s.Program, append([]string{"relay", "--profile", s.profile().Dir, "--listen", listen}, flags...)...)
	} else {
		if err := s.make(); err != nil {
			return err
		}
		cmd = exec.Command(s.Program, append([]string{"node", "--profile", s.profile().Dir}, flags...)...)
		cmd.Env = append(cmd.Environ(), "STARLING_PASSPHRASE="+s.word)
	}
	p, err := processes.Run(ctx, cmd, filepath.Join(s.Dir, "log"), func(int) {})
	if err == nil {
		s.proc = p
	}
	return err
}

// make makes the user's profile, the first time. Its passphrase follows from the token,
// so that a machine that starts again opens it.
func (s *Seat) make() error {
	s.word = s.Token + s.Name
	if s.profile().Exists() {
		return nil
	}
	var i int
	fmt.Sscanf(s.Name, "u%d", &i)
	return node.Create(s.profile(), s.word, engine.Name(i), store.CheapKDF)
}

// first waits for the first relay and returns it.
func (s *Seat) first(ctx context.Context) (Node, error) {
	for {
		n, err := ask(ctx, s.First, s.Token, "look")
		if err == nil && len(n.Addrs) > 0 {
			return n, nil
		}
		select {
		case <-time.After(again):
		case <-ctx.Done():
			return Node{}, errors.Join(ctx.Err(), err)
		}
	}
}

// errRefused is the answer of a seat that does not do what it was asked for.
var errRefused = errors.New("the seat refuses")

// ask sends a request to a seat.
func ask(ctx context.Context, seat, token, what string) (n Node, err error) {
	ctx, cancel := context.WithTimeout(ctx, asked)
	defer cancel()
	body, writer := io.Pipe()
	go func() { writer.CloseWithError(json.NewEncoder(writer).Encode(request{what})) }()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+seat+"/seat", body)
	if err != nil {
		return n, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		return n, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return n, err
	}
	if resp.StatusCode != http.StatusOK {
		return n, fmt.Errorf("%w: %s", errRefused, answer)
	}
	return n, json.Unmarshal(answer, &n)
}
