package main

import (
	"io"
	"strconv"

	"google.golang.org/grpc"

	"grpcgo/work"
)

// raw is the service of bytes; no generated code is needed for one.
var raw = grpc.ServiceDesc{
	ServiceName: work.RawService,
	HandlerType: (*any)(nil),
	Streams:     []grpc.StreamDesc{handled(work.RawServerStreamDesc, sendRaw), handled(work.RawClientStreamDesc, receiveRaw)},
}

func handled(method grpc.StreamDesc, handler grpc.StreamHandler) grpc.StreamDesc {
	method.Handler = handler
	return method
}

func sendRaw(_ any, stream grpc.ServerStream) error {
	var request work.RawReceived
	if err := stream.RecvMsg(&request); err != nil {
		return err
	}
	count, err := strconv.Atoi(string(request))
	if err != nil {
		return err
	}
	message, err := work.PreparedRaw(stream)
	for ; err == nil && count > 0; count-- {
		err = stream.SendMsg(message)
	}
	return err
}

func receiveRaw(_ any, stream grpc.ServerStream) error {
	var request work.RawReceived
	count := 0
	for {
		err := stream.RecvMsg(&request)
		if err == io.EOF {
			return stream.SendMsg(work.RawBytes(strconv.AppendInt(nil, int64(count), 10)))
		}
		if err == nil && !request.IsText() {
			err = work.Check("request", string(request), work.Text)
		}
		if err != nil {
			return err
		}
		count++
	}
}
