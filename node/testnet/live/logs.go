package live

import (
	"bufio"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"starling/node/testnet/engine"
	"starling/node/testnet/nodelog"
)

// Logs are the logs of a mesh, read from where the last reading ended.
type Logs struct {
	dir   string
	nodes []string
	read  map[string]int64 // bytes of whole lines
}

// OpenLogs returns the logs of a mesh from their beginning.
func OpenLogs(s State) *Logs {
	l := &Logs{dir: engine.Logs(s.Dir), nodes: []string{"mesh"}, read: map[string]int64{}}
	for _, n := range slices.Concat(s.Relays, s.Users) {
		l.nodes = append(l.nodes, n.Name)
	}
	if len(l.nodes) == 1 { // it was killed before it was up
		found, _ := filepath.Glob(nodelog.File(l.dir, "*"))
		for _, path := range found {
			if n := strings.TrimSuffix(filepath.Base(path), ".log"); n != "mesh" {
				l.nodes = append(l.nodes, n)
			}
		}
	}
	return l
}

// Has reports whether the mesh has a node.
func (l *Logs) Has(node string) bool { return slices.Contains(l.nodes, node) }

// Each gives f the lines since the last time, of some nodes or of all.
func (l *Logs) Each(nodes []string, f func(node, line string) error) error {
	if len(nodes) == 0 {
		nodes = l.nodes
	}
	for _, n := range nodes {
		if err := l.lines(n, f); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

func (l *Logs) lines(node string, f func(node, line string) error) error {
	file, err := os.Open(nodelog.File(l.dir, node))
	if err != nil {
		return err // a node without a word has no file
	}
	defer file.Close()
	if _, err := file.Seek(l.read[node], io.SeekStart); err != nil {
		return err
	}
	for r := bufio.NewReader(file); ; {
		line, err := r.ReadString('\n')
		if err == io.EOF {
			return nil // a line that is not whole comes the next time
		}
		if err != nil {
			return err
		}
		l.read[node] += int64(len(line))
		if err := f(node, strings.TrimSuffix(line, "\n")); err != nil {
			return err
		}
	}
}
