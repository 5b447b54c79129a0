package node

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"starling/node/api"
	"starling/node/api/safetext"
	"starling/node/export"
	"starling/node/store"
)

// exportPage is how many messages are read at a time, with everybody else waiting.
const exportPage = 256

// Export writes a conversation to a new file. If it fails there is no file.
func (n *Node) Export(ctx context.Context, req api.ExportRequest) (err error) {
	if !export.Known(req.Format) {
		return &api.Error{Code: api.CodeUsage, Message: "there is no such format of an export", Hint: "there are text, json and html"}
	}
	if !filepath.IsAbs(req.Path) {
		return &api.Error{Code: api.CodeUsage, Message: "the path of an export is absolute", Hint: "begin it with the folder"}
	}
	var c store.Contact
	err = n.view(ctx, func(tx *store.Tx) (err error) { c, err = find(tx, req.Contact); return err })
	if err != nil {
		return err
	}

	// A new file, also if the name is that of a link.
	f, err := os.OpenFile(req.Path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return exportError(err)
	}
	defer func() {
		err = errors.Join(err, f.Close())
		if err != nil {
			os.Remove(req.Path)
			err = exportError(err)
		}
	}()

	w := export.New(f, req.Format, safetext.Line(c.Name), time.Now(), time.Local)
	// A page at a time: a long conversation does not fit into memory, and others wait meanwhile.
	for after, more := int64(0), true; more; {
		var page []api.Message
		err := n.view(ctx, func(tx *store.Tx) error {
			rows, err := tx.HistoryAfter(c.ID, after, exportPage)
			if err == nil {
				page, err = n.newViewer(tx).messages(rows, true)
			}
			for i := 0; err == nil && i < len(page); i++ {
				// Pictures come with the page, files do not.
				if f := page[i].File; f != nil {
					f.Data, err = tx.Attachment(rows[i].ID)
				}
			}
			return err
		})
		if err != nil {
			return err
		}
		for _, m := range page {
			w.Message(m)
			after = m.Sequence
		}
		if more = len(page) == exportPage; n.ctx.Err() != nil {
			return closedError
		}
	}
	return errors.Join(w.Close(), f.Sync())
}

// exportError puts the fault of a file into words.
func exportError(err error) error {
	e := &api.Error{Code: api.CodeUsage}
	switch {
	case errors.Is(err, fs.ErrExist):
		set(e, api.CodeUsage, "there is a file of this name already", "choose another name for the export")
	case errors.Is(err, fs.ErrNotExist):
		set(e, api.CodeUsage, "there is no such folder", "make the folder first, or choose another")
	case errors.Is(err, fs.ErrPermission):
		set(e, api.CodeUsage, "the export may not be written there", "choose another folder")
	case store.Full(err):
		set(e, api.CodeDiskFull, "no space left on the disk", "free some space; nothing was lost, and nothing was half written")
	default:
		return apiError(err)
	}
	return e
}
