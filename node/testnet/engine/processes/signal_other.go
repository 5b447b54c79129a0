//go:build !linux

package processes

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

func dieTogether(*exec.Cmd) {}

func interrupt(p *os.Process) {
	if runtime.GOOS == "windows" {
		p.Kill() // there is no other way to another process
		return
	}
	p.Signal(syscall.SIGTERM)
}
