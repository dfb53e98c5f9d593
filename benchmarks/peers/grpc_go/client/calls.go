package main

import (
	"io"
	"time"

	"google.golang.org/grpc"

	"grpcgo/pb"
	"grpcgo/work"
)

// A client does the work as a program would: what the generated code offers, and a goroutine for each direction.
type client struct {
	connection    *grpc.ClientConn
	bench         pb.BenchClient
	subscriptions []grpc.ServerStreamingClient[pb.Reply]
}

func newClient(connection *grpc.ClientConn) *client {
	return &client{connection: connection, bench: pb.NewBenchClient(connection)}
}

func (client *client) call() error {
	ctx, cancel := work.Context()
	defer cancel()
	reply, err := client.bench.Unary(ctx, &pb.Request{Text: work.Text})
	if err != nil {
		return err
	}
	return work.Check("reply", reply.Text, work.Text)
}

func (client *client) unary(count int, latencies *latencies) error {
	for range count {
		started := time.Now()
		if err := client.call(); err != nil {
			return err
		}
		latencies.since(started)
	}
	return nil
}

func (client *client) unaryAtOnce(count int, _ *latencies) error {
	return work.Together(work.ConcurrentCalls, func(number int) error {
		for range (count + number) / work.ConcurrentCalls { // together count
			if err := client.call(); err != nil {
				return err
			}
		}
		return nil
	})
}

func (client *client) serverStream(count, blobBytes int) error {
	ctx, cancel := work.Context()
	defer cancel()
	request := &pb.Request{Text: work.Text, Count: uint32(count), BlobBytes: uint32(blobBytes)}
	stream, err := client.bench.ServerStream(ctx, request)
	if err != nil {
		return err
	}
	return receive(stream, count, blobBytes)
}

func (client *client) clientStream(count, blobBytes int) error {
	ctx, cancel := work.Context()
	defer cancel()
	stream, err := client.bench.ClientStream(ctx)
	if err != nil {
		return err
	}
	send(stream, count, blobBytes)
	reply, err := stream.CloseAndRecv()
	if err != nil {
		return err
	}
	return work.Check("requests", int(reply.Count), count)
}

func (client *client) bothStream(count, blobBytes int) error {
	ctx, cancel := work.Context()
	defer cancel()
	stream, err := client.bench.BothStream(ctx)
	if err != nil {
		return err
	}
	go func() {
		send(stream, count, blobBytes)
		_ = stream.CloseSend() // never fails; the receiver hears of a call that did
	}()
	return receive(stream, count, blobBytes)
}

func (client *client) pingPong(count int, latencies *latencies) error {
	ctx, cancel := work.Context()
	defer cancel()
	stream, err := client.bench.BothStream(ctx)
	if err != nil {
		return err
	}
	for range count {
		started := time.Now()
		if err := stream.Send(&pb.Request{Text: work.Text}); err != nil {
			return err
		}
		reply, err := stream.Recv()
		if err != nil {
			return err
		}
		latencies.since(started)
		if err := work.Check("reply", reply.Text, work.Text); err != nil {
			return err
		}
	}
	_ = stream.CloseSend()
	return receive(stream, 0, 0)
}

// send sends texts, or blobs where they have a size. An error only says that the call is over: receiving says why.
func send(stream interface{ Send(*pb.Request) error }, count, blobBytes int) {
	text := work.Text
	var blob []byte
	if blobBytes > 0 {
		blob = make([]byte, blobBytes)
		text = ""
	}
	for range count {
		if stream.Send(&pb.Request{Text: text, Blob: blob}) != nil {
			return
		}
	}
}

// receive receives texts, or blobs where they have a size, until the call is over.
func receive(stream interface{ Recv() (*pb.Reply, error) }, count, blobBytes int) error {
	received := 0
	for {
		reply, err := stream.Recv()
		if err == io.EOF {
			return work.Check("replies", received, count)
		}
		if err != nil {
			return err
		}
		if blobBytes == 0 && reply.Text != work.Text {
			return work.Check("reply", reply.Text, work.Text)
		}
		if len(reply.Blob) != blobBytes {
			return work.Check("bytes of a blob", len(reply.Blob), blobBytes)
		}
		received++
	}
}
