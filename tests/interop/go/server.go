package main

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"interop/echo"
)

// errEnd ends a call with OK, without reading what else the client sends.
var errEnd = errors.New("end")

// A record is what the server saw of one call.
type record struct {
	Call             string   `json:"call"`
	Requests         tally    `json:"requests"`
	Ended            int      `json:"ended"`
	RemainingSeconds *float64 `json:"remaining_seconds"`
}

type service struct {
	echo.UnimplementedEchoServer
}

func serve(window int32) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	options := []grpc.ServerOption{}
	if window > 0 {
		options = append(options, grpc.InitialWindowSize(window), grpc.InitialConnWindowSize(window))
	}
	server := grpc.NewServer(options...)
	echo.RegisterEchoServer(server, service{})
	emit(map[string]string{"address": listener.Addr().String()})
	log.Fatal(server.Serve(listener))
}

func (service) Unary(ctx context.Context, request *echo.Note) (*echo.Note, error) {
	record, err := begin(ctx)
	if err == nil {
		record.Requests.add(request)
		err = obey(ctx, request, true)
	}
	return reply(request, request.Number), record.end(err)
}

func (service) ServerStream(request *echo.Note, stream grpc.ServerStreamingServer[echo.Note]) error {
	record, err := begin(stream.Context())
	if err == nil {
		record.Requests.add(request)
		err = sendCopies(stream, request)
	}
	if err == nil {
		err = obey(stream.Context(), request, false)
	}
	return record.end(err)
}

func (service) ClientStream(stream grpc.ClientStreamingServer[echo.Note, echo.Note]) error {
	record, err := begin(stream.Context())
	last := &echo.Note{}
	for err == nil {
		var request *echo.Note
		if request, err = stream.Recv(); err == nil {
			last = request
			record.Requests.add(request)
			err = obey(stream.Context(), request, true)
		}
	}
	if isEnd(err) {
		number := uint64(record.Requests.Count)
		if last.Number == 0 {
			number = 0
		}
		err = stream.SendAndClose(reply(last, number))
	}
	return record.end(err)
}

func (service) BothStream(stream grpc.BidiStreamingServer[echo.Note, echo.Note]) error {
	record, err := begin(stream.Context())
	var question *echo.Note
	for err == nil {
		var request *echo.Note
		if request, err = stream.Recv(); err != nil {
			break
		}
		record.Requests.add(request)
		if request.Text == "answer" {
			question = request
			continue
		}
		if err = stream.Send(reply(request, request.Number)); err == nil {
			err = obey(stream.Context(), request, false)
		}
	}
	if errors.Is(err, io.EOF) && question != nil {
		err = sendCopies(stream, question)
	}
	return record.end(err)
}

// begin answers the metadata, and starts the record.
func begin(ctx context.Context) (*record, error) {
	pairs, _ := metadata.FromIncomingContext(ctx)
	record := &record{Call: strings.Join(pairs["call-id"], ",")}
	if deadline, ok := ctx.Deadline(); ok {
		remaining := time.Until(deadline).Seconds()
		record.RemainingSeconds = &remaining
	}
	if err := grpc.SetTrailer(ctx, withPrefix(pairs, "trailing-")); err != nil {
		return record, err
	}
	if initial := withPrefix(pairs, "initial-"); len(initial) > 0 {
		return record, grpc.SendHeader(ctx, initial)
	}
	return record, nil
}

// obey does what the text of a request says; an error ends the call.
func obey(ctx context.Context, request *echo.Note, oneReply bool) error {
	command, argument, _ := strings.Cut(request.Text, " ")
	switch command {
	case "end":
		return errEnd
	case "status":
		number, message, _ := strings.Cut(argument, " ")
		code, err := strconv.Atoi(number)
		if err != nil {
			return err
		}
		return status.Error(codes.Code(code), message)
	case "cancel":
		return status.Error(codes.Canceled, "cancelled by the server")
	case "wait":
		if oneReply {
			if err := grpc.SendHeader(ctx, metadata.Pairs("initial-waiting", "yes")); err != nil {
				return err
			}
		}
		<-ctx.Done()
		return whyDone(ctx)
	}
	return nil
}

// whyDone says why the context of a call is over. grpc-go has a timer of its own beside the context's; whichever is
// first, the call is over because of its deadline.
func whyDone(ctx context.Context) error {
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}

// end prints the record, and gives what the handler has to return.
func (record *record) end(err error) error {
	if isEnd(err) {
		err = nil
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		err = status.FromContextError(err).Err()
	}
	record.Ended = int(status.Code(err))
	emit(record)
	return err
}

func isEnd(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, errEnd)
}

func sendCopies(stream interface{ Send(*echo.Note) error }, request *echo.Note) error {
	if request.Number == 0 {
		return stream.Send(reply(request, 0))
	}
	for number := uint64(1); number <= request.Number; number++ {
		if err := stream.Send(reply(request, number)); err != nil {
			return err
		}
	}
	return nil
}

func reply(request *echo.Note, number uint64) *echo.Note {
	payload := request.Payload
	if request.Size > 0 {
		payload = pattern(int(request.Size))
	}
	return &echo.Note{Text: request.Text, Number: number, Payload: payload}
}

func withPrefix(pairs metadata.MD, prefix string) metadata.MD {
	found := metadata.MD{}
	for key, values := range pairs {
		if strings.HasPrefix(key, prefix) {
			found[key] = values
		}
	}
	return found
}
