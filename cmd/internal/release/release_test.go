package main

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

var (
	made  = flag.String("made", "", "the folder of a release that was made, for the tests of packages: make release-check")
	again = flag.String("again", "", "the folder of the same release, made in another place")
)

// maxSize is what a package or an archive may have at most, compressed.
const maxSize = 20 << 20

// TestVersions: a version is one that packagers order, and what is none comes first.
func TestVersions(t *testing.T) {
	for version, want := range map[string]string{
		"1.2.0": "1.2.0", "v1.2.0": "1.2.0", "1.2.0-rc.1": "1.2.0~rc.1", "v1.2.0-3-gabc": "1.2.0~3~gabc",
		"a7c414a": "0.0.0~a7c414a", "7c414a0": "0.0.0~7c414a0", "a7c414a-dirty": "0.0.0~a7c414a.dirty", "v": "0.0.0~",
	} {
		if got := packageVersion(version); got != want {
			t.Errorf("%s: %s, want %s", version, got, want)
		}
	}

	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	for _, bad := range []string{"", "1.0 rc", "1.0/../../x", "1.0\n", "$(id)"} {
		if _, err := newRelease(bad, t.TempDir(), "c"); err == nil {
			t.Errorf("%q is a version", bad)
		}
	}
	t.Setenv("SOURCE_DATE_EPOCH", "yesterday")
	if _, err := newRelease("1.0", t.TempDir(), "c"); err == nil {
		t.Error("yesterday is a date")
	}
	if _, err := choose([]string{"linux/amd64", "plan9/mips"}); err == nil {
		t.Error("an unknown system is a target")
	}
}

// TestArchives: an archive is the same whenever its files were written, and in whatever
// order they are named.
func TestArchives(t *testing.T) {
	for name, write := range map[string]func(string, []entry, time.Time) error{"tar": tarball} {
		var last []byte
		for i := range 2 {
			dir := t.TempDir()
			var entries []entry
			for _, f := range []string{"b", "a", "c"} {
				path := filepath.Join(dir, f)
				if err := os.WriteFile(path, []byte("of "+f), 0o600); err != nil {
					t.Fatal(err)
				}
				if err := os.Chtimes(path, time.Time{}, time.Unix(int64(i)*1e6, 0)); err != nil {
					t.Fatal(err)
				}
				entries = append(entries, entry{"top/" + f, path, 0o644})
			}
			if i == 1 {
				slices.Reverse(entries)
			}
			to := filepath.Join(dir, "archive")
			if err := write(to, entries, time.Unix(1_700_000_000, 0).UTC()); err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(to)
			if err != nil {
				t.Fatal(err)
			}
			if i == 1 && !bytes.Equal(b, last) {
				t.Errorf("%s: two are not the same", name)
			}
			last = b
		}
	}
}

// TestScripts: the scripts of the packages are ones that a shell reads, and none of them
// deletes anything.
func TestScripts(t *testing.T) {
	scripts, _ := filepath.Glob("files/*.sh")
	if len(scripts) != 3 {
		t.Fatalf("%d scripts", len(scripts))
	}
	for _, s := range scripts {
		if out, err := exec.Command("sh", "-n", s).CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", s, err, out)
		}
		b, err := os.ReadFile(s)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(b), "rm ") || strings.Contains(string(b), "rmdir") {
			t.Errorf("%s deletes something", s)
		}
	}
}

// release returns the folder of the release that was made, or skips.
func releaseMade(t *testing.T) string {
	t.Helper()
	if *made == "" {
		t.Skip("no release was made for it: make release-check")
	}
	return *made
}

// needs skips without a program or root's rights.
func needs(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			t.Skipf("%s is not installed", p)
		}
	}
	if os.Getuid() != 0 {
		t.Skip("only root may install packages, also into a folder")
	}
}

