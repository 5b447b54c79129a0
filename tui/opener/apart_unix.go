//go:build unix

package opener

import (
	"os/exec"
	"syscall"
)

// apart gives a program a session of its own: it has no terminal to write to, and a
// ctrl+c here does not end it.
func apart(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }
