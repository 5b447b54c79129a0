package api

import (
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

// ErrDuration is the error of [ParseDuration].
var ErrDuration = errors.New("not a length of time, such as 90s, 30m, 8h, 7d or 2w")

// durationUnits are those that people write, the long ones first.
var durationUnits = map[string]time.Duration{
	"w": 7 * 24 * time.Hour, "d": 24 * time.Hour,
	"h": time.Hour, "m": time.Minute, "s": time.Second, "ms": time.Millisecond,
}

// maxDuration is longer than anybody waits.
const maxDuration = 100 * 365 * 24 * time.Hour

// ParseDuration reads a length of time as people write it, everywhere: "90s", "1h30m",
// "1.5h", "7d", "2w3d", "0". It is never below zero.
func ParseDuration(s string) (time.Duration, error) {
	s = strings.TrimSpace(s)
	if s == "0" {
		return 0, nil
	}
	if s == "" || len(s) > 64 {
		return 0, ErrDuration
	}

	var sum float64
	for s != "" {
		digits := len(s) - len(strings.TrimLeft(s, "0123456789."))
		number, err := strconv.ParseFloat(s[:digits], 64)
		letters := len(s[digits:]) - len(strings.TrimLeft(s[digits:], "abcdefghijklmnopqrstuvwxyz"))
		unit, known := durationUnits[s[digits:][:letters]]
		if err != nil || !known {
			return 0, ErrDuration
		}
		sum += number * float64(unit)
		s = s[digits+letters:]
	}
	if sum > float64(maxDuration) {
		return 0, ErrDuration
	}
	return time.Duration(math.Round(sum)), nil
}
