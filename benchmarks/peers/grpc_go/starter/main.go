// A fresh process that exchanges one message: what starting costs.
package main

import (
	"encoding/json"
	"errors"
	"log"
	"os"
	"time"

	"grpcgo/pb"
	"grpcgo/work"
)

// A line is what is printed; a compiled program imports nothing.
type line struct {
	Section   string  `json:"section"`
	Import    float64 `json:"import_seconds"`
	Generated float64 `json:"generated_seconds"`
	First     float64 `json:"first_message_seconds"`
	Processor float64 `json:"cpu_seconds"`
}

func main() {
	log.SetFlags(0)
	if err := run(work.WithoutTLS(os.Args[1:])); err != nil {
		log.Fatal(err)
	}
}

func run(arguments []string, authorities string) error {
	if len(arguments) != 1 {
		return errors.New("usage: starter ADDRESS [--tls CA]")
	}
	started := time.Now()
	if err := exchange(arguments[0], authorities); err != nil {
		return err
	}
	line := &line{Section: "starter", First: time.Since(started).Seconds()}
	var err error
	if line.Processor, err = work.ProcessorSeconds(); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(line)
}

func exchange(address, authorities string) error {
	connection, err := work.Dial(address, authorities)
	if err != nil {
		return err
	}
	ctx, cancel := work.Context()
	_ = cancel // the process ends first
	stream, err := pb.NewBenchClient(connection).BothStream(ctx)
	if err != nil {
		return err
	}
	if err := stream.Send(&pb.Request{Text: work.Text}); err != nil {
		return err
	}
	reply, err := stream.Recv()
	if err != nil {
		return err
	}
	return work.Check("reply", reply.Text, work.Text)
}
