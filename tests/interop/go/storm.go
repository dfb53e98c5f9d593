package main

import (
	"context"
	"errors"
	"io"
	"log"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"

	"interop/echo"
)

// The transfer after a storm: a window that lost a byte for each call would stop it.
const (
	transferNotes = 64
	noteBytes     = 1 << 20
)

// A stormService answers each note, and ends a call after as many as its first note says.
type stormService struct {
	echo.UnimplementedEchoServer
	running, ended atomic.Int64
}

func (service *stormService) BothStream(stream grpc.BidiStreamingServer[echo.Note, echo.Note]) error {
	service.running.Add(1)
	defer service.running.Add(-1)
	defer service.ended.Add(1)
	for last, count := uint64(0), uint64(1); ; count++ {
		note, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if count == 1 {
			last = note.Number
		}
		if err := stream.Send(note); err != nil {
			return err
		}
		if count == last {
			return status.Error(codes.Canceled, "the server has enough")
		}
	}
}

func (*stormService) ServerStream(request *echo.Note, stream grpc.ServerStreamingServer[echo.Note]) error {
	return sendCopies(stream, request)
}

func (*stormService) ClientStream(stream grpc.ClientStreamingServer[echo.Note, echo.Note]) error {
	count := uint64(0)
	for {
		_, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return stream.SendAndClose(&echo.Note{Number: count})
		}
		if err != nil {
			return err
		}
		count++
	}
}

// Unary tells what is left of the storm.
func (service *stormService) Unary(context.Context, *echo.Note) (*echo.Note, error) {
	return &echo.Note{Number: uint64(service.running.Load()), Size: uint32(service.ended.Load())}, nil
}

// A counter counts connections.
type counter struct{ connections atomic.Int64 }

func (*counter) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context   { return ctx }
func (*counter) HandleRPC(context.Context, stats.RPCStats)                         {}
func (*counter) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (counter *counter) HandleConn(_ context.Context, happened stats.ConnStats) {
	if _, ok := happened.(*stats.ConnBegin); ok {
		counter.connections.Add(1)
	}
}

func serveStorm() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer()
	echo.RegisterEchoServer(server, &stormService{})
	emit(map[string]string{"address": listener.Addr().String()})
	log.Fatal(server.Serve(listener))
}

// stormed is what a client of a storm saw.
type stormed struct {
	Calls       int           `json:"calls"`
	Connections int64         `json:"connections"`
	Codes       map[int]int   `json:"codes"`
	Received    int           `json:"received"`
	Sent        uint64        `json:"sent"`
	Seconds     float64       `json:"seconds"`
	After       time.Duration `json:"after_nanoseconds"`
	Fresh       time.Duration `json:"fresh_nanoseconds"`
}

func storm(address string, calls, workers int) {
	connections := &counter{}
	connection := dial(address, grpc.WithStatsHandler(connections))
	defer connection.Close()
	client := echo.NewEchoClient(connection)
	began := time.Now()
	codes := make([]map[int]int, workers)
	var group sync.WaitGroup
	for worker := range workers {
		codes[worker] = map[int]int{}
		group.Go(func() {
			for range calls / workers {
				codes[worker][int(stormCall(client))]++
			}
		})
	}
	group.Wait()
	result := stormed{Calls: calls / workers * workers, Codes: map[int]int{}, Seconds: time.Since(began).Seconds()}
	for _, counts := range codes {
		for code, count := range counts {
			result.Codes[code] += count
		}
	}
	began = time.Now()
	result.Received, result.Sent = transfer(client)
	result.After = time.Since(began)
	result.Connections = connections.connections.Load()
	fresh := dial(address)
	defer fresh.Close()
	began = time.Now()
	transfer(echo.NewEchoClient(fresh))
	result.Fresh = time.Since(began)
	emit(result)
}

func dial(address string, options ...grpc.DialOption) *grpc.ClientConn {
	options = append(options, grpc.WithTransportCredentials(insecure.NewCredentials()))
	connection, err := grpc.NewClient("passthrough:///"+address, options...)
	if err != nil {
		log.Fatal(err)
	}
	connect(connection)
	return connection
}

// stormCall makes one call, which ends at a random moment: by the server, or by its client, or in order.
func stormCall(client echo.EchoClient) codes.Code {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stream, err := client.BothStream(ctx)
	if err != nil {
		return status.Code(err)
	}
	notes, half := rand.IntN(8), rand.IntN(4) == 0
	most := notes
	if half {
		most++ // the end
	}
	go func() {
		payload := pattern(rand.IntN(4096))
		for range notes {
			if stream.Send(&echo.Note{Number: rand.Uint64N(16), Payload: payload}) != nil {
				return
			}
		}
		if half {
			_ = stream.CloseSend()
		}
	}()
	if rand.IntN(2) == 0 {
		time.AfterFunc(time.Duration(rand.IntN(2000))*time.Microsecond, cancel)
	}
	for range rand.IntN(most + 1) {
		if _, err := stream.Recv(); err != nil {
			if errors.Is(err, io.EOF) {
				return codes.OK
			}
			return status.Code(err)
		}
	}
	return codes.Canceled
}

// transfer moves 64 MiB in each direction.
func transfer(client echo.EchoClient) (received int, sent uint64) {
	down, err := client.ServerStream(context.Background(), &echo.Note{Number: transferNotes, Size: noteBytes})
	if err != nil {
		log.Fatal(err)
	}
	for {
		note, err := down.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			log.Fatal(err)
		}
		received += len(note.Payload)
	}
	up, err := client.ClientStream(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	payload := pattern(noteBytes)
	for range transferNotes {
		if err := up.Send(&echo.Note{Payload: payload}); err != nil {
			break // who receives learns why
		}
	}
	reply, err := up.CloseAndRecv()
	if err != nil {
		log.Fatal(err)
	}
	return received, reply.Number * noteBytes
}
