package cli

import (
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"starling/node/api"
)

// duration is a flag that takes a length of time as every other place does.
type duration struct{ d *time.Duration }

func durationFlag(flags *pflag.FlagSet, d *time.Duration, name string, value time.Duration, usage string) {
	*d = value
	flags.Var(duration{d}, name, usage)
}

func (f duration) Set(s string) (err error) {
	*f.d, err = api.ParseDuration(s)
	return err
}

func (f duration) Type() string { return "duration" }

// String leaves out the zeros that time.Duration writes: 24h, not 24h0m0s.
func (f duration) String() string {
	if f.d == nil {
		return "0s"
	}
	s := f.d.String()
	for _, zero := range []string{"0s", "0m"} {
		if cut, ok := strings.CutSuffix(s, zero); ok && strings.HasSuffix(cut, map[string]string{"0s": "m", "0m": "h"}[zero]) {
			s = cut
		}
	}
	return s
}

// parseDuration reads a length of time that is not zero.
func parseDuration(what, s string) (time.Duration, error) {
	d, err := api.ParseDuration(s)
	if err != nil || d == 0 {
		return 0, usage("for example: 30m, 8h, 7d or 4w", "%s %s is not a length of time", what, own(s))
	}
	return d, nil
}

// lasting says a number of seconds as a person would.
func lasting(seconds int) string {
	for _, unit := range []struct {
		size int
		name string
	}{{7 * 24 * 3600, "w"}, {24 * 3600, "d"}, {3600, "h"}, {60, "m"}} {
		if seconds >= unit.size && seconds%unit.size == 0 {
			return strconv.Itoa(seconds/unit.size) + unit.name
		}
	}
	return strconv.Itoa(seconds) + "s"
}
