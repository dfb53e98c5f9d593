package main

import (
	"io"
	"strconv"

	"google.golang.org/grpc"

	"grpcgo/work"
)

var rawCodec = grpc.ForceCodecV2(work.NewRawCodec())

func (client *client) rawServerStream(count int, _ *latencies) error {
	ctx, cancel := work.Context()
	defer cancel()
	stream, err := client.connection.NewStream(ctx, &work.RawServerStreamDesc, work.RawServerStream, rawCodec)
	if err == nil {
		err = stream.SendMsg(work.RawBytes(strconv.AppendInt(nil, int64(count), 10)))
	}
	if err == nil {
		err = stream.CloseSend()
	}
	if err != nil {
		return err
	}
	var reply work.RawReceived
	received := 0
	for {
		err := stream.RecvMsg(&reply)
		if err == io.EOF {
			return work.Check("replies", received, count)
		}
		if err == nil && !reply.IsText() {
			err = work.Check("reply", string(reply), work.Text)
		}
		if err != nil {
			return err
		}
		received++
	}
}

func (client *client) rawClientStream(count int, _ *latencies) error {
	ctx, cancel := work.Context()
	defer cancel()
	stream, err := client.connection.NewStream(ctx, &work.RawClientStreamDesc, work.RawClientStream, rawCodec)
	if err != nil {
		return err
	}
	message, err := work.PreparedRaw(stream)
	if err != nil {
		return err
	}
	for range count {
		if stream.SendMsg(message) != nil {
			break // the call is over: receiving says why
		}
	}
	_ = stream.CloseSend()
	var reply work.RawReceived
	if err := stream.RecvMsg(&reply); err != nil {
		return err
	}
	return work.Check("requests", string(reply), strconv.Itoa(count))
}
