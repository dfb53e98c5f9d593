package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"grpcgo/pb"
	"grpcgo/work"
)

const (
	// endless is of a stream that is to be busy as long as it is open.
	endless    = 4_000_000_000
	largeBytes = 64 * 1024
)

// beside reads streams, every other one of large messages, and makes calls among them.
func beside(target *target, streams int, duration time.Duration) (*calls, error) {
	ctx, cancel := work.Context()
	defer cancel()
	clients, err := target.connect(1)
	if err != nil {
		return nil, err
	}
	counts := make([]atomic.Int64, streams)
	ended := make(chan error, 1)
	go func() {
		ended <- work.Together(streams, func(number int) error {
			return read(ctx, clients[0], number%2 == 1, &counts[number])
		})
	}()
	if err := until(counts, clients[0]); err != nil {
		return nil, err
	}
	if _, err := call(clients[0], duration/warmUpShare); err != nil {
		return nil, err
	}
	before := load(counts)
	var latencies []time.Duration
	usage, err := work.Measure(func() (err error) {
		latencies, err = call(clients[0], duration)
		return err
	})
	if err != nil {
		return nil, err
	}
	line := &calls{
		Section: "beside", Streams: streams, Seconds: usage.Seconds, Count: len(latencies), Latency: summary(latencies),
		Client: usage.Client, Server: usage.Server,
	}
	for number, now := range load(counts) {
		if number%2 == 1 {
			line.Large.add(now - before[number])
		} else {
			line.Small.add(now - before[number])
		}
	}
	select {
	case err := <-ended:
		return nil, fmt.Errorf("a stream ended: %w", err)
	default:
		return line, nil
	}
}

// read counts what comes on a stream, which has no end.
func read(ctx context.Context, client pb.BenchClient, large bool, count *atomic.Int64) error {
	request := &pb.Request{Text: work.Text, Count: endless}
	text, blobBytes := work.Text, 0
	if large {
		text, blobBytes = "", largeBytes
		request.BlobBytes = largeBytes
	}
	stream, err := client.ServerStream(ctx, request)
	for err == nil {
		var reply *pb.Reply
		if reply, err = stream.Recv(); err == nil {
			err = errors.Join(
				work.Check("reply", reply.Text, text), work.Check("bytes of a blob", len(reply.Blob), blobBytes),
			)
			count.Add(1)
		}
	}
	return err
}

// until makes calls until each stream has had a message.
func until(counts []atomic.Int64, client pb.BenchClient) error {
	for number := 0; number < len(counts); {
		if counts[number].Load() > 0 {
			number++
		} else if _, err := call(client, 0); err != nil {
			return err
		}
	}
	return nil
}

func load(counts []atomic.Int64) []int {
	values := make([]int, len(counts))
	for number := range counts {
		values[number] = int(counts[number].Load())
	}
	return values
}

// call makes calls one after another for so long, at least one.
func call(client pb.BenchClient, duration time.Duration) ([]time.Duration, error) {
	var latencies []time.Duration
	began := time.Now()
	for len(latencies) == 0 || time.Since(began) < duration {
		ctx, cancel := work.Context()
		started := time.Now()
		reply, err := client.Unary(ctx, &pb.Request{Text: work.Text})
		latencies = append(latencies, time.Since(started))
		cancel()
		if err == nil {
			err = work.Check("reply", reply.Text, work.Text)
		}
		if err != nil {
			return nil, err
		}
	}
	return latencies, nil
}