// TestReproducible: what was made twice, in two folders and with another cache, is equal to
// the byte.
func TestReproducible(t *testing.T) {
	one := releaseMade(t)
	if *again == "" {
		t.Skip("it was made once")
	}
	files, err := os.ReadDir(*again)
	if err != nil || len(files) < 5 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, f := range files {
		if f.Name() == "SHA256SUMS" {
			continue // of more or fewer systems
		}
		a, err := os.ReadFile(filepath.Join(one, f.Name()))
		if err != nil {
			t.Error(err)
			continue
		}
		b, err := os.ReadFile(filepath.Join(*again, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a, b) {
			t.Errorf("%s: %d bytes and %d, not the same", f.Name(), len(a), len(b))
		}
	}
}

// TestSums: the list of checksums has every file, each is right and small enough.
func TestSums(t *testing.T) {
	dir := releaseMade(t)
	cmd := exec.Command("sha256sum", "--strict", "-c", "SHA256SUMS")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
	list, err := os.ReadFile(filepath.Join(dir, "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		if f.Name() != "SHA256SUMS" && !strings.Contains(string(list), "  "+f.Name()+"\n") {
			t.Errorf("%s has no checksum", f.Name())
		}
		if info.Size() > maxSize {
			t.Errorf("%s has %d bytes, at most %d", f.Name(), info.Size(), maxSize)
		}
		t.Logf("%-45s %5.1f MiB", f.Name(), float64(info.Size())/(1<<20))
	}
}

// TestMaterials: the bill of materials names what the program is made of, without a time
// or a serial number.
func TestMaterials(t *testing.T) {
	dir := releaseMade(t)
	bills, _ := filepath.Glob(filepath.Join(dir, "*.cdx.json"))
	if len(bills) == 0 {
		t.Fatal("there is none")
	}
	for _, bill := range bills {
		b, err := os.ReadFile(bill)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{`"bomFormat": "CycloneDX"`, "github.com/libp2p/go-libp2p@v", "github.com/cloudflare/circl@v"} {
			if !bytes.Contains(b, []byte(want)) {
				t.Errorf("%s has no %s", bill, want)
			}
		}
		for _, no := range []string{`"timestamp"`, `"serialNumber"`} {
			if bytes.Contains(b, []byte(no)) {
				t.Errorf("%s has a %s", bill, no)
			}
		}
	}
}

// A root is an empty machine's disk, with a package in it.
type root struct {
	t   *testing.T
	dir string
	deb string
}

// newRoot installs the Debian package of this machine into an empty folder.
func newRoot(t *testing.T) *root {
	t.Helper()
	dir := releaseMade(t)
	needs(t, "dpkg", "dpkg-deb")
	all, _ := filepath.Glob(filepath.Join(dir, "*_"+runtime.GOARCH+".deb"))
	if len(all) != 1 {
		t.Skipf("the release has %d packages for this machine", len(all))
	}
	r := &root{t: t, dir: t.TempDir(), deb: all[0]}
	for _, d := range []string{"info", "updates"} {
		if err := os.MkdirAll(r.path("var/lib/dpkg", d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range []string{"status", "available"} {
		if err := os.WriteFile(r.path("var/lib/dpkg", f), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	r.dpkg("-i", r.deb)
	return r
}

func (r *root) path(parts ...string) string {
	return filepath.Join(append([]string{r.dir}, parts...)...)
}

func (r *root) dpkg(args ...string) {
	r.t.Helper()
	// The scripts run beside the folder: it has no shell.
	cmd := exec.Command("dpkg", append([]string{"--root=" + r.dir, "--force-script-chrootless", "--force-confold"}, args...)...)
	cmd.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin:/sbin", "LC_ALL=C")
	if out, err := cmd.CombinedOutput(); err != nil {
		r.t.Fatalf("dpkg %v: %v\n%s", args, err, out)
	}
}

func (r *root) read(path string) string {
	r.t.Helper()
	b, err := os.ReadFile(r.path(path))
	if err != nil {
		r.t.Error(err)
	}
	return string(b)
}

func (r *root) write(path, text string) {
	r.t.Helper()
	path = r.path(path)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		r.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// TestInstalled: the package puts everything in its place, and the program in it runs.
func TestInstalled(t *testing.T) {
	r := newRoot(t)
	for _, f := range []string{
		"etc/starling/relay.toml", "usr/lib/systemd/system/starling-relay.service",
		"usr/share/man/man1/starling.1.gz", "usr/share/man/man1/starling-relay.1.gz",
		"usr/share/bash-completion/completions/starling", "usr/share/zsh/vendor-completions/_starling",
		"usr/share/fish/vendor_completions.d/starling.fish", "usr/share/doc/starling/OPERATORS.md", "usr/share/doc/starling/copyright",
	} {
		if r.read(f) == "" {
			t.Errorf("%s is empty", f)
		}
	}
	out, err := exec.Command(r.path("usr/bin/starling"), "version", "--json").Output()
	if err != nil || !strings.Contains(string(out), `"version":`) || !strings.Contains(string(out), `"commit":`) {
		t.Errorf("%s, %v", out, err)
	}
}

// TestUpgradeAndRemoval: a newer package, removal and even purge keep the relay's folder,
// and an edited configuration outlives what it may.
func TestUpgradeAndRemoval(t *testing.T) {
	r := newRoot(t)
	const key, conf = "var/lib/private/starling/relay/relay.key", "etc/starling/relay.toml"
	r.write(key, "the key")
	r.write(conf, "# mine\n")

	unpacked := t.TempDir()
	newer := filepath.Join(t.TempDir(), "newer.deb")
	run := func(name string, args ...string) {
		t.Helper()
		if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
			t.Fatalf("%s %v: %v\n%s", name, args, err, out)
		}
	}
	run("dpkg-deb", "-R", r.deb, unpacked)
	run("sed", "-i", "s/^Version: .*/Version: 999.0/", filepath.Join(unpacked, "DEBIAN/control"))
	run("dpkg-deb", "-Znone", "-b", unpacked, newer)

	r.dpkg("-i", newer)
	if !strings.Contains(r.read("var/lib/dpkg/status"), "Version: 999.0") {
		t.Error("it was not upgraded")
	}
	if r.read(conf) != "# mine\n" || r.read(key) != "the key" {
		t.Error("an upgrade changed the configuration or the key")
	}
	r.dpkg("-r", "starling")
	if r.read(conf) != "# mine\n" || r.read(key) != "the key" {
		t.Error("a removal changed the configuration or the key")
	}
	if _, err := os.Stat(r.path("usr/bin/starling")); err == nil {
		t.Error("a removal left the program")
	}
	r.dpkg("-P", "starling")
	if r.read(key) != "the key" {
		t.Error("a purge took the key")
	}
	if _, err := os.Stat(r.path(conf)); err == nil {
		t.Error("a purge left the configuration")
	}
}

// TestRPM: the RPM package is installed, verified and removed, and leaves the key.
func TestRPM(t *testing.T) {
	dir := releaseMade(t)
	needs(t, "rpm")
	arch := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH]
	all, _ := filepath.Glob(filepath.Join(dir, "*."+arch+".rpm"))
	if len(all) != 1 {
		t.Skipf("the release has %d packages for this machine", len(all))
	}
	r := &root{t: t, dir: t.TempDir()}
	rpm := func(args ...string) string {
		t.Helper()
		// There is no shell in the folder: the scripts are those of the Debian package.
		out, err := exec.Command("rpm", append([]string{"--root", r.dir}, args...)...).CombinedOutput()
		if err != nil {
			t.Fatalf("rpm %v: %v\n%s", args, err, out)
		}
		return string(out)
	}

	rpm("--nodeps", "--noscripts", "-i", all[0])
	const key = "var/lib/private/starling/relay/relay.key"
	r.write(key, "the key")
	if out := rpm("-V", "--nodeps", "starling"); out != "" {
		t.Errorf("rpm -V says %s", out)
	}
	if out := rpm("-qc", "starling"); !strings.Contains(out, "/etc/starling/relay.toml") {
		t.Errorf("configuration files: %s", out)
	}
	if out := rpm("-q", "--scripts", "starling"); !strings.Contains(out, "try-restart") {
		t.Errorf("scripts: %s", out)
	}
	if r.read("usr/share/zsh/site-functions/_starling") == "" {
		t.Error("no completion for zsh")
	}
	rpm("--nodeps", "--noscripts", "-U", "--replacepkgs", all[0])
	rpm("--nodeps", "--noscripts", "-e", "starling")
	if r.read(key) != "the key" {
		t.Error("a removal took the key")
	}
}

// worstExposure is what systemd-analyze security may give the unit at most; 10 is a
// program without any bounds.
const worstExposure = 2.0

// TestUnit: systemd finds nothing to say about the unit, and little that it leaves open.
func TestUnit(t *testing.T) {
	r := newRoot(t)
	needs(t, "systemd-analyze")
	const unit = "/usr/lib/systemd/system/starling-relay.service"
	// The units that it names are the machine's own.
	if err := exec.Command("cp", "-r", "/usr/lib/systemd/system", r.path("usr/lib/systemd/")).Run(); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(r.path("bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := exec.Command("cp", "/bin/kill", r.path("bin/kill")).Run(); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("systemd-analyze", "verify", "--man=no", "--root="+r.dir, "starling-relay.service").CombinedOutput()
	if len(out) > 0 || err != nil {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}

	out, err = exec.Command("systemd-analyze", "security", "--offline=yes", "--no-pager", "--root="+r.dir, r.path(unit)).CombinedOutput()
	_, rest, found := strings.Cut(string(out), "Overall exposure level for starling-relay.service: ")
	figure, _ := strconv.ParseFloat(strings.Fields(rest + " ?")[0], 64)
	if err != nil || !found || figure > worstExposure {
		t.Errorf("systemd-analyze security: %v, %v\n%s", figure, err, out)
	}
	t.Logf("systemd-analyze security: %.1f of 10", figure)
}
