package processes

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

const (
	starting = time.Minute      // from the start of a process to its line
	stopping = 20 * time.Second // from the signal to its end
	quoted   = 400              // bytes of its last output, in errors
)

// Ready is the line that relays and nodes print when they serve.
type Ready struct {
	Event  string   `json:"event"`
	PeerID string   `json:"peer_id"`
	Addrs  []string `json:"addrs"`
	Bridge string   `json:"bridge"` // the link of one
}

// A Proc is one running process of a node.
type Proc struct {
	cmd   *exec.Cmd
	log   string // file with its output
	Ready Ready
	ended chan struct{}
	err   error // read after ended is closed
}

// Run starts a process, tells of its id and waits for its line.
func Run(ctx context.Context, cmd *exec.Cmd, log string, started func(pid int)) (*Proc, error) {
	said, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer said.Close() // the process has its own
	cmd.Stderr = said

	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	dieTogether(cmd)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	started(cmd.Process.Pid)

	p := &Proc{cmd: cmd, log: log, ended: make(chan struct{})}
	line := make(chan error, 1)
	go func() {
		defer close(p.ended)
		lines := bufio.NewScanner(out)
		if lines.Scan() {
			line <- json.Unmarshal(lines.Bytes(), &p.Ready)
		}
		for lines.Scan() {
		}
		p.err = cmd.Wait()
	}()

	timer := time.NewTimer(starting)
	defer timer.Stop()

	select {
	case err := <-line:
		if err == nil && p.Ready.Event == "ready" {
			return p, nil
		}
		err = errors.New("it does not say that it is ready")
		p.Kill()
		return nil, p.failed(err)
	case <-p.ended:
		return nil, p.failed(p.err)
	case <-timer.C:
		p.Kill()
		return nil, p.failed(errors.New("it does not get ready"))
	case <-ctx.Done():
		p.Kill()
		return nil, ctx.Err()
	}
}

// failed is the error of a process, with its last output.
func (p *Proc) failed(err error) error {
	said, _ := os.ReadFile(p.log)
	if len(said) > quoted {
		said = said[len(said)-quoted:]
	}
	return fmt.Errorf("%s: %w: %s", strings.Join(p.cmd.Args, " "), err, strings.TrimSpace(string(said)))
}

// gone returns why the process has ended by itself, nil while it runs.
func (p *Proc) gone() error {
	select {
	case <-p.ended:
		return cmp.Or(p.err, errors.New("exit status 0"))
	default:
		return nil
	}
}

// Stop ends the process in order, or by force when it takes too long.
func (p *Proc) Stop() error {
	if p.gone() != nil {
		return p.failed(errors.Join(errors.New("it ended by itself"), p.err))
	}
	interrupt(p.cmd.Process)
	timer := time.NewTimer(stopping)
	defer timer.Stop()
	select {
	case <-p.ended:
	case <-timer.C:
		p.Kill()
		return p.failed(errors.New("it does not end"))
	}
	if p.err != nil {
		return p.failed(p.err)
	}
	return nil
}

// Kill ends the process at once.
func (p *Proc) Kill() {
	p.cmd.Process.Kill()
	<-p.ended
}
