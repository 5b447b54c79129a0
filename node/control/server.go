package control

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"starling/node/api"
	"starling/node/config"
)

// A Server serves one node's control socket.
type Server struct {
	node     api.Node
	listener net.Listener
	path     string
}

// Listen takes the control socket of a profile whose lock the caller holds. A
// socket that nobody answers on is a dead node's, and is replaced.
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
	return &Server{node: node, listener: l, path: path}, nil
}

// Run serves until ctx ends, and returns when all calls have.
func (s *Server) Run(ctx context.Context) error {
	var conns sync.WaitGroup
	defer conns.Wait()
	stop := context.AfterFunc(ctx, func() { s.listener.Close() }) // removes the socket
	defer stop()
	defer s.listener.Close()
	for {
		conn, err := s.listener.Accept()
		if ctx.Err() != nil {
			if conn != nil {
				conn.Close()
			}
			return ctx.Err()
		}
		if err != nil {
			// Too many open files, for instance: it passes.
			select {
			case <-ctx.Done():
			case <-time.After(100 * time.Millisecond):
			}
			continue
		}
		conns.Go(func() { s.serve(ctx, conn) })
	}
}

// A connection is one client.
type connection struct {
	node api.Node

	writeMu sync.Mutex
	conn    net.Conn

	callsMu sync.Mutex
	calls   map[uint64]*call
}

// A call is a request that runs.
type call struct {
	*request
	c      *connection
	ctx    context.Context // ends when the call is cancelled
	cancel context.CancelFunc
	items  chan struct{} // holds one value for each item that may be sent
}

func (s *Server) serve(ctx context.Context, conn net.Conn) {
	c := &connection{node: s.node, conn: conn, calls: make(map[uint64]*call)}
	ctx, cancel := context.WithCancel(ctx)
	var calls sync.WaitGroup
	defer conn.Close()
	defer calls.Wait()
	defer cancel()
	// At the end no more requests are read. Those that run are answered: one of
	// them may be what ends the node.
	stop := context.AfterFunc(ctx, func() {
		conn.SetReadDeadline(time.Now())
		conn.SetWriteDeadline(time.Now().Add(lastAnswer))
	})
	defer stop()

	lines := newLines(conn)
	for lines.Scan() {
		var req request
		if json.Unmarshal(lines.Bytes(), &req) != nil || req.ID == 0 {
			return
		}
		switch req.Method {
		case "cancel":
			c.cancel(req.ID)
			continue
		case "more":
			c.more(req.ID)
			continue
		}
		k, ok := c.begin(ctx, &req)
		if !ok {
			return
		}
		calls.Go(func() {
			defer c.cancel(k.ID)
			k.answer()
		})
	}
	conn.SetWriteDeadline(time.Now().Add(lastAnswer))
}

func newLines(conn net.Conn) *bufio.Scanner {
	lines := bufio.NewScanner(conn)
	lines.Buffer(make([]byte, 0, 4096), maxLine)
	return lines
}

func (c *connection) begin(ctx context.Context, req *request) (*call, bool) {
	c.callsMu.Lock()
	defer c.callsMu.Unlock()
	if c.calls[req.ID] != nil || len(c.calls) == maxCalls {
		return nil, false
	}
	k := &call{request: req, c: c, items: make(chan struct{}, firstItems)}
	k.ctx, k.cancel = context.WithCancel(ctx)
	k.allow(firstItems)
	c.calls[req.ID] = k
	return k, true
}

func (c *connection) cancel(id uint64) {
	c.callsMu.Lock()
	defer c.callsMu.Unlock()
	if k := c.calls[id]; k != nil {
		k.cancel()
		delete(c.calls, id)
	}
}

func (c *connection) more(id uint64) {
	c.callsMu.Lock()
	defer c.callsMu.Unlock()
	if k := c.calls[id]; k != nil {
		k.allow(moreItems)
	}
}

// allow lets more items be sent, but never more than firstItems ahead.
func (k *call) allow(n int) {
	for range n {
		select {
		case k.items <- struct{}{}:
		default:
		}
	}
}

// answer runs the call and writes its end.
func (k *call) answer() {
	resp := response{ID: k.ID}
	result, err := k.run()
	if err == nil && result != nil {
		resp.Result, err = encode(result)
	}
	if err != nil {
		resp.Error = asError(err)
		resp.Result = nil
	}
	k.c.write(&resp)
}

// asError carries an error as what it is; one that is not for people is
// internal.
func asError(err error) *api.Error {
	var e *api.Error
	if errors.As(err, &e) {
		return e
	}
	code := api.CodeInternal
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		code = api.CodeClosed
	}
	return &api.Error{Code: code, Message: err.Error()}
}

// item writes one element of a list, once the client wants it.
func (k *call) item(v any) error {
	b, err := encode(v)
	if err != nil {
		return err
	}
	select {
	case <-k.items:
	case <-k.ctx.Done():
		return k.ctx.Err()
	}
	return k.c.write(&response{ID: k.ID, Item: b})
}

