package work

import (
	"bytes"
	"errors"

	"google.golang.org/grpc"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
)

// Paths of the service of bytes.
const (
	RawService      = "penstock.benchmarks.Raw"
	RawServerStream = "/" + RawService + "/ServerStream"
	RawClientStream = "/" + RawService + "/ClientStream"
)

// PreparedRaw gives the message to send again and again: framed once, for who sends bytes has them.
func PreparedRaw(stream grpc.Stream) (*grpc.PreparedMsg, error) {
	message := &grpc.PreparedMsg{}
	return message, message.Encode(stream, RawBytes(rawText))
}

// Both methods, for clients and for the server.
var (
	RawServerStreamDesc = grpc.StreamDesc{StreamName: "ServerStream", ServerStreams: true}
	RawClientStreamDesc = grpc.StreamDesc{StreamName: "ClientStream", ClientStreams: true}
)

// A RawReceived is a message as it came, in memory that the next one uses again.
type RawReceived []byte

// IsText says whether it is what it should be.
func (received RawReceived) IsText() bool {
	return bytes.Equal(received, rawText)
}

var rawText = []byte(Text)

// RawBytes gives the form in which a RawCodec sends bytes without another step.
func RawBytes(message []byte) mem.BufferSlice {
	return mem.BufferSlice{mem.SliceBuffer(message)}
}

// A RawCodec passes bytes on, and has protobuf do the rest: a server has one codec for all who ask for "proto".
type RawCodec struct {
	encoding.CodecV2
}

// NewRawCodec gives one.
func NewRawCodec() RawCodec {
	return RawCodec{encoding.GetCodecV2(proto.Name)}
}

// Marshal takes what RawBytes gives, or a message of protobuf.
func (codec RawCodec) Marshal(message any) (mem.BufferSlice, error) {
	if raw, ok := message.(mem.BufferSlice); ok {
		return raw, nil
	}
	return codec.CodecV2.Marshal(message)
}

// Unmarshal copies, for the bytes that came are grpc-go's, and it needs them for what comes next.
func (codec RawCodec) Unmarshal(data mem.BufferSlice, message any) error {
	raw, ok := message.(*RawReceived)
	if !ok {
		return codec.CodecV2.Unmarshal(data, message)
	}
	length := data.Len()
	if cap(*raw) < length {
		*raw = make([]byte, length)
	}
	*raw = (*raw)[:length]
	if data.CopyTo(*raw) != length {
		return errors.New("bytes of a message are missing")
	}
	return nil
}
