// Package work holds what both sides agree on: the messages, the deadline, and how the programs end.
// It says the same as benchmarks/work.py.
package work

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"
)

// Text of every small message: 32 bytes, 34 encoded.
const Text = "count:7 client data: 0123456789a"

// ConcurrentCalls of unary_64.
const ConcurrentCalls = 64

// Subscribers of a broadcast.
const Subscribers = 1_000

// deadline of every call, streams too. None ever gets near it; it is there because programs have one.
const deadline = 60 * time.Second

// Context gives what a call runs under.
func Context() (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.Background(), deadline)
}

// Check compares what came with what had to come.
func Check[Value comparable](what string, got, expected Value) error {
	if got != expected {
		return fmt.Errorf("%s: %v came, not %v", what, got, expected)
	}
	return nil
}

// Together does something so many times at once, and gives the first error at once.
func Together(count int, do func(number int) error) error {
	ended := make(chan error, count)
	for number := range count {
		go func() { ended <- do(number) }()
	}
	for range count {
		if err := <-ended; err != nil {
			return err
		}
	}
	return nil
}

// Percentiles by nearest rank, in microseconds; sorts the durations. Without any there are none.
func Percentiles(durations []time.Duration, shares map[string]float64) map[string]float64 {
	found := map[string]float64{}
	if len(durations) == 0 {
		return found
	}
	slices.Sort(durations)
	for name, share := range shares {
		rank := int(math.Ceil(share * float64(len(durations))))
		found[name] = float64(durations[max(1, rank)-1].Nanoseconds()) / 1e3
	}
	return found
}

// WithoutTLS takes "--tls CA" off the end of a command line: the path is empty where it is not there.
func WithoutTLS(arguments []string) (others []string, authorities string) {
	if at := len(arguments) - 2; at >= 0 && arguments[at] == "--tls" {
		return arguments[:at], arguments[at+1]
	}
	return arguments, ""
}
