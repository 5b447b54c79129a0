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

// Memory returns how many bytes this program may use: what the machine has, or
// a control group or GOMEMLIMIT allow if that is less.
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

// groupFiles are where Linux says what the control groups of this program, and
// those above them, may use.
func groupFiles() []string {
	files := []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return files
	}
	for line := range strings.Lines(string(own)) {
		group, ok := strings.CutPrefix(strings.TrimSpace(line), "0::")
		for ; ok && len(group) > 1; group = path.Dir(group) {
			files = append(files, path.Join("/sys/fs/cgroup", group, "memory.max"))
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
