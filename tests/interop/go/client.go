package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"interop/echo"
)

// bound is what all calls together may take: a bound for failures.
const bound = 15 * time.Second

// A call is what the client is asked to do.
type call struct {
	ID       string `json:"id"`
	Kind     string `json:"kind"`
	Requests []struct {
		Text         string `json:"text"`
		Number       uint64 `json:"number"`
		Size         uint32 `json:"size"`
		PayloadBytes int    `json:"payload_bytes"`
		Times        int    `json:"times"`
	} `json:"requests"`
	Metadata       [][2]string `json:"metadata"`
	TimeoutSeconds *float64    `json:"timeout_seconds"`
	EnforceTimeout bool        `json:"enforce_timeout"`
	HalfClose      bool        `json:"half_close"`
	Flood          bool        `json:"flood"`
	CancelAfter    *int        `json:"cancel_after"`
}

// An outcome is what the client saw.
type outcome struct {
	Code     int                 `json:"code"`
	Message  string              `json:"message"`
	Initial  map[string][]string `json:"initial"`
	Trailing map[string][]string `json:"trailing"`
	Replies  tally               `json:"replies"`
}

var kinds = map[string]struct {
	path string
	desc grpc.StreamDesc
}{
	"unary":         {echo.Echo_Unary_FullMethodName, grpc.StreamDesc{}},
	"server_stream": {echo.Echo_ServerStream_FullMethodName, grpc.StreamDesc{ServerStreams: true}},
	"client_stream": {echo.Echo_ClientStream_FullMethodName, grpc.StreamDesc{ClientStreams: true}},
	"both_stream":   {echo.Echo_BothStream_FullMethodName, grpc.StreamDesc{ServerStreams: true, ClientStreams: true}},
}

func runCalls(window int32, address string, texts []string) {
	time.AfterFunc(bound, func() { log.Fatalf("the calls did not end within %s", bound) })
	options := []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials())}
	if window > 0 {
		options = append(options, grpc.WithInitialWindowSize(window), grpc.WithInitialConnWindowSize(window))
	}
	connection, err := grpc.NewClient("passthrough:///"+address, options...)
	if err != nil {
		log.Fatal(err)
	}
	defer connection.Close()
	connect(connection)
	for _, text := range texts {
		var call call
		if err := json.Unmarshal([]byte(text), &call); err != nil {
			log.Fatal(err)
		}
		emit(call.run(connection))
	}
}

// connect waits for the connection: it takes nothing of a call's timeout.
func connect(connection *grpc.ClientConn) {
	connection.Connect()
	for state := connection.GetState(); state != connectivity.Ready; state = connection.GetState() {
		connection.WaitForStateChange(context.Background(), state)
	}
}

func (call *call) run(connection *grpc.ClientConn) outcome {
	ctx, cancel := call.context()
	defer cancel()
	kind := kinds[call.Kind]
	stream, err := connection.NewStream(ctx, &kind.desc, kind.path)
	if err != nil {
		return outcome{Code: int(status.Code(err)), Message: status.Convert(err).Message()}
	}
	go call.send(stream)
	if call.CancelAfter != nil && *call.CancelAfter == 0 {
		if _, err := stream.Header(); err == nil {
			cancel()
		}
	}
	var replies tally
	for err == nil {
		note := &echo.Note{}
		if err = stream.RecvMsg(note); err != nil {
			break
		}
		replies.add(note)
		if call.CancelAfter != nil && *call.CancelAfter == replies.Count {
			cancel()
		}
		if !kind.desc.ServerStreams {
			break
		}
	}
	if errors.Is(err, io.EOF) {
		err = nil
	}
	initial, _ := stream.Header()
	return outcome{
		Code:     int(status.Code(err)),
		Message:  status.Convert(err).Message(),
		Initial:  printable(initial),
		Trailing: printable(stream.Trailer()),
		Replies:  replies,
	}
}

// send sends what the call has to say; when the call ends meanwhile, who receives learns why.
func (call *call) send(stream grpc.ClientStream) {
	note := &echo.Note{}
	for _, request := range call.Requests {
		payload := pattern(request.PayloadBytes)
		for index := range request.Times {
			number := request.Number
			if request.Times > 1 {
				number = uint64(index) + 1
			}
			note = &echo.Note{Text: request.Text, Number: number, Size: request.Size, Payload: payload}
			if stream.SendMsg(note) != nil {
				return
			}
		}
	}
	for call.Flood && stream.SendMsg(note) == nil {
	}
	if call.HalfClose {
		// Its error is the call's, and who receives gets it too.
		_ = stream.CloseSend()
	}
}

func (call *call) context() (context.Context, context.CancelFunc) {
	pairs := metadata.MD{}
	for _, pair := range call.Metadata {
		key, value := pair[0], pair[1]
		if strings.HasSuffix(key, "-bin") {
			decoded, err := base64.StdEncoding.DecodeString(value)
			if err != nil {
				log.Fatal(err)
			}
			value = string(decoded)
		}
		pairs.Append(key, value)
	}
	pairs.Append("call-id", call.ID)
	ctx := metadata.NewOutgoingContext(context.Background(), pairs)
	if call.TimeoutSeconds == nil {
		return context.WithCancel(ctx)
	}
	timeout := time.Duration(*call.TimeoutSeconds * float64(time.Second))
	if call.EnforceTimeout {
		return context.WithTimeout(ctx, timeout)
	}
	return context.WithCancel(quietDeadline{ctx, time.Now().Add(timeout)})
}

// A quietDeadline is told to the server, and never passes on this side.
type quietDeadline struct {
	context.Context
	when time.Time
}

func (deadline quietDeadline) Deadline() (time.Time, bool) {
	return deadline.when, true
}

// printable gives metadata as JSON can hold it: what is binary in base64.
func printable(pairs metadata.MD) map[string][]string {
	found := map[string][]string{}
	for key, values := range pairs {
		for _, value := range values {
			if strings.HasSuffix(key, "-bin") {
				value = base64.StdEncoding.EncodeToString([]byte(value))
			}
			found[key] = append(found[key], value)
		}
	}
	return found
}
