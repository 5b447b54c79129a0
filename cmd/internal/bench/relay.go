package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"starling/node/relay"
)

const (
	// asks is how often a relay is asked for the median, and askedFor how long it is
	// asked once a second.
	asks     = 200
	askedFor = 20 * time.Second
)

// asked measures how long a relay takes to say how it is, and the load of being asked
// once a second, as a process of its own.
func asked(ctx context.Context, binary string) error {
	dir, err := os.MkdirTemp("", "starling-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	cmd := exec.CommandContext(ctx, binary, "relay", "--profile", dir, "--listen", "/ip4/127.0.0.1/tcp/0", "--allow-private", "--metrics", "127.0.0.1:0")
	stop, err := started(cmd)
	if err != nil {
		return err
	}
	defer stop()

	folder := filepath.Join(dir, "relay")
	s, err := relay.Ask(ctx, folder)
	if err != nil {
		return err
	}

	// Both as their users ask: over the socket, and by HTTP.
	status := func() error { _, err := relay.Ask(ctx, folder); return err }
	scrape := func() error {
		resp, err := http.Get("http://" + s.Limits.MetricsAt + "/metrics")
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		_, err = io.Copy(io.Discard, resp.Body)
		return err
	}
	for _, m := range []struct {
		name string
		ask  func() error
	}{{"relay status", status}, {"metrics scrape", scrape}} {
		took, err := median(m.ask)
		if err != nil {
			return err
		}
		atMost(m.name+", median", ms(took), 5, "ms", fmt.Sprintf("of %d, over its socket", asks))
	}
	return askedLoad(ctx, cmd.Process.Pid, status, scrape)
}

// median is the time of a call.
func median(ask func() error) (time.Duration, error) {
	var all []time.Duration
	for range asks {
		begin := time.Now()
		if err := ask(); err != nil {
			return 0, err
		}
		all = append(all, time.Since(begin))
	}
	slices.Sort(all)
	return all[len(all)/2], nil
}

// askedLoad compares the processor time of an idle relay with that of one that is asked
// and scraped once a second.
func askedLoad(ctx context.Context, pid int, ask ...func() error) error {
	if runtime.GOOS != "linux" {
		watch("relay asked once a second, load", 0, "%", "read on Linux only")
		return nil
	}

	var used [2]time.Duration
	for i := range used {
		before, err := processorTime(pid)
		if err != nil {
			return err
		}
		for range askedFor / time.Second {
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
				return ctx.Err()
			}
			for _, a := range ask {
				if i == 1 {
					if err := a(); err != nil {
						return err
					}
				}
			}
		}
		after, err := processorTime(pid)
		if err != nil {
			return err
		}
		used[i] = after - before
	}

	share := 100 * float64(used[1]-used[0]) / float64(askedFor)
	atMost("relay asked and scraped once a second, load", share, 0.5, "%", fmt.Sprintf("of one processor, beyond %.2f %% of an idle one", 100*float64(used[0])/float64(askedFor)))
	return nil
}

// processorTime is what a process has used, in ticks of 10 ms.
func processorTime(pid int) (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc/%d/stat has %d fields", pid, len(fields))
	}
	var ticks int64
	for _, f := range fields[11:13] { // user and system
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}
