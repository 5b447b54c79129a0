package limits

import (
	"math"
	"os"
	"path"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/pbnjay/memory"
)

// Memory returns how many bytes this program may use: the memory of the machine, or the
// limit of a control group or GOMEMLIMIT if that is less.
func Memory() int64 {
	most := int64(math.MaxInt64)
	if total := memory.TotalMemory(); total > 0 && total < math.MaxInt64 {
		most = int64(total)
	}
	for _, file := range groupFiles() {
		if n, err := readBytes(file); err == nil && n > 0 {
			most = min(most, n)
		}
	}
	most = min(most, debug.SetMemoryLimit(-1)) // -1 only asks
	if most == math.MaxInt64 {
		return gib
	}
	return most
}

// groupFiles are the files in which Linux gives the limits of the control groups of
// this program, and of those above them.
func groupFiles() []string {
	files := []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return files
	}
	for line := range strings.Lines(string(own)) {
		// number : controllers : group; version 2 has no controllers here
		_, line, _ = strings.Cut(strings.TrimSpace(line), ":")
		controllers, group, ok := strings.Cut(line, ":")
		root, file := "/sys/fs/cgroup", "memory.max"
		if controllers == "memory" {
			root, file = "/sys/fs/cgroup/memory", "memory.limit_in_bytes"
		} else if controllers != "" {
			continue
		}
		for ; ok && len(group) > 1; group = path.Dir(group) {
			files = append(files, path.Join(root, group, file))
		}
	}
	return files
}

func readBytes(file string) (int64, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64) // "max" is an error
}
