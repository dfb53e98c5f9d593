// The client that holds streams open: prints what they cost, as one line of JSON; see benchmarks/holding.py.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"log"
	"os"
	"strconv"

	"google.golang.org/grpc"

	"grpcgo/pb"
	"grpcgo/work"
)

const streamsPerConnection = 1_000

func main() {
	log.SetFlags(0)
	if err := run(os.Args[1:]); err != nil {
		log.Fatal(err)
	}
}

func run(arguments []string) error {
	if len(arguments) != 3 {
		return errors.New("usage: holder ADDRESS SERVER STREAMS")
	}
	server, err := strconv.Atoi(arguments[1])
	if err != nil {
		return err
	}
	streams, err := strconv.Atoi(arguments[2])
	if err != nil {
		return err
	}
	holder, err := connect(arguments[0], (streams+streamsPerConnection-1)/streamsPerConnection)
	if err != nil {
		return err
	}
	cost, err := measure(holder, server, streams)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(cost)
}

// A holder has a connection for unary calls, and others for streams.
type holder struct {
	alone pb.BenchClient
	held  []pb.BenchClient
}

func connect(address string, connections int) (*holder, error) {
	var clients []pb.BenchClient
	for range connections + 1 {
		connection, err := work.Dial(address, "")
		if err != nil {
			return nil, err
		}
		clients = append(clients, pb.NewBenchClient(connection))
	}
	return &holder{clients[0], clients[1:]}, nil
}

func (holder *holder) unary() error {
	ctx, cancel := work.Context()
	defer cancel()
	reply, err := holder.alone.Unary(ctx, &pb.Request{Text: work.Text})
	if err != nil {
		return err
	}
	return work.Check("reply", reply.Text, work.Text)
}

// open opens a stream, exchanges a message, and leaves a goroutine that waits for the next one.
func (holder *holder) open(ctx context.Context, number int) error {
	stream, err := holder.held[number%len(holder.held)].BothStream(ctx)
	if err != nil {
		return err
	}
	if err := exchange(stream); err != nil {
		return err
	}
	go func() {
		if _, err := stream.Recv(); err == nil {
			log.Fatal("a message came that nobody asked for")
		}
	}()
	return nil
}

func exchange(stream grpc.BidiStreamingClient[pb.Request, pb.Reply]) error {
	if err := stream.Send(&pb.Request{Text: work.Text}); err != nil {
		return err
	}
	reply, err := stream.Recv()
	if err != nil {
		return err
	}
	return work.Check("reply", reply.Text, work.Text)
}
