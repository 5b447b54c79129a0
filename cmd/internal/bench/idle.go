package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"starling/node/config"
	"starling/node/store"
	"starling/node/testnet"
)

// settled is how long a client does nothing before its memory is read.
const settled = 15 * time.Second

// idle measures the memory of a client that waits, as a process of its own and
// with a real profile's passphrase derivation behind it.
func idle(ctx context.Context, binary string) error {
	if runtime.GOOS != "linux" {
		watch("idle client, memory", 0, "MiB", "read on Linux only")
		return nil
	}
	mesh, dir, end, err := stage(ctx)
	if err != nil {
		return err
	}
	defer end()
	begin := time.Now()
	profile, err := newProfile(filepath.Join(dir, "idle"), store.DefaultKDF)
	if err != nil {
		return err
	}
	watch("make a profile", ms(time.Since(begin)), "ms", "nearly all of it derives the key from the passphrase")

	what := func(m memory) string {
		return fmt.Sprintf("RSS of starling node %v after its start: %.1f of its own, %.1f of the program as it lies on disk", settled, m.own, m.files)
	}
	m, err := resident(ctx, binary, profile, mesh)
	if err != nil {
		return err
	}
	atMost("idle client, memory", m.own+m.files, 60, "MiB", what(m))
	if err := inRooms(ctx, mesh, profile); err != nil {
		return fmt.Errorf("make rooms: %w", err)
	}
	if m, err = resident(ctx, binary, profile, mesh); err != nil {
		return err
	}
	atMost("idle client in 10 rooms of 32, memory", m.own+m.files, 60, "MiB", what(m))
	return nil
}

// A memory is the MiB that a process has, of its own and of files. Those of files are clean: others that run the
// program share them, and the system takes them back when it wants them.
type memory struct{ own, files float64 }

// resident is the memory of a client that does nothing.
func resident(ctx context.Context, binary string, profile config.Profile, mesh *testnet.Mesh) (m memory, err error) {
	args := []string{"node", "--profile", profile.Dir, "--allow-private", "--bootstrap", strings.Join(mesh.Bootstrap(), ",")}
	cmd := exec.CommandContext(ctx, binary, args...)
	cmd.Env = append(os.Environ(), "STARLING_PASSPHRASE="+passphrase)
	cmd.Stderr = os.Stderr
	stop, err := started(cmd)
	if err != nil {
		return m, err
	}
	defer stop()
	select {
	case <-time.After(settled):
	case <-ctx.Done():
		return m, ctx.Err()
	}
	return residentOf(cmd.Process.Pid)
}

// started starts a program of ours, and waits for the line in which it says that it is ready.
// stop ends it as a person does.
func started(cmd *exec.Cmd) (stop func(), err error) {
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	stop = func() {
		cmd.Process.Signal(os.Interrupt)
		cmd.Wait()
	}

	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err == nil && !json.Valid([]byte(line)) {
		err = errors.New("no JSON")
	}
	if err != nil {
		stop()
		return nil, fmt.Errorf("%s printed %q: %w", cmd.Args[1], line, err)
	}
	return stop, nil
}

func residentOf(pid int) (m memory, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return m, err
	}
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		kib, _ := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 64)
		switch name {
		case "RssAnon":
			m.own = kib / 1024
		case "RssFile", "RssShmem":
			m.files += kib / 1024
		}
	}
	if m.own == 0 {
		err = errors.New("no RssAnon in /proc")
	}
	return m, err
}
