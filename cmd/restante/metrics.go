package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// collector shows the measures to Prometheus. It keeps nothing: each scrape reads
// them anew.
type collector struct{ r *relay }

var _ prometheus.Collector = collector{}

// Describe sends nothing, which makes the collector one that is not checked for
// what it collects.
func (collector) Describe(chan<- *prometheus.Desc) {}

// Collect reads all measures.
func (c collector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), wellTimeout)
	defer cancel()
	all, err := c.r.measures(ctx)
	if err != nil {
		c.r.log.Error("can't read the measures", "error", err)
		return
	}
	for _, m := range all {
		var names, values []string
		for i := 0; i+1 < len(m.Labels); i += 2 {
			names, values = append(names, m.Labels[i]), append(values, m.Labels[i+1])
		}
		kind := prometheus.GaugeValue
		if m.Grows {
			kind = prometheus.CounterValue
		}
		out <- prometheus.MustNewConstMetric(prometheus.NewDesc(m.Name, m.Help, names, nil), kind, m.Value, values...)
	}
}

// metricsHandler serves /metrics, /healthz (the process answers) and /readyz (the
// store writes).
func (r *relay) metricsHandler() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collector{r})
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: 2}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, q *http.Request) {
		if err := r.well(q.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	return mux
}

// serveMetrics answers until ctx ends.
func (r *relay) serveMetrics(ctx context.Context, ln net.Listener) error {
	server := &http.Server{
		Handler: r.metricsHandler(), ReadTimeout: wellTimeout, WriteTimeout: 2 * wellTimeout, IdleTimeout: time.Minute, MaxHeaderBytes: 8 << 10,
		ErrorLog: log.New(io.Discard, "", 0),
	}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	if err := server.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("metrics: %w", err)
	}
	return nil
}
