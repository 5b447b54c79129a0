package main

import (
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// A target is one kind of machine.
type target struct {
	os, arch string
	level    string // GOARM
	deb, rpm string // names of the architecture, on Linux
}

var targets = []target{
	{os: "linux", arch: "amd64", deb: "amd64", rpm: "x86_64"},
	{os: "linux", arch: "arm64", deb: "arm64", rpm: "aarch64"},
	{os: "linux", arch: "arm", level: "7", deb: "armhf", rpm: "armv7hl"},
	{os: "linux", arch: "386", deb: "i386", rpm: "i686"},
	{os: "freebsd", arch: "amd64"},
	{os: "darwin", arch: "arm64"},
	{os: "darwin", arch: "amd64"},
	{os: "windows", arch: "amd64"},
}

func (t target) String() string { return t.os + "/" + t.arch }

// file returns the name of the program.
func (t target) file() string {
	if t.os == "windows" {
		return "starling.exe"
	}
	return "starling"
}

// choose returns the targets of some names, or all.
func choose(names []string) ([]target, error) {
	if len(names) == 0 {
		return targets, nil
	}
	var chosen []target
	for _, name := range names {
		i := slices.IndexFunc(targets, func(t target) bool { return t.String() == name })
		if i < 0 {
			return nil, fmt.Errorf("there is no target %q; there are %v", name, targets)
		}
		chosen = append(chosen, targets[i])
	}
	return chosen, nil
}

// program is where the program of a target is put.
func (r *release) program(t target) string {
	return filepath.Join(r.stage, t.os+"_"+t.arch, t.file())
}

// build builds the program. Everything that would change a byte of it is named here, and
// nothing is taken from the environment but where Go keeps its files.
func (r *release) build(t target, to string) error {
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-mod=readonly",
		"-ldflags", "-s -w -buildid= -X starling/cmd/internal/buildinfo.version="+r.version+" -X starling/cmd/internal/buildinfo.commit="+r.commit,
		"-o", to, "./cmd/starling")
	cmd.Env = append(goless(os.Environ()), "CGO_ENABLED=0", "GOOS="+t.os, "GOARCH="+t.arch)
	if t.level != "" {
		cmd.Env = append(cmd.Env, "GOARM="+t.level)
	}
	cmd.Stderr = os.Stderr
	return cmd.Run()
}

// goless leaves out the variables with an influence on a build.
func goless(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(s string) bool {
		name, _, _ := strings.Cut(s, "=")
		switch name {
		case "GOFLAGS", "GOEXPERIMENT", "GOOS", "GOARCH", "GOAMD64", "GOARM", "GOARM64", "GO386", "GOFIPS140", "GODEBUG":
			return true
		}
		return false
	})
}

// manual writes the man pages, compressed, and the completions of shells, as the program
// of this machine prints them.
func (r *release) manual() error {
	t := target{os: runtime.GOOS, arch: runtime.GOARCH}
	here := filepath.Join(r.stage, "here", t.file())
	if err := r.build(t, here); err != nil {
		return err
	}
	man := filepath.Join(r.stage, "man")
	cmd := exec.Command(here, "man", man)
	cmd.Env = append(os.Environ(), fmt.Sprintf("SOURCE_DATE_EPOCH=%d", r.date.Unix()))
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("man pages: %w", err)
	}
	pages, err := filepath.Glob(filepath.Join(man, "*.1"))
	if err != nil || len(pages) == 0 {
		return fmt.Errorf("man pages: there are %d, %v", len(pages), err)
	}
	for _, page := range pages {
		if err := compress(page); err != nil {
			return err
		}
	}

	completions := filepath.Join(r.stage, "completions")
	if err := os.Mkdir(completions, 0o755); err != nil {
		return err
	}
	for shell, name := range map[string]string{"bash": "starling.bash", "zsh": "_starling", "fish": "starling.fish", "powershell": "starling.ps1"} {
		text, err := exec.Command(here, "completion", shell).Output()
		if err == nil {
			err = os.WriteFile(filepath.Join(completions, name), text, 0o644)
		}
		if err != nil {
			return fmt.Errorf("completion for %s: %w", shell, err)
		}
	}
	return nil
}

// compress replaces a file with its compression, without a name or a time in it.
func compress(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	f, err := os.Create(path + ".gz")
	if err != nil {
		return err
	}
	defer f.Close()
	w, _ := gzip.NewWriterLevel(f, gzip.BestCompression)
	if _, err := w.Write(b); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return os.Remove(path)
}

// tool runs one of the packers.
func (r *release) tool(name string, env []string, args ...string) error {
	cmd := exec.Command("go", append([]string{"tool", "-modfile=" + filepath.Join(folder, "tools", "go.mod"), name}, args...)...)
	// The bill of materials has a checksum of its maker: its paths are trimmed, too.
	cmd.Env = append(append(goless(os.Environ()), "CGO_ENABLED=0", "GOFLAGS=-trimpath -buildvcs=false", fmt.Sprintf("SOURCE_DATE_EPOCH=%d", r.date.Unix())), env...)
	said, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", name, err, said)
	}
	return nil
}

// folder is that of this command, from the top of the source.
var folder = filepath.Join("cmd", "internal", "release")

// materials writes the bill of materials: the modules that are in the program, as the
// program itself says.
func (r *release) materials(t target) error {
	return r.tool("cyclonedx-gomod", nil, "bin", "-json", "-noserial", "-notimestamp", "-version", "v"+strings.TrimPrefix(r.version, "v"),
		"-output", filepath.Join(r.out, r.base(t)+".cdx.json"), r.program(t))
}

// base is the beginning of the names of a target's files.
func (r *release) base(t target) string {
	return fmt.Sprintf("starling_%s_%s_%s", r.version, t.os, t.arch)
}

// packages writes the packages of a Linux.
func (r *release) packages(t target) error {
	for kind, to := range map[string]string{
		"deb": fmt.Sprintf("starling_%s_%s.deb", packageVersion(r.version), t.deb),
		"rpm": fmt.Sprintf("starling-%s-1.%s.rpm", packageVersion(r.version), t.rpm),
	} {
		env := []string{
			"STAGE=" + r.stage, "PROGRAM=" + r.program(t),
			"VERSION=" + packageVersion(r.version), "ARCH=" + t.arch + t.level,
		}
		err := r.tool("nfpm", env, "package", "--config", filepath.Join(folder, "files", "nfpm.yaml"), "--packager", kind, "--target", filepath.Join(r.out, to))
		if err != nil {
			return err
		}
	}
	return nil
}

// packageVersion makes a version that packagers know to order. A tree without a number is
// before all that have one.
func packageVersion(version string) string {
	v := strings.TrimPrefix(version, "v")
	if v == "" || v[0] < '0' || v[0] > '9' || !strings.Contains(v, ".") {
		return "0.0.0~" + strings.ReplaceAll(v, "-", ".")
	}
	return strings.ReplaceAll(v, "-", "~")
}

// checksums writes the sums of all files of a folder as sha256sum does.
func checksums(dir, to string) error {
	all, err := os.ReadDir(dir) // sorted
	if err != nil {
		return err
	}
	var list strings.Builder
	for _, e := range all {
		f, err := os.Open(filepath.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		h := sha256.New()
		_, err = io.Copy(h, f)
		f.Close()
		if err != nil {
			return err
		}
		fmt.Fprintf(&list, "%x  %s\n", h.Sum(nil), e.Name())
	}
	return os.WriteFile(to, []byte(list.String()), 0o644)
}
