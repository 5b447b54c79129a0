// Package vectors sets the layouts of docs/PROTOCOL.md against two
// implementations: this module, and the Python beside this file, which was
// written from that text alone. Each *.json here is one section; README.md describes
// them. Only tests import this package.
package vectors

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"testing/cryptotest"
)

var update = flag.Bool("update", false, "write docs/vectors anew")

// Hex is bytes that JSON has in hexadecimal.
type Hex []byte

// MarshalText implements encoding.TextMarshaler.
func (h Hex) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, h), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (h *Hex) UnmarshalText(b []byte) (err error) {
	*h, err = hex.DecodeString(string(b))
	return err
}

// Made checks the section that is stored here: generate, given the same random
// bytes, still makes it, and check agrees with it. Then the Python checks the output of
// generate on other random bytes.
func Made[V any](t *testing.T, section string, generate func(t *testing.T) V, check func(t *testing.T, v V)) {
	t.Run("stored", func(t *testing.T) {
		cryptotest.SetGlobalRandom(t, 20261122)
		file := filepath.Join(folder(t), section+".json")
		made := encode(t, generate(t))
		if *update {
			if err := os.WriteFile(file, made, 0o644); err != nil {
				t.Fatal(err)
			}
		}

		stored, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(stored, made) {
			t.Errorf("%s.json is not what is made now: if that is meant, or Go draws random bytes in another order, run make vectors", section)
		}

		check(t, decode[V](t, stored))
	})

	// The second implementation gets values that were never stored.
	t.Run("for Python", func(t *testing.T) {
		interpreter(t)
		file := filepath.Join(t.TempDir(), "made.json")
		made := encode(t, map[string]V{section: generate(t)})
		if err := os.WriteFile(file, made, 0o600); err != nil {
			t.Fatal(err)
		}
		python(t, "--check", file)
	})
}

// Produced has check agree with the output of the Python on fresh random bytes.
func Produced[V any](t *testing.T, section string, check func(t *testing.T, v V)) {
	t.Run("of Python", func(t *testing.T) {
		interpreter(t)
		file := filepath.Join(t.TempDir(), "produced.json")
		python(t, "--produce", file, section)
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		check(t, decode[map[string]V](t, b)[section])
	})
}

func encode(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return append(b, '\n')
}

func decode[V any](t *testing.T, b []byte) (v V) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

// folder is this folder, from wherever in the module a test runs.
func folder(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	for ; err == nil; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, "docs", "vectors")
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	t.Fatal("no go.mod above this folder")
	return ""
}

// found is a Python that is new enough, or "".
var found = sync.OnceValue(func() string {
	path, err := exec.LookPath("python3")
	if err != nil || exec.Command(path, "-c", "import sys; sys.exit(sys.version_info < (3, 11))").Run() != nil {
		return ""
	}
	return path
})

func interpreter(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("short: the second implementation is not run")
	}
	path := found()
	if path == "" {
		t.Skip("no python3 of 3.11 or later here: the second implementation is not run")
	}
	return path
}

// Python returns the command that runs the second implementation. It skips the
// test where there is no Python.
func Python(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	return exec.Command(interpreter(t), append([]string{"-B", filepath.Join(folder(t), "starling.py")}, args...)...)
}

func python(t *testing.T, args ...string) string {
	t.Helper()
	out, err := Python(t, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}