func (c *connection) write(resp *response) error {
	line, err := encode(resp)
	if err != nil {
		return err
	}
	if len(line)+1 > maxLine {
		line, _ = encode(&response{ID: resp.ID, Error: &api.Error{Code: api.CodeInternal, Message: "answer too long"}})
	}
	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	_, err = c.conn.Write(append(line, '\n'))
	return err
}

// encode is JSON without the escapes that are for web pages.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// run is the table of methods.
func (k *call) run() (any, error) {
	n, ctx, req := k.c.node, k.ctx, k.request
	switch req.Method {
	case "status":
		return n.Status(ctx)
	case "invite":
		return with(req, func(p api.InviteRequest) (any, error) { return n.Invite(ctx, p) })
	case "invites":
		invites, err := n.Invites(ctx)
		return nil, list(k, invites, err)
	case "revoke_invite":
		return with(req, func(p idParams) (any, error) { return nil, n.RevokeInvite(ctx, p.ID) })
	case "add_contact":
		return with(req, func(p api.AddContactRequest) (any, error) { return n.AddContact(ctx, p) })
	case "contacts":
		contacts, err := n.Contacts(ctx)
		return nil, list(k, contacts, err)
	case "verification":
		return with(req, func(p contactParams) (any, error) { return n.Verification(ctx, p.Contact) })
	case "set_verified":
		return with(req, func(p contactParams) (any, error) { return n.SetVerified(ctx, p.Contact, p.Seen) })
	case "rename_contact":
		return with(req, func(p contactParams) (any, error) { return n.RenameContact(ctx, p.Contact, p.Name) })
	case "block_contact":
		return with(req, func(p contactParams) (any, error) { return n.BlockContact(ctx, p.Contact, p.Set) })
	case "remove_contact":
		return with(req, func(p contactParams) (any, error) { return nil, n.RemoveContact(ctx, p.Contact) })
	case "send":
		return with(req, func(p api.SendRequest) (any, error) { return n.Send(ctx, p) })
	case "retry":
		return with(req, func(p idParams) (any, error) { return n.Retry(ctx, p.ID) })
	case "discard":
		return with(req, func(p idParams) (any, error) { return nil, n.Discard(ctx, p.ID) })
	case "message":
		return with(req, func(p idParams) (any, error) { return n.Message(ctx, p.ID) })
	case "history":
		return with(req, func(p api.HistoryRequest) (any, error) {
			messages, err := n.History(ctx, p)
			return nil, list(k, messages, err)
		})
	case "edit":
		return with(req, func(p api.EditRequest) (any, error) { return n.Edit(ctx, p) })
	case "delete":
		return with(req, func(p api.DeleteRequest) (any, error) { return nil, n.Delete(ctx, p) })
	case "react":
		return with(req, func(p api.ReactRequest) (any, error) { return n.React(ctx, p) })
	case "typing":
		return with(req, func(p contactParams) (any, error) { return nil, n.Typing(ctx, p.Contact) })
	case "search":
		return with(req, func(p api.SearchRequest) (any, error) {
			messages, err := n.Search(ctx, p)
			return nil, list(k, messages, err)
		})
	case "change_conversation":
		return with(req, func(p api.ConversationRequest) (any, error) { return n.ChangeConversation(ctx, p) })
	case "drafts":
		drafts, err := n.Drafts(ctx)
		return nil, list(k, drafts, err)
	case "save_draft":
		return with(req, func(p api.Draft) (any, error) { return nil, n.SaveDraft(ctx, p) })
	case "settings":
		return n.Settings(ctx)
	case "change_settings":
		return with(req, func(p api.SettingsChange) (any, error) { return n.ChangeSettings(ctx, p) })
	case "unlock":
		return with(req, func(p passphraseParams) (any, error) { return nil, n.Unlock(ctx, p.Passphrase) })
	case "backup":
		return with(req, func(p api.BackupRequest) (any, error) { return nil, n.Backup(ctx, p) })
	case "wipe":
		return nil, n.Wipe(ctx)
	case "mark_read":
		return with(req, func(p contactParams) (any, error) { return nil, n.MarkRead(ctx, p.Contact) })
	case "events":
		return with(req, func(p eventParams) (any, error) {
			return nil, n.Events(ctx, p.After, func(e api.Event) error { return k.item(e) })
		})
	}
	return nil, &api.Error{Code: api.CodeUsage, Message: "the running node does not know this request",
		Hint: "it may be of another version: restart it"}
}

func with[P any](req *request, f func(P) (any, error)) (any, error) {
	var p P
	if len(req.Params) > 0 {
		if err := json.Unmarshal(req.Params, &p); err != nil {
			return nil, &api.Error{Code: api.CodeUsage, Message: "malformed request"}
		}
	}
	return f(p)
}

// list writes the elements of a list one by one: together they may be longer
// than a line.
func list[T any](k *call, all []T, err error) error {
	for _, v := range all {
		if err == nil {
			err = k.item(v)
		}
	}
	return err
}
