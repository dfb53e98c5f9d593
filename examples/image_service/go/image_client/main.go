// Command image_client has the pictures of a folder improved, and writes the results to another.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"image_service/images"
)

// tally is what came of the pictures.
type tally struct {
	Pictures int     `json:"pictures"`
	Seconds  float64 `json:"seconds"` // from the first byte to the last, in all
	// ImageSeconds is what the server says it worked on the pictures themselves.
	ImageSeconds float64  `json:"image_seconds"`
	Problems     []string `json:"problems"`
}

func main() {
	address := flag.String("address", "127.0.0.1:50056", "host:port of the server")
	out := flag.String("out", "improved", "the folder results go to")
	how := flag.String("how", "stream", "unary, lockstep (a stream used like calls) or stream")
	together := flag.Int("together", 1, "with -how unary: calls at once")
	asJSON := flag.Bool("json", false, "measure: print figures for programs, and write no pictures")
	flag.Parse()
	way, known := ways[*how]
	if flag.NArg() != 1 || !known || *together < 1 {
		fmt.Fprintln(os.Stderr, "usage: image_client [options] FOLDER")
		flag.PrintDefaults()
		os.Exit(2)
	}

	// All are read before the clock starts: the disk is not what is measured.
	pictures, err := read(flag.Arg(0))
	if err != nil {
		fail(err.Error())
	}
	write := func(picture, result) error { return nil }
	if !*asJSON {
		if write, err = writer(*out); err != nil {
			fail(err.Error())
		}
	}
	found, err := improve(*address, way, pictures, *together, *asJSON, write)
	if status.Code(err) == codes.Unavailable {
		fail(fmt.Sprintf("nobody answers at %s: %s", *address, status.Convert(err).Message()))
	}
	if err != nil {
		fail(err.Error())
	}
	for _, problem := range found.Problems {
		fmt.Fprintln(os.Stderr, problem)
	}
	if *asJSON {
		json.NewEncoder(os.Stdout).Encode(found)
	} else {
		fmt.Printf("%d pictures are in %s: %.2f s, of which image work %.2f s\n",
			found.Pictures, *out, found.Seconds, found.ImageSeconds)
	}
	if len(found.Problems) > 0 {
		os.Exit(1)
	}
}

// improve sends the pictures and hands over what comes back. Warm: the first is sent once before, and not counted.
func improve(
	address string, way way, pictures []picture, together int, warm bool, write func(picture, result) error,
) (tally, error) {
	found := tally{Problems: []string{}}
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return found, err
	}
	defer connection.Close()
	client := images.NewImagesClient(connection)
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	if warm {
		if err := way(ctx, client, pictures[:1], 1, func(picture, result) error { return nil }); err != nil {
			return found, err
		}
	}
	begin := time.Now()
	err = way(ctx, client, pictures, together, func(picture picture, result result) error {
		found.ImageSeconds += result.imageSeconds
		if result.problem != "" {
			found.Problems = append(found.Problems, picture.path+": "+result.problem)
			return nil
		}
		found.Pictures++
		return write(picture, result)
	})
	found.Seconds = time.Since(begin).Seconds()
	return found, err
}

func fail(sentence string) {
	fmt.Fprintln(os.Stderr, sentence)
	os.Exit(1)
}
