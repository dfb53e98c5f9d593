package main

import (
	"time"

	"grpcgo/work"
)

// trips is what is printed of maximum and of steady.
type trips struct {
	Section     string             `json:"section"`
	Streams     int                `json:"streams"`
	Connections int                `json:"connections"`
	Seconds     float64            `json:"seconds"`
	Count       int                `json:"count"`
	Rate        float64            `json:"rate"`
	Latency     map[string]float64 `json:"latency_us"`
	Late        map[string]float64 `json:"late_us"`
	Client      float64            `json:"client_cpu_seconds"`
	Server      float64            `json:"server_cpu_seconds"`
}

// calls is what is printed of beside.
type calls struct {
	Section string             `json:"section"`
	Streams int                `json:"streams"`
	Seconds float64            `json:"seconds"`
	Count   int                `json:"count"`
	Latency map[string]float64 `json:"latency_us"`
	Small   crowd              `json:"small"`
	Large   crowd              `json:"large"`
	Client  float64            `json:"client_cpu_seconds"`
	Server  float64            `json:"server_cpu_seconds"`
}

// A crowd is the messages of all streams of one kind.
type crowd struct {
	Streams int `json:"streams"`
	Count   int `json:"count"`
	Least   int `json:"least"`
	Most    int `json:"most"`
}

func (crowd *crowd) add(count int) {
	if crowd.Streams == 0 || count < crowd.Least {
		crowd.Least = count
	}
	crowd.Most = max(crowd.Most, count)
	crowd.Streams++
	crowd.Count += count
}

// summary of durations in microseconds; those are sorted.
func summary(durations []time.Duration) map[string]float64 {
	return work.Percentiles(durations, map[string]float64{"p50": 0.5, "p90": 0.9, "p99": 0.99, "most": 1})
}
