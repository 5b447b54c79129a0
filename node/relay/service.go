package relay

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"
)

// service is systemd, or another supervisor with a NOTIFY_SOCKET: see sd_notify(3). Without
// one nothing is said. A message that is lost does no harm: nobody waits for it.
type service struct {
	socket string
	// The watchdog wants to hear of us so often; 0: there is none.
	watchdog time.Duration
	heard    time.Time
	said     string
}

func newService(getenv func(string) string) *service {
	s := new(service)
	if getenv == nil {
		return s
	}
	s.socket = getenv("NOTIFY_SOCKET")
	if usec, err := strconv.ParseInt(getenv("WATCHDOG_USEC"), 10, 64); err == nil && usec > 0 {
		s.watchdog = time.Duration(usec) * time.Microsecond
	}
	return s
}

// tell sends lines of NAME=VALUE.
func (s *service) tell(lines ...string) {
	if s.socket == "" {
		return
	}
	name := s.socket
	if rest, abstract := strings.CutPrefix(name, "@"); abstract {
		name = "\x00" + rest
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: name, Net: "unixgram"})
	if err != nil {
		return
	}
	defer conn.Close()
	conn.Write([]byte(strings.Join(lines, "\n")))
}

// reloading says that a new configuration is read.
func (s *service) reloading() {
	s.tell("RELOADING=1", fmt.Sprintf("MONOTONIC_USEC=%d", monotonic().Microseconds()))
}

// alive says how the relay is, when that has changed, and that it is at all, twice in the
// time that the watchdog waits.
func (s *service) alive(status Status) {
	if s.socket == "" {
		return
	}
	var lines []string
	words := "listed and reached from outside"
	if status.Reason != "" {
		words = status.Reason
	}
	if words != s.said {
		s.said = words
		lines = append(lines, "STATUS="+words)
	}
	if s.watchdog > 0 && time.Since(s.heard) >= s.watchdog/2-lookEvery {
		s.heard = time.Now()
		lines = append(lines, "WATCHDOG=1")
	}
	if len(lines) > 0 {
		s.tell(lines...)
	}
}
