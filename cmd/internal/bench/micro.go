package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
)

// A micro is one figure of a Go benchmark that stands beside its package.
type micro struct {
	pkg, bench string // "Name" or "Name/part"
	metric     string // of the benchmark
	name       string
	scale      float64 // one unit in the metric's unit
	unit       string
	bar        float64 // the most it may be; 0: none
	note       string
}

// micros are the figures of a part of the program alone: no network, no terminal, no
// process. `go test -bench` in the package shows them too, with more beside them.
var micros = []micro{
	{"./session", "Stream/1024", "ns/op", "session seal+open, 1 KiB, one direction", 1e3, "us", 0, ""},
	{"./session", "PingPong/1024", "ns/op", "session seal+open, 1 KiB, ping-pong", 1e3, "us", 0, "per message; every one is a ratchet step"},

	{"./p2p/outfox", "PeelPerX25519", "ns/x25519", "X25519", 1e3, "us", 0, "the yardstick of this run"},
	{"./p2p/outfox", "PeelPerX25519", "peel/x25519", "packet peel / X25519", 1, "ratio", 2, "open, replay tag, payload; medians of turns"},
	{"./p2p/outfox", "Wrap", "ns/op", "packet wrap, 4 layers", 1e3, "us", 0, "what a packet costs its sender"},
	{"./p2p/outfox", "Peel", "ns/op", "packet peel", 1e3, "us", 0, "what it costs each relay on its way"},

	{"./p2p/directory", "Invent", "ns/op", "descriptor of a relay that is not there", 1e3, "us", 0, "what it costs who invents it, keys included"},
	{"./p2p/directory", "Parse", "ns/op", "descriptor, verified", 1e3, "us", 0, "what it costs a relay that hears it"},
	{"./p2p/directory", "Answer", "ns/op", "answer of 32 pages to a request for the list", 1e3, "us", 0, "what a frame costs a relay that knows 1,000"},

	{"./p2p/mailbox", "Stamp", "ns/op", "stamp of a seat", 1e9, "s", 0, "what a seat costs who floods"},
	{"./p2p/mailbox", "Stamped", "ns/op", "stamp, checked", 1e3, "us", 0, "what it costs the mailbox"},

	{"./p2p/link", "FirstPacket", "B-up", "before the first packet, up", 1e3, "KB", 5, "web transport, hellos of the link included"},
	{"./p2p/link", "FirstPacket", "B-down", "before the first packet, down", 1e3, "KB", 4, ""},
	{"./p2p/link", "FirstPacket", "trips", "before the first packet, round trips", 1, "", 4, "with that of TCP"},
	{"./p2p/transport/web", "BesidePlain", "x-plain", "a stream on loopback, time beside plain TCP", 1, "ratio", 2.5, "0.4 times the throughput; in one run"},

	{"./session/group", "Room/text/8", "appends/op", "text in a room of 8, appends", 1, "", 2, "of one cell, to both mailboxes"},
	{"./session/group", "Room/text/8", "KB/op", "text in a room of 8, bytes up", 1, "KB", 4.8, ""},
	{"./session/group", "Room/text/8", "X25519/op", "text in a room of 8, X25519 of the sender", 1, "", 32, ""},
	{"./session/group", "Room/text/32", "appends/op", "text in a room of 32, appends", 1, "", 2, ""},
	{"./session/group", "Room/text/32", "KB/op", "text in a room of 32, bytes up", 1, "KB", 4.8, ""},
	{"./session/group", "Room/text/32", "X25519/op", "text in a room of 32, X25519 of the sender", 1, "", 32, ""},
	{"./session/group", "Room/hear/32", "ns/op", "text in a room of 32, taken", 1e3, "us", 0, "what it costs a reader, beside the packet"},
	{"./session/group", "Room/rekey/8", "appends/op", "rekey of a room of 8, appends", 1, "", 18, ""},
	{"./session/group", "Room/rekey/8", "KB/op", "rekey of a room of 8, bytes up", 1, "KB", 45, ""},
	{"./session/group", "Room/rekey/32", "appends/op", "rekey of a room of 32, appends", 1, "", 62, ""},
	{"./session/group", "Room/rekey/32", "KB/op", "rekey of a room of 32, bytes up", 1, "KB", 150, ""},
	{"./session/group/members", "State/1000", "ns/op", "members of a room from 1,000 role entries", 1e6, "ms", 100, ""},
	{"./session/group/members", "State/10000", "ns/op", "members of a room from 10,000 role entries", 1e6, "ms", 0, ""},

	{"./p2p", "Reader", "bytes/entry", "text in a room, bytes of each reader", 1000, "KB", 3.48, "2.9 KB ± 20 %; a text in 3 s, followed at two mailboxes: 1,000 of them without a pause: 3.4, in one of six runs up to 4.3, when both mailboxes are never found alike"},
	{"./p2p", "IdleRooms", "MB/day", "idle client in 10 rooms", 1, "MB a day", 5, "virtual, of four hours"},
	{"./p2p", "WeekAway", "virtual-s", "a week away, 5,000 messages, until all are here", 1, "s", 90, "virtual, links of 50 to 100 ms"},
	{"./p2p", "WeekAway", "newest-s", "the same, the newest", 1, "s", 3, ""},
	{"./p2p", "WeekAway", "MB-down", "the same, bytes down", 1, "MB", 16, ""},
	{"./node", "RoomWeek", "newest-s", "the same at the node, 800 messages: the newest shown", 1, "s", 0, "beside the network"},
	{"./node", "RoomWeek", "ms/message", "the same, until each has its place", 1, "ms", 0, "18 ms are 90 s for 5,000"},
	{"./p2p", "Crowd", "clients", "clients that a relay of 1 GiB holds", 1, "", 0, "of 2,000 that come, in half a minute"},
	{"./p2p", "Crowd", "MiB", "relay with 2,000 clients, memory", 1, "MiB", 1024, "RSS, with GOMEMLIMIT of 1 GiB"},
	{"./p2p", "Crowd", "%core", "relay with 2,000 clients, processor", 1, "% of a core", 0, "each sends a frame in 10 s"},

	{"./tui", "Frame", "ns/op", "frame at 200×60", 1e6, "ms", 4, ""},
	{"./tui", "FrameRoom", "ns/op", "frame at 200×60, a room of 32 with 5,000 messages", 1e6, "ms", 4, ""},
	{"./tui", "FrameRoomAfterResize", "ns/op", "the same, nothing laid out before", 1e6, "ms", 4, ""},
	{"./tui", "FrameAfterResize", "ns/op", "frame at 200×60, nothing laid out before", 1e6, "ms", 0, ""},
	{"./tui", "NothingChanged", "ns/op", "frame at 200×60, nothing changed", 1e6, "ms", 0.1, ""},
	{"./tui", "Scroll", "ns/op", "scroll a step in 100,000 messages, 200×60", 1e6, "ms", 4, ""},
	{"./tui", "Open100000", "ns/op", "open a conversation of 100,000 messages, the screen's part", 1e6, "ms", 50, ""},
	{"./tui", "ThousandMessages", "ns/op", "1,000 messages at once, to the frame that shows them", 1e6, "ms", 250, "a quarter of the second in which they may come"},
	{"./tui", "Escapes128KiB", "ns/op", "a message of 128 KiB of ESC [", 1e6, "ms", 10, ""},
}

