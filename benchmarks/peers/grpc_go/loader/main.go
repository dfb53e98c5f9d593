// The client that measures under load: see benchmarks/load/README.md for what it is called with, and what it prints.
package main

import (
	"encoding/json"
	"errors"
	"log"
	"os"
	"strconv"
	"time"

	"grpcgo/work"
)

const usage = `usage: loader ADDRESS maximum STREAMS CONNECTIONS SECONDS [--tls CA]
       loader ADDRESS steady STREAMS CONNECTIONS SECONDS RATE [--tls CA]
       loader ADDRESS beside STREAMS SECONDS [--tls CA]`

// warmUpShare of the measured part is before it.
const warmUpShare = 4

func main() {
	log.SetFlags(0)
	if err := run(work.WithoutTLS(os.Args[1:])); err != nil {
		log.Fatal(err)
	}
}

func run(arguments []string, authorities string) error {
	if len(arguments) < 2 {
		return errors.New(usage)
	}
	address, section := arguments[0], arguments[1]
	numbers, err := parse(arguments[2:])
	if err != nil {
		return err
	}
	var line any
	switch {
	case section == "maximum" && len(numbers) == 3:
		line, err = maximum(&target{address, authorities}, int(numbers[0]), int(numbers[1]), seconds(numbers[2]))
	case section == "steady" && len(numbers) == 4:
		target := &target{address, authorities}
		line, err = steady(target, int(numbers[0]), int(numbers[1]), seconds(numbers[2]), numbers[3])
	case section == "beside" && len(numbers) == 2:
		line, err = beside(&target{address, authorities}, int(numbers[0]), seconds(numbers[1]))
	default:
		return errors.New(usage)
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(line)
}

func parse(texts []string) ([]float64, error) {
	var numbers []float64
	for _, text := range texts {
		number, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return nil, err
		}
		numbers = append(numbers, number)
	}
	return numbers, nil
}

func seconds(number float64) time.Duration {
	return time.Duration(number * float64(time.Second))
}
