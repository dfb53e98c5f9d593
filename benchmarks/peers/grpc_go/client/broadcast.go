package main

import (
	"google.golang.org/grpc"

	"grpcgo/pb"
	"grpcgo/work"
)

// subscribe opens the streams, on the one connection there is.
func (client *client) subscribe() (leave func(), err error) {
	ctx, cancel := work.Context()
	client.subscriptions = make([]grpc.ServerStreamingClient[pb.Reply], work.Subscribers)
	for number := range client.subscriptions {
		stream, err := client.bench.Subscribe(ctx, &pb.Request{})
		if err == nil {
			_, err = stream.Recv()
		}
		if err != nil {
			cancel()
			return nil, err
		}
		client.subscriptions[number] = stream
	}
	return cancel, nil
}

// broadcast has a text published so often that count arrive in all; each stream has a goroutine.
func (client *client) broadcast(count int, _ *latencies) error {
	ctx, cancel := work.Context()
	defer cancel()
	each := count / work.Subscribers
	return work.Together(work.Subscribers+1, func(number int) error {
		if number < work.Subscribers {
			return receiveSome(client.subscriptions[number], each)
		}
		reply, err := client.bench.Publish(ctx, &pb.Request{Text: work.Text, Count: uint32(each)})
		if err != nil {
			return err
		}
		return work.Check("subscribers", int(reply.Count), work.Subscribers)
	})
}

func receiveSome(stream grpc.ServerStreamingClient[pb.Reply], count int) error {
	for range count {
		reply, err := stream.Recv()
		if err != nil {
			return err
		}
		if reply.Text != work.Text {
			return work.Check("delivery", reply.Text, work.Text)
		}
	}
	return nil
}
