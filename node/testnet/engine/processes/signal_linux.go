package processes

import (
	"os"
	"os/exec"
	"syscall"
)

// dieTogether leaves no process behind when this one is killed.
func dieTogether(cmd *exec.Cmd) {
	// A group of its own, so that an interrupt at the terminal is ours alone.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

func interrupt(p *os.Process) { p.Signal(syscall.SIGTERM) }
