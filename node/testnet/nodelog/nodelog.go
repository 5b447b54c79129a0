// Package nodelog writes what nodes of one process log into a file for each of them:
// r3.log is that of relay 3, u0.log that of user 0, mesh.log that of no node.
package nodelog

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"sync"
)

// mesh is the file of records that belong to no node.
const mesh = "mesh"

// File returns the log of a node in a folder of logs.
func File(dir, node string) string { return filepath.Join(dir, node+".log") }

// A handler writes the records of one node.
type handler struct {
	dir, node string
	inner     slog.Handler // formats into buffer
	buffer    *bytes.Buffer
	mu        *sync.Mutex // of all handlers of a folder
}

// New returns a logger that tells nodes apart by the attributes "relay" and "user", and
// says no less than level. The folder is made with the first record.
func New(dir string, level slog.Leveler) *slog.Logger {
	buffer := &bytes.Buffer{}
	return slog.New(handler{dir, mesh, slog.NewTextHandler(buffer, &slog.HandlerOptions{Level: level}), buffer, &sync.Mutex{}})
}

func (h handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.inner.Enabled(ctx, level)
}

// Handle appends to the node's file, which is open only for the moment: there may be a
// thousand of them.
func (h handler) Handle(ctx context.Context, r slog.Record) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.buffer.Reset()
	if err := h.inner.Handle(ctx, r); err != nil {
		return err
	}
	if err := os.MkdirAll(h.dir, 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(File(h.dir, h.node), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.Write(h.buffer.Bytes())
	return err
}

func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	for _, a := range attrs {
		if n, ok := index(a.Value); ok && h.node == mesh {
			switch a.Key {
			case "relay":
				h.node = "r" + n
			case "user":
				h.node = "u" + n
			}
		}
	}
	h.inner = h.inner.WithAttrs(attrs)
	return h
}

// index returns the number of a node.
func index(v slog.Value) (n string, ok bool) {
	if v.Kind() != slog.KindInt64 {
		return "", false
	}
	return strconv.FormatInt(v.Int64(), 10), true
}

func (h handler) WithGroup(name string) slog.Handler {
	h.inner = h.inner.WithGroup(name)
	return h
}
