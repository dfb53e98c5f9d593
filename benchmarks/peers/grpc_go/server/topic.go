package main

import (
	"context"
	"maps"
	"slices"
	"sync"

	"google.golang.org/grpc"

	"grpcgo/pb"
)

// queued is how many messages wait for one subscriber before whoever publishes waits for it.
const queued = 64

// A topic has subscribers. Each has a goroutine, that of its call, and a queue: one that is slow holds up the others only
// once its queue is full.
type topic struct {
	lock        sync.Mutex
	subscribers map[*subscriber]struct{}
}

type subscriber struct {
	queue  chan *grpc.PreparedMsg
	stream grpc.ServerStreamingServer[pb.Reply]
}

// Subscribe hands on what is published, until the call is over.
func (bench *bench) Subscribe(_ *pb.Request, stream grpc.ServerStreamingServer[pb.Reply]) error {
	if err := stream.Send(&pb.Reply{}); err != nil {
		return err
	}
	subscriber := &subscriber{make(chan *grpc.PreparedMsg, queued), stream}
	bench.topic.add(subscriber)
	defer bench.topic.remove(subscriber)
	for {
		select {
		case message := <-subscriber.queue:
			if err := stream.SendMsg(message); err != nil {
				return err
			}
		case <-stream.Context().Done():
			return nil
		}
	}
}

// Publish encodes a message once for all who get it.
func (bench *bench) Publish(ctx context.Context, request *pb.Request) (*pb.Reply, error) {
	subscribers := bench.topic.all()
	for range request.Count {
		var message *grpc.PreparedMsg
		for _, subscriber := range subscribers {
			if message == nil {
				message = &grpc.PreparedMsg{}
				if err := message.Encode(subscriber.stream, &pb.Reply{Text: request.Text}); err != nil {
					return nil, err
				}
			}
			select {
			case subscriber.queue <- message:
			case <-subscriber.stream.Context().Done(): // it has left
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
	}
	return &pb.Reply{Count: uint32(len(subscribers))}, nil
}

func newTopic() topic {
	return topic{subscribers: map[*subscriber]struct{}{}}
}

func (topic *topic) add(subscriber *subscriber) {
	topic.lock.Lock()
	defer topic.lock.Unlock()
	topic.subscribers[subscriber] = struct{}{}
}

func (topic *topic) remove(subscriber *subscriber) {
	topic.lock.Lock()
	defer topic.lock.Unlock()
	delete(topic.subscribers, subscriber)
}

func (topic *topic) all() []*subscriber {
	topic.lock.Lock()
	defer topic.lock.Unlock()
	return slices.Collect(maps.Keys(topic.subscribers))
}
