package world

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
)

// A Table is round trips between regions.
type Table struct {
	Regions []string
	Source  string
	rtt     [][]time.Duration
}

// Limits of a table.
const (
	MaxTable   = 1 << 20
	maxRegions = 200
	maxRTT     = 10_000 // ms
)

var validRegion = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,40}$`)

// ParseTable reads a table of a file of TOML:
//
//	source = "where it is from"
//	regions = ["here", "there"]
//	rtt = [[1, 20], [20, 1]]        # milliseconds, a row for each region
//
// A row may end at the diagonal.
func ParseTable(src []byte) (*Table, error) {
	if len(src) > MaxTable {
		return nil, errors.New("this is no table of round trips: it is larger than 1 MiB")
	}
	var file struct {
		Source  string
		Regions []string
		RTT     [][]float64
	}
	meta, err := toml.Decode(string(src), &file)
	if err != nil {
		return nil, errors.New(strings.Join(strings.Fields(err.Error()), " "))
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return nil, fmt.Errorf("there is no key %q; there are source, regions and rtt", unknown[0])
	}

	n := len(file.Regions)
	if n == 0 || n > maxRegions || len(file.RTT) != n {
		return nil, fmt.Errorf("there are %d regions and %d rows of rtt; both are the same, 1 to %d", n, len(file.RTT), maxRegions)
	}
	t := &Table{Regions: file.Regions, Source: file.Source, rtt: make([][]time.Duration, n)}
	for i, name := range file.Regions {
		if !validRegion.MatchString(name) || slices.Index(file.Regions, name) != i {
			return nil, fmt.Errorf("region %q: a name has small letters, digits and dashes, and is there once", name)
		}
		t.rtt[i] = make([]time.Duration, n)
	}
	return t, t.fill(file.RTT)
}

// fill takes the rows, which agree where they say something twice.
func (t *Table) fill(rows [][]float64) error {
	n := len(t.Regions)
	for i, row := range rows {
		if len(row) != n && len(row) != i+1 {
			return fmt.Errorf("row %d of rtt has %d values; it is %d, or %d up to its own region", i, len(row), n, i+1)
		}
		for j, v := range row {
			if !(v >= 0 && v <= maxRTT) { // also refuses NaN
				return fmt.Errorf("the round trip from %s to %s is %v; it is 0 to %d milliseconds", t.Regions[i], t.Regions[j], v, maxRTT)
			}
			if j < i && len(rows[j]) == n && math.Abs(rows[j][i]-v) > 0.001 {
				return fmt.Errorf("the round trip from %s to %s is %v, and back %v", t.Regions[i], t.Regions[j], v, rows[j][i])
			}
			d := time.Duration(v * float64(time.Millisecond))
			t.rtt[i][j], t.rtt[j][i] = d, d
		}
	}
	return nil
}

// RTT returns the round trip between two regions.
func (t *Table) RTT(a, b string) time.Duration {
	return t.rtt[slices.Index(t.Regions, a)][slices.Index(t.Regions, b)]
}

// BuiltIn returns the table for those who bring none.
func BuiltIn() *Table { return builtIn }

// builtIn are means of round trips between regions of a cloud that publishes them, from
// 27 July to 25 August 2024, in milliseconds; within a region it is that between its
// zones. Providers measure on their own lines, which are straighter than yours.
var builtIn = func() *Table {
	t, err := ParseTable([]byte(`
source = "IBM Cloud, network latency of VPC, 27 July to 25 August 2024: https://github.com/ibm-cloud-docs/vpc, _include-segments/network-latency.md"
regions = ["dallas", "toronto", "washington", "frankfurt", "london", "madrid", "osaka", "sydney", "tokyo", "sao-paulo"]
rtt = [
  [2],
  [34, 2],
  [31, 19, 2],
  [123, 93, 91, 2],
  [113, 83, 75, 13, 2],
  [122, 106, 88, 29, 27, 2],
  [150, 169, 172, 231, 243, 257, 2],
  [186, 214, 214, 249, 261, 275, 122, 2],
  [143, 162, 166, 233, 244, 256, 9, 115, 2],
  [144, 128, 119, 196, 187, 208, 291, 328, 283, 2],
]`))
	if err != nil {
		panic(err) // it is our own
	}
	return t
}()
