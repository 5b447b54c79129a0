package tuitest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"starling/node/api"
)

func (n *Node) ClearConversation(ctx context.Context, contact string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.begin(ctx, "ClearConversation"); err != nil {
		return err
	}
	c, err := n.who(contact)
	if err != nil {
		return err
	}
	delete(n.messages, c.ID)
	delete(n.drafts, c.ID)
	n.unread[c.ID] = 0
	n.tell(api.Event{Kind: api.EventCleared, Conversation: c.ID})
	n.tellContact(c.ID)
	return nil
}

func (n *Node) Export(ctx context.Context, req api.ExportRequest) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.begin(ctx, "Export", req.Format, req.Path); err != nil {
		return err
	}
	c, err := n.who(req.Contact)
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
	case strings.HasSuffix(req.Path, "taken") || n.files[req.Path] != nil || there == nil:
		return errNoFile
	case err != nil || !folder.IsDir():
		return refused(api.CodeUsage, "there is no such folder")
	}
	var b strings.Builder
	for _, m := range n.messages[c.ID] {
		fmt.Fprintf(&b, "%s: %s\n", m.From, m.Text)
	}
	n.files[req.Path] = []byte(b.String())
	return nil
}
