package control

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"starling/node/api"
	"starling/node/config"
)

// A Client is a node in another process. It implements api.Node. Each call is a
// request of its own, so that a slow reader of one list holds up nothing else.
type Client struct {
	http   http.Client
	name   string          // drawn; all requests bear it
	closed context.Context // ends with Close
	close  context.CancelFunc
}

var _ api.Node = (*Client)(nil)

// Dial finds the node that runs on a profile; [ErrNoNode] if none does.
func Dial(ctx context.Context, p config.Profile) (*Client, error) {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		return new(net.Dialer).DialContext(ctx, "unix", p.Socket())
	}
	conn, err := dial(ctx, "", "")
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, ErrNoNode
	}

	// Only to see whether somebody listens: each request opens its own.
	conn.Close()

	// Nobody else can name it: a lock lets in those that were there before.
	var name [16]byte
	rand.Read(name[:])
	c := &Client{name: hex.EncodeToString(name[:]), http: http.Client{Transport: &http.Transport{
		DialContext: dial,
		// A unix socket costs nothing to open again, and a kept one dies with its node.
		DisableKeepAlives: true,
	}}}
	c.closed, c.close = context.WithCancel(context.Background())
	return c, nil
}

// Close ends all calls.
func (c *Client) Close() error {
	c.close()
	c.http.CloseIdleConnections()
	return nil
}

// do asks for a method and gives each value to f, until f returns an error.
func do[P, R any](ctx context.Context, c *Client, m method[P, R], args P, f func(R) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	body, err := encode(args)
	if err != nil {
		return err
	}

	// Refused here with a reason: the server would cut the connection.
	if len(body) > maxBody {
		return &api.Error{Code: api.CodeTooLong, Message: "the request is too long"}
	}
	running, cancel := context.WithCancel(ctx)
	defer cancel()
	// A stream would go on after Close.
	defer context.AfterFunc(c.closed, cancel)()

	req, err := http.NewRequestWithContext(running, http.MethodPost, "http://starling"+prefix+m.name, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set(clientHeader, c.name)
	resp, err := c.http.Do(req)
	if err != nil {
		return lost(ctx, err)
	}
	defer resp.Body.Close()

	// A line a value: the same for one answer and for a stream without end.
	for r := bufio.NewReader(resp.Body); ; {
		line, err := r.ReadBytes('\n')
		if err == io.EOF && len(line) == 0 {
			return nil
		}
		if err != nil {
			return lost(ctx, err)
		}
		if bytes.HasPrefix(line, []byte(`{"error":{`)) {
			var e failure
			if err := json.Unmarshal(line, &e); err != nil {
				return lost(ctx, err)
			}
			return e.Error
		}
		var v R
		if err := json.Unmarshal(line, &v); err != nil {
			return lost(ctx, err)
		}
		if err := f(v); err != nil {
			return err
		}
	}
}

// lost is the error of a call that was not answered to its end.
func lost(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
		return &api.Error{Code: api.CodeInternal, Message: "the running node answers otherwise", Hint: "it may be of another version: restart it"}
	}
	return closedError
}

func perform[P any](ctx context.Context, c *Client, m method[P, none], args P) error {
	return do(ctx, c, m, args, func(none) error { return nil })
}

func get[P, R any](ctx context.Context, c *Client, m method[P, R], args P) (v R, err error) {
	err = do(ctx, c, m, args, func(got R) error { v = got; return nil })
	return v, err
}

func collect[P, R any](ctx context.Context, c *Client, m method[P, R], args P) ([]R, error) {
	all := []R{}
	if err := do(ctx, c, m, args, func(v R) error { all = append(all, v); return nil }); err != nil {
		return nil, err
	}
	return all, nil
}

func (c *Client) Status(ctx context.Context) (api.Status, error) {
	return get(ctx, c, statusNow, none{})
}

func (c *Client) Invite(ctx context.Context, req api.InviteRequest) (api.Invite, error) {
	return get(ctx, c, invite, req)
}

func (c *Client) Invites(ctx context.Context) ([]api.Invite, error) {
	return collect(ctx, c, invites, none{})
}

func (c *Client) RevokeInvite(ctx context.Context, id string) error {
	return perform(ctx, c, revokeInvite, idArgs{id})
}

func (c *Client) AddContact(ctx context.Context, req api.AddContactRequest) (api.Contact, error) {
	return get(ctx, c, addContact, req)
}

func (c *Client) Contacts(ctx context.Context) ([]api.Contact, error) {
	return collect(ctx, c, contacts, none{})
}

