//go:build linux

// Command lineup puts our links beside a browser's WebSockets: can a classifier that sees only the
// lengths and directions of the first 30 packets tell them apart?
//
//	go run ./cmd/internal/lineup -starling bin/starling
//
// It needs root, ip and Chromium. In network namespaces the people of a mesh restart their nodes
// again and again, and Chromium opens WebSockets to the three sites of sites.go: a chat, a
// ticker and an editor of several people. All packets with bytes of TCP count; a segment that the kernel
// has not cut yet counts as those that it is cut into. The classifier of boost.go is trained and
// tried on other connections, five times. Debian's ndpiReader is asked about all packets if it is there. Without
// a browser or root the program says so and ends with 0.
//
// With -out the result goes into a JSON file, and with -pcap the packets into two files of a folder.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// first is how many packets of a connection count.
const first = 30

// options are those of the command line.
type options struct {
	starling, out, pcap string
	span                time.Duration
	sockets             int
}

func main() {
	var o options
	flag.StringVar(&o.starling, "starling", "bin/starling", "the program")
	flag.StringVar(&o.out, "out", "", "a file for the result, as JSON")
	flag.StringVar(&o.pcap, "pcap", "", "a folder for the packets")
	flag.DurationVar(&o.span, "span", time.Minute, "how long Chromium stays on the sites")
	flag.IntVar(&o.sockets, "sockets", 60, "WebSockets to each site")
	flag.Parse()
	if why := lacks(); why != "" {
		fmt.Println("not measured:", why)
		return
	}
	if err := run(context.Background(), o); err != nil {
		fmt.Fprintln(os.Stderr, "lineup:", err)
		os.Exit(1)
	}
}

// lacks names the first thing that this machine has not.
func lacks() string {
	if os.Geteuid() != 0 {
		return "it needs root"
	}
	for _, tool := range []string{"ip", "chromium"} {
		if _, err := exec.LookPath(tool); err != nil {
			return "there is no " + tool
		}
	}
	return ""
}

// A result is how well kinds of connections are told apart.
type result struct {
	Connections map[string]int      `json:"connections"`
	AUC         map[string]float64  `json:"auc"`            // of a pair, tried on other connections than it was trained on
	Means       map[string]shape    `json:"means"`          // of a kind
	NDPI        map[string]*opinion `json:"ndpi,omitempty"` // of all flows of a capture
}

// shape is the mean of some connections.
type shape struct {
	Up   float64 `json:"bytes_up"` // in the first packets
	Down float64 `json:"bytes_down"`
	Ups  float64 `json:"packets_up"`
}

func run(ctx context.Context, o options) error {
	if o.pcap == "" {
		dir, err := os.MkdirTemp("", "lineup-packets-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		o.pcap = dir
	}

	kinds, err := browse(ctx, o)
	if err != nil {
		return fmt.Errorf("the browser: %w", err)
	}
	if kinds["starling"], err = links(ctx, o); err != nil {
		return fmt.Errorf("our links: %w", err)
	}

	r := judge(kinds)
	r.NDPI = map[string]*opinion{}
	for _, capture := range []string{"starling", "chromium"} {
		if said, err := opine(filepath.Join(o.pcap, capture+".pcap")); err != nil {
			return fmt.Errorf("ndpiReader: %w", err)
		} else if said != nil {
			r.NDPI[capture] = said
		}
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	fmt.Println(string(data))
	if o.out == "" {
		return nil
	}
	return os.WriteFile(o.out, append(data, '\n'), 0o644)
}

// judge compares each pair of kinds, and ours with all others together.
func judge(kinds map[string][]flow) result {
	r := result{Connections: map[string]int{}, AUC: map[string]float64{}, Means: map[string]shape{}}
	var names []string
	var rest [][]float64
	rows := map[string][][]float64{}
	for name, flows := range kinds {
		names = append(names, name)
		r.Connections[name] = len(flows)
		var s shape
		for _, f := range flows {
			rows[name] = append(rows[name], f.features())
			for _, p := range f.packets {
				if p > 0 {
					s.Up += float64(p)
					s.Ups++
				} else {
					s.Down -= float64(p)
				}
			}
		}
		n := float64(max(1, len(flows)))
		r.Means[name] = shape{s.Up / n, s.Down / n, s.Ups / n}
		if name != "starling" {
			rest = append(rest, rows[name]...)
		}
	}

	slices.Sort(names)
	for i, a := range names {
		for _, b := range names[i+1:] {
			r.compare(a+" and "+b, rows[a], rows[b])
		}
	}
	r.compare("starling and all sites", rows["starling"], rest)
	return r
}

// compare notes how well a pair is told apart, if there are enough of both.
func (r result) compare(pair string, a, b [][]float64) {
	if auc := validated(a, b); !math.IsNaN(auc) {
		r.AUC[pair] = math.Round(auc*1000) / 1000
	}
}

// mesh is the scenario of our links: everybody restarts again and again, and so opens new ones.
func mesh() string {
	var s strings.Builder
	s.WriteString("name='lineup'\nengine='namespaces'\nrelays=8\nusers=8\nduration='150s'\nsettle='1m'\n[messages]\nrate=2.0\nsize=[40,1000]\npairs='couples'\n")
	s.WriteString("[[event]]\nat='1s'\ndo='police'\nper_minute=1000\n") // relays are web servers then
	for at := 8; at < 145; at += 10 {
		fmt.Fprintf(&s, "[[event]]\nat='%ds'\ndo='reopen'\n", at)
	}
	return s.String()
}

// links returns the connections of the people of a mesh to its relays.
func links(ctx context.Context, o options) ([]flow, error) {
	dir, err := os.MkdirTemp("", "lineup-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "lineup.toml")
	if err := os.WriteFile(file, []byte(mesh()), 0o600); err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, o.starling, "testnet", "run", file)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	said, err := os.Create(filepath.Join(dir, "said"))
	if err != nil {
		return nil, err
	}
	defer said.Close()
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		return nil, err
	}

	hub := fmt.Sprintf("starling-%d-hub", cmd.Process.Pid)
	var tap *tap
	for end := time.Now().Add(time.Minute); tap == nil; time.Sleep(50 * time.Millisecond) {
		if tap, err = listen(hub, "mesh"); err != nil && time.Now().After(end) {
			cmd.Process.Kill()
			cmd.Wait()
			return nil, err
		}
	}
	defer tap.close()
	err = cmd.Wait()
	err = errors.Join(err, tap.write(filepath.Join(o.pcap, "starling.pcap")))
	// People have addresses in 12/8, relays in 11/8.
	flows := tap.flows(func(c conn) bool { return c.from.Is4() && c.from.As4()[0] == 12 && c.to.As4()[0] == 11 })
	if len(flows) > 0 {
		return flows, nil // messages that are late are no matter here
	}
	return nil, errors.Join(err, errors.New("no connections were seen"))
}
