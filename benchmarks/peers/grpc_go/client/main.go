// The client: does scenarios one after another, and prints a line of JSON for each.
package main

import (
	"encoding/json"
	"errors"
	"log"
	"os"
	"strconv"

	"grpcgo/work"
)

const usage = "usage: client ADDRESS LEAST_SECONDS SCENARIO... [--tls CA]"

func main() {
	log.SetFlags(0)
	if err := run(work.WithoutTLS(os.Args[1:])); err != nil {
		log.Fatal(err)
	}
}

func run(arguments []string, authorities string) error {
	if len(arguments) < 3 {
		return errors.New(usage)
	}
	seconds, err := strconv.ParseFloat(arguments[1], 64)
	if err != nil {
		return err
	}
	connection, err := work.Dial(arguments[0], authorities)
	if err != nil {
		return err
	}
	defer connection.Close()
	client := newClient(connection)
	for _, name := range arguments[2:] {
		sample, err := measure(client, name, seconds)
		if err == nil {
			err = json.NewEncoder(os.Stdout).Encode(sample)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
