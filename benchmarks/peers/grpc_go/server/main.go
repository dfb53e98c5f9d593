// The server: prints where it listens as JSON, and ends when its standard input does.
package main

import (
	"encoding/json"
	"flag"
	"io"
	"log"
	"net"
	"os"

	"google.golang.org/grpc"

	"grpcgo/pb"
	"grpcgo/work"
)

func main() {
	log.SetFlags(0)
	secure := flag.Bool("tls", false, "followed by the paths of a certificate and of its key")
	flag.Parse()
	if *secure != (flag.NArg() == 2) {
		log.Fatal("usage: server [--tls CERTIFICATE KEY]")
	}
	options, err := work.ServerOptions(flag.Arg(0), flag.Arg(1))
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	server := grpc.NewServer(options...)
	pb.RegisterBenchServer(server, &bench{topic: newTopic()})
	server.RegisterService(&raw, nil)
	if err := json.NewEncoder(os.Stdout).Encode(map[string]string{"address": listener.Addr().String()}); err != nil {
		log.Fatal(err)
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		server.Stop()
	}()
	if err := server.Serve(listener); err != nil {
		log.Fatal(err)
	}
}
