package main

import (
	"context"
	"io"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"image_service/images"
)

// pieceBytes is how much of a picture goes into one message of a stream; a message may have 4 MiB.
const pieceBytes = 1 << 20

const callTimeout = time.Minute

// result is what came back for one picture: a problem, or data.
type result struct {
	data         []byte
	imageSeconds float64
	problem      string
}

// way is how pictures are sent; each result is handed over in the order of the pictures.
type way func(
	ctx context.Context, client images.ImagesClient, pictures []picture, together int, each func(picture, result) error,
) error

var ways = map[string]way{"unary": unary, "lockstep": lockstep, "stream": stream}

type answer struct {
	picture picture
	result  result
	err     error
}

// unary makes a call for each picture, so many of them at once.
func unary(
	ctx context.Context, client images.ImagesClient, pictures []picture, together int, each func(picture, result) error,
) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// One call is waited for, the others are in the channel.
	calls := make(chan chan answer, together-1)
	go func() {
		defer close(calls)
		for _, picture := range pictures {
			answers := make(chan answer, 1)
			select {
			case calls <- answers:
			case <-ctx.Done():
				return
			}
			go func() {
				result, err := call(ctx, client, picture)
				answers <- answer{picture, result, err}
			}()
		}
	}()
	for answers := range calls {
		answer := <-answers
		if answer.err != nil {
			return answer.err
		}
		if err := each(answer.picture, answer.result); err != nil {
			return err
		}
	}
	return nil
}

func call(ctx context.Context, client images.ImagesClient, picture picture) (result, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	reply, err := client.Improve(ctx, &images.Picture{Data: picture.data})
	switch status.Code(err) {
	case codes.OK:
		return result{data: reply.Data, imageSeconds: reply.ImageSeconds}, nil
	case codes.InvalidArgument:
		return result{problem: status.Convert(err).Message()}, nil
	case codes.ResourceExhausted:
		return result{problem: status.Convert(err).Message() + " (a stream takes large pictures in pieces)"}, nil
	}
	return result{}, err
}

// stream sends all pictures on one stream, as fast as the server takes them.
func stream(
	ctx context.Context, client images.ImagesClient, pictures []picture, _ int, each func(picture, result) error,
) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	call, err := client.ImproveAll(ctx)
	if err != nil {
		return err
	}
	go func() {
		for _, picture := range pictures {
			if send(call, picture) != nil {
				return // Recv says why
			}
		}
		call.CloseSend()
	}()
	for _, picture := range pictures {
		if err := receive(call, picture, each); err != nil {
			return err
		}
	}
	return end(call)
}

// lockstep uses one stream like calls: a picture, its result, the next.
func lockstep(
	ctx context.Context, client images.ImagesClient, pictures []picture, _ int, each func(picture, result) error,
) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	call, err := client.ImproveAll(ctx)
	if err != nil {
		return err
	}
	for _, picture := range pictures {
		// If it fails with io.EOF, the call has ended: Recv says why.
		if err := send(call, picture); err != nil && err != io.EOF {
			return err
		}
		if err := receive(call, picture, each); err != nil {
			return err
		}
	}
	call.CloseSend()
	return end(call)
}

func send(call images.Images_ImproveAllClient, picture picture) error {
	data := picture.data
	for more := true; more; {
		piece := data[:min(pieceBytes, len(data))]
		data = data[len(piece):]
		more = len(data) > 0
		if err := call.Send(&images.Picture{Data: piece, More: more}); err != nil {
			return err
		}
	}
	return nil
}

func receive(call images.Images_ImproveAllClient, picture picture, each func(picture, result) error) error {
	var data []byte
	for {
		reply, err := call.Recv()
		if err == io.EOF {
			return status.Error(codes.Internal, "the server ended the stream before the last result")
		}
		if err != nil {
			return err
		}
		if data == nil {
			data = reply.Data
		} else {
			data = append(data, reply.Data...)
		}
		if !reply.More {
			return each(picture, result{data, reply.ImageSeconds, reply.Problem})
		}
	}
}

// end waits for the server to end the stream.
func end(call images.Images_ImproveAllClient) error {
	if _, err := call.Recv(); err != io.EOF {
		return err
	}
	return nil
}
