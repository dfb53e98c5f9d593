package main

import (
	"context"
	"io"

	"google.golang.org/grpc"

	"grpcgo/pb"
	"grpcgo/work"
)

// bench has handlers as the generated code wants them: grpc-go runs each in a goroutine of its own.
type bench struct {
	pb.UnimplementedBenchServer
	topic topic
}

func (*bench) Unary(_ context.Context, request *pb.Request) (*pb.Reply, error) {
	return &pb.Reply{Text: request.Text, Blob: request.Blob}, nil
}

func (*bench) ServerStream(request *pb.Request, stream grpc.ServerStreamingServer[pb.Reply]) error {
	var blob []byte
	text := request.Text
	if request.BlobBytes > 0 {
		blob = make([]byte, request.BlobBytes)
		text = ""
	}
	for range request.Count {
		if err := stream.Send(&pb.Reply{Text: text, Blob: blob}); err != nil {
			return err
		}
	}
	return nil
}

func (*bench) ClientStream(stream grpc.ClientStreamingServer[pb.Request, pb.Reply]) error {
	count := uint32(0)
	for {
		request, err := stream.Recv()
		if err == io.EOF {
			return stream.SendAndClose(&pb.Reply{Count: count})
		}
		if err != nil {
			return err
		}
		if request.Text != work.Text && len(request.Blob) == 0 {
			return work.Check("request", request.Text, work.Text)
		}
		count++
	}
}

func (*bench) BothStream(stream grpc.BidiStreamingServer[pb.Request, pb.Reply]) error {
	for {
		request, err := stream.Recv()
		if err == io.EOF {
			return nil
		}
		if err == nil {
			err = stream.Send(&pb.Reply{Text: request.Text, Blob: request.Blob})
		}
		if err != nil {
			return err
		}
	}
}
