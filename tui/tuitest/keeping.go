package tuitest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"starling/node/api"
)

// keeping is what an owner does with a profile as a whole, and with a whole conversation.
type keeping struct{ node *Node }

func (k keeping) ClearConversation(ctx context.Context, contact string) error {
	k.node.mu.Lock()
	defer k.node.mu.Unlock()
	if err := k.node.begin(ctx, "ClearConversation"); err != nil {
		return err
	}
	c, err := k.node.who(contact)
	if err != nil {
		return err
	}
	delete(k.node.messages, c.ID)
	delete(k.node.drafts, c.ID)
	k.node.unread[c.ID] = 0
	k.node.tell(api.Event{Kind: api.EventCleared, Conversation: c.ID})
	k.node.tellContact(c.ID)
	return nil
}

func (k keeping) Export(ctx context.Context, req api.ExportRequest) error {
	k.node.mu.Lock()
	defer k.node.mu.Unlock()
	if err := k.node.begin(ctx, "Export", req.Format, req.Path); err != nil {
		return err
	}
	c, err := k.node.who(req.Contact)
	if err != nil {
		return err
	}
	switch req.Format {
	case api.ExportText, api.ExportJSON, api.ExportHTML:
	default:
		return refused(api.CodeUsage, "there is no such format of an export")
	}

	folder, err := os.Stat(filepath.Dir(req.Path))
	_, there := os.Lstat(req.Path)
	switch {
	case !filepath.IsAbs(req.Path):
		return refused(api.CodeUsage, "the path of an export is absolute")
	case strings.HasSuffix(req.Path, "taken") || k.node.files[req.Path] != nil || there == nil:
		return errNoFile
	case err != nil || !folder.IsDir():
		return refused(api.CodeUsage, "there is no such folder")
	}
	var b strings.Builder
	for _, m := range k.node.messages[c.ID] {
		fmt.Fprintf(&b, "%s: %s\n", m.From, m.Text)
	}
	k.node.files[req.Path] = []byte(b.String())
	return nil
}

func (k keeping) Lock(ctx context.Context) error {
	k.node.mu.Lock()
	defer k.node.mu.Unlock()
	return k.node.begin(ctx, "Lock")
}

func (k keeping) Unlock(ctx context.Context, passphrase string) error {
	defer k.node.gate(ctx, "Unlock")
	k.node.mu.Lock()
	defer k.node.mu.Unlock()
	if err := k.node.begin(ctx, "Unlock"); err != nil {
		return err
	}
	if passphrase != k.node.passphrase {
		return &api.Error{Code: api.CodeWrongPassphrase, Message: "this is not the passphrase of the profile"}
	}
	return nil
}

func (k keeping) TryOthers(ctx context.Context) error {
	k.node.mu.Lock()
	defer k.node.mu.Unlock()
	return k.node.begin(ctx, "TryOthers")
}

func (k keeping) ChangePassphrase(ctx context.Context, req api.PassphraseRequest) error {
	k.node.mu.Lock()
	defer k.node.mu.Unlock()
	if err := k.node.begin(ctx, "ChangePassphrase", req.New); err != nil {
		return err
	}
	if req.Old != k.node.passphrase {
		return &api.Error{Code: api.CodeWrongPassphrase, Message: "this is not the passphrase of the profile"}
	}
	k.node.passphrase = req.New
	return nil
}

func (k keeping) Backup(ctx context.Context, req api.BackupRequest) error {
	k.node.mu.Lock()
	defer k.node.mu.Unlock()
	if err := k.node.begin(ctx, "Backup", req.Path); err != nil {
		return err
	}
	switch folder, err := os.Stat(filepath.Dir(req.Path)); {
	case strings.HasSuffix(req.Path, "taken") || k.node.files[req.Path] != nil:
		return errNoFile
	case req.Passphrase == "":
		return refused(api.CodeUsage, "the passphrase of the backup is empty")
	case err != nil || !folder.IsDir():
		return refused(api.CodeUsage, "there is no such folder")
	}
	if at, err := os.Stat(req.Path); err == nil && at.IsDir() {
		return errNoFile
	}
	k.node.files[req.Path] = []byte("age-encryption.org/v1\n-> scrypt ")
	return nil
}

// ReadFile returns a backup.
func (k keeping) ReadFile(path string) ([]byte, error) {
	k.node.mu.Lock()
	defer k.node.mu.Unlock()
	if b := k.node.files[path]; b != nil {
		return b, nil
	}
	return nil, os.ErrNotExist
}

func (k keeping) Wipe(ctx context.Context) error {
	k.node.mu.Lock()
	defer k.node.mu.Unlock()
	if err := k.node.begin(ctx, "Wipe"); err != nil {
		return err
	}
	k.node.wiped = true
	close(k.node.broken)
	k.node.broken = make(chan struct{})
	k.node.rooms.in = map[string]*stay{}
	k.node.contacts, k.node.messages, k.node.drafts = nil, map[string][]api.Message{}, map[string]api.Draft{}
	return nil
}
