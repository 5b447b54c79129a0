package interop

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"flag"
	"io"
	"os"
	"os/exec"
	"testing"
)

// request and answer are the messages between a test and the oracle, one JSON object a
// line each. testdata/libsignal/oracle.js has their meaning.
type request struct {
	Do      string     `json:"do"`
	Text    hexBytes   `json:"text,omitempty"`
	PreKey  bool       `json:"prekey,omitempty"`
	Message hexBytes   `json:"message,omitempty"`
	Keys    []hexBytes `json:"keys,omitempty"`
}

type answer struct {
	Refused  bool     `json:"refused,omitempty"`
	Text     hexBytes `json:"text,omitempty"`
	PreKey   bool     `json:"prekey,omitempty"`
	Message  hexBytes `json:"message,omitempty"`
	Holds    []bool   `json:"holds,omitempty"`
	Identity hexBytes `json:"identity,omitempty"`
	One      hexBytes `json:"one,omitempty"`
	Signed   hexBytes `json:"signed,omitempty"`
	KEM      hexBytes `json:"kem,omitempty"`
}

type hexBytes []byte

func (h hexBytes) MarshalText() ([]byte, error) { return []byte(hex.EncodeToString(h)), nil }

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

// oracle answers questions.
type oracle interface {
	ask(t testing.TB, q request) answer
}

// libsignal is the oracle itself.
type libsignal struct {
	in  io.Writer
	out *bufio.Reader
}

var live = flag.Bool("live", false, "ask the oracle that make interop installed")

// startLibsignal starts the oracle, if the flags ask for it.
func startLibsignal(t testing.TB) *libsignal {
	t.Helper()
	if !*live && !*record {
		t.Skip("without -live: make interop runs this")
	}
	if _, err := os.Stat("testdata/libsignal/node_modules"); err != nil {
		t.Fatal("libsignal is not installed: run make interop")
	}
	cmd := exec.Command("node", "testdata/libsignal/oracle.js")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		cmd.Wait()
	})
	return &libsignal{in, bufio.NewReader(out)}
}

func (l *libsignal) ask(t testing.TB, q request) (a answer) {
	t.Helper()
	line, err := json.Marshal(q)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.in.Write(append(line, '\n')); err != nil {
		t.Fatal(err)
	}
	line, err = l.out.ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(line, &a); err != nil {
		t.Fatal(err)
	}
	return a
}

// exchange is one question and its answer.
type exchange struct {
	Q request `json:"q"`
	A answer  `json:"a"`
}

// recorder passes questions on and keeps them.
type recorder struct {
	oracle
	lines []byte
}

func (r *recorder) ask(t testing.TB, q request) answer {
	a := r.oracle.ask(t, q)
	line, err := json.Marshal(exchange{q, a})
	if err != nil {
		t.Fatal(err)
	}
	r.lines = append(append(r.lines, line...), '\n')
	return a
}

func (r *recorder) write(t testing.TB, name string) {
	var buf bytes.Buffer
	z, _ := gzip.NewWriterLevel(&buf, gzip.BestCompression)
	z.Write(r.lines)
	z.Close()
	if err := os.WriteFile(name, buf.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// replay answers from a record, and only the question that was asked then.
type replay struct {
	exchanges []exchange
	next      int
}

func readTranscript(t testing.TB, name string) *replay {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	r := &replay{}
	for d := json.NewDecoder(z); ; {
		var e exchange
		if err := d.Decode(&e); err == io.EOF {
			return r
		} else if err != nil {
			t.Fatal(err)
		}
		r.exchanges = append(r.exchanges, e)
	}
}

func (r *replay) ask(t testing.TB, q request) answer {
	t.Helper()
	if r.next == len(r.exchanges) {
		t.Fatal("more questions than were recorded")
	}
	e := r.exchanges[r.next]
	asked, _ := json.Marshal(q)
	recorded, _ := json.Marshal(e.Q)
	if !bytes.Equal(asked, recorded) {
		t.Fatalf("question %d is not the one recorded:\n%.300s\n%.300s", r.next, asked, recorded)
	}
	r.next++
	return e.A
}
