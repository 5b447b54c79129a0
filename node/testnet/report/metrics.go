package report

import (
	"bytes"
	"encoding/json"
	"time"

	"starling/node/testnet/plot"
)

// A Sample is the nodes at one moment.
type Sample struct {
	At    time.Duration   `json:"-"`
	MS    int64           `json:"ms"` // since the traffic began
	RSS   int64           `json:"rss,omitempty"`
	Nodes map[string]Node `json:"nodes"` // by name: "u0", "r12"
}

// Node is one node at a moment. Figures that the engine does not see are left out.
type Node struct {
	In    int64 `json:"in,omitempty"` // bytes so far
	Out   int64 `json:"out,omitempty"`
	RSS   int64 `json:"rss,omitempty"` // bytes of its process
	Links int   `json:"links,omitempty"`
	Off   bool  `json:"off,omitempty"` // it does not run
}

// maxSamples is how many moments a report keeps: when there are more, every second one
// goes.
const maxSamples = 1000

// Sampled adds a moment, or leaves it out if there are many.
func Sampled(all []Sample, s Sample) []Sample {
	if n := len(all); n > 1 && n >= maxSamples/2 && s.At-all[n-1].At < all[n-1].At-all[n-2].At {
		return all
	}
	all = append(all, s)
	if len(all) < maxSamples {
		return all
	}
	half := all[:0]
	for i := 0; i < len(all); i += 2 {
		half = append(half, all[i])
	}
	return half
}

// metrics returns the samples, a line each.
func (r *Report) metrics() []byte {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	for _, s := range r.Samples {
		if err := enc.Encode(s); err != nil {
			panic(err) // all of it is our own
		}
	}
	return out.Bytes()
}

// activity draws the traffic of each node over time.
func (r *Report) activity() []byte {
	var times []float64
	var strips []plot.Strip
	for _, t := range r.Traffic {
		strips = append(strips, plot.Strip{Name: t.Name})
	}
	for i, s := range r.Samples {
		times = append(times, s.At.Seconds())
		if i == 0 {
			continue
		}
		before, span := r.Samples[i-1], (s.At - r.Samples[i-1].At).Seconds()
		for j := range strips {
			now, then := s.Nodes[strips[j].Name], before.Nodes[strips[j].Name]
			rate := 0.0
			if span > 0 {
				rate = max(0, float64(now.In+now.Out-then.In-then.Out)/span/1024)
			}
			strips[j].Values = append(strips[j].Values, rate)
		}
	}
	return plot.Strips("Traffic of each node over time", plot.Axis{Label: "time", Unit: "s"}, "KiB/s", times, strips)
}
