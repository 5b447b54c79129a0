package metrics

import (
	"context"
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/net/netutil"
)

const (
	maxConns   = 16
	headerTime = 5 * time.Second
	answerTime = 10 * time.Second
)

// Health is the answer to /health.
type Health struct {
	Healthy   bool   `json:"healthy"`
	Listed    bool   `json:"listed"`
	Reachable bool   `json:"reachable"`
	Reason    string `json:"reason,omitempty"` // why it is not healthy
}

// Serve answers /metrics and /health until ctx ends, and closes the listener.
func (b *Board) Serve(ctx context.Context, l net.Listener, facts func() Facts, health func() Health) {
	registry := prometheus.NewRegistry()
	registry.MustRegister(&collector{b, facts})
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: maxConns}))
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		h := health()
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		if !h.Healthy {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		json.NewEncoder(w).Encode(h)
	})

	server := &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: headerTime,
		WriteTimeout:      answerTime,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          log.New(io.Discard, "", 0),
	}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	server.Serve(netutil.LimitListener(l, maxConns))
}

// A collector hands the facts of now, and the counts on the board, to Prometheus.
type collector struct {
	board *Board
	facts func() Facts
}

var about = prometheus.NewDesc(Prefix+"info", "The program that runs.", []string{"version", "protocol", "go", "role"}, nil)

// Describe implements prometheus.Collector: reasons are not known before, so nothing is.
func (*collector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	now := c.facts()
	out <- prometheus.MustNewConstMetric(about, prometheus.GaugeValue, 1, now.Version, now.Protocol, now.Go, now.Role)
	for _, f := range facts {
		out <- prometheus.MustNewConstMetric(prometheus.NewDesc(Prefix+f.name, f.help, nil, nil), prometheus.GaugeValue, f.of(now))
	}

	c.board.mu.Lock()
	shown := c.board.shown // never changed, only replaced
	c.board.mu.Unlock()
	for _, g := range gauges {
		out <- prometheus.MustNewConstMetric(prometheus.NewDesc(Prefix+g.name, g.help, nil, nil), prometheus.GaugeValue, shown[series{g.name, ""}])
	}
	for _, k := range counters {
		if k.label == "" {
			out <- prometheus.MustNewConstMetric(prometheus.NewDesc(Prefix+k.name, k.help, nil, nil), prometheus.CounterValue, shown[series{k.name, ""}])
			continue
		}
		desc := prometheus.NewDesc(Prefix+k.name, k.help, []string{k.label}, nil)
		for _, label := range labels(shown, k.name) {
			if shown[series{k.name, label}] == 0 {
				continue // that there was one would be a count
			}
			out <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, shown[series{k.name, label}], label)
		}
	}
}
