package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"starling/node/store"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"starling": func() {
		// New profiles open quickly here, and protect nothing.
		store.DefaultKDF = store.CheapKDF
		main()
	}})
}

// TestScripts runs the program as its users do: every command line in
// testdata is a process of its own.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("STARLING_PASSPHRASE", "correct horse battery staple")
			env.Setenv("XDG_DATA_HOME", filepath.Join(env.WorkDir, "data"))
			env.Setenv("XDG_STATE_HOME", filepath.Join(env.WorkDir, "state"))
			env.Values[processes{}] = map[string]*process{}
			env.Values[companies{}] = &served{}
			return nil
		},
		Condition: condition,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"spawn":    spawn,
			"halt":     halt,
			"crash":    crash,
			"hangup":   hangup,
			"logged":   logged,
			"exit":     exit,
			"until":    until,
			"field":    field,
			"await":    await,
			"fill":     fill,
			"cut":      cut,
			"tinydisk": tinyDisk,
			"network":  makeNetwork,
			"block":    codeBlock,
			"company":  company,
			"disband":  disband,
		},
	})
}

// patience is how long a script waits for an event: longer than a text waits for one
// that is missing before it (inbox.DefaultHold).
const patience = 2 * time.Minute

type processes struct{}

// process is a program in the background.
type process struct {
	cmd    *exec.Cmd
	ready  chan string // its first line on standard output
	ended  chan struct{}
	err    error // after ended
	mu     sync.Mutex
	stderr bytes.Buffer
}

func (p *process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stderr.Write(b)
}

func (p *process) log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.stderr.String()
}

// spawn NAME PROGRAM ARGS... starts a program in the background and returns
// when it has printed its ready line. $NAME_peer and $NAME_addr are set from it.
func spawn(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: spawn NAME PROGRAM ARGS...")
	}
	name := args[0]
	program := filepath.Join(strings.Split(ts.Getenv("PATH"), string(filepath.ListSeparator))[0], args[1])
	command := append([]string{program}, args[2:]...)
	if machine := ts.Getenv("MACHINE"); machine != "" {
		command = append([]string{"ip", "netns", "exec", machine}, command...)
	}
	p := &process{cmd: exec.Command(command[0], command[1:]...), ready: make(chan string, 1), ended: make(chan struct{})}
	p.cmd.Dir = ts.MkAbs(".")
	for _, key := range []string{"STARLING_PASSPHRASE", "STARLING_PROFILE", "STARLING_RELAY_MAX_CLIENTS", "XDG_DATA_HOME", "XDG_STATE_HOME", "PATH", "HOME", "TMPDIR", "XDG_RUNTIME_DIR"} {
		p.cmd.Env = append(p.cmd.Env, key+"="+ts.Getenv(key))
	}
	p.cmd.Stderr = p
	stdout, err := p.cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(p.cmd.Start())
	go func() {
		defer close(p.ended)
		lines := bufio.NewReader(stdout)
		line, _ := lines.ReadString('\n')
		p.ready <- line
		io.Copy(io.Discard, lines)
		p.err = p.cmd.Wait()
	}()
	ts.Value(processes{}).(map[string]*process)[name] = p
	ts.Defer(func() {
		p.cmd.Process.Kill()
		<-p.ended
		if log := p.log(); log != "" {
			ts.Logf("[%s stderr]\n%s", name, log)
		}
	})
	select {
	case line := <-p.ready:
		var ready struct {
			Event string
			Name  string // of a testnet
			Peer  string `json:"peer_id"`
			Addrs []string
		}
		if err := json.Unmarshal([]byte(line), &ready); err != nil || ready.Event != "ready" || ready.Peer == "" && ready.Name == "" {
			ts.Fatalf("%s is not ready: it printed %q", name, line)
		}
		ts.Setenv(name+"_peer", ready.Peer)
		if len(ready.Addrs) > 0 {
			ts.Setenv(name+"_addr", ready.Addrs[0])
		}
	case <-time.After(patience):
		ts.Fatalf("%s is not ready after %v", name, patience)
	}
}

func running(ts *testscript.TestScript, name string) *process {
	p := ts.Value(processes{}).(map[string]*process)[name]
	if p == nil {
		ts.Fatalf("there is no process %s", name)
	}
	return p
}

