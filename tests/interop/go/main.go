// The Go side of the interop tests: the Echo service of tests/protos/echo.proto, as a server or as a client.
//
//	interop [-window BYTES] server              prints its address, then a record of every call that ended
//	interop [-window BYTES] client ADDRESS CALL...  makes the calls, one after another, and prints their outcomes
//	interop storm-server                  prints its address; answers calls that end at random moments
//	interop storm ADDRESS CALLS WORKERS   makes such calls on one connection, and prints what became of them
//	interop refused ADDRESS POLICY        makes a call under a policy for retries, and prints its outcome
//	interop steady ADDRESS CONNECTIONS WORKERS  makes calls while connections end, and prints what became of them
//
// All that is printed is JSON, one object on a line. What a call and an outcome hold, and what the service does, stands
// in tests/interop/calls.py.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"strconv"
)

func main() {
	log.SetFlags(0)
	window := flag.Int("window", 0, "flow control window in bytes, of streams and connections; 0: as grpc-go has it")
	flag.Parse()
	switch {
	case flag.NArg() == 1 && flag.Arg(0) == "server":
		serve(int32(*window))
	case flag.NArg() >= 2 && flag.Arg(0) == "client":
		runCalls(int32(*window), flag.Arg(1), flag.Args()[2:])
	case flag.NArg() == 1 && flag.Arg(0) == "storm-server":
		serveStorm()
	case flag.NArg() == 4 && flag.Arg(0) == "storm":
		storm(flag.Arg(1), number(flag.Arg(2)), number(flag.Arg(3)))
	case flag.NArg() == 3 && flag.Arg(0) == "refused":
		refused(flag.Arg(1), flag.Arg(2))
	case flag.NArg() == 4 && flag.Arg(0) == "steady":
		steady(flag.Arg(1), int64(number(flag.Arg(2))), number(flag.Arg(3)))
	default:
		log.Fatal("usage: interop [-window BYTES] server | client ADDRESS CALL... | " +
			"storm-server | storm ADDRESS CALLS WORKERS | refused ADDRESS POLICY | steady ADDRESS CONNECTIONS WORKERS")
	}
}

func number(text string) int {
	value, err := strconv.Atoi(text)
	if err != nil {
		log.Fatal(err)
	}
	return value
}

// emit prints one line of JSON with a single write, so that lines of different calls do not mix.
func emit(value any) {
	line, err := json.Marshal(value)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Fprintf(os.Stdout, "%s\n", line)
}
