package workdir

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// child is the environment variable of a process that makes a folder and is killed.
const child = "STARLING_WORKDIR_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(child) != "" {
		d, err := Make("test")
		if err != nil {
			panic(err)
		}
		os.WriteFile(filepath.Join(d.Path, "file"), nil, 0o600)
		self, _ := os.FindProcess(os.Getpid())
		self.Kill()
		select {}
	}
	os.Exit(m.Run())
}

func left(t *testing.T, dir string) []string {
	t.Helper()
	all, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestSweep: the folder of a killed process is removed at the next start, that of a
// living one is not.
func TestSweep(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	t.Setenv("TMP", tmp)
	strange := filepath.Join(tmp, "starling-testnet-of-yours")
	if err := os.Mkdir(strange, 0o700); err != nil {
		t.Fatal(err)
	}

	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), child+"=1")
	if err := cmd.Run(); err == nil {
		t.Fatal("the child lives")
	}
	if got := left(t, tmp); len(got) != 3 {
		t.Fatalf("the killed process left %v", got)
	}

	first, err := Make("test")
	if err != nil {
		t.Fatal(err)
	}
	if got := left(t, tmp); len(got) != 3 {
		t.Errorf("%v; want the folder, its lock, and one of somebody else's", got)
	}
	second, err := Make("test")
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(first.Path); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("the folder of a living process: %v, %v", info, err)
	}
	for _, d := range []*Dir{first, second, second} {
		if err := d.Remove(); err != nil {
			t.Error(err)
		}
	}
	if got := left(t, tmp); len(got) != 1 || got[0] != strange {
		t.Errorf("left %v", got)
	}
}

// TestSweepSparesLinks: a lock beside a link makes nobody remove its target.
func TestSweepSparesLinks(t *testing.T) {
	tmp, precious := t.TempDir(), t.TempDir()
	t.Setenv("TMPDIR", tmp)
	t.Setenv("TMP", tmp)
	if err := os.Symlink(precious, filepath.Join(tmp, "starling-test-1")); err != nil {
		t.Skip(err)
	}
	os.WriteFile(filepath.Join(tmp, "starling-test-1.lock"), nil, 0o600)
	os.WriteFile(filepath.Join(precious, "thesis.tex"), nil, 0o600)
	Sweep()
	if got := left(t, precious); len(got) != 1 {
		t.Error("a sweep followed a link")
	}
}
