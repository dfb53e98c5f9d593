package main

import (
	"context"
	"errors"
	"io"
	"log"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"interop/echo"
)

// refused makes one unary call under a policy for calls that are refused, and prints how it ended.
func refused(address, policy string) {
	connection := dial(address, grpc.WithDefaultServiceConfig(policy))
	defer connection.Close()
	ctx, cancel := context.WithTimeout(context.Background(), bound)
	defer cancel()
	var trailing metadata.MD
	_, err := echo.NewEchoClient(connection).Unary(ctx, &echo.Note{}, grpc.Trailer(&trailing))
	emit(outcome{Code: int(status.Code(err)), Message: status.Convert(err).Message(), Trailing: printable(trailing)})
}

// steadied is what a client saw whose connections were ended under it.
type steadied struct {
	Connections int64       `json:"connections"`
	Codes       map[int]int `json:"codes"`
	Stream      int         `json:"stream"`
	Notes       int         `json:"notes"`
}

// steady makes unary calls without a pause until it has made so many connections, while a stream stays on the first one;
// then it ends the stream, and prints what became of them all.
func steady(address string, connections int64, workers int) {
	time.AfterFunc(bound, func() { log.Fatalf("it did not come to %d connections within %s", connections, bound) })
	made := &counter{}
	connection := dial(address, grpc.WithStatsHandler(made), grpc.WithDefaultCallOptions(grpc.WaitForReady(true)))
	defer connection.Close()
	client := echo.NewEchoClient(connection)
	stream, err := client.BothStream(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	// Answered: the server has it.
	if err := exchange(stream); err != nil {
		log.Fatal(err)
	}
	emit(map[string]string{"stream": "open"})
	var group sync.WaitGroup
	var lock sync.Mutex
	result := steadied{Codes: map[int]int{}}
	for range workers {
		group.Go(func() {
			for made.connections.Load() < connections {
				_, err := client.Unary(context.Background(), &echo.Note{})
				lock.Lock()
				result.Codes[int(status.Code(err))]++
				lock.Unlock()
			}
		})
	}
	for made.connections.Load() < connections && err == nil {
		if err = exchange(stream); err == nil {
			result.Notes++
		}
	}
	group.Wait()
	if err == nil {
		_ = stream.CloseSend() // who receives learns why it failed
		_, err = stream.Recv()
	}
	if !errors.Is(err, io.EOF) {
		result.Stream = int(status.Code(err))
	}
	result.Connections = made.connections.Load()
	emit(result)
}

// exchange sends a note and waits for the answer.
func exchange(stream grpc.BidiStreamingClient[echo.Note, echo.Note]) error {
	if err := stream.Send(&echo.Note{}); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	_, err := stream.Recv()
	return err
}
