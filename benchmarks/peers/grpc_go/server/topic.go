package main

import (
	"context"
	"maps"
	"slices"
	"sync"

	"google.golang.org/grpc"

	"grpcgo/pb"
)

// A topic has subscribers. Whoever publishes sends to each itself: a queue and a goroutine for each subscriber would
// cost a quarter more. It waits for one whose window is full.
type topic struct {
	lock        sync.Mutex
	subscribers map[*subscriber]struct{}
}

type subscriber struct {
	stream grpc.ServerStreamingServer[pb.Reply]
	lock   sync.Mutex // one may send at a time, and nobody once the handler has returned
	gone   bool
}

// Subscribe hands on what is published, until the call is over.
func (bench *bench) Subscribe(_ *pb.Request, stream grpc.ServerStreamingServer[pb.Reply]) error {
	subscriber := &subscriber{stream: stream}
	defer bench.topic.remove(subscriber)
	if err := bench.topic.add(subscriber); err != nil {
		return err
	}
	<-stream.Context().Done()
	return nil
}

// Publish encodes a message once for all who get it.
func (bench *bench) Publish(_ context.Context, request *pb.Request) (*pb.Reply, error) {
	subscribers := bench.topic.all()
	if len(subscribers) > 0 {
		message := &grpc.PreparedMsg{}
		if err := message.Encode(subscribers[0].stream, &pb.Reply{Text: request.Text}); err != nil {
			return nil, err
		}
		for range request.Count {
			for _, subscriber := range subscribers {
				if err := subscriber.send(message); err != nil {
					return nil, err
				}
			}
		}
	}
	return &pb.Reply{Count: uint32(len(subscribers))}, nil
}

func (subscriber *subscriber) send(message *grpc.PreparedMsg) error {
	subscriber.lock.Lock()
	defer subscriber.lock.Unlock()
	if subscriber.gone {
		return nil
	}
	err := subscriber.stream.SendMsg(message)
	if subscriber.stream.Context().Err() != nil {
		return nil // it has left meanwhile
	}
	return err
}

func newTopic() topic {
	return topic{subscribers: map[*subscriber]struct{}{}}
}

// add sends the empty reply that comes before all else; who has it is a subscriber.
func (topic *topic) add(subscriber *subscriber) error {
	subscriber.lock.Lock()
	defer subscriber.lock.Unlock()
	topic.lock.Lock()
	topic.subscribers[subscriber] = struct{}{}
	topic.lock.Unlock()
	return subscriber.stream.Send(&pb.Reply{})
}

func (topic *topic) remove(subscriber *subscriber) {
	topic.lock.Lock()
	delete(topic.subscribers, subscriber)
	topic.lock.Unlock()
	subscriber.lock.Lock()
	defer subscriber.lock.Unlock()
	subscriber.gone = true
}

func (topic *topic) all() []*subscriber {
	topic.lock.Lock()
	defer topic.lock.Unlock()
	return slices.Collect(maps.Keys(topic.subscribers))
}
