package node

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"starling/node/api"
	"starling/node/config"
	"starling/node/control"
	"starling/node/store"
)

// envChild makes the test binary run a node instead of the tests.
const envChild = "STARLING_TEST_NODE"

// childConfig is the input of a child process.
type childConfig struct {
	Dir       string
	Bootstrap []string
}

func TestMain(m *testing.M) {
	if raw := os.Getenv(envChild); raw != "" {
		var c childConfig
		if err := json.Unmarshal([]byte(raw), &c); err != nil {
			panic(err)
		}
		n, err := New(Config{Profile: config.Profile{Dir: c.Dir}, Passphrase: passphrase, Bootstrap: c.Bootstrap,
			AllowPrivate: true, ReceiptDelay: 5 * time.Millisecond})
		if err == nil {
			err = n.Run(context.Background())
		}
		fmt.Fprintln(os.Stderr, "child:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// A process is a node in a process of its own.
type process struct {
	*control.Client
	t    *testing.T
	conf childConfig
	cmd  *exec.Cmd
}

func newProcess(t *testing.T, name string, bootstrap []string) *process {
	t.Helper()
	p := &process{t: t, conf: childConfig{filepath.Join(t.TempDir(), name), bootstrap}}
	if err := Create(config.Profile{Dir: p.conf.Dir}, passphrase, name, store.CheapKDF); err != nil {
		t.Fatal(err)
	}
	p.start()
	t.Cleanup(p.kill)
	return p
}

func (p *process) start() {
	p.t.Helper()
	exe, err := os.Executable()
	if err != nil {
		p.t.Fatal(err)
	}
	conf, _ := json.Marshal(p.conf)
	p.cmd = exec.Command(exe)
	p.cmd.Env = append(os.Environ(), envChild+"="+string(conf))
	p.cmd.Stderr = os.Stderr
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	eventually(p.t, "the control socket", func() bool {
		p.Client, err = control.Dial(context.Background(), config.Profile{Dir: p.conf.Dir})
		return err == nil
	})
}

// kill ends the process as kill -9 does.
func (p *process) kill() {
	p.cmd.Process.Kill()
	p.cmd.Wait()
	p.Client.Close()
}

// Processes are killed while messages are under way, over real relays.
func TestKilledProcess(t *testing.T) {
	mesh := startMesh(t)
	ada, bob := newProcess(t, "Ada", mesh.Bootstrap()), newProcess(t, "Bob", mesh.Bootstrap())
	ctx := context.Background()
	var invite api.Invite
	eventually(t, "an invite", func() (ok bool) {
		var err error
		invite, err = ada.Invite(ctx, api.InviteRequest{Name: "Bob"})
		return err == nil
	})
	eventually(t, "a contact", func() bool {
		_, err := bob.AddContact(ctx, api.AddContactRequest{Link: invite.Link, Name: "Ada"})
		return err == nil
	})
	const n = 20
	for i := range n {
		id := fmt.Sprintf("%032d", i+1)
		eventually(t, "a queued message", func() bool {
			_, err := bob.Send(ctx, api.SendRequest{Contact: "Ada", Text: fmt.Sprint(i), ID: id})
			return err == nil
		})
		switch i {
		case 3, 12:
			bob.kill()
			bob.start()
		case 7, 16:
			ada.kill()
			ada.start()
		}
	}
	for i := range n {
		eventually(t, "delivery", func() bool {
			m, err := bob.Message(ctx, fmt.Sprintf("%032d", i+1))
			return err == nil && m.State == api.StateDelivered
		})
	}
	var got []string
	eventually(t, "all texts", func() bool {
		got = nil
		history, err := ada.History(ctx, api.HistoryRequest{Contact: "Bob"})
		for _, m := range history {
			got = append(got, m.Text.String())
		}
		return err == nil && len(got) >= n
	})
	if !slices.Equal(got, numbered(n)) {
		t.Errorf("got %v", got)
	}
	// The lock and the socket are the living node's.
	if _, err := New(Config{Profile: config.Profile{Dir: ada.conf.Dir}, Passphrase: passphrase}); api.CodeOf(err) != api.CodeInUse {
		t.Errorf("second node: %v", err)
	}
}
