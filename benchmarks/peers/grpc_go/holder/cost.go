package main

import (
	"context"
	"os"
	"runtime/debug"
	"slices"
	"time"

	"grpcgo/work"
)

const (
	// Unary calls, one after another, of each measurement.
	calls = 2_000
	// Streams that are opened before anything is measured: they pay for caches and connections.
	warmStreams = 100
)

// A cost is of idle streams: memory of one of them, and the median of unary calls without and with them.
type cost struct {
	Streams     int     `json:"streams"`
	ClientBytes float64 `json:"client_bytes"`
	ServerBytes float64 `json:"server_bytes"`
	Empty       float64 `json:"empty_us"`
	Among       float64 `json:"among_us"`
}

func measure(holder *holder, server, streams int) (*cost, error) {
	if err := holder.during(warmStreams, holder.warmUp); err != nil {
		return nil, err
	}
	before, err := holder.median()
	if err != nil {
		return nil, err
	}
	clientBytes, serverBytes, err := resident(server)
	if err != nil {
		return nil, err
	}
	cost := &cost{Streams: streams}
	err = holder.during(streams, func() error {
		client, served, err := resident(server)
		if err != nil {
			return err
		}
		cost.ClientBytes = float64(client-clientBytes) / float64(streams)
		cost.ServerBytes = float64(served-serverBytes) / float64(streams)
		cost.Among, err = holder.median()
		return err
	})
	if err != nil {
		return nil, err
	}
	after, err := holder.median()
	cost.Empty = (before + after) / 2
	return cost, err
}

func (holder *holder) warmUp() error {
	_, err := holder.median()
	return err
}

// during does something while so many streams are open.
func (holder *holder) during(streams int, do func() error) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for number := range streams {
		if err := holder.open(ctx, number); err != nil {
			return err
		}
	}
	return do()
}

// median of unary calls, in microseconds.
func (holder *holder) median() (float64, error) {
	durations := make([]time.Duration, calls)
	for number := range durations {
		started := time.Now()
		if err := holder.unary(); err != nil {
			return 0, err
		}
		durations[number] = time.Since(started)
	}
	slices.Sort(durations)
	return float64((durations[calls/2-1] + durations[calls/2]).Nanoseconds()) / 2 / 1e3, nil
}

// resident gives the memory of both sides; of ours only what is in use.
func resident(server int) (client, served int, err error) {
	debug.FreeOSMemory()
	client, err = work.ResidentBytes(os.Getpid())
	if err == nil {
		served, err = work.ResidentBytes(server)
	}
	return client, served, err
}
