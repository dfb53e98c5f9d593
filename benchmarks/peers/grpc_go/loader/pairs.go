package main

import (
	"context"

	"google.golang.org/grpc"

	"grpcgo/pb"
	"grpcgo/work"
)

type target struct {
	address, authorities string
}

// connect gives so many clients, each with a connection of its own.
func (target *target) connect(connections int) ([]pb.BenchClient, error) {
	var clients []pb.BenchClient
	for range connections {
		connection, err := work.Dial(target.address, target.authorities)
		if err != nil {
			return nil, err
		}
		clients = append(clients, pb.NewBenchClient(connection))
	}
	return clients, nil
}

// A pair is a stream both ways.
type pair struct {
	stream grpc.BidiStreamingClient[pb.Request, pb.Reply]
}

// open opens streams; each has had a round trip.
func (target *target) open(ctx context.Context, streams, connections int) ([]pair, error) {
	clients, err := target.connect(connections)
	if err != nil {
		return nil, err
	}
	pairs := make([]pair, streams)
	for number := range pairs {
		stream, err := clients[number%connections].BothStream(ctx)
		if err != nil {
			return nil, err
		}
		pairs[number] = pair{stream}
		if err := pairs[number].trip(); err != nil {
			return nil, err
		}
	}
	return pairs, nil
}

func (pair *pair) trip() error {
	if err := pair.post(); err != nil {
		return err
	}
	return pair.hear()
}

// post hands a text over. It waits only while 64 KiB of this stream wait to be written.
func (pair *pair) post() error {
	return pair.stream.Send(&pb.Request{Text: work.Text})
}

func (pair *pair) hear() error {
	reply, err := pair.stream.Recv()
	if err != nil {
		return err
	}
	return work.Check("reply", reply.Text, work.Text)
}
