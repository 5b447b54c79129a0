package control

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"sync"
	"time"

	"starling/node/api"
	"starling/node/config"
)

// A Client is a node in another process. It implements api.Node.
type Client struct {
	conn net.Conn

	writeMu sync.Mutex

	mu    sync.Mutex
	last  uint64
	calls map[uint64]chan response
	done  chan struct{} // closed when the connection has ended
}

var _ api.Node = (*Client)(nil)

// Dial connects to the node that runs on a profile; [ErrNoNode] if none does.
func Dial(ctx context.Context, p config.Profile) (*Client, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", p.Socket())
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, ErrNoNode
	}
	c := &Client{conn: conn, calls: make(map[uint64]chan response), done: make(chan struct{})}
	go c.read()
	return c, nil
}

// Close ends the connection and all calls on it.
func (c *Client) Close() error {
	err := c.conn.Close()
	<-c.done
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	return err
}

// Done is closed when the connection has ended.
func (c *Client) Done() <-chan struct{} { return c.done }

// read hands lines to the calls they belong to. There is room for all that a
// call allows, so that a slow one holds up no other.
func (c *Client) read() {
	defer close(c.done)
	defer c.conn.Close()
	lines := newLines(c.conn)
	for lines.Scan() {
		var r response
		if json.Unmarshal(lines.Bytes(), &r) != nil {
			return
		}
		c.mu.Lock()
		ch := c.calls[r.ID]
		c.mu.Unlock()
		if ch == nil {
			continue // given up
		}
		select {
		case ch <- r:
		default:
			return // more than was asked for
		}
	}
}

var closedError = &api.Error{Code: api.CodeClosed, Message: "the node has ended", Hint: "start it again"}

// call sends a request and hands each item to f until the call ends.
func (c *Client) call(ctx context.Context, method string, params any, f func(json.RawMessage) error, result any) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var raw json.RawMessage
	if params != nil {
		var err error
		if raw, err = encode(params); err != nil {
			return err
		}
	}
	ch := make(chan response, firstItems+1)
	c.mu.Lock()
	c.last++
	id := c.last
	c.calls[id] = ch
	c.mu.Unlock()
	defer c.end(id)
	if err := c.write(&request{ID: id, Method: method, Params: raw}); err != nil {
		return err
	}
	read := 0
	for {
		r, err := c.next(ctx, ch)
		if err == nil && r.Item != nil && f != nil {
			if err = f(r.Item); err == nil {
				if read++; read%moreItems == 0 {
					c.write(&request{ID: id, Method: "more"})
				}
				continue
			}
		}
		switch {
		case err != nil:
			c.write(&request{ID: id, Method: "cancel"})
			return err
		case r.Error != nil:
			return r.Error
		case result == nil:
			return nil
		}
		return json.Unmarshal(r.Result, result)
	}
}

// next returns the next line of a call. What came before the connection ended
// still counts.
func (c *Client) next(ctx context.Context, ch chan response) (response, error) {
	select {
	case r := <-ch:
		return r, nil
	case <-ctx.Done():
		return response{}, ctx.Err()
	case <-c.done:
	}
	select {
	case r := <-ch:
		return r, nil
	default:
		return response{}, closedError
	}
}

func (c *Client) end(id uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.calls, id)
}

func (c *Client) write(r *request) error {
	line, err := encode(r)
	if err != nil {
		return err
	}
	if len(line)+1 > maxLine {
		return &api.Error{Code: api.CodeTooLong, Message: "the request is too long"}
	}
	c.writeMu.Lock()
	defer c.writeMu.Unlock()
	if _, err := c.conn.Write(append(line, '\n')); err != nil {
		return closedError
	}
	return nil
}

// get is a call with one result.
func get[T any](ctx context.Context, c *Client, method string, params any) (v T, err error) {
	err = c.call(ctx, method, params, nil, &v)
	return v, err
}

// collect is a call with a list.
func collect[T any](ctx context.Context, c *Client, method string, params any) ([]T, error) {
	all := []T{}
	err := c.call(ctx, method, params, func(b json.RawMessage) error {
		var v T
		if err := json.Unmarshal(b, &v); err != nil {
			return err
		}
		all = append(all, v)
		return nil
	}, nil)
	if err != nil {
		return nil, err
	}
	return all, nil
}

func (c *Client) Status(ctx context.Context) (api.Status, error) {
	return get[api.Status](ctx, c, "status", nil)
}

func (c *Client) Invite(ctx context.Context, req api.InviteRequest) (api.Invite, error) {
	return get[api.Invite](ctx, c, "invite", req)
}

func (c *Client) Invites(ctx context.Context) ([]api.Invite, error) {
	return collect[api.Invite](ctx, c, "invites", nil)
}

