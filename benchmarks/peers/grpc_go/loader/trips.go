package main

import (
	"errors"
	"math"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	"grpcgo/work"
)

// mostLate is how long replies are waited for after the last message was meant to go.
const mostLate = 10 * time.Second

// maximum lets each stream send and wait, again and again, and counts what comes back.
func maximum(target *target, streams, connections int, duration time.Duration) (*trips, error) {
	ctx, cancel := work.Context()
	defer cancel()
	pairs, err := target.open(ctx, streams, connections)
	if err != nil {
		return nil, err
	}
	counts := make([]atomic.Int64, streams)
	var over atomic.Bool
	ended := make(chan error, 1)
	go func() {
		ended <- work.Together(streams, func(number int) error {
			for !over.Load() {
				if err := pairs[number].trip(); err != nil {
					return err
				}
				counts[number].Add(1)
			}
			return nil
		})
	}()
	time.Sleep(duration / warmUpShare)
	before := sum(counts)
	usage, err := work.Measure(func() error {
		time.Sleep(duration)
		return nil
	})
	count := sum(counts) - before
	over.Store(true)
	if err := errors.Join(err, <-ended); err != nil {
		return nil, err
	}
	return &trips{
		"maximum", streams, connections, usage.Seconds, count, float64(count) / usage.Seconds,
		map[string]float64{}, map[string]float64{}, usage.Client, usage.Server,
	}, nil
}

func sum(counts []atomic.Int64) int {
	total := int64(0)
	for number := range counts {
		total += counts[number].Load()
	}
	return int(total)
}

// A schedule says when each message is meant to go, and keeps what became of it.
type schedule struct {
	pairs       []pair
	rate        float64
	warm, total int
	start       time.Time
	late        []time.Duration
	latencies   [][]time.Duration
}

// steady sends at a rate, whatever comes back, and measures from when each message was meant to go.
func steady(target *target, streams, connections int, duration time.Duration, rate float64) (*trips, error) {
	ctx, cancel := work.Context()
	defer cancel()
	pairs, err := target.open(ctx, streams, connections)
	if err != nil {
		return nil, err
	}
	warm := int(math.Round(duration.Seconds() / warmUpShare * rate))
	schedule := &schedule{
		pairs:     pairs,
		rate:      rate,
		warm:      warm,
		total:     warm + int(math.Round(duration.Seconds()*rate)),
		start:     time.Now(),
		latencies: make([][]time.Duration, streams),
	}
	heard := make(chan error, 1)
	go func() { heard <- work.Together(streams, schedule.follow) }()
	if err := schedule.post(0, warm); err != nil {
		return nil, err
	}
	schedule.late = nil
	usage, err := work.Measure(func() error {
		if err := schedule.post(warm, schedule.total); err != nil {
			return err
		}
		select {
		case err := <-heard:
			return err
		case <-time.After(mostLate):
			return errors.New("replies are missing")
		}
	})
	if err != nil {
		return nil, err
	}
	var latencies []time.Duration
	for _, some := range schedule.latencies {
		latencies = append(latencies, some...)
	}
	took := time.Since(schedule.meant(warm)).Seconds()
	return &trips{
		"steady", streams, connections, took, len(latencies), float64(len(latencies)) / took,
		summary(latencies), summary(schedule.late), usage.Client, usage.Server,
	}, nil
}

func (schedule *schedule) meant(number int) time.Time {
	return schedule.start.Add(time.Duration(float64(number) / schedule.rate * float64(time.Second)))
}

// post posts messages from one number up to another, each when it is due, all from one goroutine: sending does not wait.
func (schedule *schedule) post(number, until int) error {
	// Timers of Go's runtime are rounded up to a millisecond where nothing else goes on.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for ; number < until; number++ {
		meant := schedule.meant(number)
		if wait := time.Until(meant); wait > 0 {
			pause := syscall.NsecToTimespec(wait.Nanoseconds())
			if err := syscall.Nanosleep(&pause, nil); err != nil && err != syscall.EINTR {
				return err
			}
		}
		schedule.late = append(schedule.late, max(0, time.Since(meant)))
		if err := schedule.pairs[number%len(schedule.pairs)].post(); err != nil {
			return err
		}
	}
	return nil
}

// follow receives what was posted on one stream, in order.
func (schedule *schedule) follow(stream int) error {
	for number := stream; number < schedule.total; number += len(schedule.pairs) {
		if err := schedule.pairs[stream].hear(); err != nil {
			return err
		}
		if number >= schedule.warm {
			schedule.latencies[stream] = append(schedule.latencies[stream], time.Since(schedule.meant(number)))
		}
	}
	return nil
}