// halt NAME... asks programs to end, all at once, and wants exit code 0. One that
// was wiped ends by itself.
func halt(ts *testscript.TestScript, neg bool, args []string) {
	for _, name := range args {
		if err := running(ts, name).cmd.Process.Signal(syscall.SIGTERM); !errors.Is(err, os.ErrProcessDone) {
			ts.Check(err)
		}
	}
	for _, name := range args {
		p := running(ts, name)
		select {
		case <-p.ended:
			if p.err != nil {
				ts.Fatalf("%s ended with %v", name, p.err)
			}
		case <-time.After(patience):
			ts.Fatalf("%s has not ended after %v", name, patience)
		}
	}
}

// crash NAME... ends programs at once, as a power cut does.
func crash(ts *testscript.TestScript, neg bool, args []string) {
	for _, name := range args {
		p := running(ts, name)
		ts.Check(p.cmd.Process.Kill())
		<-p.ended
	}
}

// hangup NAME... sends SIGHUP.
func hangup(ts *testscript.TestScript, neg bool, args []string) {
	for _, name := range args {
		ts.Check(running(ts, name).cmd.Process.Signal(syscall.SIGHUP))
	}
}

// logged NAME REGEXP waits until a line of a program's standard error matches; with ! it
// looks once, and none may.
func logged(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: [!] logged NAME REGEXP")
	}
	p, pattern := running(ts, args[0]), regexp.MustCompile("(?m)"+args[1])
	for deadline := time.Now().Add(patience); ; {
		switch found := pattern.MatchString(p.log()); {
		case found && neg:
			ts.Fatalf("%s wrote %s:\n%s", args[0], args[1], p.log())
		case found || neg:
			return
		case time.Now().After(deadline):
			ts.Fatalf("%s has not written %s after %v", args[0], args[1], patience)
		}
		<-time.After(50 * time.Millisecond)
	}
}

// exit CODE PROGRAM ARGS... runs a program that must end with this code.
func exit(ts *testscript.TestScript, neg bool, args []string) {
	want, got := runForExit(ts, args)
	if got != want {
		ts.Fatalf("exit code %d, not %d", got, want)
	}
}

// until CODE PROGRAM ARGS... runs a program again and again until it ends with
// this code.
func until(ts *testscript.TestScript, neg bool, args []string) {
	for deadline := time.Now().Add(patience); ; {
		want, got := runForExit(ts, args)
		if got == want {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("exit code %d, not %d, after %v", got, want, patience)
		}
		<-time.After(200 * time.Millisecond)
	}
}

func runForExit(ts *testscript.TestScript, args []string) (want, got int) {
	if len(args) < 2 {
		ts.Fatalf("usage: exit|until CODE PROGRAM ARGS...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	return want, got
}

// field VARIABLE NAME [N] takes a field of the N-th line (the first is 1) of
// JSON on the last standard output.
func field(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: field VARIABLE NAME [LINE]")
	}
	line := 1
	if len(args) == 3 {
		var err error
		line, err = strconv.Atoi(args[2])
		ts.Check(err)
	}
	lines := strings.Split(ts.ReadFile("stdout"), "\n")
	if line > len(lines) {
		ts.Fatalf("there is no line %d", line)
	}
	var object map[string]any
	ts.Check(json.Unmarshal([]byte(lines[line-1]), &object))
	value, ok := object[args[1]]
	if !ok {
		ts.Fatalf("there is no field %s in %s", args[1], lines[line-1])
	}
	ts.Setenv(args[0], fmt.Sprint(value))
}

// await REGEXP PROGRAM ARGS... runs a program again and again until its
// standard output matches.
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: await REGEXP PROGRAM ARGS...")
	}
	pattern, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	for deadline := time.Now().Add(patience); ; {
		err := ts.Exec(args[1], args[2:]...)
		if err == nil && pattern.MatchString(ts.ReadFile("stdout")) {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("no match for %s after %v", args[0], patience)
		}
		<-time.After(50 * time.Millisecond)
	}
}

// fill FILE SIZE TEXT writes the text again and again until the file has SIZE
// bytes.
func fill(ts *testscript.TestScript, neg bool, args []string) {
	size, err := strconv.Atoi(args[1])
	ts.Check(err)
	data := bytes.Repeat([]byte(args[2]), size/len(args[2])+1)[:size]
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o600))
}

// cut FILE SIZE cuts a file to SIZE bytes.
func cut(ts *testscript.TestScript, neg bool, args []string) {
	size, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	ts.Check(os.Truncate(ts.MkAbs(args[0]), size))
}

