package node

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"starling/node/api"
	"starling/node/nettest"
)

// TestExportIsPrivate: an export is a new file that only its owner may open, whatever lies
// at its name; one that fails leaves nothing.
func TestExportIsPrivate(t *testing.T) {
	ada := newUser(t, nettest.New(5), "Ada")
	ctx := t.Context()
	for i := range exportPage + 3 {
		if _, err := ada.Send(ctx, api.SendRequest{Contact: api.Self, Text: strings.Repeat("x", i%7+1)}); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "all.json")
	if err := ada.Export(ctx, api.ExportRequest{Contact: api.Self, Path: path, Format: api.ExportJSON}); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if b, err := os.ReadFile(path); err != nil || strings.Count(string(b), "\n") != exportPage+3 {
		t.Errorf("%d lines, %v", strings.Count(string(b), "\n"), err)
	}

	// Neither a link nor what it leads to is written.
	elsewhere, link := filepath.Join(dir, "elsewhere"), filepath.Join(dir, "link")
	if err := os.Symlink(elsewhere, link); err != nil {
		t.Fatal(err)
	}
	err = ada.Export(ctx, api.ExportRequest{Contact: api.Self, Path: link, Format: api.ExportText})
	if _, there := os.Stat(elsewhere); api.CodeOf(err) != api.CodeUsage || !os.IsNotExist(there) {
		t.Errorf("over a link: %v, %v", err, there)
	}

	// A node that closes in the middle leaves no half.
	half := filepath.Join(dir, "half.txt")
	ada.cancel()
	err = ada.Export(ctx, api.ExportRequest{Contact: api.Self, Path: half, Format: api.ExportText})
	if _, there := os.Stat(half); api.CodeOf(err) != api.CodeClosed || !os.IsNotExist(there) {
		t.Errorf("cut short: %v, %v", err, there)
	}
}
