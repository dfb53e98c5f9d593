// The tutorial's server of section 4.2, mended: both loops end with the first error, and the handler with them.
package main

import (
	"fmt"
	"net"
	"time"

	"google.golang.org/grpc"
	pro "i-go/grpc/proto"
	"i-go/settings"
)

const AllStreamPort = ":50055"

type allStream struct {
	pro.UnimplementedAllStreamServerServer
}

func (server *allStream) AllStream(stream pro.AllStreamServer_AllStreamServer) error {
	ended := make(chan error, 2)
	go func() {
		for {
			data, err := stream.Recv()
			if err != nil { // io.EOF, when the client has sent its last line
				ended <- err
				return
			}
			fmt.Println(data)
		}
	}()
	go func() {
		for {
			if err := stream.Send(&pro.AllStreamResp{Data: "All Stream From Server"}); err != nil {
				ended <- err
				return
			}
			select {
			case <-stream.Context().Done():
				return
			case <-time.After(settings.Interval(time.Second)):
			}
		}
	}()
	return <-ended // grpc-go then ends the call's context, and with it the other loop
}

func main() {
	lis, err := net.Listen("tcp", settings.Address(AllStreamPort))
	if err != nil {
		return
	}
	newServer := grpc.NewServer()
	pro.RegisterAllStreamServerServer(newServer, &allStream{})
	newServer.Serve(lis)
}