// codeBlock PAGE NAME writes the script on a page of the manual with the first comment
// "# NAME " into a file of that name.
func codeBlock(ts *testscript.TestScript, neg bool, args []string) {
	page, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(args[0])))
	ts.Check(err)
	const indent = "    "
	var script strings.Builder
	found := false
	for line := range strings.Lines(string(page)) {
		code, ok := strings.CutPrefix(line, indent)
		switch {
		case !ok && found:
			ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(script.String()), 0o700))
			return
		case !ok:
			script.Reset()
		default:
			script.WriteString(code)
			found = found || strings.HasPrefix(code, "# "+args[1]+" ")
		}
	}
	ts.Fatalf("%s shows no %s", args[0], args[1])
}

// root is the folder of the repository, before scripts change folders.
var root = func() string {
	dir, err := filepath.Abs("../..")
	if err != nil {
		panic(err)
	}
	return dir
}()

// tinyDisk DIR BYTES mounts a small file system until the end of the script.
func tinyDisk(ts *testscript.TestScript, neg bool, args []string) {
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(dir, 0o700))
	ts.Check(mountTiny(dir, args[1]))
	ts.Defer(func() { unmount(dir) })
}

func mountTiny(dir, size string) error {
	out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size="+size, "tmpfs", dir).CombinedOutput()
	if err != nil {
		return fmt.Errorf("mount: %w: %s", err, out)
	}
	return nil
}

func unmount(dir string) { exec.Command("umount", "-l", dir).Run() }

// networks counts those of makeNetwork: scripts run side by side, and names of
// namespaces are the whole machine's. The process comes first in a name, for
// testnets clear up what is left of dead ones.
var networks atomic.Int64

// makeNetwork NAME... makes machines of these names, network namespaces on one
// switch, until the end of the script. A program is spawned on the one that
// $MACHINE names.
func makeNetwork(ts *testscript.TestScript, neg bool, args []string) {
	run := func(args ...string) {
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			ts.Fatalf("ip %s: %v: %s", strings.Join(args, " "), err, out)
		}
	}
	prefix := fmt.Sprintf("starling-%d-%d-", os.Getpid(), networks.Add(1))
	hub := prefix + "hub"
	run("netns", "add", hub)
	ts.Defer(func() { exec.Command("ip", "netns", "del", hub).Run() })
	run("-n", hub, "link", "add", "name", "switch", "type", "bridge", "mcast_snooping", "0")
	run("-n", hub, "link", "set", "switch", "up")
	for i, name := range args {
		machine, port := prefix+name, fmt.Sprintf("port%d", i)
		run("netns", "add", machine)
		ts.Defer(func() { exec.Command("ip", "netns", "del", machine).Run() })
		run("-n", hub, "link", "add", "name", port, "type", "veth", "peer", "name", "eth0", "netns", machine)
		run("-n", hub, "link", "set", port, "master", "switch", "up")
		run("-n", machine, "addr", "add", fmt.Sprintf("10.77.0.%d/24", i+1), "dev", "eth0")
		run("-n", machine, "link", "set", "eth0", "up")
		run("-n", machine, "link", "set", "lo", "up")
		ts.Setenv(name, machine)
	}
}

// canMakeNetworks tries once: two tries at the same time would fail each other.
var canMakeNetworks = sync.OnceValue(func() bool {
	name := fmt.Sprintf("starling-%d-try", os.Getpid())
	if exec.Command("ip", "netns", "add", name).Run() != nil {
		return false
	}
	defer exec.Command("ip", "netns", "del", name).Run()
	return exec.Command("ip", "-n", name, "link", "add", "name", "switch", "type", "bridge").Run() == nil &&
		exec.Command("ip", "-n", name, "link", "add", "name", "port0", "type", "veth", "peer", "name", "port1").Run() == nil
})

// condition [mount]: this machine lets us mount a file system; [network]: and
// make networks.
func condition(name string) (bool, error) {
	if name != "mount" && name != "network" {
		return false, fmt.Errorf("unknown condition %q", name)
	}
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		return false, nil
	}
	if name == "network" {
		return canMakeNetworks(), nil
	}
	dir, err := os.MkdirTemp("", "starling-mount-")
	if err != nil {
		return false, err
	}
	defer os.Remove(dir)
	if mountTiny(dir, "64k") != nil {
		return false, nil
	}
	unmount(dir)
	return true, nil
}