// parts runs the benchmarks of micros, a package at a time.
func parts(ctx context.Context, _ string) error {
	var errs []error
	for from := 0; from < len(micros); {
		to := from
		for to < len(micros) && micros[to].pkg == micros[from].pkg {
			to++
		}
		errs = append(errs, besideTheirPackage(ctx, micros[from:to]))
		from = to
	}
	return errors.Join(errs...)
}

// besideTheirPackage runs the benchmarks of one package and reports their figures.
func besideTheirPackage(ctx context.Context, all []micro) error {
	var names []string
	for _, m := range all {
		name, _, _ := strings.Cut(m.bench, "/")
		names = append(names, name)
	}

	pkg := all[0].pkg
	pattern := "^Benchmark(" + strings.Join(names, "|") + ")$"
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", pattern, "-benchtime", "0.5s", pkg)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("benchmarks of %s: %w\n%s", pkg, err, out)
	}

	for _, m := range all {
		value, ok := metric(string(out), m.bench, m.metric)
		switch value /= m.scale; {
		case !ok:
			return fmt.Errorf("%s has no %s with %s", pkg, m.bench, m.metric)
		case m.bar == 0:
			watch(m.name, value, m.unit, m.note)
		default:
			atMost(m.name, value, m.bar, m.unit, m.note)
		}
	}
	return nil
}

// processors is the suffix of go test behind the name of a benchmark.
var processors = regexp.MustCompile(`-\d+$`)

// metric finds a figure of one benchmark in the output of go test.
func metric(out, bench, unit string) (value float64, ok bool) {
	for line := range strings.Lines(out) {
		fields := strings.Fields(line)
		if len(fields) == 0 || processors.ReplaceAllString(fields[0], "") != "Benchmark"+bench {
			continue
		}
		for i := 2; i+1 < len(fields); i += 2 {
			if fields[i+1] == unit {
				value, err := strconv.ParseFloat(fields[i], 64)
				return value, err == nil
			}
		}
	}
	return 0, false
}
