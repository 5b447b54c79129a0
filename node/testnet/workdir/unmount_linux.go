package workdir

import (
	"os"
	"strings"
	"syscall"
)

// unmount takes away the disks of nodes that are mounted in a folder.
func unmount(dir string) {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return
	}
	for line := range strings.Lines(string(mounts)) {
		if words := strings.Fields(line); len(words) > 1 && strings.HasPrefix(words[1], dir+"/") {
			syscall.Unmount(words[1], syscall.MNT_DETACH)
		}
	}
}