func (c *Client) Conversations(ctx context.Context) ([]api.Contact, error) {
	return collect(ctx, c, chats, none{})
}

func (c *Client) ClearConversation(ctx context.Context, contact string) error {
	return perform(ctx, c, clearConv, contactArgs{contact})
}

func (c *Client) Export(ctx context.Context, req api.ExportRequest) error {
	return perform(ctx, c, export, req)
}

func (c *Client) Verification(ctx context.Context, contact string) (api.Verification, error) {
	return get(ctx, c, verification, contactArgs{contact})
}

func (c *Client) SetVerified(ctx context.Context, contact, seen string) (api.Contact, error) {
	return get(ctx, c, setVerified, verifiedArgs{contact, seen})
}

func (c *Client) RenameContact(ctx context.Context, contact, name string) (api.Contact, error) {
	return get(ctx, c, renameContact, renameArgs{contact, name})
}

func (c *Client) BlockContact(ctx context.Context, contact string, blocked bool) (api.Contact, error) {
	return get(ctx, c, blockContact, blockArgs{contact, blocked})
}

func (c *Client) RemoveContact(ctx context.Context, contact string) error {
	return perform(ctx, c, removeContact, contactArgs{contact})
}

func (c *Client) ChangeConversation(ctx context.Context, req api.ConversationRequest) (api.Contact, error) {
	return get(ctx, c, changeConv, req)
}

func (c *Client) Send(ctx context.Context, req api.SendRequest) (api.Message, error) {
	return get(ctx, c, send, req)
}

func (c *Client) Retry(ctx context.Context, message string) (api.Message, error) {
	return get(ctx, c, retry, idArgs{message})
}

func (c *Client) Discard(ctx context.Context, message string) error {
	return perform(ctx, c, discard, idArgs{message})
}

func (c *Client) Edit(ctx context.Context, req api.EditRequest) (api.Message, error) {
	return get(ctx, c, edit, req)
}

func (c *Client) Delete(ctx context.Context, req api.DeleteRequest) error {
	return perform(ctx, c, remove, req)
}

func (c *Client) React(ctx context.Context, req api.ReactRequest) (api.Message, error) {
	return get(ctx, c, react, req)
}

func (c *Client) Typing(ctx context.Context, contact string) error {
	return perform(ctx, c, typing, contactArgs{contact})
}

func (c *Client) Message(ctx context.Context, id string) (api.Message, error) {
	return get(ctx, c, message, idArgs{id})
}

func (c *Client) History(ctx context.Context, req api.HistoryRequest) ([]api.Message, error) {
	return collect(ctx, c, history, req)
}

func (c *Client) Search(ctx context.Context, req api.SearchRequest) ([]api.Message, error) {
	return collect(ctx, c, search, req)
}

func (c *Client) MarkRead(ctx context.Context, contact string) error {
	return perform(ctx, c, markRead, contactArgs{contact})
}

func (c *Client) Drafts(ctx context.Context) ([]api.Draft, error) {
	return collect(ctx, c, drafts, none{})
}

func (c *Client) SaveDraft(ctx context.Context, draft api.Draft) error {
	return perform(ctx, c, saveDraft, draft)
}

func (c *Client) Settings(ctx context.Context) (api.Settings, error) {
	return get(ctx, c, settings, none{})
}

func (c *Client) ChangeSettings(ctx context.Context, change api.SettingsChange) (api.Settings, error) {
	return get(ctx, c, changeSettings, change)
}

func (c *Client) Lock(ctx context.Context) error { return perform(ctx, c, lock, none{}) }

// Enter lets a locked profile serve this client.
func (c *Client) Enter(ctx context.Context, passphrase string) error {
	return perform(ctx, c, enter, passphraseArgs{passphrase})
}

func (c *Client) Unlock(ctx context.Context, passphrase string) error {
	return perform(ctx, c, unlock, passphraseArgs{passphrase})
}

func (c *Client) TryOthers(ctx context.Context) error { return perform(ctx, c, tryOthers, none{}) }

func (c *Client) ChangePassphrase(ctx context.Context, req api.PassphraseRequest) error {
	return perform(ctx, c, changePassphrase, req)
}

func (c *Client) Backup(ctx context.Context, req api.BackupRequest) error {
	return perform(ctx, c, backup, req)
}

func (c *Client) Wipe(ctx context.Context) error { return perform(ctx, c, wipe, none{}) }

func (c *Client) Events(ctx context.Context, after int64, f func(api.Event) error) error {
	return do(ctx, c, events, eventArgs{after}, f)
}
