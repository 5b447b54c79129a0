// Command release makes the files of a release: for each system an archive, for Linux also
// Debian and RPM packages, for each program a bill of materials, and the checksums of
// all. Two of the same source and the same Go are equal to the byte, in any folder and at
// any time.
//
//	make release VERSION=1.2.0           everything, in bin/release
//	make packages                        packages and archive of this machine's kind, of the tree as it is
//	make release-check                   two of them compared; packages installed, upgraded, removed
//
// The folder files has the neighbours of the program in a package: the unit of the
// relay, its configuration, the scripts of the packages, and nfpm.yaml, the list of all with their
// places. The packers are tools with a module of their own, in the folder tools, so
// that the program's does not know them.
//
// Nothing of the machine goes in: the flags are fixed here, paths are trimmed, times are
// that of the commit or $SOURCE_DATE_EPOCH, owners are root, and lists are sorted.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run() error {
	version := flag.String("version", "", "the version, like 1.2.0")
	out := flag.String("out", "bin/release", "the folder for it, made anew")
	commit := flag.String("commit", "", "the commit; that of the work tree if there is one")
	only := flag.String("targets", "", "systems like linux/amd64, with blanks between; all of them if empty")
	flag.Parse()

	r, err := newRelease(*version, *out, *commit)
	if err != nil {
		return err
	}
	targets, err := choose(strings.Fields(*only))
	if err != nil {
		return err
	}
	return r.make(targets)
}

// A release is one version in the making.
type release struct {
	version string
	commit  string
	date    time.Time
	out     string
	stage   string // a temporary folder
}

func newRelease(version, out, commit string) (*release, error) {
	if version == "" {
		return nil, errors.New("-version is missing, like 1.2.0")
	}
	if strings.ContainsFunc(version, func(r rune) bool {
		return !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune(".+~-", r))
	}) {
		return nil, fmt.Errorf("version %q: letters, digits and . + ~ - only", version)
	}

	r := &release{version: version, out: out, commit: commit}
	if commit == "" {
		r.commit, _ = git("rev-parse", "HEAD") // none in a source archive
	}
	epoch := os.Getenv("SOURCE_DATE_EPOCH")
	if epoch == "" {
		var err error
		if epoch, err = git("log", "-1", "--format=%ct"); err != nil {
			return nil, errors.New("no commit gives the date: set SOURCE_DATE_EPOCH")
		}
	}
	seconds, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("SOURCE_DATE_EPOCH: %w", err)
	}
	r.date = time.Unix(seconds, 0).UTC()
	return r, nil
}

// git asks about the work tree, whoever owns it.
func git(args ...string) (string, error) {
	b, err := exec.Command("git", append([]string{"-c", "safe.directory=*"}, args...)...).Output()
	return strings.TrimSpace(string(b)), err
}

// make makes everything, and the list of checksums last.
func (r *release) make(targets []target) (err error) {
	if r.stage, err = os.MkdirTemp("", "starling-release-"); err != nil {
		return err
	}
	defer os.RemoveAll(r.stage)
	if err := os.RemoveAll(r.out); err != nil {
		return err
	}
	if err := os.MkdirAll(r.out, 0o755); err != nil {
		return err
	}
	if err := r.manual(); err != nil {
		return err
	}

	for _, t := range targets {
		fmt.Println("release", t)
		if err := r.build(t, r.program(t)); err != nil {
			return err
		}
		if err := r.archive(t); err != nil {
			return err
		}
		if err := r.materials(t); err != nil {
			return err
		}
		if t.os == "linux" {
			if err := r.packages(t); err != nil {
				return err
			}
		}
	}
	return checksums(r.out, filepath.Join(r.out, "SHA256SUMS"))
}