func (c *Client) RevokeInvite(ctx context.Context, id string) error {
	return c.call(ctx, "revoke_invite", idParams{id}, nil, nil)
}

func (c *Client) AddContact(ctx context.Context, req api.AddContactRequest) (api.Contact, error) {
	return get[api.Contact](ctx, c, "add_contact", req)
}

func (c *Client) Contacts(ctx context.Context) ([]api.Contact, error) {
	return collect[api.Contact](ctx, c, "contacts", nil)
}

func (c *Client) Verification(ctx context.Context, contact string) (api.Verification, error) {
	return get[api.Verification](ctx, c, "verification", contactParams{Contact: contact})
}

func (c *Client) SetVerified(ctx context.Context, contact, seen string) (api.Contact, error) {
	return get[api.Contact](ctx, c, "set_verified", contactParams{Contact: contact, Seen: seen})
}

func (c *Client) RenameContact(ctx context.Context, contact, name string) (api.Contact, error) {
	return get[api.Contact](ctx, c, "rename_contact", contactParams{Contact: contact, Name: name})
}

func (c *Client) BlockContact(ctx context.Context, contact string, blocked bool) (api.Contact, error) {
	return get[api.Contact](ctx, c, "block_contact", contactParams{Contact: contact, Set: blocked})
}

func (c *Client) RemoveContact(ctx context.Context, contact string) error {
	return c.call(ctx, "remove_contact", contactParams{Contact: contact}, nil, nil)
}

func (c *Client) Send(ctx context.Context, req api.SendRequest) (api.Message, error) {
	return get[api.Message](ctx, c, "send", req)
}

func (c *Client) Retry(ctx context.Context, message string) (api.Message, error) {
	return get[api.Message](ctx, c, "retry", idParams{message})
}

func (c *Client) Discard(ctx context.Context, message string) error {
	return c.call(ctx, "discard", idParams{message}, nil, nil)
}

func (c *Client) Message(ctx context.Context, id string) (api.Message, error) {
	return get[api.Message](ctx, c, "message", idParams{id})
}

func (c *Client) History(ctx context.Context, req api.HistoryRequest) ([]api.Message, error) {
	return collect[api.Message](ctx, c, "history", req)
}

func (c *Client) Edit(ctx context.Context, req api.EditRequest) (api.Message, error) {
	return get[api.Message](ctx, c, "edit", req)
}

func (c *Client) Delete(ctx context.Context, req api.DeleteRequest) error {
	return c.call(ctx, "delete", req, nil, nil)
}

func (c *Client) React(ctx context.Context, req api.ReactRequest) (api.Message, error) {
	return get[api.Message](ctx, c, "react", req)
}

func (c *Client) Typing(ctx context.Context, contact string) error {
	return c.call(ctx, "typing", contactParams{Contact: contact}, nil, nil)
}

func (c *Client) Search(ctx context.Context, req api.SearchRequest) ([]api.Message, error) {
	return collect[api.Message](ctx, c, "search", req)
}

func (c *Client) ChangeConversation(ctx context.Context, req api.ConversationRequest) (api.Contact, error) {
	return get[api.Contact](ctx, c, "change_conversation", req)
}

func (c *Client) Drafts(ctx context.Context) ([]api.Draft, error) {
	return collect[api.Draft](ctx, c, "drafts", nil)
}

func (c *Client) SaveDraft(ctx context.Context, draft api.Draft) error {
	return c.call(ctx, "save_draft", draft, nil, nil)
}

func (c *Client) Settings(ctx context.Context) (api.Settings, error) {
	return get[api.Settings](ctx, c, "settings", nil)
}

func (c *Client) ChangeSettings(ctx context.Context, change api.SettingsChange) (api.Settings, error) {
	return get[api.Settings](ctx, c, "change_settings", change)
}

func (c *Client) Unlock(ctx context.Context, passphrase string) error {
	return c.call(ctx, "unlock", passphraseParams{passphrase}, nil, nil)
}

func (c *Client) Backup(ctx context.Context, req api.BackupRequest) error {
	return c.call(ctx, "backup", req, nil, nil)
}

func (c *Client) Wipe(ctx context.Context) error {
	return c.call(ctx, "wipe", nil, nil, nil)
}

func (c *Client) MarkRead(ctx context.Context, contact string) error {
	return c.call(ctx, "mark_read", contactParams{Contact: contact}, nil, nil)
}

func (c *Client) Events(ctx context.Context, after int64, f func(api.Event) error) error {
	return c.call(ctx, "events", eventParams{after}, func(b json.RawMessage) error {
		var e api.Event
		if err := json.Unmarshal(b, &e); err != nil {
			return err
		}
		return f(e)
	}, nil)
}
