package main

import "grpcgo/work"

const (
	kib = 1024
	mib = 1024 * kib
)

// A scenario is something to measure; what one unit of each is, benchmarks/README.md says.
type scenario struct {
	firstCount int
	run        func(client *client, count int, latencies *latencies) error
	// Where it is not nil: what is there before the first run, until what it gives is called.
	around func(client *client) (leave func(), err error)
	// Where it is not 0: the count of every run is a multiple of it.
	multiple int
}

func (scenario *scenario) enter(client *client) (leave func(), err error) {
	if scenario.around == nil {
		return func() {}, nil
	}
	return scenario.around(client)
}

var scenarios = map[string]scenario{
	"unary":               {firstCount: 300, run: (*client).unary},
	"unary_64":            {firstCount: 20 * work.ConcurrentCalls, run: (*client).unaryAtOnce},
	"ping_pong":           {firstCount: 500, run: (*client).pingPong},
	"server_stream":       {firstCount: 2_000, run: serverStream(0)},
	"client_stream":       {firstCount: 2_000, run: clientStream(0)},
	"both_stream":         {firstCount: 2_000, run: bothStream(0)},
	"server_stream_1kib":  {firstCount: 2_000, run: serverStream(kib)},
	"client_stream_1kib":  {firstCount: 2_000, run: clientStream(kib)},
	"both_stream_1kib":    {firstCount: 2_000, run: bothStream(kib)},
	"server_stream_16kib": {firstCount: 1_000, run: serverStream(16 * kib)},
	"client_stream_16kib": {firstCount: 1_000, run: clientStream(16 * kib)},
	"both_stream_16kib":   {firstCount: 1_000, run: bothStream(16 * kib)},
	"raw_server_stream":   {firstCount: 2_000, run: (*client).rawServerStream},
	"raw_client_stream":   {firstCount: 2_000, run: (*client).rawClientStream},
	"blobs_64kib":         {firstCount: 512, run: serverStream(64 * kib)},
	"blobs_1mib":          {firstCount: 64, run: serverStream(mib)},
	"broadcast_1000": {
		firstCount: 10 * work.Subscribers,
		run:        (*client).broadcast,
		around:     (*client).subscribe,
		multiple:   work.Subscribers,
	},
}

func serverStream(blobBytes int) func(*client, int, *latencies) error {
	return func(client *client, count int, _ *latencies) error { return client.serverStream(count, blobBytes) }
}

func clientStream(blobBytes int) func(*client, int, *latencies) error {
	return func(client *client, count int, _ *latencies) error { return client.clientStream(count, blobBytes) }
}

func bothStream(blobBytes int) func(*client, int, *latencies) error {
	return func(client *client, count int, _ *latencies) error { return client.bothStream(count, blobBytes) }
}
