package main

import (
	"fmt"
	"math"
	"os"
	"time"

	"grpcgo/work"
)

// The same rules as in benchmarks/measure.py: how much longer than it must be the next run is meant to be, and how much
// longer than the last one at most.
const (
	margin    = 1.25
	maxGrowth = 20
)

// A sample is what is printed of one scenario; see benchmarks/scenarios.py.
type sample struct {
	Scenario         string             `json:"scenario"`
	Count            int                `json:"count"`
	Seconds          float64            `json:"seconds"`
	Latency          map[string]float64 `json:"latency_us"`
	ClientCPUSeconds float64            `json:"client_cpu_seconds"`
	ServerCPUSeconds float64            `json:"server_cpu_seconds"`
	ClientMemory     int                `json:"client_rss_bytes"`
	ServerMemory     int                `json:"server_rss_bytes"`
}

// measure runs a scenario longer and longer; what took long enough is the measurement, all before it the warm-up.
func measure(client *client, name string, leastSeconds float64) (*sample, error) {
	scenario, known := scenarios[name]
	if !known {
		return nil, fmt.Errorf("there is no scenario %s", name)
	}
	leave, err := scenario.enter(client)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	defer leave()
	count := scenario.firstCount
	if _, _, err := scenario.measure(client, count); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	for {
		usage, latencies, err := scenario.measure(client, count)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if usage.Seconds >= leastSeconds {
			return sampleOf(name, count, usage, latencies)
		}
		growth := min(maxGrowth, margin*leastSeconds/usage.Seconds)
		multiple := max(1, scenario.multiple)
		count = int(math.Ceil(float64(count)*growth/float64(multiple))) * multiple
	}
}

func (scenario *scenario) measure(client *client, count int) (usage work.Usage, latencies latencies, err error) {
	usage, err = work.Measure(func() error { return scenario.run(client, count, &latencies) })
	return usage, latencies, err
}

// latencies of single calls or round trips, where those count.
type latencies []time.Duration

func (latencies *latencies) since(started time.Time) {
	*latencies = append(*latencies, time.Since(started))
}

func sampleOf(name string, count int, usage work.Usage, latencies latencies) (*sample, error) {
	server, err := work.ServerProcess()
	if err != nil {
		return nil, err
	}
	serverMemory, err := work.ResidentBytes(server)
	if err != nil {
		return nil, err
	}
	clientMemory, err := work.ResidentBytes(os.Getpid())
	return &sample{
		Scenario:         name,
		Count:            count,
		Seconds:          usage.Seconds,
		Latency:          work.Percentiles(latencies, map[string]float64{"p50": 0.5, "p90": 0.9, "p99": 0.99}),
		ClientCPUSeconds: usage.Client,
		ServerCPUSeconds: usage.Server,
		ClientMemory:     clientMemory,
		ServerMemory:     serverMemory,
	}, err
}
