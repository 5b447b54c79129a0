package main

import (
	"archive/tar"
	"cmp"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"
)

// An entry is one file of an archive.
type entry struct {
	name string // in the archive
	from string
	mode int64
}

// archive writes the archive of a target: a tarball under xz, which every system in use
// opens by itself, Windows from 11 on.
func (r *release) archive(t target) error {
	top := r.base(t)
	entries := []entry{
		{path.Join(top, t.file()), r.program(t), 0o755},
		{path.Join(top, "LICENSE"), "LICENSE", 0o644},
		{path.Join(top, "README.md"), "README.md", 0o644},
		{path.Join(top, "OPERATORS.md"), "docs/OPERATORS.md", 0o644},
		{path.Join(top, "UPGRADING.md"), "docs/UPGRADING.md", 0o644},
	}
	if t.os == "linux" {
		for _, name := range []string{"starling-relay.service", "relay.toml"} {
			entries = append(entries, entry{path.Join(top, name), filepath.Join(folder, "files", name), 0o644})
		}
		for _, name := range []string{"Containerfile", "compose.yaml", "prometheus.yml", "alerts.yml", "grafana.json"} {
			entries = append(entries, entry{path.Join(top, name), filepath.Join("docs", "operators", name), 0o644})
		}
	}
	for _, dir := range []string{"man", "completions"} {
		all, err := os.ReadDir(filepath.Join(r.stage, dir))
		if err != nil {
			return err
		}
		for _, e := range all {
			entries = append(entries, entry{path.Join(top, dir, e.Name()), filepath.Join(r.stage, dir, e.Name()), 0o644})
		}
	}

	to := filepath.Join(r.out, top+".tar")
	if err := tarball(to, entries, r.date); err != nil {
		return err
	}
	return r.tool("gxz", nil, "--force", to) // gzip makes a third more of it
}

func sorted(entries []entry) []entry {
	return slices.SortedFunc(slices.Values(entries), func(a, b entry) int { return cmp.Compare(a.name, b.name) })
}

// tarball writes entries in the order of their names, of one time and of root.
func tarball(to string, entries []entry, at time.Time) error {
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	defer f.Close()
	w := tar.NewWriter(f)

	for _, e := range sorted(entries) {
		b, err := os.ReadFile(e.from)
		if err != nil {
			return err
		}
		h := &tar.Header{Name: e.name, Mode: e.mode, Size: int64(len(b)), ModTime: at, Uname: "root", Gname: "root", Format: tar.FormatUSTAR}
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		if _, err := w.Write(b); err != nil {
			return err
		}
	}

	for _, c := range []io.Closer{w, f} {
		if err := c.Close(); err != nil {
			return err
		}
	}
	return nil
}
